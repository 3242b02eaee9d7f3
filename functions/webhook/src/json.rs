//! A JSON callback as its fields: the members of one object. Its signature covers the body's hash, not the
//! fields, so nothing here has to be bit-exact; a name given twice is kept twice for the grammar to refuse.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::form::{FIELDS_MAX, Field, checked};
use crate::refusal::Refusal;

/// Reads the object's members: text as it is, nothing as empty, the rest as JSON.
pub(crate) fn parse(body: &[u8]) -> Result<Vec<Field<'static>>, Refusal> {
    let members: Members = serde_json::from_slice(body)
        .map_err(|_| Refusal::Malformed("body is not a JSON object"))?;
    if members.0.len() > FIELDS_MAX {
        return Err(Refusal::Malformed("more than 200 fields"));
    }
    let fields = members.0.into_iter().map(|(name, value)| {
        let value = match value {
            Value::String(text) => text,
            Value::Null => String::new(),
            other => other.to_string(),
        };
        checked(Cow::Owned(name), Cow::Owned(value))
    });
    fields.collect()
}

struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_become_fields_and_a_double_stays_double() {
        let fields = parse(br#"{"A":"x","N":1,"B":true,"O":{"k":[1]},"Z":null,"A":"y"}"#).unwrap();
        let flat: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            flat,
            ["A=x", "N=1", "B=true", r#"O={"k":[1]}"#, "Z=", "A=y"]
        );
        let deep = "[".repeat(30_000);
        for wrong in [
            "",
            "[]",
            "1",
            "{",
            r#"{"":1}"#,
            r#"{"a":"\u0000"}"#,
            &deep,
            "{\"a\":\u{1}}",
        ] {
            assert!(parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
