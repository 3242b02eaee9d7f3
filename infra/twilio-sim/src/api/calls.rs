//! Calls: listed, fetched, redirected, ended and deleted. How they are made is in `call_form`.
//!
//! Lists are eventually consistent, as the Calls documentation says: a new call comes late, and one that
//! has ended stays in progress for a while. A call fetched by its SID is always as it is.

use jiff::Timestamp;

use crate::amount;
use crate::json::Obj;
use crate::sid::Sid;
use crate::world::World;
use crate::world::calls::{Call, CallStatus, Direction};
use crate::world::{after, before};

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::call_form;
use super::filters::{Window, write_date};
use super::hooks;
use super::paging;
use super::route::{Operation, Target, delete, get, post};

const SUBRESOURCES: [(&str, &str); 9] = [
    ("notifications", "Notifications"),
    ("recordings", "Recordings"),
    ("payments", "Payments"),
    ("events", "Events"),
    ("siprec", "Siprec"),
    ("streams", "Streams"),
    ("transcriptions", "Transcriptions"),
    (
        "user_defined_message_subscriptions",
        "UserDefinedMessageSubscriptions",
    ),
    ("user_defined_messages", "UserDefinedMessages"),
];

pub(super) const OPERATIONS: &[Operation] = &[
    get(CALLS, "/twilio/voice/calls/list", list),
    post(CALLS, "/twilio/voice/calls/create", create),
    get(CALL, "/twilio/voice/calls/read", fetch),
    post(CALL, "/twilio/voice/calls/update", update),
    delete(CALL, "/twilio/voice/calls/delete", remove),
];

const CALLS: &str = "/Accounts/{AccountSid}/Calls";
const CALL: &str = "/Accounts/{AccountSid}/Calls/{Sid}";

fn list(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let world = &*world;
    let (started, ended) = (
        Window::read(ask, "StartTime", false)?,
        Window::read(ask, "EndTime", false)?,
    );
    let status = match ask.query("Status") {
        None => None,
        Some(text) => {
            Some(CallStatus::parse(text).ok_or_else(|| Refusal::bad(20_001, "Invalid Status"))?)
        }
    };
    let shown_at = before(ask.now, world.quirks.call_status_lag_ms);
    let equals = |name: &str, value: &str| ask.query(name).is_none_or(|wanted| wanted == value);
    let fits = |index: &usize| {
        let call = &world.calls[*index];
        let parent = call.parent.map(|parent| world.calls[parent].sid);
        !call.deleted
            && status.is_none_or(|status| call.status_at(shown_at) == status)
            && equals("To", &call.to)
            && equals("From", &call.from)
            && equals("ParentCallSid", parent.as_ref().map_or("", Sid::as_str))
            && after(call.created_at, world.quirks.call_list_lag_ms) <= ask.now
            && started.admits(call.started_at.filter(|at| *at <= shown_at))
            && ended.admits(shown_end(world, call, shown_at))
    };
    let items: Vec<usize> = world.accounts[target.account]
        .calls
        .iter()
        .rev()
        .copied()
        .filter(fits)
        .collect();
    paging::by_sid(
        world,
        ask,
        "calls",
        &items,
        |call| world.calls[call].sid,
        |out, call| write(world, ask, out, call, shown_at),
    )
}

fn create(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    if !world.may_start(target.account) {
        return Err(Refusal::not_active());
    }
    let draft = call_form::read(world, ask, target.account)?;
    let call = world.create_call(ask.now, target.account, draft);
    Ok(Answer::object(201, |out| {
        write(world, ask, out, call, ask.now);
    }))
}

fn fetch(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let call = find(world, ask, target)?;
    Ok(Answer::object(200, |out| {
        write(world, ask, out, call, ask.now);
    }))
}

/// Ends a live call, gives it other instructions, or changes what it was made with.
fn update(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let index = find(world, ask, target)?;
    let status = world.calls[index].status;
    let ending = match ask.form("Status") {
        None => None,
        Some("completed") => Some(CallStatus::Completed),
        Some("canceled") => Some(CallStatus::Canceled),
        Some(_) => return Err(Refusal::bad(20_001, "Invalid Status")),
    };
    let limit = call_form::seconds(ask, "TimeLimit", 20_001)?;
    let hook = hooks::read(ask, "StatusCallback", 21_502, "Invalid callback url")?;
    hooks::read_method(ask, "Method")?;
    let redirects = call_form::has_instructions(ask)?;
    if ending.is_none() && limit.is_none() && hook.is_none() && !redirects {
        return Err(Refusal::bad(20_001, "Invalid Status"));
    }
    if !status.is_live() {
        return Err(Refusal::bad(21_220, "Invalid call state"));
    }
    if redirects && !world.may_start(target.account) {
        return Err(Refusal::not_active());
    }
    if hook.is_some() {
        world.calls[index].hook = hook;
    }
    if let Some(limit) = limit {
        world.limit_call(ask.now, index, limit);
    }
    match ending {
        // A call in progress cannot be canceled: Twilio leaves it as it is.
        Some(CallStatus::Canceled) if status == CallStatus::InProgress => {}
        Some(ending) => world.end_call(ask.now, index, ending),
        None if redirects => {
            let script = call_form::instructions(ask);
            world.redirect_call(ask.now, index, script);
        }
        None => {}
    }
    fetch(world, ask, target)
}

