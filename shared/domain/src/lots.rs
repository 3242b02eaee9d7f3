//! Lots: what a tenant's balance consists of, and which part of it pays for what.
//!
//! A lot is one credit with its remainder. It pays by event time, never by wall clock: usage that happened
//! before a lot expired may still be paid by it when it is booked later. What no lot covers is overdraft.
//! Consumptions are recorded, so that money given back goes to the lots that paid.

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Open lots of a wallet: they are kept in one item.
pub const LOTS_MAX: usize = 40;
/// Hours after a lot's expiry in which usage from before it may still be booked.
pub const EXPIRY_SETTLE_H: i64 = 96;
/// Priority of a lot that was given none; lower ones pay first.
pub const PRIORITY_DEFAULT: u8 = 5;
/// Highest priority number.
pub const PRIORITY_MAX: u8 = 9;
/// The lot number that stands for overdraft in a record.
pub const OVERDRAFT: u64 = 0;

/// What a lot's money is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LotClass {
    /// Given away: it cannot be paid out.
    Promotional,
    /// Paid in.
    Paid,
}

/// Everything about a lot but its remainder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LotTag {
    /// The number of the entry that opened it.
    pub id: u64,
    /// What its money is.
    pub class: LotClass,
    /// Lower ones pay first.
    pub priority: u8,
    /// From when on it pays for usage; promotional lots only.
    pub effective_at: Option<Timestamp>,
    /// Until when it pays for usage.
    pub expires_at: Option<Timestamp>,
}

/// One credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lot {
    /// What it is.
    pub tag: LotTag,
    /// What is left of it.
    pub remaining: Decimal,
}

/// What one lot paid of something; `OVERDRAFT` stands for what no lot covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The lot.
    pub lot: LotTag,
    /// How much.
    pub amount: Decimal,
}

/// A change of one lot in an entry; `OVERDRAFT` stands for the overdraft, negative = more of it.
pub type LotMove = Part;

/// A tenant's lots and overdraft.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Funds {
    lots: Vec<Lot>,
    overdraft: Decimal,
}

/// More was asked for than there is to pay out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("only {available} can be paid out")]
pub struct Insufficient {
    /// What can be paid out.
    pub available: Decimal,
}

impl LotTag {
    /// A lot of paid money without expiry.
    pub fn paid(id: u64) -> Self {
        Self {
            id,
            class: LotClass::Paid,
            priority: PRIORITY_DEFAULT,
            effective_at: None,
            expires_at: None,
        }
    }

    /// The tag that stands for overdraft.
    pub fn overdraft() -> Self {
        Self::paid(OVERDRAFT)
    }

    /// May it pay for what happened at `at`?
    pub fn pays_at(&self, at: Timestamp) -> bool {
        self.expires_at.is_none_or(|expiry| at < expiry)
            && self.effective_at.is_none_or(|from| from <= at)
    }

    /// Has it expired so long ago that nothing it could pay for is still to be booked?
    pub fn is_over(&self, now: Timestamp) -> bool {
        let settle = SignedDuration::from_hours(EXPIRY_SETTLE_H);
        self.expires_at
            .is_some_and(|expiry| expiry.saturating_add(settle).is_ok_and(|over| over <= now))
    }

    /// The order in which lots pay.
    fn turn(&self) -> (u8, Timestamp, LotClass, u64) {
        (
            self.priority,
            self.expires_at.unwrap_or(Timestamp::MAX),
            self.class,
            self.id,
        )
    }
}

impl Funds {
    /// Lots as they were stored; those without a remainder are dropped.
    pub fn new(lots: Vec<Lot>, overdraft: Decimal) -> Self {
        let mut funds = Self { lots, overdraft };
        funds.tidy();
        funds
    }

    /// Lots with a remainder, by id.
    pub fn lots(&self) -> &[Lot] {
        &self.lots
    }

    /// What was spent beyond all lots.
    pub fn overdraft(&self) -> Decimal {
        self.overdraft
    }

    /// What is left of all lots, less the overdraft.
    pub fn balance(&self) -> Decimal {
        self.total(None) - self.overdraft
    }

    /// What is left of the lots of a class.
    pub fn total(&self, class: Option<LotClass>) -> Decimal {
        self.lots
            .iter()
            .filter(|lot| class.is_none_or(|class| lot.tag.class == class))
            .map(|lot| lot.remaining)
            .sum()
    }

    /// Pays for something that happened at `at`; answers who paid. The rest is overdraft.
    pub fn spend(&mut self, amount: Decimal, at: Timestamp) -> Vec<Part> {
        let may_pay = |lot: &Lot| lot.tag.pays_at(at);
        let mut turns: Vec<usize> = (0..self.lots.len())
            .filter(|index| may_pay(&self.lots[*index]))
            .collect();
        turns.sort_by_key(|index| self.lots[*index].tag.turn());
        let (mut parts, left) = self.take(turns, amount);
        self.owe(left, &mut parts);
        self.tidy();
        parts
    }

