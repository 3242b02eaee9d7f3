//! Monitor: the audit log's events and the error log's alerts, of the account that asks.

use jiff::Timestamp;

use crate::json::Obj;
use crate::sid::Sid;
use crate::world::monitor::{Alert, AuditEvent, KEPT_MS};
use crate::world::{World, after};

use super::answer::{Answer, Refusal};
use super::ask::{Ask, Product};
use super::filters::{Window, write_iso};
use super::paging;
use super::route::{Operation, Target, get};

pub(super) const OPERATIONS: &[Operation] = &[
    get("/v1/Events", "/twilio/monitor/events/list", list_events).of(Product::Monitor),
    get(
        "/v1/Events/{Sid}",
        "/twilio/monitor/events/read",
        fetch_event,
    )
    .of(Product::Monitor),
    get("/v1/Alerts", "/twilio/monitor/alerts/list", list_alerts).of(Product::Monitor),
    get(
        "/v1/Alerts/{Sid}",
        "/twilio/monitor/alerts/read",
        fetch_alert,
    )
    .of(Product::Monitor),
];

const LOG_LEVELS: [&str; 4] = ["error", "warning", "notice", "debug"];

fn list_events(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let world = &*world;
    let dates = Window::between(ask, "StartDate", "EndDate")?;
    let equals = |name: &str, value: Option<&str>| {
        ask.query(name).is_none_or(|wanted| value == Some(wanted))
    };
    let fits = |event: &AuditEvent| {
        let done = &event.done;
        done.account == target.account
            && is_kept(done.at, ask.now)
            && dates.admits(Some(done.at))
            && equals("EventType", Some(&done.event_type))
            && equals("ResourceSid", done.resource.as_ref().map(Sid::as_str))
            && equals(
                "SourceIpAddress",
                done.ip.map(|ip| ip.to_string()).as_deref(),
            )
            && is_actor(ask.query("ActorSid"), done.actor.as_ref())
    };
    let events = &world.monitor.events;
    let items: Vec<usize> = events
        .newest_first()
        .filter(|(_, event)| fits(event))
        .map(|(place, _)| place)
        .collect();
    let at = |place: usize| events.get(place).expect("listed a moment ago");
    paging::by_sid(
        world,
        ask,
        "events",
        &items,
        |place| at(place).sid,
        |out, place| write_event(world, out, at(place)),
    )
}

fn fetch_event(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let event = world
        .find("AE", target.id(0))
        .and_then(|place| world.monitor.events.get(place))
        .filter(|event| event.done.account == target.account && is_kept(event.done.at, ask.now))
        .ok_or_else(|| Refusal::not_found(ask))?;
    Ok(Answer::object(200, |out| write_event(world, out, event)))
}

fn list_alerts(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let world = &*world;
    let dates = Window::between(ask, "StartDate", "EndDate")?;
    let level = ask.query("LogLevel");
    if level.is_some_and(|level| !LOG_LEVELS.contains(&level)) {
        return Err(Refusal::invalid("LogLevel"));
    }
    let fits = |alert: &Alert| {
        alert.account == target.account
            && is_kept(alert.at, ask.now)
            && dates.admits(Some(alert.at))
            // All that is simulated are errors.
            && level.is_none_or(|level| level == "error")
    };
    let alerts = &world.monitor.alerts;
    let items: Vec<usize> = alerts
        .newest_first()
        .filter(|(_, alert)| fits(alert))
        .map(|(place, _)| place)
        .collect();
    let at = |place: usize| alerts.get(place).expect("listed a moment ago");
    paging::by_sid(
        world,
        ask,
        "alerts",
        &items,
        |place| at(place).sid,
        |out, place| write_alert(world, out, at(place), false),
    )
}

fn fetch_alert(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let alert = world
        .find("NO", target.id(0))
        .and_then(|place| world.monitor.alerts.get(place))
        .filter(|alert| alert.account == target.account && is_kept(alert.at, ask.now))
        .ok_or_else(|| Refusal::not_found(ask))?;
    Ok(Answer::object(200, |out| {
        write_alert(world, out, alert, true);
    }))
}

