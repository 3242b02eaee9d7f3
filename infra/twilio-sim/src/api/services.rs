//! Messaging services and the phone numbers in their pools.

use crate::json::Obj;
use crate::world::World;
use crate::world::services::{JoinRefused, Member, ServiceSettings};
use crate::world::tariff::country_of;

use super::answer::{Answer, Refusal};
use super::ask::{Ask, Product};
use super::filters::write_iso;
use super::paging;
use super::route::{Operation, Target, delete as remove, get, post};

pub(super) const OPERATIONS: &[Operation] = &[
    get(SERVICES, "/twilio/messaging/services/list", list).of(Product::Messaging),
    post(SERVICES, "/twilio/messaging/services/create", create).of(Product::Messaging),
    get(SERVICE, "/twilio/messaging/services/read", fetch).of(Product::Messaging),
    post(SERVICE, "/twilio/messaging/services/update", update).of(Product::Messaging),
    remove(SERVICE, "/twilio/messaging/services/delete", delete).of(Product::Messaging),
    get(
        NUMBERS,
        "/twilio/messaging/services.phonenumbers/list",
        list_numbers,
    )
    .of(Product::Messaging),
    post(
        NUMBERS,
        "/twilio/messaging/services.phonenumbers/create",
        add_number,
    )
    .of(Product::Messaging),
    get(
        NUMBER,
        "/twilio/messaging/services.phonenumbers/read",
        fetch_number,
    )
    .of(Product::Messaging),
    remove(
        NUMBER,
        "/twilio/messaging/services.phonenumbers/delete",
        remove_number,
    )
    .of(Product::Messaging),
];

const SERVICES: &str = "/v1/Services";
const SERVICE: &str = "/v1/Services/{Sid}";
const NUMBERS: &str = "/v1/Services/{ServiceSid}/PhoneNumbers";
const NUMBER: &str = "/v1/Services/{ServiceSid}/PhoneNumbers/{Sid}";

const LINKS: [(&str, &str); 8] = [
    ("phone_numbers", "PhoneNumbers"),
    ("short_codes", "ShortCodes"),
    ("alpha_senders", "AlphaSenders"),
    ("messages", "Messages"),
    ("us_app_to_person", "Compliance/Usa2p"),
    ("us_app_to_person_usecases", "Compliance/Usa2p/Usecases"),
    ("channel_senders", "ChannelSenders"),
    ("destination_alpha_senders", "DestinationAlphaSenders"),
];
const METHODS: [&str; 2] = ["GET", "POST"];
const SCANS: [&str; 3] = ["inherit", "enable", "disable"];
const USECASES: [&str; 6] = [
    "notifications",
    "marketing",
    "verification",
    "discussion",
    "poll",
    "undeclared",
];
/// Seconds that a message may wait, at most and by default, as the resource's reference has it.
const VALIDITY_MAX_S: i64 = 36_000;

fn list(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let world = &*world;
    let held = &world.accounts[target.account].services;
    let items: Vec<usize> = held.iter().rev().copied().collect();
    paging::by_sid(
        world,
        ask,
        "services",
        &items,
        |service| world.services[service].sid,
        |out, service| write(world, out, service),
    )
}

fn create(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let name = ask
        .form("FriendlyName")
        .ok_or_else(|| Refusal::missing("FriendlyName"))?;
    let settings = settings(ask, new_settings(name))?;
    let service = world.create_service(target.account, settings, ask.now);
    Ok(Answer::object(201, |out| write(world, out, service)))
}

fn fetch(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let service = find(world, ask, target)?;
    Ok(Answer::object(200, |out| write(world, out, service)))
}

fn update(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let service = find(world, ask, target)?;
    let mut changed = settings(ask, world.services[service].settings.clone())?;
    if let Some(name) = ask.form("FriendlyName") {
        name.clone_into(&mut changed.friendly_name);
    }
    world.services[service].settings = changed;
    world.services[service].updated_at = ask.now;
    fetch(world, ask, target)
}

fn delete(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let service = find(world, ask, target)?;
    world.delete_service(service);
    Ok(Answer::no_content())
}

