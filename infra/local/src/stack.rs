//! All of Tollgate in one process: local AWS, simulator, the real functions, one port, one clock.
//!
//! With a manual clock nothing happens by itself: `run_until` moves the clock from one due thing to the
//! next and lets the simulator, the streams, the queues and the schedules do what is due.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt as _;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::{SignedDuration, Timestamp};
use runtime::{Environment, Host};
use serde::Deserialize;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use twilio_sim::clock::VirtualClock;
use twilio_sim::{ConnectionDropped, Sim, SimConfig, SimSnapshot};

use crate::aws::{AwsSnapshot, LocalAws, LocalAwsConfig, StartError};
use crate::functions::Functions;
use crate::gateway;

/// How a stack is started.
pub struct StackConfig {
    /// Everything drawn at random comes from this number.
    pub seed: u64,
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The clock of everything in it.
    pub clock: VirtualClock,
    /// The simulator's settings; clock and seed are overwritten.
    pub sim: SimConfig,
    /// Where Twilio is told to send callbacks, if not to the stack's own address. The simulator signs this
    /// URL and connects to the stack.
    pub public_base_url: Option<String>,
}

impl StackConfig {
    /// A stack on a clock that stands still at `start` until it is moved.
    pub fn manual(seed: u64, start: Timestamp) -> Self {
        Self {
            seed,
            port: 0,
            clock: VirtualClock::manual(start),
            sim: SimConfig::default(),
            public_base_url: None,
        }
    }
}

/// A stack at one moment: what [`Stack::restore`] goes back to.
pub struct Snapshot {
    aws: AwsSnapshot,
    sim: SimSnapshot,
    now: Timestamp,
    drawn: u64,
}

/// A running stack. Dropping it stops it.
pub struct Stack {
    /// The local AWS.
    pub aws: LocalAws,
    /// The simulator.
    pub sim: Sim,
    /// The clock that all share.
    pub clock: VirtualClock,
    /// The address that everything is served at.
    pub base_url: String,
    /// The first operator key.
    pub operator_key: String,
    /// The functions' environment.
    pub environment: Environment,
    /// Time and randomness as the functions have them.
    pub host: Host,
    /// The functions.
    pub functions: Arc<Functions>,
    main: (String, String),
    /// Where the functions' randomness stands.
    drawn: Arc<AtomicU64>,
    front: Front,
    server: JoinHandle<()>,
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The stage that the stack plays.
pub const STAGE: &str = "local";

impl Stack {
    /// Starts everything.
    pub async fn start(config: StackConfig) -> Result<Self, lambda_runtime::Error> {
        let listener = TcpListener::bind(("127.0.0.1", config.port)).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let clock = config.clock.clone();
        let drawn = Arc::new(AtomicU64::new(config.seed));
        let host = host(&clock, &drawn);
        let public_base_url = config
            .public_base_url
            .clone()
            .unwrap_or_else(|| base_url.clone());
        let sim = Sim::new(SimConfig {
            clock: clock.clone(),
            seed: config.seed,
            callback_rewrite: Some((public_base_url.clone(), base_url.clone())),
            ..config.sim.clone()
        });
        let mut aws_config = LocalAwsConfig::new(STAGE, host.now.clone(), config.seed);
        aws_config.endpoint.clone_from(&base_url);
        let aws = LocalAws::start(aws_config)?;
        let operator_key = operator_key(&host);
        put_secrets(&aws, &config.sim, &operator_key)?;
        let environment = environment(&aws, &base_url, &public_base_url);
        let main = (
            config.sim.account_sid.clone(),
            config.sim.auth_token.clone(),
        );
        let functions = Arc::new(Functions::new(&environment, &host, &aws, &sim)?);
        let invoked = functions.clone();
        aws.set_invoker(Arc::new(move |function, event| {
            let (functions, function) = (invoked.clone(), function.to_owned());
            async move { functions.invoke(&function, event).await }.boxed()
        }));
        let front = Front {
            clock: clock.clone(),
            aws: aws.clone(),
            sim: sim.clone(),
            functions: functions.clone(),
            host: host.clone(),
        };
        let server = tokio::spawn(front.clone().serve(listener));
        Ok(Self {
            aws,
            sim,
            clock,
            base_url,
            operator_key,
            environment,
            host,
            functions,
            main,
            drawn,
            front,
            server,
        })
    }

