//! What every known field may say. Twilio's signature has no delimiters: bytes can move between a name, its
//! value and the next name without changing it. So a signed callback is only believed if each known field
//! has its own form and the fields that its kind cannot do without are there.
//!
//! Statuses and fields that are not known pass: Twilio adds some without notice.

mod fields;

use crate::form::Field;
use crate::route::Kind;

pub(crate) use fields::Fate;
use fields::{KNOWN, Known};

/// A known field's form. An empty value passes everywhere but in required fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grammar {
    /// One of these prefixes and 32 hexadecimal digits.
    Sid(&'static [&'static str]),
    /// `[a-z_-]`, at most 32.
    Status,
    /// Digits, perhaps a minus before them.
    Digits,
    /// Digits with sign and point.
    Amount,
    /// `[A-Za-z0-9_.:-]`, at most 128.
    Word,
    /// RFC 2822 or RFC 3339.
    Time,
    /// A time of a form that is not documented: its characters only.
    TimeLike,
    /// Phone number, short code, sender name, or scheme and address.
    Address,
    /// A city, state or caller's name.
    Place,
    /// A postal code, upper case.
    Zip,
    /// Two capitals.
    Country,
    /// Printable ASCII without blanks, at most 512.
    Uri,
    /// At most 512 bytes without control characters.
    Text,
    /// Content, never stored: anything.
    Content,
}

impl Kind {
    /// The field that names the resource.
    pub(crate) fn resource_field(self) -> &'static str {
        match self {
            Self::Message => "MessageSid",
            Self::Call => "CallSid",
            Self::Recording => "RecordingSid",
            Self::UsageTrigger => "UsageTriggerSid",
        }
    }

    /// The field that says what happened to it.
    fn event_field(self) -> &'static str {
        match self {
            Self::Message => "MessageStatus",
            Self::Call => "CallStatus",
            Self::Recording => "RecordingStatus",
            Self::UsageTrigger => "UsageCategory",
        }
    }
}

/// Whether a known field is stored; none for an unknown one.
pub(crate) fn fate(name: &str) -> Option<Fate> {
    if name.starts_with("MediaUrl") {
        return Some(Fate::Never);
    }
    lookup(name).map(|known| known.fate)
}

/// Checks sorted, distinct fields; gives the resource's SID, or which field is wrong.
pub(crate) fn check<'a>(kind: Kind, fields: &'a [Field<'_>]) -> Result<&'a str, &'static str> {
    let mut previous = "";
    for (name, value) in fields {
        if let Some(known) = lookup(name) {
            // Equal pairs are gone: a name met again has another value.
            if name == previous || !(value.is_empty() || known.grammar.admits(value)) {
                return Err(known.name);
            }
        }
        previous = name;
    }
    required(kind.event_field(), fields)?;
    required(kind.resource_field(), fields)
}

fn required<'a>(name: &'static str, fields: &'a [Field<'_>]) -> Result<&'a str, &'static str> {
    let value = value(fields, name).unwrap_or_default();
    if value.is_empty() {
        Err(name)
    } else {
        Ok(value)
    }
}

/// A field's value among sorted fields.
pub(crate) fn value<'a>(fields: &'a [Field<'_>], name: &str) -> Option<&'a str> {
    let at = fields
        .binary_search_by(|(other, _)| other.as_ref().cmp(name))
        .ok()?;
    Some(fields[at].1.as_ref())
}

fn lookup(name: &str) -> Option<&'static Known> {
    let at = KNOWN.binary_search_by(|known| known.name.cmp(name)).ok()?;
    Some(&KNOWN[at])
}

impl Grammar {
    fn admits(self, value: &str) -> bool {
        let all = |bytes_max: usize, allowed: fn(u8) -> bool| {
            value.len() <= bytes_max && value.bytes().all(allowed)
        };
        match self {
            Self::Sid(prefixes) => {
                value.len() == 34
                    && prefixes.iter().any(|prefix| value.starts_with(prefix))
                    && value.bytes().skip(2).all(|byte| byte.is_ascii_hexdigit())
            }
            Self::Status => all(32, |byte| {
                byte.is_ascii_lowercase() || matches!(byte, b'_' | b'-')
            }),
            Self::Digits => is_digits(value.strip_prefix('-').unwrap_or(value)),
            Self::Amount => all(40, |byte| {
                byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+')
            }),
            Self::Word => all(128, |byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'-')
            }),
            Self::Time => {
                jiff::fmt::rfc2822::parse(value).is_ok() || value.parse::<jiff::Timestamp>().is_ok()
            }
            Self::TimeLike => all(40, |byte| {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b' ' | b',' | b':' | b'.' | b'-' | b'+')
            }),
            Self::Address => is_address(value),
            Self::Place => is_text(value, 128) && !swallows_a_field(value),
            Self::Zip => all(16, |byte| {
                byte.is_ascii_digit() || byte.is_ascii_uppercase() || matches!(byte, b' ' | b'-')
            }),
            Self::Country => all(2, |byte| byte.is_ascii_uppercase()),
            Self::Uri => all(512, |byte| byte.is_ascii_graphic()),
            Self::Text => is_text(value, 512),
            Self::Content => true,
        }
    }
}

fn is_digits(value: &str) -> bool {
    (1..=20).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_text(value: &str, bytes_max: usize) -> bool {
    value.len() <= bytes_max && !value.chars().any(char::is_control)
}

/// `+14155551234`, `12345`, `ACME Bank`, `anonymous`, `whatsapp:+1...`, `client:jane`, `sip:x@host;y=z`.
fn is_address(value: &str) -> bool {
    if let Some(number) = value.strip_prefix('+') {
        return is_digits(number);
    }
    let is_sized = match value.split_once(':') {
        Some((scheme, _)) => {
            let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphabetic());
            is_scheme && is_text(value, 320)
        }
        // A short code or a sender's name, which has at most 11 characters.
        None if value.starts_with(|first: char| first.is_ascii_digit()) => {
            is_text(value, 20) && !value.contains('+')
        }
        None => is_text(value, 64) && !value.contains('+'),
    };
    is_sized && !swallows_a_field(value)
}

