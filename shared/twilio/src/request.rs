//! One request: built, sent within the concurrency limit, judged, and asked again where that is safe.
//!
//! The only log line of this crate is written here, once per failed attempt, without body, token or
//! identifiers in the path.

use secrecy::ExposeSecret;

use crate::classify::{Facts, Unreadable, Verdict, judge_content, judge_status, judge_transport};
use crate::client::{Client, Product};
use crate::credentials::Credentials;
use crate::error::{AlarmReason, Error, RetryReason};
use crate::retry;

/// The largest answer that is read. A page of 1,000 usage records is about 2 MiB.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest request id that is kept (Twilio's are 34 characters).
const REQUEST_ID_MAX: usize = 64;

/// What a request does at Twilio, which decides whether it may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    Read,
    /// The same however often it is done.
    Idempotent,
    /// One more each time.
    Create { what_to_look_for: &'static str },
}

/// A request, not yet in anyone's name.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    method: reqwest::Method,
    product: Product,
    template: &'static str,
    /// Path and query, from the product's root.
    target: String,
    form: String,
    effect: Effect,
}

impl Request {
    pub(crate) fn get(template: &'static str, ids: &[&str]) -> Self {
        Self::new(reqwest::Method::GET, template, ids, Effect::Read)
    }

    pub(crate) fn delete(template: &'static str, ids: &[&str]) -> Self {
        Self::new(reqwest::Method::DELETE, template, ids, Effect::Idempotent)
    }

    pub(crate) fn post(template: &'static str, ids: &[&str], effect: Effect) -> Self {
        Self::new(reqwest::Method::POST, template, ids, effect)
    }

    /// Identifiers are checked types at the caller, so they need no escaping.
    fn new(method: reqwest::Method, template: &'static str, ids: &[&str], effect: Effect) -> Self {
        let mut target = String::with_capacity(template.len() + 64);
        let mut ids = ids.iter();
        for (index, part) in template.split(['{', '}']).enumerate() {
            // Between braces stands a name, whose identifier is next.
            if index % 2 == 0 {
                target.push_str(part);
            } else {
                target.push_str(ids.next().expect("a path has as many names as identifiers"));
            }
        }
        Self {
            method,
            product: Product::Api,
            template,
            target,
            form: String::new(),
            effect,
        }
    }

    /// Adds a query parameter.
    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        self.target
            .push(if self.target.contains('?') { '&' } else { '?' });
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        self.target
            .push_str(&pairs.append_pair(name, value).finish());
        self
    }

    /// Adds a form field.
    pub(crate) fn form(mut self, name: &str, value: &str) -> Self {
        self.form = form_urlencoded::Serializer::new(self.form)
            .append_pair(name, value)
            .finish();
        self
    }

    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// The same request for another page of its list.
    pub(crate) fn at(&self, target: &str) -> Self {
        Self {
            target: target.to_owned(),
            ..self.clone()
        }
    }
}

/// An answer that arrived whole.
struct Answer {
    facts: Facts,
    concurrent: Option<usize>,
    body: Vec<u8>,
}

impl Client {
    /// Sends and reads one JSON resource.
    pub(crate) async fn send_json<T>(
        &self,
        credentials: &Credentials,
        request: &Request,
    ) -> Result<T, Error>
    where
        T: serde::de::DeserializeOwned,
    {
        self.send(credentials, request, |body| {
            Ok(serde_json::from_slice(body)?)
        })
        .await
    }

