#![doc = include_str!("../README.md")]

//! What the behaviour tests share: a world with its own database, port and clock, driven as its users do.
//!
//! The real functions run behind real HTTP against the local AWS and the simulator, on virtual time. Nothing
//! here decides or books anything.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use local::stack::{Snapshot, Stack, StackConfig};
use reqwest::Method;
use serde_json::{Value, json};
use twilio_sim::{Quirks, SimConfig};

pub mod explorer;
pub mod probe;

/// Where every world's clock starts.
pub const START: &str = "2026-03-01T00:00:00Z";
/// The public address that callbacks are signed for; the simulator connects to the world instead.
pub const PUBLIC_BASE_URL: &str = "https://hooks.example.test";

/// A running Tollgate with its operator, its Twilio and its AWS.
pub struct World {
    /// Everything that runs.
    pub stack: Stack,
    http: reqwest::Client,
    next: AtomicU64,
    /// Requests take no socket: set by the crash explorer, which makes millions.
    is_in_memory: AtomicBool,
}

/// A world at one moment: what [`World::begin_again`] goes back to.
pub struct Beginning {
    stack: Snapshot,
    next: u64,
}

/// An answer of our API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Response headers that tests look at, by lower-case name.
    pub headers: Vec<(String, String)>,
    /// JSON body, `null` if it is empty or no JSON.
    pub body: Value,
}

impl Answer {
    /// The stable code of a problem.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// A text in the body; panics if there is none.
    pub fn text(&self, pointer: &str) -> String {
        let found = self.body.pointer(pointer).and_then(Value::as_str);
        found
            .unwrap_or_else(|| panic!("no text at {pointer} in {self:?}"))
            .to_owned()
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A tenant in service.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Its id.
    pub id: String,
    /// Its subaccount.
    pub account_sid: String,
}

impl World {
    /// A world in which Twilio has no quirks.
    pub async fn start() -> Self {
        Self::at(START).await
    }

    /// The same at another time.
    pub async fn at(start: &str) -> Self {
        let sim = SimConfig {
            quirks: Quirks::none(),
            ..SimConfig::default()
        };
        Self::begin(sim, start).await
    }

    /// A world with this simulator.
    pub async fn with(sim: SimConfig) -> Self {
        Self::begin(sim, START).await
    }

    async fn begin(sim: SimConfig, start: &str) -> Self {
        local::install_tls();
        let start: Timestamp = start.parse().expect("a time");
        let config = StackConfig {
            sim,
            public_base_url: Some(PUBLIC_BASE_URL.to_owned()),
            ..StackConfig::manual(1, start)
        };
        let stack = Stack::start(config).await.expect("a stack starts");
        let http = reqwest::Client::builder()
            .no_proxy()
            .build()
            .expect("a client");
        Self {
            stack,
            http,
            next: AtomicU64::new(1),
            is_in_memory: AtomicBool::new(false),
        }
    }

    /// From now on no request takes a socket, neither ours nor a function's.
    pub fn go_in_memory(&self) {
        self.is_in_memory.store(true, Ordering::Relaxed);
        self.stack.functions.go_in_memory();
    }

    /// Copies the world as it is. Nothing may run meanwhile.
    pub fn beginning(&self) -> Beginning {
        Beginning {
            stack: self.stack.snapshot().expect("a copy"),
            next: self.next.load(Ordering::Relaxed),
        }
    }

    /// Makes the world what it was, with new instances of all functions. Nothing may run meanwhile.
    pub fn begin_again(&self, from: &Beginning) {
        self.stack.restore(&from.stack).expect("the copy is whole");
        self.next.store(from.next, Ordering::Relaxed);
    }

