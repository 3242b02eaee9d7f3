//! One request sent: within the concurrency limit, judged, and asked again where that is safe.
//!
//! The only log line of this crate is written here, once per failed attempt, without body, token or
//! identifiers in the path.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, header};
use secrecy::ExposeSecret;

use crate::classify::{
    Facts, Unreadable, Verdict, judge_content, judge_silence, judge_status, judge_transport,
};
use crate::client::Client;
use crate::credentials::Authenticate;
use crate::error::{AlarmReason, Error, RetryReason};
use crate::hosts::Host;
use crate::request::Request;
use crate::retry;

/// The largest answer that is read. A page of 1,000 usage records is about 2 MiB.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest request id that is kept (Twilio's are 34 characters).
const REQUEST_ID_MAX: usize = 64;

struct Answer {
    facts: Facts,
    concurrent: Option<usize>,
    body: Vec<u8>,
}

/// What became of a request.
pub(crate) struct Outcome<T> {
    pub(crate) result: Result<T, Error>,
    /// Whether an attempt before the last one may have had its effect, unseen.
    pub(crate) is_doubtful: bool,
}

impl Client {
    /// Sends, and reads the answer as JSON.
    pub(crate) async fn send_json<H: Host, T>(
        &self,
        credentials: &H::Credentials,
        request: &Request<H>,
    ) -> Result<T, Error>
    where
        T: serde::de::DeserializeOwned,
    {
        self.send(credentials, request, read_json).await
    }

    /// Deletes; what is already gone is deleted.
    pub(crate) async fn send_delete<H: Host>(
        &self,
        credentials: &H::Credentials,
        request: &Request<H>,
    ) -> Result<(), Error> {
        match self.send(credentials, request, |_| Ok(())).await {
            Err(error) if error.is_not_found() => Ok(()),
            outcome => outcome,
        }
    }

    /// Sends until there is a result, a reason to stop, or no attempt left.
    pub(crate) async fn send<H: Host, T, F>(
        &self,
        credentials: &H::Credentials,
        request: &Request<H>,
        read: F,
    ) -> Result<T, Error>
    where
        F: FnMut(&[u8]) -> Result<T, Unreadable>,
    {
        self.send_watched(credentials, request, read).await.result
    }

    /// Sends as `send` does, and says whether an earlier attempt may have had its effect.
    pub(crate) async fn send_watched<H: Host, T, F>(
        &self,
        credentials: &H::Credentials,
        request: &Request<H>,
        mut read: F,
    ) -> Outcome<T>
    where
        F: FnMut(&[u8]) -> Result<T, Unreadable>,
    {
        let mut is_doubtful = false;
        let refused = request
            .account_sid
            .as_deref()
            .is_some_and(|account_sid| !credentials.reaches(account_sid));
        if refused {
            let result = Err(Error::alarm(AlarmReason::WrongCredentials));
            return Outcome {
                result,
                is_doubtful,
            };
        }
        let settings = self.settings();
        let mut attempt = 1;
        let result = loop {
            let (verdict, concurrent) = match self.attempt(credentials, request, &mut read).await {
                Ok(result) => break Ok(result),
                Err(failed) => failed,
            };
            let (error, again) = match verdict {
                Verdict::Again(error) => (error, attempt < retry::ATTEMPTS_MAX),
                Verdict::Stop(error) => (error, false),
            };
            log(request, attempt, again, concurrent, &error);
            if !again {
                break Err(error);
            }
            let (asked, untouched) = match &error {
                Error::Retry {
                    retry_after,
                    reason,
                    ..
                } => (*retry_after, reason.is_untouched()),
                _ => (None, false),
            };
            is_doubtful |= !untouched;
            (settings.sleep)(retry::wait(attempt, asked, (settings.random)())).await;
            attempt += 1;
        };
        Outcome {
            result,
            is_doubtful,
        }
    }

    async fn attempt<H: Host, T, F>(
        &self,
        credentials: &H::Credentials,
        request: &Request<H>,
        read: &mut F,
    ) -> Result<T, (Verdict, Option<usize>)>
    where
        F: FnMut(&[u8]) -> Result<T, Unreadable>,
    {
        let Answer {
            facts,
            concurrent,
            body,
        } = self
            .exchange(credentials, request)
            .await
            .map_err(|verdict| (verdict, None))?;
        if (200..300).contains(&facts.status) {
            self.limiter().answered(concurrent);
            return read(&body)
                .map_err(|found| (judge_content(request.effect, &facts, found), concurrent));
        }
        let verdict = judge_status(request.effect, &facts, &body);
        if matches!(
            &verdict,
            Verdict::Again(Error::Retry {
                reason: RetryReason::Throttled,
                ..
            })
        ) {
            self.limiter().throttled();
        } else {
            self.limiter().answered(concurrent);
        }
        Err((verdict, concurrent))
    }

