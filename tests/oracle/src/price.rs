//! From what Twilio said of a day to lines, and from lines to charges: sections 2 to 5.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::{Decimal, RoundingStrategy};

use crate::world::{Item, Model, Plan, Record, Rule, Said, Tenant, Tier};

/// Twilio's leaves that the worlds use, each with the names of its types.
const TYPES: [(&str, &[(&str, &str)]); 6] = [
    (
        "calls-inbound",
        &[
            ("calls-inbound-local", "local"),
            ("calls-inbound-mobile", "mobile"),
            ("calls-inbound-tollfree", "tollfree"),
        ],
    ),
    (
        "sms-inbound",
        &[
            ("sms-inbound-longcode", "longcode"),
            ("sms-inbound-shortcode", "shortcode"),
            ("sms-inbound-tollfree", "tollfree"),
        ],
    ),
    (
        "sms-outbound",
        &[
            ("sms-outbound-longcode", "longcode"),
            ("sms-outbound-shortcode", "shortcode"),
            ("sms-outbound-tollfree", "tollfree"),
        ],
    ),
    (
        "mms-outbound",
        &[
            ("mms-outbound-longcode", "longcode"),
            ("mms-outbound-shortcode", "shortcode"),
            ("mms-outbound-tollfree", "tollfree"),
        ],
    ),
    (
        "phonenumbers",
        &[
            ("phonenumbers-local", "local"),
            ("phonenumbers-mobile", "mobile"),
            ("phonenumbers-tollfree", "tollfree"),
        ],
    ),
    (
        "mms-inbound",
        &[
            ("mms-inbound-longcode", "longcode"),
            ("mms-inbound-shortcode", "shortcode"),
            ("mms-inbound-toll-free", "tollfree"),
        ],
    ),
];

/// All leaves that the worlds use.
pub const LEAVES: [&str; 11] = [
    "calls-inbound",
    "calls-outbound",
    "sms-inbound",
    "sms-outbound",
    "mms-inbound",
    "mms-outbound",
    "phonenumbers",
    "recordings",
    "sms-messages-carrierfees",
    "mms-messages-carrierfees",
    "trunking-termination",
];

/// Names of a leaf's types.
pub fn types(leaf: &str) -> &'static [(&'static str, &'static str)] {
    let found = TYPES.iter().find(|(name, _)| *name == leaf);
    found.map_or(&[], |(_, types)| types)
}

/// Nine decimals, half away from zero.
#[expect(
    clippy::disallowed_methods,
    reason = "the oracle shares no rounding with what it checks"
)]
pub fn round(value: Decimal, scale: u32) -> Decimal {
    value.round_dp_with_strategy(scale, RoundingStrategy::MidpointAwayFromZero)
}

fn round9(value: Decimal) -> Decimal {
    round(value, 9)
}

/// Where a rule comes from: a plan by its index, or the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A plan version.
    Plan(usize),
    /// An override.
    Own,
}

/// Override, length of the prefix, depth, conditions, order: the greatest wins.
type Rank = (bool, usize, u8, u8, i64);

/// Category and rule.
pub type Key = (String, String);

/// One line of a day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// How many.
    pub count: Decimal,
    /// How much.
    pub usage: Decimal,
    /// Twilio's cost.
    pub cost: Decimal,
    /// Billable seconds.
    pub seconds: Decimal,
}

impl Line {
    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.usage += other.usage;
        self.cost += other.cost;
        self.seconds += other.seconds;
    }

    fn minus(&self, other: &Self) -> Self {
        Self {
            count: self.count - other.count,
            usage: self.usage - other.usage,
            cost: self.cost - other.cost,
            seconds: Decimal::ZERO,
        }
    }

    /// Nothing at all.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

/// A rule in force, with where it comes from and the floor that holds for it.
#[derive(Debug, Clone)]
pub struct InForce<'a> {
    /// Where from.
    pub source: Source,
    /// The rule's name.
    pub id: String,
    /// The rule; none is the plan's default.
    pub rule: Option<&'a Rule>,
    /// The model.
    pub model: Model,
    /// Per count?
    pub per_count: bool,
    /// Floor.
    pub floor: Option<Decimal>,
}

/// All rules of a day.
pub struct Rules<'a> {
    plan: &'a Plan,
    index: usize,
    all: Vec<(Source, usize, &'a Rule)>,
}

fn direction(category: &str) -> Option<&'static str> {
    match category {
        "calls-inbound" | "sms-inbound" | "mms-inbound" | "trunking-origination" => Some("inbound"),
        "calls-outbound" | "sms-outbound" | "mms-outbound" | "trunking-termination" => {
            Some("outbound")
        }
        _ => None,
    }
}

