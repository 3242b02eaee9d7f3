//! Worlds from seeds: all models, revisions up and down, late and repeated deliveries, plan changes, overrides,
//! payments of all kinds, months that end and clocks that change.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use rust_decimal::Decimal;

use crate::price::{LEAVES, types};
use crate::world::{Act, Item, Model, Own, Plan, Record, Rule, Said, Step, Tenant, Tier, World};

/// First days: month ends, both changes of the clock on both hemispheres, a leap year.
const STARTS: [(i16, i8, i8); 6] = [
    (2026, 2, 20),
    (2026, 3, 15),
    (2026, 10, 1),
    (2026, 12, 10),
    (2028, 2, 10),
    (2026, 4, 1),
];
const ZONES: [&str; 8] = [
    "UTC",
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Santiago",
    "Asia/Beirut",
];
const NUMBERS: [&str; 7] = [
    "+442079460000",
    "+447700900123",
    "+493090000000",
    "+33140000000",
    "+14155550111",
    "+14165550111",
    "+12125550100",
];

/// How large a world is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Tenants.
    pub tenants: usize,
    /// Days.
    pub days: i64,
}

/// A small generator: splitmix64.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66_D1CE_4E5B)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below a bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).expect("below a size")
    }

    fn in_range(&mut self, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.below((high - low + 1).unsigned_abs())).expect("in range")
    }

    /// So many times of a hundred.
    pub fn chance(&mut self, of_hundred: u64) -> bool {
        self.below(100) < of_hundred
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.index(from.len())]
    }

    fn amount(&mut self, low: i64, high: i64, scale: u32) -> Decimal {
        Decimal::new(self.in_range(low, high), scale).normalize()
    }
}

fn at(day: Date, dice: &mut Dice) -> Timestamp {
    let seconds = dice.in_range(0, 86_399);
    begin(day) + SignedDuration::from_secs(seconds)
}

fn begin(day: Date) -> Timestamp {
    day.to_zoned(TimeZone::UTC).expect("a day").timestamp()
}

/// Makes a world.
pub fn world(seed: u64, size: Size) -> World {
    let mut dice = Dice::new(seed);
    let (year, month, day) = dice.pick(&STARTS);
    let first = jiff::civil::date(year, month, day);
    let plans: Vec<Plan> = (0..8).map(|_| plan(&mut dice)).collect();
    let tenants: Vec<Tenant> = (0..size.tenants)
        .map(|_| tenant(&mut dice, &plans, first, size.days))
        .collect();
    let mut steps = Vec::new();
    for (index, tenant) in tenants.iter().enumerate() {
        payments(&mut dice, index, first, size, &mut steps);
        usage(&mut dice, index, tenant, first, size, &mut steps);
        for day in 0..size.days {
            if dice.chance(12) {
                let at = at(first + day.days(), &mut dice);
                steps.push(Step {
                    at,
                    tenant: index,
                    act: Act::Close,
                });
            }
        }
    }
    // Two things at one moment stay in the order that they were made in.
    steps.sort_by_key(|step| step.at);
    World {
        seed,
        plans,
        tenants,
        steps,
    }
}

/// A plan of up to eleven rules.
pub fn plan(dice: &mut Dice) -> Plan {
    let by_destination = dice.chance(50);
    let count = dice.in_range(2, 9);
    let mut rules: Vec<Rule> = Vec::new();
    for number in 0..count {
        rules.extend(rule(dice, &format!("r{number}"), by_destination));
    }
    if dice.chance(60) {
        rules.push(fee(dice, "tenant-fee"));
    }
    if dice.chance(60) {
        rules.push(fee(dice, "number-fee"));
    }
    Plan {
        default: dice.amount(8_000, 30_000, 4),
        rules,
        floor: dice.chance(30).then(|| dice.amount(0, 4_000, 4)),
    }
}

fn fee(dice: &mut Dice, category: &str) -> Rule {
    Rule {
        id: category.to_owned(),
        category: category.to_owned(),
        direction: None,
        country: None,
        prefixes: Vec::new(),
        number_type: None,
        floor: None,
        model: Model::Fee(dice.amount(1, 5_000, 2)),
        per_count: false,
    }
}

