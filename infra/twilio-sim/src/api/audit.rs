//! The audit log's entries: every request that changed something, by whom, and what it changed.
//!
//! Event types follow from the resource's place in the path and from what was done; the names are those of
//! <https://www.twilio.com/docs/usage/monitor-events>. Calls and messages are no configuration: making one is
//! no event there, and none here.

use serde_json::{Map, Value};

use crate::sid::Sid;
use crate::world::monitor::Done;
use crate::world::{MAIN, World};

use super::answer::Answer;
use super::ask::Ask;
use super::route::{Operation, Target};

/// Twilio's names of what paths name otherwise.
const TYPES: [(&str, &str); 14] = [
    ("Accounts", "account"),
    ("Applications", "application"),
    ("IncomingPhoneNumbers", "phone-number"),
    ("Keys", "account-api-keys"),
    ("Local", "phone-number"),
    ("Mobile", "phone-number"),
    ("OutgoingCallerIds", "caller-id"),
    ("PhoneNumbers", "copilot-number-pool"),
    ("Promote", "account-auth-token"),
    ("Secondary", "account-auth-token"),
    ("Services", "copilot-application"),
    ("SigningKeys", "account-api-keys"),
    ("TollFree", "phone-number"),
    ("Triggers", "usage-trigger"),
];
/// What no log shows.
const SECRETS: [&str; 3] = ["auth_token", "secondary_auth_token", "secret"];

/// What a resource looks like before a request changes it.
pub(super) fn before(
    world: &mut World,
    ask: &Ask,
    operation: &Operation,
    target: &Target<'_>,
    families: &[&'static [Operation]],
) -> Option<Value> {
    let (_, of_one) = resource(operation);
    if operation.method != "POST" || !of_one {
        return None;
    }
    let fetch = families.iter().copied().flatten().find(|other| {
        other.method == "GET" && other.product == operation.product && other.path == operation.path
    })?;
    let seen = (fetch.handler)(world, ask, target).ok()?;
    serde_json::from_slice(&seen.body).ok()
}

/// Writes down what a request did.
pub(super) fn record(
    world: &mut World,
    ask: &Ask,
    operation: &Operation,
    target: &Target<'_>,
    answer: &Answer,
    before: Option<Value>,
) {
    if operation.method == "GET" {
        return;
    }
    let (name, of_one) = resource(operation);
    let Some(event_type) = event_type(name, operation.method, of_one) else {
        return;
    };
    let after: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let own = world.accounts[target.account].sid;
    let about_account = event_type.starts_with("account-auth-token.");
    let named = match (of_one, after["sid"].as_str()) {
        (true, _) => ask.segments.last().map(String::as_str),
        (false, made) => made,
    };
    let resource = named.and_then(sid_of).or(about_account.then_some(own));
    let path = ask.path.strip_suffix(".json").unwrap_or(&ask.path);
    let mut url = format!("https://{}.twilio.com{path}", ask.product.as_str());
    if let (false, Some(made)) = (of_one, named) {
        url.push('/');
        url.push_str(made);
    }
    let actor = target.who.sid(world);
    world.audit(Done {
        // An account belongs to the one that made it: what befalls it is in that one's log.
        account: if name == "Accounts" {
            MAIN
        } else {
            target.account
        },
        actor,
        actor_type: "account",
        actor_url: actor.map(|actor| actor_url(world, target, actor)),
        event_type,
        resource,
        resource_url: url,
        changes: before.map(|before| changes(&before, &after)),
        source: "api",
        ip: ask.peer,
        at: ask.now,
    });
}

/// The name of an operation's resource in its path, and whether the path names one of them.
fn resource(operation: &Operation) -> (&'static str, bool) {
    let mut segments = operation.path.rsplit('/');
    let last = segments.next().unwrap_or_default();
    if last.starts_with('{') {
        (segments.next().unwrap_or_default(), true)
    } else {
        (last, false)
    }
}

fn event_type(name: &str, method: &str, of_one: bool) -> Option<String> {
    let action = match (name, method, of_one) {
        ("Calls" | "Messages", "POST", false) => return None,
        ("Calls", "POST", true) => "status.updated",
        ("Secondary", "POST", _) => "secondary-created",
        ("Secondary", _, _) => "secondary-deleted",
        ("Promote", _, _) => "promoted",
        (_, "DELETE", _) => "deleted",
        (_, _, true) => "updated",
        (_, _, false) => "created",
    };
    let listed = TYPES.iter().find(|(segment, _)| *segment == name);
    let resource = listed.map_or_else(|| singular(name), |(_, named)| (*named).to_owned());
    Some(format!("{resource}.{action}"))
}

/// `ConnectApps` as `connect-app`.
fn singular(name: &str) -> String {
    let mut words = String::new();
    for (at, letter) in name.chars().enumerate() {
        if letter.is_ascii_uppercase() && at > 0 {
            words.push('-');
        }
        words.push(letter.to_ascii_lowercase());
    }
    match words.strip_suffix("es") {
        Some(stem) if stem.ends_with("ss") => stem.to_owned(),
        _ => words.strip_suffix('s').unwrap_or(&words).to_owned(),
    }
}

fn sid_of(text: &str) -> Option<Sid> {
    Sid::parse(text.get(..2)?, text)
}

fn actor_url(world: &World, target: &Target<'_>, actor: Sid) -> String {
    let account = target.who.account(world).unwrap_or(MAIN);
    let account = world.accounts[account].sid;
    if account == actor {
        format!("https://api.twilio.com/2010-04-01/Accounts/{account}")
    } else {
        format!("https://api.twilio.com/2010-04-01/Accounts/{account}/Keys/{actor}")
    }
}

/// The fields that differ, each with what it was and what it is.
fn changes(before: &Value, after: &Value) -> String {
    let mut changed = Map::new();
    for (name, updated) in after.as_object().into_iter().flatten() {
        let previous = before.get(name).unwrap_or(&Value::Null);
        let shown = name != "date_updated" && !SECRETS.contains(&name.as_str());
        if shown && previous != updated {
            let pair = serde_json::json!({"previous": previous, "updated": updated});
            changed.insert(name.clone(), pair);
        }
    }
    Value::Object(changed).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn event_types_follow_the_path_and_the_method() {
        for (name, method, of_one, expected) in [
            ("Accounts", "POST", false, Some("account.created")),
            ("Accounts", "POST", true, Some("account.updated")),
            ("Keys", "DELETE", true, Some("account-api-keys.deleted")),
            ("Addresses", "POST", false, Some("address.created")),
            ("Conferences", "POST", true, Some("conference.updated")),
            (
                "Secondary",
                "DELETE",
                false,
                Some("account-auth-token.secondary-deleted"),
            ),
            ("Calls", "POST", true, Some("call.status.updated")),
            ("Calls", "DELETE", true, Some("call.deleted")),
            ("Messages", "POST", false, None),
        ] {
            assert_eq!(
                event_type(name, method, of_one).as_deref(),
                expected,
                "{method} {name}"
            );
        }
    }
}
