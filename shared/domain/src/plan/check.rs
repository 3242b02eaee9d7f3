//! What a plan must be to be safe to rate with: it never charges nothing by omission, a negative amount, or
//! an amount that cannot be kept exactly.

use rust_decimal::Decimal;

use super::rule::{Model, Rule, Tier};
use super::{
    MULTIPLIER_MAX, MULTIPLIER_SCALE_MAX, Override, PLAN_NAME_MAX, PricePlan, RULES_MAX, RuleSet,
    Source, UNIT_PRICE_MAX, UNIT_PRICE_SCALE_MAX,
};
use crate::category::{Category, NumberType};
use crate::numbering;
use crate::period;

/// Quantities stay below this, so that price times quantity stays exact.
const QUANTITY_MAX: i64 = 1_000_000_000;
/// Tiers of a rule.
const TIERS_MAX: usize = 20;
/// Prefixes of a rule.
const PREFIXES_MAX: usize = 100;
/// Digits of a prefix.
const PREFIX_DIGITS_MAX: usize = 12;
/// Longest increment of a call, in seconds.
const INCREMENT_MAX_S: u32 = 3_600;
/// What a price must be.
const PRICE: &str = "a price must be at least 0 and below 100000, with at most 6 decimals";
/// What a quantity must be.
const QUANTITY: &str = "a quantity must be above 0 and below 1000000000, with at most 6 decimals";
/// Longest time to pay, in days.
const DUE_DAYS_MAX: u16 = 366;

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
    /// Something about new tenants.
    #[error("defaults: {0}")]
    Defaults(&'static str),
    /// Something about the whole plan.
    #[error("{0}")]
    Plan(&'static str),
    /// A rule is not safe to rate with.
    #[error("rule {rule}: {why}")]
    Rule {
        /// The rule.
        rule: String,
        /// Why.
        why: &'static str,
    },
    /// Without a default, some usage would be charged nothing.
    #[error("without default_multiplier no rule covers all of {0}")]
    Uncovered(String),
}

impl PricePlan {
    /// Refuses a plan that could charge nothing, a negative amount or an inexact one.
    pub fn check(&self) -> Result<(), PlanError> {
        check_name(&self.name)?;
        if let Some(multiplier) = self.default_multiplier {
            check_multiplier("default", multiplier)?;
        }
        check_floor(self.margin_floor)?;
        self.standing.check().map_err(PlanError::Standing)?;
        self.guards.check().map_err(PlanError::Plan)?;
        if self.rules.len() > RULES_MAX {
            return Err(PlanError::Plan("a plan has at most 200 rules"));
        }
        if self.due_days > DUE_DAYS_MAX {
            return Err(PlanError::Plan("due_days must not exceed 366"));
        }
        for (index, rule) in self.rules.iter().enumerate() {
            if rule.id.is_default() || rule.id.is_override() {
                return Err(refuse(rule, "this id is reserved"));
            }
            if self.rules[..index].iter().any(|other| other.id == rule.id) {
                return Err(refuse(rule, "another rule has this id"));
            }
            rule.check()?;
        }
        self.check_defaults()?;
        self.check_coverage()?;
        check_types(&RuleSet::new(self, &[], jiff::civil::Date::MIN))
    }

    fn check_defaults(&self) -> Result<(), PlanError> {
        let defaults = &self.defaults;
        period::check_time_zone(&defaults.time_zone).map_err(PlanError::Defaults)?;
        period::check_billing_day(defaults.billing_day).map_err(PlanError::Defaults)?;
        period::check_tax_rate(defaults.tax_rate).map_err(PlanError::Defaults)
    }

    fn check_coverage(&self) -> Result<(), PlanError> {
        if self.default_multiplier.is_some() {
            return Ok(());
        }
        let covers = |rule: &Rule, category: &Category| {
            let whole = !rule.needs_number() && rule.number_type.is_none();
            let directed = rule
                .direction
                .is_none_or(|direction| category.direction() == Some(direction));
            whole && directed && rule.category.contains(category)
        };
        let uncovered =
            Category::all().find(|category| !self.rules.iter().any(|rule| covers(rule, category)));
        match uncovered {
            Some(category) => Err(PlanError::Uncovered(category.to_string())),
            None => Ok(()),
        }
    }
}

impl RuleSet<'_> {
    /// Refuses rules that are safe one by one and not together.
    pub fn check(&self) -> Result<(), PlanError> {
        check_types(self)
    }
}

