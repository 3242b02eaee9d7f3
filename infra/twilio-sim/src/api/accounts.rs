//! Accounts and the balance.

use std::sync::LazyLock;

use crate::amount;
use crate::json::Obj;
use crate::template::Template;
use crate::world::accounts::{Status, StatusRefused};
use crate::world::{MAIN, World};

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::filters::write_date;
use super::paging;
use super::route::{Operation, Target, get, post};

const NAME_MAX: usize = 64;

const SUBRESOURCES: [(&str, &str); 20] = [
    ("available_phone_numbers", "AvailablePhoneNumbers"),
    ("calls", "Calls"),
    ("conferences", "Conferences"),
    ("incoming_phone_numbers", "IncomingPhoneNumbers"),
    ("notifications", "Notifications"),
    ("outgoing_caller_ids", "OutgoingCallerIds"),
    ("recordings", "Recordings"),
    ("transcriptions", "Transcriptions"),
    ("addresses", "Addresses"),
    ("signing_keys", "SigningKeys"),
    ("connect_apps", "ConnectApps"),
    ("sip", "SIP"),
    ("authorized_connect_apps", "AuthorizedConnectApps"),
    ("usage", "Usage"),
    ("keys", "Keys"),
    ("applications", "Applications"),
    ("short_codes", "SMS/ShortCodes"),
    ("queues", "Queues"),
    ("messages", "Messages"),
    ("balance", "Balance"),
];

pub(super) const OPERATIONS: &[Operation] = &[
    get("/Accounts", "/twilio/iam/accounts/list", list).managing(),
    post("/Accounts", "/twilio/iam/accounts/create", create).managing(),
    get("/Accounts/{Sid}", "/twilio/iam/accounts/read", fetch).managing(),
    post("/Accounts/{Sid}", "/twilio/iam/accounts/update", update).managing(),
    get(
        "/Accounts/{AccountSid}/Balance",
        "/twilio/billing/balance/read",
        balance,
    ),
];

fn list(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let world = &*world;
    let everybody = target.who.manages_main(world);
    let name = ask
        .query("FriendlyName")
        .filter(|_| !world.quirks.friendly_name_filter_ignored);
    let statuses = statuses(ask)?;
    let fits = |index: &usize| {
        let account = &world.accounts[*index];
        (everybody || *index == target.account)
            && !account.deleted
            && account.listed_at <= ask.now
            && name.is_none_or(|name| account.friendly_name == name)
            && (statuses.is_empty() || statuses.contains(&account.status))
    };
    paging::by_index(
        world,
        ask,
        "accounts",
        world.accounts.len(),
        fits,
        |index| world.accounts[index].sid,
        |out, index| write(world, out, index),
    )
}

/// The statuses that are asked for, several with commas between; none is all.
fn statuses(ask: &Ask) -> Result<Vec<Status>, Refusal> {
    let Some(text) = ask.query("Status") else {
        return Ok(Vec::new());
    };
    text.split(',')
        .map(|one| Status::parse(one.trim()).ok_or_else(|| Refusal::invalid("Status")))
        .collect()
}

fn create(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    if target.account != MAIN {
        return Err(Refusal::bad(
            21_101,
            "Subaccounts cannot contain subaccounts",
        ));
    }
    if !target.who.manages_main(world) {
        return Err(Refusal::unauthenticated("Authenticate"));
    }
    if world.accounts[MAIN].status != Status::Active {
        return Err(Refusal::not_active());
    }
    let name = ask.form("FriendlyName");
    check_name(name)?;
    let account = world
        .create_subaccount(name, ask.now)
        .ok_or_else(|| Refusal::bad(21_480, "Reached maximum number of subaccounts"))?;
    Ok(Answer::object(201, |out| write(world, out, account)))
}

#[expect(clippy::unnecessary_wraps, reason = "one shape for every operation")]
fn fetch(world: &mut World, _: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    Ok(Answer::object(200, |out| write(world, out, target.account)))
}

