//! What a driver does to phone numbers: makes them, marks them, empties the inventory, and makes what
//! Twilio has no API for here: Bundles, and accounts of other people.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::rng::Rng;
use crate::sid::Sid;
use crate::sim::{Sim, SimError};
use crate::world::World;
use crate::world::addresses::BundleStatus;
use crate::world::supply::{Kind, SUPPLIES, Supply};
use crate::world::tariff;
use crate::world::webhooks::Webhook;

use super::{Bad, Reply, nothing, ok, read};

/// Answers what is about numbers; none when it is about something else.
pub(super) fn respond(sim: &Sim, method: &str, what: &str, body: &[u8]) -> Option<Reply> {
    let (resource, id) = what
        .split_once('/')
        .map_or((what, None), |(resource, id)| (resource, Some(id)));
    Some(match (method, resource, id) {
        ("GET", "numbers", None) => Ok(list(&sim.world())),
        ("POST", "numbers", None) => read(body).and_then(|asked| buy(sim, &asked)),
        ("POST", "numbers", Some(id)) => read(body).and_then(|asked| mark(sim, id, &asked)),
        ("POST", "bundles", None) => read(body).and_then(|asked| make_bundle(sim, &asked)),
        ("POST", "bundles", Some(id)) => read(body).and_then(|asked| review(sim, id, &asked)),
        ("POST", "foreign_accounts", None) => {
            read(body).and_then(|asked| make_stranger(sim, &asked))
        }
        ("GET", "inventory", None) => Ok(inventory(sim)),
        ("POST", "inventory", None) => read(body).map(|asked| sell_out(sim, asked)),
        _ => return None,
    })
}

#[derive(Serialize)]
struct NumberState {
    sid: String,
    account_sid: String,
    phone_number: String,
    r#type: &'static str,
    hosted: bool,
    whatsapp_sender_of: Option<String>,
    a2p_campaign: bool,
    /// Where calls, their end, and messages are announced, Applications and trunks considered.
    voice: Option<WebhookState>,
    status_callback: Option<WebhookState>,
    sms: Option<WebhookState>,
}

#[derive(Serialize)]
struct WebhookState {
    url: String,
    method: &'static str,
}

impl From<Webhook> for WebhookState {
    fn from(webhook: Webhook) -> Self {
        Self {
            url: webhook.url,
            method: webhook.method.as_str(),
        }
    }
}

