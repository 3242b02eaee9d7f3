//! A migration goes on: looks at Twilio, moves what is ours to move, configures what came. Every round decides from
//! the row, and may be repeated; a run that dies leaves a timer.

use domain::ids::AccountSid;
use domain::migration::{Item, ItemState, Kind, Migration};
use domain::numbers::{NumberAct, NumberRecord, NumberUrls, OrderState};
use domain::tenant::{Lifecycle, Tenant};
use jiff::Timestamp;
use twilio::{IncomingNumber, NumberSettings};

use super::change::{Along, load, next_at, save};
use super::look;
use crate::app::App;
use crate::digest::hex_sha256;
use crate::extract::Caller;
use crate::main_account::MainError;
use crate::numbers::{Ask, as_found, held_by, order_id, place, settings_of};
use crate::problem::Failure;
use crate::saga::{BACKGROUND_BUDGET, CLIENT_BUDGET, later};

/// Rounds of one run; more is a fault of ours.
const ROUNDS_MAX: u32 = 30;
/// The stable code of a tenant that cannot gain numbers.
const NOT_IN_SERVICE: &str = "tenant_not_in_service";
/// The stable code of numbers that did not come in time.
const NOT_ARRIVED: &str = "not_arrived";

/// Goes on with the tenant's migrations that are due; the tenant's row as it is then.
pub async fn by_timer(app: &App, caller: &Caller, tenant: Tenant) -> Result<Tenant, Failure> {
    let now = app.host.now();
    let all = app.store.migrations_of(&tenant.id).await?;
    let is_due = |migration: &&Migration| {
        migration.has_work() && migration.next_at.is_none_or(|at| at <= now)
    };
    let due: Vec<&Migration> = all.iter().filter(is_due).collect();
    if due.is_empty() {
        return Ok(tenant);
    }
    let is_over = matches!(
        tenant.lifecycle,
        Lifecycle::Closed | Lifecycle::ProvisioningFailed
    );
    let deadline = later(caller.began_at, BACKGROUND_BUDGET);
    for migration in due {
        if is_over {
            // Nothing can come to it any more, and there is nobody to ask.
            give_up(app, caller, migration).await?;
            continue;
        }
        let left = go_on(app, caller, migration.clone(), deadline).await?;
        tracing::info!(tenant.id = %tenant.id, migration.id = %left.id, state = left.state(), "migration went on");
    }
    app.tenant(&tenant.id).await
}

/// Goes on right away, for whoever asked for something. What fails is left to the timer.
pub(super) async fn now(app: &App, caller: &Caller, migration: Migration) -> Migration {
    let deadline = later(caller.began_at, CLIENT_BUDGET);
    let known = migration.clone();
    match go_on(app, caller, migration, deadline).await {
        Ok(migration) => migration,
        Err(failure) => {
            let logged = failure.into_logged();
            tracing::warn!(migration.id = %known.id, code = logged.code, cause = logged.cause, "migration waits for its timer");
            known
        }
    }
}

async fn give_up(app: &App, caller: &Caller, migration: &Migration) -> Result<(), Failure> {
    let next = migration.advanced(app.host.now(), |_| Some(ItemState::blocked(NOT_IN_SERVICE)));
    if next != *migration {
        write(app, caller, migration, next, Vec::new()).await?;
    }
    Ok(())
}

/// What a round came to.
enum Round {
    /// The row has changed; `None`: somebody else was first.
    Written(Option<Box<Migration>>),
    /// Nothing can be done now.
    Rest,
}

async fn go_on(
    app: &App,
    caller: &Caller,
    mut migration: Migration,
    deadline: Timestamp,
) -> Result<Migration, Failure> {
    for _ in 0..ROUNDS_MAX {
        if !migration.has_work() || app.host.now() >= deadline {
            break;
        }
        let round = Box::pin(round(app, caller, &migration)).await;
        match round {
            Ok(Round::Written(Some(next))) => migration = *next,
            Ok(Round::Written(None)) => {
                app.pause().await;
                migration = load(app, &migration.id).await?;
            }
            Ok(Round::Rest) => break,
            Err(failure) => {
                rest(app, &migration).await?;
                return Err(failure);
            }
        }
    }
    rest(app, &migration).await
}

/// Leaves the rest to the timer.
async fn rest(app: &App, migration: &Migration) -> Result<Migration, Failure> {
    let Some(at) = next_at(migration, app.host.now()) else {
        return Ok(migration.clone());
    };
    app.store
        .set_act(aws::ActKind::Provision, &migration.tenant, at)
        .await?;
    let next = Migration {
        next_at: Some(at),
        ..migration.clone()
    };
    match app.store.update_migration(&next).await {
        Ok(migration) => Ok(migration),
        Err(aws::CommitError::Conflict { .. }) => load(app, &migration.id).await,
        Err(error) => Err(error.into()),
    }
}

