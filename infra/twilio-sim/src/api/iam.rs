//! API keys on the iam API, restricted ones with their policies among them.
//!
//! AccountSid must be sent, but it is the credential that decides whose keys are meant (`auth`).

use serde::Deserialize;

use crate::json::{Obj, string};
use crate::world::World;
use crate::world::accounts::{Key, KeyKind, Status};

use super::answer::{Answer, Refusal};
use super::ask::{Ask, Product};
use super::auth::{iam_account, iam_reaches_children};
use super::keys::{find_key, name, write_head};
use super::paging;
use super::route::{Operation, Target, delete as remove, get, post};

pub(super) const OPERATIONS: &[Operation] = &[
    get(KEYS, "/twilio/iam/api-keys/list", list)
        .of(Product::Iam)
        .managing(),
    post(KEYS, "/twilio/iam/api-keys/create", create)
        .of(Product::Iam)
        .managing(),
    get(KEY, "/twilio/iam/api-keys/read", fetch)
        .of(Product::Iam)
        .managing(),
    post(KEY, "/twilio/iam/api-keys/update", update)
        .of(Product::Iam)
        .managing(),
    remove(KEY, "/twilio/iam/api-keys/delete", delete)
        .of(Product::Iam)
        .managing(),
];

const KEYS: &str = "/v1/Keys";
const KEY: &str = "/v1/Keys/{Sid}";

/// Permissions that one key's policy may list: https://www.twilio.com/docs/iam/api-keys/restricted-api-keys
const PERMISSIONS_MAX: usize = 100;

/// Products that permissions exist for.
const PRODUCTS: [&str; 18] = [
    "billing",
    "event-streams",
    "flex",
    "iam",
    "insights",
    "intelligence",
    "lookup",
    "messaging",
    "microvisor",
    "monitor",
    "phone-numbers",
    "serverless",
    "studio",
    "taskrouter",
    "usage",
    "verify",
    "video",
    "voice",
];
const ACTIONS: [&str; 6] = ["*", "create", "delete", "list", "read", "update"];

fn list(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let world = &*world;
    let named = ask
        .query("AccountSid")
        .ok_or_else(|| Refusal::missing("AccountSid"))?;
    let account = iam_account(world, ask, target.who, target.account, named)?;
    let shown = |key: &usize| match world.keys[*key].kind {
        KeyKind::Standard => true,
        KeyKind::Restricted(_) => !world.quirks.restricted_keys_unlisted,
        KeyKind::Main => false,
    };
    let held = world.accounts[account].keys.iter().rev().copied();
    let items: Vec<usize> = held.filter(shown).collect();
    paging::by_sid(
        world,
        ask,
        "keys",
        &items,
        |key| world.keys[key].sid,
        |out, key| write_row(out, &world.keys[key]),
    )
}

fn create(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let named = ask
        .form("AccountSid")
        .ok_or_else(|| Refusal::missing("AccountSid"))?;
    let account = iam_account(world, ask, target.who, target.account, named)?;
    let name = name(ask)?;
    let kind = match ask.form("KeyType") {
        // Without the type a policy is not looked at.
        None => KeyKind::Standard,
        Some("restricted") => {
            let policy = ask
                .form("Policy")
                .ok_or_else(|| Refusal::missing("Policy"))?;
            KeyKind::Restricted(parse_policy(policy)?)
        }
        Some(_) => return Err(Refusal::invalid("KeyType")),
    };
    if world.accounts[account].status == Status::Closed {
        return Err(Refusal::not_active());
    }
    let key = world.create_key(account, kind, name, ask.now);
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
    let name = name(ask)?;
    let policy = ask.form("Policy").map(parse_policy).transpose()?;
    let key = &mut world.keys[key];
    if let Some(policy) = policy {
        let KeyKind::Restricted(listed) = &mut key.kind else {
            return Err(Refusal::constraint_violations());
        };
        *listed = policy;
        key.updated_at = ask.now;
    }
    if let Some(name) = name {
        key.friendly_name = Some(name.to_owned());
        key.updated_at = ask.now;
    }
    fetch(world, ask, target)
}

fn delete(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let key = find(world, ask, target)?;
    world.delete_key(key);
    Ok(Answer::no_content())
}

/// The key of the path: one of the account's that authenticated, or of the one that the request names.
fn find(world: &World, ask: &Ask, target: &Target<'_>) -> Result<usize, Refusal> {
    let named = ask.query("AccountSid").or_else(|| ask.form("AccountSid"));
    let account = match named {
        Some(named) => iam_account(world, ask, target.who, target.account, named)?,
        None if iam_reaches_children(world, target.who) => world
            .find("SK", target.id(0))
            .map_or(target.account, |key| world.keys[key].account),
        None => target.account,
    };
    let key = find_key(world, ask, account, target.id(0))?;
    match world.keys[key].kind {
        KeyKind::Standard | KeyKind::Restricted(_) => Ok(key),
        KeyKind::Main => Err(Refusal::not_found(ask)),
    }
}

#[derive(Deserialize)]
struct Policy {
    allow: Vec<String>,
}

fn parse_policy(text: &str) -> Result<Vec<String>, Refusal> {
    let policy: Policy =
        serde_json::from_str(text).map_err(|_| Refusal::constraint_violations())?;
    if policy.allow.is_empty() || policy.allow.len() > PERMISSIONS_MAX {
        return Err(Refusal::constraint_violations());
    }
    match policy.allow.iter().find(|permission| !exists(permission)) {
        Some(permission) => Err(Refusal::bad(
            70_002,
            &format!("assertion '{permission}' is invalid"),
        )),
        None => Ok(policy.allow),
    }
}

/// Whether a permission can exist: `/twilio/<product>/<resource>/<action>`. Which resources a product has
/// is known for none completely, so that all names pass.
fn exists(permission: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.')
            })
    };
    let parts: Vec<&str> = permission.split('/').collect();
    match parts[..] {
        ["", "twilio", product, resource, action] => {
            PRODUCTS.contains(&product) && is_name(resource) && ACTIONS.contains(&action)
        }
        _ => false,
    }
}

fn write(out: &mut Vec<u8>, key: &Key, with_secret: bool) {
    let mut object = Obj::open(out);
    write_head(&mut object, key);
    if with_secret {
        object.str("secret", &key.secret);
    }
    match &key.kind {
        KeyKind::Restricted(allowed) => {
            let mut policy = Obj::open(object.name("policy"));
            strings(policy.name("allow"), allowed);
            policy.close();
        }
        KeyKind::Standard | KeyKind::Main => {
            object.null("policy");
        }
    }
    object.close();
}

/// A key in a list: what it is good for instead of its policy.
fn write_row(out: &mut Vec<u8>, key: &Key) {
    let flags = match key.kind {
        KeyKind::Standard | KeyKind::Main => r#"["rest_api","signing"]"#,
        // No access token can be signed with it.
        KeyKind::Restricted(_) => r#"["rest_api"]"#,
    };
    let mut object = Obj::open(out);
    write_head(&mut object, key);
    object.raw("flags", flags);
    object.close();
}

fn strings(out: &mut Vec<u8>, values: &[String]) {
    out.push(b'[');
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        string(out, value);
    }
    out.push(b']');
}