    /// One request and its whole answer, while holding a place in flight.
    async fn exchange<H: Host>(
        &self,
        credentials: &H::Credentials,
        request: &Request<H>,
    ) -> Result<Answer, Verdict> {
        let sent = self
            .address(credentials, request)
            .map_err(|error| Verdict::Stop(Error::alarm(AlarmReason::Client).caused_by(error)))?;
        let _permit = self.limiter().acquire().await;
        let mut response: reqwest::Response = if let Some(transport) = &self.settings().transport {
            let answer = transport(sent).await;
            let answer = answer.ok_or_else(|| judge_silence(request.effect, Lost))?;
            answer.into()
        } else {
            let http = self.http().await.map_err(Verdict::Stop)?;
            let lost = |error| judge_transport(request.effect, error);
            let sent = sent.try_into().map_err(lost)?;
            http.execute(sent).await.map_err(lost)?
        };
        let facts = self.read_facts(&response);
        let concurrent = read_header(&response, "twilio-concurrent-requests")
            .and_then(|text| text.trim().parse().ok());
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len() + chunk.len() > ANSWER_BYTES_MAX => {
                    return Err(judge_content(request.effect, &facts, Unreadable::TooLarge));
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                // A refusal is known by its status; only its words were lost.
                Err(_) if (400..500).contains(&facts.status) => break,
                Err(error) => return Err(judge_transport(request.effect, error)),
            }
        }
        Ok(Answer {
            facts,
            concurrent,
            body,
        })
    }

    /// The request as it is sent, in somebody's name.
    fn address<H: Host>(
        &self,
        credentials: &H::Credentials,
        request: &Request<H>,
    ) -> Result<http::Request<Vec<u8>>, http::Error> {
        let base = self.settings().base.address(H::PRODUCT);
        let (account_sid, auth_token) = credentials.basic();
        let basic = STANDARD.encode(format!("{account_sid}:{}", auth_token.expose_secret()));
        let mut basic = HeaderValue::try_from(format!("Basic {basic}"))?;
        basic.set_sensitive(true);
        let mut builder = http::Request::builder()
            .method(request.method.clone())
            .uri(format!("{base}{}", request.target))
            .header(header::AUTHORIZATION, basic)
            .header(header::ACCEPT, "application/json");
        let mut body = Vec::new();
        if request.method == http::Method::POST {
            body = request.form.clone().into_bytes();
            builder = builder.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        builder.body(body)
    }

    fn read_facts(&self, response: &reqwest::Response) -> Facts {
        let now = || (self.settings().now)();
        let request_id = read_header(response, "twilio-request-id").filter(|id| {
            !id.is_empty()
                && id.len() <= REQUEST_ID_MAX
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        Facts {
            status: response.status().as_u16(),
            request_id: request_id.map(Into::into),
            retry_after: read_header(response, "retry-after")
                .and_then(|text| retry::read_retry_after(text, now())),
        }
    }
}

/// A request was sent, and its connection broke.
#[derive(Debug, thiserror::Error)]
#[error("the connection was lost")]
struct Lost;

fn read_header<'a>(response: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

/// After a refusal, looks whether things stand as they were meant to: an earlier attempt may have done it.
pub(crate) async fn unless_already<T>(
    outcome: Result<T, Error>,
    look: impl Future<Output = Result<T, Error>>,
    is_as_meant: impl FnOnce(&T) -> bool,
) -> Result<T, Error> {
    let refused = match outcome {
        Err(refused @ Error::Reject { .. }) => refused,
        outcome => return outcome,
    };
    match look.await {
        Ok(found) if is_as_meant(&found) => Ok(found),
        Ok(_) | Err(Error::Reject { .. }) => Err(refused),
        Err(error) => Err(error),
    }
}

/// Reads an answer that is one JSON value.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Unreadable> {
    Ok(serde_json::from_slice(body)?)
}

fn log<H: Host>(
    request: &Request<H>,
    attempt: u32,
    again: bool,
    concurrent: Option<usize>,
    error: &Error,
) {
    tracing::warn!(
        twilio.product = H::PRODUCT.as_str(),
        twilio.method = request.method.as_str(),
        twilio.path = request.template,
        twilio.attempt = attempt,
        twilio.again = again,
        twilio.error = error.kind(),
        twilio.status = error.status(),
        twilio.code = error.code().map(|code| code.0),
        twilio.request_id = error.request_id(),
        twilio.concurrent_requests = concurrent,
        "a request to Twilio failed"
    );
}