impl Override {
    /// Refuses an override that would not be safe on top of this plan.
    pub fn check(&self, plan: &PricePlan) -> Result<(), PlanError> {
        if self.until.is_some_and(|until| until <= self.from) {
            return Err(refuse(&self.rule, "until must lie behind from"));
        }
        self.rule.check()?;
        let own = std::slice::from_ref(self);
        check_types(&RuleSet::new(plan, own, self.from))
    }
}

impl Rule {
    /// Refuses a rule that could charge nothing by omission, a negative or an inexact amount.
    pub fn check(&self) -> Result<(), PlanError> {
        let refuse = |why| Err(refuse(self, why));
        check_floor(self.margin_floor)?;
        if let Some(country) = &self.country
            && !numbering::is_country(country)
        {
            return refuse("country is no ISO 3166 code with numbers of its own");
        }
        let is_prefix = |prefix: &String| {
            (1..=PREFIX_DIGITS_MAX).contains(&prefix.len())
                && prefix.bytes().all(|byte| byte.is_ascii_digit())
                && !prefix.starts_with('0')
        };
        if self.prefixes.len() > PREFIXES_MAX || !self.prefixes.iter().all(is_prefix) {
            return refuse("prefixes are at most 100, of 1 to 12 digits, without + and leading 0");
        }
        let covered: Vec<Category> = self.covered().collect();
        if covered.is_empty() {
            return refuse("no category has this direction");
        }
        if self.needs_number() && !covered.iter().any(|one| one.detail_family().is_some()) {
            return refuse("only calls, SMS and MMS are known by destination");
        }
        if self.number_type.is_some() && !covered.iter().any(|one| !one.types().is_empty()) {
            return refuse("no such category is known by type of number");
        }
        if self.model.increments().is_some()
            && !covered
                .iter()
                .all(|one| matches!(one.as_str(), "calls-inbound" | "calls-outbound"))
        {
            return refuse("increments are for calls-inbound and calls-outbound");
        }
        let is_multiplier = matches!(self.model, Model::Multiplier { .. });
        if !is_multiplier && covered.iter().any(Category::is_cost_only) {
            return refuse(
                "other and carrier fees have no quantity: only a multiplier can price them",
            );
        }
        let is_fee = matches!(self.model, Model::Fee { .. });
        if is_fee != covered.iter().all(Category::is_fee) {
            return refuse(
                "a monthly fee stands under tenant-fee or number-fee, and nothing else does",
            );
        }
        if is_fee && (self.direction.is_some() || self.number_type.is_some()) {
            return refuse("a monthly fee has no further conditions");
        }
        self.check_model()
    }

    /// The categories that it can match.
    fn covered(&self) -> impl Iterator<Item = Category> {
        let fees = [Category::TENANT_FEE, Category::NUMBER_FEE];
        Category::all().chain(fees).filter(|category| {
            self.category.contains(category)
                && self
                    .direction
                    .is_none_or(|direction| category.direction() == Some(direction))
        })
    }

