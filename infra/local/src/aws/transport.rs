//! Two ways in: an axum router for TCP, and an HTTP client for the SDK that needs no socket.

use std::io;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use axum::body::Body;
use bytes::Bytes;
use futures::FutureExt as _;
use http::{Request, Response};
use http_body_util::BodyExt;

use super::{LocalAws, objects};

/// DynamoDB takes bodies of at most 16 MB.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The connection breaks, because the fault hook wants it: there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("connection lost (injected)")]
pub struct ConnectionLost;

impl LocalAws {
    /// True for a request that belongs here: it names a target in the AWS way, or is signed for S3.
    pub fn wants<B>(request: &Request<B>) -> bool {
        request.headers().contains_key("x-amz-target") || objects::is_for_s3(request)
    }

    /// The TCP endpoint: every method and path, to be served alone or mounted as a fallback.
    pub fn router(&self) -> axum::Router {
        let aws = self.clone();
        axum::Router::new().fallback(move |request: Request<Body>| {
            let aws = aws.clone();
            async move { aws.answer(request).await }
        })
    }

    /// Serves a request of an axum server.
    pub async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let body = http_body_util::Limited::new(body, BODY_BYTES_MAX)
            .collect()
            .await;
        let Ok(body) = body else { return broken() };
        match self.handle(&Request::from_parts(parts, body.to_bytes())) {
            Ok(response) => response.map(Body::from),
            Err(ConnectionLost) => broken(),
        }
    }

    /// Serves a function's request, if it may pass.
    async fn pass(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ConnectionLost> {
        let passage = self.passage();
        if !passage.is_watched() {
            return self.handle(&request);
        }
        let (caller, what) = Self::describe(&request);
        let aws = self.clone();
        let serve = async move { aws.handle(&request) }.boxed();
        let answer = passage.send(&caller, what, serve).await;
        answer.unwrap_or(Err(ConnectionLost))
    }

    /// An HTTP client for SDK configurations that hands requests straight to this instance.
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(InMemory(self.clone()))
    }
}

/// hyper closes the connection before it has flushed the head of a response whose body fails at once.
fn broken() -> Response<Body> {
    let failing =
        futures::stream::once(async { Err::<Bytes, _>(io::Error::other(ConnectionLost)) });
    Response::new(Body::from_stream(failing))
}

#[derive(Clone)]
struct InMemory(LocalAws);

impl std::fmt::Debug for InMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InMemory")
    }
}

impl HttpClient for InMemory {
    fn http_connector(
        &self,
        _: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InMemory {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let aws = self.0.clone();
        HttpConnectorFuture::new(async move {
            // Lets concurrent functions interleave at their calls, as they do on AWS.
            tokio::task::yield_now().await;
            let request = request
                .try_into_http1x()
                .map_err(|error| ConnectorError::user(error.into()))?;
            let (parts, body) = request.into_parts();
            let body = match body.bytes() {
                Some(bytes) => Bytes::copy_from_slice(bytes),
                None => body
                    .collect()
                    .await
                    .map_err(ConnectorError::user)?
                    .to_bytes(),
            };
            let request = Request::from_parts(parts, body);
            let served = aws.pass(request).await;
            served
                .map(to_sdk)
                .map_err(|lost| ConnectorError::io(lost.into()))
        })
    }
}

fn to_sdk(response: Response<Bytes>) -> HttpResponse {
    let (parts, body) = response.into_parts();
    // A status that http accepts is one that smithy accepts.
    let status = StatusCode::try_from(parts.status.as_u16())
        .unwrap_or_else(|_| StatusCode::from(http::StatusCode::INTERNAL_SERVER_ERROR));
    let mut answer = HttpResponse::new(status, SdkBody::from(body));
    for (name, value) in &parts.headers {
        if let Ok(value) = value.to_str() {
            answer
                .headers_mut()
                .append(name.as_str().to_owned(), value.to_owned());
        }
    }
    answer
}
