use jiff::ToSpan as _;
use jiff::civil::date;

use super::*;
use crate::ids;
use crate::lots::{Funds, LotTag};
use crate::money::parse_decimal;
use crate::plan::PricePlan;
use crate::plan::tests::plan;

fn quick_plan() -> PricePlan {
    let mut plan = plan("1.5", &[], None);
    plan.standing.grace_minutes = 0;
    plan
}

fn record(day: Date, category: &str, price: &str, unit: &str) -> UsageRecord {
    UsageRecord {
        category: category.into(),
        day,
        count: Some(Decimal::ONE),
        usage: Some(Decimal::ONE),
        price: parse_decimal(price).ok(),
        price_unit: Some(unit.into()),
        as_of: Some("2026-11-20T10:00:00Z".parse().unwrap()),
    }
}

struct Books {
    wallet: Wallet,
    sheets: Vec<DaySheet>,
    periods: Vec<PeriodSheet>,
    ended_on: Option<Date>,
}

impl Books {
    fn new() -> Self {
        Self {
            wallet: Wallet::new(Currency::USD),
            sheets: Vec::new(),
            periods: Vec::new(),
            ended_on: None,
        }
    }

    fn run_on(&self, days: &[Date], records: &[UsageRecord], now: &str) -> Decision {
        let plan = quick_plan();
        let rules = RuleSet::new(&plan, &[], days[0]);
        let calendar = BillingCalendar::new("UTC", 1).unwrap();
        let tenant = TenantId::from_ulid(ids::ulid(1, 1));
        let observation = Observation {
            tenant: &tenant,
            wallet: &self.wallet,
            sheets: &self.sheets,
            periods: &self.periods,
            days,
            records,
            items: &[],
            rules: &|_| Some(&rules),
            calendar: &calendar,
            in_service: &|day| self.ended_on.is_none_or(|ended_on| day <= ended_on),
            numbers: &|_| 0,
            rate: &|_, _| None,
            approved: &|_, _| false,
            past: None,
            sighted: &[],
            cause: "test",
            now: now.parse().unwrap(),
        };
        decide(&observation, &|| EventId::from_ulid(ids::ulid(1, 1))).unwrap()
    }

    fn run(&self, records: &[UsageRecord]) -> Decision {
        let days: Vec<Date> = (17..=20).map(|day| date(2026, 11, day)).collect();
        self.run_on(&days, records, "2026-11-20T12:00:00Z")
    }

    fn write(&mut self, decision: &Decision) {
        for booking in &decision.bookings {
            self.wallet = written(&booking.wallet);
            for change in &booking.changes {
                self.sheets.retain(|sheet| sheet.day != change.sheet.day);
                self.sheets.push(change.sheet.clone());
            }
            self.periods.extend(booking.periods.iter().cloned());
        }
    }
}

fn day_total(price: &str) -> [UsageRecord; 2] {
    let day = date(2026, 11, 20);
    [
        record(day, "totalprice", price, "usd"),
        record(day, "sms-outbound", price, "usd"),
    ]
}

#[test]
fn a_day_is_booked_once_with_cost_charge_and_standing() {
    let mut books = Books::new();
    let decision = books.run(&day_total("2"));
    let [booking] = &decision.bookings[..] else {
        panic!("one booking")
    };
    assert_eq!(booking.wallet.balance(), Decimal::from(-3));
    assert!(booking.wallet.standing.is_unpaid());
    assert_eq!(booking.wallet.completed_through, Some(date(2026, 11, 19)));
    assert_eq!(booking.events.len(), 1);
    books.write(&decision);
    assert!(books.run(&day_total("2")).bookings.is_empty());
}

#[test]
fn the_last_day_of_a_period_or_of_a_service_is_noted_although_nothing_is_booked() {
    let noted = |ended_on: Option<Date>, through: Date, now: &str| {
        let mut books = Books::new();
        books.ended_on = ended_on;
        books.wallet.completed_through = Some(through);
        let days: Vec<Date> = through.series(1.day()).take(4).collect();
        let idle = UsageRecord {
            as_of: now.parse().ok(),
            ..record(*days.last().unwrap(), "totalprice", "0", "usd")
        };
        let decision = books.run_on(&days, &[idle], now);
        let wallet = decision.bookings.first().map(|booking| &booking.wallet);
        wallet.and_then(|wallet| wallet.completed_through)
    };
    let (eighteenth, nineteenth) = (date(2026, 11, 18), date(2026, 11, 19));
    let now = "2026-11-20T10:00:00Z";
    assert_eq!(noted(None, eighteenth, now), None);
    assert_eq!(noted(Some(nineteenth), eighteenth, now), Some(nineteenth));
    assert_eq!(noted(Some(nineteenth), nineteenth, now), None);
    assert_eq!(noted(Some(date(2026, 11, 20)), eighteenth, now), None);
    let (before, last) = (date(2026, 11, 29), date(2026, 11, 30));
    assert_eq!(noted(None, before, "2026-12-01T10:00:00Z"), Some(last));
    assert_eq!(noted(None, last, "2026-12-02T10:00:00Z"), None);
}

