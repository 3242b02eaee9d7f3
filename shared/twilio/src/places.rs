//! A country and a phone number where they stand in a path: checked, so that neither can lead elsewhere.

use std::fmt;

/// A text that is not what it was given as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct NotValid(&'static str);

/// Digits of a number in E.164 form, at most (ITU-T E.164).
const E164_DIGITS_MAX: usize = 15;

/// A country by its ISO 3166-1 code: two capital letters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CountryCode(Box<str>);

impl CountryCode {
    /// Checks the form; which countries Twilio serves, it knows itself.
    pub fn parse(text: &str) -> Result<Self, NotValid> {
        if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            Ok(Self(text.into()))
        } else {
            Err(NotValid("country code"))
        }
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CountryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A phone number in E.164 form: `+` and up to 15 digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct E164(Box<str>);

impl E164 {
    /// Checks the form.
    pub fn parse(text: &str) -> Result<Self, NotValid> {
        let digits = text.strip_prefix('+').unwrap_or_default();
        let is_number = (1..=E164_DIGITS_MAX).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && !digits.starts_with('0');
        if is_number {
            Ok(Self(text.into()))
        } else {
            Err(NotValid("phone number"))
        }
    }

    /// The number.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_lead_elsewhere_is_no_country_and_no_number() {
        assert!(CountryCode::parse("US").is_ok());
        for wrong in ["us", "USA", "", "..", "U/", "É"] {
            assert!(CountryCode::parse(wrong).is_err(), "{wrong}");
        }
        assert!(E164::parse("+18001234567").is_ok());
        for wrong in [
            "",
            "+",
            "18001234567",
            "+0800",
            "+1/../2",
            "+1234567890123456",
            "+1 800",
        ] {
            assert!(E164::parse(wrong).is_err(), "{wrong}");
        }
    }
}
