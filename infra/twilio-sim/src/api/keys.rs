//! Standard API keys; the secret is shown once, at creation.

use crate::json::Obj;
use crate::world::World;
use crate::world::accounts::{Key, KeyKind, Status};

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::filters::write_date;
use super::paging;
use super::route::{Operation, Target, delete as remove, get, post};

pub(super) const OPERATIONS: &[Operation] = &[
    get(KEYS, "/twilio/iam/api-keys/list", list).managing(),
    post(KEYS, "/twilio/iam/api-keys/create", create).managing(),
    get(KEY, "/twilio/iam/api-keys/read", fetch).managing(),
    post(KEY, "/twilio/iam/api-keys/update", update).managing(),
    remove(KEY, "/twilio/iam/api-keys/delete", delete).managing(),
];

const KEYS: &str = "/Accounts/{AccountSid}/Keys";
const KEY: &str = "/Accounts/{AccountSid}/Keys/{Sid}";

fn list(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let world = &*world;
    let owner = &world.accounts[target.account];
    let items: Vec<usize> = owner.keys.iter().rev().copied().collect();
    paging::by_sid(
        world,
        ask,
        "keys",
        &items,
        |key| world.keys[key].sid,
        |out, key| write(out, &world.keys[key], false),
    )
}

fn create(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let account = target.account;
    if world.accounts[account].status == Status::Closed {
        return Err(Refusal::not_active());
    }
    let key = world.create_key(
        account,
        KeyKind::Standard,
        ask.form("FriendlyName").unwrap_or_default(),
        ask.now,
    );
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
    if let Some(name) = ask.form("FriendlyName") {
        name.clone_into(&mut world.keys[key].friendly_name);
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
    world
        .find("SK", target.id(0))
        .filter(|key| world.keys[*key].account == target.account && !world.keys[*key].deleted)
        .ok_or_else(|| Refusal::not_found(ask))
}

fn write(out: &mut Vec<u8>, key: &Key, with_secret: bool) {
    let mut object = Obj::open(out);
    object
        .str("sid", key.sid.as_str())
        .str("friendly_name", &key.friendly_name);
    write_date(&mut object, "date_created", Some(key.created_at));
    write_date(&mut object, "date_updated", Some(key.updated_at));
    if with_secret {
        object.str("secret", &key.secret);
    }
    object.close();
}
