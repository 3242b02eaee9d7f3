//! A call that a driver places by hand, with everything that Twilio or the other side would decide.

use serde::Deserialize;

use crate::callbacks::Hook;
use crate::sim::{Sim, SimError};
use crate::world::World;
use crate::world::calls::{CallDraft, CallStatus, Direction, Wanted};
use crate::world::recordings::{RecordPlan, Told};
use crate::world::tariff;
use crate::world::twiml::{Room, Script, Verb};

use super::make::{Ends, Made, is_inbound};
use super::{Reply, ok};

/// How long calls last that are given no length, in seconds.
const SECONDS: [u64; 2] = [10, 600];
/// What answering machine detection can find, by its documentation.
const ANSWERED_BY: [&str; 7] = [
    "human",
    "machine_start",
    "machine_end_beep",
    "machine_end_silence",
    "machine_end_other",
    "fax",
    "unknown",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallAsked {
    account_sid: String,
    to: Option<String>,
    from: Option<String>,
    direction: Option<String>,
    duration_s: Option<u64>,
    timeout_s: Option<u64>,
    outcome: Option<String>,
    sip_response_code: Option<u16>,
    answered_by: Option<String>,
    forwarded_from: Option<String>,
    status_callback: Option<String>,
    status_callback_method: Option<String>,
    status_callback_events: Option<Vec<String>>,
    parent_call_sid: Option<String>,
    twiml: Option<String>,
    conference: Option<String>,
    #[serde(default)]
    end_conference_on_exit: bool,
    #[serde(default)]
    record: bool,
    recording_status_callback: Option<String>,
    recording_status_callback_events: Option<Vec<String>>,
}

pub(super) fn place(sim: &Sim, asked: CallAsked) -> Reply {
    let inbound = is_inbound(asked.direction.as_deref())?;
    let outcome = outcome(asked.outcome.as_deref())?;
    let answers_as = answers_as(asked.answered_by.as_deref())?;
    let hook = hook(&asked)?;
    let wanted = match &asked.status_callback_events {
        Some(events) => Wanted::of(events.iter().map(String::as_str)),
        None if hook.is_some() => Wanted::ALL,
        None => Wanted::default(),
    };
    let (record, script) = (record(&asked)?, script(&asked)?);
    let ends = Ends {
        inbound,
        from: asked.from,
        to: asked.to,
        takes: tariff::is_endpoint,
    };
    let sid = sim.change(&asked.account_sid, |world, account, now| {
        if !world.may_start(account) {
            return Err(SimError::NotActive);
        }
        let parent = parent(world, account, asked.parent_call_sid.as_deref())?;
        let direction = match (inbound, parent) {
            (true, Some(_)) => return Err(SimError::Invalid("parent_call_sid: a leg is outbound")),
            (true, None) => Direction::Inbound,
            (false, Some(_)) => Direction::OutboundDial,
            (false, None) => Direction::OutboundApi,
        };
        let (from, to) = ends.find(world, account)?;
        let seconds = asked
            .duration_s
            .unwrap_or_else(|| world.draw(account).within(SECONDS));
        let draft = CallDraft {
            outcome,
            timeout_s: asked.timeout_s,
            script,
            record,
            answers_as,
            forwarded_from: asked.forwarded_from,
            sip_code: asked.sip_response_code,
            parent,
            hook,
            wanted,
            ..CallDraft::new(from, to, direction, seconds)
        };
        let call = world.create_call(now, account, draft);
        Ok(world.calls[call].sid.to_string())
    })?;
    Ok(ok(&Made { sid }))
}

fn outcome(asked: Option<&str>) -> Result<CallStatus, SimError> {
    match asked {
        None | Some("completed") => Ok(CallStatus::Completed),
        Some("busy") => Ok(CallStatus::Busy),
        Some("no-answer") => Ok(CallStatus::NoAnswer),
        Some("failed") => Ok(CallStatus::Failed),
        Some(_) => Err(SimError::Invalid("outcome")),
    }
}

fn answers_as(asked: Option<&str>) -> Result<Option<&'static str>, SimError> {
    let Some(asked) = asked else {
        return Ok(None);
    };
    let known = ANSWERED_BY.into_iter().find(|known| *known == asked);
    known.map(Some).ok_or(SimError::Invalid("answered_by"))
}

fn hook(asked: &CallAsked) -> Result<Option<Hook>, SimError> {
    let get = match asked.status_callback_method.as_deref() {
        None | Some("POST") => false,
        Some("GET") => true,
        Some(_) => return Err(SimError::Invalid("status_callback_method")),
    };
    let url = asked.status_callback.clone();
    Ok(url.map(|url| Hook { url, get }))
}

/// A recording, which a callback of its own implies.
fn record(asked: &CallAsked) -> Result<Option<RecordPlan>, SimError> {
    let hook = asked.recording_status_callback.clone().map(Hook::from);
    let events = asked
        .recording_status_callback_events
        .as_deref()
        .unwrap_or_default();
    if events
        .iter()
        .any(|event| !Told::EVENTS.contains(&event.as_str()))
    {
        return Err(SimError::Invalid("recording_status_callback_events"));
    }
    let is_recorded = asked.record || hook.is_some();
    Ok(is_recorded.then(|| RecordPlan {
        hook,
        told: Told::of(events.iter().map(String::as_str)),
        ..RecordPlan::from("OutboundAPI")
    }))
}

fn script(asked: &CallAsked) -> Result<Script, SimError> {
    match (&asked.twiml, &asked.conference) {
        (Some(_), Some(_)) => Err(SimError::Invalid("twiml: a conference is given, too")),
        (Some(twiml), None) => Ok(Script::read(twiml)),
        (None, Some(name)) => {
            let room = Room {
                ends_on_exit: asked.end_conference_on_exit,
                ..Room::named(name.clone())
            };
            Ok(Script {
                recorded: false,
                verb: Verb::Conference(Box::new(room)),
            })
        }
        (None, None) => Ok(Script::default()),
    }
}

/// The live call that this one is a leg of; a leg has no legs of its own.
fn parent(world: &World, account: usize, sid: Option<&str>) -> Result<Option<usize>, SimError> {
    let Some(sid) = sid else {
        return Ok(None);
    };
    let found = world.find("CA", sid).filter(|call| {
        let call = &world.calls[*call];
        call.account == account && call.parent.is_none() && call.status.is_live()
    });
    let invalid =
        SimError::Invalid("parent_call_sid: no live call of the account, or a leg itself");
    found.map(Some).ok_or(invalid)
}
