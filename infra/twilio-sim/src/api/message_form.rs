//! What a message is to be, read from a request's form and held to Twilio's rules.

use jiff::{SignedDuration, Timestamp};

use crate::callbacks::Hook;
use crate::sid::Sid;
use crate::world::World;
use crate::world::messages::MessageDraft;
use crate::world::tariff::is_e164;

use super::answer::Refusal;
use super::ask::Ask;

/// Bounds of the documented parameters.
const BODY_MAX_CHARS: usize = 1_600;
const MEDIA_MAX: usize = 10;
const VALIDITY_MAX_S: u64 = 36_000;
/// How far ahead a message may be scheduled, by Twilio's error 35114.
const SCHEDULED_LEAST: SignedDuration = SignedDuration::from_secs(300);
const SCHEDULED_MOST: SignedDuration = SignedDuration::from_hours(35 * 24);

/// Reads a message to be sent.
pub(super) fn read(world: &mut World, ask: &Ask, account: usize) -> Result<MessageDraft, Refusal> {
    let to = ask
        .form("To")
        .ok_or_else(|| Refusal::bad(21_604, "'To' phone number is required to send a Message"))?;
    if !is_e164(to) {
        return Err(Refusal::bad(21_211, "Invalid 'To' Phone Number"));
    }
    let service = service(world, ask, account)?;
    let from = sender(world, ask, account, service)?;
    if from == to {
        let message = "'To' and 'From' number cannot be the same";
        return Err(Refusal::bad(21_266, message));
    }
    let (body, media) = content(ask)?;
    if world.is_region_denied(to) {
        let message = "Permission to send an SMS has not been enabled for the region indicated by the 'To' number";
        return Err(Refusal::bad(21_408, message));
    }
    if world.opted_out.contains(&(from.clone(), to.to_owned())) {
        return Err(Refusal::bad(
            21_610,
            "Attempt to send to unsubscribed recipient (STOP)",
        ));
    }
    if world.is_queue_full(&from) {
        let message = "This 'From' number has exceeded the maximum number of queued messages";
        return Err(Refusal::bad(21_611, message));
    }
    Ok(MessageDraft {
        num_media: media,
        callback: callback(world, ask, account, service)?,
        service,
        send_at: send_at(ask, service)?,
        validity_s: validity(ask)?,
        ..MessageDraft::new(from, to.to_owned(), body)
    })
}

fn service(world: &World, ask: &Ask, account: usize) -> Result<Option<Sid>, Refusal> {
    match ask.form("MessagingServiceSid") {
        None => Ok(None),
        Some(text) => world
            .service(account, text)
            .map(|service| Some(world.services[service].sid))
            .ok_or_else(|| Refusal::bad(21_701, "The Messaging Service does not exist")),
    }
}

/// The number that it is sent from: the one that is given, or one that the Messaging Service has.
fn sender(
    world: &mut World,
    ask: &Ask,
    account: usize,
    service: Option<Sid>,
) -> Result<String, Refusal> {
    let from = match (ask.form("From"), service) {
        (Some(from), _) => from.to_owned(),
        (None, Some(service)) => world.service_sender(account, service.as_str()).ok_or_else(|| {
            let message =
                "The Messaging Service does not have a phone number available to send a message";
            Refusal::bad(21_703, message)
        })?,
        (None, None) => {
            let message =
                "A 'From' or 'MessagingServiceSid' parameter is required to send a message";
            return Err(Refusal::bad(21_603, message));
        }
    };
    if !is_e164(&from) {
        return Err(Refusal::bad(21_212, "Invalid 'From' Phone Number"));
    }
    if !world.may_send_from(account, &from) {
        return Err(Refusal::bad(
            21_606,
            "The 'From' phone number provided is not a valid, message-capable Twilio phone number.",
        ));
    }
    Ok(from)
}

/// Text and number of media.
fn content(ask: &Ask) -> Result<(String, u32), Refusal> {
    let media: Vec<&str> = ask.form_all("MediaUrl").collect();
    if media.len() > MEDIA_MAX {
        let message = "Number of media files exceeds allowed limit";
        return Err(Refusal::bad(21_623, message));
    }
    if !media.iter().all(|url| Hook::is_valid_url(url)) {
        return Err(Refusal::bad(21_620, "Invalid media URL(s)"));
    }
    let body = ask.form("Body").unwrap_or_default();
    if body.is_empty() && media.is_empty() {
        return Err(Refusal::bad(21_602, "Message body is required"));
    }
    if body.chars().count() > BODY_MAX_CHARS {
        let message = "The concatenated message body exceeds the 1600 character limit";
        return Err(Refusal::bad(21_617, message));
    }
    let media = u32::try_from(media.len()).unwrap_or(u32::MAX);
    Ok((body.to_owned(), media))
}

/// Its own status callback, else its Application's, else the Messaging Service's.
fn callback(
    world: &World,
    ask: &Ask,
    account: usize,
    service: Option<Sid>,
) -> Result<Option<String>, Refusal> {
    match ask.form("StatusCallback") {
        Some(url) if Hook::is_valid_url(url) => Ok(Some(url.to_owned())),
        Some(_) => Err(Refusal::bad(21_609, "Invalid StatusCallback url")),
        None if ask.form("ApplicationSid").is_some() => application_callback(world, ask, account),
        None => Ok(service
            .and_then(|service| world.service_status_callback(account, service.as_str()))
            .map(str::to_owned)),
    }
}

fn application_callback(
    world: &World,
    ask: &Ask,
    account: usize,
) -> Result<Option<String>, Refusal> {
    let index = ask
        .form("ApplicationSid")
        .and_then(|sid| world.application_of(account, sid))
        .ok_or_else(|| Refusal::bad(21_420, "ApplicationSid is not accessible"))?;
    let settings = &world.numbering.applications[index].settings;
    let urls = [
        &settings.message_status_callback,
        &settings.sms_status_callback,
    ];
    let callback = urls.into_iter().find(|url| Hook::is_valid_url(url));
    Ok(callback.cloned())
}

/// When a message is to be sent that is scheduled.
fn send_at(ask: &Ask, service: Option<Sid>) -> Result<Option<Timestamp>, Refusal> {
    match ask.form("ScheduleType") {
        None => return Ok(None),
        Some("fixed") => {}
        Some(_) => return Err(Refusal::bad(20_001, "Invalid ScheduleType")),
    }
    let Some(text) = ask.form("SendAt") else {
        let message = "SendAt cannot be empty for ScheduleType 'fixed'";
        return Err(Refusal::bad(35_111, message));
    };
    if service.is_none() {
        let message = "MessagingServiceSid is required to schedule a message";
        return Err(Refusal::bad(35_118, message));
    }
    let send_at = text.parse::<Timestamp>().ok().filter(|at| {
        let ahead = at.duration_since(ask.now);
        (SCHEDULED_LEAST..=SCHEDULED_MOST).contains(&ahead)
    });
    let message =
        "SendAt time must be between 300 seconds and 35 days (3024000 seconds) in the future";
    send_at
        .map(Some)
        .ok_or_else(|| Refusal::bad(35_114, message))
}

fn validity(ask: &Ask) -> Result<Option<u64>, Refusal> {
    match ask.form("ValidityPeriod").map(str::parse) {
        None => Ok(None),
        Some(Ok(seconds @ 1..=VALIDITY_MAX_S)) => Ok(Some(seconds)),
        Some(_) => Err(Refusal::bad(21_624, "Invalid validity period value")),
    }
}