fn update(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    // A subaccount's status and name are its parent's to change, even for its own token.
    if !target.who.manages_main(world) {
        return Err(Refusal::unauthenticated("Authenticate"));
    }
    let account = target.account;
    let name = ask.form("FriendlyName");
    check_name(name)?;
    let closed = world.accounts[account].status == Status::Closed;
    if closed && name.is_some() && !world.quirks.closed_accounts_renamable {
        return Err(refused(StatusRefused::Closed));
    }
    if let Some(status) = ask.form("Status") {
        world
            .change_status(account, status, ask.now)
            .map_err(refused)?;
    }
    if let Some(name) = name {
        name.clone_into(&mut world.accounts[account].friendly_name);
        world.accounts[account].updated_at = ask.now;
    }
    Ok(Answer::object(200, |out| write(world, out, account)))
}

fn balance(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    if target.account != MAIN {
        return Err(Refusal::not_found(ask));
    }
    let spent = world.spent(MAIN, true, ask.now);
    Ok(Answer::object(200, |out| {
        let mut object = Obj::open(out);
        object
            .str("account_sid", world.accounts[MAIN].sid.as_str())
            .str("balance", &amount::text(world.opening_balance - spent))
            .str("currency", &world.currency);
        object.close();
    }))
}

fn check_name(name: Option<&str>) -> Result<(), Refusal> {
    match name {
        Some(name) if name.chars().count() > NAME_MAX => {
            Err(Refusal::bad(20_002, "Invalid FriendlyName"))
        }
        _ => Ok(()),
    }
}

fn refused(why: StatusRefused) -> Refusal {
    match why {
        StatusRefused::Invalid => Refusal::bad(21_475, "Unable to update Status, invalid Status."),
        StatusRefused::ParentSuspended => Refusal::bad(
            21_476,
            "Unable to update Status for subaccount, parent account is suspended.",
        ),
        StatusRefused::ParentAccount => {
            Refusal::bad(21_477, "Unable to update Status for parent accounts")
        }
        StatusRefused::ByTwilio => Refusal::bad(
            21_478,
            "Unable to update Status for subaccount, subaccount has been suspended by Twilio",
        ),
        StatusRefused::Closed => Refusal::bad(
            21_479,
            "Unable to update Status for subaccount, subaccount has been closed.",
        ),
    }
}

/// An account's `subresource_uris`, the same for all but for the SID.
static SUBRESOURCE_URIS: LazyLock<Template> = LazyLock::new(|| {
    let mut template = Template::default();
    for (index, (name, path)) in SUBRESOURCES.iter().enumerate() {
        template
            .text(if index > 0 { ",\"" } else { "{\"" })
            .text(name);
        template.text("\":\"/2010-04-01/Accounts/").sid();
        template.text("/").text(path).text(".json\"");
    }
    template.text("}");
    template
});

/// An account's `uri`.
static URI: LazyLock<Template> = LazyLock::new(|| {
    let mut template = Template::default();
    template
        .text("\"/2010-04-01/Accounts/")
        .sid()
        .text(".json\"");
    template
});

fn write(world: &World, out: &mut Vec<u8>, index: usize) {
    let account = &world.accounts[index];
    let mut object = Obj::open(out);
    object.plain("auth_token", &account.token);
    write_date(&mut object, "date_created", Some(account.created_at));
    write_date(&mut object, "date_updated", Some(account.updated_at));
    object
        .str("friendly_name", &account.friendly_name)
        .plain("owner_account_sid", world.accounts[MAIN].sid.as_str())
        .plain("sid", account.sid.as_str())
        .plain("status", account.status.as_str());
    SUBRESOURCE_URIS.write(object.name("subresource_uris"), &account.sid);
    object.plain("type", world.quirks.account_type.as_str());
    URI.write(object.name("uri"), &account.sid);
    object.close();
}
