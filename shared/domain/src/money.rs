//! Amounts, their exact parsing and the one rounding function.
//!
//! The ledger keeps nine decimals. A cost has at most ten decimals and a multiplier at most four, both
//! bounded in size, so that their product always fits a `Decimal` exactly: rust_decimal would round a
//! product that does not fit, silently.

use std::fmt;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

/// Decimals that ledger amounts carry.
pub const LEDGER_SCALE: u32 = 9;
/// Decimals a cost from Twilio may carry (five are usual).
pub const COST_SCALE_MAX: u32 = 10;
/// Quantities of usage stay below this.
pub const QUANTITY_MAX: i64 = 10_000_000_000;
/// Decimals a quantity may carry.
pub const QUANTITY_SCALE_MAX: u32 = 6;
/// Units that `cut` hands out at most: far more than shares can lack.
const ROUNDS_MAX: usize = 100_000;
/// A single cost or charge stays below this many currency units; more is a fault, not a sale.
pub const AMOUNT_MAX: i64 = 1_000_000_000;
/// Balances and totals stay below this, so that nine decimals always fit.
pub const BALANCE_MAX: i64 = 1_000_000_000_000_000_000;

/// What is wrong with an amount. All of them are refusals: nothing is guessed or rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// Not a plain decimal number.
    #[error("not a decimal number")]
    NotANumber,
    /// More digits than can be kept exactly.
    #[error("more digits than can be kept exactly")]
    TooPrecise,
    /// Too large.
    #[error("amount out of range")]
    OutOfRange,
    /// Not an ISO 4217 currency code.
    #[error("not an ISO 4217 currency")]
    UnknownCurrency,
    /// Amounts of different currencies met.
    #[error("currencies differ")]
    CurrencyMismatch,
}

/// An ISO 4217 currency.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// US dollar, Twilio's usual currency.
    pub const USD: Self = Self(iso_currency::Currency::USD);

    /// Reads a code in either case: Twilio writes `USD` on calls and `usd` on usage records.
    pub fn parse(code: &str) -> Result<Self, MoneyError> {
        // Every record has one: no text is made for it.
        let letters: [u8; 3] = code
            .as_bytes()
            .try_into()
            .map_err(|_| MoneyError::UnknownCurrency)?;
        let upper = letters.map(|letter| letter.to_ascii_uppercase());
        let upper = std::str::from_utf8(&upper).map_err(|_| MoneyError::UnknownCurrency)?;
        iso_currency::Currency::from_code(upper)
            .map(Self)
            .ok_or(MoneyError::UnknownCurrency)
    }

    /// The upper-case code.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Decimals of the minor unit: 2 for USD, 0 for JPY.
    pub fn minor_scale(self) -> u32 {
        self.0.exponent().map_or(2, u32::from)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl TryFrom<String> for Currency {
    type Error = MoneyError;

    fn try_from(code: String) -> Result<Self, MoneyError> {
        Self::parse(&code)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.code().to_owned()
    }
}

/// The one rounding function: midpoint away from zero.
///
/// Applied to cumulative amounts and where money enters or leaves, never to a difference.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one rounding function"
)]
pub fn round(value: Decimal, scale: u32) -> Decimal {
    value.round_dp_with_strategy(scale, RoundingStrategy::MidpointAwayFromZero)
}

/// Reads a decimal number exactly or refuses it: optional minus, digits, fraction, exponent.
///
/// `Decimal::from_str` would round long input and accept `1_000`.
pub fn parse_decimal(text: &str) -> Result<Decimal, MoneyError> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
        None => (text, 0),
    };
    let digits = mantissa.strip_prefix('-').unwrap_or(mantissa);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return Err(MoneyError::NotANumber);
    }
    let value = Decimal::from_str_exact(mantissa).map_err(|_| MoneyError::TooPrecise)?;
    shift(value, exponent)
}

fn parse_exponent(text: &str) -> Result<i32, MoneyError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || digits.len() > 2 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(MoneyError::NotANumber);
    }
    text.parse().map_err(|_| MoneyError::NotANumber)
}

fn shift(value: Decimal, exponent: i32) -> Result<Decimal, MoneyError> {
    let mut value = value.normalize();
    if exponent <= 0 {
        value
            .set_scale(value.scale() + exponent.unsigned_abs())
            .map_err(|_| MoneyError::TooPrecise)?;
        return Ok(value);
    }
    for _ in 0..exponent {
        value = value
            .checked_mul(Decimal::TEN)
            .ok_or(MoneyError::OutOfRange)?;
    }
    Ok(value.normalize())
}

/// Reads a cost or an amount that someone hands in: exact, bounded in size and decimals.
pub fn parse_amount(text: &str) -> Result<Decimal, MoneyError> {
    let value = parse_decimal(text)?;
    check_amount(value)?;
    Ok(value)
}

