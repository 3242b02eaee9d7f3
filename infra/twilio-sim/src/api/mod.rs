//! Twilio's REST API: who asks, for what, and the answer, fault script included.

mod accounts;
mod addresses;
mod answer;
mod applications;
mod ask;
mod audit;
mod auth;
mod available;
mod call_form;
mod calls;
mod conferences;
mod filters;
mod forms;
mod geo;
mod hooks;
mod iam;
mod keys;
mod message_form;
mod messages;
mod monitor;
mod number_body;
mod number_form;
mod numbers;
mod paging;
mod patterns;
mod postal;
mod pricing;
mod pricing_voice;
mod recordings;
mod route;
mod search;
mod services;
mod tokens;
mod transfer;
mod triggers;
mod usage;

use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode, header, request::Parts};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};

use crate::counters::LoggedRequest;
use crate::faults::FaultAction;
use crate::recorder::Exchange;
use crate::rng::Rng;
use crate::server::ConnectionDropped;
use crate::sim::Sim;
use crate::world::World;

use answer::{Answer, Refusal};
use ask::{Ask, PageFault};
use auth::Credential;
use route::{Operation, Route, Target};

/// Bodies larger than this are refused.
pub(crate) const BODY_MAX_BYTES: usize = 1 << 20;

pub(crate) use ask::claims;

/// Everything that is answered, resource by resource.
const FAMILIES: &[&[Operation]] = &[
    accounts::OPERATIONS,
    keys::OPERATIONS,
    usage::OPERATIONS,
    triggers::OPERATIONS,
    calls::OPERATIONS,
    conferences::OPERATIONS,
    recordings::OPERATIONS,
    messages::OPERATIONS,
    numbers::OPERATIONS,
    iam::OPERATIONS,
    tokens::OPERATIONS,
    geo::OPERATIONS,
    services::OPERATIONS,
    pricing::OPERATIONS,
    pricing_voice::OPERATIONS,
    monitor::OPERATIONS,
    available::OPERATIONS,
    addresses::OPERATIONS,
    applications::OPERATIONS,
];

/// Answers a request to one of Twilio's products.
pub(crate) async fn respond(sim: &Sim, parts: Parts, body: Body) -> Response<Body> {
    let Ok(body) = Limited::new(body, BODY_MAX_BYTES).collect().await else {
        return Response::builder()
            .status(StatusCode::PAYLOAD_TOO_LARGE)
            .body(Body::empty())
            .unwrap_or_default();
    };
    let ask = Ask::read(&parts, &body.to_bytes(), sim.inner.clock.now());
    let (answer, delay_ms) = answer_in_world(&mut sim.world(), &ask);
    sim.inner.bell.notify_one();
    if delay_ms > 0 {
        sim.inner.clock.sleep(Duration::from_millis(delay_ms)).await;
    }
    finish(sim, &ask, answer)
}

/// An answer with who asked, so that the end of the request can be booked.
struct Answered {
    answer: Answer,
    fault: Option<(u64, FaultAction)>,
    credential: Credential,
    route: &'static str,
    account: Option<String>,
    concurrent: u32,
}

fn answer_in_world(world: &mut World, ask: &Ask) -> (Answered, u64) {
    world.settle(ask.now);
    let route = Route::of(ask, FAMILIES);
    let credential = auth::identify(world, ask);
    let owner = credential.account(world);
    let concurrent = owner.map_or(1, |owner| {
        let running = world.log.in_flight.entry(owner).or_default();
        *running += 1;
        *running
    });
    let crowded = world.concurrency_max.is_some_and(|most| concurrent > most);
    // A request too many is not processed at all: no rule of the fault script sees it.
    let fault = (!crowded)
        .then(|| world.faults.strike(&ask.method, &ask.path_and_query))
        .flatten();
    let answer = if crowded {
        too_many(world)
    } else {
        answer_with_fault(
            world,
            ask,
            &route,
            &credential,
            fault.as_ref().map(|(_, action)| action),
        )
    };
    let delay_ms = match &fault {
        Some((_, FaultAction::Delay { ms })) => *ms,
        _ => 0,
    };
    let account = route.account.clone();
    (
        Answered {
            answer,
            fault,
            credential,
            route: route.template,
            account,
            concurrent,
        },
        delay_ms,
    )
}

/// What a request over the limit of requests at a time is told.
fn too_many(world: &World) -> Answer {
    let mut answer = Answer::from(Refusal::new(429, 20_429, "Too many requests"));
    let after_s = world.quirks.retry_after_s;
    if after_s > 0 {
        let header = ("Retry-After".to_owned(), after_s.to_string());
        answer.headers.push(header);
    }
    answer
}

