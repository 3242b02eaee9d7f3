//! Statements: what a tenant is shown and asked to pay for a billing period.
//!
//! A statement is computed from entries within frozen bounds, so that it can be computed again at any time with
//! the same result; once final it never changes, and what comes later is on the next one, with a reference.

mod build;
mod issue;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::category::Category;
use crate::ledger::EntryKind;
use crate::money;
use crate::period::{BillingCalendar, Period};
use crate::plan::RuleId;

pub use build::{Bounds, Input, Tax, build};
pub use issue::{Issue, Voiding, finalize, void};

/// A period is closed so long after its end: usage of its last days has come by then.
pub const SETTLE: SignedDuration = SignedDuration::from_hours(72);

/// Where a statement stands. An open one is not stored: it is computed when somebody looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Computed now, for a period that goes on or settles.
    Open,
    /// Its bounds are frozen.
    Closing,
    /// It has a number and never changes.
    Final,
    /// What was due has been paid.
    Paid,
    /// A credit note took it back.
    Void,
}

/// Who stands on a statement.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Party {
    /// Name.
    pub name: String,
    /// Lines of the address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub address: Vec<String>,
    /// Tax number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_id: Option<String>,
    /// For questions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// The operator as it stands on statements.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OperatorProfile {
    /// Name.
    pub name: String,
    /// Lines of the address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub address: Vec<String>,
    /// Tax number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax_id: Option<String>,
    /// For questions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// What numbers begin with.
    #[serde(default)]
    pub number_prefix: String,
    /// A line at the foot: how to pay, the register.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<String>,
}

impl OperatorProfile {
    /// Who sends statements.
    pub fn party(&self) -> Party {
        Party {
            name: self.name.clone(),
            address: self.address.clone(),
            tax_id: self.tax_id.clone(),
            email: self.email.clone(),
        }
    }
}

/// One line: what was used of a category, by one rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Category.
    pub category: Category,
    /// Rule.
    pub rule: RuleId,
    /// How many.
    #[serde(with = "money::text")]
    pub count: Decimal,
    /// How much, in the category's unit.
    #[serde(with = "money::text")]
    pub usage: Decimal,
    /// Exact charge.
    #[serde(with = "money::text")]
    pub charge: Decimal,
    /// Charge in the minor unit; all shown amounts add up.
    #[serde(with = "money::text")]
    pub shown: Decimal,
}

/// Usage of an earlier period that was booked after its statement was closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Correction {
    /// The billing period that it belongs to.
    pub period: Date,
    /// Number of that period's statement, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Category; none for a rule that is rated on a period's sums.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// Rule.
    pub rule: RuleId,
    /// Exact charge.
    #[serde(with = "money::text")]
    pub charge: Decimal,
    /// Charge in the minor unit.
    #[serde(with = "money::text")]
    pub shown: Decimal,
}

/// Any other entry: a payment, a credit, an adjustment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Movement {
    /// The entry's number.
    pub entry: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: EntryKind,
    /// For people.
    pub reason: String,
    /// By how much the balance changed.
    #[serde(with = "money::text")]
    pub amount: Decimal,
}

/// What a statement says, in whole.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Content {
    /// In order of category and rule.
    pub lines: Vec<Line>,
    /// In order of period, category and rule.
    pub corrections: Vec<Correction>,
    /// In order of entries.
    pub movements: Vec<Movement>,
}

/// What it adds up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Balance before the period.
    #[serde(with = "money::text")]
    pub opening: Decimal,
    /// Top-ups.
    #[serde(with = "money::text")]
    pub payments: Decimal,
    /// All other movements.
    #[serde(with = "money::text")]
    pub other: Decimal,
    /// Exact charges, corrections included.
    #[serde(with = "money::text")]
    pub exact: Decimal,
    /// Charges in the minor unit.
    #[serde(with = "money::text")]
    pub net: Decimal,
    /// Tax on them.
    #[serde(with = "money::text")]
    pub tax: Decimal,
    /// Charges and tax.
    #[serde(with = "money::text")]
    pub gross: Decimal,
    /// Balance after all of it.
    #[serde(with = "money::text")]
    pub closing: Decimal,
    /// What is to be paid: what the closing balance lacks.
    #[serde(with = "money::text")]
    pub due: Decimal,
}

impl Totals {
    /// What rounding charges to the minor unit adds to them.
    pub fn rounding(&self) -> Decimal {
        self.net - self.exact
    }
}

/// A statement that is closing, final, paid or void, without its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Name of the billing period.
    pub period: Date,
    /// 1, or more where earlier ones were made void.
    pub issue: u32,
    /// First instant.
    pub start: Timestamp,
    /// First instant after it.
    pub end: Timestamp,
    /// First entry that may belong to it.
    pub from_entry: u64,
    /// Last entry that may belong to it.
    pub through: u64,
    /// Balance before it.
    #[serde(with = "money::text")]
    pub opening: Decimal,
    /// Where it stands.
    pub state: State,
    /// When its bounds were frozen.
    pub closed_at: Timestamp,
    /// What the tenant had paid in by then, over its whole life.
    #[serde(with = "money::text")]
    pub paid_in: Decimal,
    /// What it is once it is final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Document>,
}

/// What a final statement says besides its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Its number, without gaps per operator.
    pub number: String,
    /// When it became final.
    pub issued_at: Timestamp,
    /// Until when what is due should be paid.
    pub due_on: Date,
    /// From whom.
    pub operator: OperatorProfile,
    /// To whom.
    pub client: Party,
    /// Currency code.
    pub currency: String,
    /// Time zone of the period.
    pub time_zone: String,
    /// Tax rate as a share.
    #[serde(with = "money::text")]
    pub tax_rate: Decimal,
    /// Is no tax charged?
    pub tax_exempt: bool,
    /// What it adds up to.
    pub totals: Totals,
    /// First entry that may belong to the next one.
    pub next_entry: u64,
    /// The entry that booked tax and rounding, if there was any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// When it was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_at: Option<Timestamp>,
    /// How it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credit_note: Option<CreditNote>,
}

/// What made a statement void.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditNote {
    /// Its number, without gaps per operator.
    pub number: String,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub actor: String,
    /// Why.
    pub reason: String,
}

impl Header {
    /// The number of a final one.
    pub fn number(&self) -> Option<&str> {
        self.document
            .as_ref()
            .map(|document| document.number.as_str())
    }

    /// The bounds that the next statement begins at.
    pub fn bounds(&self) -> Option<Bounds> {
        let document = self.document.as_ref()?;
        Some(Bounds {
            from_entry: document.next_entry,
            through: self.through,
            end: self.end,
            closing: document.totals.closing,
        })
    }

    /// Is what was due paid, when this much has been paid in over the tenant's life?
    pub fn is_paid_by(&self, paid_in: Decimal) -> bool {
        let due = self.document.as_ref().map(|document| document.totals.due);
        self.state == State::Final && due.is_some_and(|due| paid_in - self.paid_in >= due)
    }
}

/// The period that is to be closed next: behind the last one that stands, or the first.
pub fn next_period(
    calendar: &BillingCalendar,
    in_service_since: Timestamp,
    latest: Option<&Header>,
) -> Option<Period> {
    match latest {
        None => Some(calendar.period_at(in_service_since)),
        Some(header) => {
            let period = calendar.named(header.period)?;
            match header.state {
                State::Void | State::Closing | State::Open => Some(period),
                State::Final | State::Paid => Some(calendar.after(&period)),
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
