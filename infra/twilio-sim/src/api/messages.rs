//! Messages: sent, listed and fetched.

use crate::json::Obj;
use crate::world::World;
use crate::world::messages::{MessageDraft, MessageStatus};
use crate::world::notices::error_message;
use crate::world::tariff::is_e164;

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::calls::write_price;
use super::filters::{Window, write_date};
use super::paging;
use super::route::{Operation, Target, get, post};

pub(super) const OPERATIONS: &[Operation] = &[
    get(MESSAGES, "/twilio/messaging/messages/list", list),
    post(MESSAGES, "/twilio/messaging/messages/create", create),
    get(MESSAGE, "/twilio/messaging/messages/read", fetch),
];

const MESSAGES: &str = "/Accounts/{AccountSid}/Messages";
const MESSAGE: &str = "/Accounts/{AccountSid}/Messages/{Sid}";

fn list(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let world = &*world;
    let account = target.account;
    let sent = Window::read(ask, "DateSent", true)?;
    let equals = |name: &str, value: &str| ask.query(name).is_none_or(|wanted| wanted == value);
    let fits = |index: &usize| {
        let message = &world.messages[*index];
        equals("To", &message.to) && equals("From", &message.from) && sent.admits(message.sent_at)
    };
    let items: Vec<usize> = world.accounts[account]
        .messages
        .iter()
        .rev()
        .copied()
        .filter(fits)
        .collect();
    let sid = |message: usize| world.messages[message].sid;
    paging::by_sid(world, ask, "messages", &items, sid, |out, message| {
        write(world, ask, out, message);
    })
}

fn create(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let account = target.account;
    if !world.may_start(account) {
        return Err(Refusal::not_active());
    }
    let to = ask
        .form("To")
        .ok_or_else(|| Refusal::bad(21_604, "'To' phone number is required to send a Message"))?;
    if !is_e164(to) {
        return Err(Refusal::bad(21_211, "Invalid 'To' Phone Number"));
    }
    let holds = |number: &&str| {
        world.quirks.any_sender
            || world
                .held
                .get(*number)
                .is_some_and(|held| world.numbers[*held].account == account)
    };
    let from = ask.form("From").filter(holds).ok_or_else(|| {
        Refusal::bad(
            21_606,
            "The 'From' phone number provided is not a valid, message-capable Twilio phone number.",
        )
    })?;
    let media = ask.form_all("MediaUrl").count();
    let body = ask.form("Body").unwrap_or_default();
    if body.is_empty() && media == 0 {
        return Err(Refusal::bad(21_602, "Message body is required"));
    }
    let callback = ask.form("StatusCallback").map(str::to_owned);
    if callback
        .as_ref()
        .is_some_and(|url| url::Url::parse(url).is_err())
    {
        return Err(Refusal::bad(21_609, "Invalid StatusCallback url"));
    }
    let draft = MessageDraft {
        to: to.to_owned(),
        from: from.to_owned(),
        inbound: false,
        body: body.to_owned(),
        num_media: u32::try_from(media).unwrap_or(u32::MAX),
        callback,
        outcome: MessageStatus::Delivered,
    };
    let message = world.create_message(ask.now, account, draft);
    Ok(Answer::object(201, |out| write(world, ask, out, message)))
}

fn fetch(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let message = world
        .find("SM", target.id(0))
        .or_else(|| world.find("MM", target.id(0)))
        .filter(|message| world.messages[*message].account == target.account)
        .ok_or_else(|| Refusal::not_found(ask))?;
    Ok(Answer::object(200, |out| write(world, ask, out, message)))
}

fn write(world: &World, ask: &Ask, out: &mut Vec<u8>, index: usize) {
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
        .str("from", &message.from)
        .null("messaging_service_sid")
        .str("num_media", &message.num_media.to_string())
        .str("num_segments", &message.segments.to_string());
    write_price(world, ask, &mut object, message.price);
    object
        .str("sid", message.sid.as_str())
        .str("status", message.status.as_str());
    let mut uris = Obj::open(object.name("subresource_uris"));
    uris.str("media", &format!("{base}/Media.json"));
    uris.close();
    object
        .str("to", &message.to)
        .str("uri", &format!("{base}.json"));
    object.close();
}
