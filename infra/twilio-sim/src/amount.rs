//! Exact amounts as whole billionths: nine decimals, the most that any Twilio price or quantity carries.

use domain::money;

/// One currency unit, one minute, one segment.
pub(crate) const UNIT: i64 = 1_000_000_000;

/// Reads a plain decimal with at most nine decimals.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let value = money::parse_decimal(text).ok()?.normalize();
    let missing = 9_u32.checked_sub(value.scale())?;
    let scaled = value.mantissa().checked_mul(10_i128.pow(missing))?;
    i64::try_from(scaled).ok()
}

/// Writes without trailing zeros: `0.0075`, `0`, `-3`.
pub(crate) fn write(out: &mut Vec<u8>, amount: i64) {
    write_fixed(out, amount, 0);
}

/// Writes with at least `decimals` decimals: `-0.00750` with five.
pub(crate) fn write_fixed(out: &mut Vec<u8>, amount: i64, decimals: usize) {
    if amount < 0 {
        out.push(b'-');
    }
    let size = amount.unsigned_abs();
    let unit = UNIT.unsigned_abs();
    write_u64(out, size / unit);
    let mut fraction = size % unit;
    let mut digits = [b'0'; 9];
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + u8::try_from(fraction % 10).unwrap_or(0);
        fraction /= 10;
    }
    let used = digits
        .iter()
        .rposition(|digit| *digit != b'0')
        .map_or(0, |last| last + 1);
    let shown = used.max(decimals).min(9);
    if shown > 0 {
        out.push(b'.');
        out.extend_from_slice(&digits[..shown]);
    }
}

/// The text of an amount.
pub(crate) fn text(amount: i64) -> String {
    let mut out = Vec::with_capacity(20);
    write(&mut out, amount);
    String::from_utf8(out).unwrap_or_default()
}

/// The text of an amount with at least `decimals` decimals.
pub(crate) fn fixed_text(amount: i64, decimals: usize) -> String {
    let mut out = Vec::with_capacity(20);
    write_fixed(&mut out, amount, decimals);
    String::from_utf8(out).unwrap_or_default()
}

/// Writes a whole number.
pub(crate) fn write_u64(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Writes a whole number with its sign.
pub(crate) fn write_i64(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    write_u64(out, number.unsigned_abs());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written_exactly() {
        for plain in ["0", "0.0075", "-3", "2192.84855", "0.000000001", "1000000"] {
            assert_eq!(text(parse(plain).unwrap()), plain);
        }
        assert_eq!(parse("0.0000000001"), None);
        assert_eq!(parse("x"), None);
        let mut out = Vec::new();
        write_fixed(&mut out, -7_500_000, 5);
        assert_eq!(out, b"-0.00750");
    }
}
