//! The proof of a tenant's books: everything that is kept beside the entries is computed again from them.
//!
//! Balances, accounts, lots, day sheets and period sheets are projections. Usage entries are paid for again,
//! day by day, so that a sheet's record of who paid is proven, too.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::ledger::{Entry, EntryKind, LedgerAccount};
use crate::lots::{self, Funds, Lot, Part};
use crate::money::{Currency, to_text};
use crate::period::noon;
use crate::rating::{DaySheet, PeriodKey, PeriodLine, PeriodSheet, SheetLine};
use crate::usage::{LineKey, Quantities};
use crate::wallet::Wallet;

/// Something that is kept and does not follow from the entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What: `account wallet`, `lot 3`, `day 2026-03-01 sms-outbound/default charge`, ...
    pub what: String,
    /// What follows from the entries.
    pub computed: String,
    /// What is kept.
    pub kept: String,
}

/// Computes books from entries, in order.
#[derive(Debug)]
pub struct Verifier {
    wallet: Wallet,
    lines: BTreeMap<(Date, LineKey), SheetLine>,
    costs: BTreeMap<(Date, LineKey), Decimal>,
    paid: BTreeMap<Date, Vec<Part>>,
    periods: BTreeMap<(Date, PeriodKey), PeriodLine>,
    differences: Vec<Difference>,
}

impl Verifier {
    /// Books without entries.
    pub fn new(currency: Currency) -> Self {
        Self {
            wallet: Wallet::new(currency),
            lines: BTreeMap::new(),
            costs: BTreeMap::new(),
            paid: BTreeMap::new(),
            periods: BTreeMap::new(),
            differences: Vec::new(),
        }
    }

    /// Notes what the store found wrong with an entry's row, such as a broken chain.
    pub fn note(&mut self, what: String, computed: &str, kept: &str) {
        self.differ(what, computed.to_owned(), kept.to_owned());
    }

    /// Adds the next entry.
    pub fn entry(&mut self, entry: &Entry) {
        let before = self.wallet.funds.clone();
        match self.wallet.post(entry) {
            Ok(next) => self.wallet = next,
            Err(error) => {
                self.differ(
                    format!("entry {}", entry.seq),
                    error.to_string(),
                    String::new(),
                );
                self.wallet.seq = entry.seq;
                self.wallet.funds.apply(&entry.moves);
            }
        }
        for line in &entry.lines {
            let key = (line.day, line.key.clone());
            *self.costs.entry(key.clone()).or_default() += line.cost;
            let booked = self.lines.entry(key).or_default();
            booked.quantities = line.observed;
            booked.charge += line.charge;
        }
        if entry.kind == EntryKind::Usage {
            self.pay_again(entry, &before);
        }
    }

    /// Lets lots pay for a usage entry as its run did.
    fn pay_again(&mut self, entry: &Entry, before: &Funds) {
        let mut funds = before.clone();
        let mut days: BTreeMap<Date, Decimal> = BTreeMap::new();
        for line in &entry.lines {
            *days.entry(line.day).or_default() += line.charge;
        }
        for (day, charge) in days {
            let paid = self.paid.entry(day).or_default();
            pay(&mut funds, charge, noon(day), paid, entry.seq);
        }
        let mut periods: Vec<_> = entry.periods.iter().collect();
        periods.sort_by_key(|line| (line.period, line.key.clone()));
        for line in periods {
            let key = (line.period, line.key.clone());
            let booked = self.periods.entry(key).or_default();
            booked.sums = line.sums;
            booked.charge += line.charge;
            pay(
                &mut funds,
                line.charge,
                noon(line.day),
                &mut booked.paid,
                entry.seq,
            );
        }
        let moves = funds.moves_since(before);
        if moves != entry.moves {
            let what = format!("entry {} lots", entry.seq);
            self.differ(what, parts_text(&moves), parts_text(&entry.moves));
        }
    }

    /// Holds what is kept against what follows; answers every difference.
    pub fn finish(
        mut self,
        kept: &Wallet,
        sheets: &[DaySheet],
        periods: &[PeriodSheet],
    ) -> Vec<Difference> {
        self.hold_wallet(kept);
        self.hold_lines(sheets);
        self.hold_paid(sheets);
        self.hold_periods(periods);
        self.differences
    }

