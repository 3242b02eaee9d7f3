//! What a driver makes by hand: traffic, a call, a message.

use serde::{Deserialize, Serialize};

use crate::config::{Population, TrafficProfile};
use crate::sim::{Sim, SimError};
use crate::world::calls::{CallDraft, CallStatus, Wanted};
use crate::world::messages::{MessageDraft, MessageStatus};
use crate::world::tariff;

use super::{Reply, ok};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrafficStart {
    account_sid: String,
    #[serde(default)]
    profile: TrafficProfile,
}

#[derive(Serialize)]
struct Started {
    account_sid: String,
    numbers: Vec<String>,
}

pub(super) fn start_traffic(sim: &Sim, asked: TrafficStart) -> Reply {
    let numbers = sim.start_traffic(&asked.account_sid, asked.profile)?;
    Ok(ok(&Started {
        account_sid: asked.account_sid,
        numbers,
    }))
}

#[derive(Serialize)]
struct Populated {
    subaccounts: usize,
    first_sid: Option<String>,
    last_sid: Option<String>,
}

pub(super) fn populate(sim: &Sim, asked: &Population) -> Reply {
    let sids = sim.populate(asked)?;
    Ok(ok(&Populated {
        subaccounts: sids.len(),
        first_sid: sids.first().cloned(),
        last_sid: sids.last().cloned(),
    }))
}

#[derive(Serialize)]
struct Made {
    sid: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallAsked {
    account_sid: String,
    to: Option<String>,
    from: Option<String>,
    direction: Option<String>,
    duration_s: Option<u64>,
    outcome: Option<String>,
    status_callback: Option<String>,
    parent_call_sid: Option<String>,
}

pub(super) fn place_call(sim: &Sim, asked: CallAsked) -> Reply {
    let inbound = is_inbound(asked.direction.as_deref())?;
    let outcome = match asked.outcome.as_deref() {
        None | Some("completed") => CallStatus::Completed,
        Some("busy") => CallStatus::Busy,
        Some("no-answer") => CallStatus::NoAnswer,
        Some("failed") => CallStatus::Failed,
        Some(_) => return Err(SimError::Invalid("outcome").into()),
    };
    let parent = match asked.parent_call_sid.as_deref() {
        None => None,
        Some(sid) => {
            Some(crate::sid::Sid::parse("CA", sid).ok_or(SimError::Invalid("parent_call_sid"))?)
        }
    };
    let sid = sim.change(&asked.account_sid, |world, account, now| {
        if !world.may_start(account) {
            return Err(SimError::NotActive);
        }
        let (from, to) = ends(world, account, inbound, asked.from, asked.to)?;
        let seconds = asked
            .duration_s
            .unwrap_or_else(|| world.draw(account).within([10, 600]));
        let (callback, wanted) = (asked.status_callback, Wanted::ALL);
        let draft = CallDraft {
            to,
            from,
            inbound,
            outcome,
            seconds,
            recorded: false,
            parent,
            callback,
            wanted,
        };
        let call = world.create_call(now, account, draft);
        Ok(world.calls[call].sid.to_string())
    })?;
    Ok(ok(&Made { sid }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageAsked {
    account_sid: String,
    to: Option<String>,
    from: Option<String>,
    direction: Option<String>,
    body: Option<String>,
    #[serde(default)]
    num_media: u32,
    outcome: Option<String>,
    status_callback: Option<String>,
}

pub(super) fn send_message(sim: &Sim, asked: MessageAsked) -> Reply {
    let inbound = is_inbound(asked.direction.as_deref())?;
    let outcome = match asked.outcome.as_deref() {
        None | Some("delivered") => MessageStatus::Delivered,
        Some("undelivered") => MessageStatus::Undelivered,
        Some("failed") => MessageStatus::Failed,
        Some(_) => return Err(SimError::Invalid("outcome").into()),
    };
    let sid = sim.change(&asked.account_sid, |world, account, now| {
        if !world.may_start(account) {
            return Err(SimError::NotActive);
        }
        let (from, to) = ends(world, account, inbound, asked.from, asked.to)?;
        let body = asked.body.unwrap_or_else(|| "Hello".to_owned());
        let (num_media, callback) = (asked.num_media, asked.status_callback);
        let message = world.create_message(
            now,
            account,
            MessageDraft {
                to,
                from,
                inbound,
                body,
                num_media,
                callback,
                outcome,
            },
        );
        Ok(world.messages[message].sid.to_string())
    })?;
    Ok(ok(&Made { sid }))
}

fn is_inbound(direction: Option<&str>) -> Result<bool, SimError> {
    match direction {
        None | Some("outbound-api") => Ok(false),
        Some("inbound") => Ok(true),
        Some(_) => Err(SimError::Invalid("direction")),
    }
}

/// `(from, to)`: what was asked, else a number of the account's (bought if it has none) and somebody's.
fn ends(
    world: &mut crate::world::World,
    account: usize,
    inbound: bool,
    from: Option<String>,
    to: Option<String>,
) -> Result<(String, String), SimError> {
    if [&from, &to]
        .into_iter()
        .flatten()
        .any(|number| !tariff::is_e164(number))
    {
        return Err(SimError::Invalid("phone number"));
    }
    let (own, other) = if inbound { (to, from) } else { (from, to) };
    let own = match (own, world.accounts[account].numbers.first()) {
        (Some(own), _) => own,
        (None, Some(number)) => world.numbers[*number].e164.clone(),
        (None, None) => return Err(SimError::Invalid("number: the account holds none")),
    };
    let other = match other {
        Some(other) => other,
        None => tariff::draw_number(&tariff::COUNTRIES[0], &mut world.draw(account)),
    };
    Ok(if inbound { (other, own) } else { (own, other) })
}
