//! One HTTP request of a callback over a connection of its own, with the time for connecting and the time
//! for the answer held apart: which of the two ran out decides whether it is tried again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use super::AttemptOutcome;

/// What of an answer's body is read; Twilio ignores it.
const ANSWER_MAX_BYTES: usize = 64 << 10;

/// Makes connections.
pub(crate) struct Wire {
    tls: TlsConnector,
}

/// How long a request may take.
pub(super) struct Limits {
    pub(super) connect: Duration,
    pub(super) read: Duration,
}

impl Wire {
    pub(crate) fn new() -> Self {
        let roots = rustls::RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring supports the default protocol versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            tls: TlsConnector::from(Arc::new(config)),
        }
    }

    /// Sends a request to `to`, whose path and query become the request's.
    pub(super) async fn send(
        &self,
        to: &Url,
        mut request: Request<Full<Bytes>>,
        limits: &Limits,
    ) -> AttemptOutcome {
        address(to, &mut request);
        let connected = within(limits.connect, self.connect(to)).await;
        match connected {
            Some(Ok(Connection::Plain(stream))) => exchange(stream, request, limits.read).await,
            Some(Ok(Connection::Secure(stream))) => exchange(*stream, request, limits.read).await,
            Some(Err(_)) | None => AttemptOutcome::NotConnected,
        }
    }

    async fn connect(&self, to: &Url) -> io::Result<Connection> {
        let nowhere = || io::Error::from(io::ErrorKind::InvalidInput);
        let host = to.host_str().ok_or_else(nowhere)?;
        // The brackets of an IPv6 address belong to the URL.
        let host = host.trim_matches(['[', ']']);
        let port = to.port_or_known_default().ok_or_else(nowhere)?;
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        if to.scheme() != "https" {
            return Ok(Connection::Plain(TokioIo::new(stream)));
        }
        let name =
            rustls::pki_types::ServerName::try_from(host.to_owned()).map_err(|_| nowhere())?;
        let stream = self.tls.connect(name, stream).await?;
        Ok(Connection::Secure(Box::new(TokioIo::new(stream))))
    }
}

enum Connection {
    Plain(TokioIo<TcpStream>),
    Secure(Box<TokioIo<tokio_rustls::client::TlsStream<TcpStream>>>),
}

/// Gives the request its target and the headers that follow from the URL.
fn address(to: &Url, request: &mut Request<Full<Bytes>>) {
    let target = match to.query() {
        Some(query) => format!("{}?{query}", to.path()),
        None => to.path().to_owned(),
    };
    if let Ok(target) = target.parse() {
        *request.uri_mut() = target;
    }
    let host = match (to.host_str().unwrap_or_default(), to.port()) {
        (host, Some(port)) => format!("{host}:{port}"),
        (host, None) => host.to_owned(),
    };
    let mut put = |name, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            request.headers_mut().insert(name, value);
        }
    };
    put(header::HOST, host);
    if !to.username().is_empty() {
        let decoded = |text: &str| {
            percent_encoding::percent_decode_str(text)
                .decode_utf8_lossy()
                .into_owned()
        };
        let (user, password) = (
            decoded(to.username()),
            decoded(to.password().unwrap_or_default()),
        );
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        put(header::AUTHORIZATION, format!("Basic {encoded}"));
    }
}

async fn exchange<S: Read + Write + Unpin + Send + 'static>(
    stream: S,
    request: Request<Full<Bytes>>,
    read: Duration,
) -> AttemptOutcome {
    let Ok((mut sender, connection)) = http1::handshake(stream).await else {
        return AttemptOutcome::NotAnswered;
    };
    let driver = tokio::spawn(connection);
    let answered = within(read, sender.send_request(request)).await;
    let outcome = match answered {
        Some(Ok(response)) => {
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), ANSWER_MAX_BYTES).collect();
            match within(read, body).await {
                Some(Err(error)) if error.is::<hyper::Error>() => {
                    AttemptOutcome::BrokenOff { status }
                }
                None => AttemptOutcome::BrokenOff { status },
                // Read to its end, or longer than anybody wants to read.
                Some(_) => AttemptOutcome::Answered { status },
            }
        }
        Some(Err(_)) | None => AttemptOutcome::NotAnswered,
    };
    driver.abort();
    outcome
}

/// What comes of something in time; none when it does not.
#[expect(
    clippy::disallowed_methods,
    reason = "sockets are real, so what they may take is real time, on a standing clock too"
)]
pub(super) async fn within<F: Future>(limit: Duration, work: F) -> Option<F::Output> {
    tokio::time::timeout(limit, work).await.ok()
}
