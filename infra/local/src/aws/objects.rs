//! S3, as far as Tollgate uses it: objects are put and got whole, in buckets that are just there.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, Request};

use super::fault::Service;
use super::plan::{self, Outcome};
use super::wire::{ApiError, Target};

/// All objects, by `<bucket>/<key>`.
#[derive(Clone, Default)]
pub(crate) struct Objects(BTreeMap<String, Bytes>);

/// A request about one object.
pub(crate) struct ObjectCall {
    path: String,
    act: Act,
}

enum Act {
    Put(Bytes),
    Get,
    Delete,
}

/// Is the request signed for S3?
pub(crate) fn is_for_s3<B>(request: &Request<B>) -> bool {
    let signature = request.headers().get("authorization");
    let signature = signature.and_then(|value| value.to_str().ok());
    signature.is_some_and(|value| value.contains("/s3/aws4_request"))
}

/// The operation that a request to S3 asks for.
pub(crate) fn operation_of<B>(request: &Request<B>) -> Option<&'static str> {
    if !is_for_s3(request) {
        return None;
    }
    match *request.method() {
        Method::PUT => Some("PutObject"),
        Method::GET => Some("GetObject"),
        Method::DELETE => Some("DeleteObject"),
        _ => None,
    }
}

impl ObjectCall {
    pub(crate) fn read(target: &Target, request: &Request<Bytes>) -> Option<Self> {
        if target.service != Service::S3 {
            return None;
        }
        let path = request.uri().path().trim_start_matches('/').to_owned();
        let act = match *request.method() {
            Method::PUT => Act::Put(request.body().clone()),
            Method::DELETE => Act::Delete,
            _ => Act::Get,
        };
        Some(Self { path, act })
    }

    /// What it is about.
    pub(crate) fn resource(&self) -> String {
        self.path.clone()
    }
}

impl Objects {
    pub(crate) fn all(&self) -> BTreeMap<String, Bytes> {
        self.0.clone()
    }

    pub(crate) fn serve(&mut self, call: ObjectCall) -> Outcome {
        let found = match call.act {
            Act::Put(body) => {
                self.0.insert(call.path, body);
                Some(Bytes::new())
            }
            Act::Delete => {
                // Deleting what is not there succeeds, as on S3.
                self.0.remove(&call.path);
                Some(Bytes::new())
            }
            Act::Get => self.0.get(&call.path).cloned(),
        };
        match found {
            Some(body) => Outcome {
                status: 200,
                body: body.to_vec(),
                units: Vec::new(),
            },
            None => Outcome {
                body: error_body(&ApiError::client("NoSuchKey", "no such object")),
                status: 404,
                ..plan::refusal(&ApiError::client("NoSuchKey", "no such object"))
            },
        }
    }
}

/// An error as S3 writes it.
pub(crate) fn error_body(error: &ApiError) -> Vec<u8> {
    format!(
        "<?xml version=\"1.0\"?><Error><Code>{}</Code><Message>{}</Message></Error>",
        error.error_type, error.message
    )
    .into_bytes()
}
