//! Price plans: how cost becomes a charge. A version never changes once it exists.
//!
//! Version 1 of the model is a multiplier on cost per category with a required default, so that nothing is
//! ever charged zero by omission, and a margin floor under all of them.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::ids::PlanId;
use crate::money::{self, Currency};
use crate::standing::StandingPolicy;
use crate::usage::Category;

/// Decimals a multiplier or margin floor may carry: with ten on cost, products stay exact.
pub const MULTIPLIER_SCALE_MAX: u32 = 4;
/// Multipliers stay below this.
pub const MULTIPLIER_MAX: i64 = 10_000;
/// Characters of a plan's name.
pub const PLAN_NAME_MAX: usize = 100;

/// One version of a price plan, named exactly.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PlanRef {
    /// The plan.
    pub id: PlanId,
    /// Its version, from 1.
    pub version: u32,
}

/// One immutable version of a price plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PricePlan {
    /// Which plan and version this is.
    pub reference: PlanRef,
    /// For people.
    pub name: String,
    /// Currency of its tenants.
    pub currency: Currency,
    /// Multiplier for categories without one of their own.
    pub default_multiplier: Decimal,
    /// Multipliers by category.
    pub multipliers: BTreeMap<Category, Decimal>,
    /// Least margin as a share of cost: 0.1 charges at least 1.1 times the cost.
    pub margin_floor: Option<Decimal>,
    /// When a tenant on this plan is warned, suspended and reactivated.
    pub standing: StandingPolicy,
}

/// A plan that would not be safe to rate with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The name is empty, too long or holds control characters.
    #[error("name must have 1 to {PLAN_NAME_MAX} printable characters")]
    Name,
    /// A multiplier is not positive, too large or too fine.
    #[error(
        "multiplier of {0} must be above 0 and below {MULTIPLIER_MAX}, with at most {MULTIPLIER_SCALE_MAX} decimals"
    )]
    Multiplier(String),
    /// The margin floor is negative, too large or too fine.
    #[error(
        "margin_floor must be at least 0 and below {MULTIPLIER_MAX}, with at most {MULTIPLIER_SCALE_MAX} decimals"
    )]
    MarginFloor,
    /// The standing policy contradicts itself.
    #[error("{0}")]
    Standing(&'static str),
}

impl PricePlan {
    /// Refuses a plan that could charge nothing, a negative amount or an inexact one.
    pub fn check(&self) -> Result<(), PlanError> {
        let length = self.name.chars().count();
        if length == 0
            || length > PLAN_NAME_MAX
            || self.name.chars().any(char::is_control)
            || self.name.trim().is_empty()
        {
            return Err(PlanError::Name);
        }
        let named = self
            .multipliers
            .iter()
            .map(|(category, value)| (category.as_str(), *value));
        for (name, value) in named.chain([("default", self.default_multiplier)]) {
            if value <= Decimal::ZERO || !is_exact(value) {
                return Err(PlanError::Multiplier(name.to_owned()));
            }
        }
        if self
            .margin_floor
            .is_some_and(|floor| floor < Decimal::ZERO || !is_exact(floor))
        {
            return Err(PlanError::MarginFloor);
        }
        self.standing.check().map_err(PlanError::Standing)
    }

    /// The multiplier that a category's cost is charged with: its own or the default, never below the floor.
    pub fn multiplier(&self, category: &Category) -> Decimal {
        let own = self
            .multipliers
            .get(category)
            .copied()
            .unwrap_or(self.default_multiplier);
        match self.margin_floor {
            Some(floor) => own.max(Decimal::ONE + floor),
            None => own,
        }
    }

    /// The charge for a category's whole cost of a day, at ledger scale. Negative cost gives negative charge.
    pub fn charge(&self, category: &Category, cost: Decimal) -> Decimal {
        money::round(cost * self.multiplier(category), money::LEDGER_SCALE)
    }
}

fn is_exact(value: Decimal) -> bool {
    value < Decimal::from(MULTIPLIER_MAX) && value.normalize().scale() <= MULTIPLIER_SCALE_MAX
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::money::parse_decimal;

    pub(crate) fn plan(default: &str, own: &[(&str, &str)], floor: Option<&str>) -> PricePlan {
        PricePlan {
            reference: PlanRef {
                id: PlanId::from_ulid(ulid::Ulid::from_parts(1, 1)),
                version: 1,
            },
            name: "Standard".to_owned(),
            currency: Currency::USD,
            default_multiplier: parse_decimal(default).unwrap(),
            multipliers: own
                .iter()
                .map(|(name, value)| {
                    (
                        Category::parse(name).unwrap(),
                        parse_decimal(value).unwrap(),
                    )
                })
                .collect(),
            margin_floor: floor.map(|floor| parse_decimal(floor).unwrap()),
            standing: StandingPolicy::default(),
        }
    }

    #[test]
    fn a_category_is_charged_by_its_own_multiplier_else_by_the_default() {
        let plan = plan("1.3", &[("calls-outbound", "2")], None);
        let charge = |name, cost| {
            money::to_text(plan.charge(
                &Category::parse(name).unwrap(),
                parse_decimal(cost).unwrap(),
            ))
        };
        assert_eq!(charge("calls-outbound", "0.0085"), "0.017");
        assert_eq!(charge("sms-outbound", "0.0079"), "0.01027");
        assert_eq!(charge("other", "-0.0079"), "-0.01027");
    }

    #[test]
    fn the_margin_floor_lifts_low_multipliers() {
        let plan = plan("1.05", &[("calls-outbound", "2")], Some("0.2"));
        assert_eq!(
            plan.multiplier(&Category::OTHER),
            parse_decimal("1.2").unwrap()
        );
        assert_eq!(
            plan.multiplier(&Category::parse("calls-outbound").unwrap()),
            Decimal::TWO
        );
    }

    #[test]
    fn plans_that_could_charge_nothing_or_inexactly_are_refused() {
        assert_eq!(plan("1.3", &[], None).check(), Ok(()));
        assert!(plan("0", &[], None).check().is_err());
        assert!(plan("-1", &[], None).check().is_err());
        assert!(plan("1.00001", &[], None).check().is_err());
        assert!(plan("10000", &[], None).check().is_err());
        assert!(plan("1.3", &[("sms-outbound", "0")], None).check().is_err());
        assert!(plan("1.3", &[], Some("-0.1")).check().is_err());
        let mut nameless = plan("1.3", &[], None);
        nameless.name = " ".to_owned();
        assert_eq!(nameless.check(), Err(PlanError::Name));
    }
}
