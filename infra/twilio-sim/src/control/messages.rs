//! A message that a driver sends by hand, with the end that it takes.

use jiff::Timestamp;
use serde::Deserialize;

use crate::sid::Sid;
use crate::sim::{Sim, SimError};
use crate::world::messages::{MessageDraft, MessageStatus};
use crate::world::tariff;

use super::make::{Ends, Made, is_inbound};
use super::{Reply, ok};

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
    error_code: Option<u32>,
    messaging_service_sid: Option<String>,
    send_at: Option<Timestamp>,
    validity_s: Option<u64>,
    status_callback: Option<String>,
    #[serde(default)]
    unpriced: bool,
}

pub(super) fn send(sim: &Sim, asked: MessageAsked) -> Reply {
    let inbound = is_inbound(asked.direction.as_deref())?;
    let outcome = match asked.outcome.as_deref() {
        None | Some("delivered") => MessageStatus::Delivered,
        Some("undelivered") => MessageStatus::Undelivered,
        Some("failed") => MessageStatus::Failed,
        Some(_) => return Err(SimError::Invalid("outcome").into()),
    };
    let service = match asked.messaging_service_sid.as_deref() {
        None => None,
        Some(sid) => Some(Sid::parse("MG", sid).ok_or(SimError::Invalid("messaging_service_sid"))?),
    };
    let ends = Ends {
        inbound,
        from: asked.from,
        to: asked.to,
        takes: tariff::is_e164,
    };
    let sid = sim.change(&asked.account_sid, |world, account, now| {
        if !world.may_start(account) {
            return Err(SimError::NotActive);
        }
        let (from, to) = ends.find(world, account)?;
        let body = asked.body.unwrap_or_else(|| "Hello".to_owned());
        let draft = MessageDraft {
            inbound,
            num_media: asked.num_media,
            callback: asked.status_callback,
            service,
            send_at: asked.send_at,
            validity_s: asked.validity_s,
            outcome,
            error: asked.error_code,
            unpriced: asked.unpriced,
            ..MessageDraft::new(from, to, body)
        };
        let message = world.create_message(now, account, draft);
        Ok(world.messages[message].sid.to_string())
    })?;
    Ok(ok(&Made { sid }))
}
