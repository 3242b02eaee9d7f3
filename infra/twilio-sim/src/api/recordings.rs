//! Recordings: of an account and of a call. A live call's can be started, paused, resumed and stopped.
//!
//! A deleted recording is out of sight and costs no storage any more, but for 40 days Twilio shows what it
//! knows of it to who asks for deleted ones.

use crate::json::Obj;
use crate::sid::Sid;
use crate::world::World;
use crate::world::calls::CallStatus;
use crate::world::recordings::{Recorded, RecordingStatus};

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::call_form::record_plan;
use super::calls::{find_call, write_price};
use super::filters::{Window, write_date};
use super::paging;
use super::route::{Operation, Target, delete, get, post};

pub(super) const OPERATIONS: &[Operation] = &[
    get(RECORDINGS, "/twilio/voice/recordings/list", list),
    get(RECORDING, "/twilio/voice/recordings/read", fetch),
    delete(RECORDING, "/twilio/voice/recordings/delete", remove),
    get(OF_CALL, "/twilio/voice/recordings/list", list_of_call),
    post(OF_CALL, "/twilio/voice/recordings/create", start),
    get(ONE_OF_CALL, "/twilio/voice/recordings/read", fetch_of_call),
    post(ONE_OF_CALL, "/twilio/voice/recordings/update", update),
    delete(
        ONE_OF_CALL,
        "/twilio/voice/recordings/delete",
        remove_of_call,
    ),
];

const RECORDINGS: &str = "/Accounts/{AccountSid}/Recordings";
const RECORDING: &str = "/Accounts/{AccountSid}/Recordings/{Sid}";
const OF_CALL: &str = "/Accounts/{AccountSid}/Calls/{CallSid}/Recordings";
const ONE_OF_CALL: &str = "/Accounts/{AccountSid}/Calls/{CallSid}/Recordings/{Sid}";

/// Stands for the SID of the recording that goes on.
const CURRENT: &str = "Twilio.CURRENT";

fn list(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let world = &*world;
    let items = world.recordings.of_account(target.account);
    page(world, ask, items, Form::OfAccount)
}

fn list_of_call(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let world = &*world;
    let call = find_call(world, ask, target, target.id(0))?;
    let items = world.recordings.of(Recorded::Call(call));
    page(world, ask, items, Form::OfCall)
}

fn page(world: &World, ask: &Ask, items: &[usize], form: Form) -> Result<Answer, Refusal> {
    let created = Window::read(ask, "DateCreated", false)?;
    let equals = |name: &str, value: Option<Sid>| {
        ask.query(name)
            .is_none_or(|wanted| value.is_some_and(|sid| sid.as_str() == wanted))
    };
    let fits = |index: &usize| {
        let recording = &world.recordings.all[*index];
        let (call, conference) = owners(world, recording.of);
        is_shown(world, ask, *index)
            && created.admits(Some(recording.started_at))
            && equals("CallSid", call)
            && equals("ConferenceSid", conference)
    };
    let items: Vec<usize> = items.iter().rev().copied().filter(fits).collect();
    let sid = |recording: usize| world.recordings.all[recording].sid;
    paging::by_sid(world, ask, "recordings", &items, sid, |out, recording| {
        write(world, ask, out, recording, form);
    })
}

fn fetch(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let recording = find(world, ask, target)?;
    Ok(shown(world, ask, 200, recording, Form::OfAccount))
}

fn fetch_of_call(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let recording = find_of_call(world, ask, target)?;
    Ok(shown(world, ask, 200, recording, Form::OfCall))
}

/// Starts recording a call in progress. One that is recorded already goes on with that one: 200, not 201.
fn start(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let call = find_call(world, ask, target, target.id(0))?;
    let plan = record_plan(ask, "StartCallRecordingAPI")?;
    if world.calls[call].status != CallStatus::InProgress {
        return Err(not_eligible());
    }
    let of = Recorded::Call(call);
    if let Some(current) = current(world, of) {
        return Ok(shown(world, ask, 200, current, Form::OfCall));
    }
    let recording = world.start_recording(ask.now, of, plan);
    Ok(shown(world, ask, 201, recording, Form::OfCall))
}

/// Pauses, resumes or stops a recording that goes on.
fn update(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let index = if target.id(1) == CURRENT {
        let call = find_call(world, ask, target, target.id(0))?;
        current(world, Recorded::Call(call)).ok_or_else(|| Refusal::not_found(ask))?
    } else {
        find_of_call(world, ask, target)?
    };
    let skips = match ask.form("PauseBehavior") {
        None | Some("silence") => false,
        Some("skip") => true,
        Some(_) => return Err(Refusal::bad(20_001, "Invalid PauseBehavior")),
    };
    let is_live = world.recordings.all[index].status.is_live();
    match ask.form("Status") {
        Some("paused" | "in-progress" | "stopped") if !is_live => return Err(not_eligible()),
        Some("paused") => world.pause_recording(ask.now, index, skips),
        Some("in-progress") => world.resume_recording(ask.now, index),
        Some("stopped") => world.stop_recording(ask.now, index, RecordingStatus::Stopped),
        _ => return Err(Refusal::bad(20_001, "Invalid Status")),
    }
    Ok(shown(world, ask, 200, index, Form::OfCall))
}

