//! The HTTP API in front of the functions: requests become payload format 2.0 events and back.

use aws_lambda_events::event::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Response};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::functions::HttpFunction;

/// Bytes of a body that API Gateway passes on (HTTP API quota: 10 MB).
pub const BODY_MAX: usize = 10 * 1024 * 1024;

/// The function that a route of the template leads to.
pub fn route(method: &http::Method, path: &str) -> Option<HttpFunction> {
    if path.starts_with("/v1/") {
        Some(HttpFunction::Provisioning)
    } else if path.starts_with("/twilio/") && method == http::Method::POST {
        Some(HttpFunction::Webhook)
    } else {
        None
    }
}

/// The event of a request. The path arrives percent-decoded, the query as it was sent, the body in base64.
pub fn to_event(
    parts: &Parts,
    body: &Bytes,
    now: Timestamp,
    request_id: &str,
) -> Result<ApiGatewayV2httpRequest, serde_json::Error> {
    let mut headers = Map::new();
    for name in parts.headers.keys() {
        let values: Vec<_> = parts
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        headers.insert(name.as_str().to_owned(), Value::String(values.join(",")));
    }
    let path = percent_decoded(parts.uri.path());
    let domain = parts
        .headers
        .get(http::header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or("localhost");
    serde_json::from_value(json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": parts.uri.query().unwrap_or_default(),
        "headers": headers,
        "body": STANDARD.encode(body),
        "isBase64Encoded": true,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": domain,
            "domainPrefix": "local",
            "requestId": request_id,
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": now.as_millisecond(),
            "http": {
                "method": parts.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "local",
            },
        },
    }))
}

/// The response of a function's answer.
pub fn to_response(answer: ApiGatewayV2httpResponse) -> Response<Body> {
    let body: Vec<u8> = match answer.body {
        Some(aws_lambda_events::encodings::Body::Text(text)) if answer.is_base64_encoded => {
            STANDARD.decode(text).unwrap_or_default()
        }
        Some(aws_lambda_events::encodings::Body::Text(text)) => text.into_bytes(),
        Some(aws_lambda_events::encodings::Body::Binary(bytes)) => bytes,
        _ => Vec::new(),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = u16::try_from(answer.status_code)
        .ok()
        .and_then(|status| http::StatusCode::from_u16(status).ok())
        .unwrap_or(http::StatusCode::BAD_GATEWAY);
    response.headers_mut().extend(answer.headers);
    response.headers_mut().extend(answer.multi_value_headers);
    response
}

/// An answer of API Gateway's own, which is not problem+json there either.
pub fn own_answer(status: u16, message: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(json!({ "message": message }).to_string()));
    *response.status_mut() =
        http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(
        HeaderName::from_static("content-type"),
        HeaderValue::from_static("application/json"),
    );
    response
}

fn percent_decoded(path: &str) -> String {
    percent_encoding::percent_decode_str(path)
        .decode_utf8_lossy()
        .into_owned()
}