/// A rule; none where the dice made one that no plan may have.
fn rule(dice: &mut Dice, id: &str, by_destination: bool) -> Option<Rule> {
    let category = dice.pick(&[
        "calls-inbound",
        "calls-outbound",
        "sms-inbound",
        "sms-outbound",
        "mms-outbound",
        "mms-inbound",
        "phonenumbers",
        "recordings",
        "calls",
        "sms",
        "mms",
        "messages",
        "trunking-termination",
        "sms-messages-carrierfees",
        "any",
    ]);
    let is_detail = ["calls", "sms-inbound", "sms-outbound", "mms", "messages"]
        .iter()
        .any(|name| category.starts_with(name))
        || category == "sms";
    let mut rule = Rule {
        id: id.to_owned(),
        category: category.to_owned(),
        direction: None,
        country: None,
        prefixes: Vec::new(),
        number_type: None,
        floor: dice.chance(15).then(|| dice.amount(0, 6_000, 4)),
        model: model(dice, category),
        per_count: dice.chance(40),
    };
    let has_direction = ["calls", "sms", "mms", "messages"].contains(&category);
    if has_direction && dice.chance(30) {
        rule.direction = Some(dice.pick(&["inbound", "outbound"]));
    }
    if by_destination && is_detail && category != "sms-messages-carrierfees" {
        if dice.chance(40) {
            rule.country = Some(dice.pick(&["GB", "DE", "FR", "US", "CA"]));
        }
        if dice.chance(40) {
            rule.prefixes = vec![dice.pick(&[
                "44", "447", "4420", "49", "4930", "331", "1415", "1", "1212",
            ])];
        }
        if category.starts_with("calls-")
            && matches!(rule.model, Model::Unit(..))
            && dice.chance(60)
        {
            let steps = dice.pick(&[(60, 60), (6, 6), (1, 1), (30, 6)]);
            let Model::Unit(price, _) = rule.model else {
                return None;
            };
            rule.model = Model::Unit(price, Some(steps));
            rule.per_count = false;
        }
        if dice.chance(15) && !types(category).is_empty() {
            rule.number_type = Some("tollfree");
        }
    } else if !by_destination && dice.chance(40) {
        let own = types(category);
        if !own.is_empty() {
            rule.number_type = Some(own[dice.index(own.len())].1);
        }
    }
    if category == "any" || category == "sms-messages-carrierfees" {
        // Only multipliers make sense for everything.
        rule.model = Model::Multiplier(dice.amount(9_000, 30_000, 4), None);
        rule.per_count = false;
    }
    Some(rule)
}

fn model(dice: &mut Dice, category: &str) -> Model {
    let price = |dice: &mut Dice| dice.amount(1, 90_000, 6);
    let tiers = |dice: &mut Dice| {
        let first = dice.in_range(5, 60);
        let second = first + dice.in_range(1, 200);
        let tier = |dice: &mut Dice, up_to: Option<i64>| Tier {
            up_to: up_to.map(Decimal::from),
            price: dice.amount(1, 60_000, 6),
            fee: if dice.chance(40) {
                dice.amount(1, 300, 2)
            } else {
                Decimal::ZERO
            },
        };
        vec![
            tier(dice, Some(first)),
            tier(dice, Some(second)),
            tier(dice, None),
        ]
    };
    let is_fees = category.contains("carrierfees");
    match dice.below(7) {
        _ if is_fees => Model::Multiplier(dice.amount(9_000, 30_000, 4), None),
        0 => Model::Multiplier(dice.amount(9_000, 30_000, 4), None),
        1 => Model::Multiplier(dice.amount(9_000, 30_000, 4), Some(price(dice))),
        2 => Model::Unit(price(dice), None),
        3 => Model::Graduated(tiers(dice)),
        4 => Model::Volume(tiers(dice)),
        5 => Model::Package(Decimal::from(dice.in_range(5, 100)), dice.amount(1, 900, 2)),
        _ => Model::Allowance(Decimal::from(dice.in_range(1, 150)), price(dice)),
    }
}

