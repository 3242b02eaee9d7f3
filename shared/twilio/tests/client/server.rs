//! A server that answers in the order of a script and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::ids::AccountSid;
use futures::stream;
use secrecy::SecretString;
use twilio::{Base, Client, Credentials, MainCredentials, Settings, SubaccountCredentials};

pub const MAIN: &str = "AC00000000000000000000000000000000";
pub const SUB: &str = "AC11111111111111111111111111111111";
pub const TOKEN: &str = "f00dfeedf00dfeedf00dfeedf00dfeed";
pub const SUB_TOKEN: &str = "beadbeadbeadbeadbeadbeadbeadbead";

/// Long enough for a busy machine, short enough to wait for where a test keeps silent.
const TIMEOUT: Duration = Duration::from_millis(1_500);
/// Turns of the runtime that one answer takes.
const TURNS_PER_ANSWER: u32 = 100;

/// How one request is answered.
pub enum Reply {
    /// Status, headers, body.
    Whole(u16, Vec<(&'static str, &'static str)>, String),
    /// A body that breaks off.
    Dropped(u16, &'static str),
    /// Never, although the request was taken in.
    Silence,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub target: String,
    pub authorization: String,
    pub body: String,
    /// Requests that were being answered then, this one included.
    pub in_flight: usize,
}

impl Seen {
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    /// Whether it came in the name of the main account or of the subaccount.
    pub fn assert_from(&self, account_sid: &str) {
        let token = if account_sid == MAIN {
            TOKEN
        } else {
            SUB_TOKEN
        };
        let basic = STANDARD.encode(format!("{account_sid}:{token}"));
        assert_eq!(self.authorization, format!("Basic {basic}"));
    }
}

#[derive(Default)]
struct Script {
    replies: VecDeque<Reply>,
    seen: Vec<Seen>,
    in_flight: usize,
}

/// A server, a client for it, and the waits that the client asked for.
pub struct Scene {
    script: Arc<Mutex<Script>>,
    waits: Arc<Mutex<Vec<Duration>>>,
    pub client: Client,
}

pub fn json(status: u16, body: impl Into<String>) -> Reply {
    Reply::Whole(status, vec![("twilio-request-id", "RQ0123")], body.into())
}

pub fn error(status: u16, code: u32) -> Reply {
    json(
        status,
        format!(r#"{{"code":{code},"message":"no","more_info":"x","status":{status}}}"#),
    )
}

/// The main account's credentials, where only they will do.
pub fn main_only() -> MainCredentials {
    MainCredentials {
        account_sid: account(MAIN),
        auth_token: SecretString::from(TOKEN),
    }
}

pub fn main_credentials() -> Credentials {
    main_only().into()
}

/// The subaccount's own credentials.
pub fn own() -> SubaccountCredentials {
    SubaccountCredentials {
        account_sid: account(SUB),
        auth_token: SecretString::from(SUB_TOKEN),
    }
}

pub fn account(sid: &str) -> AccountSid {
    AccountSid::parse(sid).unwrap()
}

/// A page of a v2010 list, its last.
pub fn page_of(key: &str, rows: &[String]) -> Reply {
    json(
        200,
        format!(
            r#"{{"{key}":[{}],"page":0,"page_size":1000,"next_page_uri":null}}"#,
            rows.join(",")
        ),
    )
}

/// A page of a v1 or v2 list, its last.
pub fn meta_page_of(key: &str, rows: &[String]) -> Reply {
    json(
        200,
        format!(
            r#"{{"meta":{{"key":"{key}","page":0,"page_size":1000,"next_page_url":null}},"{key}":[{}]}}"#,
            rows.join(",")
        ),
    )
}

pub async fn scene(replies: impl IntoIterator<Item = Reply>) -> Scene {
    scene_at(|_| replies).await
}

/// A scene whose replies name the address they are given at.
pub async fn scene_at<R: IntoIterator<Item = Reply>>(replies: impl FnOnce(&str) -> R) -> Scene {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let script = Arc::new(Mutex::new(Script {
        replies: replies(&base).into_iter().collect(),
        ..Script::default()
    }));
    let app = Router::new()
        .fallback(answer)
        .with_state(Arc::clone(&script));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let waits = Arc::default();
    let client = client(&base, &waits);
    Scene {
        script,
        waits,
        client,
    }
}

/// A client whose waits return at once and are recorded.
pub fn client(base: &str, waits: &Arc<Mutex<Vec<Duration>>>) -> Client {
    let waits = Arc::clone(waits);
    Client::new(Settings {
        base: Base::Prefix(base.parse().unwrap()),
        now: Arc::new(|| "2026-03-01T12:00:00Z".parse().unwrap()),
        sleep: Arc::new(move |wait| {
            waits.lock().unwrap().push(wait);
            Box::pin(async {})
        }),
        random: Arc::new(|| u128::MAX),
        concurrency_max: 4,
        timeout: TIMEOUT,
        transport: None,
    })
    .unwrap()
}

impl Scene {
    /// The only request, as method and target, with its body; in whose name is checked.
    pub fn only(&self, account_sid: &str) -> (String, String) {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:?}");
        seen[0].assert_from(account_sid);
        (seen[0].line(), seen[0].body.clone())
    }

    /// Every request, as method and target.
    pub fn lines(&self) -> Vec<String> {
        self.seen().iter().map(Seen::line).collect()
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.script.lock().unwrap().seen.clone()
    }

    /// The most requests that were in flight at once among the last ones.
    pub fn in_flight_max_of_last(&self, requests: usize) -> usize {
        let seen = self.seen();
        let last = seen.iter().rev().take(requests);
        last.map(|seen| seen.in_flight).max().unwrap_or(0)
    }

    pub fn waits(&self) -> Vec<Duration> {
        self.waits.lock().unwrap().clone()
    }
}

async fn answer(State(script): State<Arc<Mutex<Script>>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
            .to_owned()
    };
    let reply = {
        let mut script = script.lock().unwrap();
        script.in_flight += 1;
        let in_flight = script.in_flight;
        script.seen.push(Seen {
            method: parts.method.to_string(),
            target: parts.uri.to_string(),
            authorization: header("authorization"),
            body: String::from_utf8(body.to_vec()).unwrap(),
            in_flight,
        });
        script.replies.pop_front()
    };
    // Lets whatever else is in flight arrive meanwhile.
    for _ in 0..TURNS_PER_ANSWER {
        tokio::task::yield_now().await;
    }
    script.lock().unwrap().in_flight -= 1;
    let (status, headers, body) = match reply {
        Some(Reply::Whole(status, headers, body)) => (status, headers, Body::from(body)),
        Some(Reply::Dropped(status, start)) => {
            let parts = [
                Ok(Bytes::from(start)),
                Err(std::io::Error::other("broken off")),
            ];
            (status, Vec::new(), Body::from_stream(stream::iter(parts)))
        }
        Some(Reply::Silence) => std::future::pending().await,
        None => (418, Vec::new(), Body::from("the script is over")),
    };
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(body).unwrap()
}
