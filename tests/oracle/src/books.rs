//! A tenant's books, step by step: sections 6 and 7.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan as _};
use rust_decimal::Decimal;

use crate::lots::{Funds, Lot, Paid, paid_lot};
use crate::price::{Key, Line, Rules, Source, charge, is_of_period, lines_of};
use crate::statements::Statement;
use crate::world::{Act, Plan, Said, Tenant, World};

/// A line as it is booked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Booked {
    /// Quantities and cost.
    pub line: Line,
    /// Charge of the day; what is charged by period stands with the rule.
    pub charge: Decimal,
}

/// A day.
#[derive(Debug, Clone, Default)]
pub struct Day {
    /// Freshness of what is booked.
    pub as_of: Option<Timestamp>,
    /// Lines.
    pub lines: BTreeMap<Key, Booked>,
    /// Who paid for it.
    pub paid: Paid,
}

/// A rule that is rated on the sums of a period.
#[derive(Debug, Clone, Default)]
pub struct OfPeriod {
    /// What is booked.
    pub charge: Decimal,
    /// Who paid for it.
    pub paid: Paid,
}

/// What an entry said, as far as statements ask.
#[derive(Debug, Clone)]
pub enum Item {
    /// A line's change.
    Line {
        /// Day.
        day: Date,
        /// Category and rule.
        key: Key,
        /// As now observed.
        observed: Line,
        /// Change of the charge.
        charge: Decimal,
    },
    /// A period rule's change.
    Rule {
        /// Period.
        period: Date,
        /// Where the rule comes from.
        source: Source,
        /// Its name.
        rule: String,
        /// Last day that changed it.
        day: Date,
        /// Change of the charge.
        charge: Decimal,
    },
    /// Anything else: when, and how the balance changed.
    Other(Timestamp, Decimal),
}

/// A tenant's books.
#[derive(Debug, Clone, Default)]
pub struct Books {
    /// Entries so far.
    pub entries: u64,
    /// Lots and overdraft.
    pub funds: Funds,
    /// Days.
    pub days: BTreeMap<Date, Day>,
    /// Rules by period, source and name.
    pub rules: BTreeMap<(Date, Source, String), OfPeriod>,
    /// What was paid in, less what was paid out.
    pub cash: Decimal,
    /// Charges, and adjustments against them.
    pub revenue: Decimal,
    /// What Twilio takes.
    pub payable: Decimal,
    /// Promotional credit given, less what expired.
    pub promotional: Decimal,
    /// Paid credit that expired.
    pub breakage: Decimal,
    /// Debts given up.
    pub bad_debt: Decimal,
    /// Tax.
    pub tax: Decimal,
    /// Rounding of statements.
    pub rounding: Decimal,
    /// Items of entries, with the entry's number.
    pub items: Vec<(u64, Item)>,
    /// Statements.
    pub statements: Vec<Statement>,
}

/// Noon of a GMT day.
pub fn noon(day: Date) -> Timestamp {
    day.at(12, 0, 0, 0)
        .to_zoned(TimeZone::UTC)
        .expect("a day")
        .timestamp()
}

/// First moment of a tenant's period that begins in a month.
pub fn period_start(tenant: &Tenant, year: i16, month: i8) -> Date {
    let first = jiff::civil::date(year, month, 1);
    let last = first.last_of_month().day();
    first
        .with()
        .day(tenant.billing_day.min(last))
        .build()
        .expect("a day of the month")
}

/// The moment that a civil date begins.
pub fn begins(tenant: &Tenant, day: Date) -> Timestamp {
    let zone = TimeZone::get(tenant.zone).expect("a zone");
    day.to_zoned(zone).expect("a day").timestamp()
}

/// The period after one.
pub fn next(tenant: &Tenant, start: Date) -> Date {
    let month = start.first_of_month() + 1.month();
    period_start(tenant, month.year(), month.month())
}

/// The period that holds a moment, by its first date.
pub fn period_at(tenant: &Tenant, at: Timestamp) -> Date {
    let zone = TimeZone::get(tenant.zone).expect("a zone");
    let month = at.to_zoned(zone).date().first_of_month() - 2.months();
    let mut start = period_start(tenant, month.year(), month.month());
    while begins(tenant, next(tenant, start)) <= at {
        start = next(tenant, start);
    }
    start
}

