//! What a model charges for quantities: one formula each, rounded once, on the whole.

use rust_decimal::Decimal;

use crate::money::{self, LEDGER_SCALE};
use crate::period;
use crate::plan::{Measure, Model, Tier};
use crate::usage::Quantities;

/// Seconds of a minute, which a price with increments is for.
const MINUTE_S: Decimal = Decimal::from_parts(60, 0, 0, false, 0);

/// The charge for the whole of a line's quantities, or of a period's sums, at ledger scale. `period_days` is
/// for monthly fees. Taken-back usage (a negative cost) is taken back at the same factor.
pub fn charge(
    model: &Model,
    margin_floor: Option<Decimal>,
    quantities: &Quantities,
    period_days: i64,
) -> Decimal {
    let cost = quantities.cost;
    let least = margin_floor.map(|floor| Decimal::ONE + floor);
    if let Model::Multiplier {
        multiplier,
        minimum_per_unit,
        per,
    } = model
    {
        let factor = least.map_or(*multiplier, |least| least.max(*multiplier));
        let by_cost = cost * factor;
        let by_units = minimum_per_unit.filter(|_| !cost.is_sign_negative());
        let by_units = by_units.map(|minimum| minimum * measured(quantities, *per));
        return round(by_units.map_or(by_cost, |by_units| by_units.max(by_cost)));
    }
    let charge = by_quantity(model, quantities, period_days);
    match least {
        Some(least) if cost > Decimal::ZERO => charge.max(round(cost * least)),
        _ => charge,
    }
}

/// The quantity that a model prices.
pub fn quantity(model: &Model, quantities: &Quantities) -> Decimal {
    measured(quantities, model.measure())
}

fn by_quantity(model: &Model, quantities: &Quantities, period_days: i64) -> Decimal {
    let units = measured(quantities, model.measure());
    // Sums of a period cannot be owed backwards.
    let whole = units.max(Decimal::ZERO);
    match model {
        Model::Multiplier { multiplier, .. } => round(quantities.cost * multiplier),
        Model::Unit {
            unit_price,
            increments: Some(_),
            ..
        } => round(unit_price * quantities.seconds / MINUTE_S),
        Model::Unit { unit_price, .. } => round(unit_price * units),
        Model::Graduated { tiers, .. } => round(graduated(tiers, whole)),
        Model::Volume { tiers, .. } => round(volume(tiers, whole)),
        Model::Package {
            size,
            package_price,
            ..
        } => {
            let (begun, rest) = ((whole / size).trunc(), whole % size);
            let begun = if rest.is_zero() {
                begun
            } else {
                begun + Decimal::ONE
            };
            round(begun * package_price)
        }
        Model::Allowance {
            included,
            overage_unit_price,
            ..
        } => round((whole - included).max(Decimal::ZERO) * overage_unit_price),
        Model::Fee { monthly_fee } => period::prorated(*monthly_fee, whole, period_days),
    }
}

fn measured(quantities: &Quantities, per: Measure) -> Decimal {
    match per {
        Measure::Count => quantities.count,
        Measure::Usage => quantities.usage,
    }
}

fn graduated(tiers: &[Tier], units: Decimal) -> Decimal {
    let mut below = Decimal::ZERO;
    let mut charge = Decimal::ZERO;
    for tier in tiers {
        if units <= below {
            break;
        }
        let top = tier.up_to.map_or(units, |up_to| up_to.min(units));
        charge += (top - below) * tier.unit_price + tier.flat_fee;
        below = top;
        if tier.up_to.is_none_or(|up_to| units <= up_to) {
            break;
        }
    }
    charge
}

fn volume(tiers: &[Tier], units: Decimal) -> Decimal {
    let tier = tiers
        .iter()
        .find(|tier| tier.up_to.is_none_or(|up_to| units <= up_to));
    match tier {
        Some(tier) if units > Decimal::ZERO => units * tier.unit_price + tier.flat_fee,
        _ => Decimal::ZERO,
    }
}

