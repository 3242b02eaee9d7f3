//! A tenant with a subaccount, a webhook in front of it, and callbacks as Twilio sends them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lambda_events::encodings::Body;
use aws_lambda_events::event::apigw::ApiGatewayV2httpRequest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::Timestamp;
use futures::FutureExt as _;
use jiff::SignedDuration;
use lambda_runtime::{Context, LambdaEvent};
use runtime::{Environment, Host};
use serde_json::{Value, json};
use webhook::Function;

use crate::fake_aws::FakeAws;

pub const BASE: &str = "https://hooks.example.com";
pub const TENANT_A: &str = "ten_01JZ0000000000000000000000";
pub const TENANT_B: &str = "ten_01JZ0000000000000000000001";
pub const ACCOUNT_A: &str = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub const ACCOUNT_B: &str = "ACbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
pub const TOKEN_A: &str = "a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0";
pub const TOKEN_B: &str = "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0";
pub const CALL: &str = "CA0123456789abcdef0123456789abcdef";
pub const MESSAGE: &str = "SM0123456789abcdef0123456789abcdef";
/// 2026-11-22T00:00:00Z.
pub const START_S: i64 = 1_795_305_600;

pub struct World {
    pub aws: FakeAws,
    pub function: Function,
    now: Arc<Mutex<Timestamp>>,
}

/// An answer, as far as the tests look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: i64,
    pub body: String,
    pub retry_after: Option<String>,
}

