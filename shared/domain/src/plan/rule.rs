//! One rule of a plan: what it matches and how it charges.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::category::{Category, Direction, Group, NumberType};
use crate::money;

/// Decimals of a unit price, flat fee or monthly fee.
pub const UNIT_PRICE_SCALE_MAX: u32 = 6;
/// Unit prices and fees stay below this many currency units, so that price times quantity stays exact.
pub const UNIT_PRICE_MAX: i64 = 100_000;

/// A rule's name within a plan, or an override's within a tenant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RuleId(Arc<str>);

impl RuleId {
    /// The plan's default.
    pub const DEFAULT: &'static str = "default";
    /// What overrides' ids begin with; a plan's rules may not.
    pub const OVERRIDE_PREFIX: &'static str = "override-";
    const LENGTH_MAX: usize = 32;

    /// Lower-case letters, digits and hyphens, beginning with a letter.
    pub fn parse(text: &str) -> Option<Self> {
        let well_formed = (1..=Self::LENGTH_MAX).contains(&text.len())
            && text.as_bytes()[0].is_ascii_lowercase()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        well_formed.then(|| Self(text.into()))
    }

    /// The default's id.
    pub fn default_rule() -> Self {
        Self(Self::DEFAULT.into())
    }

    /// The id of a tenant's override.
    pub fn of_override(number: u32) -> Self {
        Self(format!("{}{number}", Self::OVERRIDE_PREFIX).into())
    }

    /// Is it the plan's default?
    pub fn is_default(&self) -> bool {
        &*self.0 == Self::DEFAULT
    }

    /// Is it an override's?
    pub fn is_override(&self) -> bool {
        self.0.starts_with(Self::OVERRIDE_PREFIX)
    }

    /// The id as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RuleId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a rule id has 1 to 32 lower-case letters, digits and hyphens")
    }
}

impl From<RuleId> for String {
    fn from(id: RuleId) -> String {
        id.0.as_ref().to_owned()
    }
}

impl Borrow<str> for RuleId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which categories a rule is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum CategoryMatch {
    /// All of Twilio's usage.
    Any,
    /// Several leaves.
    Group(Group),
    /// One category.
    One(Category),
}

impl CategoryMatch {
    /// Reads `any`, a group's or a category's name.
    pub fn parse(name: &str) -> Option<Self> {
        if name == "any" {
            return Some(Self::Any);
        }
        if let Some(group) = Group::ALL.into_iter().find(|group| group.as_str() == name) {
            return Some(Self::Group(group));
        }
        Category::parse(name).map(Self::One)
    }

    /// Its name.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Group(group) => group.as_str(),
            Self::One(category) => category.as_str(),
        }
    }

    /// Does it hold the category? Our own fees are named one by one.
    pub fn contains(&self, category: &Category) -> bool {
        match self {
            Self::Any => !category.is_fee(),
            Self::Group(group) => group.contains(category),
            Self::One(one) => one == category,
        }
    }

    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Any => 0,
            Self::Group(_) => 1,
            Self::One(_) => 2,
        }
    }
}

impl TryFrom<String> for CategoryMatch {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::parse(&name).ok_or("category is no leaf, group or fee, nor `any`")
    }
}

impl From<CategoryMatch> for String {
    fn from(category: CategoryMatch) -> String {
        category.as_str().to_owned()
    }
}

/// What a unit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// Each call, message, number, ...
    Count,
    /// Twilio's unit of the category: minutes, segments, ...
    #[default]
    Usage,
}

/// Billable seconds of a call: `first_s` at least, then in steps of `next_s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Increments {
    /// Least seconds of a call.
    pub first_s: u32,
    /// Seconds of each further step.
    pub next_s: u32,
}

impl Increments {
    /// What a call of this length is charged as.
    pub fn billable_s(self, duration_s: u64) -> u64 {
        let (first, next) = (u64::from(self.first_s), u64::from(self.next_s.max(1)));
        if duration_s <= first {
            return first;
        }
        first + (duration_s - first).div_ceil(next) * next
    }
}

/// A step of a graduated or volume price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// Last quantity of it, included; absent on the last tier.
    #[serde(
        default,
        with = "optional_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub up_to: Option<Decimal>,
    /// Price of a unit.
    #[serde(with = "money::text")]
    pub unit_price: Decimal,
    /// Charged once when the tier is reached.
    #[serde(
        default,
        with = "money::text",
        skip_serializing_if = "Decimal::is_zero"
    )]
    pub flat_fee: Decimal,
}

