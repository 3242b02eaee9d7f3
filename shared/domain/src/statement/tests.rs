use proptest::prelude::*;

use super::*;
use crate::ledger::{Entry, EntryKind, usage_postings};
use crate::lots::{self, Part};
use crate::money::Currency;
use crate::period::noon;
use crate::plan::RuleSet;
use crate::plan::tests::plan;
use crate::rating::tests::usage;
use crate::rating::{DaySheet, rate_day};
use crate::standing::StandingPolicy;
use crate::wallet::Wallet;
use crate::wallet_acts::{Act, Terms, decide};

const TAX: &str = "0.19";

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn policy() -> StandingPolicy {
    plan("1.5", &[], None).standing
}

/// A tenant whose usage, payments and statements happen one after the other.
struct Life {
    wallet: Wallet,
    entries: Vec<Entry>,
    sheets: BTreeMap<Date, DaySheet>,
    headers: Vec<Header>,
    contents: Vec<Content>,
    calendar: BillingCalendar,
    as_of: i64,
}

use std::collections::BTreeMap;

impl Life {
    fn new(time_zone: &str, billing_day: i8) -> Self {
        Self {
            wallet: Wallet::new(Currency::USD),
            entries: Vec::new(),
            sheets: BTreeMap::new(),
            headers: Vec::new(),
            contents: Vec::new(),
            calendar: BillingCalendar::new(time_zone, billing_day).unwrap(),
            as_of: 0,
        }
    }

    fn post(&mut self, entry: Entry) {
        self.wallet = self.wallet.post(&entry).unwrap();
        self.entries.push(entry);
    }

    fn top_up(&mut self, cents: i64, now: Timestamp) {
        let act = Act::TopUp {
            amount: Decimal::new(cents, 2),
            priority: 5,
            expires_at: None,
            recharge: None,
        };
        let terms = Terms {
            actor: "test",
            reason: "test",
            natural_key: "ref:1",
            now,
        };
        let acted = decide(&self.wallet, &act, terms).unwrap();
        self.post(acted.entry);
    }

    fn usage(&mut self, day: Date, lines: &[(&str, i64)], now: Timestamp) {
        let plan = plan("1.5", &[("calls-outbound", "1.3333")], None);
        let rules = RuleSet::new(&plan, &[], Date::MIN);
        self.as_of += 1;
        let observed = crate::usage::DayUsage {
            day,
            ..usage(self.as_of, lines)
        };
        let sheet = self
            .sheets
            .remove(&day)
            .unwrap_or_else(|| DaySheet::empty(day));
        let Some(rated) = rate_day(&sheet, &observed, &rules) else {
            self.sheets.insert(day, sheet);
            return;
        };
        let mut funds = self.wallet.funds.clone();
        let mut paid: Vec<Part> = rated.sheet.paid.clone();
        let charge = rated.charge();
        if charge.is_sign_negative() {
            funds.give_back(-charge, &mut paid, self.wallet.seq + 1);
        } else {
            let parts = funds.spend(charge, noon(day));
            lots::record(&mut paid, parts);
        }
        let moves = funds.moves_since(&self.wallet.funds);
        let entry = Entry {
            seq: self.wallet.seq + 1,
            kind: EntryKind::Usage,
            actor: "test".into(),
            reason: "test".into(),
            at: now,
            currency: Currency::USD,
            postings: usage_postings(&moves, &rated.lines, &[]).unwrap(),
            moves,
            lines: rated.lines,
            periods: Vec::new(),
            statement: None,
            natural_key: None,
        };
        self.post(entry);
        self.sheets.insert(
            day,
            DaySheet {
                paid,
                ..rated.sheet
            },
        );
    }

    fn built(&self, period: &Period, through: u64) -> (Content, Totals, u64) {
        let before = self.headers.iter().rev().find_map(|header| {
            (header.state != State::Void)
                .then(|| header.bounds())
                .flatten()
        });
        let before = before.unwrap_or_else(Bounds::none);
        let first = usize::try_from(before.from_entry - 1).unwrap();
        let number = |period: Date| {
            let header = self.headers.iter().find(|header| header.period == period)?;
            Some(header.number()?.to_owned())
        };
        let input = Input {
            currency: Currency::USD,
            period,
            calendar: &self.calendar,
            before,
            through,
            entries: &self.entries[first..],
            model: &|_| None,
            number: &number,
            tax: Tax {
                rate: decimal(TAX),
                is_exempt: false,
            },
        };
        build(&input)
    }

    fn close(&mut self, now: Timestamp) {
        let since = jiff::civil::date(2026, 3, 1);
        let latest = self
            .headers
            .iter()
            .rev()
            .find(|header| header.state != State::Void);
        let period = next_period(&self.calendar, noon(since), latest).unwrap();
        if period.until.checked_add(SETTLE).unwrap() > now {
            return;
        }
        let through = self.wallet.seq;
        let (content, totals, next_entry) = self.built(&period, through);
        let header = Header {
            period: period.start,
            issue: 1,
            start: period.from,
            end: period.until,
            from_entry: 1,
            through,
            opening: totals.opening,
            state: State::Closing,
            closed_at: now,
            paid_in: self.wallet.paid_in(),
            document: None,
        };
        let document = Document {
            number: format!("{}", self.headers.len() + 1),
            issued_at: now,
            due_on: period.end,
            operator: OperatorProfile::default(),
            client: Party::default(),
            currency: "USD".into(),
            time_zone: "UTC".into(),
            tax_rate: decimal(TAX),
            tax_exempt: false,
            totals,
            next_entry,
            entry: None,
            paid_at: None,
            credit_note: None,
        };
        let issue = finalize(&header, document, &self.wallet, &policy()).unwrap();
        self.entries.extend(issue.entry);
        if let Some(change) = issue.change {
            self.wallet = change.wallet;
        }
        self.headers.push(issue.header);
        self.contents.push(content);
    }
}