    /// Any request to the world's port, without credentials.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answer {
        let (status, headers, bytes) = if self.is_in_memory.load(Ordering::Relaxed) {
            self.ask(method, path, headers, body).await
        } else {
            self.ask_by_socket(method, path, headers, body).await
        };
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (
                    name.as_str().to_owned(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        Answer {
            status,
            headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    async fn ask_by_socket(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> (u16, HeaderMap, Vec<u8>) {
        let url = format!("{}{path}", self.stack.base_url);
        let mut request = self.http.request(method, url).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("the world answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.expect("a whole answer");
        (status, headers, bytes.to_vec())
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> (u16, HeaderMap, Vec<u8>) {
        let host = self.stack.base_url.trim_start_matches("http://");
        let mut request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, host)
            .header(http::header::CONTENT_LENGTH, body.len());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body).expect("a request");
        let answer = Box::pin(self.stack.ask(request)).await;
        let (parts, body) = answer.expect("a whole answer").into_parts();
        (parts.status.as_u16(), parts.headers, body)
    }

    /// `GET` with the operator key.
    pub async fn get(&self, path: &str) -> Answer {
        self.request(
            Method::GET,
            path,
            &[("authorization", &self.bearer())],
            Vec::new(),
        )
        .await
    }

    /// `DELETE` with the operator key.
    pub async fn delete(&self, path: &str) -> Answer {
        self.request(
            Method::DELETE,
            path,
            &[("authorization", &self.bearer())],
            Vec::new(),
        )
        .await
    }

    /// `POST` with the operator key and a fresh idempotency key.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_as(path, &self.fresh_key(), body).await
    }

    /// `POST` with the operator key and this idempotency key.
    pub async fn post_as(&self, path: &str, idempotency_key: &str, body: &Value) -> Answer {
        let headers = [
            ("authorization", &*self.bearer()),
            ("idempotency-key", idempotency_key),
            ("content-type", "application/json"),
        ];
        self.request(Method::POST, path, &headers, body.to_string().into_bytes())
            .await
    }

    /// The operator's `Authorization` header.
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.stack.operator_key)
    }

    /// An idempotency key that was not used before.
    pub fn fresh_key(&self) -> String {
        format!("test-{}", self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// A plan: 1.5 times cost, suspension after this much grace.
    pub async fn plan(&self, grace_minutes: u32) -> String {
        let body = json!({
            "name": "Standard", "currency": "USD", "default_multiplier": "1.5",
            "standing": { "low_balance": "1", "resume_at": "1", "grace_minutes": grace_minutes, "minimum_hold_minutes": 60 },
        });
        let answer = self.post("/v1/plans", &body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.text("/plan_id")
    }

    /// A tenant in service on a plan without grace, with this much money.
    pub async fn tenant(&self, name: &str, balance: &str) -> Tenant {
        let plan = self.plan(0).await;
        let answer = self
            .post("/v1/tenants", &json!({ "name": name, "plan_id": plan }))
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let tenant = Tenant {
            id: answer.text("/id"),
            account_sid: answer.text("/account_sid"),
        };
        if balance != "0" {
            let paid = self
                .post(
                    &format!("/v1/tenants/{}/top-ups", tenant.id),
                    &json!({ "amount": balance }),
                )
                .await;
            assert_eq!(paid.status, 201, "{paid:?}");
        }
        self.stack.settle().await;
        tenant
    }

    /// The tenant as the API shows it.
    pub async fn show(&self, tenant: &Tenant) -> Answer {
        let answer = self.get(&format!("/v1/tenants/{}", tenant.id)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer
    }

    /// `POST` on the simulator's control endpoints.
    pub async fn simulate(&self, path: &str, body: &Value) -> Answer {
        let answer = self
            .request(
                Method::POST,
                &format!("/_sim{path}"),
                &[],
                body.to_string().into_bytes(),
            )
            .await;
        assert!(answer.status < 300, "{answer:?}");
        answer
    }

    /// Places a call of this length on the tenant's account (which gets a number) and lets it be answered.
    pub async fn call(&self, tenant: &Tenant, seconds: u32) -> String {
        self.simulate("/numbers", &json!({ "account_sid": tenant.account_sid }))
            .await;
        let call = json!({ "account_sid": tenant.account_sid, "duration_s": seconds, "outcome": "completed" });
        let placed = self.simulate("/calls", &call).await;
        self.pass(SignedDuration::from_mins(2)).await;
        placed.text("/sid")
    }

    /// SIDs of the tenant's live calls in Twilio.
    pub fn live_calls(&self, tenant: &Tenant) -> Vec<String> {
        let accounts = self.stack.sim.accounts().into_iter();
        accounts
            .filter(|account| account.sid == tenant.account_sid)
            .flat_map(|account| account.live_calls)
            .collect()
    }

    /// Sets what Twilio says a tenant used of a leaf of the simulator today (`sms-outbound-longcode`, not the
    /// rollup `sms-outbound`); visible at once.
    pub fn use_today(&self, tenant: &Tenant, category: &str, price: &str) {
        let today = self
            .stack
            .clock
            .now()
            .to_zoned(jiff::tz::TimeZone::UTC)
            .date();
        self.stack
            .sim
            .revise_usage(&tenant.account_sid, today, category, price, None, None)
            .expect("usage is set");
    }

    /// Sends a pull command for a tenant and lets everything that follows happen.
    pub async fn pull(&self, tenant: &Tenant) {
        self.send_pull(tenant);
        self.stack.settle().await;
    }

    /// Sends a pull command for a tenant.
    pub fn send_pull(&self, tenant: &Tenant) {
        let queue = self.stack.aws.names().of("pull");
        let body = json!({ "tenant_id": tenant.id, "cause": "test" }).to_string();
        self.stack
            .aws
            .send_message(&queue, &body)
            .expect("the queue is there");
    }

    /// Lets time pass, with everything that falls due.
    pub async fn pass(&self, span: SignedDuration) {
        self.stack.run_for(span).await;
    }

    /// Lets time pass in one leap: what fell due on the way happens at its end.
    pub async fn leap(&self, span: SignedDuration) {
        let clock = &self.stack.clock;
        clock.advance_to(clock.now().saturating_add(span).unwrap_or(Timestamp::MAX));
        self.stack.settle().await;
    }

    /// An SQS message that reaches a function at once, outside of its queue.
    pub async fn deliver(&self, function: &str, body: &Value) -> Result<Value, String> {
        let record = json!({ "messageId": "delivered-by-hand", "receiptHandle": "r", "body": body.to_string(),
            "attributes": {}, "messageAttributes": {}, "md5OfBody": "", "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:1:q", "awsRegion": "us-east-1" });
        let event = json!({ "Records": [record] });
        self.stack.functions.invoke(function, event).await
    }

    /// The subaccount's auth token, as the secret has it.
    pub fn auth_token(&self, account_sid: &str) -> String {
        let request = json!({ "SecretId": format!("tollgate/local/twilio/{account_sid}") });
        let answer = self
            .stack
            .aws
            .inspect("secretsmanager.GetSecretValue", &request)
            .expect("the secret is there");
        let secret: Value =
            serde_json::from_str(answer["SecretString"].as_str().expect("a text")).expect("JSON");
        secret["authToken"].as_str().expect("a token").to_owned()
    }

    /// Posts a callback signed with this token.
    pub async fn callback(
        &self,
        tenant_id: &str,
        kind: &str,
        fields: &[(&str, &str)],
        auth_token: &str,
    ) -> Answer {
        let path = format!("/twilio/{tenant_id}/{kind}");
        let signature =
            twilio::signature::sign(auth_token, &format!("{PUBLIC_BASE_URL}{path}"), fields);
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-twilio-signature", &*signature),
        ];
        self.request(Method::POST, &path, &headers, body.into_bytes())
            .await
    }

    /// All items of a table (by its short name), as DynamoDB JSON.
    pub fn items(&self, table: &str) -> Vec<Value> {
        let request = json!({ "TableName": self.stack.aws.names().of(table) });
        let answer = self
            .stack
            .aws
            .inspect("DynamoDB_20120810.Scan", &request)
            .expect("the table is there");
        answer["Items"].as_array().cloned().unwrap_or_default()
    }

    /// Open subaccounts that Twilio has.
    pub fn open_subaccounts(&self) -> usize {
        let main = self.stack.main_credentials().0;
        self.stack
            .sim
            .accounts()
            .iter()
            .filter(|account| account.sid != main && account.status != "closed")
            .count()
    }
}
