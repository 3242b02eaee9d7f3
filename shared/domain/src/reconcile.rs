//! Reconciliation: Twilio's total of a day = sum over tenants + the main account's own + what nobody owns.
//!
//! A figure that does not agree is a variance: a row with a cause, which stays open until it vanishes or a person
//! accepts it. Twilio's side is always read fresh; this file only compares.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::ids::{AccountSid, TenantId};
use crate::money::{self, Currency, LEDGER_SCALE, MoneyError};
use crate::rating::DaySheet;
use crate::usage::{Category, TOTAL, UsageRecord};

/// Costs by category, `other` included; zeros are left out.
pub type Costs = BTreeMap<Category, Decimal>;

/// What Twilio says of one account, or of all, in disjoint lines that sum to its total.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TwilioSide {
    /// Twilio's total.
    pub total: Decimal,
    /// By category.
    pub costs: Costs,
    /// Categories that were used and have no price.
    pub unpriced: Vec<String>,
    /// Leaves sum to more than the total: categories overlap in an unknown way.
    pub overlaps: bool,
}

/// Records that cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SideError {
    /// More than one currency.
    #[error("usage in several currencies")]
    Currencies,
    /// Used categories and no total.
    #[error("usage without a total")]
    NoTotal,
    /// An amount out of range.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

/// The currency of records: Twilio prices all of an operator's usage in one; without any price it is dollars.
pub fn currency_of(records: &[UsageRecord]) -> Result<Currency, MoneyError> {
    let total = records.iter().find(|record| record.category == TOTAL);
    let unit = total.and_then(|record| record.price_unit.as_deref());
    let any = || {
        records
            .iter()
            .find_map(|record| record.price_unit.as_deref())
    };
    unit.or_else(any).map_or(Ok(Currency::USD), Currency::parse)
}

/// Disjoint lines: known leaves, and what the total holds beyond them.
pub fn fold(records: &[UsageRecord], currency: Currency) -> Result<TwilioSide, SideError> {
    let mut side = TwilioSide::default();
    let mut has_total = false;
    for record in records {
        let used = |value: Option<Decimal>| value.is_some_and(|value| !value.is_zero());
        if record.price.is_none() && (used(record.count) || used(record.usage)) {
            side.unpriced.push(record.category.clone());
        }
        let price = record.price.unwrap_or_default();
        if price.is_zero() {
            has_total |= record.category == TOTAL;
            continue;
        }
        let unit = record.price_unit.as_deref();
        if unit.is_some_and(|unit| Currency::parse(unit) != Ok(currency)) {
            return Err(SideError::Currencies);
        }
        money::check_amount(price)?;
        let price = money::round(price, LEDGER_SCALE);
        if record.category == TOTAL {
            has_total = true;
            side.total = price;
        } else if let Some(leaf) = Category::leaf(&record.category) {
            *side.costs.entry(leaf).or_default() += price;
        }
    }
    if !has_total && !side.costs.is_empty() {
        return Err(SideError::NoTotal);
    }
    let residual = side.total - money::sum(side.costs.values().copied())?;
    side.overlaps = residual.is_sign_negative() && !residual.is_zero();
    if !residual.is_zero() {
        side.costs.insert(Category::OTHER, residual);
    }
    Ok(side)
}

/// Booked costs of a sheet by category; fees have none.
pub fn booked(sheet: &DaySheet) -> Costs {
    let mut costs = Costs::new();
    for (key, line) in &sheet.lines {
        add(&mut costs, &key.category, line.quantities.cost);
    }
    costs
}

/// Adds one amount.
pub fn add(costs: &mut Costs, category: &Category, amount: Decimal) {
    let sum = costs.entry(category.clone()).or_default();
    *sum += amount;
    if sum.is_zero() {
        costs.remove(category);
    }
}

/// Adds, or with -1 subtracts, all of another's.
pub fn add_all(costs: &mut Costs, others: &Costs, sign: Decimal) {
    for (category, amount) in others {
        add(costs, category, sign * *amount);
    }
}

/// A day's figures in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayFigures {
    /// GMT day.
    pub day: Date,
    /// Currency.
    pub currency: Currency,
    /// All accounts together, as Twilio says.
    pub whole: Costs,
    /// The main account's own.
    pub own: Costs,
    /// Booked for tenants that are not closed.
    pub tenants: Costs,
    /// Booked for tenants that are closed.
    pub closed: Costs,
}

