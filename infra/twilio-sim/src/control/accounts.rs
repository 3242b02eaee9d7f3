//! What a driver does to accounts from outside: what Twilio itself or its Console would do, and limits.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::Response;
use serde::{Deserialize, Serialize};

use crate::sim::{Sim, SimError};
use crate::world::accounts::{KeyKind, Status};
use crate::world::monitor::Done;

use super::{Reply, merged, nothing, ok, signing};

/// The largest discount: nothing is left to pay.
const PER_MILLE_MAX: u32 = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountSet {
    status: Option<String>,
    by_twilio: Option<bool>,
    discount_per_mille: Option<u32>,
    #[serde(default, deserialize_with = "signing::given")]
    shared_key: Option<signing::Signing>,
}

pub(super) fn set_account(sim: &Sim, sid: &str, asked: &AccountSet) -> Reply {
    let status = match asked.status.as_deref() {
        None => None,
        Some(text) => match Status::parse(text) {
            Some(Status::Closed) | None => return Err(SimError::Invalid("status").into()),
            status => status,
        },
    };
    if asked
        .discount_per_mille
        .is_some_and(|off| off > PER_MILLE_MAX)
    {
        return Err(SimError::Invalid("discount_per_mille").into());
    }
    let signing = asked.shared_key.as_ref().map(signing::Signing::read);
    let shared_key = signing.transpose()?;
    sim.change(sid, |world, account, now| {
        if status.is_some() && world.accounts[account].status == Status::Closed {
            return Err(SimError::Invalid("status: the account is closed for good"));
        }
        if let Some(status) = status {
            world.platform_status(account, status, now);
        }
        if let Some(by_twilio) = asked.by_twilio {
            world.accounts[account].by_twilio = by_twilio;
        }
        if let Some(key) = shared_key {
            world.set_shared_key(account, key);
        }
        if let Some(off) = asked.discount_per_mille {
            world.accounts[account].discount_per_mille = off;
        }
        Ok(())
    })?;
    Ok(nothing())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyAsked {
    account_sid: String,
    kind: Option<String>,
    friendly_name: Option<String>,
}

/// Makes a key as a person does in the Console, the only place where Main keys are made.
pub(super) fn make_key(sim: &Sim, asked: &KeyAsked) -> Reply {
    let kind = match asked.kind.as_deref() {
        None | Some("main") => KeyKind::Main,
        Some("standard") => KeyKind::Standard,
        Some(_) => return Err(SimError::Invalid("kind").into()),
    };
    let made = sim.change(&asked.account_sid, |world, account, now| {
        if world.accounts[account].status == Status::Closed {
            return Err(SimError::NotActive);
        }
        let key = world.create_key(account, kind, asked.friendly_name.as_deref(), now);
        let (sid, secret) = (world.keys[key].sid, world.keys[key].secret.clone());
        let owner = world.accounts[account].sid;
        world.audit(Done {
            account,
            event_type: "account-api-keys.created".to_owned(),
            resource: Some(sid),
            resource_url: format!("https://api.twilio.com/2010-04-01/Accounts/{owner}/Keys/{sid}"),
            source: "web",
            ..Done::by_twilio("user", now)
        });
        Ok(BTreeMap::from([
            ("sid", sid.to_string()),
            ("secret", secret),
        ]))
    })?;
    Ok(ok(&made))
}

/// Limits that Twilio keeps; they are set at the start and can be changed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    subaccount_limit: usize,
    concurrency_max: Option<u32>,
}

fn limits(sim: &Sim) -> Limits {
    let world = sim.world();
    Limits {
        subaccount_limit: world.subaccount_limit,
        concurrency_max: world.concurrency_max,
    }
}

pub(super) fn show_limits(sim: &Sim) -> Response<Body> {
    ok(&limits(sim))
}

pub(super) fn set_limits(sim: &Sim, body: &[u8]) -> Reply {
    let changed = merged(&limits(sim), body)?;
    let mut world = sim.world();
    world.subaccount_limit = changed.subaccount_limit;
    world.concurrency_max = changed.concurrency_max;
    drop(world);
    Ok(ok(&changed))
}
