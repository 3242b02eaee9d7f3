//! A form body as its fields, once and strictly: what cannot be read without guessing is refused.

use std::borrow::Cow;

use crate::refusal::Refusal;

/// Fields of one callback; Twilio's largest have about 40.
pub(crate) const FIELDS_MAX: usize = 200;

/// A field's name and value, decoded.
pub(crate) type Field<'a> = (Cow<'a, str>, Cow<'a, str>);

/// Reads a form.
pub(crate) fn parse(body: &[u8]) -> Result<Vec<Field<'_>>, Refusal> {
    let body = std::str::from_utf8(body).map_err(|_| Refusal::Malformed("body is not UTF-8"))?;
    let pieces = || body.split('&').filter(|piece| !piece.is_empty());
    let count = pieces().take(FIELDS_MAX + 1).count();
    if count > FIELDS_MAX {
        return Err(Refusal::Malformed("more than 200 fields"));
    }
    let mut fields = Vec::with_capacity(count);
    for piece in pieces() {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        fields.push(checked(decode(name)?, decode(value)?)?);
    }
    Ok(fields)
}

/// A field that may be stored: named, and without NUL.
pub(crate) fn checked<'a>(name: Cow<'a, str>, value: Cow<'a, str>) -> Result<Field<'a>, Refusal> {
    if name.is_empty() {
        return Err(Refusal::Malformed("field without a name"));
    }
    if name.contains('\0') || value.contains('\0') {
        return Err(Refusal::Malformed("NUL in a field"));
    }
    Ok((name, value))
}

/// Undoes form encoding. A `%` without two hexadecimal digits is an error, not a per cent sign.
fn decode(text: &str) -> Result<Cow<'_, str>, Refusal> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Ok(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = bytes.next().and_then(hex_digit);
                let low = bytes.next().and_then(hex_digit);
                let (Some(high), Some(low)) = (high, low) else {
                    return Err(Refusal::Malformed("incomplete escape"));
                };
                high << 4 | low
            }
            other => other,
        });
    }
    let decoded = String::from_utf8(decoded);
    decoded
        .map(Cow::Owned)
        .map_err(|_| Refusal::Malformed("field is not UTF-8"))
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Fields as the function has them after reading: sorted, each pair once.
#[cfg(test)]
pub(crate) fn sorted<'a>(pairs: &[(&'a str, &'a str)]) -> Vec<Field<'a>> {
    let mut fields: Vec<Field<'a>> = pairs
        .iter()
        .map(|(name, value)| (Cow::Borrowed(*name), Cow::Borrowed(*value)))
        .collect();
    fields.sort_unstable();
    fields.dedup();
    fields
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_needs_a_guess_is_refused() {
        for body in [
            &b"a=%"[..],
            b"a=%4",
            b"a=%zz",
            b"%=a",
            b"a=%00",
            b"a=\0",
            b"\xff=a",
            b"a=%ff",
            b"=a",
            b"a=%c3%28",
            b"a=%+1",
        ] {
            assert!(
                matches!(parse(body), Err(Refusal::Malformed(_))),
                "{body:?}"
            );
        }
        let many = |count| vec!["a=1"; count].join("&");
        assert_eq!(parse(many(200).as_bytes()).unwrap().len(), 200);
        assert!(parse(many(201).as_bytes()).is_err());
    }

    #[test]
    fn plain_fields_are_not_copied() {
        let fields = parse(b"CallSid=CA1&&To=%2B1+2&Empty=&Bare").unwrap();
        assert!(matches!(fields[0].1, Cow::Borrowed("CA1")));
        assert_eq!(fields[1].1, "+1 2");
        assert_eq!(
            (&*fields[2].1, &*fields[3].0, &*fields[3].1),
            ("", "Bare", "")
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_was_encoded_is_read_back(
            pairs in proptest::collection::vec(("[^\0]{1,8}", "[^\0]{0,8}"), 0..20),
        ) {
            let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            let read = parse(body.as_bytes()).unwrap();
            let read: Vec<(String, String)> =
                read.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
            prop_assert_eq!(read, pairs);
        }
    }
}
