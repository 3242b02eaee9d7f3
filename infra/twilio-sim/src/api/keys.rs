//! Standard API keys; the secret is shown once, at creation.

use crate::json::Obj;
use crate::world::World;
use crate::world::accounts::{Key, Status};

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::filters::write_date;
use super::paging;

pub(super) fn list(world: &World, ask: &Ask, account: usize) -> Result<Answer, Refusal> {
    let items: Vec<usize> = world.accounts[account].keys.iter().rev().copied().collect();
    paging::by_sid(
        world,
        ask,
        "keys",
        &items,
        |key| world.keys[key].sid,
        |out, key| write(out, &world.keys[key], false),
    )
}

pub(super) fn create(world: &mut World, ask: &Ask, account: usize) -> Result<Answer, Refusal> {
    if world.accounts[account].status == Status::Closed {
        return Err(Refusal::not_active());
    }
    let key = world.create_key(
        account,
        ask.form("FriendlyName").unwrap_or_default(),
        ask.now,
    );
    Ok(Answer::object(201, |out| {
        write(out, &world.keys[key], true);
    }))
}

pub(super) fn fetch(
    world: &World,
    ask: &Ask,
    account: usize,
    sid: &str,
) -> Result<Answer, Refusal> {
    let key = find(world, ask, account, sid)?;
    Ok(Answer::object(200, |out| {
        write(out, &world.keys[key], false);
    }))
}

pub(super) fn update(
    world: &mut World,
    ask: &Ask,
    account: usize,
    sid: &str,
) -> Result<Answer, Refusal> {
    let key = find(world, ask, account, sid)?;
    if let Some(name) = ask.form("FriendlyName") {
        name.clone_into(&mut world.keys[key].friendly_name);
        world.keys[key].updated_at = ask.now;
    }
    fetch(world, ask, account, sid)
}

pub(super) fn delete(
    world: &mut World,
    ask: &Ask,
    account: usize,
    sid: &str,
) -> Result<Answer, Refusal> {
    let key = find(world, ask, account, sid)?;
    world.delete_key(key);
    Ok(Answer::no_content())
}

fn find(world: &World, ask: &Ask, account: usize, sid: &str) -> Result<usize, Refusal> {
    world
        .find("SK", sid)
        .filter(|key| world.keys[*key].account == account && !world.keys[*key].deleted)
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