/// Has a free text taken in the name of a field that should have followed it? Only names of several words
/// are looked for: no place, person or address has `CallerCountry` in it, but many have `To`.
fn swallows_a_field(value: &str) -> bool {
    let bytes = value.as_bytes();
    let has_hump = bytes
        .windows(2)
        .any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    has_hump
        && KNOWN
            .iter()
            .map(|known| known.name)
            .filter(|name| name.bytes().filter(u8::is_ascii_uppercase).count() > 1)
            .any(|name| value.contains(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::form::sorted;

    const CALL_SID: &str = "CA0123456789abcdef0123456789ABCDEF";

    #[test]
    fn the_table_is_sorted_for_the_search() {
        assert!(KNOWN.is_sorted_by(|left, right| left.name < right.name));
    }

    #[test]
    fn what_twilio_sends_passes() {
        let cases: &[(&str, &[&str])] = &[
            (
                "CallStatus",
                &[
                    "completed",
                    "in-progress",
                    "partially_delivered",
                    "brand-new",
                ],
            ),
            (
                "From",
                &[
                    "+14155551234",
                    "12345",
                    "ACME Bank",
                    "4INFO",
                    "anonymous",
                    "sip:a.b@h.example:5060;transport=udp",
                    "whatsapp:+15551",
                    "client:Jane_1",
                    "",
                ],
            ),
            (
                "Timestamp",
                &["Thu, 12 Sep 2019 09:33:19 +0000", "2026-11-22T03:40:26Z"],
            ),
            ("RecordingDuration", &["12", "-1"]),
            (
                "CallerCity",
                &["SAN FRANCISCO", "McAllen", "São Paulo", "Tokyo", ""],
            ),
            ("CallerZip", &["94105", "SW1A 1AA", ""]),
            (
                "RecordingUrl",
                &["https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/RE1"],
            ),
            ("IdempotencyToken", &["AC1-FIRES-UT2-2012-10-04"]),
            ("TriggerValue", &["5.00", "+10"]),
            (
                "ErrorMessage",
                &["Unreachable: destination handset, see https://x/From?a=b"],
            ),
            ("StirVerstat", &["TN-Validation-Passed-A"]),
            ("Body", &["anything\n\u{1F600}"]),
        ];
        for (name, values) in cases {
            for value in *values {
                let mut pairs = vec![("CallSid", CALL_SID), (*name, *value)];
                if *name != "CallStatus" {
                    pairs.push(("CallStatus", "ringing"));
                }
                assert_eq!(
                    check(Kind::Call, &sorted(&pairs)),
                    Ok(CALL_SID),
                    "{name}={value}"
                );
            }
        }
    }

    #[test]
    fn what_twilio_does_not_send_is_named() {
        let long = "a".repeat(600);
        let cases: &[(&str, &[&str])] = &[
            (
                "CallStatus",
                &["Completed", "completed ", "completedCalledX", &long],
            ),
            (
                "From",
                &[
                    "+1415a",
                    "+",
                    "+14155551234FromCitySAN",
                    "12345Caller+1415555",
                    "1.2:x\n",
                    &long,
                ],
            ),
            (
                "Timestamp",
                &["Thu, 12 Sep 2019 09:33:19 +0000To+1415", "now"],
            ),
            (
                "RecordingDuration",
                &["1e3", "--1", "-", "999999999999999999999"],
            ),
            ("CallerCity", &["SAN JOSECallerCountryUS", "a\u{7}", &long]),
            ("CallerZip", &["94105From+1415"]),
            ("CallerCountry", &["USA", "USCallerStateCA"]),
            (
                "ParentCallSid",
                &["CA", "SM0123456789abcdef0123456789ABCDEF"],
            ),
            ("RecordingUrl", &["https://x y", &long]),
        ];
        for (name, values) in cases {
            for value in *values {
                let mut pairs = vec![("CallSid", CALL_SID), (*name, *value)];
                if *name != "CallStatus" {
                    pairs.push(("CallStatus", "ringing"));
                }
                assert_eq!(
                    check(Kind::Call, &sorted(&pairs)),
                    Err(*name),
                    "{name}={value}"
                );
            }
        }
    }

    #[test]
    fn a_kind_cannot_do_without_its_resource_and_event() {
        assert_eq!(
            check(Kind::Call, &sorted(&[("CallSid", CALL_SID)])),
            Err("CallStatus")
        );
        let status = [("CallStatus", "busy"), ("CallSid", "")];
        assert_eq!(check(Kind::Call, &sorted(&status)), Err("CallSid"));
        assert_eq!(check(Kind::UsageTrigger, &[]), Err("UsageCategory"));
    }

    #[test]
    fn a_known_field_has_one_value_and_an_unknown_one_may_have_more() {
        let mut pairs = vec![
            ("CallSid", CALL_SID),
            ("CallStatus", "busy"),
            ("CallStatus", "busy"),
            ("New", "a"),
            ("New", "b"),
        ];
        assert!(check(Kind::Call, &sorted(&pairs)).is_ok());
        pairs.push(("CallStatus", "completed"));
        assert_eq!(check(Kind::Call, &sorted(&pairs)), Err("CallStatus"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_value_makes_a_grammar_panic(value in "\\PC{0,60}", at in 0..KNOWN.len()) {
            KNOWN[at].grammar.admits(&value);
        }
    }
}