/// GMT days of a period.
pub fn days_of(tenant: &Tenant, start: Date) -> i64 {
    let mut day = start - 3.days();
    let mut count = 0;
    while day < start + 40.days() {
        if period_at(tenant, noon(day)) == start {
            count += 1;
        }
        day = day.tomorrow().expect("a day");
    }
    count
}

/// Plays a world; answers each tenant's books.
pub fn play(world: &World) -> Vec<Books> {
    let mut all: Vec<Books> = world.tenants.iter().map(|_| Books::default()).collect();
    for step in &world.steps {
        let tenant = &world.tenants[step.tenant];
        if let Act::Transfer(to, amount) = &step.act {
            // Both sides or none.
            if all[step.tenant].funds.paid() >= *amount {
                let from = &mut all[step.tenant];
                from.entries += 1;
                from.funds.take_out(*amount);
                from.items
                    .push((from.entries, Item::Other(step.at, -*amount)));
                let other = &mut all[*to];
                other.entries += 1;
                other.funds.pay_in(*amount, &paid_lot(other.entries));
                other
                    .items
                    .push((other.entries, Item::Other(step.at, *amount)));
            }
            continue;
        }
        let books = &mut all[step.tenant];
        match &step.act {
            Act::Usage(said, numbers) => books.usage(&world.plans, tenant, said, numbers, step.at),
            Act::Close => books.close(&world.plans, tenant, step.at),
            act => books.act(act, step.at),
        }
    }
    all
}

impl Books {
    fn other(&mut self, at: Timestamp, amount: Decimal) {
        self.items.push((self.entries, Item::Other(at, amount)));
    }

    fn act(&mut self, act: &Act, at: Timestamp) {
        let id = self.entries + 1;
        match act {
            Act::TopUp(amount, priority, until) => {
                self.entries = id;
                let lot = Lot {
                    priority: *priority,
                    until: *until,
                    ..paid_lot(id)
                };
                self.funds.pay_in(*amount, &lot);
                self.cash += *amount;
                self.other(at, *amount);
            }
            Act::Credit(amount, priority, from, until) => {
                self.entries = id;
                let lot = Lot {
                    is_promotional: true,
                    priority: *priority,
                    from: *from,
                    until: *until,
                    ..paid_lot(id)
                };
                self.funds.give(*amount, &lot);
                self.promotional += *amount;
                self.other(at, *amount);
            }
            Act::Refund(amount) => {
                if *amount <= self.funds.paid() {
                    self.entries = id;
                    self.funds.take_out(*amount);
                    self.cash -= *amount;
                    self.other(at, -*amount);
                }
            }
            Act::Adjust(amount) => {
                self.entries = id;
                if *amount < Decimal::ZERO {
                    self.funds.spend(-*amount, at);
                } else {
                    self.funds.pay_in(*amount, &paid_lot(id));
                }
                self.revenue -= *amount;
                self.other(at, *amount);
            }
            Act::WriteOff(amount) => {
                if *amount <= self.funds.overdraft && !self.funds.overdraft.is_zero() {
                    self.entries = id;
                    self.funds.overdraft -= *amount;
                    self.bad_debt += *amount;
                    self.other(at, *amount);
                }
            }
            Act::Transfer(..) | Act::Usage(..) | Act::Close => {
                unreachable!("not an act on one wallet")
            }
        }
    }

