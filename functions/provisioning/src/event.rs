//! The HTTP API's event (payload version 2) to an `http::Request` and back, without a panic: whatever a
//! caller puts into host, forwarding headers, path or query must not stop the function.
//!
//! lambda_http 1.3 panics on such input (a bad Host, X-Forwarded-Proto, query byte or base64 body), so the
//! event is first rewritten to what the handlers read. Host and X-Forwarded-* are not among it.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Method, Request, header};
use http_body_util::BodyExt as _;
use lambda_http::request::LambdaRequest;
use lambda_runtime::Error;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::extract::BODY_MAX;
use crate::problem::{Code, Failure};

/// Headers that handlers read; all others are dropped.
const HEADERS_KEPT: [&str; 4] = [
    "authorization",
    "content-type",
    "content-length",
    "idempotency-key",
];
/// Longest header value that is read.
const HEADER_MAX: usize = 1_024;
/// The path arrives decoded: all but these characters is encoded again.
const PATH_KEPT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');
/// The query arrives encoded: only what no query may hold is encoded.
const QUERY_KEPT: &AsciiSet = &PATH_KEPT
    .remove(b'%')
    .remove(b'&')
    .remove(b'=')
    .remove(b'+')
    .remove(b',')
    .remove(b':')
    .remove(b';')
    .remove(b'@')
    .remove(b'?');

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpEvent {
    #[serde(default)]
    raw_path: String,
    #[serde(default)]
    raw_query_string: Option<String>,
    #[serde(default)]
    headers: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
    request_context: RequestContext,
}

#[derive(Deserialize)]
struct RequestContext {
    http: HttpDescription,
}

#[derive(Deserialize)]
struct HttpDescription {
    method: String,
}

/// Does the event come from a queue?
pub fn is_from_queue(event: &Value) -> bool {
    event.get("Records").is_some()
}

/// The request that an event describes.
pub fn into_request(event: Value) -> Result<Request<Body>, Failure> {
    let event: HttpEvent = serde_json::from_value(event)
        .map_err(|_| Failure::from(Code::REQUEST_MALFORMED).caused_by("not an HTTP API event"))?;
    let method = Method::from_bytes(event.request_context.http.method.as_bytes())
        .map_err(|_| Code::REQUEST_MALFORMED)?;
    let body = decode_body(event.body.unwrap_or_default(), event.is_base64_encoded)?;
    let mut headers = Map::new();
    for (name, value) in event.headers.unwrap_or_default() {
        let name = name.to_ascii_lowercase();
        if HEADERS_KEPT.contains(&name.as_str()) {
            let value = value.as_str().filter(|value| value.len() <= HEADER_MAX);
            // A value that HTTP could not carry is kept as an empty one: present, and never valid.
            let value = value.filter(|value| HeaderValue::from_str(value).is_ok());
            headers.insert(name, value.unwrap_or_default().into());
        }
    }
    let path = path(&event.raw_path);
    let query =
        utf8_percent_encode(&event.raw_query_string.unwrap_or_default(), QUERY_KEPT).to_string();
    let uri = if query.is_empty() {
        path.clone()
    } else {
        format!("{path}?{query}")
    };
    let plain: LambdaRequest = serde_json::from_value(json!({
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "body": STANDARD.encode(body),
        "isBase64Encoded": true,
        "requestContext": { "stage": "$default", "http": { "method": method.as_str(), "path": path } },
    }))
    .map_err(|_| Failure::from(Code::REQUEST_MALFORMED).caused_by("not an HTTP API event"))?;
    let mut request: lambda_http::Request = plain.into();
    // lambda_http puts a host in and folds `..` segments: the path is taken as it was sent.
    *request.uri_mut() = uri.parse().map_err(|_| Code::REQUEST_MALFORMED)?;
    Ok(request.map(Body::new))
}

fn decode_body(body: String, is_base64: bool) -> Result<Vec<u8>, Failure> {
    // Base64 is four thirds as long: held against the limit before it is decoded.
    let longest = if is_base64 {
        BODY_MAX.div_ceil(3) * 4
    } else {
        BODY_MAX
    };
    if body.len() > longest {
        return Err(Code::BODY_TOO_LARGE.into());
    }
    if is_base64 {
        STANDARD
            .decode(body)
            .map_err(|_| Code::REQUEST_MALFORMED.into())
    } else {
        Ok(body.into_bytes())
    }
}

fn path(raw: &str) -> String {
    format!(
        "/{}",
        utf8_percent_encode(raw, PATH_KEPT)
            .to_string()
            .trim_start_matches('/')
    )
}

/// The answer as API Gateway takes it.
pub async fn from_response(response: Response) -> Result<Value, Error> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    let headers: Map<String, Value> = parts
        .headers
        .iter()
        .filter(|(name, _)| **name != header::CONTENT_LENGTH)
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.into())))
        .collect();
    Ok(json!({
        "statusCode": parts.status.as_u16(),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
        "isBase64Encoded": false,
        "cookies": [],
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(path: &str, query: &str, headers: &Value) -> Value {
        json!({
            "version": "2.0", "rawPath": path, "rawQueryString": query, "headers": headers,
            "requestContext": { "http": { "method": "GET", "path": path } }, "isBase64Encoded": false,
        })
    }

    #[test]
    fn hostile_hosts_paths_and_queries_become_plain_requests() {
        let headers = json!({
            "host": "\u{0}evil", "Host": "a b", "x-forwarded-proto": "htt\u{7f}p", "x-forwarded-host": 7,
            "Idempotency-Key": "a\r\nb", "authorization": "Bearer x",
        });
        for path in [
            "/v1/../..",
            "",
            "//evil.example/v1",
            "/v1/tenants/\u{0}\r\n",
            "/%zz",
            "/ä ?#",
        ] {
            for query in ["%", "a=\u{0}", "a b\"<>#", "limit=\u{ff}&&&="] {
                let request = into_request(event(path, query, &headers)).unwrap();
                assert!(request.uri().host().is_none());
                assert!(!request.headers().contains_key("host"));
                assert_eq!(request.headers()["idempotency-key"], "");
            }
        }
    }

    #[test]
    fn an_event_that_is_no_request_is_refused() {
        for event in [
            json!(null),
            json!({}),
            json!({ "requestContext": { "http": { "method": "G T" } } }),
        ] {
            assert_eq!(into_request(event).unwrap_err().code(), "request_malformed");
        }
    }

    #[tokio::test]
    async fn a_base64_body_is_decoded_and_a_long_one_refused() {
        let mut event = event("/v1/tenants", "", &json!({}));
        event["isBase64Encoded"] = true.into();
        event["body"] = STANDARD.encode("{}").into();
        let request = into_request(event.clone()).unwrap();
        assert_eq!(
            request.into_body().collect().await.unwrap().to_bytes(),
            "{}"
        );
        event["body"] = STANDARD.encode(vec![b' '; BODY_MAX + 3]).into();
        assert_eq!(into_request(event).unwrap_err().code(), "body_too_large");
    }
}
