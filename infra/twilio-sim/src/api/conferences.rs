//! Conferences: listed, fetched and ended. Calls join them by their TwiML.

use crate::json::Obj;
use crate::sid::Sid;
use crate::world::World;
use crate::world::conferences::{ConferenceStatus, Ended};

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::filters::{Window, write_date};
use super::paging;
use super::route::{Operation, Target, get, post};

pub(super) const OPERATIONS: &[Operation] = &[
    get(CONFERENCES, "/twilio/voice/conferences/list", list),
    get(CONFERENCE, "/twilio/voice/conferences/read", fetch),
    post(CONFERENCE, "/twilio/voice/conferences/update", update),
];

const CONFERENCES: &str = "/Accounts/{AccountSid}/Conferences";
const CONFERENCE: &str = "/Accounts/{AccountSid}/Conferences/{Sid}";

fn list(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let world = &*world;
    let (created, updated) = (
        Window::read(ask, "DateCreated", false)?,
        Window::read(ask, "DateUpdated", false)?,
    );
    if let Some(status) = ask.query("Status")
        && !["init", "in-progress", "completed"].contains(&status)
    {
        return Err(Refusal::bad(20_001, "Invalid Status"));
    }
    let equals = |name: &str, value: &str| ask.query(name).is_none_or(|wanted| wanted == value);
    let fits = |index: &usize| {
        let conference = &world.conferences.all[*index];
        equals("Status", conference.status.as_str())
            && equals("FriendlyName", &conference.name)
            && created.admits(Some(conference.created_at))
            && updated.admits(Some(conference.updated_at))
    };
    let items: Vec<usize> = world
        .conferences
        .of_account(target.account)
        .iter()
        .rev()
        .copied()
        .filter(fits)
        .collect();
    let sid = |conference: usize| world.conferences.all[conference].sid;
    paging::by_sid(world, ask, "conferences", &items, sid, |out, conference| {
        write(world, out, conference);
    })
}

fn fetch(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let conference = find(world, ask, target)?;
    Ok(Answer::object(200, |out| write(world, out, conference)))
}

/// Ends a conference with all legs in it; an announcement is made and changes nothing.
fn update(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let index = find(world, ask, target)?;
    let is_over = world.conferences.all[index].status == ConferenceStatus::Completed;
    match (ask.form("Status"), ask.form("AnnounceUrl")) {
        (Some("completed"), _) => world.end_conference(ask.now, index, Ended::ViaApi, None),
        (None, Some(_)) if !is_over => {}
        (None, Some(_)) => return Err(Refusal::not_found(ask)),
        _ => return Err(Refusal::bad(20_001, "Invalid Status")),
    }
    fetch(world, ask, target)
}

fn find(world: &World, ask: &Ask, target: &Target<'_>) -> Result<usize, Refusal> {
    world
        .find("CF", target.id(0))
        .filter(|conference| world.conferences.all[*conference].account == target.account)
        .ok_or_else(|| Refusal::not_found(ask))
}

fn write(world: &World, out: &mut Vec<u8>, index: usize) {
    let conference = &world.conferences.all[index];
    let account = world.accounts[conference.account].sid;
    let base = format!(
        "/2010-04-01/Accounts/{account}/Conferences/{}",
        conference.sid
    );
    let mut object = Obj::open(out);
    object
        .str("account_sid", account.as_str())
        .str("api_version", "2010-04-01")
        .opt(
            "call_sid_ending_conference",
            conference.ending_call.as_ref().map(Sid::as_str),
        );
    write_date(&mut object, "date_created", Some(conference.created_at));
    write_date(&mut object, "date_updated", Some(conference.updated_at));
    object
        .str("friendly_name", &conference.name)
        .opt(
            "reason_conference_ended",
            conference.ended.map(Ended::as_str),
        )
        .str("region", "us1")
        .str("sid", conference.sid.as_str())
        .str("status", conference.status.as_str());
    let mut uris = Obj::open(object.name("subresource_uris"));
    uris.str("participants", &format!("{base}/Participants.json"))
        .str("recordings", &format!("{base}/Recordings.json"));
    uris.close();
    object.str("uri", &format!("{base}.json"));
    object.close();
}