/// How a rule charges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Model {
    /// So many times the cost.
    Multiplier {
        /// Factor on cost.
        #[serde(with = "money::text")]
        multiplier: Decimal,
        /// Least charge for a unit.
        #[serde(
            default,
            with = "optional_text",
            skip_serializing_if = "Option::is_none"
        )]
        minimum_per_unit: Option<Decimal>,
        /// What a unit is, for the minimum.
        #[serde(default)]
        per: Measure,
    },
    /// A price for each unit.
    Unit {
        /// Price of a unit; of a minute, with increments.
        #[serde(with = "money::text")]
        unit_price: Decimal,
        /// What a unit is.
        #[serde(default)]
        per: Measure,
        /// How calls are rounded up; they are then charged by their own length.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        increments: Option<Increments>,
    },
    /// Each unit at the price of the tier that it falls in, over a billing period.
    Graduated {
        /// Tiers, upwards.
        tiers: Vec<Tier>,
        /// What a unit is.
        #[serde(default)]
        per: Measure,
    },
    /// All units at the price of the tier that their number falls in, over a billing period.
    Volume {
        /// Tiers, upwards.
        tiers: Vec<Tier>,
        /// What a unit is.
        #[serde(default)]
        per: Measure,
    },
    /// Whole packages of units, over a billing period.
    Package {
        /// Units of a package.
        #[serde(with = "money::text")]
        size: Decimal,
        /// Price of a package.
        #[serde(with = "money::text")]
        package_price: Decimal,
        /// What a unit is.
        #[serde(default)]
        per: Measure,
    },
    /// Units that are included in a billing period, and the price of those beyond.
    Allowance {
        /// Units included.
        #[serde(with = "money::text")]
        included: Decimal,
        /// Price of a unit beyond them.
        #[serde(with = "money::text")]
        overage_unit_price: Decimal,
        /// Quantity at which somebody must hear of it.
        #[serde(
            default,
            with = "optional_text",
            skip_serializing_if = "Option::is_none"
        )]
        cap: Option<Decimal>,
        /// Is new usage to be stopped at the cap? What happened is charged either way.
        #[serde(default)]
        hard: bool,
        /// What a unit is.
        #[serde(default)]
        per: Measure,
    },
    /// A monthly fee for a number or a tenant, by days.
    Fee {
        /// Fee of a whole billing period.
        #[serde(with = "money::text")]
        monthly_fee: Decimal,
    },
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name in the plan.
    pub id: RuleId,
    /// Which categories.
    pub category: CategoryMatch,
    /// Only usage that went this way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Only numbers of this country (ISO 3166).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Only numbers that begin with one of these digits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<String>,
    /// Only usage of this type of number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number_type: Option<NumberType>,
    /// How it charges.
    pub model: Model,
    /// Least margin of this rule, instead of the plan's.
    #[serde(
        default,
        with = "optional_text",
        skip_serializing_if = "Option::is_none"
    )]
    pub margin_floor: Option<Decimal>,
}

impl Rule {
    /// A multiplier on one category, named after it.
    pub fn multiplier(category: Category, multiplier: Decimal) -> Self {
        Self {
            id: RuleId(category.as_str().into()),
            category: CategoryMatch::One(category),
            direction: None,
            country: None,
            prefixes: Vec::new(),
            number_type: None,
            model: Model::Multiplier {
                multiplier,
                minimum_per_unit: None,
                per: Measure::Usage,
            },
            margin_floor: None,
        }
    }

    /// Does it ask for the number that was called or written to?
    pub fn needs_number(&self) -> bool {
        self.country.is_some() || !self.prefixes.is_empty()
    }
}

impl Model {
    /// Is it rated on the sums of a billing period, not day by day?
    pub fn is_of_period(&self) -> bool {
        !matches!(self, Self::Multiplier { .. } | Self::Unit { .. })
    }

    /// How calls are rounded up.
    pub fn increments(&self) -> Option<Increments> {
        match self {
            Self::Unit { increments, .. } => *increments,
            _ => None,
        }
    }

    /// What a unit is.
    pub fn measure(&self) -> Measure {
        match self {
            Self::Multiplier { per, .. }
            | Self::Unit { per, .. }
            | Self::Graduated { per, .. }
            | Self::Volume { per, .. }
            | Self::Package { per, .. }
            | Self::Allowance { per, .. } => *per,
            Self::Fee { .. } => Measure::Count,
        }
    }

    /// Its name, for people and programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Multiplier { .. } => "multiplier",
            Self::Unit { .. } => "unit",
            Self::Graduated { .. } => "graduated",
            Self::Volume { .. } => "volume",
            Self::Package { .. } => "package",
            Self::Allowance { .. } => "allowance",
            Self::Fee { .. } => "fee",
        }
    }
}

pub(crate) mod optional_text {
    //! An amount that may be absent, as a string.

    use rust_decimal::Decimal;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    use crate::money;

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(crate) fn serialize<S: Serializer>(
        value: &Option<Decimal>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.serialize_str(&money::to_text(*value)),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Decimal>, D::Error> {
        let text = Option::<std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.map(|text| money::parse_decimal(&text).map_err(D::Error::custom))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn increments_round_a_call_up_to_the_first_then_by_steps() {
        let of = |first_s, next_s, duration| Increments { first_s, next_s }.billable_s(duration);
        assert_eq!(
            [of(60, 60, 0), of(60, 60, 60), of(60, 60, 61)],
            [60, 60, 120]
        );
        assert_eq!([of(6, 6, 5), of(6, 6, 7), of(30, 6, 31)], [6, 12, 36]);
        assert_eq!([of(1, 1, 0), of(1, 1, 59)], [1, 59]);
    }

    #[test]
    fn a_rule_id_is_a_short_word() {
        assert!(RuleId::parse("uk-mobile-2").is_some());
        for wrong in ["", "2x", "UK", "a b", "a~b", &"x".repeat(33)] {
            assert!(RuleId::parse(wrong).is_none(), "{wrong}");
        }
        assert!(RuleId::of_override(3).is_override());
    }
}
