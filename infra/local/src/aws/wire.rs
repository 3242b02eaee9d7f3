//! The AWS JSON protocols: `X-Amz-Target` names the operation, the body is JSON, an error is
//! `{"__type", "message"}`. Signatures are not checked.

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::{Value, json};

use super::fault::Service;
use super::objects;

/// An error answer.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    pub status: u16,
    pub error_type: String,
    pub message: String,
}

impl ApiError {
    /// A client error (400), as almost all of the JSON protocols' errors are.
    pub fn client(error_type: &str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            error_type: error_type.to_owned(),
            message: message.into(),
        }
    }

    /// An injected error.
    pub fn injected(status: u16, error_type: &str) -> Self {
        Self {
            status,
            error_type: error_type.to_owned(),
            message: "injected".to_owned(),
        }
    }
}

/// What a service answers: a body to send, or an error.
pub(crate) type Answer = Result<Value, ApiError>;

/// A request whose target header has been understood.
#[derive(Debug)]
pub(crate) struct Target {
    pub service: Service,
    pub operation: String,
    pub caller: String,
}

impl Target {
    /// Reads target and caller from the headers.
    pub fn read(request: &Request<Bytes>) -> Option<Self> {
        if let Some(operation) = objects::operation_of(request) {
            return Some(Self {
                service: Service::S3,
                operation: operation.to_owned(),
                caller: caller(request.headers()),
            });
        }
        let target = request.headers().get("x-amz-target")?.to_str().ok()?;
        let (prefix, operation) = target.split_once('.')?;
        let service = match prefix {
            "DynamoDB_20120810" => Service::DynamoDb,
            "DynamoDBStreams_20120810" => Service::Streams,
            "secretsmanager" => Service::Secrets,
            "AmazonSQS" => Service::Sqs,
            "AWSEvents" => Service::EventBridge,
            _ => return None,
        };
        Some(Self {
            service,
            operation: operation.to_owned(),
            caller: caller(request.headers()),
        })
    }
}

/// App name in the user agent: the token `app/<name>`.
fn caller(headers: &HeaderMap) -> String {
    ["x-amz-user-agent", "user-agent"]
        .iter()
        .filter_map(|name| headers.get(*name)?.to_str().ok())
        .flat_map(|agent| agent.split(' '))
        .find_map(|token| token.strip_prefix("app/"))
        .unwrap_or_default()
        .to_owned()
}

/// A response with a ready JSON body.
pub(crate) fn respond(status: u16, service: Service, body: Vec<u8>) -> Response<Bytes> {
    let kind = match service {
        Service::DynamoDb | Service::Streams | Service::Sqs => "application/x-amz-json-1.0",
        Service::Secrets | Service::EventBridge => "application/x-amz-json-1.1",
        Service::S3 => "application/xml",
    };
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response
        .headers_mut()
        .insert("content-type", http::HeaderValue::from_static(kind));
    response
}

/// The response of an error.
pub(crate) fn refuse(service: Service, error: &ApiError) -> Response<Bytes> {
    respond(error.status, service, error_body(service, error))
}

/// An error as the service writes it.
pub(crate) fn error_body(service: Service, error: &ApiError) -> Vec<u8> {
    if service == Service::S3 {
        return objects::error_body(error);
    }
    let body = json!({"__type": error.error_type, "message": error.message});
    body.to_string().into_bytes()
}

/// A string member of a request.
pub(crate) fn text<'a>(request: &'a Value, member: &str) -> Option<&'a str> {
    request.get(member).and_then(Value::as_str)
}
