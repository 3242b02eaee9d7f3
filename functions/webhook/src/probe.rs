//! What happens to a body before and after its signature is checked, in one call and without any I/O: the
//! door for a fuzzer. The function takes the same steps, only with the check in between.

use crate::form::{self, Field};
use crate::refusal::Refusal;
use crate::route::Kind;
use crate::{grammar, json, record};

/// What became of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// The fields, as they came.
    pub fields: Vec<(String, String)>,
    /// For each kind of callback that these fields could be: what would be stored, in bytes.
    pub stored_bytes: Vec<usize>,
}

/// Reads a form; none if it is refused.
pub fn form(body: &[u8]) -> Option<Probed> {
    probe(form::parse(body))
}

/// Reads JSON; none if it is refused.
pub fn json(body: &[u8]) -> Option<Probed> {
    probe(json::parse(body))
}

fn probe(read: Result<Vec<Field<'_>>, Refusal>) -> Option<Probed> {
    let mut read = read.ok()?;
    let fields = read
        .iter()
        .map(|(name, value)| (name.clone().into_owned(), value.clone().into_owned()))
        .collect();
    read.sort_unstable();
    read.dedup();
    let plausible = Kind::ALL
        .into_iter()
        .filter(|kind| grammar::check(*kind, &read).is_ok());
    let stored_bytes = plausible.map(|kind| {
        let hash = record::signed_hash(kind, &read).len();
        let stored = record::stored_fields(kind, &read);
        let texts = stored.iter().map(|(name, value)| name.len() + value.len());
        hash + texts.sum::<usize>()
    });
    Some(Probed {
        fields,
        stored_bytes: stored_bytes.collect(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// More than any callback that passes the grammar can leave behind.
    const STORED_BYTES_MAX: usize = 64 * 1024;

    fn holds(probed: &Probed) -> Result<(), TestCaseError> {
        for (name, value) in &probed.fields {
            prop_assert!(!name.is_empty() && !name.contains('\0') && !value.contains('\0'));
        }
        prop_assert!(
            probed
                .stored_bytes
                .iter()
                .all(|bytes| *bytes < STORED_BYTES_MAX)
        );
        Ok(())
    }

    #[test]
    fn a_callback_is_plausible_as_its_kind_only() {
        let body = b"CallSid=CA0123456789abcdef0123456789abcdef&CallStatus=busy&To=%2B15550100001";
        let probed = form(body).unwrap();
        assert_eq!(
            probed.fields[2],
            ("To".to_owned(), "+15550100001".to_owned())
        );
        assert_eq!(probed.stored_bytes.len(), 1);
        assert_eq!(form(b"a=%"), None);
        assert_eq!(
            json(br#"{"a":"x"}"#).unwrap().fields,
            [("a".to_owned(), "x".to_owned())]
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_body_makes_the_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            form(&body);
            json(&body);
        }

        #[test]
        fn a_form_that_is_read_is_read_the_same_once_written_again(
            body in "((CallSid|CallStatus|To|From|Body|a|%[0-9a-f]{2}|\\PC)(=|&|\\+|%2B|CA|[0-9a-f]{4})?){0,30}",
        ) {
            if let Some(probed) = form(body.as_bytes()) {
                holds(&probed)?;
                let written = form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(&probed.fields)
                    .finish();
                prop_assert_eq!(form(written.as_bytes()), Some(probed));
            }
        }

        #[test]
        fn a_json_object_is_read_as_its_members(
            members in proptest::collection::btree_map("[^\0]{1,8}", "[^\0]{0,8}", 0..20),
        ) {
            let body = serde_json::to_vec(&members).unwrap();
            let probed = json(&body).unwrap();
            holds(&probed)?;
            prop_assert_eq!(probed.fields, Vec::from_iter(members));
        }
    }
}
