//! The ledger: append-only double entry, one chain of entries per tenant.
//!
//! Credits are positive. What a tenant has is on three accounts, whose sum is its balance: paid lots,
//! promotional lots, and what it owes. Usage posts cost and charge in one entry: margin and reconciliation
//! are then queries over the same rows, and revenue by category is the sum of its lines.

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::lots::{LotClass, LotMove, OVERDRAFT};
use crate::money::{self, Currency, MoneyError};
use crate::rating::{LineDelta, PeriodDelta};

/// An account of a tenant's books. All amounts in it are in the tenant's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LedgerAccount {
    /// The tenant's prepaid money: what the operator owes it.
    Wallet,
    /// The tenant's promotional credit.
    Promotional,
    /// What the tenant owes beyond its lots.
    Receivable,
    /// What tenants were charged.
    Revenue,
    /// What Twilio takes for them.
    CostOfGoods,
    /// What the operator owes Twilio.
    PayableTwilio,
    /// Money received.
    Cash,
    /// Promotional credit given.
    PromotionalExpense,
    /// Paid credit that expired unused.
    Breakage,
    /// Debts given up.
    BadDebt,
    /// Tax owed to the authorities.
    Tax,
    /// What rounding statements to the minor unit gave or took.
    Rounding,
    /// Differences of exchange rates.
    Exchange,
    /// Money on its way between tenants.
    Suspense,
}

impl LedgerAccount {
    /// Every account.
    pub const ALL: [Self; 14] = [
        Self::Wallet,
        Self::Promotional,
        Self::Receivable,
        Self::Revenue,
        Self::CostOfGoods,
        Self::PayableTwilio,
        Self::Cash,
        Self::PromotionalExpense,
        Self::Breakage,
        Self::BadDebt,
        Self::Tax,
        Self::Rounding,
        Self::Exchange,
        Self::Suspense,
    ];

    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wallet => "wallet",
            Self::Promotional => "promotional",
            Self::Receivable => "receivable",
            Self::Revenue => "revenue",
            Self::CostOfGoods => "cost_of_goods",
            Self::PayableTwilio => "payable_twilio",
            Self::Cash => "cash",
            Self::PromotionalExpense => "promotional_expense",
            Self::Breakage => "breakage",
            Self::BadDebt => "bad_debt",
            Self::Tax => "tax",
            Self::Rounding => "rounding",
            Self::Exchange => "exchange",
            Self::Suspense => "suspense",
        }
    }
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
    /// Promotional credit was given.
    Credit,
    /// Money was paid back to the tenant.
    Refund,
    /// A payment was taken back by the payer's bank.
    Chargeback,
    /// The operator corrected something by hand.
    Adjustment,
    /// Money went to another tenant.
    TransferOut,
    /// Money came from another tenant.
    TransferIn,
    /// A debt was given up.
    WriteOff,
    /// Lots expired.
    Expiry,
    /// A statement became final: tax and rounding.
    Statement,
    /// A statement was made void.
    CreditNote,
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
    /// Changes of the tenant's lots and of its overdraft.
    pub moves: Vec<LotMove>,
    /// Usage entries: the observations and what they changed.
    pub lines: Vec<LineDelta>,
    /// Usage entries: rules that are rated on the sums of a period.
    pub periods: Vec<PeriodDelta>,
    /// Statements and credit notes: the billing period's name.
    pub statement: Option<Date>,
    /// Natural key that makes a payment unique for ever.
    pub natural_key: Option<String>,
}

/// An entry that must not be booked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Postings do not sum to zero.
    #[error("postings do not sum to zero")]
    Unbalanced,
    /// Lots and postings tell different amounts.
    #[error("lots and postings differ")]
    LotsDiffer,
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
        for (account, amount) in fund_amounts(&self.moves) {
            if self.amount_on(account) != amount {
                return Err(LedgerError::LotsDiffer);
            }
        }
        if money::sum(self.postings.iter().map(|posting| posting.amount))?.is_zero() {
            Ok(())
        } else {
            Err(LedgerError::Unbalanced)
        }
    }
}