impl DayFigures {
    /// What nothing explains: zero when every cent is booked.
    pub fn difference(&self) -> Costs {
        let mut left = self.whole.clone();
        for part in [&self.own, &self.tenants, &self.closed] {
            add_all(&mut left, part, Decimal::NEGATIVE_ONE);
        }
        left
    }
}

/// Why figures do not agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A subaccount that no tenant owns has usage.
    UnknownSubaccount,
    /// The day is held, because a category has no price yet.
    Unpriced,
    /// The day is held, or categories overlap in an unknown way.
    CategoryOverlap,
    /// The day has not been read complete.
    MissedPull,
    /// Twilio revised the day after it was read complete.
    LateRevision,
    /// Usage in another currency than the operator's.
    OtherCurrency,
    /// No account that could be asked explains it.
    Unattributed,
}

impl Cause {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownSubaccount => "unknown_subaccount",
            Self::Unpriced => "unpriced",
            Self::CategoryOverlap => "category_overlap",
            Self::MissedPull => "missed_pull",
            Self::LateRevision => "late_revision",
            Self::OtherCurrency => "other_currency",
            Self::Unattributed => "unattributed",
        }
    }
}

/// Where a variance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VarianceState {
    /// It stands.
    Open,
    /// A person knows why, and it does not matter.
    Accepted,
    /// It vanished.
    Resolved,
}

/// Figures of a day and an account that do not agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Variance {
    /// GMT day.
    pub day: Date,
    /// The subaccount; none for what no account explains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_sid: Option<AccountSid>,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<TenantId>,
    /// Currency code.
    pub currency: String,
    /// Why.
    pub cause: Cause,
    /// What Twilio says.
    #[serde(with = "money::text")]
    pub twilio: Decimal,
    /// What is booked.
    #[serde(with = "money::text")]
    pub booked: Decimal,
    /// By category: Twilio's less what is booked.
    pub by_category: BTreeMap<String, String>,
    /// Where it stands.
    pub state: VarianceState,
    /// When it was first seen.
    pub first_seen_at: Timestamp,
    /// When its figures last changed.
    pub changed_at: Timestamp,
    /// Why it was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Variance {
    /// Names it: the day, and the account or `-`.
    pub fn id(&self) -> String {
        let account = self.account_sid.as_ref().map_or("-", AccountSid::as_str);
        format!("{}.{account}", self.day)
    }

    /// Twilio's less what is booked.
    pub fn difference(&self) -> Decimal {
        self.twilio - self.booked
    }

    fn figures(&self) -> (Decimal, Decimal, Cause, &BTreeMap<String, String>) {
        (self.twilio, self.booked, self.cause, &self.by_category)
    }
}

/// An account's day, read from Twilio because the whole does not agree.
#[derive(Debug, Clone)]
pub struct AccountDay<'a> {
    /// The account.
    pub account_sid: AccountSid,
    /// Its tenant and what is known of it; none: nobody owns it.
    pub owner: Option<Owner<'a>>,
    /// What Twilio says; none where its currency is another.
    pub side: Option<TwilioSide>,
}

/// What is known of a tenant's day.
#[derive(Debug, Clone)]
pub struct Owner<'a> {
    /// The tenant.
    pub tenant_id: TenantId,
    /// Its sheet of the day.
    pub sheet: Option<&'a DaySheet>,
    /// Was the day read after it ended?
    pub is_complete: bool,
}

