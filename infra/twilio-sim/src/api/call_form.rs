//! What a call is to be, read from a request's form and held to Twilio's rules.

use crate::callbacks::Hook;
use crate::rng::Rng;
use crate::world::World;
use crate::world::calls::{CallDraft, Direction, Wanted};
use crate::world::recordings::{RecordPlan, Told};
use crate::world::tariff::{self, is_e164, is_endpoint};
use crate::world::twiml::Script;
use crate::world::webhooks::{Webhook, Webhooks};

use super::answer::Refusal;
use super::ask::Ask;
use super::hooks;

/// Bounds of the documented parameters.
const TWIML_MAX_CHARS: usize = 4_000;
const SEND_DIGITS_MAX: usize = 32;
const TIMEOUT_MAX_S: u64 = 600;
/// Of calls with answering machine detection, those that a person answers.
const HUMAN_PER_MILLE: u64 = 700;

/// Reads a call to be made.
pub(super) fn read(world: &mut World, ask: &Ask, account: usize) -> Result<CallDraft, Refusal> {
    let (from, to) = ends(world, ask, account)?;
    let application = application(world, ask, account)?;
    if !has_instructions(ask)? && application.is_none() {
        return Err(Refusal::bad(21_205, "Url parameter is required."));
    }
    for name in ["Method", "FallbackMethod"] {
        hooks::read_method(ask, name)?;
    }
    let (hook, wanted) = status_callback(ask, application)?;
    check_send_digits(ask)?;
    let timeout_s = seconds(ask, "Timeout", 21_208)?;
    if timeout_s.is_some_and(|seconds| seconds > TIMEOUT_MAX_S) {
        return Err(Refusal::bad(21_208, "Invalid Timeout"));
    }
    let time_limit_s = seconds(ask, "TimeLimit", 20_001)?;
    let plan = record_plan(ask, "OutboundAPI")?;
    let detects = detection(ask)?;
    let mut rng = world.draw(account);
    let lasts_s = rng.within(world.pace.call_seconds);
    Ok(CallDraft {
        timeout_s,
        time_limit_s,
        script: instructions(ask),
        record: Some(plan).filter(|_| ask.form("Record") == Some("true")),
        answers_as: detects.map(|detects| detects.answer(&mut rng)),
        hook,
        wanted,
        ..CallDraft::new(from, to, Direction::OutboundApi, lasts_s)
    })
}

/// `(from, to)`.
fn ends(world: &World, ask: &Ask, account: usize) -> Result<(String, String), Refusal> {
    let to = ask
        .form("To")
        .ok_or_else(|| Refusal::bad(21_201, "No 'To' number specified"))?;
    if !is_endpoint(to) {
        return Err(Refusal::bad(21_211, "Invalid 'To' Phone Number"));
    }
    let from = ask
        .form("From")
        .ok_or_else(|| Refusal::bad(21_213, "Caller phone number is required"))?;
    // Only a number calls a number.
    if !is_endpoint(from) || (is_e164(to) && !is_e164(from)) {
        return Err(Refusal::bad(21_212, "Invalid 'From' Phone Number"));
    }
    if is_e164(from) && !world.may_send_from(account, from) {
        return Err(Refusal::bad(21_210, "'From' phone number not verified"));
    }
    if is_e164(to) && world.is_region_denied(to) {
        return Err(Refusal::bad(
            21_215,
            "Account not authorized to call phone number",
        ));
    }
    Ok((from.to_owned(), to.to_owned()))
}

/// Whether the form has a URL or TwiML, in a form that Twilio takes.
pub(super) fn has_instructions(ask: &Ask) -> Result<bool, Refusal> {
    let (url, twiml) = (ask.form("Url"), ask.form("Twiml"));
    if url.is_some_and(|url| !Hook::is_valid_url(url)) {
        return Err(Refusal::bad(21_205, "Invalid URL"));
    }
    if twiml.is_some_and(|twiml| twiml.chars().count() > TWIML_MAX_CHARS) {
        return Err(Refusal::bad(20_001, "Invalid Twiml"));
    }
    Ok(url.is_some() || twiml.is_some())
}

fn application<'w>(
    world: &'w World,
    ask: &Ask,
    account: usize,
) -> Result<Option<&'w Webhooks>, Refusal> {
    let Some(sid) = ask.form("ApplicationSid") else {
        return Ok(None);
    };
    let index = world
        .application_of(account, sid)
        .ok_or_else(|| Refusal::bad(21_218, "Invalid ApplicationSid"))?;
    Ok(Some(&world.numbering.applications[index].settings.webhooks))
}