fn find(world: &World, ask: &Ask, target: &Target<'_>) -> Result<usize, Refusal> {
    world
        .service(target.account, target.id(0))
        .ok_or_else(|| Refusal::not_found(ask))
}

fn new_settings(name: &str) -> ServiceSettings {
    ServiceSettings {
        friendly_name: name.to_owned(),
        inbound_request_url: None,
        inbound_method: "POST".to_owned(),
        fallback_url: None,
        fallback_method: "POST".to_owned(),
        status_callback: None,
        sticky_sender: true,
        mms_converter: true,
        smart_encoding: true,
        scan_message_content: "inherit".to_owned(),
        fallback_to_long_code: true,
        area_code_geomatch: true,
        validity_period_s: VALIDITY_MAX_S,
        synchronous_validation: false,
        usecase: "undeclared".to_owned(),
        use_inbound_webhook_on_number: false,
    }
}

/// The settings with what a request says of them.
fn settings(ask: &Ask, mut kept: ServiceSettings) -> Result<ServiceSettings, Refusal> {
    for (name, url) in [
        ("InboundRequestUrl", &mut kept.inbound_request_url),
        ("FallbackUrl", &mut kept.fallback_url),
        ("StatusCallback", &mut kept.status_callback),
    ] {
        match ask.form_set(name) {
            None => {}
            Some("") => *url = None,
            Some(text) if url::Url::parse(text).is_ok() => *url = Some(text.to_owned()),
            Some(_) => return Err(Refusal::invalid(name)),
        }
    }
    for (name, allowed, value) in [
        ("InboundMethod", &METHODS[..], &mut kept.inbound_method),
        ("FallbackMethod", &METHODS[..], &mut kept.fallback_method),
        (
            "ScanMessageContent",
            &SCANS[..],
            &mut kept.scan_message_content,
        ),
        ("Usecase", &USECASES[..], &mut kept.usecase),
    ] {
        match ask.form(name) {
            None => {}
            Some(text) if allowed.contains(&text) => text.clone_into(value),
            Some(_) => return Err(Refusal::invalid(name)),
        }
    }
    for (name, value) in [
        ("StickySender", &mut kept.sticky_sender),
        ("MmsConverter", &mut kept.mms_converter),
        ("SmartEncoding", &mut kept.smart_encoding),
        ("FallbackToLongCode", &mut kept.fallback_to_long_code),
        ("AreaCodeGeomatch", &mut kept.area_code_geomatch),
        ("SynchronousValidation", &mut kept.synchronous_validation),
        (
            "UseInboundWebhookOnNumber",
            &mut kept.use_inbound_webhook_on_number,
        ),
    ] {
        match ask.form(name) {
            None => {}
            Some(text) if text.eq_ignore_ascii_case("true") => *value = true,
            Some(text) if text.eq_ignore_ascii_case("false") => *value = false,
            Some(_) => return Err(Refusal::invalid(name)),
        }
    }
    if let Some(text) = ask.form("ValidityPeriod") {
        kept.validity_period_s = text
            .parse()
            .ok()
            .filter(|seconds| (1..=VALIDITY_MAX_S).contains(seconds))
            .ok_or_else(|| Refusal::invalid("ValidityPeriod"))?;
    }
    Ok(kept)
}

fn write(world: &World, out: &mut Vec<u8>, index: usize) {
    let service = &world.services[index];
    let settings = &service.settings;
    let url = format!("https://messaging.twilio.com/v1/Services/{}", service.sid);
    let mut object = Obj::open(out);
    object
        .str("account_sid", world.accounts[service.account].sid.as_str())
        .str("sid", service.sid.as_str());
    write_iso(&mut object, "date_created", Some(service.created_at));
    write_iso(&mut object, "date_updated", Some(service.updated_at));
    object
        .str("friendly_name", &settings.friendly_name)
        .opt(
            "inbound_request_url",
            settings.inbound_request_url.as_deref(),
        )
        .str("inbound_method", &settings.inbound_method)
        .opt("fallback_url", settings.fallback_url.as_deref())
        .str("fallback_method", &settings.fallback_method)
        .opt("status_callback", settings.status_callback.as_deref())
        .bool("sticky_sender", settings.sticky_sender)
        .bool("smart_encoding", settings.smart_encoding)
        .bool("mms_converter", settings.mms_converter)
        .bool("fallback_to_long_code", settings.fallback_to_long_code)
        .str("scan_message_content", &settings.scan_message_content)
        .bool("area_code_geomatch", settings.area_code_geomatch)
        .int("validity_period", settings.validity_period_s)
        .bool("synchronous_validation", settings.synchronous_validation)
        .str("usecase", &settings.usecase)
        .bool("us_app_to_person_registered", false)
        .bool(
            "use_inbound_webhook_on_number",
            settings.use_inbound_webhook_on_number,
        );
    let mut links = Obj::open(object.name("links"));
    for (name, path) in LINKS {
        links.str(name, &format!("{url}/{path}"));
    }
    links.close();
    object.str("url", &url);
    object.close();
}

