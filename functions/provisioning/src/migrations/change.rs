//! How a migration changes: decided from the fresh row, written once with audit row and event.

use aws::{CommitError, IssuedKey, MigrationWrite};
use domain::event::Fact;
use domain::ids::MigrationId;
use domain::migration::{Kind, Migration};
use domain::numbers::NumberRecord;
use jiff::{SignedDuration, Timestamp};

use crate::app::{App, TRIES_MAX, audit};
use crate::extract::Caller;
use crate::problem::{Code, Failure, unavailable};
use crate::saga::later;

/// Numbers that Twilio moves for us are looked for this often.
const WATCH_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// What we do ourselves goes on after this long if a run was cut off.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(5);

/// What is written along with a migration.
#[derive(Default)]
pub(super) struct Along {
    pub(super) numbers: Vec<NumberRecord>,
    pub(super) key: Option<IssuedKey>,
    pub(super) fact: Option<Fact>,
}

/// One migration, or the one answer for absent ones.
pub(super) async fn load(app: &App, id: &MigrationId) -> Result<Migration, Failure> {
    let migration = app.store.migration(id).await?;
    migration.ok_or(Code::MIGRATION_NOT_FOUND.into())
}

/// When time alone moves it on; none while it waits for a person.
pub(super) fn next_at(migration: &Migration, now: Timestamp) -> Option<Timestamp> {
    if !migration.has_work() {
        return None;
    }
    let waits_for_twilio = migration.kind == Kind::External
        && migration.in_state("planned").next().is_none()
        && migration.in_state("arrived").next().is_none();
    let pause = if waits_for_twilio {
        WATCH_EVERY
    } else {
        LOOK_AGAIN
    };
    Some(later(now, pause))
}

/// A step as it is written: the timer, the audit row, the events.
pub(super) fn step(
    app: &App,
    caller: &Caller,
    tenant: domain::tenant::Tenant,
    (before, after): (&Migration, Migration),
    (act, reason): (&'static str, &str),
    along: Along,
) -> MigrationWrite {
    let mut migration = after;
    migration.next_at = next_at(&migration, app.host.now());
    let news = migration.news_since(before);
    let advanced = (!news.is_empty()).then(|| Fact::MigrationAdvanced {
        migration_id: migration.id.clone(),
        numbers: news,
    });
    let facts = advanced.into_iter().chain(along.fact);
    let (seq, cause) = (tenant.ver + 1, &caller.request_id);
    let events = facts.map(|fact| app.event(&tenant.id, seq, cause, fact));
    MigrationWrite {
        events: events.collect(),
        resume_at: migration.next_at,
        idempotency: None,
        numbers: along.numbers,
        key: along.key,
        audit: audit(caller, act, reason),
        migration,
        tenant,
    }
}

/// Writes a step; `None`: somebody else was first.
pub(super) async fn save(
    app: &App,
    caller: &Caller,
    both: (&Migration, Migration),
    why: (&'static str, &str),
    along: Along,
) -> Result<Option<Migration>, Failure> {
    let tenant = app.tenant(&both.0.tenant).await?;
    let write = step(app, caller, tenant, both, why, along);
    match app.store.write_migration(&write).await {
        Ok((_, migration)) => Ok(Some(migration)),
        Err(CommitError::Conflict { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Decides and writes, again and again while others write first. A decision that changes nothing writes nothing.
pub(super) async fn change(
    app: &App,
    caller: &Caller,
    id: &MigrationId,
    why: (&'static str, &str),
    decide: impl Fn(&Migration) -> Result<Migration, Failure>,
) -> Result<Migration, Failure> {
    for _ in 0..TRIES_MAX {
        let before = load(app, id).await?;
        let after = decide(&before)?;
        if after == before {
            return Ok(before);
        }
        match save(app, caller, (&before, after), why, Along::default()).await? {
            Some(migration) => return Ok(migration),
            None => app.pause().await,
        }
    }
    Err(unavailable("the migration kept changing"))
}
