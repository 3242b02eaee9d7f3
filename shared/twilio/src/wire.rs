//! Values as Twilio writes them: decimals as strings or numbers, two date formats, null and empty text.
//!
//! Nothing goes through a binary float, and no error repeats the value it refuses.

use std::borrow::Cow;

use domain::ids::InvalidId;
use domain::money::parse_decimal;
use domain::{Date, Decimal, Timestamp};
use jiff::fmt::rfc2822::DateTimeParser;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::value::RawValue;

use crate::codes::ErrorCode;

/// Twilio's weekday is decoration; the date is what counts.
static RFC_2822: DateTimeParser = DateTimeParser::new().relaxed_weekday(true);

/// A value that is not what the field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    #[error("not a decimal number")]
    Decimal,
    #[error("not a whole number")]
    Whole,
    #[error("not a point in time")]
    Timestamp,
    #[error("not a date")]
    Date,
    #[error("neither yes nor no")]
    Flag,
}

/// Text that borrows from the answer where it can, inside an `Option` too.
#[derive(Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// An open set of words: what is not known is kept, not refused.
macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// A word this code does not know.
            Other(String),
        }

        impl $name {
            /// Reads Twilio's word.
            pub fn parse(text: &str) -> Self {
                match text {
                    $($text => Self::$variant,)+
                    other => Self::Other(other.to_owned()),
                }
            }

            /// Twilio's word.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)+
                    Self::Other(text) => text,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::parse(text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::wire::Text::deserialize(deserializer).map(|text| Self::parse(&text.0))
            }
        }
    };
}
pub(crate) use open_enum;

/// `null`, `""`, `"1.50"`, `1.50`, `1.5e0`: exactly, or refused.
pub(crate) fn parse_json_decimal(json: &str) -> Result<Option<Decimal>, WireError> {
    let Some(text) = unquote(json) else {
        return Ok(None);
    };
    parse_decimal(&text)
        .map(Some)
        .map_err(|_| WireError::Decimal)
}

pub(crate) fn parse_json_whole(json: &str) -> Result<Option<u64>, WireError> {
    let Some(text) = unquote(json) else {
        return Ok(None);
    };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = if digits { text.parse().ok() } else { None };
    value.map(Some).ok_or(WireError::Whole)
}

/// The text inside a JSON string or number; `None` for null and for the empty string.
fn unquote(json: &str) -> Option<Cow<'_, str>> {
    if json == "null" || json == "\"\"" {
        return None;
    }
    let inner = json
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    match inner {
        None => Some(Cow::Borrowed(json)),
        Some(inner) if !inner.contains('\\') => Some(Cow::Borrowed(inner)),
        // An escaped string that does not decode stays as it is, and fails as a number.
        Some(inner) => Some(serde_json::from_str(json).map_or(Cow::Borrowed(inner), Cow::Owned)),
    }
}

/// RFC 2822 (`Thu, 30 Jul 2015 20:00:00 +0000`) or ISO 8601 (`2015-07-30T20:00:00Z`).
pub(crate) fn parse_timestamp(text: &str) -> Result<Timestamp, WireError> {
    let iso = text.as_bytes().first().is_some_and(u8::is_ascii_digit) && text.contains('-');
    let parsed = if iso {
        text.parse()
    } else {
        RFC_2822.parse_timestamp(text)
    };
    parsed.map_err(|_| WireError::Timestamp)
}

/// `YYYY-MM-DD` and nothing else.
pub(crate) fn parse_date(text: &str) -> Result<Date, WireError> {
    if text.len() != 10 {
        return Err(WireError::Date);
    }
    text.parse().map_err(|_| WireError::Date)
}

/// Serde: an optional exact decimal.
pub(crate) fn decimal<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Decimal>, D::Error> {
    match Option::<&'de RawValue>::deserialize(deserializer)? {
        None => Ok(None),
        Some(raw) => parse_json_decimal(raw.get()).map_err(D::Error::custom),
    }
}

/// Serde: an optional whole number, as string or number.
pub(crate) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    match Option::<&'de RawValue>::deserialize(deserializer)? {
        None => Ok(None),
        Some(raw) => parse_json_whole(raw.get()).map_err(D::Error::custom),
    }
}

/// Serde: what a call, a message or a recording cost, positive: Twilio writes most of them negative.
pub(crate) fn cost<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Decimal>, D::Error> {
    Ok(decimal(deserializer)?.map(|price| price.abs()))
}

/// Serde: an optional whole number that nothing depends on: what is none is absent.
pub(crate) fn loose_whole<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u64>, D::Error> {
    let raw = Option::<&'de RawValue>::deserialize(deserializer)?;
    Ok(raw.and_then(|raw| parse_json_whole(raw.get()).ok().flatten()))
}

/// Serde: an optional code of the error dictionary, as string or number; what is no number is absent.
pub(crate) fn code<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<ErrorCode>, D::Error> {
    let number = loose_whole(deserializer)?;
    Ok(number
        .and_then(|number| u32::try_from(number).ok())
        .map(ErrorCode))
}

/// Serde: an optional yes or no.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    match Option::<&'de RawValue>::deserialize(deserializer)?.map(RawValue::get) {
        None | Some("null" | "\"\"") => Ok(None),
        Some("true" | "\"true\"") => Ok(Some(true)),
        Some("false" | "\"false\"") => Ok(Some(false)),
        Some(_) => Err(D::Error::custom(WireError::Flag)),
    }
}