    /// SID and auth token of the simulator's main account.
    pub fn main_credentials(&self) -> (String, String) {
        self.main.clone()
    }

    /// Answers a request as the port would, without a socket. The error is a connection that broke.
    pub async fn ask(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, axum::Error> {
        let answer = self.front.respond(request.map(Body::from)).await;
        let (parts, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes().to_vec();
        Ok(Response::from_parts(parts, body))
    }

    /// Copies everything but the functions' instances. Nothing may run meanwhile.
    pub fn snapshot(&self) -> Result<Snapshot, StartError> {
        Ok(Snapshot {
            aws: self.aws.snapshot()?,
            sim: self.sim.snapshot(),
            now: self.clock.now(),
            drawn: self.drawn.load(Ordering::Relaxed),
        })
    }

    /// Makes everything what it was when the copy was taken, with new instances of all functions. Nothing
    /// may run meanwhile.
    pub fn restore(&self, to: &Snapshot) -> Result<(), StartError> {
        self.functions.restart();
        self.aws.restore(&to.aws)?;
        self.sim.restore(&to.sim);
        self.clock.begin_again_at(to.now);
        self.drawn.store(to.drawn, Ordering::Relaxed);
        Ok(())
    }

    /// Does everything that is due now, until nothing is.
    pub async fn settle(&self) {
        settle(&self.sim, &self.aws).await;
    }

    /// Moves the clock to `to`, from one due thing to the next.
    pub async fn run_until(&self, to: Timestamp) {
        run_until(&self.clock, &self.sim, &self.aws, to).await;
    }

    /// Moves a manual clock on.
    pub async fn run_for(&self, span: SignedDuration) {
        let to = self
            .clock
            .now()
            .saturating_add(span)
            .unwrap_or(Timestamp::MAX);
        self.run_until(to).await;
    }
}

/// Time from the clock, randomness from the seed: so that a run can be repeated.
fn host(clock: &VirtualClock, state: &Arc<AtomicU64>) -> Host {
    let state = state.clone();
    let draw = move || {
        let mixed = state
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
            .wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    let random = Arc::new(move || (u128::from(draw()) << 64) | u128::from(draw()));
    Host {
        now: clock.now_fn(),
        sleep: clock.sleep_fn(),
        random,
        wire: None,
    }
}

fn operator_key(host: &Host) -> String {
    let secret: Vec<u8> = [(host.random)().to_le_bytes(), (host.random)().to_le_bytes()].concat();
    format!("tgk_opk_{}_{}", host.ulid(), URL_SAFE_NO_PAD.encode(secret))
}

fn put_secrets(
    aws: &LocalAws,
    sim: &SimConfig,
    operator_key: &str,
) -> Result<(), lambda_runtime::Error> {
    let main = json!({ "accountSid": sim.account_sid, "authToken": sim.auth_token }).to_string();
    for (name, text) in [
        ("twilio-main", main.as_str()),
        ("operator-key", operator_key),
    ] {
        let request = json!({
            "Name": format!("tollgate/{STAGE}/{name}"),
            "SecretString": text,
            "ClientRequestToken": format!("start-of-the-stack-{name:0>32}"),
        });
        aws.inspect("secretsmanager.CreateSecret", &request)
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn environment(aws: &LocalAws, base_url: &str, public_base_url: &str) -> Environment {
    let names = aws.names();
    let queue = |queue: &str| aws.queue_url(&names.of(queue));
    let pairs = [
        ("TOLLGATE_STAGE", STAGE.to_owned()),
        ("TOLLGATE_PUBLIC_BASE_URL", public_base_url.to_owned()),
        ("TOLLGATE_PULL_QUEUE_URL", queue("pull")),
        ("TOLLGATE_SUSPEND_QUEUE_URL", queue("suspend")),
        ("TOLLGATE_PROVISION_QUEUE_URL", queue("provision")),
        ("TOLLGATE_STATEMENT_QUEUE_URL", queue("statement")),
        ("TOLLGATE_RECONCILE_QUEUE_URL", queue("reconcile")),
        (
            "TOLLGATE_ARCHIVE_BUCKET",
            format!("tollgate-{STAGE}-archive"),
        ),
        ("TWILIO_API_BASE", base_url.to_owned()),
        ("AWS_REGION", crate::aws::REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("AWS_ENDPOINT_URL", base_url.to_owned()),
    ];
    Environment::from_pairs(pairs.map(|(name, value)| (name.to_owned(), value)))
}

/// Everything behind the one port.
#[derive(Clone)]
struct Front {
    clock: VirtualClock,
    aws: LocalAws,
    sim: Sim,
    functions: Arc<Functions>,
    host: Host,
}

/// Makes hyper close the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("dropped by the fault script")]
struct Dropped;

impl Front {
    async fn serve(self, listener: TcpListener) {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            stream.set_nodelay(true).ok();
            tokio::spawn(self.clone().serve_connection(stream));
        }
    }

    async fn serve_connection(self, stream: TcpStream) {
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let front = self.clone();
            async move {
                let response = front.respond(request.map(Body::new)).await;
                if ConnectionDropped::marks(&response) {
                    Err(Dropped)
                } else {
                    Ok(response)
                }
            }
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .serve_connection(TokioIo::new(stream), service);
        if let Err(error) = connection.await {
            tracing::debug!(%error, "connection closed");
        }
    }

    async fn respond(&self, request: Request<Body>) -> Response<Body> {
        if LocalAws::wants(&request) {
            return self.aws.answer(request).await;
        }
        let host = request
            .headers()
            .get(http::header::HOST)
            .and_then(|host| host.to_str().ok());
        if Sim::claims(host, request.uri().path()) {
            return self.sim.respond(request).await;
        }
        let (parts, body) = request.into_parts();
        if parts.uri.path() == "/_local/advance" && parts.method == http::Method::POST {
            return self.advance(body).await;
        }
        let Some(function) = gateway::route(&parts.method, parts.uri.path()) else {
            return gateway::own_answer(404, "Not Found");
        };
        let Ok(body) = http_body_util::Limited::new(body, gateway::BODY_MAX)
            .collect()
            .await
        else {
            return gateway::own_answer(413, "Request Entity Too Large");
        };
        let request_id = self.host.ulid().to_string();
        let Ok(event) = gateway::to_event(&parts, &body.to_bytes(), self.host.now(), &request_id)
        else {
            return gateway::own_answer(400, "Bad Request");
        };
        match self.functions.invoke_http(function, event).await {
            Ok(answer) => gateway::to_response(answer),
            Err(error) => {
                tracing::error!(%error, "function failed");
                gateway::own_answer(500, "Internal Server Error")
            }
        }
    }
}

/// Longest step of `/_local/advance`, in seconds.
const ADVANCE_MAX_S: u64 = 31 * 24 * 3600;

/// Body of `POST /_local/advance`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u64,
}

impl Front {
    /// Moves the clock on, from one due thing to the next.
    async fn advance(&self, body: Body) -> Response<Body> {
        let body = http_body_util::Limited::new(body, gateway::BODY_MAX)
            .collect()
            .await
            .map(http_body_util::Collected::to_bytes);
        let advance = body
            .ok()
            .and_then(|body| serde_json::from_slice::<Advance>(&body).ok());
        let Some(seconds) = advance
            .map(|advance| advance.seconds)
            .filter(|seconds| *seconds <= ADVANCE_MAX_S)
        else {
            return gateway::own_answer(400, "the body must be {\"seconds\": 0 to 2678400}");
        };
        let to = self
            .clock
            .now()
            .saturating_add(Duration::from_secs(seconds))
            .unwrap_or(Timestamp::MAX);
        run_until(&self.clock, &self.sim, &self.aws, to)
            .boxed()
            .await;
        gateway::own_answer(200, &self.clock.now().to_string())
    }
}

/// Does everything that is due now, until nothing is.
async fn settle(sim: &Sim, aws: &LocalAws) {
    loop {
        sim.catch_up().await;
        if aws.settle().await == 0 {
            return;
        }
    }
}

/// Moves the clock to `to`, from one due thing to the next.
async fn run_until(clock: &VirtualClock, sim: &Sim, aws: &LocalAws, to: Timestamp) {
    settle(sim, aws).await;
    loop {
        let due = [sim.next_event_at(), aws.next_event_at()]
            .into_iter()
            .flatten()
            .min();
        match due {
            Some(due) if due <= to => clock.advance_to(due),
            _ => break,
        }
        settle(sim, aws).await;
    }
    clock.advance_to(to);
    settle(sim, aws).await;
}
