//! What happens to a tenant besides a month of traffic: its auth token is rotated while callbacks flow, and
//! it is closed with its numbers rescued, its money paid back and its history archived.
//!
//! Played on a stack of its own, over HTTP, after the month: closing settles for three days, and the month's
//! figures must not move.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::{Value, json};

use super::{Api, DemoError, START};
use crate::stack::{Stack, StackConfig};

/// Messages that are sent before, while and after the token is rotated.
const MESSAGES: usize = 20;

/// The story in figures.
#[derive(Debug, Serialize)]
pub(crate) struct Life {
    pub(crate) rotation: Rotation,
    pub(crate) closing: Closing,
}

impl Life {
    /// Everything ended as it should.
    pub(crate) fn is_well(&self) -> bool {
        self.rotation.state == "rotated"
            && self.rotation.refused == 0
            && self.closing.lifecycle == "closed"
            && self.closing.balance == "0"
    }
}

/// A rotation in mid-traffic.
#[derive(Debug, Serialize)]
pub(crate) struct Rotation {
    pub(crate) tenant_id: String,
    pub(crate) callbacks: usize,
    pub(crate) accepted: usize,
    pub(crate) refused: usize,
    /// The token in Secrets Manager is another one than before, and Twilio takes it.
    pub(crate) state: String,
}

/// A closing with rescue.
#[derive(Debug, Serialize)]
pub(crate) struct Closing {
    pub(crate) tenant_id: String,
    pub(crate) lifecycle: String,
    pub(crate) live_calls_ended: usize,
    pub(crate) numbers_rescued: usize,
    pub(crate) refunded: String,
    pub(crate) balance: String,
    pub(crate) files_archived: usize,
}

/// Plays it.
pub(crate) async fn play(seed: u64) -> Result<Life, DemoError> {
    let start: Timestamp = START.parse()?;
    let stack = Stack::start(StackConfig::manual(seed, start)).await?;
    let api = Api::new(&stack)?;
    let plan = json!({ "name": "Standard", "currency": "USD", "default_multiplier": "1.5" });
    let plan = api.post("/v1/plans", "plan", &plan).await?;
    let tenant = json!({
        "name": "Harbor Dental", "plan_id": plan["plan_id"],
        "numbers": [{ "country": "US", "sms": true, "voice": true }, { "country": "US", "sms": true }],
    });
    let tenant = api.post("/v1/tenants", "sign-up", &tenant).await?;
    let id = text(&tenant["id"])?;
    let money = json!({ "amount": "100" });
    api.post(&format!("/v1/tenants/{id}/top-ups"), "pay", &money)
        .await?;
    Ok(Life {
        rotation: rotate(&stack, &api, &tenant).await?,
        closing: close(&stack, &api, &tenant).await?,
    })
}

fn text(value: &Value) -> Result<String, DemoError> {
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| format!("no text: {value}").into())
}

async fn rotate(stack: &Stack, api: &Api, tenant: &Value) -> Result<Rotation, DemoError> {
    let id = text(&tenant["id"])?;
    let message = json!({
        "account_sid": tenant["account_sid"], "status_callback": tenant["callback_urls"]["message"],
        "outcome": "delivered",
    });
    let mut state = String::new();
    for sent in 0..MESSAGES {
        api.simulate("/messages", &message).await?;
        // Callbacks of earlier messages are under way while the token changes.
        stack.run_for(SignedDuration::from_secs(3)).await;
        if sent == MESSAGES / 2 {
            let path = format!("/v1/tenants/{id}/rotate-token");
            let why = json!({ "reason": "demo" });
            state = text(&api.post(&path, "rotate", &why).await?["state"])?;
        }
    }
    stack.run_for(SignedDuration::from_mins(5)).await;
    let seen = api.simulated("/callbacks").await?;
    let rows = seen["callbacks"].as_array().or(seen.as_array());
    let statuses: Vec<u64> = rows
        .into_iter()
        .flatten()
        .filter_map(|row| row["http_status"].as_u64())
        .collect();
    let accepted = statuses.iter().filter(|status| **status == 204).count();
    Ok(Rotation {
        tenant_id: id,
        callbacks: statuses.len(),
        accepted,
        refused: statuses.len() - accepted,
        state,
    })
}

async fn close(stack: &Stack, api: &Api, tenant: &Value) -> Result<Closing, DemoError> {
    let id = text(&tenant["id"])?;
    let path = format!("/v1/tenants/{id}");
    let call = json!({
        "account_sid": tenant["account_sid"], "duration_s": 864_000, "outcome": "completed",
    });
    api.simulate("/calls", &call).await?;
    stack.run_for(SignedDuration::from_hours(2)).await;
    let goodbye =
        json!({ "reason": "contract ended", "confirm": tenant["name"], "rescue_numbers": true });
    api.post(&format!("{path}/close"), "close", &goodbye)
        .await?;
    stack.run_for(SignedDuration::from_hours(5 * 24)).await;
    let shown = api.get(&path).await?;
    let proofs = api.get(&format!("{path}/suspensions")).await?;
    let ended = proofs["suspensions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|proof| proof["calls_ended"].as_u64());
    let rescued = api.get("/v1/main-account/numbers").await?;
    let wallet = api.get(&format!("{path}/ledger")).await?;
    let entries = wallet["entries"].as_array().into_iter().flatten();
    let mut postings = entries
        .filter(|entry| entry["kind"] == "refund")
        .flat_map(|entry| entry["postings"].as_array().into_iter().flatten());
    let refund = postings
        .find(|posting| posting["account"] == "cash")
        .and_then(|posting| posting["amount"].as_str())
        .map(|amount| amount.trim_start_matches('-'));
    let folder = format!("/{id}/");
    let files = stack.aws.objects();
    Ok(Closing {
        lifecycle: text(&shown["lifecycle"])?,
        live_calls_ended: usize::try_from(ended.sum::<u64>())?,
        numbers_rescued: rescued["numbers"].as_array().map_or(0, Vec::len),
        refunded: refund.unwrap_or("0").to_owned(),
        balance: text(&shown["balance"])?,
        files_archived: files.keys().filter(|key| key.contains(&folder)).count(),
        tenant_id: id,
    })
}
