//! Callbacks: signed for the account that owns the resource, sent as Twilio sends them, and logged.
//!
//! The URL's fragment says how long its receiver may take and what is tried again; all attempts together
//! never take longer than Twilio's 15 seconds. A callback by GET carries its fields in the query, and the
//! whole address is what is signed.

mod overrides;
mod wire;

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use http_body_util::Full;
use jiff::Timestamp;
use serde::Serialize;
use twilio::signature::{self, SharedKey};
use url::Url;

use crate::sid::Sid;
use crate::world::webhooks::{self, Webhook};

use overrides::Overrides;
pub(crate) use wire::Wire;
use wire::{Limits, within};

/// Where a callback goes, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hook {
    pub(crate) url: String,
    /// By GET instead of POST.
    pub(crate) get: bool,
}

impl From<String> for Hook {
    fn from(url: String) -> Self {
        Self { url, get: false }
    }
}

impl From<Webhook> for Hook {
    fn from(webhook: Webhook) -> Self {
        Self {
            url: webhook.url,
            get: webhook.method == webhooks::Method::Get,
        }
    }
}

impl Hook {
    /// Whether Twilio takes this as a callback's address: absolute, by HTTP, to a host without underscores.
    pub(crate) fn is_valid_url(url: &str) -> bool {
        Url::parse(url).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.host_str().is_some_and(|host| !host.contains('_'))
        })
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

/// What came of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// An answer came, whole.
    Answered {
        /// Its status.
        status: u16,
    },
    /// No connection in time, TLS included.
    NotConnected,
    /// Connected, and no answer in time.
    NotAnswered,
    /// The answer began and did not end. It is never tried again.
    BrokenOff {
        /// Its status.
        status: u16,
    },
    /// The time for all attempts ran out during this one.
    OutOfTime,
}

impl AttemptOutcome {
    fn status(&self) -> Option<u16> {
        match self {
            Self::Answered { status } => Some(*status),
            _ => None,
        }
    }
}

/// What became of one callback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeliveryRecord {
    /// When it was due.
    pub at: Timestamp,
    /// Whose resource it tells of.
    pub account_sid: String,
    /// The call, message, recording or trigger.
    pub resource_sid: String,
    /// The status it tells.
    pub status: String,
    /// `POST` or `GET`.
    pub method: &'static str,
    /// Where to, without fragment (and, by GET, without the fields).
    pub url: String,
    /// What it said.
    pub fields: BTreeMap<String, String>,
    /// The idempotency token, equal for a duplicate and for every attempt.
    pub idempotency_token: String,
    /// A second delivery of the same callback.
    pub duplicate: bool,
    /// The shared key that signed it, as its header names it; none when the auth token did.
    pub signature_settings: Option<String>,
    /// Requests made, retries included.
    pub attempts: u32,
    /// What came of each.
    pub outcomes: Vec<AttemptOutcome>,
    /// The last answer's status; none when nobody answered.
    pub http_status: Option<u16>,
    /// Twilio's error codes that this delivery would be alerted with.
    pub alerts: Vec<u32>,
}

/// Twilio's codes of what goes wrong with a webhook.
const RETRIEVAL_FAILED: u32 = 11_200;
const CONNECTION_FAILED: u32 = 11_205;
const INVALID_RETRY_POLICY: u32 = 11_243;

/// What signs a callback.
#[derive(Clone)]
pub(crate) enum Signer {
    /// The account's primary auth token.
    AuthToken(String),
    /// A shared key, named in a header of its own.
    SharedKey(SharedKey),
}

impl Signer {
    /// The headers that prove who sent it.
    fn headers(&self, url: &str, fields: &[(String, String)]) -> Vec<(&'static str, String)> {
        match self {
            Self::AuthToken(token) => {
                vec![(signature::HEADER, signature::sign(token, url, fields))]
            }
            Self::SharedKey(key) => vec![
                (
                    signature::HEADER,
                    signature::sign_with_shared_key(key, url, fields),
                ),
                (signature::SETTINGS_HEADER, key.settings()),
            ],
        }
    }

    /// The settings header, if there is one.
    fn settings(&self) -> Option<String> {
        match self {
            Self::AuthToken(_) => None,
            Self::SharedKey(key) => Some(key.settings()),
        }
    }
}

