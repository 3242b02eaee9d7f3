//! What may be done to a wallet besides booking usage: money in, money out, gifts, corrections, debts.
//!
//! One pure decision: a wallet and an act give an entry, or the refusal. Money paid out is never more than
//! was paid in; gifts are never paid out and never pay debts.

use jiff::Timestamp;
use rust_decimal::Decimal;

use crate::event::Fact;
use crate::ledger::{Entry, EntryKind, LedgerAccount, LedgerError, postings};
use crate::lots::{Funds, LOTS_MAX, LotClass, LotTag};
use crate::standing::Occasion;
use crate::wallet::Wallet;

/// What is done to a wallet. Amounts are positive but for an adjustment's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Money came in.
    TopUp {
        /// How much.
        amount: Decimal,
        /// Lower ones pay first.
        priority: u8,
        /// Until when it pays for usage.
        expires_at: Option<Timestamp>,
        /// The recharge request that it answers.
        recharge: Option<String>,
    },
    /// Promotional credit is given.
    Credit {
        /// How much.
        amount: Decimal,
        /// Lower ones pay first.
        priority: u8,
        /// From when on it pays for usage.
        effective_at: Option<Timestamp>,
        /// Until when it pays for usage.
        expires_at: Option<Timestamp>,
    },
    /// Paid money is paid back.
    Refund {
        /// How much.
        amount: Decimal,
        /// The top-up whose money goes first.
        top_up: Option<u64>,
    },
    /// A payer's bank took a payment back.
    Chargeback {
        /// How much.
        amount: Decimal,
        /// The top-up.
        top_up: u64,
    },
    /// The operator corrects something by hand.
    Adjustment {
        /// Positive = in the tenant's favour.
        amount: Decimal,
    },
    /// Money goes to another tenant.
    TransferOut {
        /// How much.
        amount: Decimal,
    },
    /// Money comes from another tenant.
    TransferIn {
        /// How much.
        amount: Decimal,
    },
    /// A debt is given up.
    WriteOff {
        /// How much; all of it if not said.
        amount: Option<Decimal>,
    },
}

/// Who does it, when and why.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// An operator key's id.
    pub actor: &'a str,
    /// For people.
    pub reason: &'a str,
    /// What makes the act unique for ever.
    pub natural_key: &'a str,
    /// When.
    pub now: Timestamp,
}

/// What an act comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acted {
    /// The entry.
    pub entry: Entry,
    /// The wallet behind it, its standing not evaluated yet.
    pub wallet: Wallet,
    /// The event's fact.
    pub fact: Fact,
}