fn is_fee(category: &str) -> bool {
    category == "tenant-fee" || category == "number-fee"
}

/// 2 for the leaf itself, 1 for a group of it, 0 for anything, none if it is not meant.
fn depth(of_rule: &str, category: &str) -> Option<u8> {
    if of_rule == category {
        return Some(2);
    }
    if is_fee(category) {
        return None;
    }
    let group: &[&str] = match of_rule {
        "any" => return Some(0),
        "calls" => &["calls-inbound", "calls-outbound"],
        "sms" => &["sms-inbound", "sms-outbound"],
        "mms" => &["mms-inbound", "mms-outbound"],
        "messages" => &["sms-inbound", "sms-outbound", "mms-inbound", "mms-outbound"],
        "trunking" => &["trunking-origination", "trunking-termination"],
        "carrier-fees" => &["sms-messages-carrierfees", "mms-messages-carrierfees"],
        _ => &[],
    };
    group.contains(&category).then_some(1)
}

/// The country of a number and the prefix by which it belongs to it, for the numbers that worlds use.
fn country(digits: &str) -> Option<(&'static str, usize)> {
    [
        ("44", "GB"),
        ("49", "DE"),
        ("33", "FR"),
        ("1416", "CA"),
        ("1", "US"),
    ]
    .into_iter()
    .find(|(prefix, _)| digits.starts_with(prefix))
    .map(|(prefix, name)| (name, prefix.len()))
}

impl<'a> Rules<'a> {
    /// The rules in force on a day; none before the tenant's first plan.
    pub fn on(plans: &'a [Plan], tenant: &'a Tenant, day: Date) -> Option<Self> {
        let (_, index) = tenant.plans.iter().rev().find(|(from, _)| *from <= day)?;
        let plan = &plans[*index];
        let mut all = Vec::new();
        for (order, rule) in plan.rules.iter().enumerate() {
            all.push((Source::Plan(*index), order, rule));
        }
        for (order, own) in tenant.own.iter().enumerate() {
            if own.from <= day && own.until.is_none_or(|until| day < until) {
                all.push((Source::Own, order, &own.rule));
            }
        }
        Some(Self {
            plan,
            index: *index,
            all,
        })
    }

    /// The best rule for usage of a category; none only for a fee that nobody charges.
    pub fn best(
        &self,
        category: &str,
        digits: Option<&str>,
        number_type: Option<&str>,
    ) -> Option<InForce<'a>> {
        let mut best: Option<(Rank, InForce<'a>)> = None;
        for (source, order, rule) in &self.all {
            let Some(depth) = depth(&rule.category, category) else {
                continue;
            };
            if rule.direction.is_some() && rule.direction != direction(category) {
                continue;
            }
            if rule.number_type.is_some() && rule.number_type != number_type {
                continue;
            }
            let mut prefix = 0;
            if rule.country.is_some() || !rule.prefixes.is_empty() {
                let Some(digits) = digits else { continue };
                if let Some(wanted) = rule.country {
                    match country(digits) {
                        Some((name, length)) if name == wanted => prefix = length,
                        _ => continue,
                    }
                }
                if !rule.prefixes.is_empty() {
                    let own = rule.prefixes.iter().filter(|own| digits.starts_with(**own));
                    match own.map(|own| own.len()).max() {
                        Some(length) => prefix = prefix.max(length),
                        None => continue,
                    }
                }
            }
            let conditions =
                u8::from(rule.direction.is_some()) + u8::from(rule.number_type.is_some());
            let order = i64::try_from(*order).unwrap_or(i64::MAX);
            let is_own = *source == Source::Own;
            // The later override, the earlier rule of a plan.
            let order = if is_own { order } else { -order };
            let rank = (is_own, prefix, depth, conditions, order);
            if best.as_ref().is_none_or(|(known, _)| rank > *known) {
                best = Some((rank, self.in_force(*source, rule)));
            }
        }
        match best {
            Some((_, found)) => Some(found),
            None if is_fee(category) => None,
            None => Some(self.default()),
        }
    }

    fn in_force(&self, source: Source, rule: &'a Rule) -> InForce<'a> {
        InForce {
            source,
            id: rule.id.clone(),
            rule: Some(rule),
            model: rule.model.clone(),
            per_count: rule.per_count,
            floor: if source == Source::Own && is_of_period(&rule.model) {
                rule.floor
            } else {
                rule.floor.or(self.plan.floor)
            },
        }
    }

    fn default(&self) -> InForce<'a> {
        InForce {
            source: Source::Plan(self.index),
            id: "default".to_owned(),
            rule: None,
            model: Model::Multiplier(self.plan.default, None),
            per_count: false,
            floor: self.plan.floor,
        }
    }

