//! Which rule a piece of usage falls to, and where a category's quantities must come from for that.

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::rule::{CategoryMatch, Measure, Model, Rule, RuleId};
use super::{PlanRef, PricePlan};
use crate::category::{Category, DetailFamily, NumberType};
use crate::numbering;

/// A rule of one tenant, for a span of days, that goes before the plan's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Its number within the tenant; the rule's id follows from it.
    pub number: u32,
    /// First GMT day.
    pub from: Date,
    /// The day after its last; absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
    /// What it matches and how it charges.
    pub rule: Rule,
}

impl Override {
    /// Is it in force on a day?
    pub fn holds(&self, day: Date) -> bool {
        self.from <= day && self.until.is_none_or(|until| day < until)
    }
}

/// Where a rule comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A plan version.
    Plan(PlanRef),
    /// The tenant's own.
    Override,
}

/// Where a category's quantities come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The daily usage record.
    Record,
    /// The daily usage records of its subcategories.
    Types,
    /// The list of single calls or messages.
    Detail(DetailFamily),
}

/// What a rule is held against.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The category.
    pub category: &'a Category,
    /// The digits of the number called or written to, if known.
    pub digits: Option<&'a str>,
    /// The type of the tenant's own number, if known.
    pub number_type: Option<NumberType>,
}

/// The rule that usage falls to.
#[derive(Debug, Clone, Copy)]
pub struct Matched<'a> {
    /// Its id.
    pub id: &'a RuleId,
    /// How it charges.
    pub model: &'a Model,
    /// Least margin as a share of cost.
    pub margin_floor: Option<Decimal>,
}

/// The rules in force for a tenant on a day.
#[derive(Debug)]
pub struct RuleSet<'a> {
    plan: &'a PricePlan,
    overrides: Vec<&'a Override>,
    default: Option<(RuleId, Model)>,
}

/// How well a rule fits; the greatest wins.
type Fit = (bool, usize, u8, u8, i64);

impl<'a> RuleSet<'a> {
    /// The plan's rules, behind the overrides that hold on the day.
    pub fn new(plan: &'a PricePlan, overrides: &'a [Override], day: Date) -> Self {
        let default = plan.default_multiplier.map(|multiplier| {
            let model = Model::Multiplier {
                multiplier,
                minimum_per_unit: None,
                per: Measure::Usage,
            };
            (RuleId::default_rule(), model)
        });
        Self {
            plan,
            overrides: overrides.iter().filter(|one| one.holds(day)).collect(),
            default,
        }
    }

    /// The plan version in force.
    pub fn plan(&self) -> &'a PricePlan {
        self.plan
    }

    /// The overrides in force.
    pub fn overrides(&self) -> &[&'a Override] {
        &self.overrides
    }

    /// Where a rule of this set comes from.
    pub fn origin(&self, id: &RuleId) -> Origin {
        if id.is_override() {
            Origin::Override
        } else {
            Origin::Plan(self.plan.reference.clone())
        }
    }

    /// All rules, overrides first.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        let own = self.overrides.iter().map(|one| &one.rule);
        own.chain(&self.plan.rules)
    }

    /// The rule that usage falls to. `None` only for fees that the plan does not have.
    pub fn best(&self, subject: Subject<'_>) -> Option<Matched<'_>> {
        let own = (0..).zip(&self.overrides).filter_map(|(position, one)| {
            // Of equals the later override wins, and the earlier rule of a plan.
            let fit = fit(&one.rule, subject, true, position)?;
            Some((fit, &one.rule))
        });
        let plans = (0..).zip(&self.plan.rules).filter_map(|(position, rule)| {
            let fit = fit(rule, subject, false, -position)?;
            Some((fit, rule))
        });
        let best = own.chain(plans).max_by_key(|(fit, _)| *fit);
        best.map(|(_, rule)| self.matched(rule))
            .or_else(|| self.fallback(subject.category))
    }

    /// A rule of this set by its id.
    pub fn by_id(&self, id: &RuleId) -> Option<Matched<'_>> {
        if id.is_default() {
            return self.fallback(&Category::OTHER);
        }
        let found = self.rules().find(|rule| rule.id == *id);
        found.map(|rule| self.matched(rule))
    }

    /// A rule of this set as it was written; the default as a rule for anything.
    pub fn written(&self, id: &RuleId) -> Option<Rule> {
        if id.is_default() {
            let (id, model) = self.default.clone()?;
            return Some(Rule {
                id,
                category: CategoryMatch::Any,
                model,
                ..Rule::multiplier(Category::OTHER, Decimal::ONE)
            });
        }
        self.rules().find(|rule| rule.id == *id).cloned()
    }

    /// Can every category's quantities be told from its daily record?
    pub fn needs_records_only(&self) -> bool {
        Category::all().all(|category| self.source(&category) == Source::Record)
    }

    /// Where a category's quantities come from.
    pub fn source(&self, category: &Category) -> Source {
        let may_match = |rule: &&Rule| {
            rule.category.contains(category)
                && rule
                    .direction
                    .is_none_or(|direction| category.direction() == Some(direction))
        };
        let mut typed = false;
        for rule in self.rules().filter(may_match) {
            if let Some(family) = category.detail_family()
                && (rule.needs_number() || rule.model.increments().is_some())
            {
                return Source::Detail(family);
            }
            typed |= rule.number_type.is_some();
        }
        if typed && !category.types().is_empty() {
            Source::Types
        } else {
            Source::Record
        }
    }

    /// Does any category of the family need its single items?
    pub fn needs_detail(&self, family: DetailFamily) -> bool {
        Category::all().any(|category| self.source(&category) == Source::Detail(family))
    }

    /// The plan's floor, where it holds for a rule. An override that is rated on a period's sums has its own
    /// floor only: the plan may change within the period, and the charge must not depend on which day is read
    /// last.
    fn floor_for(&self, rule: &Rule) -> Option<Decimal> {
        let is_free = rule.id.is_override() && rule.model.is_of_period();
        self.plan.margin_floor.filter(|_| !is_free)
    }

    /// Is there a fee per number held?
    pub fn has_number_fee(&self) -> bool {
        let fee = CategoryMatch::One(Category::NUMBER_FEE);
        self.rules().any(|rule| rule.category == fee)
    }

    fn matched<'s>(&'s self, rule: &'s Rule) -> Matched<'s> {
        Matched {
            id: &rule.id,
            model: &rule.model,
            margin_floor: rule.margin_floor.or(self.floor_for(rule)),
        }
    }

    fn fallback(&self, category: &Category) -> Option<Matched<'_>> {
        let (id, model) = self.default.as_ref().filter(|_| !category.is_fee())?;
        Some(Matched {
            id,
            model,
            margin_floor: self.plan.margin_floor,
        })
    }
}