/// Why an act is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// More than there is to pay out.
    #[error("only {0} can be paid out")]
    Insufficient(Decimal),
    /// More than is owed.
    #[error("only {0} is owed")]
    NotOwed(Decimal),
    /// The wallet holds as many lots as fit it.
    #[error("the wallet holds {LOTS_MAX} lots")]
    TooManyLots,
    /// The amounts cannot be booked.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Act {
    /// The entry's kind.
    pub fn kind(&self) -> EntryKind {
        match self {
            Self::TopUp { .. } => EntryKind::TopUp,
            Self::Credit { .. } => EntryKind::Credit,
            Self::Refund { .. } => EntryKind::Refund,
            Self::Chargeback { .. } => EntryKind::Chargeback,
            Self::Adjustment { .. } => EntryKind::Adjustment,
            Self::TransferOut { .. } => EntryKind::TransferOut,
            Self::TransferIn { .. } => EntryKind::TransferIn,
            Self::WriteOff { .. } => EntryKind::WriteOff,
        }
    }

    /// By how much it changes the balance; unknown for all of a debt.
    pub fn change(&self) -> Option<Decimal> {
        match self {
            Self::TopUp { amount, .. }
            | Self::Credit { amount, .. }
            | Self::Adjustment { amount }
            | Self::TransferIn { amount } => Some(*amount),
            Self::Refund { amount, .. }
            | Self::Chargeback { amount, .. }
            | Self::TransferOut { amount } => Some(-*amount),
            Self::WriteOff { amount } => *amount,
        }
    }

    /// What it is for the standing: money in ends a hold at once.
    pub fn occasion(&self) -> Occasion {
        match self {
            Self::Refund { .. } | Self::Chargeback { .. } | Self::TransferOut { .. } => {
                Occasion::Other
            }
            Self::Adjustment { amount } if amount.is_sign_negative() => Occasion::Other,
            _ => Occasion::Payment,
        }
    }

    /// The account that stands against the tenant's own.
    fn against(&self) -> LedgerAccount {
        match self {
            Self::TopUp { .. } | Self::Refund { .. } | Self::Chargeback { .. } => {
                LedgerAccount::Cash
            }
            Self::Credit { .. } => LedgerAccount::PromotionalExpense,
            Self::Adjustment { .. } => LedgerAccount::Revenue,
            Self::TransferOut { .. } | Self::TransferIn { .. } => LedgerAccount::Suspense,
            Self::WriteOff { .. } => LedgerAccount::BadDebt,
        }
    }

    fn fact(&self, change: Decimal, balance: Decimal) -> Fact {
        let amount = change.abs();
        match self {
            Self::TopUp { .. } => Fact::WalletToppedUp { amount, balance },
            Self::Credit { .. } => Fact::WalletCredited { amount, balance },
            Self::Refund { .. } => Fact::WalletRefunded { amount, balance },
            Self::Chargeback { .. } => Fact::WalletChargedBack { amount, balance },
            Self::Adjustment { .. } => Fact::WalletAdjusted {
                amount: change,
                balance,
            },
            Self::TransferOut { .. } | Self::TransferIn { .. } => Fact::WalletTransferred {
                amount: change,
                balance,
            },
            Self::WriteOff { .. } => Fact::DebtWrittenOff { amount, balance },
        }
    }

    fn apply(&self, funds: &mut Funds, seq: u64, now: Timestamp) -> Result<(), Refusal> {
        match self {
            Self::TopUp {
                amount,
                priority,
                expires_at,
                ..
            } => {
                let lot = LotTag {
                    priority: *priority,
                    expires_at: *expires_at,
                    ..LotTag::paid(seq)
                };
                funds.pay_in(*amount, place(funds, lot));
            }
            Self::Credit {
                amount,
                priority,
                effective_at,
                expires_at,
            } => {
                if funds.lots().len() >= LOTS_MAX {
                    return Err(Refusal::TooManyLots);
                }
                let lot = LotTag {
                    id: seq,
                    class: LotClass::Promotional,
                    priority: *priority,
                    effective_at: *effective_at,
                    expires_at: *expires_at,
                };
                funds.pay_in(*amount, lot);
            }
            Self::Refund { amount, top_up } => {
                let taken = funds.take_out(*amount, *top_up);
                taken.map_err(|error| Refusal::Insufficient(error.available))?;
            }
            Self::TransferOut { amount } => {
                let taken = funds.take_out(*amount, None);
                taken.map_err(|error| Refusal::Insufficient(error.available))?;
            }
            Self::Chargeback { amount, top_up } => {
                funds.charge_back(*amount, Some(*top_up));
            }
            Self::Adjustment { amount } if amount.is_sign_negative() => {
                funds.spend(-*amount, now);
            }
            Self::Adjustment { amount } | Self::TransferIn { amount } => {
                funds.pay_in(*amount, place(funds, LotTag::paid(seq)));
            }
            Self::WriteOff { amount } => {
                let owed = funds.overdraft();
                let amount = amount.unwrap_or(owed);
                if amount > owed || amount <= Decimal::ZERO {
                    return Err(Refusal::NotOwed(owed));
                }
                funds.forgive(amount);
            }
        }
        Ok(())
    }
}