fn list_numbers(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let world = &*world;
    let service = find(world, ask, target)?;
    let mut items: Vec<usize> = world.members(service).map(|member| member.number).collect();
    items.sort_unstable_by(|one, other| other.cmp(one));
    paging::by_sid(
        world,
        ask,
        "phone_numbers",
        &items,
        |number| world.numbers[number].sid,
        |out, number| {
            let mut members = world.members(service);
            let member = members.find(|member| member.number == number);
            let member = member.expect("listed a moment ago");
            write_number(world, out, service, member);
        },
    )
}

fn add_number(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let service = find(world, ask, target)?;
    let sid = ask
        .form("PhoneNumberSid")
        .ok_or_else(|| Refusal::missing("PhoneNumberSid"))?;
    let number = world
        .find("PN", sid)
        .filter(|number| {
            let number = &world.numbers[*number];
            number.account == target.account && !number.released
        })
        .ok_or_else(|| Refusal::not_found(ask))?;
    world
        .join_service(service, number, ask.now)
        .map_err(|why| match why {
            JoinRefused::AlreadyIn => Refusal::new(
                409,
                21_710,
                "Phone Number or Short Code is already in the Messaging Service.",
            ),
            JoinRefused::Elsewhere => Refusal::new(
                409,
                21_712,
                "Phone Number or Short Code is associated with another Messaging Service.",
            ),
        })?;
    answer_number(world, ask, 201, service, number)
}

fn fetch_number(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let service = find(world, ask, target)?;
    let number = world.find("PN", target.id(1));
    let number = number.ok_or_else(|| Refusal::not_found(ask))?;
    answer_number(world, ask, 200, service, number)
}

fn remove_number(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let service = find(world, ask, target)?;
    let number = world
        .find("PN", target.id(1))
        .filter(|number| {
            let mut members = world.members(service);
            members.any(|member| member.number == *number)
        })
        .ok_or_else(|| Refusal::not_found(ask))?;
    world.leave_service(service, number);
    Ok(Answer::no_content())
}

fn answer_number(
    world: &World,
    ask: &Ask,
    status: u16,
    service: usize,
    number: usize,
) -> Result<Answer, Refusal> {
    let member = world
        .members(service)
        .find(|member| member.number == number)
        .ok_or_else(|| Refusal::not_found(ask))?;
    Ok(Answer::object(status, |out| {
        write_number(world, out, service, member);
    }))
}

fn write_number(world: &World, out: &mut Vec<u8>, service: usize, member: &Member) {
    let service = &world.services[service];
    let number = &world.numbers[member.number];
    let mut object = Obj::open(out);
    object
        .str("sid", number.sid.as_str())
        .str("account_sid", world.accounts[service.account].sid.as_str())
        .str("service_sid", service.sid.as_str());
    write_iso(&mut object, "date_created", Some(member.added_at));
    write_iso(&mut object, "date_updated", Some(member.added_at));
    object
        .str("phone_number", &number.e164)
        .str("country_code", country_of(&number.e164).iso)
        .raw("capabilities", r#"["MMS","SMS","Voice"]"#)
        .str(
            "url",
            &format!(
                "https://messaging.twilio.com/v1/Services/{}/PhoneNumbers/{}",
                service.sid, number.sid
            ),
        );
    object.close();
}