    /// A rule by its name.
    pub fn named(&self, id: &str) -> Option<InForce<'a>> {
        if id == "default" {
            return Some(self.default());
        }
        let found = self.all.iter().find(|(_, _, rule)| rule.id == id)?;
        Some(self.in_force(found.0, found.2))
    }

    /// `detail`, `types` or `record`.
    fn source(&self, category: &str) -> &'static str {
        let may_match = self.all.iter().map(|(_, _, rule)| *rule).filter(|rule| {
            depth(&rule.category, category).is_some()
                && (rule.direction.is_none() || rule.direction == direction(category))
        });
        let rules: Vec<&Rule> = may_match.collect();
        let has_items = [
            "calls-",
            "sms-inbound",
            "sms-outbound",
            "mms-inbound",
            "mms-outbound",
        ]
        .iter()
        .any(|name| category.starts_with(name));
        let needs_items = rules.iter().any(|rule| {
            rule.country.is_some()
                || !rule.prefixes.is_empty()
                || matches!(rule.model, Model::Unit(_, Some(_)))
        });
        if has_items && needs_items {
            "detail"
        } else if rules.iter().any(|rule| rule.number_type.is_some()) && !types(category).is_empty()
        {
            "types"
        } else {
            "record"
        }
    }
}

fn digits(number: &str) -> Option<&str> {
    number.strip_prefix('+')
}

fn type_of(item: &Item) -> Option<&'static str> {
    let own = if item.direction == "inbound" {
        &item.to
    } else {
        &item.from
    };
    if (5..=6).contains(&own.len()) && own.chars().all(|one| one.is_ascii_digit()) {
        return Some("shortcode");
    }
    let tollfree = ["1800", "1833", "1844", "1855", "1866", "1877", "1888"];
    let digits = digits(own)?;
    tollfree
        .iter()
        .any(|prefix| digits.starts_with(prefix))
        .then_some("tollfree")
}

/// The lines of a day.
pub fn lines_of(
    rules: &Rules<'_>,
    day: Date,
    said: &Said,
    in_service: bool,
    numbers: u32,
) -> BTreeMap<Key, Line> {
    let mut lines: BTreeMap<Key, Line> = BTreeMap::new();
    let records: Vec<&Record> = said
        .records
        .iter()
        .filter(|record| record.day == day)
        .collect();
    let record = |name: &str| -> Line {
        let found = records.iter().find(|record| record.category == name);
        found.map_or_else(Line::default, |record| Line {
            count: record.count,
            usage: record.usage,
            cost: round9(record.price),
            seconds: Decimal::ZERO,
        })
    };
    let mut put = |category: &str, number_type: Option<&str>, mut line: Line| {
        if line.count.is_zero() && line.usage.is_zero() && line.cost.is_zero() {
            return;
        }
        let Some(rule) = rules.best(category, None, number_type) else {
            return;
        };
        if matches!(rule.model, Model::Unit(_, Some(_))) {
            line.seconds = line.usage * Decimal::from(60);
        }
        lines
            .entry((category.to_owned(), rule.id))
            .or_default()
            .add(&line);
    };
    let mut total = record("totalprice").cost;
    let mut fees: BTreeMap<&str, Decimal> = BTreeMap::new();
    let mut items: Vec<(String, String, Line)> = Vec::new();
    for leaf in LEAVES {
        let whole = record(leaf);
        total -= whole.cost;
        match rules.source(leaf) {
            "record" => put(leaf, None, whole),
            "types" => {
                let mut rest = whole;
                for (name, number_type) in types(leaf) {
                    let part = record(name);
                    rest = rest.minus(&part);
                    put(leaf, Some(number_type), part);
                }
                put(leaf, None, rest);
            }
            _ => {
                let mut sum = Line::default();
                for item in &said.items {
                    let category = format!("{}-{}", item.family, item.direction);
                    let on = item.at.to_zoned(jiff::tz::TimeZone::UTC).date();
                    let Some(price) = item.price else { continue };
                    if category != leaf || on != day {
                        continue;
                    }
                    let Some(rule) = rules.best(leaf, digits(&item.to), type_of(item)) else {
                        continue;
                    };
                    let usage = match item.family {
                        "calls" => item.seconds.div_ceil(60).max(1),
                        "sms" => item.segments,
                        _ => 1,
                    };
                    let mut line = Line {
                        count: Decimal::ONE,
                        usage: Decimal::from(usage),
                        cost: round9(price),
                        seconds: Decimal::ZERO,
                    };
                    sum.add(&line);
                    if let Model::Unit(_, Some((first, next))) = rule.model {
                        let seconds = if item.seconds <= first {
                            first
                        } else {
                            first + (item.seconds - first).div_ceil(next) * next
                        };
                        line.seconds = Decimal::from(seconds);
                    }
                    items.push((leaf.to_owned(), rule.id, line));
                }
                let rest = whole.minus(&sum);
                if leaf.starts_with("calls") {
                    put(leaf, None, rest);
                } else if leaf.starts_with("sms") {
                    *fees.entry("sms-messages-carrierfees").or_default() += rest.cost;
                } else {
                    *fees.entry("mms-messages-carrierfees").or_default() += rest.cost;
                }
            }
        }
    }
    for (category, cost) in fees {
        let line = Line {
            cost,
            ..Line::default()
        };
        put(category, None, line);
    }
    let other = Line {
        cost: total,
        ..Line::default()
    };
    put("other", None, other);
    let unit_days = |count: u32| Line {
        count: Decimal::from(count),
        usage: Decimal::from(count),
        ..Line::default()
    };
    if in_service {
        put("tenant-fee", None, unit_days(1));
    }
    put("number-fee", None, unit_days(numbers));
    for (category, rule, line) in items {
        lines.entry((category, rule)).or_default().add(&line);
    }
    lines.retain(|_, line| !line.is_zero());
    lines
}

