//! Callbacks: signed with the owning account's primary token, sent as Twilio sends them, and logged.
//!
//! The URL's fragment carries connection overrides (`#rc=3&rp=5xx&rt=2000`); it is neither sent nor signed.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::sid::Sid;

/// Where a callback goes, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hook {
    pub(crate) url: String,
    /// By GET instead of POST: the fields are in the query.
    pub(crate) get: bool,
}

impl From<String> for Hook {
    fn from(url: String) -> Self {
        Self { url, get: false }
    }
}

/// A callback that is due.
#[derive(Debug, Clone)]
pub(crate) struct Callback {
    pub(crate) account: usize,
    pub(crate) hook: Hook,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) resource: Sid,
    pub(crate) status: &'static str,
    /// The idempotency token, equal for a duplicate.
    pub(crate) token: String,
    pub(crate) duplicate: bool,
    /// Quick repetitions after a 5xx, whatever the URL's fragment says.
    pub(crate) retries_after_5xx: u32,
}

/// What became of one callback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryRecord {
    /// When it was due.
    pub at: Timestamp,
    /// Whose resource it tells of.
    pub account_sid: String,
    /// The call, message or usage trigger.
    pub resource_sid: String,
    /// The status it tells.
    pub status: String,
    /// Where to, without fragment.
    pub url: String,
    /// A second delivery of the same callback.
    pub duplicate: bool,
    /// Requests made, retries included.
    pub attempts: u32,
    /// The last answer's status; none when nobody answered.
    pub http_status: Option<u16>,
    /// Twilio's code for what went wrong, as the alert about it has it.
    pub error_code: Option<u32>,
}

/// Connection overrides of a URL's fragment, with Twilio's defaults.
#[derive(Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the four conditions that the fragment lists"
)]
struct Overrides {
    retries: u32,
    on_connect: bool,
    on_read: bool,
    on_4xx: bool,
    on_5xx: bool,
    read_timeout_ms: u64,
}

/// Twilio's bounds of the overrides.
const RETRIES_MAX: u32 = 5;
const READ_TIMEOUT_MS: [u64; 2] = [100, 15_000];

impl Overrides {
    fn parse(fragment: &str) -> Self {
        let mut found = Self {
            retries: 1,
            on_connect: true,
            on_read: false,
            on_4xx: false,
            on_5xx: false,
            read_timeout_ms: READ_TIMEOUT_MS[1],
        };
        for (name, value) in fragment.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "rc" => found.retries = value.parse().unwrap_or(1).min(RETRIES_MAX),
                "rt" => {
                    let asked: u64 = value.parse().unwrap_or(READ_TIMEOUT_MS[1]);
                    found.read_timeout_ms = asked.clamp(READ_TIMEOUT_MS[0], READ_TIMEOUT_MS[1]);
                }
                "rp" => {
                    let has =
                        |policy: &str| value.split(',').any(|one| one == policy || one == "all");
                    found.on_connect = has("ct");
                    found.on_read = has("rt");
                    found.on_4xx = has("4xx");
                    found.on_5xx = has("5xx");
                }
                _ => {}
            }
        }
        found
    }
}

enum Attempt {
    Answered(u16),
    NoConnection,
    NoAnswer,
}

impl Attempt {
    /// Twilio's code for a failure: 11200 where a request was made, 11205 where no connection was.
    fn error_code(&self) -> Option<u32> {
        match self {
            Self::Answered(200..=299) => None,
            Self::Answered(_) | Self::NoAnswer => Some(11_200),
            Self::NoConnection => Some(11_205),
        }
    }
}

/// Sends a callback, with its retries; `(attempts, last status, error code)`.
pub(crate) async fn deliver(
    http: &reqwest::Client,
    rewrite: Option<&(String, String)>,
    callback: &Callback,
    auth_token: &str,
) -> (u32, Option<u16>, Option<u32>) {
    let hook = &callback.hook;
    let (url, fragment) = hook.url.split_once('#').unwrap_or((&hook.url, ""));
    let overrides = Overrides::parse(fragment);
    let form = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(&callback.fields)
        .finish();
    let (url, fields, body) = if hook.get {
        let join = if url.contains('?') { '&' } else { '?' };
        (format!("{url}{join}{form}"), &[][..], None)
    } else {
        (url.to_owned(), callback.fields.as_slice(), Some(form))
    };
    let signature = twilio::signature::sign(auth_token, &url, fields);
    let target = rewrite
        .and_then(|(public, local)| {
            url.strip_prefix(public.as_str())
                .map(|rest| format!("{local}{rest}"))
        })
        .unwrap_or_else(|| url.clone());
    let mut attempts = 0;
    loop {
        attempts += 1;
        let body = body.clone();
        let outcome = attempt(http, &target, body, &signature, callback, &overrides).await;
        let error_code = outcome.error_code();
        let broken = matches!(outcome, Attempt::Answered(500..));
        let (again, status) = match outcome {
            Attempt::Answered(status @ 400..=499) => (overrides.on_4xx, Some(status)),
            Attempt::Answered(status @ 500..) => (overrides.on_5xx, Some(status)),
            Attempt::Answered(status) => (false, Some(status)),
            Attempt::NoConnection => (overrides.on_connect, None),
            Attempt::NoAnswer => (overrides.on_read, None),
        };
        let by_fragment = again && attempts <= overrides.retries;
        let by_itself = broken && attempts <= callback.retries_after_5xx;
        if !by_fragment && !by_itself {
            return (attempts, status, error_code);
        }
    }
}

async fn attempt(
    http: &reqwest::Client,
    target: &str,
    body: Option<String>,
    signature: &str,
    callback: &Callback,
    overrides: &Overrides,
) -> Attempt {
    let request = match body {
        Some(body) => http
            .post(target)
            .header(
                "Content-Type",
                "application/x-www-form-urlencoded; charset=UTF-8",
            )
            .body(body),
        None => http.get(target),
    };
    let sent = request
        .timeout(Duration::from_millis(overrides.read_timeout_ms))
        .header("Accept", "*/*")
        .header("User-Agent", "TwilioProxy/1.1")
        .header("X-Twilio-Signature", signature)
        .header("I-Twilio-Idempotency-Token", &callback.token)
        .send()
        .await;
    match sent {
        Ok(response) => {
            let status = response.status().as_u16();
            // Read to the end, so that the connection can be used again.
            response
                .bytes()
                .await
                .map_or(Attempt::NoAnswer, |_| Attempt::Answered(status))
        }
        Err(error) if error.is_connect() => Attempt::NoConnection,
        Err(_) => Attempt::NoAnswer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_fall_back_to_one_retry_on_connect_failures() {
        let default = Overrides::parse("");
        assert!((default.retries, default.on_connect, default.on_5xx) == (1, true, false));
        let asked = Overrides::parse("ct=2000&rt=2500&rc=9&rp=rt,5xx");
        assert!((asked.retries, asked.read_timeout_ms) == (5, 2500));
        assert!(asked.on_read && asked.on_5xx && !asked.on_connect && !asked.on_4xx);
        assert!(Overrides::parse("rp=all").on_4xx);
    }
}