/// Compares one account's day; none if it agrees.
pub fn judge(
    day: Date,
    currency: Currency,
    account: &AccountDay<'_>,
    now: Timestamp,
) -> Option<Variance> {
    let owner = account.owner.as_ref();
    let sheet = owner.and_then(|owner| owner.sheet);
    let booked_costs = sheet.map(booked).unwrap_or_default();
    let side = account.side.clone().unwrap_or_default();
    let mut left = side.costs.clone();
    add_all(&mut left, &booked_costs, Decimal::NEGATIVE_ONE);
    let is_other = account.side.is_none();
    if left.is_empty() && !is_other {
        return None;
    }
    let held = sheet.and_then(|sheet| sheet.held.as_deref());
    let cause = match (owner, held) {
        _ if is_other => Cause::OtherCurrency,
        (None, _) => Cause::UnknownSubaccount,
        (Some(_), Some("unpriced")) => Cause::Unpriced,
        (Some(_), Some("other_currency")) => Cause::OtherCurrency,
        (Some(_), Some(_)) => Cause::CategoryOverlap,
        (Some(owner), None) if !owner.is_complete => Cause::MissedPull,
        (Some(_), None) if !side.unpriced.is_empty() => Cause::Unpriced,
        (Some(_), None) if side.overlaps => Cause::CategoryOverlap,
        (Some(_), None) => Cause::LateRevision,
    };
    Some(Variance {
        day,
        account_sid: Some(account.account_sid.clone()),
        tenant_id: owner.map(|owner| owner.tenant_id.clone()),
        currency: currency.code().to_owned(),
        cause,
        twilio: side.total,
        booked: booked_costs.values().copied().sum(),
        by_category: texts(&left),
        state: VarianceState::Open,
        first_seen_at: now,
        changed_at: now,
        note: None,
    })
}

/// What no account explains; none if nothing is left.
pub fn unattributed(
    figures: &DayFigures,
    explained: &[Variance],
    overlaps: bool,
    now: Timestamp,
) -> Option<Variance> {
    let mut left = figures.difference();
    for variance in explained {
        for (name, text) in &variance.by_category {
            if let (Some(category), Ok(amount)) =
                (Category::parse(name), money::parse_decimal(text))
            {
                add(&mut left, &category, -amount);
            }
        }
    }
    if left.is_empty() {
        return None;
    }
    let sum = |costs: &Costs| -> Decimal { costs.values().copied().sum() };
    let difference = sum(&left);
    let known = sum(&figures.whole) - difference;
    Some(Variance {
        day: figures.day,
        account_sid: None,
        tenant_id: None,
        currency: figures.currency.code().to_owned(),
        cause: if overlaps {
            Cause::CategoryOverlap
        } else {
            Cause::Unattributed
        },
        twilio: known + difference,
        booked: known,
        by_category: texts(&left),
        state: VarianceState::Open,
        first_seen_at: now,
        changed_at: now,
        note: None,
    })
}

fn texts(costs: &Costs) -> BTreeMap<String, String> {
    let texts = costs.iter();
    let texts =
        texts.map(|(category, amount)| (category.as_str().to_owned(), money::to_text(*amount)));
    texts.collect()
}

