//! Holds recorded callbacks against their signatures, by the check of `twilio::signature`: for a person whose
//! callbacks are refused, and for whoever compares that check with another one.
//!
//! A request is judged as it was recorded; only [`Explain::Yes`] tries what would have made it valid, and
//! that never changes the verdict.

mod vector;

mod changes;

mod explain;

use secrecy::SecretString;
use serde::Serialize;
use twilio::signature::{Algorithm, SharedKey, SigningKeys, Validator};

use vector::{Format, Request, Vector};

/// Whether a verdict comes with its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explain {
    /// Which spelling of the address was signed, or what would have made an invalid request valid.
    Yes,
    /// Only the verdict.
    No,
}

/// What the check says of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The vector's name, or its position in the file where it has none.
    pub name: String,
    /// Whether the request is to be believed.
    pub valid: bool,
    /// With an explanation: the address as it was signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_url: Option<String>,
    /// With an explanation: why it is likely refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A file that cannot be judged; nothing of it is.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Not JSON, or no vectors.
    #[error("{0}")]
    File(String),
    /// One vector that lacks something or has something of another form.
    #[error("vector {position}{}: {problem}", called(.name.as_deref()))]
    Vector {
        /// From 1.
        position: usize,
        /// If it says one.
        name: Option<String>,
        /// What is wrong.
        problem: String,
    },
}

fn called(name: Option<&str>) -> String {
    name.map_or_else(String::new, |name| format!(" ({name:?})"))
}

/// Judges every vector of a file: `{"vectors": [...]}`, an array of vectors, or vectors one after another.
///
/// A vector has `url`, `params` (pairs, or an object) or `body`, `content_type` (`form` or `json`),
/// `auth_token` (or the shared key's secret), `signature`, and perhaps `name` and `algorithm`.
pub fn verify_signatures(file: &[u8], explain: Explain) -> Result<Vec<Verdict>, VerifyError> {
    vector::read(file, |vector| verdict(vector, explain))
}

fn verdict(vector: Vector, explain: Explain) -> Verdict {
    let Vector { name, request } = vector;
    let signed_url = request.signed_url();
    let valid = signed_url.is_some();
    if explain == Explain::No {
        return Verdict {
            name,
            valid,
            signed_url: None,
            reason: None,
        };
    }
    let reason = (!valid).then(|| explain::reason(&request));
    Verdict {
        name,
        valid,
        signed_url,
        reason,
    }
}

impl Request {
    /// The spelling of the address that was signed; none for an invalid request.
    fn signed_url(&self) -> Option<String> {
        let validator = match self.format {
            Format::Form => Validator::for_form(&self.url, &self.params),
            Format::Json => Validator::for_json(&self.url, self.body.as_bytes()),
        };
        let secret = SecretString::from(self.secret.as_str());
        let Some(named) = self.algorithm.as_deref() else {
            let tokens = [secret];
            let keys = SigningKeys::AuthTokens(&tokens);
            return signed(&validator, keys, None, &self.signature);
        };
        // The header named this algorithm, of whatever key it was. One that nobody knows is refused.
        let key = SharedKey::new("recorded", Algorithm::parse(named)?, secret);
        let settings = key.settings();
        let keys = [key];
        let keys = SigningKeys::SharedKeys(&keys);
        signed(&validator, keys, Some(&settings), &self.signature)
    }
}

fn signed(
    validator: &Validator<'_>,
    keys: SigningKeys<'_>,
    settings: Option<&str>,
    signature: &str,
) -> Option<String> {
    let url = validator.signed_url(&keys, settings, signature);
    url.map(std::borrow::Cow::into_owned)
}