/// Serde: a list, where null means empty.
pub(crate) fn rows<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Serde: an optional word of an open set, where empty means absent.
pub(crate) fn word<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: for<'a> From<&'a str>,
{
    let text = Option::<Text<'de>>::deserialize(deserializer)?;
    Ok(text
        .filter(|text| !text.0.is_empty())
        .map(|text| T::from(&text.0)))
}

/// Serde: an optional point in time, in either format.
pub(crate) fn timestamp<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    match Option::<Text<'de>>::deserialize(deserializer)? {
        Some(text) if !text.0.is_empty() => {
            parse_timestamp(&text.0).map(Some).map_err(D::Error::custom)
        }
        _ => Ok(None),
    }
}

/// Serde: a date.
pub(crate) fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    let text = Text::deserialize(deserializer)?;
    parse_date(&text.0).map_err(D::Error::custom)
}

/// Serde: optional text, where empty means absent.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = Option::<Text<'de>>::deserialize(deserializer)?;
    Ok(text
        .filter(|text| !text.0.is_empty())
        .map(|text| text.0.into_owned()))
}

/// Serde: an optional currency code in upper case: Twilio writes `USD` here and `usd` there.
pub(crate) fn currency_code<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    Ok(text(deserializer)?.map(|code| code.to_ascii_uppercase()))
}

/// Serde: a secret that must be there.
pub(crate) fn required_secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<SecretString, D::Error> {
    secret(deserializer)?.ok_or_else(|| D::Error::custom("the secret is missing"))
}

/// Serde: an optional secret.
pub(crate) fn secret<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SecretString>, D::Error> {
    Ok(text(deserializer)?.map(SecretString::from))
}

/// Serde: an optional identifier, where empty means absent.
pub(crate) fn optional_id<'de, D, I>(deserializer: D) -> Result<Option<I>, D::Error>
where
    D: Deserializer<'de>,
    I: TryFrom<String, Error = InvalidId>,
{
    text(deserializer)?
        .map(I::try_from)
        .transpose()
        .map_err(D::Error::custom)
}

/// Serde: an optional identifier that nothing depends on: one of another form is absent, so that it keeps
/// nobody from reading the rest.
pub(crate) fn loose_id<'de, D, I>(deserializer: D) -> Result<Option<I>, D::Error>
where
    D: Deserializer<'de>,
    I: TryFrom<String, Error = InvalidId>,
{
    Ok(text(deserializer)?.and_then(|text| I::try_from(text).ok()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn exact(text: &str) -> Decimal {
        parse_decimal(text).unwrap()
    }

    #[test]
    fn decimals_come_as_strings_and_as_numbers() {
        for (json, expected) in [
            ("\"-0.00750\"", Some(exact("-0.0075"))),
            ("2192.84855", Some(exact("2192.84855"))),
            ("0.1", Some(exact("0.1"))),
            ("1e-7", Some(exact("0.0000001"))),
            (
                "0.30000000000000000001",
                Some(exact("0.30000000000000000001")),
            ),
            ("\"0\"", Some(exact("0"))),
            ("\"\\u0031.5\"", Some(exact("1.5"))),
            ("null", None),
            ("\"\"", None),
        ] {
            assert_eq!(parse_json_decimal(json), Ok(expected), "{json}");
        }
        for json in [
            "\"abc\"", "true", "[]", "{}", "\"1,5\"", "\"NaN\"", "\" 1\"", "\"",
        ] {
            assert_eq!(parse_json_decimal(json), Err(WireError::Decimal), "{json}");
        }
    }

    #[test]
    fn whole_numbers_come_as_strings_and_as_numbers() {
        assert_eq!(parse_json_whole("\"15\""), Ok(Some(15)));
        assert_eq!(parse_json_whole("15"), Ok(Some(15)));
        assert_eq!(parse_json_whole("null"), Ok(None));
        assert_eq!(parse_json_whole("-1"), Err(WireError::Whole));
        assert_eq!(parse_json_whole("1.5"), Err(WireError::Whole));
    }

    #[test]
    fn both_date_formats_are_read() {
        let expected: Timestamp = "2015-07-30T20:00:00Z".parse().unwrap();
        for text in [
            "Thu, 30 Jul 2015 20:00:00 +0000",
            "Mon, 30 Jul 2015 20:00:00 +0000",
            "2015-07-30T20:00:00Z",
            "2015-07-30T20:00:00+00:00",
            "30 Jul 2015 22:00:00 +0200",
        ] {
            assert_eq!(parse_timestamp(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "yesterday",
            "2015-07-30",
            "1438286400",
            "Thu, 30 Jul 2015",
        ] {
            assert_eq!(parse_timestamp(text), Err(WireError::Timestamp), "{text}");
        }
        assert!(parse_date("2015-07-30").is_ok());
        for text in ["2015-07-30T00:00", "20150730", "2015-02-30", ""] {
            assert_eq!(parse_date(text), Err(WireError::Date), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_readers_panic(text in "\\PC{0,40}") {
            parse_json_decimal(&text).ok();
            parse_json_whole(&text).ok();
            parse_timestamp(&text).ok();
            parse_date(&text).ok();
        }

        #[test]
        fn a_decimal_is_read_alike_as_string_and_as_number(mantissa: i64, scale in 0_u32..19) {
            let value = Decimal::new(mantissa, scale);
            prop_assert_eq!(parse_json_decimal(&value.to_string()), Ok(Some(value)));
            prop_assert_eq!(parse_json_decimal(&format!("\"{value}\"")), Ok(Some(value)));
        }
    }
}
