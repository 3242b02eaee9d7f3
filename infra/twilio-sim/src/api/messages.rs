//! Messages: listed, fetched, redacted, canceled and deleted. How they are sent is in `message_form`.

use crate::json::Obj;
use crate::sid::Sid;
use crate::world::World;
use crate::world::after;
use crate::world::notices::error_message;

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::calls::write_price;
use super::filters::{Window, write_date};
use super::message_form;
use super::paging;
use super::route::{Operation, Target, delete, get, post};

pub(super) const OPERATIONS: &[Operation] = &[
    get(MESSAGES, "/twilio/messaging/messages/list", list),
    post(MESSAGES, "/twilio/messaging/messages/create", create),
    get(MESSAGE, "/twilio/messaging/messages/read", fetch),
    post(MESSAGE, "/twilio/messaging/messages/update", update),
    delete(MESSAGE, "/twilio/messaging/messages/delete", remove),
];

const MESSAGES: &str = "/Accounts/{AccountSid}/Messages";
const MESSAGE: &str = "/Accounts/{AccountSid}/Messages/{Sid}";

fn list(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let world = &*world;
    let sent = Window::read(ask, "DateSent", true)?;
    let equals = |name: &str, value: &str| ask.query(name).is_none_or(|wanted| wanted == value);
    let fits = |index: &usize| {
        let message = &world.messages[*index];
        !message.deleted
            && equals("To", &message.to)
            && equals("From", message.sender().unwrap_or_default())
            && after(message.created_at, world.quirks.message_list_lag_ms) <= ask.now
            && sent.admits(message.sent_at)
    };
    let items: Vec<usize> = world.accounts[target.account]
        .messages
        .iter()
        .rev()
        .copied()
        .filter(fits)
        .collect();
    let sid = |message: usize| world.messages[message].sid;
    paging::by_sid(world, ask, "messages", &items, sid, |out, message| {
        write(world, ask, out, message, Shown::Later);
    })
}

fn create(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    if !world.may_start(target.account) {
        return Err(Refusal::not_active());
    }
    let draft = message_form::read(world, ask, target.account)?;
    let message = world.create_message(ask.now, target.account, draft);
    Ok(Answer::object(201, |out| {
        write(world, ask, out, message, Shown::AsCreated);
    }))
}

fn fetch(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let message = find(world, ask, target)?;
    Ok(Answer::object(200, |out| {
        write(world, ask, out, message, Shown::Later);
    }))
}

/// Empties a message's text once it is through, or cancels it before it is sent.
fn update(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let index = find(world, ask, target)?;
    let status = world.messages[index].status;
    match (ask.form("Status"), ask.form_set("Body")) {
        (Some("canceled"), _) if status.is_cancelable() => world.cancel_message(ask.now, index),
        (Some("canceled"), _) => {
            return Err(Refusal::bad(30_409, "This message cannot be canceled"));
        }
        (Some(_), _) => return Err(Refusal::bad(20_001, "Invalid Status")),
        (None, Some("")) if status.is_final() => world.redact_message(ask.now, index),
        (None, Some("")) => return Err(Refusal::not_complete()),
        (None, _) => return Err(Refusal::bad(20_001, "Invalid Body")),
    }
    fetch(world, ask, target)
}

fn remove(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let index = find(world, ask, target)?;
    let message = &mut world.messages[index];
    if !message.status.is_final() {
        return Err(Refusal::not_complete());
    }
    message.deleted = true;
    message.body.clear();
    Ok(Answer::no_content())
}

fn find(world: &World, ask: &Ask, target: &Target<'_>) -> Result<usize, Refusal> {
    world
        .find("SM", target.id(0))
        .or_else(|| world.find("MM", target.id(0)))
        .filter(|message| {
            let message = &world.messages[*message];
            message.account == target.account && !message.deleted
        })
        .ok_or_else(|| Refusal::not_found(ask))
}

/// Whether it is shown to who has just made it: then no price is in no unit, as in Twilio's examples.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    AsCreated,
    Later,
}

fn write(world: &World, ask: &Ask, out: &mut Vec<u8>, index: usize, shown: Shown) {
    let message = &world.messages[index];
    let account = world.accounts[message.account].sid;
    let base = format!("/2010-04-01/Accounts/{account}/Messages/{}", message.sid);
    let mut object = Obj::open(out);
    object
        .str("account_sid", account.as_str())
        .str("api_version", "2010-04-01")
        .str("body", &message.body);
    write_date(&mut object, "date_created", Some(message.created_at));
    write_date(&mut object, "date_sent", message.sent_at);
    write_date(&mut object, "date_updated", Some(message.updated_at));
    object.str(
        "direction",
        if message.inbound {
            "inbound"
        } else {
            "outbound-api"
        },
    );
    match message.error {
        Some(code) => object
            .int("error_code", i64::from(code))
            .str("error_message", error_message(code)),
        None => object.null("error_code").null("error_message"),
    };
    object
        .opt("from", message.sender())
        .opt(
            "messaging_service_sid",
            message.service.as_ref().map(Sid::as_str),
        )
        .str("num_media", &message.num_media.to_string())
        .str("num_segments", &message.segments.to_string());
    match shown {
        Shown::AsCreated => {
            object.null("price").null("price_unit");
        }
        Shown::Later => {
            let price = message.price.map(|price| -price);
            write_price(world, ask, &mut object, price);
        }
    }
    object
        .str("sid", message.sid.as_str())
        .str("status", message.status.as_str());
    let mut uris = Obj::open(object.name("subresource_uris"));
    uris.str("media", &format!("{base}/Media.json"));
    if shown == Shown::Later {
        uris.str("feedback", &format!("{base}/Feedback.json"));
    }
    uris.close();
    object
        .str("to", &message.to)
        .str("uri", &format!("{base}.json"));
    object.close();
}