async fn round(app: &App, caller: &Caller, migration: &Migration) -> Result<Round, Failure> {
    let now = app.host.now();
    let Some(gaining) = &migration.gaining_sid else {
        return gain(app, caller, migration).await;
    };
    if migration.in_state("planned").next().is_some() {
        let is_planned = |item: &Item| item.state == ItemState::Planned;
        let found = match migration.kind {
            Kind::External => look::external(app, migration, gaining, is_planned).await?,
            Kind::Split => look::split(app, migration, gaining, is_planned).await?,
        };
        let next = look::noted(migration, &found, now);
        return write(app, caller, migration, next, Vec::new()).await;
    }
    if migration.in_state("requested").next().is_some() {
        let moved = match migration.kind {
            Kind::External => arrivals(app, caller, migration, gaining).await?,
            Kind::Split => Box::pin(move_out(app, caller, migration, gaining)).await?,
        };
        if let Round::Written(_) = moved {
            return Ok(moved);
        }
    }
    if migration.is_rolling_back() {
        return Box::pin(move_back(app, caller, migration, gaining)).await;
    }
    if migration.in_state("arrived").next().is_some() {
        return configure(app, caller, migration, gaining).await;
    }
    Ok(Round::Rest)
}

async fn write(
    app: &App,
    caller: &Caller,
    before: &Migration,
    after: Migration,
    numbers: Vec<NumberRecord>,
) -> Result<Round, Failure> {
    let along = Along {
        numbers,
        ..Along::default()
    };
    let why = ("migration.advance", after.state());
    let written = save(app, caller, (before, after.clone()), why, along).await?;
    Ok(Round::Written(written.map(Box::new)))
}

/// The gaining subaccount is the tenant's own, once provisioning has made it.
async fn gain(app: &App, caller: &Caller, migration: &Migration) -> Result<Round, Failure> {
    let tenant = app.tenant(&migration.tenant).await?;
    let next = match (tenant.lifecycle, tenant.account_sid) {
        (Lifecycle::Provisioning, _) => return Ok(Round::Rest),
        (Lifecycle::Active, Some(sid)) => Migration {
            gaining_sid: Some(sid),
            ..migration.clone()
        },
        _ => migration.advanced(app.host.now(), |_| Some(ItemState::blocked(NOT_IN_SERVICE))),
    };
    write(app, caller, migration, next, Vec::new()).await
}

/// Looks for numbers that Twilio moves for us.
async fn arrivals(
    app: &App,
    caller: &Caller,
    migration: &Migration,
    gaining: &AccountSid,
) -> Result<Round, Failure> {
    let now = app.host.now();
    let held = held_by(app, gaining).await?;
    let is_requested = |item: &&Item| item.state == ItemState::Requested;
    let arrived = migration.items.iter().filter(is_requested);
    let arrived = arrived
        .filter_map(|item| {
            held.iter()
                .find(|number| number.phone_number == item.phone_number)
        })
        .take(aws::RECORDS_MAX);
    let arrived: Vec<&IncomingNumber> = arrived.collect();
    let mut records = Vec::new();
    for number in &arrived {
        let tenant = Some(&migration.tenant);
        let record = match app.store.number(&number.sid).await? {
            Some(known) => known.moved(gaining, tenant, now),
            // The number is older than its time here: it is the tenant's from its arrival on.
            None => NumberRecord::found(&number.sid, &number.phone_number, gaining, tenant, now),
        };
        records.push(record);
    }
    let is_late = migration.watch_until.is_some_and(|until| now >= until);
    let mut next = migration.advanced(now, |item| {
        let is_there = arrived
            .iter()
            .any(|number| number.phone_number == item.phone_number);
        match item.state {
            ItemState::Requested if is_there => Some(ItemState::Arrived),
            ItemState::Requested if is_late => Some(ItemState::blocked(NOT_ARRIVED)),
            _ => None,
        }
    });
    if next == *migration {
        return Ok(Round::Rest);
    }
    note_sids(&mut next, &arrived);
    write(app, caller, migration, next, records).await
}

fn note_sids(migration: &mut Migration, numbers: &[&IncomingNumber]) {
    for item in &mut migration.items {
        let number = numbers
            .iter()
            .find(|number| number.phone_number == item.phone_number);
        if let Some(number) = number {
            item.sid = Some(number.sid.clone());
        }
    }
}

/// Tells Twilio where the numbers' traffic is announced. Telling it twice is the same.
async fn configure(
    app: &App,
    caller: &Caller,
    migration: &Migration,
    gaining: &AccountSid,
) -> Result<Round, Failure> {
    let mut done: Vec<(String, ItemState)> = Vec::new();
    for item in migration.in_state("arrived") {
        let Some(sid) = &item.sid else { continue };
        let settings = NumberSettings {
            address_sid: migration
                .address_sid
                .clone()
                .filter(|_| item.marks.needs_address),
            bundle_sid: migration
                .bundle_sid
                .clone()
                .filter(|_| item.marks.needs_bundle),
            ..settings_of(&item.urls)
        };
        let updated = app.main.call(|main| {
            let (client, settings) = (&app.twilio, &settings);
            async move {
                client
                    .update_incoming_number(&main.into(), gaining, sid, settings)
                    .await
            }
        });
        let state = match updated.await {
            Ok(_) => ItemState::Configured,
            Err(MainError::Twilio(error @ twilio::Error::Reject { .. })) => {
                tracing::warn!(migration.id = %migration.id, cause = %error, "a number was not configured");
                ItemState::blocked(crate::numbers::refusal(&error).name)
            }
            Err(error) => return Err(error.into()),
        };
        done.push((item.phone_number.clone(), state));
    }
    advance(app, caller, migration, &done).await
}

