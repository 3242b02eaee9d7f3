//! Why a request is likely refused, found by trying: each likely accident is undone, alone and in pairs, and
//! what then passes the check is the reason. What was not tried is not claimed.

use super::changes::{CHANGES, fields_left_out};
use super::vector::{Format, Request};
use twilio::signature::{Algorithm, BODY_HASH_PARAMETER, body_hash};

/// The reason in a sentence.
pub(super) fn reason(request: &Request) -> String {
    if request.signature.trim().is_empty() {
        return "there is no signature: the header did not come or was not passed on".to_owned();
    }
    if let Some(unknown) = unknown_algorithm(request) {
        return format!("algorithm {unknown} is neither HMAC_SHA1 nor HMAC_SHA256");
    }
    fitting(request)
        .or_else(|| wrong_body(request))
        .or_else(|| unreadable_signature(request))
        .unwrap_or_else(|| {
            "nothing that was tried fits: another token (only the primary auth token of the account that \
             owns the resource signs), another address than the configured one, or changed fields"
                .to_owned()
        })
}

/// The first change, or pair of changes, that makes the request valid.
fn fitting(request: &Request) -> Option<String> {
    let changed: Vec<_> = CHANGES.iter().flat_map(|change| change(request)).collect();
    for (what, changed) in changed.iter().chain(&fields_left_out(request)) {
        if changed.signed_url().is_some() {
            return Some(format!("fits with {what}"));
        }
    }
    for (first, once) in &changed {
        for (second, twice) in CHANGES.iter().flat_map(|change| change(once)) {
            if first != &second && twice.signed_url().is_some() {
                return Some(format!("fits with {first} and {second}"));
            }
        }
    }
    None
}

fn unknown_algorithm(request: &Request) -> Option<&str> {
    let named = request.algorithm.as_deref()?;
    Algorithm::parse(named).is_none().then_some(named)
}

/// A JSON body that is not the one whose hash the address carries.
fn wrong_body(request: &Request) -> Option<String> {
    if request.format != Format::Json {
        return None;
    }
    let query = request.url.split_once('?').map_or("", |(_, query)| query);
    let query = query.split('#').next().unwrap_or_default();
    let stated = form_urlencoded::parse(query.as_bytes())
        .find_map(|(name, value)| (name == BODY_HASH_PARAMETER).then_some(value));
    let Some(stated) = stated else {
        return Some(format!(
            "the address has no {BODY_HASH_PARAMETER}, without which a JSON body is not signed"
        ));
    };
    if *stated == body_hash(request.body.as_bytes()) {
        return None;
    }
    let address_only = Request {
        format: Format::Form,
        params: Vec::new(),
        ..request.clone()
    };
    let signed = match address_only.signed_url() {
        Some(_) => "the address is signed",
        None => "the address is not signed with this key",
    };
    Some(format!(
        "{signed}; its {BODY_HASH_PARAMETER} is not the hash of this body: perhaps it was read and written again"
    ))
}

fn unreadable_signature(request: &Request) -> Option<String> {
    let algorithm = request.algorithm.as_deref().unwrap_or("HMAC_SHA1");
    let bytes = match Algorithm::parse(algorithm)? {
        Algorithm::HmacSha1 => 20,
        Algorithm::HmacSha256 => 32,
    };
    let decoded = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        &request.signature,
    );
    let readable = decoded.is_ok_and(|decoded| decoded.len() == bytes);
    (!readable).then(|| format!("the signature is not the base64 of {bytes} bytes"))
}