/// What a comparison of a day changes among the variances that are known of it. Those that are found again as they
/// are known change nothing; those that are not found any more are resolved; an accepted one whose figures change
/// is open again.
pub fn settle(known: &[Variance], found: Vec<Variance>, now: Timestamp) -> Vec<Variance> {
    let mut changed = Vec::new();
    for old in known
        .iter()
        .filter(|old| old.state != VarianceState::Resolved)
    {
        if found.iter().all(|new| new.id() != old.id()) {
            changed.push(Variance {
                state: VarianceState::Resolved,
                changed_at: now,
                ..old.clone()
            });
        }
    }
    for new in found {
        match known.iter().find(|old| old.id() == new.id()) {
            Some(old) if old.state != VarianceState::Resolved => {
                if old.figures() != new.figures() {
                    changed.push(Variance {
                        first_seen_at: old.first_seen_at,
                        ..new
                    });
                }
            }
            _ => changed.push(new),
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(category: &str, price: &str) -> UsageRecord {
        UsageRecord {
            category: category.to_owned(),
            day: jiff::civil::date(2026, 3, 1),
            count: Some(Decimal::ONE),
            usage: Some(Decimal::ONE),
            price: money::parse_decimal(price).ok(),
            price_unit: Some("USD".to_owned()),
            as_of: None,
        }
    }

    fn variance(account: u8, twilio: i64) -> Variance {
        let sid = format!("AC{account:032x}");
        let mut costs = Costs::new();
        add(&mut costs, &Category::OTHER, Decimal::from(twilio));
        let account = AccountDay {
            account_sid: AccountSid::parse(&sid).unwrap(),
            owner: None,
            side: Some(TwilioSide {
                total: Decimal::from(twilio),
                costs,
                ..TwilioSide::default()
            }),
        };
        let day = jiff::civil::date(2026, 3, 1);
        judge(day, Currency::USD, &account, Timestamp::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn leaves_and_residual_sum_to_twilios_total() {
        let records = [
            record("totalprice", "3.5"),
            record("sms", "2"),
            record("sms-outbound", "2"),
        ];
        let side = fold(&records, currency_of(&records).unwrap()).unwrap();
        assert_eq!(side.costs.values().sum::<Decimal>(), side.total);
        assert_eq!(money::to_text(side.costs[&Category::OTHER]), "1.5");
        assert!(!side.overlaps);
        let less = [record("totalprice", "1"), record("sms-outbound", "2")];
        assert!(fold(&less, Currency::USD).unwrap().overlaps);
    }

    #[test]
    fn an_unpriced_category_is_named_and_a_missing_total_refused() {
        let mut unpriced = record("sms-outbound", "1");
        unpriced.price = None;
        let side = fold(&[record("totalprice", "0"), unpriced], Currency::USD).unwrap();
        assert_eq!(side.unpriced, ["sms-outbound"]);
        let none = fold(&[record("sms-outbound", "1")], Currency::USD);
        assert_eq!(none, Err(SideError::NoTotal));
        let other = fold(
            &[record("totalprice", "1")],
            Currency::parse("EUR").unwrap(),
        );
        assert_eq!(other, Err(SideError::Currencies));
    }

    #[test]
    fn a_variance_opens_once_changes_with_its_figures_and_is_resolved_when_it_vanishes() {
        let (one, now) = (variance(1, 5), Timestamp::from_second(9).unwrap());
        assert_eq!(settle(&[], vec![one.clone()], now), vec![one.clone()]);
        assert_eq!(
            settle(std::slice::from_ref(&one), vec![one.clone()], now),
            []
        );
        let more = settle(std::slice::from_ref(&one), vec![variance(1, 6)], now);
        assert_eq!(
            (more.len(), more[0].twilio, more[0].state),
            (1, Decimal::from(6), VarianceState::Open)
        );
        let gone = settle(std::slice::from_ref(&one), Vec::new(), now);
        assert_eq!(
            (gone[0].state, gone[0].changed_at),
            (VarianceState::Resolved, now)
        );
        assert_eq!(settle(&gone, Vec::new(), now), []);
        assert_eq!(
            settle(&gone, vec![one.clone()], now),
            vec![one.clone()],
            "it is back"
        );
        let accepted = Variance {
            state: VarianceState::Accepted,
            ..one.clone()
        };
        assert_eq!(settle(std::slice::from_ref(&accepted), vec![one], now), []);
        let again = settle(std::slice::from_ref(&accepted), vec![variance(1, 7)], now);
        assert_eq!(again[0].state, VarianceState::Open);
    }

    proptest! {
        #[test]
        fn parts_and_what_is_left_always_sum_to_twilios_total(amounts in proptest::collection::vec((-500_i64..5_000, 0_i64..5_000, 0_i64..5_000, 0_i64..500), 1..5)) {
            let mut figures = DayFigures {
                day: jiff::civil::date(2026, 3, 1),
                currency: Currency::USD,
                whole: Costs::new(),
                own: Costs::new(),
                tenants: Costs::new(),
                closed: Costs::new(),
            };
            let categories: Vec<Category> = Category::all().collect();
            for (index, (whole, own, tenants, closed)) in amounts.into_iter().enumerate() {
                for (costs, amount) in [(&mut figures.whole, whole), (&mut figures.own, own), (&mut figures.tenants, tenants), (&mut figures.closed, closed)] {
                    add(costs, &categories[index], Decimal::new(amount, 5));
                }
            }
            let left = unattributed(&figures, &[], false, Timestamp::UNIX_EPOCH);
            let sum = |costs: &Costs| costs.values().copied().sum::<Decimal>();
            let parts = sum(&figures.own) + sum(&figures.tenants) + sum(&figures.closed);
            let rest = left.map_or(Decimal::ZERO, |left| left.difference());
            prop_assert_eq!(parts + rest, sum(&figures.whole));
        }
    }
}