    /// Gives back what `record` says was paid, newest first, and takes it off the record. What exceeds the
    /// overdraft or the record becomes part of the lot `opens`.
    pub fn give_back(&mut self, amount: Decimal, record: &mut Vec<Part>, opens: u64) {
        let mut left = amount;
        while left > Decimal::ZERO {
            let Some(part) = record.last_mut() else {
                break;
            };
            let back = part.amount.min(left);
            part.amount -= back;
            left -= back;
            let lot = part.lot;
            if part.amount.is_zero() {
                record.pop();
            }
            if lot.id == OVERDRAFT {
                self.settle(back, LotTag::paid(opens));
            } else {
                self.put(lot, back);
            }
        }
        if left > Decimal::ZERO {
            self.settle(left, LotTag::paid(opens));
        }
    }

    /// Money comes in: it pays the overdraft first, unless it is promotional; the rest is a lot.
    pub fn pay_in(&mut self, amount: Decimal, lot: LotTag) {
        match lot.class {
            LotClass::Paid => self.settle(amount, lot),
            LotClass::Promotional => self.put(lot, amount),
        }
    }

    /// Money goes out of paid lots, newest first, `first` before them. More than there is is refused.
    pub fn take_out(
        &mut self,
        amount: Decimal,
        first: Option<u64>,
    ) -> Result<Vec<Part>, Insufficient> {
        let available = self.total(Some(LotClass::Paid));
        if amount > available {
            return Err(Insufficient { available });
        }
        let turns = self.paid_newest_first(first);
        let (parts, _) = self.take(turns, amount);
        self.tidy();
        Ok(parts)
    }

    /// Money is taken from us that the tenant had paid: out of paid lots, newest first, `first` before them;
    /// the rest is overdraft.
    pub fn charge_back(&mut self, amount: Decimal, first: Option<u64>) -> Vec<Part> {
        let turns = self.paid_newest_first(first);
        let (mut parts, left) = self.take(turns, amount);
        self.owe(left, &mut parts);
        self.tidy();
        parts
    }

    /// Forgives overdraft, at most as much as there is; answers how much.
    pub fn forgive(&mut self, amount: Decimal) -> Decimal {
        let forgiven = amount.min(self.overdraft);
        self.overdraft -= forgiven;
        forgiven
    }

    /// Takes out what is left of lots that are over; answers them.
    pub fn expire(&mut self, now: Timestamp) -> Vec<Part> {
        let over = self.lots.iter().filter(|lot| lot.tag.is_over(now));
        let parts = over
            .map(|lot| Part {
                lot: lot.tag,
                amount: lot.remaining,
            })
            .collect();
        self.lots.retain(|lot| !lot.tag.is_over(now));
        parts
    }

    /// When the next lot is over.
    pub fn next_expiry_at(&self) -> Option<Timestamp> {
        let settle = SignedDuration::from_hours(EXPIRY_SETTLE_H);
        let expiries = self.lots.iter().filter_map(|lot| lot.tag.expires_at);
        expiries.min()?.saturating_add(settle).ok()
    }

    /// What changed since: each lot's difference, then the overdraft's.
    pub fn moves_since(&self, before: &Self) -> Vec<LotMove> {
        let mut moves: Vec<LotMove> = Vec::new();
        let find = |lots: &[Lot], id: u64| {
            let found = lots.iter().find(|lot| lot.tag.id == id);
            found.map_or(Decimal::ZERO, |lot| lot.remaining)
        };
        let gone = before
            .lots
            .iter()
            .filter(|old| self.lots.iter().all(|lot| lot.tag.id != old.tag.id));
        for lot in self.lots.iter().chain(gone) {
            let amount = find(&self.lots, lot.tag.id) - find(&before.lots, lot.tag.id);
            moves.push(Part {
                lot: lot.tag,
                amount,
            });
        }
        moves.push(Part {
            lot: LotTag::overdraft(),
            amount: before.overdraft - self.overdraft,
        });
        moves.retain(|part| !part.amount.is_zero());
        moves.sort_by_key(|part| part.lot.id);
        moves
    }

    /// Applies an entry's moves: how funds are recomputed from entries.
    pub fn apply(&mut self, moves: &[LotMove]) {
        for part in moves {
            if part.lot.id == OVERDRAFT {
                self.overdraft -= part.amount;
            } else {
                self.put(part.lot, part.amount);
            }
        }
        self.tidy();
    }

