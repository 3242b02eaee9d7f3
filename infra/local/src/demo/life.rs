//! What happens to a tenant besides a month of traffic: numbers come to it from the client's own account or out
//! of a shared subaccount, its auth token is rotated while callbacks flow, and it is closed with its numbers rescued, its money paid back and its history archived.
//!
//! Played on a stack of its own, over HTTP, after the month: closing settles for three days, and the month's
//! figures must not move.

use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Api, DemoError, START};
use crate::stack::{Stack, StackConfig};

/// Messages that are sent before, while and after the token is rotated.
const MESSAGES: usize = 20;

/// The story in figures.
#[derive(Debug, Serialize)]
pub(crate) struct Life {
    pub(crate) migrations: Vec<Migration>,
    pub(crate) rotation: Rotation,
    pub(crate) closing: Closing,
}

impl Life {
    /// Everything ended as it should.
    pub(crate) fn is_well(&self) -> bool {
        self.rotation.state == "rotated"
            && self.rotation.refused == 0
            && self
                .migrations
                .iter()
                .all(|one| one.is_verified && one.numbers_live == one.numbers)
            && self.closing.lifecycle == "closed"
            && self.closing.balance == "0"
    }
}

/// Numbers that came to a tenant.
#[derive(Debug, Serialize)]
pub(crate) struct Migration {
    pub(crate) kind: String,
    pub(crate) tenant_id: String,
    pub(crate) numbers_live: usize,
    pub(crate) numbers: usize,
    /// Our books, credentials and numbers were held against Twilio's.
    pub(crate) is_verified: bool,
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
    let profile = json!({ "name": "Resale Inc.", "email": "numbers@resale.example" });
    api.send(Method::PUT, "/v1/operator-profile", &profile)
        .await?;
    let plan_id = text(&plan["plan_id"])?;
    Ok(Life {
        migrations: vec![
            bring(&stack, &api, &plan_id).await?,
            split(&stack, &api, &plan_id).await?,
        ],
        rotation: rotate(&stack, &api, &tenant).await?,
        closing: close(&stack, &api, &tenant).await?,
    })
}

fn text(value: &Value) -> Result<String, DemoError> {
    let text = value.as_str().map(str::to_owned);
    text.ok_or_else(|| format!("no text: {value}").into())
}

/// A client's numbers come from its own Twilio account: two tickets, a watch, configuration, hand-over.
async fn bring(stack: &Stack, api: &Api, plan_id: &str) -> Result<Migration, DemoError> {
    let losing = api.simulate("/foreign_accounts", &json!({})).await?;
    let numbers = ["+12125550111", "+12125550112"];
    let wanted = numbers.map(|number| json!({ "phone_number": number }));
    let body = json!({
        "kind": "external", "client": { "name": "Maple Vet", "plan_id": plan_id },
        "client_email": "owner@maple.example", "account_sid": losing["sid"], "numbers": wanted,
        "urls": { "voice_url": "https://app.example/voice" },
    });
    let made = api.post("/v1/migrations", "bring", &body).await?;
    let path = format!("/v1/migrations/{}", text(&made["id"])?);
    stack.run_for(SignedDuration::from_mins(15)).await;
    let tickets = json!({ "operator_ticket": "4711", "client_ticket": "4712" });
    let filed = api
        .post(&format!("{path}/requested"), "filed", &tickets)
        .await?;
    // Twilio's people move the numbers.
    for number in numbers {
        let body = json!({ "account_sid": filed["gaining_account_sid"], "phone_number": number });
        api.simulate("/numbers", &body).await?;
    }
    stack.run_for(SignedDuration::from_mins(70)).await;
    go_live(api, &path, "bring").await
}

/// A tenant gets a subaccount of its own: its number leaves the one that it shares.
async fn split(stack: &Stack, api: &Api, plan_id: &str) -> Result<Migration, DemoError> {
    let shared = [("FriendlyName", "Everybody's")];
    let shared = api.twilio_post("/Accounts.json", &shared).await?;
    let shared = text(&shared["sid"])?;
    let mut members = serde_json::Map::new();
    let mut ids = Vec::new();
    for (name, number) in [
        ("Cedar Gym", "+12125550121"),
        ("Birch Cafe", "+12125550122"),
    ] {
        let tenant = json!({ "name": name, "plan_id": plan_id });
        let tenant = api.post("/v1/tenants", number, &tenant).await?;
        let body = json!({ "account_sid": shared, "phone_number": number });
        api.simulate("/numbers", &body).await?;
        let id = text(&tenant["id"])?;
        members.insert(id.clone(), json!([number]));
        ids.push(id);
    }
    let place = format!("/v1/shared-subaccounts/{shared}");
    api.send(Method::PUT, &place, &json!({ "members": members }))
        .await?;
    let body = json!({ "kind": "split", "account_sid": shared, "tenant_id": ids[0] });
    let made = api.post("/v1/migrations", "split", &body).await?;
    let path = format!("/v1/migrations/{}", text(&made["id"])?);
    api.post(&format!("{path}/requested"), "cut-over", &json!({}))
        .await?;
    stack.run_for(SignedDuration::from_mins(15)).await;
    go_live(api, &path, "split").await
}

/// The platform gets the new credentials, and says that it has them.
async fn go_live(api: &Api, path: &str, key: &str) -> Result<Migration, DemoError> {
    let (hand_over, live) = (format!("{key}-credentials"), format!("{key}-live"));
    api.post(&format!("{path}/credentials"), &hand_over, &json!({}))
        .await?;
    let ended = api.post(&format!("{path}/live"), &live, &json!({})).await?;
    let numbers = ended["numbers"].as_array().ok_or("no numbers")?;
    let is_live = |number: &&Value| number["state"] == "live";
    Ok(Migration {
        kind: text(&ended["kind"])?,
        tenant_id: text(&ended["tenant_id"])?,
        numbers_live: numbers.iter().filter(is_live).count(),
        numbers: numbers.len(),
        is_verified: ended["verification"]["ok"] == true,
    })
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