fn day(number: i64) -> Date {
    jiff::civil::date(2026, 3, 1).saturating_add(jiff::Span::new().days(number))
}

#[test]
fn what_comes_after_the_close_is_a_correction_with_a_reference_on_the_next_one() {
    let mut life = Life::new("America/New_York", 1);
    life.top_up(500, noon(day(0)));
    life.usage(day(5), &[("sms-outbound", 100_000)], noon(day(6)));
    life.close(noon(day(40)));
    let first = life.headers[0].clone();
    assert_eq!(first.state, State::Paid, "nothing is due");
    life.usage(day(5), &[("sms-outbound", 300_001)], noon(day(41)));
    life.usage(day(35), &[("calls-outbound", 1_000)], noon(day(41)));
    life.close(noon(day(70)));
    let (second, content) = (&life.headers[1], &life.contents[1]);
    assert_eq!(content.lines.len(), 1);
    let [correction] = content.corrections.as_slice() else {
        panic!("{content:?}")
    };
    assert_eq!(correction.period, first.period);
    assert_eq!(correction.reference.as_deref(), first.number());
    assert_eq!(correction.charge, decimal("3.000015"));
    assert_eq!(life.headers[0], first, "a final statement never changes");
    let totals = second.document.as_ref().unwrap().totals;
    assert_eq!(totals.closing, life.wallet.balance());
    assert_eq!(
        second.state,
        if totals.due.is_zero() {
            State::Paid
        } else {
            State::Final
        }
    );
}

#[test]
fn a_voided_statement_gives_tax_and_rounding_back_and_its_period_is_stated_again() {
    let mut life = Life::new("UTC", 1);
    life.usage(day(5), &[("sms-outbound", 100_003)], noon(day(6)));
    let before = life.wallet.balance();
    life.close(noon(day(40)));
    let header = life.headers[0].clone();
    let totals = header.document.as_ref().unwrap().totals;
    assert_eq!(
        (totals.net, totals.tax, totals.due),
        (decimal("1.5"), decimal("0.29"), decimal("1.79"))
    );
    assert!(!header.is_paid_by(decimal("1.78")));
    assert!(header.is_paid_by(decimal("1.79")));
    let note = CreditNote {
        number: "CN-1".into(),
        at: noon(day(41)),
        actor: "op".into(),
        reason: "wrong address".into(),
    };
    let voided = void(&header, note, &life.wallet, &policy())
        .unwrap()
        .unwrap();
    life.entries.extend(voided.entry.clone());
    life.wallet = voided.change.unwrap().wallet;
    life.headers[0] = voided.header;
    assert_eq!(life.wallet.balance(), before);
    life.close(noon(day(42)));
    assert_eq!(life.headers[1].period, header.period);
    assert_eq!(life.headers[1].document.as_ref().unwrap().totals, totals);
}

proptest! {
    #[test]
    fn statements_in_a_row_hold_every_entry_once_and_end_at_the_balance(
        acts in proptest::collection::vec((0_i64..100, 0_u8..3, 0_i64..30, 1_i64..3_000_000), 1..60),
        zone in proptest::sample::select(vec!["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Australia/Lord_Howe"]),
        billing_day in 1_i8..=31,
    ) {
        let mut acts = acts;
        acts.sort_unstable();
        let mut life = Life::new(zone, billing_day);
        for (on, what, back, amount) in acts {
            let now = noon(day(on));
            match what {
                0 => life.top_up(amount, now),
                1 => life.usage(day((on - back).max(0)), &[("sms-outbound", amount), ("calls-outbound", amount / 7)], now),
                _ => life.close(now),
            }
        }
        for (header, content) in life.headers.iter().zip(&life.contents) {
            let totals = header.document.as_ref().unwrap().totals;
            let lines = content.lines.iter().map(|line| line.shown);
            let shown: Decimal = lines.chain(content.corrections.iter().map(|line| line.shown)).sum();
            prop_assert_eq!(shown, totals.net);
            prop_assert!(totals.rounding().abs() <= decimal("0.005"));
            prop_assert_eq!(totals.closing, totals.opening + totals.payments + totals.other - totals.gross);
        }
        for pair in life.headers.windows(2) {
            prop_assert_eq!(pair[1].opening, pair[0].document.as_ref().unwrap().totals.closing);
        }
        // An open one over all the time that is left ends at the balance.
        let last = life.calendar.period_of(day(100));
        let rest = Period { until: Timestamp::MAX, ..last };
        let (_, totals, _) = life.built(&rest, life.wallet.seq);
        prop_assert_eq!(totals.opening + totals.payments + totals.other - totals.exact, life.wallet.balance());
    }
}