/// Holds an amount against the bounds that keep later arithmetic exact.
pub fn check_amount(value: Decimal) -> Result<(), MoneyError> {
    if value.abs() >= Decimal::from(AMOUNT_MAX) {
        return Err(MoneyError::OutOfRange);
    }
    if value.normalize().scale() > COST_SCALE_MAX {
        return Err(MoneyError::TooPrecise);
    }
    Ok(())
}

/// Holds a quantity against the bounds that keep price times quantity exact.
pub fn check_quantity(value: Decimal) -> Result<(), MoneyError> {
    if value.abs() >= Decimal::from(QUANTITY_MAX) {
        return Err(MoneyError::OutOfRange);
    }
    if value.normalize().scale() > QUANTITY_SCALE_MAX {
        return Err(MoneyError::TooPrecise);
    }
    Ok(())
}

/// Cuts a total into shares by weight that add up to it, at a scale: each share is cut towards zero, and the
/// missing units go one by one to the largest remainders, of equals to the earlier. Without any weight
/// everything falls to the first.
pub fn apportion(total: Decimal, weights: &[Decimal], scale: u32) -> Vec<Decimal> {
    let sum: Decimal = weights.iter().copied().sum();
    let mut shares = vec![Decimal::ZERO; weights.len()];
    if sum.is_zero()
        || weights
            .iter()
            .any(|weight| weight.is_sign_negative() && !weight.is_zero())
    {
        if let Some(first) = shares.first_mut() {
            *first = total;
        }
        return shares;
    }
    let exact: Vec<Decimal> = weights
        .iter()
        .map(|weight| share(total, *weight, sum))
        .collect();
    let shown = cut_each(&exact, scale);
    // Times the sum of weights: a quotient would tell equal remainders apart in its last digit.
    let remainders = weights.iter().zip(&exact).zip(&shown);
    let remainders = remainders.map(|((weight, exact), shown)| {
        let product = total.checked_mul(*weight);
        let taken = shown.checked_mul(sum);
        let exactly = product.zip(taken).map(|(product, taken)| product - taken);
        exactly.unwrap_or_else(|| (exact - shown) * sum)
    });
    let remainders = remainders.collect::<Vec<_>>();
    distribute(total, shown, &remainders, scale)
}

/// Shows exact amounts at a coarser scale so that they add up to `total`: each is cut towards zero, and the
/// missing units go one by one to the largest remainders, of equals to the earlier.
pub fn cut(total: Decimal, exact: &[Decimal], scale: u32) -> Vec<Decimal> {
    let shown = cut_each(exact, scale);
    let remainders = exact.iter().zip(&shown);
    let remainders: Vec<Decimal> = remainders.map(|(exact, shown)| exact - shown).collect();
    distribute(total, shown, &remainders, scale)
}

fn cut_each(exact: &[Decimal], scale: u32) -> Vec<Decimal> {
    let cut = exact.iter().map(|value| value.trunc_with_scale(scale));
    cut.collect()
}

/// Adds what is missing to the total, unit by unit, in the direction of what is missing.
fn distribute(
    total: Decimal,
    mut shown: Vec<Decimal>,
    remainders: &[Decimal],
    scale: u32,
) -> Vec<Decimal> {
    let mut left = total - shown.iter().copied().sum::<Decimal>();
    let is_down = left.is_sign_negative();
    let unit = if is_down {
        -Decimal::new(1, scale)
    } else {
        Decimal::new(1, scale)
    };
    let mut order: Vec<usize> = (0..shown.len()).collect();
    let urgency = |index: usize| {
        if is_down {
            -remainders[index]
        } else {
            remainders[index]
        }
    };
    // The sort keeps the earlier first among equals.
    order.sort_by_key(|index| std::cmp::Reverse(urgency(*index)));
    for index in order.into_iter().cycle().take(ROUNDS_MAX) {
        if left.is_zero() {
            break;
        }
        shown[index] += unit;
        left -= unit;
    }
    shown
}

/// `total x weight / sum`, without overflow of the product.
fn share(total: Decimal, weight: Decimal, sum: Decimal) -> Decimal {
    total
        .checked_mul(weight)
        .map_or_else(|| total * (weight / sum), |product| product / sum)
}

/// Adds ledger amounts, refusing what would no longer fit exactly.
pub fn add(left: Decimal, right: Decimal) -> Result<Decimal, MoneyError> {
    let sum = left.checked_add(right).ok_or(MoneyError::OutOfRange)?;
    if sum.abs() >= Decimal::from(BALANCE_MAX) {
        return Err(MoneyError::OutOfRange);
    }
    Ok(sum)
}

