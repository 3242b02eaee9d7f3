//! Before a number moves: everything that could stand in its way is asked for, so that a person learns of
//! all of it at once and nothing is half moved.

use domain::ids::AccountSid;
use domain::numbers::{AddressNeed, MoveFacts, Obstacle, obstacles};
use serde_json::{Value, json};
use twilio::numbers::AddressRequirement;
use twilio::{AccountStatus, CallFilter, CallStatus, IncomingNumber};

use crate::app::App;
use crate::problem::{Code, Failure};

/// What the caller brings or accepts.
#[derive(Debug, Clone, Copy, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a check list: each is a decision of its own"
)]
pub(crate) struct Accepted {
    pub(crate) address: bool,
    pub(crate) bundle: bool,
    pub(crate) is_whatsapp_sender: bool,
    pub(crate) campaign_loss: bool,
    pub(crate) live_calls: bool,
}

/// Asks Twilio for all that decides whether a number may move.
pub(crate) async fn facts(
    app: &App,
    number: &IncomingNumber,
    to: &AccountSid,
    accepted: Accepted,
) -> Result<MoveFacts, Failure> {
    let gaining = app.main.call(|main| {
        let client = &app.twilio;
        async move { client.fetch_account(&main.into(), to).await }
    });
    let gaining = gaining.await?;
    let needs_none = number
        .address_requirements
        .as_ref()
        .is_none_or(|need| *need == AddressRequirement::None);
    Ok(MoveFacts {
        address_need: if needs_none {
            AddressNeed::Nothing
        } else {
            AddressNeed::Address
        },
        has_address: accepted.address,
        has_bundle: number.bundle_sid.is_some(),
        gives_bundle: accepted.bundle,
        is_hosted: number.origin.as_deref() == Some("hosted"),
        is_whatsapp_sender: accepted.is_whatsapp_sender,
        campaigns: if accepted.campaign_loss {
            0
        } else {
            campaigns(app, number).await?
        },
        accepts_campaign_loss: accepted.campaign_loss,
        live_calls: live_calls(app, number).await?,
        accepts_live_calls: accepted.live_calls,
        gaining_is_active: gaining.status == AccountStatus::Active,
    })
}

/// Live calls to or from a number.
async fn live_calls(app: &App, number: &IncomingNumber) -> Result<usize, Failure> {
    let mut live = 0;
    for status in CallStatus::LIVE {
        let to_it = CallFilter {
            to: Some(number.phone_number.clone()),
            status: Some(status.clone()),
            ..CallFilter::default()
        };
        let from_it = CallFilter {
            from: Some(number.phone_number.clone()),
            status: Some(status),
            ..CallFilter::default()
        };
        for filter in [to_it, from_it] {
            let listed = app.main.call(|main| {
                let (client, filter) = (&app.twilio, &filter);
                let account = &number.account_sid;
                async move { client.list_calls(&main.into(), account, filter).await }
            });
            live += listed.await?.len();
        }
    }
    Ok(live)
}

/// Services with a registered campaign that the number sends for. They are asked for in the losing
/// subaccount's own name: the main account's would list its own. Numbers of the main account are not asked.
/// A suspended subaccount cannot ask; who moves a number out of one accepts the loss beforehand.
async fn campaigns(app: &App, number: &IncomingNumber) -> Result<usize, Failure> {
    let own = app.own_credentials(&number.account_sid).await?;
    let Some(own) = own else {
        return Ok(0);
    };
    let mut found = 0;
    for service in app.twilio.list_messaging_services(&own).await? {
        if service.us_app_to_person_registered != Some(true) {
            continue;
        }
        let numbers = app.twilio.list_service_numbers(&own, &service.sid).await?;
        found += usize::from(numbers.iter().any(|sender| sender.sid == number.sid));
    }
    Ok(found)
}

/// Refuses a move that something stands in the way of, naming all of it.
pub(crate) fn clear(facts: &MoveFacts) -> Result<(), Failure> {
    let standing = obstacles(facts);
    if standing.is_empty() {
        return Ok(());
    }
    let codes: Vec<&str> = standing.into_iter().map(Obstacle::code).collect();
    Err(Code::NUMBER_BOUND.because(codes.join(", ")))
}

/// The pre-flight as an answer.
pub(super) fn shown(number: &IncomingNumber, to: &AccountSid, facts: &MoveFacts) -> Value {
    let standing = obstacles(facts).into_iter().map(Obstacle::code);
    let standing: Vec<&str> = standing.collect();
    json!({
        "dry_run": true,
        "sid": number.sid.as_str(),
        "phone_number": number.phone_number,
        "from": number.account_sid.as_str(),
        "to": to.as_str(),
        "would_transfer": standing.is_empty(),
        "obstacles": standing,
        "live_calls": facts.live_calls,
        "campaigns": facts.campaigns,
    })
}
