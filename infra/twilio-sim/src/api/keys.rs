//! Standard API keys on the v2010 API, under both of their names: Keys and SigningKeys are the same keys.
//!
//! The secret is shown once, at creation. Restricted keys are the iam API's; here nobody sees them.

use crate::json::Obj;
use crate::world::World;
use crate::world::accounts::{Key, KeyKind, Status};

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::filters::write_date;
use super::paging;
use super::route::{Operation, Target, delete as remove, get, post};

macro_rules! operations {
    ($($list:literal $one:literal $name:ident,)+) => {
        pub(super) const OPERATIONS: &[Operation] = &[
            $(
                get($list, "/twilio/iam/api-keys/list", $name).managing(),
                post($list, "/twilio/iam/api-keys/create", create).managing(),
                get($one, "/twilio/iam/api-keys/read", fetch).managing(),
                post($one, "/twilio/iam/api-keys/update", update).managing(),
                remove($one, "/twilio/iam/api-keys/delete", delete).managing(),
            )+
        ];
        $(fn $name(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
            list(world, ask, target, stringify!($name))
        })+
    };
}

operations! {
    "/Accounts/{AccountSid}/Keys" "/Accounts/{AccountSid}/Keys/{Sid}" keys,
    "/Accounts/{AccountSid}/SigningKeys" "/Accounts/{AccountSid}/SigningKeys/{Sid}" signing_keys,
}

/// Longest name of a key.
const NAME_MAX: usize = 64;

fn list(
    world: &World,
    ask: &Ask,
    target: &Target<'_>,
    collection: &str,
) -> Result<Answer, Refusal> {
    let owner = &world.accounts[target.account];
    let standard = |key: &usize| world.keys[*key].kind == KeyKind::Standard;
    let items: Vec<usize> = owner.keys.iter().rev().copied().filter(standard).collect();
    paging::by_sid(
        world,
        ask,
        collection,
        &items,
        |key| world.keys[key].sid,
        |out, key| write(out, &world.keys[key], false),
    )
}

fn create(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let account = target.account;
    let name = name(ask)?;
    // A suspended account gets keys nevertheless: they work once it is active again.
    if world.accounts[account].status == Status::Closed {
        return Err(Refusal::not_active());
    }
    let key = world.create_key(account, KeyKind::Standard, name, ask.now);
    Ok(Answer::object(201, |out| {
        write(out, &world.keys[key], true);
    }))
}

fn fetch(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let key = find(world, ask, target)?;
    Ok(Answer::object(200, |out| {
        write(out, &world.keys[key], false);
    }))
}

fn update(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let key = find(world, ask, target)?;
    if let Some(name) = name(ask)? {
        world.keys[key].friendly_name = Some(name.to_owned());
        world.keys[key].updated_at = ask.now;
    }
    fetch(world, ask, target)
}

fn delete(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let key = find(world, ask, target)?;
    world.delete_key(key);
    Ok(Answer::no_content())
}

fn find(world: &World, ask: &Ask, target: &Target<'_>) -> Result<usize, Refusal> {
    find_key(world, ask, target.account, target.id(0)).and_then(|key| match world.keys[key].kind {
        KeyKind::Standard => Ok(key),
        KeyKind::Main | KeyKind::Restricted(_) => Err(Refusal::not_found(ask)),
    })
}

/// The name that a request gives a key.
pub(super) fn name(ask: &Ask) -> Result<Option<&str>, Refusal> {
    match ask.form("FriendlyName") {
        Some(name) if name.chars().count() > NAME_MAX => Err(Refusal::constraint_violations()),
        name => Ok(name),
    }
}

/// One of an account's keys that are not deleted.
pub(super) fn find_key(
    world: &World,
    ask: &Ask,
    account: usize,
    sid: &str,
) -> Result<usize, Refusal> {
    if crate::sid::Sid::parse("SK", sid).is_none() {
        return Err(Refusal::invalid_sid());
    }
    world
        .find("SK", sid)
        .filter(|key| world.keys[*key].account == account && !world.keys[*key].deleted)
        .ok_or_else(|| Refusal::not_found(ask))
}

fn write(out: &mut Vec<u8>, key: &Key, with_secret: bool) {
    let mut object = Obj::open(out);
    write_head(&mut object, key);
    if with_secret {
        object.str("secret", &key.secret);
    }
    object.close();
}

/// What every form of a key has.
pub(super) fn write_head(object: &mut Obj<'_>, key: &Key) {
    object
        .str("sid", key.sid.as_str())
        .opt("friendly_name", key.friendly_name.as_deref());
    write_date(object, "date_created", Some(key.created_at));
    write_date(object, "date_updated", Some(key.updated_at));
}