/// Is a rule rated on the sums of a period?
pub fn is_of_period(model: &Model) -> bool {
    !matches!(model, Model::Multiplier(..) | Model::Unit(..))
}

/// What a rule measures of a line.
pub fn quantity(model: &Model, per_count: bool, line: &Line) -> Decimal {
    match model {
        Model::Unit(_, Some(_)) => line.seconds / Decimal::from(60),
        _ if per_count => line.count,
        _ => line.usage,
    }
}

/// The charge for a line, or for the sums of a period of so many days.
pub fn charge(rule: &InForce<'_>, line: &Line, period_days: i64) -> Decimal {
    let cost = line.cost;
    let least = rule.floor.map(|floor| Decimal::ONE + floor);
    let q = quantity(&rule.model, rule.per_count, line);
    if let Model::Multiplier(multiplier, minimum) = &rule.model {
        let multiplier = least.map_or(*multiplier, |least| least.max(*multiplier));
        let by_cost = cost * multiplier;
        return match minimum {
            Some(minimum) if cost >= Decimal::ZERO => round9(by_cost.max(q * minimum)),
            _ => round9(by_cost),
        };
    }
    let whole = q.max(Decimal::ZERO);
    let amount = match &rule.model {
        Model::Multiplier(..) => unreachable!("handled above"),
        Model::Unit(price, Some(_)) => price * line.seconds / Decimal::from(60),
        Model::Unit(price, None) => price * q,
        Model::Graduated(tiers) => graduated(tiers, whole),
        Model::Volume(tiers) => volume(tiers, whole),
        Model::Package(size, price) => {
            let mut packages = Decimal::ZERO;
            while packages * size < whole {
                packages += Decimal::ONE;
            }
            packages * price
        }
        Model::Allowance(included, price) => (whole - included).max(Decimal::ZERO) * price,
        Model::Fee(fee) => whole * fee / Decimal::from(period_days),
    };
    let amount = round9(amount);
    match least {
        Some(least) if cost > Decimal::ZERO => amount.max(round9(cost * least)),
        _ => amount,
    }
}

fn graduated(tiers: &[Tier], whole: Decimal) -> Decimal {
    let (mut sum, mut below) = (Decimal::ZERO, Decimal::ZERO);
    for tier in tiers {
        if whole > below {
            let top = tier.up_to.map_or(whole, |up_to| up_to.min(whole));
            sum += (top - below) * tier.price + tier.fee;
            below = top;
        }
    }
    sum
}

fn volume(tiers: &[Tier], whole: Decimal) -> Decimal {
    if whole.is_zero() {
        return Decimal::ZERO;
    }
    let tier = tiers
        .iter()
        .find(|tier| tier.up_to.is_none_or(|up_to| whole <= up_to));
    tier.map_or(Decimal::ZERO, |tier| whole * tier.price + tier.fee)
}