    fn hold_wallet(&mut self, kept: &Wallet) {
        let computed = self.wallet.clone();
        self.hold("entries".to_owned(), &computed.seq, &kept.seq);
        for account in LedgerAccount::ALL {
            let what = format!("account {}", account.name());
            self.amount(what, computed.account(account), kept.account(account));
        }
        let text = |funds: &Funds, id: u64| {
            let found = funds.lots().iter().find(|lot| lot.tag.id == id);
            found.map_or_else(String::new, lot_text)
        };
        let lots = computed.funds.lots().iter().chain(kept.funds.lots());
        for id in lots.map(|lot| lot.tag.id).collect::<BTreeSet<_>>() {
            let (ours, theirs) = (text(&computed.funds, id), text(&kept.funds, id));
            self.hold(format!("lot {id}"), &ours, &theirs);
        }
        let (ours, theirs) = (computed.funds.overdraft(), kept.funds.overdraft());
        self.amount("overdraft".to_owned(), ours, theirs);
    }

    fn hold_lines(&mut self, sheets: &[DaySheet]) {
        let (lines, costs) = (
            std::mem::take(&mut self.lines),
            std::mem::take(&mut self.costs),
        );
        let kept = sheets.iter().flat_map(|sheet| {
            let lines = sheet.lines.iter();
            lines.map(|(key, line)| ((sheet.day, key.clone()), *line))
        });
        let kept: BTreeMap<_, SheetLine> = kept.collect();
        for key in lines.keys().chain(kept.keys()).collect::<BTreeSet<_>>() {
            let ours = lines.get(key).copied().unwrap_or_default();
            let theirs = kept.get(key).copied().unwrap_or_default();
            let name = format!("day {} {}/{}", key.0, key.1.category, key.1.rule);
            let text = |line: &SheetLine| quantities_text(&line.quantities);
            self.hold(format!("{name} quantities"), &text(&ours), &text(&theirs));
            self.amount(format!("{name} charge"), ours.charge, theirs.charge);
            let cost = costs.get(key).copied().unwrap_or_default();
            self.amount(format!("{name} cost"), cost, theirs.quantities.cost);
        }
    }

    fn hold_paid(&mut self, sheets: &[DaySheet]) {
        let paid = std::mem::take(&mut self.paid);
        let kept: BTreeMap<Date, &Vec<Part>> = sheets
            .iter()
            .map(|sheet| (sheet.day, &sheet.paid))
            .collect();
        for day in paid.keys().chain(kept.keys()).collect::<BTreeSet<_>>() {
            let ours = paid
                .get(day)
                .map_or_else(String::new, |parts| parts_text(parts));
            let theirs = kept
                .get(day)
                .map_or_else(String::new, |parts| parts_text(parts));
            self.hold(format!("day {day} paid by"), &ours, &theirs);
        }
    }

    fn hold_periods(&mut self, sheets: &[PeriodSheet]) {
        let ours = std::mem::take(&mut self.periods);
        let kept = sheets.iter().flat_map(|sheet| {
            let rules = sheet.rules.iter();
            rules.map(|(key, line)| ((sheet.start, key.clone()), line.clone()))
        });
        let kept: BTreeMap<_, PeriodLine> = kept.collect();
        for key in ours.keys().chain(kept.keys()).collect::<BTreeSet<_>>() {
            let what = format!("period {} {}", key.0, key.1.rule);
            let text = |line: Option<&PeriodLine>| line.map_or_else(String::new, period_text);
            self.hold(what, &text(ours.get(key)), &text(kept.get(key)));
        }
    }

    fn amount(&mut self, what: String, computed: Decimal, kept: Decimal) {
        if computed != kept {
            self.differ(what, to_text(computed), to_text(kept));
        }
    }

    fn hold<T: PartialEq + ToString>(&mut self, what: String, computed: &T, kept: &T) {
        if computed != kept {
            self.differ(what, computed.to_string(), kept.to_string());
        }
    }

    fn differ(&mut self, what: String, computed: String, kept: String) {
        self.differences.push(Difference {
            what,
            computed,
            kept,
        });
    }
}

fn pay(funds: &mut Funds, charge: Decimal, at: Timestamp, paid: &mut Vec<Part>, seq: u64) {
    if charge.is_sign_negative() {
        funds.give_back(-charge, paid, seq);
    } else {
        let parts = funds.spend(charge, at);
        lots::record(paid, parts);
    }
}

fn lot_text(lot: &Lot) -> String {
    format!("{} of {:?}", to_text(lot.remaining), lot.tag)
}