/// How callbacks leave.
pub(crate) struct Post {
    pub(crate) wire: Wire,
    /// Addresses that start with the first text are connected to at the second.
    pub(crate) rewrite: Option<(String, String)>,
}

impl Post {
    /// Sends a callback, with its retries.
    pub(crate) async fn deliver(
        &self,
        at: Timestamp,
        account_sid: String,
        callback: &Callback,
        signer: &Signer,
    ) -> DeliveryRecord {
        let (url, fragment) = callback
            .hook
            .url
            .split_once('#')
            .unwrap_or((&callback.hook.url, ""));
        let overrides = Overrides::parse(fragment);
        let mut outcomes = Vec::new();
        let all = self.attempts(url, callback, signer, &overrides, &mut outcomes);
        if within(overrides.total, all).await.is_none() {
            outcomes.push(AttemptOutcome::OutOfTime);
        }
        DeliveryRecord {
            at,
            account_sid,
            resource_sid: callback.resource.to_string(),
            status: callback.status.to_owned(),
            method: if callback.hook.get { "GET" } else { "POST" },
            url: url.to_owned(),
            idempotency_token: callback.token.clone(),
            duplicate: callback.duplicate,
            signature_settings: signer.settings(),
            attempts: u32::try_from(outcomes.len()).unwrap_or(u32::MAX),
            http_status: outcomes.last().and_then(AttemptOutcome::status),
            alerts: alerts(&overrides, outcomes.last()),
            outcomes,
            fields: callback.fields.iter().cloned().collect(),
        }
    }

    async fn attempts(
        &self,
        url: &str,
        callback: &Callback,
        signer: &Signer,
        overrides: &Overrides,
        outcomes: &mut Vec<AttemptOutcome>,
    ) {
        let form = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&callback.fields)
            .finish();
        let (url, fields) = if callback.hook.get {
            let join = if url.contains('?') { '&' } else { '?' };
            (format!("{url}{join}{form}"), &[][..])
        } else {
            (url.to_owned(), callback.fields.as_slice())
        };
        let proof = signer.headers(&url, fields);
        let limits = Limits {
            connect: overrides.connect,
            read: overrides.read,
        };
        let target = Url::parse(&self.target(&url));
        for tries in 1.. {
            let outcome = match &target {
                Ok(target) => {
                    let request = request(callback, &form, &proof);
                    self.wire.send(target, request, &limits).await
                }
                Err(_) => AttemptOutcome::NotConnected,
            };
            let by_fragment = tries <= overrides.retries && overrides.tries_again_after(&outcome);
            let broken = matches!(outcome, AttemptOutcome::Answered { status: 500.. });
            let by_itself = broken && tries <= callback.retries_after_5xx;
            outcomes.push(outcome);
            if !by_fragment && !by_itself {
                return;
            }
        }
    }

    fn target(&self, url: &str) -> String {
        self.rewrite
            .as_ref()
            .and_then(|(public, local)| {
                let rest = url.strip_prefix(public.as_str())?;
                Some(format!("{local}{rest}"))
            })
            .unwrap_or_else(|| url.to_owned())
    }
}

fn request(
    callback: &Callback,
    form: &str,
    proof: &[(&'static str, String)],
) -> Request<Full<Bytes>> {
    let body = if callback.hook.get {
        Bytes::new()
    } else {
        Bytes::from(form.to_owned())
    };
    let mut request = Request::new(Full::new(body));
    let headers = request.headers_mut();
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static("TwilioProxy/1.1"),
    );
    if let Ok(token) = HeaderValue::try_from(&callback.token) {
        headers.insert("I-Twilio-Idempotency-Token", token);
    }
    for (name, value) in proof {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(*name, value);
        }
    }
    if !callback.hook.get {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded; charset=UTF-8");
        headers.insert(header::CONTENT_TYPE, form);
        *request.method_mut() = Method::POST;
    }
    request
}

fn alerts(overrides: &Overrides, last: Option<&AttemptOutcome>) -> Vec<u32> {
    let failure = match last {
        Some(AttemptOutcome::NotConnected) => Some(CONNECTION_FAILED),
        Some(AttemptOutcome::Answered { status: 200..=399 }) | None => None,
        Some(_) => Some(RETRIEVAL_FAILED),
    };
    let policy = overrides.invalid_policy.then_some(INVALID_RETRY_POLICY);
    policy.into_iter().chain(failure).collect()
}