fn answer_with_fault(
    world: &mut World,
    ask: &Ask,
    route: &Route,
    who: &Credential,
    fault: Option<&FaultAction>,
) -> Answer {
    let mut ask = ask.clone();
    match fault {
        Some(FaultAction::Drop {
            after_effect: false,
        }) => return Answer::json(0, Vec::new()),
        Some(FaultAction::Status {
            after_effect,
            status,
            code,
            body,
            headers,
        }) => {
            if *after_effect {
                handle(world, &ask, route, who).ok();
            }
            return faulty_status(*status, *code, body.as_deref(), headers);
        }
        Some(FaultAction::RepeatPage) => ask.page_fault = Some(PageFault::Repeat),
        Some(FaultAction::NextPageUri { uri }) => {
            ask.page_fault = Some(PageFault::Next(uri.clone()));
        }
        Some(FaultAction::PriceNull) => ask.price_null = true,
        Some(FaultAction::PriceUnit { unit }) => ask.price_unit = Some(unit.clone()),
        _ => {}
    }
    let mut answer = handle(world, &ask, route, who).unwrap_or_else(Answer::from);
    match fault {
        Some(FaultAction::Truncate { keep_bytes }) => answer.body.truncate(*keep_bytes),
        Some(FaultAction::Drop { after_effect: true }) => answer.status = 0,
        _ => {}
    }
    answer
}

fn faulty_status(
    status: u16,
    code: Option<u32>,
    body: Option<&str>,
    headers: &std::collections::BTreeMap<String, String>,
) -> Answer {
    let mut answer = match body {
        Some(body) => Answer::json(status, body.as_bytes().to_vec()),
        None => Refusal::of_status(status, code).into(),
    };
    answer.headers = headers
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    answer
}

fn handle(
    world: &mut World,
    ask: &Ask,
    route: &Route,
    who: &Credential,
) -> Result<Answer, Refusal> {
    let result = dispatch(world, ask, route, who);
    world.settle(ask.now); // what follows at once, follows before the next request
    result
}

fn dispatch(
    world: &mut World,
    ask: &Ask,
    route: &Route,
    who: &Credential,
) -> Result<Answer, Refusal> {
    if !ask.json {
        return Err(Refusal::xml_not_found(ask));
    }
    if !route.known {
        return Err(Refusal::not_found(ask));
    }
    auth::require_any(world, who)?;
    let operation = route.operation.ok_or_else(Refusal::method_not_allowed)?;
    let account = auth::authorize(world, ask, who, route, operation)?;
    let target = Target {
        who,
        account,
        ids: route.ids(ask),
    };
    let before = audit::before(world, ask, operation, &target, FAMILIES);
    let answer = (operation.handler)(world, ask, &target)?;
    audit::record(world, ask, operation, &target, &answer, before);
    Ok(answer)
}

/// Books the request and dresses the answer in Twilio's headers.
fn finish(sim: &Sim, ask: &Ask, answered: Answered) -> Response<Body> {
    let Answered {
        answer,
        fault,
        credential,
        route,
        account,
        concurrent,
    } = answered;
    let mut world = sim.world();
    if let Some(running) = credential
        .account(&world)
        .and_then(|owner| world.log.in_flight.get_mut(&owner))
    {
        *running = running.saturating_sub(1);
    }
    world.log.ordinal += 1;
    let mut rng = Rng::of(world.seed, &[b"request", &world.log.ordinal.to_le_bytes()]);
    let (credential_name, credential_sid) = credential.describe(&world);
    world.log.request(LoggedRequest {
        at: ask.now,
        credential: credential_name,
        credential_sid,
        method: ask.method.clone(),
        path: ask.path_and_query.clone(),
        route,
        account_sid: account,
        status: answer.status,
        fault: fault.as_ref().map(|(id, _)| *id),
    });
    drop(world);
    if answer.status == 0 {
        return ConnectionDropped::response();
    }
    // What the fault script made of an answer is not Twilio's.
    if let (Some(recorder), None) = (&sim.inner.recorder, &fault)
        && answer.is_json()
    {
        recorder.write(&Exchange {
            product: ask.product.as_str(),
            method: &ask.method,
            path: &ask.path_and_query,
            status: answer.status,
            body: &answer.body,
        });
    }
    let length = answer.body.len();
    let body = match fault {
        Some((_, FaultAction::Reset { keep_bytes })) => {
            ConnectionDropped::after(answer.body, keep_bytes)
        }
        _ => Body::from(Bytes::from(answer.body)),
    };
    let mut response = Response::builder()
        .status(answer.status)
        .header("Twilio-Request-Id", format!("RQ{}", rng.hex(32)))
        .header("Twilio-Request-Duration", format!("0.0{}", rng.within([10, 99])))
        .header("Twilio-Concurrent-Requests", concurrent)
        .header("X-Home-Region", "us1")
        .header("X-API-Domain", format!("{}.twilio.com", ask.product.as_str()))
        .header("X-Powered-By", "AT-5000")
        .header("X-Shenanigans", "none")
        // Twilio's own idea of the time, which code may rely on: the simulated one.
        .header(header::DATE, ask.now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
    if answer.status != 204 {
        response = response
            .header(header::CONTENT_TYPE, answer.content_type)
            .header(header::CONTENT_LENGTH, length);
    }
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(body).unwrap_or_default()
}