fn round(value: Decimal) -> Decimal {
    money::round(value, LEDGER_SCALE)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::money::{parse_decimal, to_text};
    use crate::plan::Increments;

    fn decimal(text: &str) -> Decimal {
        parse_decimal(text).unwrap()
    }

    fn of(usage: &str, cost: &str) -> Quantities {
        Quantities {
            count: decimal(usage),
            usage: decimal(usage),
            cost: decimal(cost),
            seconds: Decimal::ZERO,
        }
    }

    fn tier(up_to: Option<i64>, price: &str, flat: &str) -> Tier {
        Tier {
            up_to: up_to.map(Decimal::from),
            unit_price: decimal(price),
            flat_fee: decimal(flat),
        }
    }

    fn text(model: &Model, floor: Option<&str>, quantities: &Quantities) -> String {
        to_text(charge(model, floor.map(decimal), quantities, 30))
    }

    #[test]
    fn a_multiplier_takes_the_greatest_of_factor_floor_and_minimum() {
        let multiplier = |minimum: Option<&str>| Model::Multiplier {
            multiplier: decimal("1.3"),
            minimum_per_unit: minimum.map(decimal),
            per: Measure::Count,
        };
        assert_eq!(text(&multiplier(None), None, &of("1", "0.0079")), "0.01027");
        assert_eq!(
            text(&multiplier(None), Some("0.5"), &of("1", "0.0079")),
            "0.01185"
        );
        assert_eq!(
            text(&multiplier(Some("0.02")), None, &of("3", "0.0079")),
            "0.06"
        );
        assert_eq!(
            text(&multiplier(Some("0.02")), None, &of("3", "-0.0079")),
            "-0.01027"
        );
    }

    #[test]
    fn a_unit_price_charges_quantities_and_never_less_than_the_margin_floor() {
        let unit = Model::Unit {
            unit_price: decimal("0.01"),
            per: Measure::Usage,
            increments: None,
        };
        assert_eq!(text(&unit, None, &of("12.5", "9")), "0.125");
        assert_eq!(text(&unit, Some("0.1"), &of("12.5", "9")), "9.9");
        let by_second = Model::Unit {
            unit_price: decimal("0.01"),
            per: Measure::Usage,
            increments: Some(Increments {
                first_s: 1,
                next_s: 1,
            }),
        };
        let call = Quantities {
            seconds: Decimal::from(61),
            ..of("2", "0.028")
        };
        assert_eq!(text(&by_second, None, &call), "0.010166667");
    }

    #[test]
    fn increments_are_priced_by_the_minute_at_a_price_that_is_not_one() {
        let by_second = Model::Unit {
            unit_price: decimal("3"),
            per: Measure::Usage,
            increments: Some(Increments {
                first_s: 1,
                next_s: 1,
            }),
        };
        let call = Quantities {
            seconds: Decimal::from(120),
            ..of("2", "0.028")
        };
        assert_eq!(text(&by_second, None, &call), "6");
    }

    #[test]
    fn no_units_owe_no_flat_fee_and_free_usage_no_floor() {
        let volume = Model::Volume {
            tiers: vec![tier(None, "1", "5")],
            per: Measure::Usage,
        };
        assert_eq!(text(&volume, None, &of("0", "0")), "0");
        assert_eq!(text(&volume, None, &of("1", "0")), "6");
        let unit = Model::Unit {
            unit_price: decimal("1"),
            per: Measure::Usage,
            increments: None,
        };
        assert_eq!(text(&unit, Some("0.1"), &of("-2", "0")), "-2");
    }

    #[test]
    fn tiers_include_their_bound() {
        let tiers = vec![
            tier(Some(10), "1", "0"),
            tier(Some(20), "0.5", "2"),
            tier(None, "0.1", "0"),
        ];
        let per = Measure::Usage;
        let graduated = Model::Graduated {
            tiers: tiers.clone(),
            per,
        };
        let volume = Model::Volume { tiers, per };
        for (units, by_tier, by_volume) in [
            ("0", "0", "0"),
            ("10", "10", "10"),
            ("11", "12.5", "7.5"),
            ("20", "17", "12"),
            ("25", "17.5", "2.5"),
            ("-3", "0", "0"),
        ] {
            assert_eq!(text(&graduated, None, &of(units, "0")), by_tier, "{units}");
            assert_eq!(text(&volume, None, &of(units, "0")), by_volume, "{units}");
        }
    }

    #[test]
    fn begun_packages_overage_and_days_of_a_fee_are_charged() {
        let package = Model::Package {
            size: decimal("100"),
            package_price: decimal("5"),
            per: Measure::Usage,
        };
        assert_eq!(text(&package, None, &of("100", "0")), "5");
        assert_eq!(text(&package, None, &of("100.5", "0")), "10");
        assert_eq!(text(&package, None, &of("0", "0")), "0");
        let allowance = Model::Allowance {
            included: decimal("1000"),
            overage_unit_price: decimal("0.02"),
            cap: None,
            hard: false,
            per: Measure::Usage,
        };
        assert_eq!(text(&allowance, None, &of("1000", "7")), "0");
        assert_eq!(text(&allowance, None, &of("1001", "7")), "0.02");
        assert_eq!(text(&allowance, Some("0.1"), &of("1000", "7")), "7.7");
        let fee = Model::Fee {
            monthly_fee: decimal("10"),
        };
        assert_eq!(text(&fee, None, &of("7", "0")), "2.333333333");
        assert_eq!(text(&fee, None, &of("30", "0")), "10");
    }

    proptest! {
        #[test]
        fn more_units_never_cost_less_by_graduated_tiers(
            units in 0_i64..100_000, more in 0_i64..1_000, prices in proptest::collection::vec(0_i64..1_000_000, 3),
        ) {
            let tiers = vec![
                Tier { up_to: Some(Decimal::from(100)), unit_price: Decimal::new(prices[0], 6), flat_fee: Decimal::ZERO },
                Tier { up_to: Some(Decimal::from(50_000)), unit_price: Decimal::new(prices[1], 6), flat_fee: Decimal::ONE },
                Tier { up_to: None, unit_price: Decimal::new(prices[2], 6), flat_fee: Decimal::ZERO },
            ];
            let model = Model::Graduated { tiers, per: Measure::Usage };
            let of = |units: i64| charge(&model, None, &of(&units.to_string(), "0"), 30);
            prop_assert!(of(units) <= of(units + more));
        }

        #[test]
        fn the_margin_floor_holds_for_every_model(cost in 0_i64..1_000_000, units in 0_i64..1_000_000, floor in 0_i64..10_000) {
            let quantities = of(&units.to_string(), &to_text(Decimal::new(cost, 5)));
            let floor = Decimal::new(floor, 4);
            let models = [
                Model::Multiplier { multiplier: decimal("0.5"), minimum_per_unit: None, per: Measure::Usage },
                Model::Unit { unit_price: decimal("0.001"), per: Measure::Usage, increments: None },
                Model::Package { size: decimal("1000"), package_price: decimal("1"), per: Measure::Usage },
                Model::Volume { tiers: vec![tier(None, "0.001", "0")], per: Measure::Usage },
            ];
            for model in models {
                let charged = charge(&model, Some(floor), &quantities, 30);
                prop_assert!(charged >= round(quantities.cost * (Decimal::ONE + floor)), "{:?}", model);
            }
        }
    }
}
