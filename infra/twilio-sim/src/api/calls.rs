//! Calls: made, listed, fetched and ended.

use crate::amount;
use crate::json::Obj;
use crate::world::World;
use crate::world::after;
use crate::world::calls::{CallDraft, CallStatus, Wanted};
use crate::world::tariff::is_e164;

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::filters::{Window, write_date};
use super::paging;
use super::route::{Operation, Target, get, post};

/// How long calls last that nobody gave a length, in seconds.
const SECONDS: [u64; 2] = [10, 180];

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
];

const CALLS: &str = "/Accounts/{AccountSid}/Calls";
const CALL: &str = "/Accounts/{AccountSid}/Calls/{Sid}";

fn list(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let world = &*world;
    let account = target.account;
    let (started, ended) = (
        Window::read(ask, "StartTime", false)?,
        Window::read(ask, "EndTime", false)?,
    );
    let equals = |name: &str, value: &str| ask.query(name).is_none_or(|wanted| wanted == value);
    let fits = |index: &usize| {
        let call = &world.calls[*index];
        equals("Status", call.status.as_str())
            && equals("To", &call.to)
            && equals("From", &call.from)
            && equals(
                "ParentCallSid",
                call.parent.as_ref().map_or("", |parent| parent.as_str()),
            )
            && after(call.created_at, world.quirks.call_list_lag_ms) <= ask.now
            && started.admits(call.started_at)
            && ended.admits(call.ended_at)
    };
    let items: Vec<usize> = world.accounts[account]
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
        |out, call| write(world, ask, out, call),
    )
}

fn create(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let account = target.account;
    if !world.may_start(account) {
        return Err(Refusal::not_active());
    }
    let to = ask
        .form("To")
        .ok_or_else(|| Refusal::bad(21_201, "No 'To' number specified"))?;
    if !is_e164(to) {
        return Err(Refusal::bad(21_211, "Invalid 'To' Phone Number"));
    }
    let from = ask
        .form("From")
        .filter(|from| is_e164(from))
        .ok_or_else(|| Refusal::bad(21_212, "Invalid 'From' Phone Number"))?;
    let callback = ask.form("StatusCallback").map(str::to_owned);
    if callback
        .as_ref()
        .is_some_and(|url| url::Url::parse(url).is_err())
    {
        return Err(Refusal::bad(21_502, "Invalid callback url"));
    }
    let asked = |event: &str| {
        ask.form_all("StatusCallbackEvent")
            .any(|value| value.split([' ', ',']).any(|one| one == event))
    };
    let mut rng = world.draw(account);
    let draft = CallDraft {
        to: to.to_owned(),
        from: from.to_owned(),
        inbound: false,
        outcome: CallStatus::Completed,
        seconds: rng.within(SECONDS),
        recorded: ask.form("Record") == Some("true"),
        parent: None,
        callback,
        wanted: Wanted {
            initiated: asked("initiated"),
            ringing: asked("ringing"),
            answered: asked("answered"),
        },
    };
    let call = world.create_call(ask.now, account, draft);
    Ok(Answer::object(201, |out| write(world, ask, out, call)))
}

fn fetch(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let call = find(world, ask, target)?;
    Ok(Answer::object(200, |out| write(world, ask, out, call)))
}

/// Ends a call; what else Twilio lets one change while it runs is not simulated.
fn update(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let index = find(world, ask, target)?;
    let status = world.calls[index].status;
    let wanted = match ask.form("Status") {
        Some("completed") => CallStatus::Completed,
        Some("canceled") if status != CallStatus::InProgress => CallStatus::Canceled,
        // A call in progress cannot be canceled: Twilio leaves it as it is.
        Some("canceled") => return fetch(world, ask, target),
        _ => return Err(Refusal::bad(20_001, "Invalid Status")),
    };
    if !status.is_live() {
        return Err(Refusal::bad(21_220, "Invalid call state"));
    }
    world.end_call(ask.now, index, wanted);
    fetch(world, ask, target)
}

fn find(world: &World, ask: &Ask, target: &Target<'_>) -> Result<usize, Refusal> {
    let account = target.account;
    world
        .find("CA", target.id(0))
        .filter(|call| world.calls[*call].account == account)
        .ok_or_else(|| Refusal::not_found(ask))
}

fn write(world: &World, ask: &Ask, out: &mut Vec<u8>, index: usize) {
    let call = &world.calls[index];
    let account = world.accounts[call.account].sid;
    let base = format!("/2010-04-01/Accounts/{account}/Calls/{}", call.sid);
    let own = if call.inbound { &call.to } else { &call.from };
    let number = world.held.get(own).map(|number| world.numbers[*number].sid);
    let duration = call.duration().map(|seconds| seconds.to_string());
    let mut object = Obj::open(out);
    object
        .str("account_sid", account.as_str())
        .null("answered_by")
        .str("api_version", "2010-04-01")
        .null("caller_name");
    write_date(&mut object, "date_created", Some(call.created_at));
    write_date(&mut object, "date_updated", Some(call.updated_at));
    object
        .str(
            "direction",
            if call.inbound {
                "inbound"
            } else {
                "outbound-api"
            },
        )
        .opt("duration", duration.as_deref());
    write_date(&mut object, "end_time", call.ended_at);
    object
        .null("forwarded_from")
        .str("from", &call.from)
        .str("from_formatted", &call.from)
        .null("group_sid")
        .opt(
            "parent_call_sid",
            call.parent.as_ref().map(crate::sid::Sid::as_str),
        )
        .opt(
            "phone_number_sid",
            number.as_ref().map(crate::sid::Sid::as_str),
        );
    write_price(world, ask, &mut object, call.price);
    object.str("sid", call.sid.as_str());
    write_date(&mut object, "start_time", call.started_at);
    object.str("status", call.status.as_str());
    let mut uris = Obj::open(object.name("subresource_uris"));
    for (name, path) in SUBRESOURCES {
        uris.str(name, &format!("{base}/{path}.json"));
    }
    uris.close();
    object
        .str("to", &call.to)
        .str("to_formatted", &call.to)
        .null("trunk_sid")
        .str("uri", &format!("{base}.json"))
        .str("queue_time", "0");
    object.close();
}

/// Writes `price` and `price_unit` of a call or message: negative, five decimals, null until settled.
pub(super) fn write_price(world: &World, ask: &Ask, object: &mut Obj<'_>, price: Option<i64>) {
    match price.filter(|_| !ask.price_null) {
        Some(price) => {
            let out = object.name("price");
            out.push(b'"');
            amount::write_fixed(out, -price, 5);
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
