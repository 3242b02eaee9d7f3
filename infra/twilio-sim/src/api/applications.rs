//! Applications: URLs that several phone numbers share.

use crate::json::Obj;
use crate::world::World;
use crate::world::accounts::Status;
use crate::world::webhooks::{ApplicationSettings, Webhooks};

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::filters::write_date;
use super::forms;
use super::number_body::{self, Unset, url_or_null};
use super::paging;
use super::route::{Operation, Target, delete as remove, get, post};

pub(super) const OPERATIONS: &[Operation] = &[
    get(APPLICATIONS, "/twilio/voice/applications/list", list),
    post(APPLICATIONS, "/twilio/voice/applications/create", create),
    get(APPLICATION, "/twilio/voice/applications/read", fetch),
    post(APPLICATION, "/twilio/voice/applications/update", update),
    remove(APPLICATION, "/twilio/voice/applications/delete", delete),
];

const APPLICATIONS: &str = "/Accounts/{AccountSid}/Applications";
const APPLICATION: &str = "/Accounts/{AccountSid}/Applications/{Sid}";

fn list(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let world = &*world;
    let name = ask.query("FriendlyName");
    let all = &world.numbering.applications;
    let fits = |index: &usize| {
        let application = &all[*index];
        application.account == target.account
            && !application.deleted
            && name.is_none_or(|name| application.settings.friendly_name == name)
    };
    let items: Vec<usize> = (0..all.len()).rev().filter(fits).collect();
    paging::by_sid(
        world,
        ask,
        "applications",
        &items,
        |index| all[index].sid,
        |out, index| write(world, out, index),
    )
}

fn create(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    if world.accounts[target.account].status == Status::Closed {
        return Err(Refusal::not_active());
    }
    let blank = ApplicationSettings {
        friendly_name: String::new(),
        api_version: "2010-04-01",
        webhooks: Webhooks::default(),
        sms_status_callback: String::new(),
        message_status_callback: String::new(),
        public_connect: false,
    };
    let settings = read(ask, blank)?;
    let application = world.create_application(ask.now, target.account, settings);
    Ok(Answer::object(201, |out| write(world, out, application)))
}

fn fetch(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let application = find(world, ask, target)?;
    Ok(Answer::object(200, |out| write(world, out, application)))
}

fn update(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let index = find(world, ask, target)?;
    let application = &mut world.numbering.applications[index];
    application.settings = read(ask, application.settings.clone())?;
    application.updated_at = ask.now;
    fetch(world, ask, target)
}

/// Numbers that name it go on naming it: their calls and messages are announced to nobody.
fn delete(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let index = find(world, ask, target)?;
    world.numbering.applications[index].deleted = true;
    Ok(Answer::no_content())
}

fn read(ask: &Ask, mut settings: ApplicationSettings) -> Result<ApplicationSettings, Refusal> {
    const INVALID_CALLBACK: (u32, &str) = (21_609, "Invalid StatusCallback url");
    forms::name(ask, &mut settings.friendly_name)?;
    forms::api_version(ask, &mut settings.api_version)?;
    forms::webhooks(ask, &mut settings.webhooks)?;
    for (name, place) in [
        ("SmsStatusCallback", &mut settings.sms_status_callback),
        (
            "MessageStatusCallback",
            &mut settings.message_status_callback,
        ),
    ] {
        forms::url(ask, name, place, INVALID_CALLBACK)?;
    }
    forms::flag(
        ask,
        "PublicApplicationConnectEnabled",
        &mut settings.public_connect,
    )?;
    Ok(settings)
}

fn find(world: &World, ask: &Ask, target: &Target<'_>) -> Result<usize, Refusal> {
    world
        .application_of(target.account, target.id(0))
        .ok_or_else(|| Refusal::not_found(ask))
}

fn write(world: &World, out: &mut Vec<u8>, index: usize) {
    let application = &world.numbering.applications[index];
    let settings = &application.settings;
    let account = world.accounts[application.account].sid;
    let mut object = Obj::open(out);
    object
        .str("sid", application.sid.as_str())
        .str("account_sid", account.as_str())
        .str("friendly_name", &settings.friendly_name)
        .str("api_version", settings.api_version);
    write_date(&mut object, "date_created", Some(application.created_at));
    write_date(&mut object, "date_updated", Some(application.updated_at));
    number_body::webhooks(&mut object, &settings.webhooks, Unset::Null);
    for (name, url) in [
        ("sms_status_callback", &settings.sms_status_callback),
        ("message_status_callback", &settings.message_status_callback),
    ] {
        url_or_null(&mut object, name, url);
    }
    object
        .bool(
            "public_application_connect_enabled",
            settings.public_connect,
        )
        .str(
            "uri",
            &format!(
                "/2010-04-01/Accounts/{account}/Applications/{}.json",
                application.sid
            ),
        );
    object.close();
}
