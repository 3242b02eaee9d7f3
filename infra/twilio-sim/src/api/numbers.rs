//! Phone numbers that an account holds: list, buy, configure, release.

use crate::json::Obj;
use crate::world::World;
use crate::world::tariff::{NumberType, is_e164, type_of};

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::filters::write_date;
use super::paging;
use super::route::{Operation, Target, delete, get, post};

pub(super) const OPERATIONS: &[Operation] = &[
    get(
        NUMBERS,
        "/twilio/phone-numbers/incoming-phone-numbers/list",
        list,
    ),
    post(
        NUMBERS,
        "/twilio/phone-numbers/incoming-phone-numbers/create",
        buy,
    ),
    get(
        NUMBER,
        "/twilio/phone-numbers/incoming-phone-numbers/read",
        fetch,
    ),
    post(
        NUMBER,
        "/twilio/phone-numbers/incoming-phone-numbers/update",
        update,
    ),
    delete(
        NUMBER,
        "/twilio/phone-numbers/incoming-phone-numbers/delete",
        release,
    ),
];

const NUMBERS: &str = "/Accounts/{AccountSid}/IncomingPhoneNumbers";
const NUMBER: &str = "/Accounts/{AccountSid}/IncomingPhoneNumbers/{Sid}";

fn list(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let world = &*world;
    let account = target.account;
    let equals = |name: &str, value: &str| ask.query(name).is_none_or(|wanted| wanted == value);
    let fits = |index: &usize| {
        let number = &world.numbers[*index];
        equals("PhoneNumber", &number.e164) && equals("FriendlyName", &number.friendly_name)
    };
    let items: Vec<usize> = world.accounts[account]
        .numbers
        .iter()
        .rev()
        .copied()
        .filter(fits)
        .collect();
    let sid = |number: usize| world.numbers[number].sid;
    paging::by_sid(
        world,
        ask,
        "incoming_phone_numbers",
        &items,
        sid,
        |out, number| write(world, out, number),
    )
}

fn buy(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let account = target.account;
    if !world.may_start(account) {
        return Err(Refusal::not_active());
    }
    let wanted = match (ask.form("PhoneNumber"), ask.form("AreaCode")) {
        (Some(number), _) if is_e164(number) => Some(number.to_owned()),
        (None, Some(code)) if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()) => {
            let mut rng = world.draw(account);
            Some(format!("+1{code}555{:04}", rng.below(10_000)))
        }
        (None, Some(_)) => return Err(Refusal::bad(21_451, "Invalid area code")),
        _ => return Err(Refusal::bad(21_421, "PhoneNumber is invalid")),
    };
    let number = world
        .buy_number(ask.now, account, wanted.as_deref(), "US")
        .ok_or_else(|| Refusal::bad(21_422, "PhoneNumber is not available for purchase"))?;
    configure(world, ask, number);
    Ok(Answer::object(201, |out| write(world, out, number)))
}

fn fetch(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let number = find(world, ask, target)?;
    Ok(Answer::object(200, |out| write(world, out, number)))
}

fn update(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let number = find(world, ask, target)?;
    configure(world, ask, number);
    fetch(world, ask, target)
}

fn release(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let number = find(world, ask, target)?;
    world.release_number(number);
    Ok(Answer::no_content())
}

fn configure(world: &mut World, ask: &Ask, index: usize) {
    let number = &mut world.numbers[index];
    let fields = [
        ("FriendlyName", &mut number.friendly_name),
        ("StatusCallback", &mut number.status_callback),
        ("VoiceUrl", &mut number.voice_url),
        ("SmsUrl", &mut number.sms_url),
    ];
    for (name, field) in fields {
        if let Some(value) = ask.form_set(name) {
            value.clone_into(field);
        }
    }
    number.updated_at = ask.now;
}

fn find(world: &World, ask: &Ask, target: &Target<'_>) -> Result<usize, Refusal> {
    let account = target.account;
    world
        .find("PN", target.id(0))
        .filter(|number| {
            world.numbers[*number].account == account && !world.numbers[*number].released
        })
        .ok_or_else(|| Refusal::not_found(ask))
}

fn write(world: &World, out: &mut Vec<u8>, index: usize) {
    let number = &world.numbers[index];
    let account = world.accounts[number.account].sid;
    let kind = match type_of(&number.e164) {
        NumberType::Local => "local",
        NumberType::Mobile => "mobile",
        NumberType::TollFree => "toll free",
    };
    let mut object = Obj::open(out);
    object
        .str("account_sid", account.as_str())
        .str("address_requirements", "none")
        .null("address_sid")
        .str("api_version", "2010-04-01")
        .bool("beta", false)
        .raw(
            "capabilities",
            r#"{"voice":true,"sms":true,"mms":true,"fax":false}"#,
        );
    write_date(&mut object, "date_created", Some(number.created_at));
    write_date(&mut object, "date_updated", Some(number.updated_at));
    object
        .str("emergency_status", "Inactive")
        .null("emergency_address_sid")
        .str("emergency_address_status", "unregistered")
        .str("friendly_name", &number.friendly_name)
        .null("identity_sid")
        .str("origin", "twilio")
        .str("phone_number", &number.e164)
        .str("sid", number.sid.as_str())
        .str("sms_application_sid", "")
        .str("sms_fallback_method", "POST")
        .str("sms_fallback_url", "")
        .str("sms_method", "POST")
        .str("sms_url", &number.sms_url)
        .str("status_callback", &number.status_callback)
        .str("status_callback_method", "POST")
        .null("trunk_sid")
        .str(
            "uri",
            &format!(
                "/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{}.json",
                number.sid
            ),
        )
        .str("voice_application_sid", "")
        .bool("voice_caller_id_lookup", false)
        .str("voice_fallback_method", "POST")
        .null("voice_fallback_url")
        .str("voice_method", "POST")
        .str("voice_url", &number.voice_url)
        .null("bundle_sid")
        .str("voice_receive_mode", "voice")
        .str("status", "in-use")
        .str("type", kind);
    object.close();
}
