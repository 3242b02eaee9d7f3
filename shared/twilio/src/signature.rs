//! The signature of Twilio's callbacks: `X-Twilio-Signature`, an HMAC over the address as it was configured,
//! followed by every distinct form field, sorted.
//!
//! What a tenant accepts is a type, [`SigningKeys`]: the auth tokens of the account that owns the resource
//! (always HMAC-SHA1), or shared keys by their id, each with its algorithm. The request's header chooses
//! among those, never between them. On its way the address may have gained or lost a port and had its query
//! escaped, so a few spellings are tried; the usual one first, the others only when it does not match. No
//! field is ever trimmed, normalised or left out.

mod keys;

mod spellings;

use std::borrow::Cow;
use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use keys::Settings;
pub use keys::{Algorithm, SETTINGS_HEADER, SharedKey, SigningKeys};

/// The header that carries the signature.
pub const HEADER: &str = "X-Twilio-Signature";
/// The query parameter that carries the hash of a JSON body.
pub const BODY_HASH_PARAMETER: &str = "bodySHA256";

/// Signs as Twilio does with an auth token: `url` as configured (a fragment is left out), `params` decoded,
/// in any order.
pub fn sign<N: AsRef<str>, V: AsRef<str>>(token: &str, url: &str, params: &[(N, V)]) -> String {
    sign_with(Algorithm::HmacSha1, token, url, params)
}

/// Signs as Twilio does with a shared key. [`SharedKey::settings`] is the header that belongs to it.
pub fn sign_with_shared_key<N: AsRef<str>, V: AsRef<str>>(
    key: &SharedKey,
    url: &str,
    params: &[(N, V)],
) -> String {
    sign_with(key.algorithm(), key.secret(), url, params)
}

fn sign_with<N: AsRef<str>, V: AsRef<str>>(
    algorithm: Algorithm,
    secret: &str,
    url: &str,
    params: &[(N, V)],
) -> String {
    let url = spellings::without_fragment(url);
    STANDARD.encode(algorithm.mac(secret, url, &joined(params, Order::Utf16)))
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

/// A callback made ready to be held against one key after another (after a rotation there are several).
#[derive(Debug, Clone)]
pub struct Validator<'a> {
    url: &'a str,
    fields: String,
    /// The same fields in the other order that Twilio may have put them in, where that differs.
    fields_by_code_point: Option<String>,
    /// Whether what is not signed (a JSON body) is what its hash says.
    intact: bool,
}

impl<'a> Validator<'a> {
    /// A form callback: `url` as configured, with the query as it arrived; `params` decoded, all of them.
    pub fn for_form<N: AsRef<str>, V: AsRef<str>>(url: &'a str, params: &[(N, V)]) -> Self {
        let by_code_point = joined(params, Order::CodePoint);
        // The two orders differ only where a character beyond the basic plane takes part.
        let (fields, fields_by_code_point) = if by_code_point.bytes().any(|byte| byte >= 0xF0) {
            let fields = joined(params, Order::Utf16);
            let other = Some(by_code_point).filter(|other| *other != fields);
            (fields, other)
        } else {
            (by_code_point, None)
        };
        Self {
            url,
            fields,
            fields_by_code_point,
            intact: true,
        }
    }

    /// A JSON callback: its address carries the hash of the raw body.
    pub fn for_json(url: &'a str, body: &[u8]) -> Self {
        let stated = stated_body_hash(url);
        let intact =
            stated.is_some_and(|stated| stated.as_bytes().ct_eq(body_hash(body).as_bytes()).into());
        Self {
            url,
            fields: String::new(),
            fields_by_code_point: None,
            intact,
        }
    }

    /// Whether `signature`, as the header holds it, was made with this token.
    pub fn accepts(&self, token: &str, signature: &str) -> bool {
        self.spelling_signed_with(Algorithm::HmacSha1, token, signature)
            .is_some()
    }

    /// Whether `signature` was made with one of `keys`. `settings` is the value of [`SETTINGS_HEADER`], none
    /// when it did not come; a request that carries it twice is to be refused before.
    pub fn accepts_any(
        &self,
        keys: &SigningKeys<'_>,
        settings: Option<&str>,
        signature: &str,
    ) -> bool {
        self.signed_url(keys, settings, signature).is_some()
    }

    /// What [`Self::accepts_any`] decides, with the spelling of the address that was signed; none: refused.
    pub fn signed_url(
        &self,
        keys: &SigningKeys<'_>,
        settings: Option<&str>,
        signature: &str,
    ) -> Option<Cow<'a, str>> {
        let settings = Settings::parse(settings).ok()?;
        match (keys, settings) {
            (SigningKeys::AuthTokens(tokens), None) => tokens.iter().find_map(|token| {
                self.spelling_signed_with(Algorithm::HmacSha1, token.expose_secret(), signature)
            }),
            (SigningKeys::SharedKeys(keys), Some(settings)) => keys
                .iter()
                .filter(|key| settings.name(key))
                .find_map(|key| {
                    self.spelling_signed_with(key.algorithm(), key.secret(), signature)
                }),
            // Signed in the way that this tenant does not accept: perhaps with a leaked token.
            (SigningKeys::AuthTokens(_), Some(_)) | (SigningKeys::SharedKeys(_), None) => None,
        }
    }

    fn spelling_signed_with(
        &self,
        algorithm: Algorithm,
        secret: &str,
        signature: &str,
    ) -> Option<Cow<'a, str>> {
        let given = decode(signature, algorithm)?;
        if !self.intact {
            return None;
        }
        let fits = |url: &str, fields: &str| {
            let expected = algorithm.mac(secret, url, fields);
            bool::from(expected.ct_eq(given.as_slice()))
        };
        let usual = spellings::without_fragment(self.url);
        if fits(usual, &self.fields) {
            return Some(Cow::Borrowed(usual));
        }
        let others = spellings::others(self.url);
        if let Some(signed) = others.into_iter().find(|url| fits(url, &self.fields)) {
            return Some(Cow::Owned(signed));
        }
        let fields = self.fields_by_code_point.as_deref()?;
        let plain = spellings::plain(usual);
        let signed = plain.into_iter().find(|url| fits(url, fields))?;
        Some(Cow::Owned(signed))
    }
}

/// The first body hash of the address's query, decoded; an address that is none has none.
fn stated_body_hash(url: &str) -> Option<String> {
    url::Url::parse(url)
        .ok()?
        .query_pairs()
        .find_map(|(name, value)| (name == BODY_HASH_PARAMETER).then(|| value.into_owned()))
}

/// How names and values are sorted. Twilio does not say which; its libraries differ.
#[derive(Clone, Copy)]
enum Order {
    /// As twilio-python does.
    CodePoint,
    /// As twilio-node does.
    Utf16,
}

impl Order {
    fn compare(self, left: &str, right: &str) -> Ordering {
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

/// Canonical, padded base64 of exactly one MAC; anything else is no signature.
fn decode(signature: &str, algorithm: Algorithm) -> Option<Vec<u8>> {
    if signature.len() != algorithm.mac_bytes().div_ceil(3) * 4 {
        return None;
    }
    let decoded = STANDARD.decode(signature).ok()?;
    (decoded.len() == algorithm.mac_bytes()).then_some(decoded)
}