fn remove(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let index = find(world, ask, target)?;
    let call = &mut world.calls[index];
    if call.status.is_live() {
        return Err(Refusal::not_complete());
    }
    call.deleted = true;
    Ok(Answer::no_content())
}

fn find(world: &World, ask: &Ask, target: &Target<'_>) -> Result<usize, Refusal> {
    find_call(world, ask, target, target.id(0))
}

/// The call of this SID, if it is the account's and still there.
pub(super) fn find_call(
    world: &World,
    ask: &Ask,
    target: &Target<'_>,
    sid: &str,
) -> Result<usize, Refusal> {
    world
        .find("CA", sid)
        .filter(|call| world.calls[*call].account == target.account && !world.calls[*call].deleted)
        .ok_or_else(|| Refusal::not_found(ask))
}

/// When a call ended, as somebody sees it who sees what was then.
fn shown_end(world: &World, call: &Call, shown_at: Timestamp) -> Option<Timestamp> {
    let is_told = call.status == CallStatus::Completed || !world.quirks.unanswered_without_end;
    call.ended_at.filter(|at| is_told && *at <= shown_at)
}

fn write(world: &World, ask: &Ask, out: &mut Vec<u8>, index: usize, shown_at: Timestamp) {
    let call = &world.calls[index];
    let account = world.accounts[call.account].sid;
    let base = format!("/2010-04-01/Accounts/{account}/Calls/{}", call.sid);
    let own = if call.direction == Direction::Inbound {
        &call.to
    } else {
        &call.from
    };
    let number = world.held.get(own).map(|number| world.numbers[*number].sid);
    let parent = call.parent.map(|parent| world.calls[parent].sid);
    let ended = shown_end(world, call, shown_at);
    let duration = call.duration().filter(|_| ended.is_some());
    let duration = duration.map(|seconds| seconds.to_string());
    let mut object = Obj::open(out);
    object
        .str("account_sid", account.as_str())
        .opt("answered_by", call.answered_by())
        .str("api_version", "2010-04-01")
        .null("caller_name");
    write_date(&mut object, "date_created", Some(call.created_at));
    write_date(&mut object, "date_updated", Some(call.updated_at));
    object
        .str("direction", call.direction.as_str())
        .opt("duration", duration.as_deref());
    write_date(&mut object, "end_time", ended);
    object
        .opt("forwarded_from", call.forwarded_from.as_deref())
        .str("from", &call.from)
        .str("from_formatted", &formatted(&call.from))
        .null("group_sid")
        .opt("parent_call_sid", parent.as_ref().map(Sid::as_str))
        .opt("phone_number_sid", number.as_ref().map(Sid::as_str));
    let price = call.price.filter(|_| ended.is_some());
    write_price(world, ask, &mut object, price.map(|price| -price));
    object.str("sid", call.sid.as_str());
    let started = call.started_at.filter(|at| *at <= shown_at);
    write_date(&mut object, "start_time", started);
    object.str("status", call.status_at(shown_at).as_str());
    let mut uris = Obj::open(object.name("subresource_uris"));
    for (name, path) in SUBRESOURCES {
        uris.str(name, &format!("{base}/{path}.json"));
    }
    uris.close();
    object
        .str("to", &call.to)
        .str("to_formatted", &formatted(&call.to))
        .null("trunk_sid")
        .str("uri", &format!("{base}.json"))
        .str("queue_time", "0");
    object.close();
}

/// A number as people write it: `(415) 555-0100` in North America.
fn formatted(number: &str) -> String {
    match number.strip_prefix("+1") {
        Some(digits)
            if digits.len() == 10 && digits.bytes().all(|digit| digit.is_ascii_digit()) =>
        {
            let (area, exchange, line) = (&digits[..3], &digits[3..6], &digits[6..]);
            format!("({area}) {exchange}-{line}")
        }
        _ => number.to_owned(),
    }
}

/// Writes `price` and `price_unit` of a call, message or recording: five decimals, null until settled.
pub(super) fn write_price(world: &World, ask: &Ask, object: &mut Obj<'_>, price: Option<i64>) {
    match price.filter(|_| !ask.price_null) {
        Some(price) => {
            let out = object.name("price");
            out.push(b'"');
            amount::write_fixed(out, price, 5);
            out.push(b'"');
        }
        None => {
            object.null("price");
        }
    }
    object.str(
        "price_unit",
        &ask.price_unit
            .clone()
            .unwrap_or_else(|| world.currency.clone())
            .to_uppercase(),
    );
}