#[test]
fn a_downward_revision_gives_back_to_the_lots_that_paid() {
    let mut books = Books::new();
    let mut funds = Funds::default();
    funds.pay_in(Decimal::from(10), LotTag::paid(7));
    books.wallet.funds = funds;
    let up = books.run(&day_total("4"));
    books.write(&up);
    let mut lower = day_total("1");
    for record in &mut lower {
        record.as_of = Some("2026-11-20T11:00:00Z".parse().unwrap());
    }
    let down = books.run(&lower);
    books.write(&down);
    let [lot] = books.wallet.funds.lots() else {
        panic!("one lot")
    };
    assert_eq!(crate::money::to_text(lot.remaining), "8.5");
    assert_eq!(books.sheets[0].paid.len(), 1);
    assert_eq!(crate::money::to_text(books.sheets[0].paid[0].amount), "1.5");
}

#[test]
fn a_lot_that_is_over_is_booked_off_once() {
    let mut books = Books::new();
    let mut funds = Funds::default();
    let tag = LotTag {
        class: LotClass::Promotional,
        expires_at: Some("2026-11-16T11:00:00Z".parse().unwrap()),
        ..LotTag::paid(7)
    };
    funds.pay_in(Decimal::from(10), tag);
    books.wallet.funds = funds;
    let decision = books.run(&day_total("0"));
    let expiry = decision.bookings.last().unwrap();
    let entry = expiry.entry.as_ref().unwrap();
    assert_eq!(entry.kind, EntryKind::Expiry);
    assert_eq!(
        entry.amount_on(LedgerAccount::PromotionalExpense),
        Decimal::from(10)
    );
    books.write(&decision);
    assert_eq!(books.wallet.balance(), Decimal::ZERO);
    assert!(books.run(&day_total("0")).bookings.is_empty());
}

#[test]
fn a_revision_of_a_day_95_days_ago_is_booked_and_of_an_older_one_waits() {
    let mut books = Books::new();
    books.wallet.completed_through = Some(date(2026, 11, 19));
    let days = [date(2026, 8, 16), date(2026, 8, 17)];
    let records = days.map(|day| record(day, "totalprice", "2", "usd"));
    let decision = books.run_on(&days, &records, "2026-11-20T12:00:00Z");
    assert_eq!(decision.late.len(), 1);
    assert_eq!(decision.late[0].sheet.day, days[0]);
    assert_eq!(decision.bookings[0].changes[0].sheet.day, days[1]);
    // A gap is no revision.
    books.wallet.completed_through = None;
    let decision = books.run_on(&days, &records, "2026-11-20T12:00:00Z");
    assert_eq!(
        (decision.late.len(), decision.bookings[0].changes.len()),
        (0, 2)
    );
}

#[test]
fn a_day_without_any_row_is_left_as_it_is() {
    let mut books = Books::new();
    let first = books.run(&day_total("2"));
    books.write(&first);
    let decision = books.run(&[]);
    assert!(decision.bookings.is_empty());
    assert_eq!(decision.silent, [date(2026, 11, 20)]);
}

#[test]
fn another_currency_holds_the_day_says_so_once_and_keeps_the_cursor_before_it() {
    let mut books = Books::new();
    let day = date(2026, 11, 18);
    let records = [
        record(day, "totalprice", "2", "eur"),
        record(date(2026, 11, 20), "totalprice", "1", "usd"),
    ];
    let decision = books.run(&records);
    let [booking] = &decision.bookings[..] else {
        panic!("one booking")
    };
    assert_eq!(booking.wallet.completed_through, Some(date(2026, 11, 17)));
    assert_eq!(booking.wallet.cost(), Decimal::ONE);
    assert!(booking.events.iter().any(
        |event| matches!(&event.fact, Fact::UsageHeld { code, .. } if code == "other_currency")
    ));
    books.write(&decision);
    assert!(books.run(&records).bookings.is_empty());
}
