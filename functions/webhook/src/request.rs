//! The event as far as it is read before a signature is computed: path, limits, media type, body.
//! `Host` and `X-Forwarded-*` are the caller's to choose and are never read.

use std::borrow::Cow;

use aws_lambda_events::event::apigw::ApiGatewayV2httpRequest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, Method};

use crate::form::{self, Field};
use crate::json;
use crate::refusal::Refusal;
use crate::route::Route;

/// A body that is larger is not read; Twilio's are a few KB.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// A query that is longer is not ours.
const QUERY_BYTES_MAX: usize = 8 * 1024;

/// Base64 of an HMAC-SHA1; anything else is not worth a read.
const SIGNATURE_CHARS: usize = 28;

/// How the body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Form,
    /// With its hash in the address.
    Json,
}

/// A request within the limits, whose signature is still to be checked.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) route: &'a Route,
    pub(crate) query: &'a str,
    pub(crate) signature: &'a str,
    pub(crate) format: Format,
    pub(crate) body: Cow<'a, [u8]>,
}

impl<'a> Request<'a> {
    /// Checks what needs no body; only a request that carries a signature has its body decoded.
    pub(crate) fn parse(
        event: &'a ApiGatewayV2httpRequest,
        route: &'a Route,
    ) -> Result<Self, Refusal> {
        if event.request_context.http.method != Method::POST {
            return Err(Refusal::MethodNotAllowed);
        }
        let query = event.raw_query_string.as_deref().unwrap_or_default();
        if query.len() > QUERY_BYTES_MAX {
            return Err(Refusal::Malformed("query is too long"));
        }
        let body = event.body.as_deref().unwrap_or_default();
        if body_bytes(body, event.is_base64_encoded) > BODY_BYTES_MAX {
            return Err(Refusal::BodyTooLarge);
        }
        let format = format(&event.headers, query).ok_or(Refusal::UnsupportedMediaType)?;
        let signature = only(&event.headers, twilio::signature::HEADER)
            .filter(|signature| signature.len() == SIGNATURE_CHARS)
            .ok_or(Refusal::SignatureInvalid)?;
        let body = if event.is_base64_encoded {
            let decoded = STANDARD.decode(body);
            Cow::Owned(decoded.map_err(|_| Refusal::Malformed("body is not base64"))?)
        } else {
            Cow::Borrowed(body.as_bytes())
        };
        Ok(Self {
            route,
            query,
            signature,
            format,
            body,
        })
    }

    /// The body's fields, in no particular order.
    pub(crate) fn fields(&self) -> Result<Vec<Field<'_>>, Refusal> {
        match self.format {
            Format::Form => form::parse(&self.body),
            Format::Json => json::parse(&self.body),
        }
    }
}

/// The body's length once decoded.
fn body_bytes(body: &str, is_base64: bool) -> usize {
    if !is_base64 {
        return body.len();
    }
    let padding = body.bytes().rev().take(2).filter(|byte| *byte == b'=');
    (body.len().div_ceil(4) * 3).saturating_sub(padding.count())
}

fn format(headers: &HeaderMap, query: &str) -> Option<Format> {
    if headers.contains_key(CONTENT_ENCODING) {
        return None;
    }
    let media_type = only(headers, CONTENT_TYPE.as_str())?;
    let essence = media_type.split(';').next()?.trim();
    if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        Some(Format::Form)
    } else if essence.eq_ignore_ascii_case("application/json") && states_body_hash(query) {
        Some(Format::Json)
    } else {
        None
    }
}

fn states_body_hash(query: &str) -> bool {
    query.split('&').any(|pair| {
        pair.split_once('=')
            .is_some_and(|(name, _)| name == twilio::signature::BODY_HASH_PARAMETER)
    })
}

/// The header's value, if it came once and is ASCII.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return None;
    }
    value.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decoded_length_is_known_before_decoding() {
        for length in [0, 1, 2, 3, 4, BODY_BYTES_MAX, BODY_BYTES_MAX + 1] {
            let encoded = STANDARD.encode(vec![b'a'; length]);
            assert_eq!(body_bytes(&encoded, true), length);
        }
        assert_eq!(body_bytes("====", true), 1);
        assert_eq!(body_bytes("====", false), 4);
    }
}