fn tenant(dice: &mut Dice, plans: &[Plan], first: Date, days: i64) -> Tenant {
    let mut assigned = vec![(first - 10.days(), dice.index(plans.len()))];
    if dice.chance(50) {
        assigned.push((
            first + dice.in_range(2, days - 2).days(),
            dice.index(plans.len()),
        ));
    }
    let mut own = Vec::new();
    for number in 1..=u32::try_from(dice.below(3)).expect("small") {
        let from = first + dice.in_range(0, days - 5).days();
        let id = format!("override-{number}");
        if let Some(rule) = rule(dice, &id, false).filter(|rule| rule.number_type.is_none()) {
            let until = dice.chance(60).then(|| from + dice.in_range(1, 20).days());
            own.push(Own {
                number,
                from,
                until,
                rule,
            });
        }
    }
    Tenant {
        zone: dice.pick(&ZONES),
        billing_day: dice.pick(&[1, 1, 15, 29, 30, 31]),
        tax: dice.amount(0, 25, 2),
        is_exempt: dice.chance(15),
        since: first + dice.in_range(0, 3).days(),
        plans: assigned,
        own,
    }
}

fn payments(dice: &mut Dice, index: usize, first: Date, size: Size, steps: &mut Vec<Step>) {
    for day in 0..size.days {
        if !dice.chance(18) {
            continue;
        }
        let at = at(first + day.days(), dice);
        let expiry = |dice: &mut Dice| {
            dice.chance(50)
                .then(|| at + SignedDuration::from_hours(dice.in_range(1, 600)))
        };
        let act = match dice.below(10) {
            0..=3 => Act::TopUp(
                dice.amount(100, 9_000, 2),
                u8::try_from(dice.below(10)).expect("small"),
                expiry(dice),
            ),
            4 | 5 => {
                let from = dice
                    .chance(30)
                    .then(|| at + SignedDuration::from_hours(dice.in_range(1, 72)));
                let until = expiry(dice).filter(|until| from.is_none_or(|from| from < *until));
                Act::Credit(
                    dice.amount(100, 3_000, 2),
                    u8::try_from(dice.below(10)).expect("small"),
                    from,
                    until,
                )
            }
            6 => Act::Refund(dice.amount(100, 2_000, 2)),
            7 => Act::Adjust(dice.amount(1, 900_000_000, 9) * Decimal::from(dice.pick(&[-1, 1]))),
            8 => {
                let to = dice.index(size.tenants);
                if to == index {
                    continue;
                }
                Act::Transfer(to, dice.amount(100, 2_000, 2))
            }
            _ => Act::WriteOff(dice.amount(1, 300, 2)),
        };
        steps.push(Step {
            at,
            tenant: index,
            act,
        });
    }
}