fn fit(rule: &Rule, subject: Subject<'_>, is_override: bool, position: i64) -> Option<Fit> {
    if !rule.category.contains(subject.category) {
        return None;
    }
    if rule.direction.is_some() && rule.direction != subject.category.direction() {
        return None;
    }
    if rule.number_type.is_some() && rule.number_type != subject.number_type {
        return None;
    }
    let prefix = if rule.needs_number() {
        prefix_length(rule, subject.digits?)?
    } else {
        0
    };
    let conditions = u8::from(rule.direction.is_some()) + u8::from(rule.number_type.is_some());
    Some((
        is_override,
        prefix,
        rule.category.rank(),
        conditions,
        position,
    ))
}

/// How long the prefix is by which a rule holds the number, if it does. A rule with both a country and
/// prefixes wants both.
fn prefix_length(rule: &Rule, digits: &str) -> Option<usize> {
    let by_country = match &rule.country {
        Some(country) => {
            let origin = numbering::origin(digits).filter(|origin| origin.country == *country)?;
            origin.prefix.len()
        }
        None => 0,
    };
    if rule.prefixes.is_empty() {
        return Some(by_country);
    }
    let matching = rule
        .prefixes
        .iter()
        .filter(|prefix| digits.starts_with(prefix.as_str()));
    let longest = matching.map(String::len).max()?;
    Some(longest.max(by_country))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::category::{Direction, Group};
    use crate::money::parse_decimal;
    use crate::plan::Increments;
    use crate::plan::tests::plan;

    fn leaf(name: &str) -> Category {
        Category::leaf(name).unwrap()
    }

    fn rule(id: &str, category: CategoryMatch) -> Rule {
        Rule {
            id: RuleId::parse(id).unwrap(),
            category,
            ..Rule::multiplier(leaf("sms-outbound"), Decimal::TWO)
        }
    }

    fn best<'a>(
        rules: &'a RuleSet<'_>,
        category: &Category,
        digits: Option<&str>,
        number_type: Option<NumberType>,
    ) -> &'a str {
        let subject = Subject {
            category,
            digits,
            number_type,
        };
        rules.best(subject).map_or("-", |found| found.id.as_str())
    }

    #[test]
    fn an_override_of_a_period_has_its_own_floor_only_so_that_no_order_of_days_matters() {
        let plan = plan("1.5", &[], Some("0.2"));
        let own = |model: Model| Override {
            number: 1,
            from: date(2026, 3, 1),
            until: None,
            rule: Rule {
                id: RuleId::of_override(1),
                category: CategoryMatch::Any,
                model,
                ..Rule::multiplier(Category::OTHER, Decimal::ONE)
            },
        };
        let of_period = own(Model::Allowance {
            included: Decimal::ONE,
            overage_unit_price: Decimal::ONE,
            cap: None,
            hard: false,
            per: Measure::Usage,
        });
        let of_day = own(Model::Unit {
            unit_price: Decimal::ONE,
            per: Measure::Usage,
            increments: None,
        });
        for (own, floor) in [(of_period, None), (of_day, plan.margin_floor)] {
            let owns = [own];
            let rules = RuleSet::new(&plan, &owns, date(2026, 3, 5));
            let found = rules.by_id(&RuleId::of_override(1)).unwrap();
            assert_eq!(found.margin_floor, floor);
        }
    }

    #[test]
    fn the_longest_prefix_wins_then_the_leaf_then_conditions_then_order() {
        let mut plan = plan("1.3", &[], None);
        let calls = CategoryMatch::Group(Group::Calls);
        plan.rules = vec![
            rule("calls", calls.clone()),
            rule("calls-again", calls.clone()),
            Rule {
                direction: Some(Direction::Outbound),
                ..rule("calls-out", calls.clone())
            },
            Rule {
                country: Some("GB".into()),
                ..rule("gb", calls.clone())
            },
            Rule {
                prefixes: vec!["447".into(), "4479".into()],
                ..rule("gb-mobile", calls.clone())
            },
            rule("leaf", CategoryMatch::One(leaf("calls-inbound"))),
        ];
        let rules = RuleSet::new(&plan, &[], date(2026, 3, 1));
        let outbound = leaf("calls-outbound");
        assert_eq!(
            best(&rules, &outbound, Some("447900000000"), None),
            "gb-mobile"
        );
        assert_eq!(best(&rules, &outbound, Some("442000000000"), None), "gb");
        assert_eq!(
            best(&rules, &outbound, Some("14155550100"), None),
            "calls-out"
        );
        assert_eq!(best(&rules, &outbound, None, None), "calls-out");
        assert_eq!(best(&rules, &leaf("calls-inbound"), None, None), "leaf");
        assert_eq!(best(&rules, &leaf("calls-sip"), None, None), "default");
        assert_eq!(best(&rules, &Category::TENANT_FEE, None, None), "-");
    }

    #[test]
    fn an_override_goes_before_every_rule_of_the_plan_while_it_holds() {
        let mut plan = plan("1.3", &[("sms-outbound", "2")], None);
        plan.rules[0].prefixes = vec!["4479".into()];
        let mut own = Override {
            number: 1,
            from: date(2026, 3, 5),
            until: Some(date(2026, 3, 7)),
            rule: rule("override-1", CategoryMatch::Any),
        };
        own.rule.id = RuleId::of_override(1);
        let overrides = [own];
        let on = |day| {
            let rules = RuleSet::new(&plan, &overrides, day);
            let category = leaf("sms-outbound");
            best(&rules, &category, Some("447900000000"), None).to_owned()
        };
        assert_eq!(on(date(2026, 3, 4)), "sms-outbound");
        assert_eq!(on(date(2026, 3, 5)), "override-1");
        assert_eq!(on(date(2026, 3, 7)), "sms-outbound");
    }

    #[test]
    fn detail_is_read_only_where_a_rule_asks_for_destinations_or_increments() {
        let mut plan = plan(
            "1.3",
            &[("sms-outbound", "2"), ("calls-inbound", "2")],
            None,
        );
        plan.rules[0].country = Some("GB".into());
        plan.rules[1].model = Model::Unit {
            unit_price: parse_decimal("0.01").unwrap(),
            per: Measure::Usage,
            increments: Some(Increments {
                first_s: 6,
                next_s: 6,
            }),
        };
        plan.rules.push(Rule {
            number_type: Some(NumberType::Tollfree),
            ..rule("tollfree", CategoryMatch::One(leaf("phonenumbers")))
        });
        let rules = RuleSet::new(&plan, &[], date(2026, 3, 1));
        let source = |name| rules.source(&leaf(name));
        assert_eq!(source("sms-outbound"), Source::Detail(DetailFamily::Sms));
        assert_eq!(source("calls-inbound"), Source::Detail(DetailFamily::Calls));
        assert_eq!(source("calls-outbound"), Source::Record);
        assert_eq!(source("phonenumbers"), Source::Types);
        assert!(!rules.needs_detail(DetailFamily::Mms));
        let phonenumbers = leaf("phonenumbers");
        let found = best(&rules, &phonenumbers, None, Some(NumberType::Tollfree));
        assert_eq!(found, "tollfree");
    }
}
