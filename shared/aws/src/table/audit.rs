//! Table `audit`: one row per act on a tenant, chained by hash; the head of the chain stands on the tenant.

use domain::ids::TenantId;
use domain::tenant::Tenant;
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::StoreError;
use crate::store::to_item;
use crate::transaction::Item;

/// An act, before it has its place in the chain.
#[derive(Debug, Clone)]
pub struct AuditDraft {
    /// Who: an operator key's id or a function's name.
    pub actor: String,
    /// What: a verb and its object, such as `tenant.suspend`.
    pub act: &'static str,
    /// Why, for people.
    pub reason: String,
    /// The request or message that asked for it.
    pub request: String,
}

#[derive(Serialize)]
struct AuditItem<'a> {
    pk: String,
    sk: String,
    v: u32,
    actor: &'a str,
    act: &'a str,
    reason: &'a str,
    request: &'a str,
    at: Timestamp,
    before: String,
    after: String,
    prev: &'a str,
    hash: String,
}

/// Gives the act its place: the row to write, and the tenant with the chain's new head.
pub(crate) fn chain(
    draft: &AuditDraft,
    before: Option<&Tenant>,
    after: &Tenant,
    at: Timestamp,
) -> Result<(Item, Tenant), StoreError> {
    let seq = after.audit_seq + 1;
    let mut item = AuditItem {
        pk: partition(&after.id),
        sk: format!("A#{seq:010}"),
        v: 1,
        actor: &draft.actor,
        act: draft.act,
        reason: &draft.reason,
        request: &draft.request,
        at,
        before: before.map(summary).unwrap_or_default(),
        after: summary(after),
        prev: &after.audit_head,
        hash: String::new(),
    };
    item.hash = hash(&item)?;
    let head = item.hash.clone();
    let row = to_item("write audit row", &item)?;
    Ok((
        row,
        Tenant {
            audit_seq: seq,
            audit_head: head,
            ..after.clone()
        },
    ))
}

fn partition(tenant: &TenantId) -> String {
    format!("T#{tenant}")
}

fn summary(tenant: &Tenant) -> String {
    let holds: Vec<&str> = tenant.holds.keys().map(|hold| hold.name()).collect();
    let sid = tenant.account_sid.as_ref().map_or("-", |sid| sid.as_str());
    let twilio = tenant
        .twilio_status
        .map_or("-", domain::tenant::TwilioStatus::name);
    format!(
        "{} [{}] twilio={twilio} sid={sid}",
        tenant.status(),
        holds.join(",")
    )
}

/// SHA-256 over the canonical JSON of a row whose own hash is still empty, as url-safe base64.
pub(crate) fn hash(row: &impl Serialize) -> Result<String, StoreError> {
    use base64::Engine as _;
    let json =
        serde_json::to_vec(row).map_err(|error| StoreError::malformed("hash a row", error))?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(Sha256::digest(json)))
}