fn parts_text(parts: &[Part]) -> String {
    let texts = parts
        .iter()
        .map(|part| format!("lot {} {}", part.lot.id, to_text(part.amount)));
    texts.collect::<Vec<_>>().join(", ")
}

fn period_text(line: &PeriodLine) -> String {
    let (sums, paid) = (quantities_text(&line.sums), parts_text(&line.paid));
    format!("{sums} charge {} paid by {paid}", to_text(line.charge))
}

fn quantities_text(quantities: &Quantities) -> String {
    let [count, usage, cost, seconds] = [
        quantities.count,
        quantities.usage,
        quantities.cost,
        quantities.seconds,
    ]
    .map(to_text);
    format!("count {count} usage {usage} cost {cost} seconds {seconds}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::usage_postings;
    use crate::plan::RuleSet;
    use crate::plan::tests::plan;
    use crate::rating::rate_day;
    use crate::rating::tests::usage;
    use crate::wallet_acts::{Act, Terms, decide};

    /// A wallet that was paid 1 into and then charged three times, up and down again.
    fn books() -> (Wallet, Vec<Entry>, DaySheet) {
        let now = Timestamp::from_second(1_772_400_000).unwrap();
        let terms = Terms {
            actor: "test",
            reason: "test",
            natural_key: "ref:1",
            now,
        };
        let act = Act::TopUp {
            amount: Decimal::ONE,
            priority: 5,
            expires_at: None,
            recharge: None,
        };
        let acted = decide(&Wallet::new(Currency::USD), &act, terms).unwrap();
        let (mut wallet, mut entries) = (acted.wallet, vec![acted.entry]);
        let plan = plan("1.3", &[], None);
        let rules = RuleSet::new(&plan, &[], Date::MIN);
        let mut sheet = DaySheet::empty(usage(1, &[]).day);
        for (as_of, price) in [(1, 50_000), (2, 120_000), (3, 70_000)] {
            let observed = usage(as_of, &[("sms-outbound", price)]);
            let mut change = rate_day(&sheet, &observed, &rules).unwrap();
            let mut funds = wallet.funds.clone();
            let seq = wallet.seq + 1;
            pay(
                &mut funds,
                change.charge(),
                noon(sheet.day),
                &mut change.sheet.paid,
                seq,
            );
            let moves = funds.moves_since(&wallet.funds);
            let entry = Entry {
                seq,
                kind: EntryKind::Usage,
                postings: usage_postings(&moves, &change.lines, &[]).unwrap(),
                moves,
                lines: change.lines,
                natural_key: None,
                ..entries[0].clone()
            };
            wallet = wallet.post(&entry).unwrap();
            entries.push(entry);
            sheet = change.sheet;
        }
        (wallet, entries, sheet)
    }

    fn differences(wallet: &Wallet, entries: &[Entry], sheet: &DaySheet) -> Vec<String> {
        let mut verifier = Verifier::new(Currency::USD);
        for entry in entries {
            verifier.entry(entry);
        }
        let found = verifier.finish(wallet, std::slice::from_ref(sheet), &[]);
        found.into_iter().map(|one| one.what).collect()
    }

    #[test]
    fn books_that_follow_from_their_entries_have_no_difference() {
        let (wallet, entries, sheet) = books();
        assert_eq!(differences(&wallet, &entries, &sheet), [""; 0]);
    }

    #[test]
    fn every_kind_of_tampering_is_named() {
        let (wallet, entries, sheet) = books();
        let line = "day 2026-03-01 sms-outbound/default";
        let mut other = sheet.clone();
        for line in other.lines.values_mut() {
            line.charge += Decimal::ONE;
            line.quantities.cost += Decimal::ONE;
        }
        other.paid.clear();
        assert_eq!(
            differences(&wallet, &entries, &other),
            [
                format!("{line} quantities"),
                format!("{line} charge"),
                format!("{line} cost"),
                "day 2026-03-01 paid by".to_owned()
            ]
        );
        let mut richer = wallet.clone();
        richer.funds.pay_in(Decimal::TEN, lots::LotTag::paid(9));
        richer.accounts.insert(LedgerAccount::Tax, Decimal::ONE);
        assert_eq!(
            differences(&richer, &entries, &sheet),
            ["account tax", "lot 9"]
        );
        let mut shorter = entries.clone();
        shorter.remove(2);
        assert!(differences(&wallet, &shorter, &sheet).contains(&"entry 4".to_owned()));
    }
}