    fn paid_newest_first(&self, first: Option<u64>) -> Vec<usize> {
        let mut turns: Vec<usize> = (0..self.lots.len())
            .filter(|index| self.lots[*index].tag.class == LotClass::Paid)
            .collect();
        turns.sort_by_key(|index| {
            let id = self.lots[*index].tag.id;
            (Some(id) != first, std::cmp::Reverse(id))
        });
        turns
    }

    /// Takes from lots in turn; answers who paid and what is left to pay.
    fn take(&mut self, turns: Vec<usize>, amount: Decimal) -> (Vec<Part>, Decimal) {
        let mut left = amount;
        let mut parts = Vec::new();
        for index in turns {
            let lot = &mut self.lots[index];
            let taken = lot.remaining.min(left);
            if taken > Decimal::ZERO {
                lot.remaining -= taken;
                left -= taken;
                parts.push(Part {
                    lot: lot.tag,
                    amount: taken,
                });
            }
        }
        (parts, left)
    }

    fn owe(&mut self, amount: Decimal, parts: &mut Vec<Part>) {
        if amount > Decimal::ZERO {
            self.overdraft += amount;
            parts.push(Part {
                lot: LotTag::overdraft(),
                amount,
            });
        }
    }

    /// Pays the overdraft first; the rest goes to the lot.
    fn settle(&mut self, amount: Decimal, lot: LotTag) {
        let repaid = amount.min(self.overdraft);
        self.overdraft -= repaid;
        self.put(lot, amount - repaid);
    }

    fn put(&mut self, tag: LotTag, amount: Decimal) {
        if amount.is_zero() {
            return;
        }
        match self.lots.iter_mut().find(|lot| lot.tag.id == tag.id) {
            Some(lot) => lot.remaining += amount,
            None => self.lots.push(Lot {
                tag,
                remaining: amount,
            }),
        }
        self.lots.sort_by_key(|lot| lot.tag.id);
    }

    fn tidy(&mut self) {
        self.lots.retain(|lot| !lot.remaining.is_zero());
    }
}

