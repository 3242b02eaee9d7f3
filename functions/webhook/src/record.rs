//! What is kept of a callback: at most 1 KB for a usual one, so that the put is one write unit. What the
//! item already says, what says nothing and what people said or typed is left out.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::form::Field;
use crate::grammar::{self, Fate};
use crate::route::Kind;

/// Unknown fields are kept up to this many bytes, names included.
const UNKNOWN_BYTES_MAX: usize = 1_000;
/// Beyond that their names are, up to this many bytes.
const OMITTED_BYTES_MAX: usize = 500;
/// The entry that lists what was left out: names of content and of unknown fields beyond the limit.
const OMITTED: &str = "~omitted";
/// A longer or stranger name is not noted either.
const NAME_BYTES_MAX: usize = 64;

/// Hash over the kind and the signed fields (sorted, distinct): the item's sort key, so that a replay is
/// the same item. Lengths go in too: other fields with the same signature are another item.
pub(crate) fn signed_hash(kind: Kind, fields: &[Field<'_>]) -> String {
    let mut hash = Sha256::new_with_prefix(kind.as_str());
    for (name, value) in fields {
        for text in [name, value] {
            hash.update(text.len().to_be_bytes());
            hash.update(text.as_bytes());
        }
    }
    URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// The fields that are stored, of sorted, distinct, checked ones.
pub(crate) fn stored_fields(kind: Kind, fields: &[Field<'_>]) -> BTreeMap<String, String> {
    let mut kept = BTreeMap::new();
    let mut unknown_bytes = 0;
    let mut omitted = String::new();
    for (name, value) in fields {
        match grammar::fate(name) {
            Some(Fate::Stored) => {
                if !value.is_empty()
                    && name != kind.resource_field()
                    && !has_twin(fields, name, value)
                {
                    kept.insert(name.clone().into_owned(), value.clone().into_owned());
                }
            }
            Some(Fate::Redundant) => {}
            Some(Fate::Never) => note(&mut omitted, name),
            None => {
                let bytes = name.len() + value.len() + 1;
                if unknown_bytes + bytes > UNKNOWN_BYTES_MAX || !is_plain(name) {
                    note(&mut omitted, name);
                    continue;
                }
                unknown_bytes += bytes;
                let entry: &mut String = kept.entry(name.clone().into_owned()).or_default();
                if !entry.is_empty() {
                    entry.push(',');
                }
                entry.push_str(value);
            }
        }
    }
    if !omitted.is_empty() {
        kept.insert(OMITTED.to_owned(), omitted);
    }
    kept
}

/// Does another stored field say the same by its nature? Twilio sends several things under two names.
fn has_twin(fields: &[Field<'_>], name: &str, text: &str) -> bool {
    let says_the_same = |prefix: &str, twin_prefix: &str| {
        name.strip_prefix(prefix).is_some_and(|suffix| {
            fields.iter().any(|(other, value)| {
                other.strip_prefix(twin_prefix) == Some(suffix) && value == text
            })
        })
    };
    match name {
        "SmsSid" | "SmsMessageSid" => grammar::value(fields, "MessageSid") == Some(text),
        "SmsStatus" => grammar::value(fields, "MessageStatus") == Some(text),
        _ => says_the_same("Called", "To") || says_the_same("Caller", "From"),
    }
}

fn is_plain(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'[' | b']')
        })
}

fn note(omitted: &mut String, name: &str) {
    if !is_plain(name) || omitted.len() + name.len() + 1 > OMITTED_BYTES_MAX {
        return;
    }
    if !omitted.is_empty() {
        omitted.push(',');
    }
    omitted.push_str(name);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::sorted;

    #[test]
    fn the_hash_knows_where_a_field_ends() {
        let hash = |pairs: &[(&str, &str)]| signed_hash(Kind::Call, &sorted(pairs));
        assert_eq!(
            hash(&[("a", "1"), ("b", "2")]),
            hash(&[("b", "2"), ("a", "1"), ("a", "1")])
        );
        let others = [
            hash(&[("a", "1b2")]),
            hash(&[("a", "1"), ("b2", "")]),
            hash(&[("a", "1"), ("b", "2"), ("c", "")]),
            signed_hash(Kind::Message, &sorted(&[("a", "1"), ("b", "2")])),
        ];
        assert!(!others.contains(&hash(&[("a", "1"), ("b", "2")])));
        assert_eq!(others[0].len(), 43);
    }

    #[test]
    fn what_people_said_or_typed_is_never_kept() {
        let kept = stored_fields(
            Kind::Message,
            &sorted(&[
                ("Body", "secret words"),
                ("MediaUrl0", "https://media.example/secret"),
                ("Digits", "4242"),
                ("SpeechResult", "secret"),
                ("TranscriptionText", "secret"),
                ("MessageStatus", "sent"),
            ]),
        );
        let omitted = "Body,Digits,MediaUrl0,SpeechResult,TranscriptionText";
        assert_eq!(
            kept,
            BTreeMap::from([
                ("MessageStatus".into(), "sent".into()),
                (OMITTED.into(), omitted.into()),
            ])
        );
    }

    #[test]
    fn unknown_fields_are_kept_up_to_a_limit_then_named() {
        let large = "x".repeat(900);
        let pairs = [
            ("New1", &*large),
            ("New2", &*large),
            ("New3", "a"),
            ("New3", "b"),
            ("\u{1}odd", "x"),
        ];
        let kept = stored_fields(Kind::Call, &sorted(&pairs));
        assert_eq!(kept["New1"], large);
        assert_eq!(kept["New3"], "a,b");
        assert_eq!(kept[OMITTED], "New2");
        let names: Vec<String> = (0..200).map(|number| format!("{number:060}")).collect();
        let flood: Vec<(&str, &str)> = names
            .iter()
            .map(|name| (name.as_str(), large.as_str()))
            .collect();
        let kept = stored_fields(Kind::Call, &sorted(&flood));
        let bytes: usize = kept
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        assert!(bytes < 1_600, "{bytes}");
    }

    #[test]
    fn what_twilio_says_twice_is_kept_once_and_a_difference_is_kept() {
        let sid = "SM0123456789abcdef0123456789abcdef";
        let pairs = [
            ("MessageSid", sid),
            ("SmsSid", sid),
            ("SmsStatus", "sent"),
            ("MessageStatus", "sent"),
            ("From", "+1"),
            ("Caller", "+1"),
            ("To", "+2"),
            ("Called", "+3"),
            ("ApiVersion", "2010-04-01"),
            ("ToCity", ""),
        ];
        let kept = stored_fields(Kind::Message, &sorted(&pairs));
        let names: Vec<&str> = kept.keys().map(String::as_str).collect();
        assert_eq!(names, ["Called", "From", "MessageStatus", "To"]);
    }
}
