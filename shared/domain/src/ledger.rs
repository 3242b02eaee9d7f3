//! The ledger: append-only double entry, one chain of entries per tenant.
//!
//! Credits are positive, so a wallet's balance is simply the sum of its postings. Usage posts cost and
//! charge in one entry: margin and reconciliation are then queries over the same rows.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::money::{self, Currency, MoneyError};
use crate::rating::LineDelta;

/// An account of a tenant's books. All amounts in it are in the tenant's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerAccount {
    /// The tenant's prepaid money: what the operator owes it.
    Wallet,
    /// What tenants were charged.
    Revenue,
    /// What Twilio takes for them.
    CostOfGoods,
    /// What the operator owes Twilio.
    PayableTwilio,
    /// Money received.
    Cash,
}

/// Why an entry exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// First entry: the wallet exists.
    Opening,
    /// Observed usage changed.
    Usage,
    /// Money came in.
    TopUp,
}

/// One amount on one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Posting {
    /// The account.
    pub account: LedgerAccount,
    /// Positive = credit.
    #[serde(with = "money::text")]
    pub amount: Decimal,
}

/// One entry. Never updated or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Position in the tenant's chain, from 1.
    pub seq: u64,
    /// Why it exists.
    pub kind: EntryKind,
    /// Who caused it: an operator key's id or a function's name.
    pub actor: String,
    /// For people, and for the auditor.
    pub reason: String,
    /// When it was booked.
    pub at: Timestamp,
    /// Currency of all postings.
    pub currency: Currency,
    /// Postings; they sum to zero.
    pub postings: Vec<Posting>,
    /// Usage entries: the observations and what they changed.
    pub lines: Vec<LineDelta>,
    /// Natural key that makes a payment unique for ever.
    pub natural_key: Option<String>,
}

/// An entry that must not be booked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Postings do not sum to zero.
    #[error("postings do not sum to zero")]
    Unbalanced,
    /// An amount is out of range or too fine.
    #[error(transparent)]
    Money(#[from] MoneyError),
    /// Sequence numbers have a gap.
    #[error("entry {found} where {expected} was expected")]
    Gap {
        /// Expected position.
        expected: u64,
        /// Found position.
        found: u64,
    },
}

impl Entry {
    /// The sum of the entry's postings on an account.
    pub fn amount_on(&self, account: LedgerAccount) -> Decimal {
        self.postings
            .iter()
            .filter(|posting| posting.account == account)
            .map(|posting| posting.amount)
            .sum()
    }

    /// Refuses an entry that does not balance or whose amounts are finer than the ledger.
    pub fn check(&self) -> Result<(), LedgerError> {
        for posting in &self.postings {
            if posting.amount.normalize().scale() > money::LEDGER_SCALE {
                return Err(MoneyError::TooPrecise.into());
            }
        }
        if money::sum(self.postings.iter().map(|posting| posting.amount))?.is_zero() {
            Ok(())
        } else {
            Err(LedgerError::Unbalanced)
        }
    }
}

/// Postings for changed usage: the wallet pays the charge, the operator owes Twilio the cost.
pub fn usage_postings(lines: &[LineDelta]) -> Result<Vec<Posting>, MoneyError> {
    let charge = money::sum(lines.iter().map(|line| line.charge))?;
    let cost = money::sum(lines.iter().map(|line| line.cost))?;
    Ok(pair(LedgerAccount::Wallet, LedgerAccount::Revenue, charge)
        .into_iter()
        .chain(pair(
            LedgerAccount::CostOfGoods,
            LedgerAccount::PayableTwilio,
            cost,
        ))
        .collect())
}

/// Postings for money that came in.
pub fn top_up_postings(amount: Decimal) -> Vec<Posting> {
    pair(LedgerAccount::Cash, LedgerAccount::Wallet, amount)
}

fn pair(debit: LedgerAccount, credit: LedgerAccount, amount: Decimal) -> Vec<Posting> {
    if amount.is_zero() {
        return Vec::new();
    }
    vec![
        Posting {
            account: debit,
            amount: -amount,
        },
        Posting {
            account: credit,
            amount,
        },
    ]
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;
    use crate::plan::tests::plan;
    use crate::rating::{DaySheet, rate_day, tests::usage};

    fn entry(postings: Vec<Posting>) -> Entry {
        Entry {
            seq: 1,
            kind: EntryKind::Usage,
            actor: "test".into(),
            reason: "test".into(),
            at: Timestamp::UNIX_EPOCH,
            currency: Currency::USD,
            postings,
            lines: Vec::new(),
            natural_key: None,
        }
    }

    #[test]
    fn an_unbalanced_or_too_fine_entry_is_refused() {
        let posting = |amount| Posting {
            account: LedgerAccount::Wallet,
            amount,
        };
        assert_eq!(
            entry(vec![posting(Decimal::ONE)]).check(),
            Err(LedgerError::Unbalanced)
        );
        let fine = Decimal::new(1, 10);
        assert!(entry(vec![posting(fine), posting(-fine)]).check().is_err());
    }

    #[test]
    fn a_top_up_credits_the_wallet() {
        let entry = entry(top_up_postings(Decimal::from(50)));
        assert_eq!(entry.amount_on(LedgerAccount::Wallet), Decimal::from(50));
        assert_eq!(entry.check(), Ok(()));
    }

    proptest! {
        #[test]
        fn usage_entries_balance_and_carry_margin(first in 0_i64..10_000_000, second in 0_i64..10_000_000, multiplier in 1_i64..99_999) {
            let plan = plan(&money::to_text(Decimal::new(multiplier, 4)), &[], None);
            let mut sheet = DaySheet::empty(date(2026, 11, 1));
            let mut wallet = Decimal::ZERO;
            let mut payable = Decimal::ZERO;
            for (as_of, cost) in [(1, first), (2, second)] {
                let Some(change) = rate_day(&sheet, &usage(as_of, &[("sms-outbound", cost)]), &plan) else { continue };
                let entry = entry(usage_postings(&change.lines).unwrap());
                prop_assert_eq!(entry.check(), Ok(()));
                wallet += entry.amount_on(LedgerAccount::Wallet);
                payable += entry.amount_on(LedgerAccount::PayableTwilio);
                sheet = change.sheet;
            }
            prop_assert_eq!(-wallet, sheet.charge());
            prop_assert_eq!(payable, sheet.cost());
        }
    }
}
