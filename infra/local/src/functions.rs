//! The real functions in process: built as their `main`s build them, invoked with Lambda's own JSON.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::aws::{Settings, SettingsError};
use aws_lambda_events::event::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use axum::body::Body;
use futures::FutureExt as _;
use http_body_util::BodyExt as _;
use lambda_runtime::{Context, LambdaEvent};
use runtime::{Environment, Host, WireFn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use twilio_sim::{ConnectionDropped, Sim};

use crate::aws::LocalAws;
use crate::passage;

/// The error of an invocation that was killed.
pub const KILLED: &str = "killed";

/// Deliveries that may run at once with instances of their own.
const DELIVERIES: usize = 2;

/// All functions of a deployment.
pub struct Functions {
    environment: Environment,
    host: Host,
    aws: LocalAws,
    sim: Sim,
    /// Requests to Twilio take no socket.
    is_in_memory: AtomicBool,
    running: [Running; DELIVERIES],
}

/// One instance of each function, as far as it was needed: a crash explorer's schedule needs one or two.
#[derive(Default)]
struct Running {
    provisioning: Place<provisioning::Function>,
    webhook: Place<webhook::Function>,
    usage_puller: Place<usage_puller::Function>,
    suspender: Place<suspender::Function>,
    relay: Place<relay::Function>,
    invoicer: Place<invoicer::Function>,
    reconciler: Place<reconciler::Function>,
}

/// Where an instance is, if there is one.
struct Place<T>(Mutex<Option<Arc<T>>>);

impl<T> Default for Place<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Place<T> {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The instance that runs, or a new one.
    fn started(
        &self,
        build: impl FnOnce() -> Result<T, lambda_runtime::Error>,
    ) -> Result<Arc<T>, String> {
        let mut place = self.lock();
        if let Some(running) = &*place {
            return Ok(running.clone());
        }
        let made = Arc::new(build().map_err(|error| error.to_string())?);
        *place = Some(made.clone());
        Ok(made)
    }

    /// Runs an invocation on the instance; killed, it takes the instance with it.
    async fn live<R>(&self, work: impl Future<Output = Result<R, String>>) -> Result<R, String> {
        let answer = passage::invocation(work).await;
        answer.unwrap_or_else(|| {
            *self.lock() = None;
            Err(KILLED.to_owned())
        })
    }
}

impl Functions {
    /// Builds every function from the environment that its Lambda would have; all AWS calls go to `aws`.
    pub fn new(
        environment: &Environment,
        host: &Host,
        aws: &LocalAws,
        sim: &Sim,
    ) -> Result<Self, lambda_runtime::Error> {
        let functions = Self {
            environment: environment.clone(),
            host: host.clone(),
            aws: aws.clone(),
            sim: sim.clone(),
            is_in_memory: AtomicBool::new(false),
            running: Default::default(),
        };
        functions.provisioning()?;
        functions.webhook()?;
        functions.usage_puller()?;
        functions.suspender()?;
        functions.relay()?;
        functions.invoicer()?;
        functions.reconciler()?;
        Ok(functions)
    }

    /// Every instance is gone with what it remembered; the next event finds a new one.
    pub fn restart(&self) {
        for running in &self.running {
            *running.provisioning.lock() = None;
            *running.webhook.lock() = None;
            *running.usage_puller.lock() = None;
            *running.suspender.lock() = None;
            *running.relay.lock() = None;
            *running.invoicer.lock() = None;
            *running.reconciler.lock() = None;
        }
    }

    /// From now on requests to Twilio take no socket.
    pub fn go_in_memory(&self) {
        self.is_in_memory.store(true, Ordering::Relaxed);
        self.restart();
    }

    /// Time, randomness and the way to Twilio as a function of this name has them.
    pub fn host(&self, function: &str) -> Host {
        let mut host = self.host.clone();
        if self.is_in_memory.load(Ordering::Relaxed) {
            host.wire = Some(self.wire(function));
        }
        host
    }

    /// The way of a function's requests to Twilio without a socket.
    fn wire(&self, function: &str) -> WireFn {
        let (sim, passage) = (self.sim.clone(), self.aws.passage().clone());
        let caller: Arc<str> = format!("tollgate-{function}").into();
        Arc::new(move |request| {
            let (sim, passage, caller) = (sim.clone(), passage.clone(), caller.clone());
            async move {
                let what = format!("{} {}", request.method(), request.uri().path());
                let serve = answer_of_twilio(sim, request).boxed();
                passage.send(&caller, what, serve).await.flatten()
            }
            .boxed()
        })
    }

    fn settings(&self, function: &str) -> Result<Settings, SettingsError> {
        let lookup = |name: &str| self.environment.get(name);
        let (now, sleep) = (self.host.now.clone(), self.host.sleep.clone());
        Ok(Settings::from_lookup(lookup, function, now, sleep)?
            .with_transport(self.aws.http_client()))
    }

    fn running(&self) -> &Running {
        &self.running[passage::delivery().unwrap_or(0)]
    }

    fn provisioning(&self) -> Result<Arc<provisioning::Function>, String> {
        self.running().provisioning.started(|| {
            let (host, settings) = (self.host("provisioning"), self.settings("provisioning")?);
            provisioning::Function::new(&self.environment, &host, &settings)
        })
    }

    fn webhook(&self) -> Result<Arc<webhook::Function>, String> {
        self.running().webhook.started(|| {
            let (host, settings) = (self.host("webhook"), self.settings("webhook")?);
            webhook::Function::new(&self.environment, &host, &settings)
        })
    }

    fn usage_puller(&self) -> Result<Arc<usage_puller::Function>, String> {
        self.running().usage_puller.started(|| {
            let (host, settings) = (self.host("usage-puller"), self.settings("usage-puller")?);
            usage_puller::Function::new(&self.environment, &host, &settings)
        })
    }

    fn suspender(&self) -> Result<Arc<suspender::Function>, String> {
        self.running().suspender.started(|| {
            let (host, settings) = (self.host("suspender"), self.settings("suspender")?);
            suspender::Function::new(&self.environment, &host, &settings)
        })
    }

    fn relay(&self) -> Result<Arc<relay::Function>, String> {
        self.running().relay.started(|| {
            let (host, settings) = (self.host("relay"), self.settings("relay")?);
            relay::Function::new(&self.environment, &host, &settings)
        })
    }

    fn invoicer(&self) -> Result<Arc<invoicer::Function>, String> {
        self.running().invoicer.started(|| {
            let (host, settings) = (self.host("invoicer"), self.settings("invoicer")?);
            invoicer::Function::new(&self.environment, &host, &settings)
        })
    }

    fn reconciler(&self) -> Result<Arc<reconciler::Function>, String> {
        self.running().reconciler.started(|| {
            let (host, settings) = (self.host("reconciler"), self.settings("reconciler")?);
            reconciler::Function::new(&self.environment, &host, &settings)
        })
    }

    /// Invokes a function with an event, as Lambda does. The error is what Lambda would report.
    pub async fn invoke(&self, function: &str, event: Value) -> Result<Value, String> {
        let running = self.running();
        match function {
            "usage-puller" => {
                let (instance, event) = (self.usage_puller()?, parse(event)?);
                let work = async { to_json(instance.handle(event).boxed().await) };
                running.usage_puller.live(work).await
            }
            "suspender" => {
                let (instance, event) = (self.suspender()?, parse(event)?);
                let work = async { to_json(instance.handle(event).boxed().await) };
                running.suspender.live(work).await
            }
            "invoicer" => {
                let (instance, event) = (self.invoicer()?, parse(event)?);
                let work = async { to_json(instance.handle(event).boxed().await) };
                running.invoicer.live(work).await
            }
            "reconciler" => {
                let (instance, event) = (self.reconciler()?, parse(event)?);
                let work = async { to_json(instance.handle(event).boxed().await) };
                running.reconciler.live(work).await
            }
            "relay" => {
                let (instance, event) = (self.relay()?, parse(event)?);
                let work = async { to_json(instance.handle(event).boxed().await) };
                running.relay.live(work).await
            }
            "provisioning" => {
                let (instance, event) = (self.provisioning()?, parse(event)?);
                let work = async { to_json(instance.handle(event).boxed().await) };
                running.provisioning.live(work).await
            }
            unknown => Err(format!("there is no function {unknown}")),
        }
    }

    /// Invokes the API or the webhook with an HTTP event.
    pub async fn invoke_http(
        &self,
        function: HttpFunction,
        event: ApiGatewayV2httpRequest,
    ) -> Result<ApiGatewayV2httpResponse, String> {
        let text = |error: lambda_runtime::Error| error.to_string();
        match function {
            HttpFunction::Webhook => {
                let instance = self.webhook()?;
                let event = LambdaEvent::new(event, Context::default());
                let work = async { instance.handle(event).await.map_err(text) };
                self.running().webhook.live(work).await
            }
            HttpFunction::Provisioning => {
                let event = serde_json::to_value(event).map_err(|error| error.to_string())?;
                let answer = self.invoke("provisioning", event).await?;
                serde_json::from_value(answer).map_err(|error| error.to_string())
            }
        }
    }
}

/// The simulator's answer; none if the connection breaks before its end.
async fn answer_of_twilio(
    sim: Sim,
    mut request: http::Request<Vec<u8>>,
) -> Option<http::Response<Vec<u8>>> {
    // What a server sees of an address: host and target.
    let host = request.uri().authority()?.as_str().parse().ok()?;
    let target = request.uri().path_and_query()?.as_str().parse().ok()?;
    request.headers_mut().insert(http::header::HOST, host);
    *request.uri_mut() = target;
    let response = sim.respond(request.map(Body::from)).await;
    if ConnectionDropped::marks(&response) {
        return None;
    }
    let (parts, body) = response.into_parts();
    let body = body.collect().await.ok()?.to_bytes().to_vec();
    Some(http::Response::from_parts(parts, body))
}

/// A function behind the HTTP API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpFunction {
    /// `ANY /v1/{proxy+}`
    Provisioning,
    /// `POST /twilio/{proxy+}`
    Webhook,
}

fn parse<T: DeserializeOwned>(event: Value) -> Result<LambdaEvent<T>, String> {
    let payload = serde_json::from_value(event).map_err(|error| format!("event: {error}"))?;
    Ok(LambdaEvent::new(payload, Context::default()))
}

fn to_json<T: Serialize>(answer: Result<T, lambda_runtime::Error>) -> Result<Value, String> {
    let answer = answer.map_err(|error| error.to_string())?;
    serde_json::to_value(answer).map_err(|error| error.to_string())
}
