//! A simulator on a standing clock, asked in process, and a receiver for its callbacks.
#![allow(dead_code, reason = "each test file uses its part")]

pub mod usage;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, header};
use base64::Engine as _;
use http_body_util::BodyExt as _;
use serde_json::Value;
use twilio_sim::clock::VirtualClock;
use twilio_sim::{Pace, Quirks, Sim, SimConfig};

pub const MAIN: &str = "AC00000000000000000000000000000001";
pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";
pub const API: &str = "/2010-04-01";

/// The start of the simulated time in these tests.
pub fn start() -> jiff::Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

pub fn config() -> SimConfig {
    SimConfig {
        account_sid: MAIN.to_owned(),
        auth_token: TOKEN.to_owned(),
        seed: 7,
        clock: VirtualClock::manual(start()),
        quirks: Quirks::none(),
        ..SimConfig::default()
    }
}

pub fn quick_config() -> SimConfig {
    SimConfig {
        pace: Pace::quick(),
        ..config()
    }
}

pub struct Reply {
    pub status: u16,
    pub body: Value,
    pub headers: axum::http::HeaderMap,
}

impl Reply {
    pub fn code(&self) -> u64 {
        self.body["code"].as_u64().unwrap_or(0)
    }

    pub fn str(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_default().to_owned()
    }
}

pub fn basic(user: &str, password: &str) -> String {
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"))
    )
}

pub async fn ask(
    sim: &Sim,
    method: &str,
    path: &str,
    auth: Option<(&str, &str)>,
    form: &[(&str, &str)],
) -> Reply {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "127.0.0.1");
    if let Some((user, password)) = auth {
        request = request.header(header::AUTHORIZATION, basic(user, password));
    }
    let body = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let response = sim.respond(request.body(Body::from(body)).unwrap()).await;
    let (parts, body) = response.into_parts();
    let bytes = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    Reply {
        status: parts.status.as_u16(),
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        headers: parts.headers,
    }
}

pub async fn get(sim: &Sim, path: &str) -> Reply {
    ask(
        sim,
        "GET",
        &format!("{API}{path}"),
        Some((MAIN, TOKEN)),
        &[],
    )
    .await
}

pub async fn post(sim: &Sim, path: &str, form: &[(&str, &str)]) -> Reply {
    ask(
        sim,
        "POST",
        &format!("{API}{path}"),
        Some((MAIN, TOKEN)),
        form,
    )
    .await
}

pub async fn delete(sim: &Sim, path: &str) -> Reply {
    ask(
        sim,
        "DELETE",
        &format!("{API}{path}"),
        Some((MAIN, TOKEN)),
        &[],
    )
    .await
}

/// A control request with a JSON body.
pub async fn control(sim: &Sim, method: &str, path: &str, body: &Value) -> Reply {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(Body::from(body.to_string()))
        .unwrap();
    let (parts, body) = sim.respond(request).await.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    Reply {
        status: parts.status.as_u16(),
        body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        headers: parts.headers,
    }
}

/// A new subaccount: SID and token.
pub async fn subaccount(sim: &Sim, name: &str) -> (String, String) {
    let made = post(sim, "/Accounts.json", &[("FriendlyName", name)]).await;
    assert_eq!(made.status, 201, "{}", made.body);
    (made.str("sid"), made.str("auth_token"))
}

/// A new subaccount with one number: SID, token and number.
pub async fn with_number(sim: &Sim, name: &str) -> (String, String, String) {
    let (sid, token) = subaccount(sim, name).await;
    let bought = simulate(sim, "/numbers", &serde_json::json!({ "account_sid": sid })).await;
    (sid, token, bought.str("phone_number"))
}

/// A control request that is taken.
pub async fn simulate(sim: &Sim, path: &str, body: &Value) -> Reply {
    let reply = control(sim, "POST", &format!("/_sim{path}"), body).await;
    assert!(reply.status < 300, "{path}: {}", reply.body);
    reply
}

/// Changes quirks of a running simulator.
pub async fn quirk(sim: &Sim, changes: &Value) {
    simulate(sim, "/quirks", changes).await;
}

/// The items of a list, by its key.
pub async fn list(sim: &Sim, path: &str, key: &str) -> Vec<Value> {
    let page = get(sim, path).await;
    assert_eq!(page.status, 200, "{path}: {}", page.body);
    page.body[key].as_array().unwrap().clone()
}

/// The price of an account's usage in one category, as Twilio writes it.
pub async fn used(sim: &Sim, sid: &str, category: &str) -> (String, String) {
    let path = format!("/Accounts/{sid}/Usage/Records.json?Category={category}");
    let row = list(sim, &path, "usage_records").await[0].clone();
    let text = |name: &str| row[name].as_str().unwrap().to_owned();
    (text("count"), text("price"))
}

pub async fn pass(sim: &Sim, seconds: u64) {
    let to = sim.clock().now() + Duration::from_secs(seconds);
    sim.run_until(to).await;
}

/// One callback as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    pub method: String,
    pub path: String,
    pub signature: String,
    pub settings: String,
    pub token: String,
    pub fields: Vec<(String, String)>,
}

impl Arrived {
    pub fn field(&self, name: &str) -> &str {
        self.fields
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value)
    }
}

/// Listens for callbacks, answers the given statuses in turn (then 204), and keeps what came.
pub async fn receiver(answers: Vec<u16>) -> (String, Arc<Mutex<Vec<Arrived>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    let answers = Arc::new(Mutex::new(answers.into_iter()));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let (kept, answers) = (kept.clone(), answers.clone());
            let service =
                hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
                    let (kept, answers) = (kept.clone(), answers.clone());
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        let header = |name: &str| {
                            parts
                                .headers
                                .get(name)
                                .map_or("", |value| value.to_str().unwrap())
                                .to_owned()
                        };
                        kept.lock().unwrap().push(Arrived {
                            method: parts.method.to_string(),
                            path: parts.uri.path_and_query().unwrap().to_string(),
                            signature: header("X-Twilio-Signature"),
                            settings: header("X-Twilio-Webhooks-Signature-Settings"),
                            token: header("I-Twilio-Idempotency-Token"),
                            fields: form_urlencoded::parse(&body).into_owned().collect(),
                        });
                        let status = answers.lock().unwrap().next().unwrap_or(204);
                        Ok::<_, std::convert::Infallible>(
                            axum::http::Response::builder()
                                .status(status)
                                .body(Body::empty())
                                .unwrap(),
                        )
                    }
                });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(hyper_util::rt::TokioIo::new(stream), service),
            );
        }
    });
    (base, seen)
}

/// Where a number of an account is.
pub fn number_path(account: &str, number: &str) -> String {
    format!("/Accounts/{account}/IncomingPhoneNumbers/{number}.json")
}

/// Buys a number; its SID.
pub async fn bought(sim: &Sim, account: &str, form: &[(&str, &str)]) -> String {
    let path = format!("/Accounts/{account}/IncomingPhoneNumbers.json");
    let made = post(sim, &path, form).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.str("sid")
}

/// Transfers a number.
pub async fn moved(sim: &Sim, from: &str, number: &str, to: &str) -> Reply {
    post(sim, &number_path(from, number), &[("AccountSid", to)]).await
}

/// What a control endpoint tells of the only number.
pub async fn number_state(sim: &Sim) -> Value {
    control(sim, "GET", "/_sim/numbers", &Value::Null)
        .await
        .body[0]
        .clone()
}
