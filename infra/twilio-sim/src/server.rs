//! How the simulator is reached: as a router in another server, as a function, or on a port of its own.

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, header};
use bytes::Bytes;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::api;
use crate::control;
use crate::sim::Sim;

/// Marks a response that stands for a closed connection.
///
/// It is an extension of the response. A server that can close the connection should, as `Sim::serve`
/// does; on any other, the body fails before its announced length, which a client cannot mistake either.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionDropped;

impl ConnectionDropped {
    /// Whether this response stands for a closed connection.
    pub fn marks(response: &Response<Body>) -> bool {
        response.extensions().get::<Self>().is_some()
    }

    pub(crate) fn response() -> Response<Body> {
        let mut response = Response::new(Self::after(Vec::new(), 0));
        response.headers_mut().insert(
            header::CONTENT_LENGTH,
            header::HeaderValue::from_static("4096"),
        );
        response.extensions_mut().insert(Self);
        response
    }

    /// A body that breaks after so many bytes.
    pub(crate) fn after(mut body: Vec<u8>, keep_bytes: usize) -> Body {
        body.truncate(keep_bytes);
        let broken = std::io::Error::new(
            std::io::ErrorKind::ConnectionReset,
            "dropped by the fault script",
        );
        Body::from_stream(futures::stream::iter([Ok(Bytes::from(body)), Err(broken)]))
    }
}

/// Where a request came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl Sim {
    /// Everything as a router: Twilio's API in host and prefix mode, and `/_sim/`.
    pub fn router(&self) -> Router {
        let sim = self.clone();
        Router::new().fallback(move |request: Request<Body>| {
            let sim = sim.clone();
            async move { sim.respond(request).await }
        })
    }

    /// Whether a request is the simulator's, for a server that shares its port with others.
    pub fn claims(host: Option<&str>, path: &str) -> bool {
        api::claims(host, path)
    }

    /// Answers one request.
    pub async fn respond(&self, request: Request<Body>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        if parts.uri.path().starts_with("/_sim/") {
            return control::respond(self, parts, body).await;
        }
        api::respond(self, parts, body).await
    }

    /// Serves on a listener until `shutdown`; with a running clock time passes by itself.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()> + Send) {
        let ticking = tokio::spawn(self.clone().live());
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, from)) = accepted else {
                continue;
            };
            stream.set_nodelay(true).ok();
            let peer = Peer(from.ip());
            tokio::spawn(self.clone().serve_connection(TokioIo::new(stream), peer));
        }
        ticking.abort();
    }

    async fn serve_connection(self, stream: TokioIo<tokio::net::TcpStream>, peer: Peer) {
        let service = service_fn(move |mut request: Request<hyper::body::Incoming>| {
            let sim = self.clone();
            request.extensions_mut().insert(peer);
            async move {
                let response = sim.respond(request.map(Body::new)).await;
                // An error makes hyper close the connection without a byte of an answer.
                if ConnectionDropped::marks(&response) {
                    Err(Dropped)
                } else {
                    Ok(response)
                }
            }
        });
        let served = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(stream, service)
            .await;
        if let Err(error) = served {
            tracing::debug!(%error, "connection closed");
        }
    }

    /// Lets time pass for as long as the clock runs by itself; callbacks leave when they are due.
    pub async fn live(self) {
        let mut moved = self.clock().subscribe();
        loop {
            if self.clock().is_running() {
                self.catch_up_detached();
            }
            let now = self.clock().now();
            let wait = self
                .next_event_at()
                .filter(|_| self.clock().is_running())
                .and_then(|next| Duration::try_from(next.duration_since(now)).ok())
                .map_or(Duration::from_hours(1), |span| self.clock().real_span(span));
            tokio::select! {
                () = real_wait(wait) => {}
                () = self.inner.bell.notified() => {}
                changed = moved.changed() => if changed.is_err() { return },
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "this task is what makes a running clock's events happen"
)]
async fn real_wait(wait: Duration) {
    // A tenth of a second is soon enough, and bounds what a missed bell costs.
    tokio::time::sleep(wait.clamp(Duration::from_millis(2), Duration::from_millis(100))).await;
}

#[derive(Debug)]
struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("dropped by the fault script")
    }
}

impl std::error::Error for Dropped {}

impl From<Infallible> for Dropped {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
