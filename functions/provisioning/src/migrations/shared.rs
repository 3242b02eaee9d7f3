//! `/v1/shared-subaccounts`: which numbers of a subaccount that several tenants share are whose.
//!
//! The owner row of such a subaccount is nobody's, so that no tenant can adopt it. What a member holds there is in
//! the numbers' records, with its time, so that usage can be charged by number.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws::{CommitError, RECORDS_MAX, SharedSubaccount};
use axum::Extension;
use axum::extract::State;
use domain::ids::{AccountSid, TenantId};
use domain::migration::{NUMBERS_MAX, check_number};
use domain::numbers::NumberRecord;
use domain::tenant::Tenant;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use twilio::IncomingNumber;

use crate::app::{App, TRIES_MAX, audit};
use crate::extract::{Caller, Item, JsonBody};
use crate::numbers::{as_found, held_by};
use crate::problem::{Answer, Code, Failure, unavailable};
use crate::tenants::lost_race;
use crate::view;

/// Members of one subaccount.
const MEMBERS_MAX: usize = 50;

/// Who the members are, and which numbers are whose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Members {
    members: BTreeMap<TenantId, Vec<String>>,
}

fn invalid(why: &'static str) -> Failure {
    Code::MIGRATION_INVALID.because(why)
}

fn body(shared: &SharedSubaccount) -> Value {
    json!({ "account_sid": shared.account_sid.as_str(), "members": shared.members })
}

fn sid_of(item: &str) -> Result<AccountSid, Failure> {
    AccountSid::parse(item).map_err(|_| Code::SHARED_SUBACCOUNT_NOT_FOUND.into())
}

/// Lists them.
pub async fn list(State(app): State<Arc<App>>) -> Answer {
    let all = app.store.shared_subaccounts().await?;
    let all: Vec<Value> = all.iter().map(body).collect();
    Ok(view::json(
        StatusCode::OK,
        &json!({ "shared_subaccounts": all }),
    ))
}

/// Shows one with the numbers that it holds now, and those that are no member's.
pub async fn read(State(app): State<Arc<App>>, Item(item): Item) -> Answer {
    let sid = sid_of(&item)?;
    let shared = app.store.shared_subaccount(&sid).await?;
    let shared = shared.ok_or(Code::SHARED_SUBACCOUNT_NOT_FOUND)?;
    let held = held_by(&app, &sid).await?;
    let of_members: BTreeSet<&String> = shared.members.values().flatten().collect();
    let mut shown = body(&shared);
    let numbers = |is_wanted: &dyn Fn(&String) -> bool| -> Vec<&str> {
        let wanted = held.iter().filter(|number| is_wanted(&number.phone_number));
        wanted.map(|number| number.phone_number.as_str()).collect()
    };
    shown["held"] = json!(numbers(&|_| true));
    shown["unattributed"] = json!(numbers(&|number| !of_members.contains(number)));
    Ok(view::json(StatusCode::OK, &shown))
}

/// Says who the members are. Saying it again changes nothing.
pub async fn replace(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    Item(item): Item,
    JsonBody { value, .. }: JsonBody<Members>,
) -> Answer {
    let sid = sid_of(&item)?;
    check(&value)?;
    if sid == app.main_sid().await? {
        return Err(invalid("the main account is no shared subaccount"));
    }
    for id in value.members.keys() {
        app.tenant(id).await?;
    }
    let held = held_by(&app, &sid).await?;
    let gone = |number: &&String| !held.iter().any(|held| held.phone_number == **number);
    let gone: Vec<&String> = value.members.values().flatten().filter(gone).collect();
    let known = app.store.shared_subaccount(&sid).await?;
    if known.is_none() && !gone.is_empty() {
        return Err(Code::NUMBER_NOT_FOUND.because("a member's number is not in the subaccount"));
    }
    let shared = written(&app, &sid, value.members).await?;
    for (member, numbers) in &shared.members {
        let own = held
            .iter()
            .filter(|number| numbers.contains(&number.phone_number));
        let own: Vec<&IncomingNumber> = own.collect();
        for chunk in own.chunks(RECORDS_MAX) {
            write_member(&app, &caller, member, &sid, chunk).await?;
        }
    }
    Ok(view::json(StatusCode::OK, &body(&shared)))
}

fn check(value: &Members) -> Result<(), Failure> {
    if value.members.is_empty() || value.members.len() > MEMBERS_MAX {
        return Err(invalid("members must be 1 to 50"));
    }
    let mut seen = BTreeSet::new();
    for numbers in value.members.values() {
        if numbers.len() > NUMBERS_MAX {
            return Err(invalid("a member has at most 100 numbers"));
        }
        for number in numbers {
            check_number(number).map_err(invalid)?;
            if !seen.insert(number) {
                return Err(invalid("a number is one member's"));
            }
        }
    }
    Ok(())
}

async fn written(
    app: &App,
    sid: &AccountSid,
    members: BTreeMap<TenantId, Vec<String>>,
) -> Result<SharedSubaccount, Failure> {
    for _ in 0..TRIES_MAX {
        let known = app.store.shared_subaccount(sid).await?;
        if let Some(known) = known.as_ref().filter(|known| known.members == members) {
            return Ok(known.clone());
        }
        let next = SharedSubaccount {
            account_sid: sid.clone(),
            ver: known.map_or(0, |known| known.ver),
            members: members.clone(),
        };
        match app.store.put_shared_subaccount(&next).await {
            Ok(shared) => return Ok(shared),
            Err(error) if error.is_conflict_on("S") => return Err(Code::SUBACCOUNT_OWNED.into()),
            Err(CommitError::Conflict { .. }) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the shared subaccount kept changing"))
}

/// The member's row and its numbers' records. What is said already is not written again.
async fn write_member(
    app: &App,
    caller: &Caller,
    member: &TenantId,
    sid: &AccountSid,
    held: &[&IncomingNumber],
) -> Result<(), Failure> {
    for _ in 0..TRIES_MAX {
        let before = app.tenant(member).await?;
        let mut records = Vec::new();
        for number in held {
            let known = app.store.number(&number.sid).await?;
            records.extend(record(app, known, number, &before, sid));
        }
        let mut tenant = before.clone();
        if !tenant.shared_sids.contains(sid) {
            tenant.shared_sids.push(sid.clone());
        }
        if records.is_empty() && tenant == before {
            return Ok(());
        }
        let audit = audit(caller, "tenant.share_subaccount", sid.as_str());
        let write = app.store.write_member(&before, &tenant, &records, &audit);
        match write.await {
            Ok(_) => return Ok(()),
            Err(error) if lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the member's row kept changing"))
}

/// The number's record as it becomes; `None` where it says so already.
fn record(
    app: &App,
    known: Option<NumberRecord>,
    number: &IncomingNumber,
    tenant: &Tenant,
    sid: &AccountSid,
) -> Option<NumberRecord> {
    let Some(mut known) = known else {
        return Some(as_found(app, number, Some(&tenant.id)));
    };
    let now = app.host.now();
    match known.holding() {
        Some(holding) if holding.account_sid == *sid => {
            if holding.tenant.as_ref() == Some(&tenant.id) {
                return None;
            }
            // From one member to another: what was before stays.
            known = known.released(now);
            Some(known.moved(sid, Some(&tenant.id), now))
        }
        _ => Some(known.moved(sid, Some(&tenant.id), now)),
    }
}