/// What lots' moves mean on the tenant's three accounts.
fn fund_amounts(moves: &[LotMove]) -> [(LedgerAccount, Decimal); 3] {
    let sum = |wanted: LedgerAccount| {
        let on = |part: &LotMove| match (part.lot.id, part.lot.class) {
            (OVERDRAFT, _) => LedgerAccount::Receivable,
            (_, LotClass::Paid) => LedgerAccount::Wallet,
            (_, LotClass::Promotional) => LedgerAccount::Promotional,
        };
        let amounts = moves.iter().filter(|part| on(part) == wanted);
        (wanted, amounts.map(|part| part.amount).sum())
    };
    [
        sum(LedgerAccount::Wallet),
        sum(LedgerAccount::Promotional),
        sum(LedgerAccount::Receivable),
    ]
}

/// Postings of lots' moves, and of what stands against them.
pub fn postings(moves: &[LotMove], against: &[(LedgerAccount, Decimal)]) -> Vec<Posting> {
    let own = fund_amounts(moves);
    let all = own.iter().chain(against);
    all.filter(|(_, amount)| !amount.is_zero())
        .map(|(account, amount)| Posting {
            account: *account,
            amount: *amount,
        })
        .collect()
}

/// Postings for changed usage: the tenant pays the charge, the operator owes Twilio the cost.
pub fn usage_postings(
    moves: &[LotMove],
    lines: &[LineDelta],
    periods: &[PeriodDelta],
) -> Result<Vec<Posting>, MoneyError> {
    let charges = lines.iter().map(|line| line.charge);
    let charge = money::sum(charges.chain(periods.iter().map(|line| line.charge)))?;
    let cost = money::sum(lines.iter().map(|line| line.cost))?;
    let against = [
        (LedgerAccount::Revenue, charge),
        (LedgerAccount::CostOfGoods, -cost),
        (LedgerAccount::PayableTwilio, cost),
    ];
    Ok(postings(moves, &against))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lots::{LotTag, Part};

    fn entry(moves: Vec<LotMove>, postings: Vec<Posting>) -> Entry {
        Entry {
            seq: 1,
            kind: EntryKind::Usage,
            actor: "test".into(),
            reason: "test".into(),
            at: Timestamp::UNIX_EPOCH,
            currency: Currency::USD,
            postings,
            moves,
            lines: Vec::new(),
            periods: Vec::new(),
            statement: None,
            natural_key: None,
        }
    }

    fn posting(account: LedgerAccount, amount: Decimal) -> Posting {
        Posting { account, amount }
    }

    #[test]
    fn an_entry_may_be_as_fine_as_the_ledger() {
        let finest = Decimal::new(1, money::LEDGER_SCALE);
        let postings = [(LedgerAccount::Cash, finest), (LedgerAccount::Tax, -finest)];
        let postings = postings.map(|(account, amount)| posting(account, amount));
        assert_eq!(entry(Vec::new(), postings.into()).check(), Ok(()));
    }

    #[test]
    fn an_unbalanced_or_too_fine_entry_is_refused() {
        let cash = |amount| posting(LedgerAccount::Cash, amount);
        assert_eq!(
            entry(Vec::new(), vec![cash(Decimal::ONE)]).check(),
            Err(LedgerError::Unbalanced)
        );
        let fine = Decimal::new(1, 10);
        let entry = entry(
            Vec::new(),
            vec![cash(fine), posting(LedgerAccount::Tax, -fine)],
        );
        assert!(entry.check().is_err());
    }

    #[test]
    fn an_entry_whose_lots_and_postings_differ_is_refused() {
        let moves = vec![Part {
            lot: LotTag::paid(1),
            amount: Decimal::from(50),
        }];
        let right = postings(&moves, &[(LedgerAccount::Cash, Decimal::from(-50))]);
        assert_eq!(entry(moves.clone(), right.clone()).check(), Ok(()));
        assert_eq!(
            entry(Vec::new(), right).check(),
            Err(LedgerError::LotsDiffer)
        );
        assert_eq!(
            entry(moves, Vec::new()).check(),
            Err(LedgerError::LotsDiffer)
        );
    }
}