/// What really happens on a tenant's day; Twilio tells it bit by bit.
struct Truth {
    day: Date,
    items: Vec<(Item, Timestamp)>,
    /// Beyond single items, by leaf: count, usage, price.
    more: Vec<(&'static str, i64, i64, i64)>,
    /// What no leaf holds.
    other: i64,
    numbers: u32,
}

fn truth(dice: &mut Dice, tenant: usize, day: Date) -> Truth {
    let mut items = Vec::new();
    for number in 0..dice.below(4) {
        let at = at(day, dice);
        let family = dice.pick(&["calls", "sms", "sms", "mms"]);
        let direction = dice.pick(&["inbound", "outbound"]);
        let own = dice.pick(&["+15005550006", "+18005550100", "72345"]);
        let other = dice.pick(&NUMBERS);
        let (from, to) = if direction == "inbound" {
            (other, own)
        } else {
            (own, other)
        };
        let priced_at = at + SignedDuration::from_hours(dice.in_range(0, 60));
        let item = Item {
            sid: format!("{tenant}-{day}-{number}"),
            family,
            direction,
            at,
            from: from.to_owned(),
            to: to.to_owned(),
            segments: dice.below(4) + 1,
            seconds: dice.below(400),
            price: Some(dice.amount(0, 5_000, 5)),
        };
        items.push((item, priced_at));
    }
    let mut more = Vec::new();
    for leaf in LEAVES {
        if dice.chance(25) {
            more.push((
                leaf,
                dice.in_range(0, 30),
                dice.in_range(0, 60),
                dice.in_range(0, 90_000),
            ));
        }
    }
    Truth {
        day,
        items,
        more,
        other: if dice.chance(20) {
            dice.in_range(-300, 4_000)
        } else {
            0
        },
        numbers: u32::try_from(dice.below(4)).expect("small"),
    }
}

fn usage(
    dice: &mut Dice,
    index: usize,
    tenant: &Tenant,
    first: Date,
    size: Size,
    steps: &mut Vec<Step>,
) {
    // A tenant may be suspended for some days: then nothing happens.
    let quiet = dice.chance(30).then(|| {
        let from = dice.in_range(0, size.days - 1);
        from..from + dice.in_range(1, 10)
    });
    let days: Vec<Truth> = (0..size.days)
        .map(|number| {
            let day = first + number.days();
            let mut of_day = truth(dice, index, day);
            if quiet.as_ref().is_some_and(|quiet| quiet.contains(&number)) || day < tenant.since {
                of_day.items.clear();
                of_day.more.clear();
                of_day.other = 0;
            }
            of_day
        })
        .collect();
    let numbers: Vec<(Date, u32)> = days
        .iter()
        .map(|of_day| (of_day.day, of_day.numbers))
        .collect();
    let mut earlier: Vec<Said> = Vec::new();
    for number in 0..size.days + 4 {
        for _ in 0..dice.below(3) {
            let now = at(first + number.days(), dice);
            let back = if dice.chance(8) {
                20
            } else {
                dice.in_range(1, 4)
            };
            let said = if !earlier.is_empty() && dice.chance(15) {
                // Late, or once more.
                earlier[dice.index(earlier.len())].clone()
            } else {
                let from = (number - back).max(0);
                let shown = days.iter().skip(usize::try_from(from).expect("small"));
                let shown: Vec<&Truth> = shown.filter(|of_day| begin(of_day.day) <= now).collect();
                said(dice, &shown, now)
            };
            earlier.push(said.clone());
            steps.push(Step {
                at: now,
                tenant: index,
                act: Act::Usage(said, numbers.clone()),
            });
        }
    }
}

/// What Twilio says of days at a moment.
fn said(dice: &mut Dice, shown: &[&Truth], now: Timestamp) -> Said {
    let mut said = Said {
        days: shown.iter().map(|of_day| of_day.day).collect(),
        as_of: now,
        records: Vec::new(),
        items: Vec::new(),
    };
    for of_day in shown {
        let mut total = Decimal::new(of_day.other, 5);
        for leaf in LEAVES {
            let (mut count, mut usage, mut price) = (Decimal::ZERO, Decimal::ZERO, Decimal::ZERO);
            for (item, _) in &of_day.items {
                if item.at <= now && format!("{}-{}", item.family, item.direction) == leaf {
                    count += Decimal::ONE;
                    usage += Decimal::from(match item.family {
                        "calls" => item.seconds.div_ceil(60).max(1),
                        "sms" => item.segments,
                        _ => 1,
                    });
                    price += item.price.unwrap_or_default();
                }
            }
            for (_, more, measured, cost) in of_day.more.iter().filter(|(name, ..)| *name == leaf) {
                // Revised, up or down.
                let share = dice.in_range(60, 110);
                count += Decimal::from(*more);
                usage += Decimal::from(*measured);
                price += Decimal::new(cost * share / 100, 5);
            }
            if count.is_zero() && usage.is_zero() && price.is_zero() {
                continue;
            }
            total += price;
            said.records.push(Record {
                day: of_day.day,
                category: leaf.to_owned(),
                count,
                usage,
                price,
            });
            let mut left = (count.trunc(), usage, price);
            for (name, _) in types(leaf) {
                let half = |value: Decimal| (value / Decimal::TWO).trunc_with_scale(2);
                let part = (half(left.0).trunc(), half(left.1), half(left.2));
                left = (left.0 - part.0, left.1 - part.1, left.2 - part.2);
                if !(part.0.is_zero() && part.1.is_zero() && part.2.is_zero()) {
                    said.records.push(Record {
                        day: of_day.day,
                        category: (*name).to_owned(),
                        count: part.0,
                        usage: part.1,
                        price: part.2,
                    });
                }
            }
        }
        said.records.push(Record {
            day: of_day.day,
            category: "totalprice".to_owned(),
            count: Decimal::ZERO,
            usage: Decimal::ZERO,
            price: total,
        });
        for (item, priced_at) in of_day.items.iter().filter(|(item, _)| item.at <= now) {
            said.items.push(Item {
                price: item.price.filter(|_| *priced_at <= now),
                ..item.clone()
            });
        }
    }
    said
}