/// Sums ledger amounts.
pub fn sum(values: impl IntoIterator<Item = Decimal>) -> Result<Decimal, MoneyError> {
    values.into_iter().try_fold(Decimal::ZERO, add)
}

/// The canonical text of an amount in our JSON: no exponent, no trailing zeros, no minus zero.
pub fn to_text(value: Decimal) -> String {
    let value = value.normalize();
    if value.is_zero() {
        "0".to_owned()
    } else {
        value.to_string()
    }
}

/// Serde for our own JSON and items, where an amount is always a string: `#[serde(with = "money::text")]`.
pub mod text {
    use rust_decimal::Decimal;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    /// Writes the canonical text.
    pub fn serialize<S: Serializer>(value: &Decimal, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::to_text(*value))
    }

    /// Reads it back exactly.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        super::parse_decimal(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_missing_unit_goes_to_the_largest_remainder_not_to_the_largest_amount() {
        let exact = [Decimal::new(104, 1), Decimal::new(15, 1)];
        let shown = cut(Decimal::from(12), &exact, 0);
        assert_eq!(shown, [Decimal::from(10), Decimal::from(2)]);
    }

    #[test]
    fn rounding_takes_the_midpoint_away_from_zero() {
        for (value, expected) in [
            ("0.5", "1"),
            ("1.5", "2"),
            ("2.5", "3"),
            ("-2.5", "-3"),
            ("2.4999", "2"),
        ] {
            assert_eq!(to_text(round(parse_decimal(value).unwrap(), 0)), expected);
        }
    }

    #[test]
    fn numbers_are_read_exactly_or_refused() {
        for (text, expected) in [
            ("-0.0075", "-0.0075"),
            ("1e-7", "0.0000001"),
            ("2192.84855", "2192.84855"),
            ("-0", "0"),
            ("1E+3", "1000"),
            ("12.50", "12.5"),
        ] {
            assert_eq!(
                parse_decimal(text).map(to_text),
                Ok(expected.to_owned()),
                "{text}"
            );
        }
        for text in [
            "",
            "NaN",
            "inf",
            "1_000",
            " 1",
            "+1",
            "1.",
            ".5",
            "--1",
            "1e",
            "1e999",
            "\u{2212}1",
            "0x10",
            "1,5",
        ] {
            assert!(parse_decimal(text).is_err(), "{text}");
        }
        assert_eq!(
            parse_decimal(&"1234567890".repeat(4)),
            Err(MoneyError::TooPrecise)
        );
        assert_eq!(
            parse_decimal(&format!("0.{}1", "0".repeat(30))),
            Err(MoneyError::TooPrecise)
        );
        assert_eq!(parse_amount("1000000000"), Err(MoneyError::OutOfRange));
        assert_eq!(parse_amount("0.00000000001"), Err(MoneyError::TooPrecise));
    }

    #[test]
    fn shares_go_by_weight_and_missing_units_to_the_largest_remainders() {
        let of = |total: &str, weights: &[i64]| {
            let weights: Vec<_> = weights
                .iter()
                .map(|weight| Decimal::from(*weight))
                .collect();
            let shares = apportion(parse_decimal(total).unwrap(), &weights, 2);
            shares.into_iter().map(to_text).collect::<Vec<_>>()
        };
        assert_eq!(of("1", &[1, 1, 1]), ["0.34", "0.33", "0.33"]);
        assert_eq!(of("-1", &[1, 1, 1]), ["-0.34", "-0.33", "-0.33"]);
        assert_eq!(of("0.05", &[0, 3, 1]), ["0", "0.04", "0.01"]);
        assert_eq!(of("1", &[0, 0]), ["1", "0"]);
        assert!(of("1", &[]).is_empty());
    }

    #[test]
    fn currencies_know_their_minor_unit() {
        assert_eq!(Currency::parse("usd"), Ok(Currency::USD));
        assert_eq!(Currency::parse("JPY").unwrap().minor_scale(), 0);
        assert_eq!(Currency::parse("KWD").unwrap().minor_scale(), 3);
        assert!(Currency::parse("us").is_err());
        assert!(Currency::parse("ZZZ").is_err());
    }

    #[test]
    fn a_currency_is_written_as_its_code() {
        let yen = Currency::parse("JPY").unwrap();
        assert_eq!(
            (yen.to_string(), format!("{yen:?}")),
            ("JPY".to_owned(), "JPY".to_owned())
        );
        assert_eq!(String::from(yen), "JPY");
    }

    #[test]
    fn an_exponent_is_one_or_two_digits_with_or_without_a_sign() {
        for (text, value) in [("1e2", "100"), ("1e+02", "100"), ("15e-1", "1.5")] {
            assert_eq!(
                parse_decimal(text).map(to_text),
                Ok(value.to_owned()),
                "{text}"
            );
        }
        for text in ["1e", "1e+", "1e001", "1e1x", "1ex", "1e++1"] {
            assert_eq!(parse_decimal(text), Err(MoneyError::NotANumber), "{text}");
        }
    }

    #[test]
    fn the_finest_amount_and_quantity_are_taken_and_finer_ones_are_not() {
        let finest = Decimal::new(1, COST_SCALE_MAX);
        assert_eq!(check_amount(finest), Ok(()));
        let finer = Decimal::new(1, COST_SCALE_MAX + 1);
        assert_eq!(check_amount(finer), Err(MoneyError::TooPrecise));
        assert_eq!(check_quantity(Decimal::new(1, QUANTITY_SCALE_MAX)), Ok(()));
        let finer = Decimal::new(1, QUANTITY_SCALE_MAX + 1);
        assert_eq!(check_quantity(finer), Err(MoneyError::TooPrecise));
        assert_eq!(
            check_quantity(Decimal::new(1, QUANTITY_SCALE_MAX + 2)),
            Err(MoneyError::TooPrecise)
        );
    }

    #[test]
    fn missing_units_go_to_the_largest_remainders_in_the_direction_of_what_is_missing() {
        let of = |texts: &[&str]| -> Vec<Decimal> {
            texts
                .iter()
                .map(|text| parse_decimal(text).unwrap())
                .collect()
        };
        let total = |text: &str| parse_decimal(text).unwrap();
        assert_eq!(
            cut(total("0.10"), &of(&["0.041", "0.049", "0.01"]), 2),
            of(&["0.04", "0.05", "0.01"])
        );
        assert_eq!(
            cut(total("-0.10"), &of(&["-0.041", "-0.049", "-0.01"]), 2),
            of(&["-0.04", "-0.05", "-0.01"])
        );
        assert_eq!(
            cut(total("0.06"), &of(&["0.017", "0.029", "0.014"]), 2),
            of(&["0.02", "0.03", "0.01"])
        );
        let weights = of(&["2", "3", "5"]);
        assert_eq!(
            apportion(total("0.07"), &weights, 2),
            of(&["0.01", "0.02", "0.04"])
        );
        // Too large for a product: shares are taken of quotients.
        let huge = of(&["1000000000000000000", "3000000000000000000"]);
        let shares = apportion(total("4000000000.00"), &huge, 2);
        assert_eq!(shares, of(&["1000000000", "3000000000"]));
        let third = apportion(total("50000000000.01"), &huge, 2);
        assert_eq!(third, of(&["12500000000", "37500000000.01"]));
        let negative = of(&["1", "-1"]);
        assert_eq!(apportion(total("5"), &negative, 0), of(&["5", "0"]));
    }

    #[test]
    fn an_amount_in_json_is_a_text_that_is_read_exactly() {
        use serde::de::IntoDeserializer as _;
        let read = |json: &'static str| {
            let value: serde::de::value::StrDeserializer<'_, serde::de::value::Error> =
                json.into_deserializer();
            text::deserialize(value)
        };
        assert_eq!(read("-1.25").unwrap(), Decimal::new(-125, 2));
        assert!(read("x").is_err());
    }

    #[test]
    fn equal_remainders_are_equal_however_a_quotient_ends() {
        // A third each; 1.333 and 0.333 as quotients end at different digits.
        let weights = [4, 1, 4].map(Decimal::from);
        let parts = apportion(Decimal::from(3), &weights, 0);
        assert_eq!(parts, [2, 0, 1].map(Decimal::from));
    }

    proptest! {
        #[test]
        fn text_round_trips(mantissa in -1_000_000_000_000_000_000_i64..1_000_000_000_000_000_000, scale in 0_u32..19) {
            let value = Decimal::new(mantissa, scale);
            prop_assert_eq!(parse_decimal(&to_text(value)), Ok(value));
        }

        #[test]
        fn shown_amounts_add_up_and_are_never_a_unit_off(mantissas in proptest::collection::vec(-1_000_000_000_000_i64..1_000_000_000_000, 1..30)) {
            let exact: Vec<_> = mantissas.iter().map(|mantissa| Decimal::new(*mantissa, 9)).collect();
            let total = round(exact.iter().copied().sum(), 2);
            let shown = cut(total, &exact, 2);
            prop_assert_eq!(shown.iter().copied().sum::<Decimal>(), total);
            for (shown, exact) in shown.iter().zip(&exact) {
                prop_assert!((*shown - *exact).abs() < Decimal::new(2, 2));
            }
        }

        #[test]
        fn parsing_never_panics(text in "\\PC{0,60}") {
            parse_decimal(&text).ok();
        }
    }
}