fn is_kept(at: Timestamp, now: Timestamp) -> bool {
    after(at, KEPT_MS) >= now
}

/// An actor is asked for by the SID that events show, or by the account's or key's own.
fn is_actor(wanted: Option<&str>, actor: Option<&Sid>) -> bool {
    wanted.is_none_or(|wanted| {
        actor.is_some_and(|actor| wanted == actor.as_str() || wanted == shown_actor(actor))
    })
}

/// Twilio's schema wants a user's SID here, also for accounts and keys.
fn shown_actor(actor: &Sid) -> String {
    format!("US{}", &actor.as_str()[2..])
}

fn write_event(world: &World, out: &mut Vec<u8>, event: &AuditEvent) {
    let done = &event.done;
    let (resource_type, _) = done
        .event_type
        .rsplit_once('.')
        .unwrap_or((&done.event_type, ""));
    let mut object = Obj::open(out);
    object
        .str("account_sid", world.accounts[done.account].sid.as_str())
        .opt("actor_sid", done.actor.as_ref().map(shown_actor).as_deref())
        .str("actor_type", done.actor_type)
        .null("description")
        .raw("event_data", done.changes.as_deref().unwrap_or("null"));
    write_iso(&mut object, "event_date", Some(done.at));
    object
        .str("event_type", &done.event_type)
        .opt("resource_sid", done.resource.as_ref().map(Sid::as_str))
        .str("resource_type", resource_type)
        .str("sid", event.sid.as_str())
        .str("source", done.source)
        .opt(
            "source_ip_address",
            done.ip.map(|ip| ip.to_string()).as_deref(),
        )
        .str(
            "url",
            &format!("https://monitor.twilio.com/v1/Events/{}", event.sid),
        );
    let mut links = Obj::open(object.name("links"));
    links
        .opt("actor", done.actor_url.as_deref())
        .str("resource", &done.resource_url);
    links.close();
    object.close();
}

/// An alert; the request that failed is shown only where one alert is fetched.
fn write_alert(world: &World, out: &mut Vec<u8>, alert: &Alert, whole: bool) {
    let code = alert.code.to_string();
    let mut object = Obj::open(out);
    object
        .str("account_sid", world.accounts[alert.account].sid.as_str())
        .str("alert_text", &alert_text(alert))
        .str("api_version", "2010-04-01");
    for name in ["date_created", "date_generated", "date_updated"] {
        write_iso(&mut object, name, Some(alert.at));
    }
    object
        .str("error_code", &code)
        .str("log_level", "error")
        .str(
            "more_info",
            &format!("https://www.twilio.com/docs/errors/{code}"),
        )
        .str("request_method", "POST")
        .str("request_url", &alert.url);
    if whole {
        let variables = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&alert.fields)
            .finish();
        object
            .str("request_variables", &variables)
            .null("request_headers")
            .null("response_headers")
            .null("response_body");
    }
    object
        .str("resource_sid", alert.resource.as_str())
        .null("service_sid")
        .str("sid", alert.sid.as_str())
        .str(
            "url",
            &format!("https://monitor.twilio.com/v1/Alerts/{}", alert.sid),
        );
    object.close();
}

/// The alert's text, a form like the Debugger's own.
fn alert_text(alert: &Alert) -> String {
    let mut text = form_urlencoded::Serializer::new(String::new());
    text.append_pair(
        "Msg",
        match alert.code {
            11_205 => "HTTP connection failure",
            _ => "HTTP retrieval failure",
        },
    )
    .append_pair("ErrorCode", &alert.code.to_string())
    .append_pair("LogLevel", "ERROR")
    .append_pair("url", &alert.url);
    if let Some(status) = alert.http_status {
        text.append_pair("httpResponse", &status.to_string());
    }
    text.finish()
}