fn advanced(app: &App, migration: &Migration, done: &[(String, ItemState)]) -> Migration {
    migration.advanced(app.host.now(), |item| {
        let known = done.iter().find(|(number, _)| *number == item.phone_number);
        known.map(|(_, state)| state.clone())
    })
}

async fn advance(
    app: &App,
    caller: &Caller,
    migration: &Migration,
    done: &[(String, ItemState)],
) -> Result<Round, Failure> {
    let next = advanced(app, migration, done);
    if next == *migration {
        return Ok(Round::Rest);
    }
    write(app, caller, migration, next, Vec::new()).await
}

/// Moves numbers of a split, each by an order of its own.
async fn move_out(
    app: &App,
    caller: &Caller,
    migration: &Migration,
    gaining: &AccountSid,
) -> Result<Round, Failure> {
    let ways = (&migration.losing_sid, gaining);
    let mut done = Vec::new();
    for item in migration.in_state("requested") {
        let how = (item.reached_at("requested"), &item.urls);
        let state = match order(app, caller, migration, item, ways, how).await? {
            OrderState::Done { .. } => ItemState::Arrived,
            OrderState::Refused { code } => ItemState::blocked(&code),
            OrderState::Open => continue,
        };
        done.push((item.phone_number.clone(), state));
    }
    advance(app, caller, migration, &done).await
}

/// Moves numbers back to where they came from, with the URLs that they had there.
async fn move_back(
    app: &App,
    caller: &Caller,
    migration: &Migration,
    gaining: &AccountSid,
) -> Result<Round, Failure> {
    let ways = (gaining, &migration.losing_sid);
    let asked_at = migration.rollback.as_ref().map(|rollback| rollback.at);
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for item in migration.items.iter().filter(|item| item.state.is_there()) {
        let how = (asked_at, &item.former_urls);
        match order(app, caller, migration, item, ways, how).await? {
            OrderState::Done { .. } => {
                done.push((item.phone_number.clone(), ItemState::RolledBack));
            }
            OrderState::Refused { code } => refused.push(format!("{}: {code}", item.phone_number)),
            OrderState::Open => {}
        }
    }
    let mut next = advanced(app, migration, &done);
    if !refused.is_empty() {
        tracing::error!(migration.id = %migration.id, error_type = "rollback_refused", numbers = refused.len(), "numbers cannot go back");
    }
    if let Some(rollback) = &mut next.rollback {
        rollback.refused = refused;
    }
    if next == *migration {
        return Ok(Round::Rest);
    }
    write(app, caller, migration, next, Vec::new()).await
}

/// Orders one move, or finds it ordered. Whoever tries the same step again names the same order.
async fn order(
    app: &App,
    caller: &Caller,
    migration: &Migration,
    item: &Item,
    (from, to): (&AccountSid, &AccountSid),
    (asked_at, urls): (Option<Timestamp>, &NumberUrls),
) -> Result<OrderState, Failure> {
    let Some(sid) = &item.sid else {
        return Ok(OrderState::Open);
    };
    let tenant = Some(migration.tenant.clone());
    // A number that is asked for again, or wanted back again, is another order.
    let id = order_id(&hex_sha256(&format!(
        "migration {} {sid} {to} {}",
        migration.id,
        asked_at.unwrap_or(migration.asked_at)
    )));
    let found = if let Some(known) = app.store.number(sid).await? {
        known
    } else {
        let held = held_by(app, from).await?;
        let Some(number) = held.iter().find(|number| number.sid == *sid) else {
            return Ok(OrderState::Refused {
                code: crate::problem::Code::NUMBER_NOT_FOUND.name.to_owned(),
            });
        };
        as_found(app, number, tenant.as_ref())
    };
    let ask = Ask {
        act: NumberAct::Transfer {
            sid: sid.clone(),
            phone_number: item.phone_number.clone(),
            from: from.clone(),
            from_tenant: tenant.clone(),
            to: to.clone(),
            to_tenant: tenant,
        },
        urls: urls.clone(),
        address_sid: migration.address_sid.clone(),
        bundle_sid: migration.bundle_sid.clone(),
        found: Some(found),
        seen: None,
    };
    let placed = Box::pin(place(app, caller, &migration.tenant, &id, &ask, None));
    Ok(placed.await?.state)
}
