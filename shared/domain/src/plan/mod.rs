//! Price plans: how cost and quantity become a charge. A version never changes once it exists.
//!
//! A plan is a list of rules and a default. Where nothing matches, the default multiplier is charged; a plan
//! without one must cover every category by itself, so that nothing is ever charged zero by omission.

mod check;
mod matching;
pub(crate) mod rule;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

pub use check::PlanError;
pub use matching::{Matched, Origin, Override, RuleSet, Source, Subject};
pub use rule::{
    CategoryMatch, Increments, Measure, Model, Rule, RuleId, Tier, UNIT_PRICE_MAX,
    UNIT_PRICE_SCALE_MAX,
};

use crate::guards::GuardPolicy;
use crate::ids::PlanId;
use crate::money::Currency;
use crate::standing::StandingPolicy;

/// Decimals a multiplier or margin floor may carry: with ten on cost, products stay exact.
pub const MULTIPLIER_SCALE_MAX: u32 = 4;
/// Multipliers stay below this.
pub const MULTIPLIER_MAX: i64 = 10_000;
/// Characters of a plan's name.
pub const PLAN_NAME_MAX: usize = 100;
/// Rules of a plan.
pub const RULES_MAX: usize = 200;

/// One version of a price plan, named exactly.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PlanRef {
    /// The plan.
    pub id: PlanId,
    /// Its version, from 1.
    pub version: u32,
}

/// When a tenant pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Payment {
    /// Before it uses anything.
    #[default]
    Prepaid,
    /// By its statements.
    Postpaid,
}

/// What new tenants of a plan begin with, where their sign-up says nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TenantDefaults {
    /// IANA name of the time zone that billing periods follow.
    pub time_zone: String,
    /// Day of the month on which a billing period begins.
    pub billing_day: i8,
    /// Tax on statements, as a share: 0.19.
    #[serde(with = "crate::money::text")]
    pub tax_rate: Decimal,
}

impl Default for TenantDefaults {
    fn default() -> Self {
        Self {
            time_zone: "UTC".to_owned(),
            billing_day: 1,
            tax_rate: Decimal::ZERO,
        }
    }
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
    /// Multiplier for what no rule matches. Without it the rules must cover everything.
    pub default_multiplier: Option<Decimal>,
    /// Rules, in the order that decides between equals.
    pub rules: Vec<Rule>,
    /// Least margin as a share of cost: 0.1 charges at least 1.1 times the cost.
    pub margin_floor: Option<Decimal>,
    /// When its tenants pay.
    pub payment: Payment,
    /// Days from a final statement to the day it is due.
    pub due_days: u16,
    /// When a tenant on this plan is warned, suspended and reactivated.
    pub standing: StandingPolicy,
    /// What the guards of its tenants look for.
    pub guards: GuardPolicy,
    /// What its new tenants begin with.
    pub defaults: TenantDefaults,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::category::Category;
    use crate::money::parse_decimal;

    /// A plan of multipliers.
    pub(crate) fn plan(default: &str, own: &[(&str, &str)], floor: Option<&str>) -> PricePlan {
        let rules = own.iter().map(|(name, value)| {
            let category = Category::leaf(name).unwrap();
            Rule::multiplier(category, parse_decimal(value).unwrap())
        });
        PricePlan {
            reference: PlanRef {
                id: PlanId::from_ulid(ulid::Ulid::from_parts(1, 1)),
                version: 1,
            },
            name: "Standard".to_owned(),
            currency: Currency::USD,
            default_multiplier: Some(parse_decimal(default).unwrap()),
            rules: rules.collect(),
            margin_floor: floor.map(|floor| parse_decimal(floor).unwrap()),
            payment: Payment::Prepaid,
            due_days: 14,
            standing: StandingPolicy::default(),
            guards: GuardPolicy::default(),
            defaults: TenantDefaults::default(),
        }
    }
}