impl Answer {
    pub fn code(&self) -> String {
        let problem: Value = serde_json::from_str(&self.body).unwrap_or_default();
        problem["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl World {
    pub fn new() -> Self {
        let aws = FakeAws::default();
        let now = Arc::new(Mutex::new(Timestamp::from_second(START_S).expect("a time")));
        let clock = now.clone();
        let host = Host {
            now: Arc::new(move || *clock.lock().expect("a clock")),
            sleep: Arc::new(|_: Duration| futures::future::ready(()).boxed()),
            random: Arc::new(|| 7),
            wire: None,
        };
        let environment = environment(Some(BASE));
        let settings = aws::Settings::from_lookup(
            |name| environment.get(name),
            "webhook",
            host.now.clone(),
            host.sleep.clone(),
        )
        .expect("settings")
        .with_transport(aws.http_client());
        let world = Self {
            function: Function::new(&environment, &host, &settings).expect("a function"),
            aws,
            now,
        };
        world.add(TENANT_A, ACCOUNT_A, TOKEN_A);
        world.add(TENANT_B, ACCOUNT_B, TOKEN_B);
        world
    }

    fn add(&self, tenant: &str, account: &str, token: &str) {
        let pk = format!("S#{account}");
        let row =
            json!({"pk": {"S": pk}, "sk": {"S": "-"}, "v": {"N": "1"}, "tenant": {"S": tenant}});
        let key = ["tollgate-test-tenants".to_owned(), pk, "-".to_owned()];
        self.aws.state().items.insert(key, row);
        self.set_secret(account, "AWSCURRENT", token);
    }

    pub fn set_secret(&self, account: &str, stage: &'static str, token: &str) {
        let name = format!("tollgate/test/twilio/{account}");
        let text = json!({"accountSid": account, "authToken": token}).to_string();
        let made_at = self.now.lock().expect("a clock").as_second();
        self.aws
            .state()
            .secrets
            .insert((name, stage), (text, made_at));
    }

    pub fn advance(&self, seconds: i64) {
        *self.now.lock().expect("a clock") += SignedDuration::from_secs(seconds);
    }

    pub async fn send(&self, callback: &Callback) -> Answer {
        self.handle(callback.event()).await
    }

    pub async fn handle(&self, event: ApiGatewayV2httpRequest) -> Answer {
        let event = LambdaEvent::new(event, Context::default());
        let response = self.function.handle(event).await.expect("always an answer");
        let body = match response.body {
            Some(Body::Text(text)) => text,
            None => String::new(),
            other => panic!("unexpected body {other:?}"),
        };
        let header = |name| response.headers.get(name).map(|value| value.to_str());
        Answer {
            status: response.status_code,
            body,
            retry_after: header("retry-after").map(|value| value.expect("ASCII").to_owned()),
        }
    }
}

pub fn environment(base_url: Option<&str>) -> Environment {
    let mut pairs = vec![
        ("TOLLGATE_STAGE", "test"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ];
    pairs.extend(base_url.map(|url| ("TOLLGATE_PUBLIC_BASE_URL", url)));
    let pairs = pairs.into_iter();
    Environment::from_pairs(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

/// A callback that a test may bend before it is sent.
#[derive(Clone)]
pub struct Callback {
    pub path: String,
    pub query: String,
    /// What the signature is over; the path and query at `BASE` if none.
    pub signed_url: Option<String>,
    pub token: String,
    pub fields: Vec<(String, String)>,
    /// Sent instead of the signed fields.
    pub raw_body: Option<Vec<u8>>,
    /// Sent instead of the right signature.
    pub signature: Option<String>,
    pub headers: BTreeMap<String, String>,
    pub is_base64: bool,
}

impl Callback {
    pub fn new(kind: &str, fields: &[(&str, &str)]) -> Self {
        let text = |pair: &(&str, &str)| (pair.0.to_owned(), pair.1.to_owned());
        Self {
            path: format!("/twilio/{TENANT_A}/{kind}"),
            query: String::new(),
            signed_url: None,
            token: TOKEN_A.to_owned(),
            fields: fields.iter().map(text).collect(),
            raw_body: None,
            signature: None,
            headers: BTreeMap::from([(
                "content-type".to_owned(),
                "application/x-www-form-urlencoded; charset=UTF-8".to_owned(),
            )]),
            is_base64: true,
        }
    }

    /// A short call callback.
    pub fn call(status: &str) -> Self {
        Self::new(
            "calls",
            &[
                ("AccountSid", ACCOUNT_A),
                ("CallSid", CALL),
                ("CallStatus", status),
                ("From", "+14155550100"),
                ("To", "+14155550199"),
            ],
        )
    }

    pub fn message(status: &str) -> Self {
        Self::new(
            "messages",
            &[
                ("AccountSid", ACCOUNT_A),
                ("ApiVersion", "2010-04-01"),
                ("From", "+14155550100"),
                ("MessageSid", MESSAGE),
                ("MessageStatus", status),
                ("SmsSid", MESSAGE),
                ("SmsStatus", status),
                ("To", "+14155550199"),
            ],
        )
    }

    /// A finished call with the 31 fields of a real one.
    pub fn voice_with_31_fields() -> Self {
        let mut fields = vec![
            ("AccountSid".to_owned(), ACCOUNT_A.to_owned()),
            ("CallSid".to_owned(), CALL.to_owned()),
        ];
        let rest = [
            ("ApiVersion", "2010-04-01"),
            ("CallDuration", "49"),
            ("CallStatus", "completed"),
            ("CallbackSource", "call-progress-events"),
            ("Direction", "outbound-api"),
            ("Duration", "1"),
            ("SequenceNumber", "3"),
            ("SipResponseCode", "200"),
            ("Timestamp", "Sun, 22 Nov 2026 00:00:00 +0000"),
        ];
        fields.extend(rest.map(|(name, value)| (name.to_owned(), value.to_owned())));
        for (party, number, city) in [
            ("Called", "+14155550199", "SAN FRANCISCO"),
            ("Caller", "+12125550100", "NEW YORK"),
            ("From", "+12125550100", "NEW YORK"),
            ("To", "+14155550199", "SAN FRANCISCO"),
        ] {
            let parts = [
                ("", number),
                ("City", city),
                ("Country", "US"),
                ("State", "CA"),
                ("Zip", "94105"),
            ];
            fields.extend(parts.map(|(part, value)| (format!("{party}{part}"), value.to_owned())));
        }
        assert_eq!(fields.len(), 31);
        Self {
            fields,
            ..Self::new("calls", &[])
        }
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn url(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{BASE}{}{mark}{}", self.path, self.query)
    }

    pub fn right_signature(&self) -> String {
        let url = self.signed_url.clone().unwrap_or_else(|| self.url());
        twilio::signature::sign(&self.token, &url, &self.fields)
    }

    pub fn event(&self) -> ApiGatewayV2httpRequest {
        let body = self.raw_body.clone().unwrap_or_else(|| {
            form_urlencoded::Serializer::new(String::new())
                .extend_pairs(&self.fields)
                .finish()
                .into_bytes()
        });
        let body = if self.is_base64 {
            STANDARD.encode(body)
        } else {
            String::from_utf8(body).expect("text")
        };
        let signature = self
            .signature
            .clone()
            .unwrap_or_else(|| self.right_signature());
        let mut headers = self.headers.clone();
        if !signature.is_empty() {
            headers.insert("x-twilio-signature".to_owned(), signature);
        }
        event(
            "POST",
            &self.path,
            &self.query,
            &headers,
            &body,
            self.is_base64,
        )
    }
}

/// An HTTP API event, format 2.0, as API Gateway sends it.
pub fn event(
    method: &str,
    path: &str,
    query: &str,
    headers: &BTreeMap<String, String>,
    body: &str,
    is_base64: bool,
) -> ApiGatewayV2httpRequest {
    let event = json!({
        "version": "2.0",
        "routeKey": "POST /twilio/{proxy+}",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "domainName": "evil.example.org",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1"},
            "requestId": "r",
            "stage": "$default",
            "timeEpoch": 0,
        },
        "body": body,
        "isBase64Encoded": is_base64,
    });
    serde_json::from_value(event).expect("an event")
}

/// What DynamoDB charges an item's size by: names and values, an overhead for maps.
pub fn item_bytes(item: &Value) -> usize {
    let attributes = item.as_object().expect("an item").iter();
    attributes
        .map(|(name, value)| name.len() + value_bytes(value))
        .sum()
}

fn value_bytes(value: &Value) -> usize {
    let (kind, value) = value
        .as_object()
        .and_then(|typed| typed.iter().next())
        .expect("a typed value");
    match (kind.as_str(), value) {
        ("S", Value::String(text)) => text.len(),
        ("N", Value::String(digits)) => digits.len().div_ceil(2) + 1,
        ("M", map @ Value::Object(members)) => 3 + members.len() + item_bytes(map),
        other => panic!("no such value is stored: {other:?}"),
    }
}