    fn check_model(&self) -> Result<(), PlanError> {
        let refuse = |why| Err(refuse(self, why));
        match &self.model {
            Model::Multiplier {
                multiplier,
                minimum_per_unit,
                ..
            } => {
                check_multiplier(self.id.as_str(), *multiplier)?;
                if minimum_per_unit.is_some_and(|price| !is_price(price)) {
                    return refuse(PRICE);
                }
                if minimum_per_unit.is_some() && self.covered().any(|one| one.is_cost_only()) {
                    return refuse("other and carrier fees have no quantity to have a minimum");
                }
            }
            Model::Unit {
                unit_price,
                increments,
                ..
            } => {
                if !is_price(*unit_price) {
                    return refuse(PRICE);
                }
                let bad = |seconds| seconds == 0 || seconds > INCREMENT_MAX_S;
                if increments.is_some_and(|one| bad(one.first_s) || bad(one.next_s)) {
                    return refuse("increments are 1 to 3600 seconds");
                }
            }
            Model::Graduated { tiers, .. } | Model::Volume { tiers, .. } => {
                if let Some(why) = wrong_tiers(tiers) {
                    return refuse(why);
                }
            }
            Model::Package {
                size,
                package_price,
                ..
            } => {
                if !is_price(*package_price) {
                    return refuse(PRICE);
                }
                if !is_quantity(*size) {
                    return refuse(QUANTITY);
                }
            }
            Model::Allowance {
                included,
                overage_unit_price,
                cap,
                hard,
                ..
            } => {
                if !is_price(*overage_unit_price) {
                    return refuse(PRICE);
                }
                if !is_quantity(*included) || cap.is_some_and(|cap| !is_quantity(cap)) {
                    return refuse(QUANTITY);
                }
                if *hard && cap.is_none() {
                    return refuse("a hard cap needs a cap");
                }
            }
            Model::Fee { monthly_fee } => {
                if !is_price(*monthly_fee) {
                    return refuse(PRICE);
                }
            }
        }
        Ok(())
    }
}

fn wrong_tiers(tiers: &[Tier]) -> Option<&'static str> {
    let Some((last, before)) = tiers.split_last() else {
        return Some("tiers must not be empty");
    };
    if tiers.len() > TIERS_MAX {
        return Some("a rule has at most 20 tiers");
    }
    if last.up_to.is_some() || before.iter().any(|tier| tier.up_to.is_none()) {
        return Some("the last tier, and only it, has no up_to");
    }
    let bounds: Vec<Decimal> = before.iter().filter_map(|tier| tier.up_to).collect();
    if !bounds.iter().all(|bound| is_quantity(*bound)) || !bounds.is_sorted_by(|a, b| a < b) {
        return Some("up_to must grow from tier to tier, below 1000000000");
    }
    let priced = |tier: &Tier| is_price(tier.unit_price) && is_price(tier.flat_fee);
    if !tiers.iter().all(priced) {
        return Some(PRICE);
    }
    None
}