/// What the call does once it is answered. A URL wins over TwiML; what it would answer, nobody asks: talk.
pub(super) fn instructions(ask: &Ask) -> Script {
    match (ask.form("Url"), ask.form("Twiml")) {
        (None, Some(twiml)) => Script::read(twiml),
        _ => Script::default(),
    }
}

/// A call by an Application has that one's callback, and the form's does not count.
fn status_callback(
    ask: &Ask,
    application: Option<&Webhooks>,
) -> Result<(Option<Hook>, Wanted), Refusal> {
    let hook = hooks::read(ask, "StatusCallback", 21_502, "Invalid callback url")?;
    let name = "StatusCallbackEvent";
    let events = hooks::read_events(ask, name, &Wanted::EVENTS, 21_626)?;
    let hook = match application {
        None => hook,
        Some(urls) => Webhook::of(&urls.status_callback, urls.status_callback_method)
            .filter(|webhook| Hook::is_valid_url(&webhook.url))
            .map(Hook::from),
    };
    Ok((hook, Wanted::of(events.into_iter())))
}

/// How a call is recorded, by the parameters that begin with `Recording`.
pub(super) fn record_plan(ask: &Ask, source: &'static str) -> Result<RecordPlan, Refusal> {
    let (name, code) = ("RecordingStatusCallback", 21_502);
    let hook = hooks::read(ask, name, code, "Invalid callback url")?;
    let name = "RecordingStatusCallbackEvent";
    let events = hooks::read_events(ask, name, &Told::EVENTS, 13_621)?;
    let dual = match ask.form("RecordingChannels") {
        None | Some("mono") => false,
        Some("dual") => true,
        Some(_) => return Err(Refusal::bad(20_001, "Invalid RecordingChannels")),
    };
    let track = match ask.form("RecordingTrack") {
        None | Some("both") => "both",
        Some("inbound") => "inbound",
        Some("outbound") => "outbound",
        Some(_) => return Err(Refusal::bad(13_622, "Invalid recordingTrack value")),
    };
    Ok(RecordPlan {
        source,
        dual,
        track,
        hook,
        told: Told::of(events.into_iter()),
        is_fetched: false,
    })
}

/// Reads a whole number of seconds, at least one.
pub(super) fn seconds(ask: &Ask, name: &str, code: u32) -> Result<Option<u64>, Refusal> {
    let Some(text) = ask.form(name) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(seconds @ 1..) => Ok(Some(seconds)),
        _ => Err(Refusal::bad(code, &format!("Invalid {name}"))),
    }
}

fn check_send_digits(ask: &Ask) -> Result<(), Refusal> {
    let digits = ask.form("SendDigits").unwrap_or_default();
    let is_digit = |digit: u8| b"0123456789ABCD#*wW".contains(&digit);
    if digits.len() > SEND_DIGITS_MAX || !digits.bytes().all(is_digit) {
        return Err(Refusal::bad(21_206, "Invalid SendDigits"));
    }
    Ok(())
}

/// Which answer answering machine detection waits for.
enum Detection {
    Start,
    MessageEnd,
}

impl Detection {
    /// What it finds.
    fn answer(self, rng: &mut Rng) -> &'static str {
        match self {
            _ if rng.strikes(HUMAN_PER_MILLE) => "human",
            Self::Start => "machine_start",
            Self::MessageEnd => "machine_end_beep",
        }
    }
}

/// Digits that are sent at once leave nothing to detect.
fn detection(ask: &Ask) -> Result<Option<Detection>, Refusal> {
    let detection = match ask.form("MachineDetection") {
        None => None,
        Some("Enable") => Some(Detection::Start),
        Some("DetectMessageEnd") => Some(Detection::MessageEnd),
        Some(_) => {
            let message = "Invalid Machine Detection configuration value";
            return Err(Refusal::bad(21_234, message));
        }
    };
    Ok(detection.filter(|_| ask.form("SendDigits").is_none()))
}

impl World {
    /// Whether an account may send messages, or call, from this number.
    pub(super) fn may_send_from(&self, account: usize, number: &str) -> bool {
        let holds = |held: &usize| self.numbers[*held].account == account;
        self.quirks.any_sender || self.held.get(number).is_some_and(holds)
    }

    /// Whether the account's geographic permissions leave this number's country out.
    pub(super) fn is_region_denied(&self, number: &str) -> bool {
        let iso = tariff::country_of(number).iso;
        let denied = &self.quirks.regions_denied;
        denied.iter().any(|region| region.eq_ignore_ascii_case(iso))
    }
}
