//! What a tenant's callbacks may be signed with, and the header that names a shared key.
//!
//! No downgrade: the tenant's configuration says which keys count and with which algorithm. The header only
//! picks one of them, so that who holds an old auth token cannot declare a callback to be signed with it.

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha1::Sha1;
use sha2::Sha256;

/// The header of a callback that is signed with a shared key: `key=<id>,algorithm=<algorithm>`. Callbacks
/// signed with an auth token come without.
pub const SETTINGS_HEADER: &str = "X-Twilio-Webhooks-Signature-Settings";

/// How a signature is computed, by Twilio's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// `HMAC_SHA1`: always with an auth token, possible with a shared key.
    HmacSha1,
    /// `HMAC_SHA256`: with a shared key only.
    HmacSha256,
}

impl Algorithm {
    /// Twilio's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha1 => "HMAC_SHA1",
            Self::HmacSha256 => "HMAC_SHA256",
        }
    }

    /// By Twilio's name, in either case; none for another algorithm.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::HmacSha1, Self::HmacSha256]
            .into_iter()
            .find(|algorithm| name.eq_ignore_ascii_case(algorithm.as_str()))
    }

    pub(super) fn mac_bytes(self) -> usize {
        match self {
            Self::HmacSha1 => 20,
            Self::HmacSha256 => 32,
        }
    }

    pub(super) fn mac(self, secret: &str, url: &str, fields: &str) -> Vec<u8> {
        const ANY_LENGTH: &str = "HMAC takes keys of any length";
        let secret = secret.as_bytes();
        match self {
            Self::HmacSha1 => {
                let mac = Hmac::<Sha1>::new_from_slice(secret).expect(ANY_LENGTH);
                let mac = mac.chain_update(url).chain_update(fields);
                mac.finalize().into_bytes().to_vec()
            }
            Self::HmacSha256 => {
                let mac = Hmac::<Sha256>::new_from_slice(secret).expect(ANY_LENGTH);
                let mac = mac.chain_update(url).chain_update(fields);
                mac.finalize().into_bytes().to_vec()
            }
        }
    }
}

/// A shared key of webhooks.twilio.com, with the one algorithm that it signs by.
#[derive(Debug, Clone)]
pub struct SharedKey {
    id: String,
    algorithm: Algorithm,
    secret: SecretString,
}

impl SharedKey {
    /// `id` as the header names it.
    pub fn new(id: impl Into<String>, algorithm: Algorithm, secret: SecretString) -> Self {
        Self {
            id: id.into(),
            algorithm,
            secret,
        }
    }

    /// The value of [`SETTINGS_HEADER`] that goes with this key's signatures.
    pub fn settings(&self) -> String {
        format!("key={},algorithm={}", self.id, self.algorithm.as_str())
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn secret(&self) -> &str {
        self.secret.expose_secret()
    }
}

/// What a tenant's callbacks are signed with. One of the two, so that a header cannot choose the weaker.
#[derive(Debug, Clone, Copy)]
pub enum SigningKeys<'a> {
    /// Auth tokens of the account: the primary one, after a rotation also those around it.
    AuthTokens(&'a [SecretString]),
    /// Shared keys; then no auth token is accepted.
    SharedKeys(&'a [SharedKey]),
}

/// What the header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings<'a> {
    key: &'a str,
    algorithm: Algorithm,
}

/// A header that cannot be read, or names no algorithm that we know.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl<'a> Settings<'a> {
    /// Reads the header; one that is absent or blank says nothing. Key and algorithm have to be there, once;
    /// what else Twilio may add is passed over.
    pub(super) fn parse(header: Option<&'a str>) -> Result<Option<Self>, Malformed> {
        let Some(header) = header.map(str::trim).filter(|header| !header.is_empty()) else {
            return Ok(None);
        };
        let (mut key, mut algorithm) = (None, None);
        for part in header.split(',') {
            let (name, value) = part.split_once('=').ok_or(Malformed)?;
            let earlier = match name.trim() {
                "key" => key.replace(value.trim()),
                "algorithm" => algorithm.replace(value.trim()),
                _ => None,
            };
            if earlier.is_some() {
                return Err(Malformed);
            }
        }
        let key = key.filter(|key| !key.is_empty()).ok_or(Malformed)?;
        let algorithm = algorithm.and_then(Algorithm::parse).ok_or(Malformed)?;
        Ok(Some(Self { key, algorithm }))
    }

    /// Whether this is the key that is meant, by the algorithm that it has.
    pub(super) fn name(&self, key: &SharedKey) -> bool {
        self.key == key.id && self.algorithm == key.algorithm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_one_key_and_one_known_algorithm() {
        let read = Settings::parse(Some(" key=SK1 , algorithm=hmac_sha256,version=2"));
        let settings = Settings {
            key: "SK1",
            algorithm: Algorithm::HmacSha256,
        };
        assert_eq!(read, Ok(Some(settings)));
        assert_eq!(Settings::parse(None), Ok(None));
        assert_eq!(Settings::parse(Some(" ")), Ok(None));
        for malformed in [
            "key=SK1",
            "algorithm=HMAC_SHA1",
            "key=,algorithm=HMAC_SHA1",
            "key=SK1,algorithm=",
            "key=SK1,algorithm=HMAC_SHA512",
            "key=SK1,algorithm=none",
            "key=SK1;algorithm=HMAC_SHA256",
            "key=SK1,key=SK2,algorithm=HMAC_SHA256",
            "key=SK1,algorithm=HMAC_SHA256,algorithm=HMAC_SHA1",
            "key=SK1,algorithm=HMAC_SHA256,",
            "HMAC_SHA256",
            ",",
        ] {
            assert_eq!(
                Settings::parse(Some(malformed)),
                Err(Malformed),
                "{malformed}"
            );
        }
    }

    #[test]
    fn a_secret_is_not_in_the_debug_output() {
        let secret = SecretString::from("whsec_1234".to_owned());
        let key = SharedKey::new("SK1", Algorithm::HmacSha256, secret);
        assert!(!format!("{key:?}").contains("whsec"));
    }
}
