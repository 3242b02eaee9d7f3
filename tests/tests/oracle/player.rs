//! Plays a world to the product's own code, with a store in memory: usage runs, acts on wallets, statements.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};

use domain::booking::{Observation, decide};
use domain::ids::{EventId, TenantId, ulid};
use domain::ledger::Entry;
use domain::money::Currency;
use domain::period::BillingCalendar;
use domain::plan::{Model, Origin, Override, PlanRef, PricePlan, RuleSet};
use domain::rating::{DaySheet, PeriodKey, PeriodSheet};
use domain::statement::{
    Bounds, Content, Document, Header, Input, OperatorProfile, Party, SETTLE, State, Tax, build,
    finalize, next_period,
};
use domain::wallet::Wallet;
use domain::wallet_acts::{self, Act, Terms};
use domain::{Date, Timestamp};
use jiff::tz::TimeZone;
use oracle::world::{self, Said, World};

use super::translate;

/// One tenant's books, as the tables would hold them.
pub struct Books {
    pub wallet: Wallet,
    pub sheets: BTreeMap<Date, DaySheet>,
    pub periods: BTreeMap<Date, PeriodSheet>,
    pub entries: Vec<Entry>,
    pub statements: Vec<(Header, Content)>,
    calendar: BillingCalendar,
    own: Vec<Override>,
}

struct Player<'a> {
    world: &'a World,
    plans: HashMap<PlanRef, PricePlan>,
    ids: Cell<u128>,
    tenant: TenantId,
}

/// Plays it; answers each tenant's books.
pub fn play(world: &World) -> Vec<Books> {
    let plans = world.plans.iter().enumerate();
    let plans =
        plans.map(|(index, plan)| (translate::plan_ref(index), translate::plan(index, plan)));
    let player = Player {
        world,
        plans: plans.collect(),
        ids: Cell::new(0),
        tenant: TenantId::from_ulid(ulid(1, 1)),
    };
    let mut all: Vec<Books> = world
        .tenants
        .iter()
        .map(|tenant| Books {
            wallet: Wallet::new(Currency::USD),
            sheets: BTreeMap::new(),
            periods: BTreeMap::new(),
            entries: Vec::new(),
            statements: Vec::new(),
            calendar: BillingCalendar::new(tenant.zone, tenant.billing_day).unwrap(),
            own: tenant.own.iter().map(translate::own).collect(),
        })
        .collect();
    for step in &world.steps {
        player.step(step, &mut all);
    }
    all
}

