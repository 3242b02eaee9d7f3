//! Why a line is charged what it is charged: the rule's conditions, and its arithmetic step by step.
//!
//! The steps are computed anew from the quantities, and the last is the charge; so an explanation that does
//! not end at what is booked shows that the books are wrong, not that the words are.

use std::fmt::Write as _;

use rust_decimal::Decimal;

use crate::category::Category;
use crate::money::{LEDGER_SCALE, to_text};
use crate::plan::{CategoryMatch, Measure, Model, Rule, Tier};
use crate::rating::{charge, quantity};
use crate::usage::Quantities;

/// One step of a calculation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is computed.
    pub text: String,
    /// What comes of it.
    pub amount: Decimal,
}

/// Why usage of a category fell to a rule.
pub fn reasons(rule: &Rule, category: &Category) -> Vec<String> {
    if rule.id.is_default() {
        return vec!["no rule matches better: the plan's default".to_owned()];
    }
    let mut reasons = Vec::new();
    if rule.id.is_override() {
        reasons.push("an override of the tenant goes before the plan's rules".to_owned());
    }
    reasons.push(match &rule.category {
        CategoryMatch::Any => format!("the rule is for any category, so for {category}"),
        CategoryMatch::Group(group) => format!("{category} belongs to {}", group.as_str()),
        CategoryMatch::One(one) => format!("the rule is for {one}"),
    });
    if let Some(direction) = rule.direction {
        reasons.push(format!("{category} is {direction:?}").to_lowercase());
    }
    if let Some(country) = &rule.country {
        reasons.push(format!("the number belongs to {country}"));
    }
    if !rule.prefixes.is_empty() {
        let prefixes = rule.prefixes.join(", ");
        reasons.push(format!("the number begins with one of {prefixes}"));
    }
    if let Some(number_type) = rule.number_type {
        reasons.push(format!("the tenant's number is {number_type:?}").to_lowercase());
    }
    reasons
}

/// The calculation; the last step is the charge. `unit` names the units for people.
pub fn steps(
    model: &Model,
    margin_floor: Option<Decimal>,
    quantities: &Quantities,
    period_days: i64,
    unit: &str,
) -> Vec<Step> {
    let mut steps = Steps::default();
    let unit = match model.measure() {
        Measure::Count => "counted",
        Measure::Usage => unit,
    };
    let cost = quantities.cost;
    let least = margin_floor.map(|floor| Decimal::ONE + floor);
    if let Model::Multiplier {
        multiplier,
        minimum_per_unit,
        ..
    } = model
    {
        let by_cost = format!("cost {} x {}", to_text(cost), to_text(*multiplier));
        match least.filter(|least| least > multiplier) {
            // The floor takes the multiplier's place, for usage that was taken back, too.
            Some(least) => steps.add(floor_text(cost, least), cost * least),
            None => steps.add(by_cost, cost * multiplier),
        }
        if let Some(minimum) = minimum_per_unit.filter(|_| !cost.is_sign_negative()) {
            let units = quantity(model, quantities);
            let text = format!("at least {} {unit} x {}", to_text(units), to_text(minimum));
            steps.add_alternative(text, units * minimum);
        }
    } else {
        by_quantity(&mut steps, model, quantities, period_days, unit);
        if let Some(least) = least.filter(|_| cost > Decimal::ZERO) {
            steps.add_alternative(floor_text(cost, least), cost * least);
        }
    }
    let rounded = if steps.has_alternative {
        format!("the greater, rounded to {LEDGER_SCALE} decimals")
    } else {
        format!("rounded to {LEDGER_SCALE} decimals")
    };
    steps.add(
        rounded,
        charge(model, margin_floor, quantities, period_days),
    );
    steps.steps
}

#[derive(Default)]
struct Steps {
    steps: Vec<Step>,
    has_alternative: bool,
}

impl Steps {
    fn add(&mut self, text: String, amount: Decimal) {
        self.steps.push(Step { text, amount });
    }

    fn add_alternative(&mut self, text: String, amount: Decimal) {
        self.has_alternative = true;
        self.add(text, amount);
    }
}

fn floor_text(cost: Decimal, least: Decimal) -> String {
    format!("margin floor {} x {}", to_text(cost), to_text(least))
}