fn remove(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let recording = find(world, ask, target)?;
    delete_ended(world, ask, recording)
}

fn remove_of_call(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let recording = find_of_call(world, ask, target)?;
    delete_ended(world, ask, recording)
}

fn delete_ended(world: &mut World, ask: &Ask, index: usize) -> Result<Answer, Refusal> {
    let recording = &world.recordings.all[index];
    if recording.deleted_at.is_some() {
        return Err(Refusal::not_found(ask));
    }
    if recording.status.is_live() {
        return Err(Refusal::not_complete());
    }
    world.delete_recording(ask.now, index);
    Ok(Answer::no_content())
}

/// Twilio's refusal to record a call that is not spoken on.
fn not_eligible() -> Refusal {
    Refusal::bad(21_220, "Requested resource is not eligible for recording")
}

/// The recording that goes on.
fn current(world: &World, of: Recorded) -> Option<usize> {
    let mut recordings = world.recordings.of(of).iter().copied();
    recordings.find(|recording| world.recordings.all[*recording].status.is_live())
}

fn is_shown(world: &World, ask: &Ask, index: usize) -> bool {
    let include_deleted = ask.query("IncludeSoftDeleted") == Some("true");
    world.recordings.all[index].is_shown(ask.now, include_deleted)
}

fn find(world: &World, ask: &Ask, target: &Target<'_>) -> Result<usize, Refusal> {
    find_sid(world, ask, target, target.id(0))
}

fn find_of_call(world: &World, ask: &Ask, target: &Target<'_>) -> Result<usize, Refusal> {
    let call = find_call(world, ask, target, target.id(0))?;
    find_sid(world, ask, target, target.id(1)).and_then(|recording| {
        let is_its = world.recordings.all[recording].of == Recorded::Call(call);
        is_its
            .then_some(recording)
            .ok_or_else(|| Refusal::not_found(ask))
    })
}

fn find_sid(world: &World, ask: &Ask, target: &Target<'_>, sid: &str) -> Result<usize, Refusal> {
    world
        .find("RE", sid)
        .filter(|recording| world.recordings.all[*recording].account == target.account)
        .filter(|recording| is_shown(world, ask, *recording))
        .ok_or_else(|| Refusal::not_found(ask))
}

/// The SIDs of the call and of the conference.
fn owners(world: &World, of: Recorded) -> (Option<Sid>, Option<Sid>) {
    match of {
        Recorded::Call(call) => (Some(world.calls[call].sid), None),
        Recorded::Conference(conference) => (None, Some(world.conferences.all[conference].sid)),
    }
}

/// As the account's recordings show it, or as a call's do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    OfAccount,
    OfCall,
}

fn shown(world: &World, ask: &Ask, status: u16, index: usize, form: Form) -> Answer {
    Answer::object(status, |out| write(world, ask, out, index, form))
}

fn write(world: &World, ask: &Ask, out: &mut Vec<u8>, index: usize, form: Form) {
    let recording = &world.recordings.all[index];
    let account = world.accounts[recording.account].sid;
    let (call, conference) = owners(world, recording.of);
    let base = format!("/2010-04-01/Accounts/{account}");
    let is_over = matches!(
        recording.status,
        RecordingStatus::Completed | RecordingStatus::Absent
    );
    let seconds = recording.seconds.filter(|_| is_over);
    let seconds = seconds.map(|seconds| seconds.to_string());
    let mut object = Obj::open(out);
    object
        .str("account_sid", account.as_str())
        .str("api_version", "2010-04-01")
        .opt("call_sid", call.as_ref().map(Sid::as_str))
        .opt("conference_sid", conference.as_ref().map(Sid::as_str))
        .int("channels", if recording.plan.dual { 2 } else { 1 });
    write_date(&mut object, "date_created", Some(recording.started_at));
    write_date(&mut object, "date_updated", Some(recording.updated_at));
    write_date(&mut object, "start_time", Some(recording.started_at));
    object
        .opt("duration", seconds.as_deref())
        .null("encryption_details")
        .null("error_code");
    let sign = if world.quirks.recording_price_negative {
        -1
    } else {
        1
    };
    write_price(
        world,
        ask,
        &mut object,
        recording.price.map(|price| sign * price),
    );
    let status = match recording.deleted_at {
        Some(_) => "deleted",
        None => recording.status.as_str(),
    };
    object
        .str("sid", recording.sid.as_str())
        .str("source", recording.plan.source)
        .str("status", status);
    if let (Form::OfCall, Some(call)) = (form, call) {
        let uri = format!("{base}/Calls/{call}/Recordings/{}.json", recording.sid);
        object.str("track", recording.plan.track).str("uri", &uri);
    } else {
        let uri = format!("{base}/Recordings/{}", recording.sid);
        let media_url = world.recording_url(recording.account, recording.sid);
        object.str("media_url", &media_url);
        let mut uris = Obj::open(object.name("subresource_uris"));
        uris.str("add_on_results", &format!("{uri}/AddOnResults.json"))
            .str("transcriptions", &format!("{uri}/Transcriptions.json"));
        uris.close();
        object.str("uri", &format!("{uri}.json"));
    }
    object.close();
}