impl Player<'_> {
    fn step(&self, step: &world::Step, all: &mut [Books]) {
        let tenant = &self.world.tenants[step.tenant];
        let act = match &step.act {
            world::Act::Usage(said, numbers) => {
                return self.usage(&mut all[step.tenant], tenant, said, numbers, step.at);
            }
            world::Act::Close => return self.close(&mut all[step.tenant], tenant, step.at),
            world::Act::Transfer(to, amount) => {
                let (to, amount) = (*to, *amount);
                if all[step.tenant].act(&Act::TransferOut { amount }, step.at) {
                    assert!(all[to].act(&Act::TransferIn { amount }, step.at));
                }
                return;
            }
            world::Act::TopUp(amount, priority, expires_at) => Act::TopUp {
                amount: *amount,
                priority: *priority,
                expires_at: *expires_at,
                recharge: None,
            },
            world::Act::Credit(amount, priority, effective_at, expires_at) => Act::Credit {
                amount: *amount,
                priority: *priority,
                effective_at: *effective_at,
                expires_at: *expires_at,
            },
            world::Act::Refund(amount) => Act::Refund {
                amount: *amount,
                top_up: None,
            },
            world::Act::Adjust(amount) => Act::Adjustment { amount: *amount },
            world::Act::WriteOff(amount) => Act::WriteOff {
                amount: Some(*amount),
            },
        };
        all[step.tenant].act(&act, step.at);
    }

    fn usage(
        &self,
        books: &mut Books,
        tenant: &world::Tenant,
        said: &Said,
        numbers: &[(Date, u32)],
        now: Timestamp,
    ) {
        let mut rules: HashMap<Date, RuleSet<'_>> = HashMap::new();
        let today = now.to_zoned(TimeZone::UTC).date();
        for day in said.days.iter().copied().chain([today]) {
            let assigned = tenant.plans.iter().rev().find(|(from, _)| *from <= day);
            let plan = &self.plans[&translate::plan_ref(assigned.unwrap().1)];
            rules.insert(day, RuleSet::new(plan, &books.own, day));
        }
        let sheets = said.days.iter().filter_map(|day| books.sheets.get(day));
        let sheets: Vec<DaySheet> = sheets.cloned().collect();
        let mut starts: Vec<Date> = said
            .days
            .iter()
            .map(|day| books.calendar.period_of(*day).start)
            .collect();
        starts.dedup();
        let periods = starts.iter().filter_map(|start| books.periods.get(start));
        let periods: Vec<PeriodSheet> = periods.cloned().collect();
        let (records, items) = (translate::records(said), translate::items(said));
        let held = |day: Date| {
            numbers
                .iter()
                .find(|(on, _)| *on == day)
                .map_or(0, |(_, count)| *count)
        };
        let observation = Observation {
            tenant: &self.tenant,
            wallet: &books.wallet,
            sheets: &sheets,
            periods: &periods,
            days: &said.days,
            records: &records,
            items: &items,
            rules: &|day| rules.get(&day),
            calendar: &books.calendar,
            in_service: &|day| tenant.since <= day,
            numbers: &held,
            rate: &|_, _| None,
            approved: &|_, _| false,
            past: None,
            sighted: &[],
            cause: "oracle",
            now,
        };
        let new_id = || {
            self.ids.set(self.ids.get() + 1);
            EventId::from_ulid(ulid(1, self.ids.get()))
        };
        let decision = decide(&observation, &new_id).unwrap();
        for booking in decision.bookings {
            for change in booking.changes {
                books.sheets.insert(change.sheet.day, change.sheet);
            }
            for sheet in booking.periods {
                books.periods.insert(sheet.start, sheet);
            }
            books.entries.extend(booking.entry);
            books.wallet = Wallet {
                rev: booking.wallet.rev + 1,
                ..booking.wallet
            };
        }
    }

    fn close(&self, books: &mut Books, tenant: &world::Tenant, now: Timestamp) {
        let since = tenant.since.to_zoned(TimeZone::UTC).unwrap().timestamp();
        loop {
            let latest = books.statements.last().map(|(header, _)| header);
            let period = next_period(&books.calendar, since, latest).unwrap();
            if period.until + SETTLE > now {
                return;
            }
            let before = latest.and_then(Header::bounds).unwrap_or_else(Bounds::none);
            let first = usize::try_from(before.from_entry - 1).unwrap();
            let model = |key: &PeriodKey| -> Option<&Model> {
                let rule = match &key.origin {
                    Origin::Plan(plan) => {
                        let mut rules = self.plans[plan].rules.iter();
                        rules.find(|rule| rule.id == key.rule)
                    }
                    Origin::Override => {
                        let mut rules = books.own.iter().map(|own| &own.rule);
                        rules.find(|rule| rule.id == key.rule)
                    }
                };
                rule.map(|rule| &rule.model)
            };
            let input = Input {
                currency: Currency::USD,
                period: &period,
                calendar: &books.calendar,
                before,
                through: books.wallet.seq,
                entries: &books.entries[first..],
                model: &model,
                number: &|_| None,
                tax: Tax {
                    rate: tenant.tax,
                    is_exempt: tenant.is_exempt,
                },
            };
            let (content, totals, next_entry) = build(&input);
            let header = Header {
                period: period.start,
                issue: 1,
                start: period.from,
                end: period.until,
                from_entry: before.from_entry,
                through: books.wallet.seq,
                opening: totals.opening,
                state: State::Closing,
                closed_at: now,
                paid_in: books.wallet.paid_in(),
                document: None,
            };
            let document = Document {
                number: "1".to_owned(),
                issued_at: now,
                due_on: period.end,
                operator: OperatorProfile::default(),
                client: Party::default(),
                currency: "USD".to_owned(),
                time_zone: tenant.zone.to_owned(),
                tax_rate: tenant.tax,
                tax_exempt: tenant.is_exempt,
                totals,
                next_entry,
                entry: None,
                paid_at: None,
                credit_note: None,
            };
            let policy = &self.plans.values().next().unwrap().standing;
            let issue = finalize(&header, document, &books.wallet, policy).unwrap();
            books.entries.extend(issue.entry);
            if let Some(change) = issue.change {
                books.wallet = change.wallet;
            }
            books.statements.push((issue.header, content));
        }
    }
}

impl Books {
    /// False: it was refused.
    fn act(&mut self, act: &Act, now: Timestamp) -> bool {
        let terms = Terms {
            actor: "oracle",
            reason: "oracle",
            natural_key: "key:1",
            now,
        };
        let Ok(acted) = wallet_acts::decide(&self.wallet, act, terms) else {
            return false;
        };
        self.entries.push(acted.entry);
        self.wallet = acted.wallet;
        true
    }
}