fn by_quantity(
    steps: &mut Steps,
    model: &Model,
    quantities: &Quantities,
    period_days: i64,
    unit: &str,
) {
    let units = quantity(model, quantities);
    let whole = units.max(Decimal::ZERO);
    let shown = to_text(whole);
    let (text, amount) = match model {
        Model::Multiplier { .. } => return,
        Model::Unit {
            unit_price,
            increments: Some(_),
            ..
        } => {
            let (seconds, price) = (quantities.seconds, to_text(*unit_price));
            let text = format!("{} billable seconds / 60 x {price}", to_text(seconds));
            (text, unit_price * seconds / Decimal::from(60))
        }
        Model::Unit { unit_price, .. } => {
            let text = format!("{} {unit} x {}", to_text(units), to_text(*unit_price));
            (text, units * unit_price)
        }
        Model::Graduated { tiers, .. } => return graduated(steps, tiers, whole, unit),
        Model::Volume { tiers, .. } => {
            let reached = |tier: &&Tier| tier.up_to.is_none_or(|up_to| whole <= up_to);
            match tiers.iter().find(reached).filter(|_| !whole.is_zero()) {
                Some(tier) => (
                    format!("all {shown} {unit} {}", tier_text(tier)),
                    whole * tier.unit_price + tier.flat_fee,
                ),
                None => (format!("{shown} {unit}"), Decimal::ZERO),
            }
        }
        Model::Package {
            size,
            package_price,
            ..
        } => {
            let full = (whole / size).trunc();
            let is_exact = (whole % size).is_zero();
            let begun = if is_exact { full } else { full + Decimal::ONE };
            let (size, price) = (to_text(*size), to_text(*package_price));
            let text = format!(
                "{shown} {unit} in packages of {size}: {} x {price}",
                to_text(begun)
            );
            (text, begun * package_price)
        }
        Model::Allowance {
            included,
            overage_unit_price,
            ..
        } => {
            let beyond = (whole - included).max(Decimal::ZERO);
            let text = format!(
                "{shown} {unit} less {} included: {} x {}",
                to_text(*included),
                to_text(beyond),
                to_text(*overage_unit_price)
            );
            (text, beyond * overage_unit_price)
        }
        Model::Fee { monthly_fee } => {
            let fee = to_text(*monthly_fee);
            let text = format!("{shown} unit-days x {fee} / {period_days} days of the period");
            (
                text,
                monthly_fee * whole / Decimal::from(period_days.max(1)),
            )
        }
    };
    steps.add(text, amount);
}

fn graduated(steps: &mut Steps, tiers: &[Tier], whole: Decimal, unit: &str) {
    let (mut below, mut sum) = (Decimal::ZERO, Decimal::ZERO);
    for tier in tiers {
        if whole <= below {
            break;
        }
        let top = tier.up_to.map_or(whole, |up_to| up_to.min(whole));
        let amount = (top - below) * tier.unit_price + tier.flat_fee;
        let text = format!("{} {unit} {}", to_text(top - below), tier_text(tier));
        steps.add(text, amount);
        sum += amount;
        below = top;
    }
    steps.add("sum of the tiers".to_owned(), sum);
}

fn tier_text(tier: &Tier) -> String {
    let bound = tier.up_to.map_or_else(
        || "in the last tier".to_owned(),
        |up_to| format!("in the tier up to {}", to_text(up_to)),
    );
    let mut text = format!("{bound} x {}", to_text(tier.unit_price));
    if !tier.flat_fee.is_zero() {
        write!(text, " + flat fee {}", to_text(tier.flat_fee)).expect("a text can be written to");
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::money::{parse_decimal, round};
    use crate::plan::Increments;

    fn decimal(text: &str) -> Decimal {
        parse_decimal(text).unwrap()
    }

    fn models() -> Vec<Model> {
        let per = Measure::Usage;
        let tier = |up_to: Option<i64>, price: &str, flat_fee: Decimal| Tier {
            up_to: up_to.map(Decimal::from),
            unit_price: decimal(price),
            flat_fee,
        };
        let tiers = vec![
            tier(Some(100), "0.01", Decimal::ONE),
            tier(None, "0.008", Decimal::ZERO),
        ];
        let unit = |increments| Model::Unit {
            unit_price: decimal("0.01"),
            per,
            increments,
        };
        let steps = Increments {
            first_s: 30,
            next_s: 6,
        };
        vec![
            Model::Multiplier {
                multiplier: decimal("1.1"),
                minimum_per_unit: Some(decimal("0.02")),
                per: Measure::Count,
            },
            unit(None),
            unit(Some(steps)),
            Model::Graduated {
                tiers: tiers.clone(),
                per,
            },
            Model::Volume { tiers, per },
            Model::Package {
                size: decimal("100"),
                package_price: decimal("5"),
                per,
            },
            Model::Allowance {
                included: decimal("100"),
                overage_unit_price: decimal("0.02"),
                cap: None,
                hard: false,
                per,
            },
            Model::Fee {
                monthly_fee: decimal("29"),
            },
        ]
    }

    fn of(usage: Decimal, cost: Decimal) -> Quantities {
        Quantities {
            count: Decimal::from(7),
            usage,
            cost,
            seconds: Decimal::from(366),
        }
    }

    #[test]
    fn every_model_is_explained_step_by_step() {
        let mut text = String::new();
        for model in models() {
            for floor in [None, Some(decimal("0.2"))] {
                writeln!(text, "{} floor {}", model.name(), floor.is_some()).unwrap();
                let quantities = of(decimal("120.5"), decimal("0.0079"));
                for step in steps(&model, floor, &quantities, 31, "minutes") {
                    writeln!(text, "  {} = {}", step.text, to_text(step.amount)).unwrap();
                }
            }
        }
        insta::assert_snapshot!(text);
    }

    proptest! {
        #[test]
        fn the_last_step_is_the_charge_and_one_of_the_steps_before_rounded(
            usage in -1_000_i64..1_000_000, cost in -1_000_i64..1_000_000, floor in proptest::option::of(0_i64..10_000),
        ) {
            let quantities = of(Decimal::new(usage, 2), Decimal::new(cost, 5));
            let floor = floor.map(|floor| Decimal::new(floor, 4));
            for model in models() {
                let steps = steps(&model, floor, &quantities, 31, "units");
                let (last, before) = steps.split_last().unwrap();
                prop_assert_eq!(last.amount, charge(&model, floor, &quantities, 31));
                let mut amounts = before.iter().map(|step| round(step.amount, LEDGER_SCALE));
                prop_assert!(amounts.any(|amount| amount == last.amount), "{:?} {:?}", model, steps);
            }
        }
    }
}