    /// Sends until there is a result, a reason to stop, or no attempt left.
    pub(crate) async fn send<T, F>(
        &self,
        credentials: &Credentials,
        request: &Request,
        mut read: F,
    ) -> Result<T, Error>
    where
        F: FnMut(&[u8]) -> Result<T, Unreadable>,
    {
        if request.product != Product::Api && matches!(credentials, Credentials::Main { .. }) {
            return Err(Error::alarm(AlarmReason::WrongCredentials));
        }
        let settings = self.settings();
        let mut attempt = 1;
        loop {
            let (verdict, concurrent) = match self.attempt(credentials, request, &mut read).await {
                Ok(result) => return Ok(result),
                Err(failed) => failed,
            };
            let (error, again) = match verdict {
                Verdict::Again(error) => (error, attempt < retry::ATTEMPTS_MAX),
                Verdict::Stop(error) => (error, false),
            };
            log(request, attempt, again, concurrent, &error);
            if !again {
                return Err(error);
            }
            let asked = if let Error::Retry { retry_after, .. } = &error {
                *retry_after
            } else {
                None
            };
            (settings.sleep)(retry::wait(attempt, asked, (settings.random)())).await;
            attempt += 1;
        }
    }

    async fn attempt<T, F>(
        &self,
        credentials: &Credentials,
        request: &Request,
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
    async fn exchange(
        &self,
        credentials: &Credentials,
        request: &Request,
    ) -> Result<Answer, Verdict> {
        let http = self.http().await.map_err(Verdict::Stop)?;
        let url = format!(
            "{}{}",
            self.settings().base.address(request.product),
            request.target
        );
        let mut builder = http
            .request(request.method.clone(), url)
            .basic_auth(
                credentials.account_sid(),
                Some(credentials.auth_token().expose_secret()),
            )
            .header(reqwest::header::ACCEPT, "application/json");
        if request.method == reqwest::Method::POST {
            builder = builder
                .header(
                    reqwest::header::CONTENT_TYPE,
                    "application/x-www-form-urlencoded",
                )
                .body(request.form.clone());
        }
        let _permit = self.limiter().acquire().await;
        let mut response = builder
            .send()
            .await
            .map_err(|error| judge_transport(request.effect, error))?;
        let facts = self.read_facts(&response);
        let concurrent = header(&response, "twilio-concurrent-requests")
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

    fn read_facts(&self, response: &reqwest::Response) -> Facts {
        let now = || (self.settings().now)();
        let request_id = header(response, "twilio-request-id").filter(|id| {
            !id.is_empty()
                && id.len() <= REQUEST_ID_MAX
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
        Facts {
            status: response.status().as_u16(),
            request_id: request_id.map(Into::into),
            retry_after: header(response, "retry-after")
                .and_then(|text| retry::read_retry_after(text, now())),
        }
    }
}

fn header<'a>(response: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

fn log(request: &Request, attempt: u32, again: bool, concurrent: Option<usize>, error: &Error) {
    tracing::warn!(
        twilio.product = request.product.as_str(),
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use domain::ids::AccountSid;
    use futures::FutureExt;
    use secrecy::SecretString;

    use super::*;
    use crate::client::{Base, Settings};

    #[test]
    fn names_in_a_path_are_replaced_in_order() {
        let request = Request::get("/a/{First}/b/{Second}.json", &["1", "2"])
            .query("StartTime>", "2026-03-01 x")
            .query("Status", "in-progress");
        assert_eq!(
            request.target(),
            "/a/1/b/2.json?StartTime%3E=2026-03-01+x&Status=in-progress"
        );
    }

    /// There they would show the main account's own data in place of the tenant's, without any error.
    #[test]
    fn main_credentials_never_leave_for_another_product() {
        let client = Client::new(Settings {
            base: Base::Twilio,
            now: Arc::new(|| jiff::Timestamp::UNIX_EPOCH),
            sleep: Arc::new(|_| Box::pin(async {})),
            random: Arc::new(|| 0),
            concurrency_max: 1,
            timeout: Duration::from_secs(1),
        })
        .unwrap();
        let main = Credentials::Main {
            account_sid: AccountSid::parse("AC00000000000000000000000000000000").unwrap(),
            auth_token: SecretString::from("token"),
        };
        let request = Request {
            product: Product::Iam,
            ..Request::get("/v1/Keys", &[])
        };
        let refused = client.send(&main, &request, |_| Ok(())).now_or_never();
        assert!(matches!(
            refused,
            Some(Err(Error::Alarm {
                reason: AlarmReason::WrongCredentials,
                ..
            }))
        ));
    }
}