fn list(world: &World) -> Response<Body> {
    let state = |index: usize| {
        let number = &world.numbers[index];
        NumberState {
            sid: number.sid.to_string(),
            account_sid: world.accounts[number.account].sid.to_string(),
            phone_number: number.e164.clone(),
            r#type: number.supply().kind.text(),
            hosted: number.hosted,
            whatsapp_sender_of: number
                .whatsapp_sender
                .map(|account| world.accounts[account].sid.to_string()),
            a2p_campaign: number.a2p_campaign,
            voice: world.voice_webhook(index).map(WebhookState::from),
            status_callback: world.voice_status_callback(index).map(WebhookState::from),
            sms: world.sms_webhook(index).map(WebhookState::from),
        }
    };
    let held: Vec<NumberState> = (0..world.numbers.len())
        .filter(|index| !world.numbers[*index].released)
        .map(state)
        .collect();
    ok(&held)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NumberAsked {
    account_sid: String,
    phone_number: Option<String>,
    iso_country: Option<String>,
    r#type: Option<String>,
    whatsapp_sender: Option<bool>,
    hosted: Option<bool>,
    a2p_campaign: Option<bool>,
}

/// Gives a number to an account, whatever the number asks of its owner.
fn buy(sim: &Sim, asked: &NumberAsked) -> Reply {
    if asked
        .phone_number
        .as_deref()
        .is_some_and(|number| !tariff::is_e164(number))
    {
        return Err(SimError::Invalid("phone number").into());
    }
    let supply = match (&asked.iso_country, &asked.r#type) {
        (None, None) => None,
        (iso, kind) => Some(supply(
            iso.as_deref().unwrap_or("US"),
            kind.as_deref().unwrap_or("local"),
        )?),
    };
    let marks = Marks {
        whatsapp_sender: asked.whatsapp_sender,
        hosted: asked.hosted,
        a2p_campaign: asked.a2p_campaign,
    };
    let bought = sim.change(&asked.account_sid, |world, account, now| {
        let offered = supply
            .filter(|_| asked.phone_number.is_none())
            .and_then(|supply| world.offers(supply).next())
            .map(|offer| offer.number);
        let wanted = asked.phone_number.as_deref().or(offered.as_deref());
        let number = world
            .buy_number(now, account, wanted, "US")
            .ok_or(SimError::Invalid("phone number: somebody holds it"))?;
        marks.apply(world, number);
        let number = &world.numbers[number];
        Ok(BTreeMap::from([
            ("sid", number.sid.to_string()),
            ("phone_number", number.e164.clone()),
        ]))
    })?;
    Ok(ok(&bought))
}

fn supply(iso: &str, kind: &str) -> Result<&'static Supply, Bad> {
    let kind = Kind::parse(kind).ok_or(SimError::Invalid("type"))?;
    SUPPLIES
        .iter()
        .find(|supply| supply.iso == iso && supply.kind == kind)
        .ok_or_else(|| SimError::Invalid("iso_country and type: not sold").into())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Marks {
    whatsapp_sender: Option<bool>,
    hosted: Option<bool>,
    a2p_campaign: Option<bool>,
}

impl Marks {
    fn apply(&self, world: &mut World, index: usize) {
        let number = &mut world.numbers[index];
        if let Some(sender) = self.whatsapp_sender {
            number.whatsapp_sender = sender.then_some(number.account);
        }
        number.hosted = self.hosted.unwrap_or(number.hosted);
        number.a2p_campaign = self.a2p_campaign.unwrap_or(number.a2p_campaign);
    }
}

/// Marks a number that is named by its SID or by itself.
fn mark(sim: &Sim, id: &str, marks: &Marks) -> Reply {
    let id = percent_encoding::percent_decode_str(id).decode_utf8_lossy();
    let mut world = sim.world();
    let found = world
        .find("PN", &id)
        .filter(|number| !world.numbers[*number].released)
        .or_else(|| world.held.get(id.as_ref()).copied());
    let number =
        found.ok_or_else(|| Bad(StatusCode::NOT_FOUND, "no such phone number".to_owned()))?;
    marks.apply(&mut world, number);
    Ok(nothing())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BundleAsked {
    account_sid: String,
    iso_country: String,
    r#type: String,
    status: Option<String>,
}

fn make_bundle(sim: &Sim, asked: &BundleAsked) -> Reply {
    let supply = supply(&asked.iso_country, &asked.r#type)?;
    let status = bundle_status(asked.status.as_deref())?;
    let sid = sim.change(&asked.account_sid, |world, account, _| {
        Ok(world.create_bundle(account, supply.iso, supply.kind, status))
    })?;
    Ok(ok(&BTreeMap::from([("sid", sid.as_str())])))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Review {
    status: String,
}

fn review(sim: &Sim, id: &str, asked: &Review) -> Reply {
    let status = bundle_status(Some(&asked.status))?;
    let mut world = sim.world();
    let bundle = world
        .find("BU", id)
        .ok_or_else(|| Bad(StatusCode::NOT_FOUND, "no such bundle".to_owned()))?;
    world.numbering.bundles[bundle].status = status;
    Ok(nothing())
}

fn bundle_status(text: Option<&str>) -> Result<BundleStatus, SimError> {
    text.map_or(Some(BundleStatus::Approved), BundleStatus::parse)
        .ok_or(SimError::Invalid("status"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StrangerAsked {
    account_sid: Option<String>,
}

fn make_stranger(sim: &Sim, asked: &StrangerAsked) -> Reply {
    let mut world = sim.world();
    let sid = if let Some(text) = asked.account_sid.as_deref() {
        Sid::parse("AC", text)
            .filter(|_| world.find("AC", text).is_none())
            .ok_or(SimError::Invalid("account_sid"))?
    } else {
        let ordinal = world.numbering.strangers.len();
        let parts: [&[u8]; 2] = [b"stranger", &ordinal.to_le_bytes()];
        Sid::draw("AC", &mut Rng::of(world.seed, &parts))
    };
    world.numbering.strangers.insert(sid);
    Ok(ok(&BTreeMap::from([("sid", sid.as_str())])))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inventory {
    sold_out: Vec<String>,
}

fn inventory(sim: &Sim) -> Response<Body> {
    ok(&Inventory {
        sold_out: sim.world().numbering.sold_out.clone(),
    })
}

fn sell_out(sim: &Sim, asked: Inventory) -> Response<Body> {
    sim.world().numbering.sold_out = asked.sold_out;
    inventory(sim)
}