/// Items of a list do not say whether a long number is a mobile one: such a rule would never match.
fn check_types(rules: &RuleSet<'_>) -> Result<(), PlanError> {
    for rule in rules.rules() {
        let unseen = matches!(
            rule.number_type,
            Some(NumberType::Local | NumberType::Mobile | NumberType::Longcode)
        );
        let meets_detail = rule
            .covered()
            .any(|category| matches!(rules.source(&category), Source::Detail(_)));
        if unseen && meets_detail {
            return Err(refuse(
                rule,
                "where single calls or messages are rated, number_type can only be tollfree or shortcode",
            ));
        }
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), PlanError> {
    let length = name.chars().count();
    if length == 0
        || length > PLAN_NAME_MAX
        || name.chars().any(char::is_control)
        || name.trim().is_empty()
    {
        return Err(PlanError::Name);
    }
    Ok(())
}

fn check_multiplier(of: &str, value: Decimal) -> Result<(), PlanError> {
    if value <= Decimal::ZERO || !is_factor(value) {
        return Err(PlanError::Multiplier(of.to_owned()));
    }
    Ok(())
}

fn check_floor(floor: Option<Decimal>) -> Result<(), PlanError> {
    if floor.is_some_and(|floor| floor < Decimal::ZERO || !is_factor(floor)) {
        return Err(PlanError::MarginFloor);
    }
    Ok(())
}

fn is_factor(value: Decimal) -> bool {
    value < Decimal::from(MULTIPLIER_MAX) && value.normalize().scale() <= MULTIPLIER_SCALE_MAX
}

fn is_price(value: Decimal) -> bool {
    value >= Decimal::ZERO
        && value < Decimal::from(UNIT_PRICE_MAX)
        && value.normalize().scale() <= UNIT_PRICE_SCALE_MAX
}

fn is_quantity(value: Decimal) -> bool {
    value > Decimal::ZERO
        && value < Decimal::from(QUANTITY_MAX)
        && value.normalize().scale() <= UNIT_PRICE_SCALE_MAX
}

fn refuse(rule: &Rule, why: &'static str) -> PlanError {
    PlanError::Rule {
        rule: rule.id.as_str().to_owned(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::category::{Direction, Group};
    use crate::money::parse_decimal;
    use crate::plan::tests::plan;
    use crate::plan::{CategoryMatch, Increments, Measure, RuleId};

    type Change = Box<dyn FnOnce(&mut Rule)>;

    fn unit(price: &str) -> Model {
        Model::Unit {
            unit_price: parse_decimal(price).unwrap(),
            per: Measure::Usage,
            increments: None,
        }
    }

    fn with(change: impl FnOnce(&mut Rule)) -> Result<(), PlanError> {
        let mut plan = plan("1.3", &[("calls-outbound", "2")], None);
        change(&mut plan.rules[0]);
        plan.check()
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

    #[test]
    fn without_a_default_every_category_must_be_covered_unconditionally() {
        let mut plan = plan("1.3", &[("calls-outbound", "2")], None);
        plan.default_multiplier = None;
        assert!(matches!(plan.check(), Err(PlanError::Uncovered(_))));
        plan.rules[0].category = CategoryMatch::Any;
        assert_eq!(plan.check(), Ok(()));
        plan.rules[0].country = Some("GB".into());
        assert!(matches!(plan.check(), Err(PlanError::Uncovered(_))));
    }

    #[test]
    fn rules_that_could_not_be_rated_are_refused() {
        assert_eq!(with(|rule| rule.model = unit("0.01")), Ok(()));
        let increments = |first_s, next_s| Model::Unit {
            unit_price: Decimal::ONE,
            per: Measure::Usage,
            increments: Some(Increments { first_s, next_s }),
        };
        let fee = Model::Fee {
            monthly_fee: Decimal::ONE,
        };
        let tiers = |bounds: &[Option<i64>]| Model::Graduated {
            tiers: bounds
                .iter()
                .map(|up_to| Tier {
                    up_to: up_to.map(Decimal::from),
                    unit_price: Decimal::ONE,
                    flat_fee: Decimal::ZERO,
                })
                .collect(),
            per: Measure::Usage,
        };
        assert_eq!(with(|rule| rule.model = increments(6, 6)), Ok(()));
        assert_eq!(
            with(|rule| rule.model = tiers(&[Some(5), Some(9), None])),
            Ok(())
        );
        let refused: Vec<Change> = vec![
            Box::new(|rule| rule.model = unit("0.0000001")),
            Box::new(|rule| rule.model = unit("-1")),
            Box::new(move |rule| rule.model = increments(0, 6)),
            Box::new(move |rule| rule.model = fee),
            Box::new(move |rule| rule.model = tiers(&[])),
            Box::new(move |rule| rule.model = tiers(&[Some(5)])),
            Box::new(move |rule| rule.model = tiers(&[Some(9), Some(5), None])),
            Box::new(|rule| rule.country = Some("XX".into())),
            Box::new(|rule| rule.prefixes = vec!["+44".into()]),
            Box::new(|rule| rule.direction = Some(Direction::Inbound)),
            Box::new(|rule| rule.number_type = Some(NumberType::Local)),
            Box::new(|rule| rule.id = RuleId::default_rule()),
            Box::new(|rule| {
                rule.category = CategoryMatch::Group(Group::CarrierFees);
                rule.model = unit("0.01");
            }),
            Box::new(|rule| {
                rule.category = CategoryMatch::One(Category::OTHER);
                rule.prefixes = vec!["44".into()];
            }),
        ];
        for (index, change) in refused.into_iter().enumerate() {
            assert!(with(change).is_err(), "change {index}");
        }
    }

    #[test]
    fn a_type_of_number_that_single_calls_do_not_show_is_refused_beside_increments() {
        let mut plan = plan("1.3", &[("calls-inbound", "2"), ("sms-inbound", "2")], None);
        plan.rules[0].number_type = Some(NumberType::Mobile);
        assert_eq!(plan.check(), Ok(()));
        plan.rules[1] = Rule {
            prefixes: vec!["44".into()],
            ..Rule::multiplier(Category::leaf("calls-inbound").unwrap(), Decimal::TWO)
        };
        plan.rules[1].id = RuleId::parse("gb").unwrap();
        assert!(plan.check().is_err());
    }
}