/// Where paid money goes: a lot of its own, or where there are too many the newest one that it may join
/// without losing by it. Paid money is never refused for want of a place.
fn place(funds: &Funds, lot: LotTag) -> LotTag {
    if funds.lots().len() < LOTS_MAX {
        return lot;
    }
    let paid = funds
        .lots()
        .iter()
        .map(|open| open.tag)
        .filter(|open| open.class == LotClass::Paid);
    let same = |open: &LotTag| open.priority == lot.priority && open.expires_at == lot.expires_at;
    let lasts = |open: &LotTag| {
        open.expires_at.is_none()
            || lot
                .expires_at
                .is_some_and(|wanted| open.expires_at.is_some_and(|open| open >= wanted))
    };
    paid.filter(lasts)
        .max_by_key(|open| (same(open), open.id))
        .unwrap_or(lot)
}

/// Decides what an act comes to.
pub fn decide(wallet: &Wallet, act: &Act, terms: Terms<'_>) -> Result<Acted, Refusal> {
    let seq = wallet.seq + 1;
    let mut funds = wallet.funds.clone();
    act.apply(&mut funds, seq, terms.now)?;
    let moves = funds.moves_since(&wallet.funds);
    let change: Decimal = moves.iter().map(|part| part.amount).sum();
    let entry = Entry {
        seq,
        kind: act.kind(),
        actor: terms.actor.to_owned(),
        reason: terms.reason.to_owned(),
        at: terms.now,
        currency: wallet.currency,
        postings: postings(&moves, &[(act.against(), -change)]),
        moves,
        lines: Vec::new(),
        periods: Vec::new(),
        statement: None,
        natural_key: Some(terms.natural_key.to_owned()),
    };
    let mut next = wallet.post(&entry)?;
    if let Act::TopUp {
        recharge: Some(request),
        ..
    } = act
    {
        next.recharge.settle(request);
    }
    Ok(Acted {
        fact: act.fact(change, next.balance()),
        entry,
        wallet: next,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lots::PRIORITY_DEFAULT;
    use crate::money::Currency;
    use crate::wallet;

    fn terms() -> Terms<'static> {
        Terms {
            actor: "test",
            reason: "test",
            natural_key: "ref:1",
            now: Timestamp::from_second(1_800_000_000).unwrap(),
        }
    }

    fn top_up(amount: i64) -> Act {
        Act::TopUp {
            amount: Decimal::from(amount),
            priority: PRIORITY_DEFAULT,
            expires_at: None,
            recharge: None,
        }
    }

    fn credit(amount: i64) -> Act {
        Act::Credit {
            amount: Decimal::from(amount),
            priority: PRIORITY_DEFAULT,
            effective_at: None,
            expires_at: None,
        }
    }

    fn after(wallet: &Wallet, act: &Act) -> Wallet {
        decide(wallet, act, terms()).unwrap().wallet
    }

    fn dec(value: i64) -> Decimal {
        Decimal::from(value)
    }

    #[test]
    fn only_paid_money_is_refunded_and_the_named_top_up_first() {
        let wallet = after(&Wallet::new(Currency::USD), &top_up(10));
        let wallet = after(&after(&wallet, &top_up(5)), &credit(100));
        let refund = |amount, top_up| Act::Refund {
            amount: dec(amount),
            top_up,
        };
        let refused = decide(&wallet, &refund(16, None), terms());
        assert_eq!(refused.unwrap_err(), Refusal::Insufficient(dec(15)));
        let acted = decide(&wallet, &refund(12, Some(1)), terms()).unwrap();
        assert_eq!(acted.entry.amount_on(LedgerAccount::Cash), dec(12));
        let left: Vec<_> = acted
            .wallet
            .funds
            .lots()
            .iter()
            .map(|lot| (lot.tag.id, lot.remaining))
            .collect();
        assert_eq!(left, [(2, dec(3)), (3, dec(100))]);
    }

    #[test]
    fn a_chargeback_goes_below_zero_and_a_debt_is_written_off_at_most_once() {
        let wallet = after(&Wallet::new(Currency::USD), &top_up(10));
        let wallet = after(&wallet, &Act::Adjustment { amount: dec(-4) });
        let back = Act::Chargeback {
            amount: dec(10),
            top_up: 1,
        };
        let wallet = after(&wallet, &back);
        assert_eq!(wallet.balance(), dec(-4));
        let too_much = Act::WriteOff {
            amount: Some(dec(5)),
        };
        assert_eq!(
            decide(&wallet, &too_much, terms()).unwrap_err(),
            Refusal::NotOwed(dec(4))
        );
        let all = Act::WriteOff { amount: None };
        let wallet = after(&wallet, &all);
        assert_eq!(
            (wallet.balance(), wallet.account(LedgerAccount::BadDebt)),
            (dec(0), dec(-4))
        );
        assert!(decide(&wallet, &all, terms()).is_err());
    }

    #[test]
    fn credit_pays_no_debt_and_an_adjustment_does() {
        let wallet = after(
            &Wallet::new(Currency::USD),
            &Act::Adjustment { amount: dec(-4) },
        );
        let credited = after(&wallet, &credit(9));
        assert_eq!(
            (credited.funds.overdraft(), credited.balance()),
            (dec(4), dec(5))
        );
        let adjusted = after(&wallet, &Act::Adjustment { amount: dec(9) });
        assert_eq!(
            (adjusted.funds.overdraft(), adjusted.balance()),
            (dec(0), dec(5))
        );
    }

    #[test]
    fn a_payment_beyond_the_last_place_joins_the_newest_lot_of_equal_terms() {
        let mut wallet = Wallet::new(Currency::USD);
        for _ in 0..LOTS_MAX {
            wallet = after(&wallet, &top_up(1));
        }
        assert_eq!(
            decide(&wallet, &credit(1), terms()).unwrap_err(),
            Refusal::TooManyLots
        );
        let next = after(&wallet, &top_up(5));
        assert_eq!(next.funds.lots().len(), LOTS_MAX);
        assert_eq!(next.funds.lots().last().unwrap().remaining, dec(6));
        let urgent = Act::TopUp {
            amount: dec(5),
            priority: 1,
            expires_at: Some(terms().now),
            recharge: None,
        };
        // No lot has its terms: it joins one that lasts longer.
        assert_eq!(after(&wallet, &urgent).funds.lots().len(), LOTS_MAX);
    }

    proptest! {
        #[test]
        fn every_act_balances_and_folding_gives_the_same_wallet(
            acts in proptest::collection::vec((0_u8..8, 1_i64..2_000), 1..60),
        ) {
            let mut wallet = Wallet::new(Currency::USD);
            let mut entries = Vec::new();
            for (kind, cents) in acts {
                let amount = Decimal::new(cents, 2);
                let act = match kind {
                    0 => Act::TopUp { amount, priority: u8::try_from(cents % 10).unwrap(), expires_at: None, recharge: None },
                    1 => Act::Credit { amount, priority: 5, effective_at: None, expires_at: None },
                    2 => Act::Refund { amount, top_up: None },
                    3 => Act::Chargeback { amount, top_up: 1 },
                    4 => Act::Adjustment { amount: -amount },
                    5 => Act::TransferOut { amount },
                    6 => Act::TransferIn { amount },
                    _ => Act::WriteOff { amount: None },
                };
                let Ok(acted) = decide(&wallet, &act, terms()) else { continue };
                if let Some(change) = act.change() {
                    prop_assert_eq!(acted.wallet.balance() - wallet.balance(), change);
                }
                prop_assert_eq!(acted.entry.check(), Ok(()));
                wallet = acted.wallet;
                entries.push(acted.entry);
            }
            let total: Decimal = wallet.accounts.values().copied().sum();
            prop_assert_eq!(total, Decimal::ZERO);
            prop_assert_eq!(wallet::fold(Currency::USD, entries).unwrap(), wallet);
        }
    }
}