    fn usage(
        &mut self,
        plans: &[Plan],
        tenant: &Tenant,
        said: &Said,
        numbers: &[(Date, u32)],
        now: Timestamp,
    ) {
        let entry = self.entries + 1;
        let mut changed: Vec<(Date, Decimal)> = Vec::new();
        let mut touched: BTreeMap<(Date, Source, String), Date> = BTreeMap::new();
        let mut items = Vec::new();
        for day in &said.days {
            if !said.records.iter().any(|record| record.day == *day) {
                continue;
            }
            let Some(rules) = Rules::on(plans, tenant, *day) else {
                continue;
            };
            let known = self.days.get(day).cloned().unwrap_or_default();
            if known.as_of.is_some_and(|as_of| said.as_of < as_of) {
                continue;
            }
            let held = numbers
                .iter()
                .find(|(on, _)| on == day)
                .map_or(0, |(_, count)| *count);
            let observed = lines_of(&rules, *day, said, tenant.since <= *day, held);
            let mut next = Day {
                as_of: Some(said.as_of),
                lines: BTreeMap::new(),
                paid: known.paid.clone(),
            };
            let mut keys: Vec<&Key> = known.lines.keys().chain(observed.keys()).collect();
            keys.sort();
            keys.dedup();
            let mut difference = Decimal::ZERO;
            let mut is_changed = false;
            for key in keys {
                let before = known.lines.get(key).cloned().unwrap_or_default();
                let line = observed.get(key).cloned().unwrap_or_default();
                let rule = rules.named(&key.1).expect("a rule of the day");
                let mut amount = before.charge;
                if line != before.line {
                    is_changed = true;
                    if is_of_period(&rule.model) {
                        let period = period_at(tenant, noon(*day));
                        touched.insert((period, rule.source, key.1.clone()), *day);
                    } else {
                        amount = charge(&rule, &line, 1);
                    }
                    items.push(Item::Line {
                        day: *day,
                        key: key.clone(),
                        observed: line.clone(),
                        charge: amount - before.charge,
                    });
                    self.payable += line.cost - before.line.cost;
                    difference += amount - before.charge;
                }
                if !line.is_zero() {
                    next.lines.insert(
                        key.clone(),
                        Booked {
                            line,
                            charge: amount,
                        },
                    );
                }
            }
            if is_changed {
                changed.push((*day, difference));
                self.days.insert(*day, next);
            }
        }
        for (day, difference) in &changed {
            let book = self.days.get_mut(day).expect("a changed day");
            pay(
                &mut self.funds,
                *difference,
                noon(*day),
                &mut book.paid,
                entry,
            );
            self.revenue += *difference;
        }
        for ((period, source, rule), day) in touched {
            let amount = self.of_period(plans, tenant, period, source, &rule);
            let booked = self
                .rules
                .entry((period, source, rule.clone()))
                .or_default();
            let difference = amount - booked.charge;
            booked.charge = amount;
            pay(
                &mut self.funds,
                difference,
                noon(day),
                &mut booked.paid,
                entry,
            );
            self.revenue += difference;
            items.push(Item::Rule {
                period,
                source,
                rule,
                day,
                charge: difference,
            });
        }
        if !changed.is_empty() {
            self.entries = entry;
            self.items
                .extend(items.into_iter().map(|item| (entry, item)));
        }
        let (paid, given) = self.funds.expire(now);
        if !(paid.is_zero() && given.is_zero()) {
            self.entries += 1;
            self.breakage += paid;
            self.promotional -= given;
            self.other(now, -(paid + given));
        }
    }

    /// The charge of a rule for all that is booked in a period.
    fn of_period(
        &self,
        plans: &[Plan],
        tenant: &Tenant,
        period: Date,
        source: Source,
        rule: &str,
    ) -> Decimal {
        let mut sum = Line::default();
        let mut found = None;
        for (day, book) in &self.days {
            if period_at(tenant, noon(*day)) != period {
                continue;
            }
            let rules = Rules::on(plans, tenant, *day).expect("rules of a booked day");
            let Some(in_force) = rules.named(rule).filter(|one| one.source == source) else {
                continue;
            };
            for (key, booked) in &book.lines {
                if key.1 == rule {
                    sum.add(&booked.line);
                }
            }
            found = Some(in_force);
        }
        let in_force = found.expect("a rule that is touched is in force on a day");
        charge(&in_force, &sum, days_of(tenant, period))
    }

    fn close(&mut self, plans: &[Plan], tenant: &Tenant, now: Timestamp) {
        let settle = SignedDuration::from_hours(72);
        loop {
            let start = self.statements.last().map_or_else(
                || period_at(tenant, begins_utc(tenant.since)),
                |last| next(tenant, last.period),
            );
            let end = begins(tenant, next(tenant, start));
            if end + settle > now {
                return;
            }
            let statement = self.state(plans, tenant, start, now);
            let taken = statement.tax + (statement.net - statement.exact);
            if !(statement.tax.is_zero() && statement.net == statement.exact) {
                self.entries += 1;
                if taken < Decimal::ZERO {
                    self.funds.pay_in(-taken, &paid_lot(self.entries));
                } else {
                    self.funds.spend(taken, end);
                }
                self.tax += statement.tax;
                self.rounding += statement.net - statement.exact;
            }
            self.statements.push(statement);
        }
    }
}

fn begins_utc(day: Date) -> Timestamp {
    day.to_zoned(TimeZone::UTC).expect("a day").timestamp()
}

fn pay(funds: &mut Funds, amount: Decimal, at: Timestamp, paid: &mut Paid, entry: u64) {
    if amount < Decimal::ZERO {
        funds.give_back(-amount, paid, entry);
    } else {
        paid.extend(funds.spend(amount, at));
    }
}
