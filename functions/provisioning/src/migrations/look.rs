//! What a migration asks Twilio for before it decides, and nothing else.

use domain::ids::AccountSid;
use domain::migration::{FoundNumber, Item, ItemState, Migration, external_obstacles, preflight};
use domain::numbers::NumberUrls;
use twilio::IncomingNumber;
use twilio::addresses::AddressFilter;

use crate::app::App;
use crate::numbers::{Accepted, facts, held_by};
use crate::problem::Failure;

/// The stable code of a number that the losing subaccount does not hold.
const NOT_HELD: &str = "number_not_found";

/// What was found of a number before it moves.
pub(super) struct Found {
    pub(super) phone_number: String,
    pub(super) state: ItemState,
    pub(super) number: Option<IncomingNumber>,
}

/// The URLs of a number.
pub(super) fn urls_of(number: &IncomingNumber) -> NumberUrls {
    NumberUrls {
        voice_url: number.voice_url.clone(),
        sms_url: number.sms_url.clone(),
        status_callback: number.status_callback.clone(),
    }
}

/// The numbers of an account for a verification.
pub(super) async fn found_in(app: &App, sid: &AccountSid) -> Result<Vec<FoundNumber>, Failure> {
    let held = held_by(app, sid).await?;
    let found = held.iter().map(|number| FoundNumber {
        phone_number: number.phone_number.clone(),
        urls: urls_of(number),
    });
    Ok(found.collect())
}

/// The pre-flight of numbers that Twilio moves for us: only the gaining subaccount can be asked.
pub(super) async fn external(
    app: &App,
    migration: &Migration,
    gaining: &AccountSid,
    wanted: impl Fn(&Item) -> bool,
) -> Result<Vec<Found>, Failure> {
    let needs_address = migration
        .items
        .iter()
        .any(|item| wanted(item) && item.marks.needs_address);
    let has_address =
        migration.address_sid.is_some() || (needs_address && has_addresses(app, gaining).await?);
    let has_bundle = migration.bundle_sid.is_some();
    let looked_at = migration.items.iter().filter(|item| wanted(item));
    let found = looked_at.map(|item| Found {
        phone_number: item.phone_number.clone(),
        state: preflight(&external_obstacles(item.marks, has_address, has_bundle)),
        number: None,
    });
    Ok(found.collect())
}

async fn has_addresses(app: &App, account_sid: &AccountSid) -> Result<bool, Failure> {
    let filter = AddressFilter::default();
    let listed = app.main.call(|main| {
        let (client, filter) = (&app.twilio, &filter);
        async move {
            client
                .list_addresses(&main.into(), account_sid, filter)
                .await
        }
    });
    Ok(!listed.await?.is_empty())
}

/// The pre-flight of numbers that we move ourselves: all that a transfer asks for.
pub(super) async fn split(
    app: &App,
    migration: &Migration,
    gaining: &AccountSid,
    wanted: impl Fn(&Item) -> bool,
) -> Result<Vec<Found>, Failure> {
    let held = held_by(app, &migration.losing_sid).await?;
    let accepted = Accepted {
        address: migration.address_sid.is_some(),
        bundle: migration.bundle_sid.is_some(),
        campaign_loss: migration.accepts.campaign_loss,
        live_calls: migration.accepts.live_calls,
        ..Accepted::default()
    };
    let mut found = Vec::new();
    for item in migration.items.iter().filter(|item| wanted(item)) {
        let number = held
            .iter()
            .find(|number| number.phone_number == item.phone_number);
        let state = match number {
            Some(number) => {
                let accepted = Accepted {
                    is_whatsapp_sender: item.marks.whatsapp_sender,
                    ..accepted
                };
                let facts = facts(app, number, gaining, accepted).await?;
                preflight(&domain::numbers::obstacles(&facts))
            }
            None => ItemState::blocked(NOT_HELD),
        };
        found.push(Found {
            phone_number: item.phone_number.clone(),
            state,
            number: number.cloned(),
        });
    }
    Ok(found)
}

/// Notes what the pre-flight found. URLs that nobody asked for stay as they are.
pub(super) fn noted(migration: &Migration, found: &[Found], at: jiff::Timestamp) -> Migration {
    let of = |item: &Item| {
        found
            .iter()
            .find(|found| found.phone_number == item.phone_number)
    };
    let mut next = migration.advanced(at, |item| Some(of(item)?.state.clone()));
    for item in &mut next.items {
        let Some(number) = of(item).and_then(|found| found.number.as_ref()) else {
            continue;
        };
        item.sid = Some(number.sid.clone());
        item.former_urls = urls_of(number);
        let (asked, former) = (&mut item.urls, &item.former_urls);
        asked.voice_url = asked.voice_url.take().or_else(|| former.voice_url.clone());
        asked.sms_url = asked.sms_url.take().or_else(|| former.sms_url.clone());
    }
    next
}