/// Adds what was just paid to a record: parts of the same lot in a row are one.
pub fn record(paid: &mut Vec<Part>, parts: impl IntoIterator<Item = Part>) {
    for part in parts {
        match paid.last_mut() {
            Some(last) if last.lot == part.lot => last.amount += part.amount,
            _ => paid.push(part),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + day * 86_400).unwrap()
    }

    fn promotional(id: u64, expiry: Option<i64>) -> LotTag {
        LotTag {
            class: LotClass::Promotional,
            expires_at: expiry.map(at),
            ..LotTag::paid(id)
        }
    }

    fn parts(parts: &[Part]) -> Vec<(u64, Decimal)> {
        parts
            .iter()
            .map(|part| (part.lot.id, part.amount))
            .collect()
    }

    fn dec(value: i64) -> Decimal {
        Decimal::from(value)
    }

    #[test]
    fn lots_pay_by_priority_then_expiry_then_promotional_first_then_age() {
        let mut funds = Funds::default();
        funds.pay_in(dec(10), LotTag::paid(1));
        funds.pay_in(dec(10), promotional(2, None));
        funds.pay_in(dec(10), promotional(3, Some(5)));
        let first = LotTag {
            priority: 1,
            ..LotTag::paid(4)
        };
        funds.pay_in(dec(10), first);
        let paid = funds.spend(dec(45), at(0));
        assert_eq!(
            parts(&paid),
            [
                (4, dec(10)),
                (3, dec(10)),
                (2, dec(10)),
                (1, dec(10)),
                (0, dec(5))
            ]
        );
        assert_eq!(funds.balance(), dec(-5));
    }

    #[test]
    fn a_lot_that_need_not_pay_is_not_named() {
        let mut funds = Funds::default();
        funds.pay_in(dec(10), LotTag::paid(1));
        funds.pay_in(dec(10), LotTag::paid(2));
        assert_eq!(parts(&funds.spend(dec(10), at(0))), [(1, dec(10))]);
    }

    #[test]
    fn parts_of_the_same_lot_in_a_row_are_one_on_the_record() {
        let part = |id, amount| Part {
            lot: LotTag::paid(id),
            amount: dec(amount),
        };
        let mut paid = vec![part(1, 2)];
        record(&mut paid, [part(1, 3), part(2, 4), part(1, 5)]);
        assert_eq!(parts(&paid), [(1, dec(5)), (2, dec(4)), (1, dec(5))]);
    }

    #[test]
    fn the_next_expiry_is_the_earliest_with_its_time_to_settle() {
        let mut funds = Funds::default();
        assert_eq!(funds.next_expiry_at(), None);
        funds.pay_in(dec(10), promotional(1, Some(9)));
        funds.pay_in(dec(10), promotional(2, Some(5)));
        let settled = at(5).checked_add(SignedDuration::from_hours(EXPIRY_SETTLE_H));
        assert_eq!(funds.next_expiry_at(), settled.ok());
    }

    #[test]
    fn a_lot_pays_by_event_time_never_by_wall_clock() {
        let mut funds = Funds::default();
        funds.pay_in(dec(10), promotional(1, Some(5)));
        assert_eq!(parts(&funds.spend(dec(3), at(5))), [(0, dec(3))]);
        assert_eq!(parts(&funds.spend(dec(3), at(4))), [(1, dec(3))]);
        assert!(funds.expire(at(8)).is_empty());
        assert_eq!(parts(&funds.expire(at(9))), [(1, dec(7))]);
        let mut later = Funds::default();
        let tag = LotTag {
            effective_at: Some(at(3)),
            ..promotional(2, None)
        };
        later.pay_in(dec(10), tag);
        assert_eq!(parts(&later.spend(dec(1), at(2))), [(0, dec(1))]);
    }

    #[test]
    fn money_given_back_goes_to_the_lots_that_paid_newest_first() {
        let mut funds = Funds::default();
        funds.pay_in(dec(4), promotional(1, None));
        funds.pay_in(dec(4), LotTag::paid(2));
        let mut paid = funds.spend(dec(10), at(0));
        assert_eq!(parts(&paid), [(1, dec(4)), (2, dec(4)), (0, dec(2))]);
        funds.give_back(dec(7), &mut paid, 9);
        assert_eq!(parts(&paid), [(1, dec(3))]);
        assert_eq!(funds.overdraft(), Decimal::ZERO);
        let left: Vec<_> = funds
            .lots()
            .iter()
            .map(|lot| (lot.tag.id, lot.remaining))
            .collect();
        assert_eq!(left, [(1, dec(1)), (2, dec(4))]);
    }

    #[test]
    fn what_was_owed_and_paid_since_comes_back_as_a_lot_of_its_own() {
        let mut funds = Funds::default();
        let mut paid = funds.spend(dec(5), at(0));
        funds.pay_in(dec(3), LotTag::paid(2));
        funds.give_back(dec(4), &mut paid, 3);
        assert_eq!(funds.overdraft(), Decimal::ZERO);
        assert_eq!(
            funds.lots(),
            [Lot {
                tag: LotTag::paid(3),
                remaining: dec(2)
            }]
        );
    }

    #[test]
    fn only_paid_money_is_paid_out_and_promotions_do_not_pay_debts() {
        let mut funds = Funds::default();
        funds.spend(dec(2), at(0));
        funds.pay_in(dec(5), promotional(1, None));
        assert_eq!((funds.overdraft(), funds.balance()), (dec(2), dec(3)));
        funds.pay_in(dec(6), LotTag::paid(2));
        let refused = funds.take_out(dec(5), None).unwrap_err();
        assert_eq!(refused.available, dec(4));
        assert_eq!(parts(&funds.take_out(dec(4), None).unwrap()), [(2, dec(4))]);
        assert_eq!(parts(&funds.charge_back(dec(1), None)), [(0, dec(1))]);
        assert_eq!(funds.forgive(dec(9)), dec(1));
    }

    proptest! {
        #[test]
        fn moves_recompute_funds_and_the_balance_is_what_came_in_less_what_went_out(
            steps in proptest::collection::vec((0_u8..5, 0_i64..1_000, 0_i64..9), 1..40),
        ) {
            let mut funds = Funds::default();
            let mut folded = Funds::default();
            let mut records: Vec<Vec<Part>> = Vec::new();
            let mut expected = Decimal::ZERO;
            for (id, (kind, amount, day)) in (1_u64..).zip(steps) {
                let before = funds.clone();
                let amount = Decimal::new(amount, 2);
                match kind {
                    0 => { funds.pay_in(amount, LotTag::paid(id)); expected += amount; }
                    1 => { funds.pay_in(amount, promotional(id, Some(day))); expected += amount; }
                    2 => { records.push(funds.spend(amount, at(day))); expected -= amount; }
                    3 => if let Some(record) = records.last_mut() {
                        funds.give_back(amount, record, id);
                        expected += amount;
                    },
                    _ => expected -= funds.expire(at(day)).iter().map(|part| part.amount).sum::<Decimal>(),
                }
                folded.apply(&funds.moves_since(&before));
                prop_assert_eq!(&folded, &funds);
                prop_assert_eq!(funds.balance(), expected);
                prop_assert!(funds.lots().iter().all(|lot| lot.remaining > Decimal::ZERO));
                prop_assert!(funds.overdraft() >= Decimal::ZERO);
            }
        }
    }
}
