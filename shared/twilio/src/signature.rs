//! The signature of Twilio's callbacks: `X-Twilio-Signature`, HMAC-SHA1 keyed with the auth token of the
//! account that owns the resource.
//!
//! What is signed is the address as it was configured, followed by every distinct form field, sorted. On
//! its way the address may have gained or lost a port and had a quote escaped, so a few spellings are
//! tried; the usual one first, the others only when it does not match. No field is ever trimmed,
//! normalised or left out. The newer shared-key form (HMAC-SHA256) is not accepted here.

use std::borrow::Cow;
use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// The header that carries the signature.
pub const HEADER: &str = "X-Twilio-Signature";
/// The query parameter that carries the hash of a JSON body.
pub const BODY_HASH_PARAMETER: &str = "bodySHA256";
/// Bytes of an HMAC-SHA1.
const MAC_BYTES: usize = 20;

/// Signs as Twilio does: `url` as configured (a fragment is left out), `params` decoded, in any order.
pub fn sign<N: AsRef<str>, V: AsRef<str>>(token: &str, url: &str, params: &[(N, V)]) -> String {
    STANDARD.encode(mac(
        token,
        without_fragment(url),
        &joined(params, Order::CodePoint),
    ))
}

/// The lower-case hash that goes into a JSON callback's address.
pub fn body_hash(body: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).expect("four bits are one digit");
    Sha256::digest(body)
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

/// Whether `signature` was made with `token` over this form callback.
pub fn verify<N: AsRef<str>, V: AsRef<str>>(
    token: &str,
    url: &str,
    params: &[(N, V)],
    signature: &str,
) -> bool {
    Validator::for_form(url, params).accepts(token, signature)
}

/// A callback made ready to be held against one token after another (after a rotation there are several).
#[derive(Debug, Clone)]
pub struct Validator<'a> {
    url: &'a str,
    fields: String,
    /// The same fields in Twilio's other order, where that differs.
    fields_utf16: Option<String>,
    /// Whether what is not signed (a JSON body) is what its hash says.
    intact: bool,
}

impl<'a> Validator<'a> {
    /// A form callback: `url` as configured, with the query as it arrived; `params` decoded, all of them.
    pub fn for_form<N: AsRef<str>, V: AsRef<str>>(url: &'a str, params: &[(N, V)]) -> Self {
        let fields = joined(params, Order::CodePoint);
        // The two orders differ only where a character beyond the basic plane takes part.
        let fields_utf16 = if fields.bytes().any(|byte| byte >= 0xF0) {
            Some(joined(params, Order::Utf16)).filter(|other| *other != fields)
        } else {
            None
        };
        Self {
            url: without_fragment(url),
            fields,
            fields_utf16,
            intact: true,
        }
    }

    /// A JSON callback: its address carries the hash of the raw body.
    pub fn for_json(url: &'a str, body: &[u8]) -> Self {
        let url = without_fragment(url);
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let stated = form_urlencoded::parse(query.as_bytes())
            .find_map(|(name, value)| (name == BODY_HASH_PARAMETER).then_some(value));
        let intact =
            stated.is_some_and(|stated| stated.as_bytes().ct_eq(body_hash(body).as_bytes()).into());
        Self {
            url,
            fields: String::new(),
            fields_utf16: None,
            intact,
        }
    }

    /// Whether `signature`, as the header holds it, was made with this token.
    pub fn accepts(&self, token: &str, signature: &str) -> bool {
        let Some(given) = decode(signature) else {
            return false;
        };
        if !self.intact {
            return false;
        }
        let matches = |url: &str| {
            let spellings = [Some(&self.fields), self.fields_utf16.as_ref()];
            spellings
                .into_iter()
                .flatten()
                .any(|fields| mac(token, url, fields).ct_eq(&given).into())
        };
        matches(self.url) || other_spellings(self.url).iter().any(|url| matches(url))
    }
}

#[derive(Clone, Copy)]
enum Order {
    CodePoint,
    Utf16,
}

impl Order {
    fn compare(self, left: &str, right: &str) -> std::cmp::Ordering {
        match self {
            // UTF-8 sorts as its code points do.
            Self::CodePoint => left.cmp(right),
            Self::Utf16 => left.encode_utf16().cmp(right.encode_utf16()),
        }
    }
}

/// Every field name followed by its value, sorted, each pair once.
fn joined<N: AsRef<str>, V: AsRef<str>>(params: &[(N, V)], order: Order) -> String {
    let mut pairs: Vec<(&str, &str)> = params
        .iter()
        .map(|(name, value)| (name.as_ref(), value.as_ref()))
        .collect();
    pairs.sort_unstable_by(|left, right| {
        order
            .compare(left.0, right.0)
            .then_with(|| order.compare(left.1, right.1))
    });
    pairs.dedup();
    let length = pairs
        .iter()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    let mut joined = String::with_capacity(length);
    for (name, value) in pairs {
        joined.push_str(name);
        joined.push_str(value);
    }
    joined
}

fn mac(token: &str, url: &str, fields: &str) -> [u8; MAC_BYTES] {
    let mut mac =
        Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(url.as_bytes());
    mac.update(fields.as_bytes());
    mac.finalize().into_bytes().into()
}

/// Canonical, padded base64 of exactly one MAC; anything else is no signature.
fn decode(signature: &str) -> Option<[u8; MAC_BYTES]> {
    let mut bytes = [0; MAC_BYTES + 1];
    // 28 characters may announce 21 bytes, hence the spare one.
    if signature.len() != 28 {
        return None;
    }
    let length = STANDARD.decode_slice(signature, &mut bytes).ok()?;
    bytes[..length].try_into().ok()
}

fn without_fragment(url: &str) -> &str {
    url.split_once('#').map_or(url, |(url, _)| url)
}

/// The address with and without its port, each with a quote in the query escaped or not.
fn other_spellings(url: &str) -> BTreeSet<String> {
    let mut spellings = BTreeSet::new();
    for url in [Cow::Borrowed(url)]
        .into_iter()
        .chain(other_port(url).map(Cow::Owned))
    {
        if let Some((before, query)) = url.split_once('?') {
            if query.contains('\'') {
                spellings.insert(format!("{before}?{}", query.replace('\'', "%27")));
            }
            if query.contains("%27") {
                spellings.insert(format!("{before}?{}", query.replace("%27", "'")));
            }
        }
        spellings.insert(url.into_owned());
    }
    spellings.remove(url);
    spellings
}

/// Takes the port away where there is one, adds the scheme's own where there is none.
fn other_port(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let host_from = authority.rfind('@').map_or(0, |at| at + 1);
    let (user, host) = authority.split_at(host_from);
    // The colons of an IPv6 address stand in brackets.
    let port_from = host
        .rfind(':')
        .filter(|colon| host.rfind(']').is_none_or(|bracket| bracket < *colon));
    match port_from {
        Some(colon) => Some(format!("{scheme}://{user}{}{tail}", &host[..colon])),
        None if scheme.eq_ignore_ascii_case("https") => {
            Some(format!("{scheme}://{authority}:443{tail}"))
        }
        None if scheme.eq_ignore_ascii_case("http") => {
            Some(format!("{scheme}://{authority}:80{tail}"))
        }
        None => None,
    }
}
