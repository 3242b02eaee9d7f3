//! Table `due`: a timer wheel of five-minute ticks, so that due work is found without an index or a scan.
//!
//! `due#<tick>` holds `pull#<tenant>` marks and `act#<kind>#<tenant>` timers; `daily#<slot>` lists every
//! tenant once, spread over the hours of the day; `cursor` is the last tick that was handed on.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::TenantId;
use domain::{Date, Timestamp};
use serde::{Deserialize, Serialize};

use crate::store::{Range, Sort, key, to_item};
use crate::table::outbox::spread;
use crate::transaction::{Expect, Item};
use crate::{CommitError, Store, StoreError};

/// Seconds of one tick.
pub const TICK_S: i64 = 300;
/// Slots of the daily list, one an hour: the pull queue spreads a slot's tenants, and an empty list costs
/// 24 queries a day instead of 288.
const DAILY_SLOTS: u32 = 24;
/// Ticks of one hour: a tenant's marks always fall on its own one.
const HOURLY_SLOTS: u32 = 12;
/// A mark lies at least this far ahead, so that the usage it is about can have arrived.
const MARK_AHEAD_S: i64 = 60;
/// The hour (GMT) in which the latest days are compared with Twilio: most of yesterday's usage has come.
const RECONCILE_SLOT: i64 = 6;
/// Marks and timers expire after this many seconds (48 h).
const KEPT_S: i64 = 48 * 3600;

/// A position on the wheel: seconds since the epoch over 300.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(pub i64);

impl Tick {
    /// The tick that a moment falls in.
    pub fn of(at: Timestamp) -> Self {
        Self(at.as_second().div_euclid(TICK_S))
    }

    /// The first tick that begins at or after a moment.
    fn from(at: Timestamp) -> Self {
        Self((at.as_second() + TICK_S - 1).div_euclid(TICK_S))
    }

    /// When it begins.
    pub fn begins(self) -> Timestamp {
        Timestamp::from_second(self.0 * TICK_S).unwrap_or(Timestamp::MAX)
    }

    /// The next one.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    fn partition(self) -> String {
        format!("due#{}", self.0)
    }

    /// The slot of the daily list whose turn it is: the hour's, on the hour's first tick.
    fn daily_slot(self) -> Option<i64> {
        let of_day = self.0.rem_euclid(i64::from(DAILY_SLOTS * HOURLY_SLOTS));
        (of_day % i64::from(HOURLY_SLOTS) == 0).then_some(of_day / i64::from(HOURLY_SLOTS))
    }
}

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActKind {
    /// Go on with provisioning.
    Provision,
    /// Time may have changed the standing.
    Standing,
    /// Look at Twilio's status and live calls again.
    Enforce,
    /// Pull days that a person asked for.
    Repull,
    /// State billing periods that are over.
    Statement,
}

impl ActKind {
    fn name(self) -> &'static str {
        match self {
            Self::Provision => "provision",
            Self::Standing => "standing",
            Self::Enforce => "enforce",
            Self::Repull => "repull",
            Self::Statement => "statement",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        let all = [
            Self::Provision,
            Self::Standing,
            Self::Enforce,
            Self::Repull,
            Self::Statement,
        ];
        all.into_iter().find(|kind| kind.name() == name)
    }
}

/// Work that a tick finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DueItem {
    /// Pull this tenant's usage: something happened.
    Pull(TenantId),
    /// Pull this tenant's usage: its daily turn.
    Daily(TenantId),
    /// A timer.
    Act(ActKind, TenantId),
    /// Compare days with Twilio: those of the range, or the latest.
    Reconcile(Option<(Date, Date)>),
}

#[derive(Serialize, Deserialize)]
struct DueRow {
    pk: String,
    sk: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<i64>,
}

#[derive(Deserialize)]
struct CursorRow {
    tick: i64,
}

/// The tick on which a tenant's next pull falls: its own five minutes of the hour, at least 60 s ahead.
pub fn pull_tick(tenant: &TenantId, now: Timestamp) -> Tick {
    let first = Tick::from(
        now.saturating_add(jiff::SignedDuration::from_secs(MARK_AHEAD_S))
            .unwrap_or(now),
    )
    .0;
    let slot = i64::from(spread(tenant, HOURLY_SLOTS));
    Tick(first + (slot - first).rem_euclid(i64::from(HOURLY_SLOTS)))
}

fn row(tick: Tick, sk: String) -> DueRow {
    DueRow {
        pk: tick.partition(),
        sk,
        ttl: Some(tick.0 * TICK_S + KEPT_S),
    }
}

/// A timer's row: on the first tick at or after `at`.
pub(crate) fn act_item(
    kind: ActKind,
    tenant: &TenantId,
    at: Timestamp,
) -> Result<Item, StoreError> {
    to_item(
        "write timer",
        &row(Tick::from(at), format!("act#{}#{tenant}", kind.name())),
    )
}

/// A tenant's row in the daily list.
pub(crate) fn daily_item(tenant: &TenantId) -> Result<Item, StoreError> {
    let pk = format!("daily#{}", spread(tenant, DAILY_SLOTS));
    to_item(
        "write daily turn",
        &DueRow {
            pk,
            sk: tenant.as_str().to_owned(),
            ttl: None,
        },
    )
}

/// A row that asks for days to be compared with Twilio, on the first tick at or after `at`.
pub(crate) fn reconcile_item(from: Date, to: Date, at: Timestamp) -> Result<Item, StoreError> {
    let row = row(Tick::from(at), format!("reconcile#{from}#{to}"));
    to_item("ask for a reconciliation", &row)
}

fn parse(row: &DueRow) -> Option<DueItem> {
    if let Some(range) = row.sk.strip_prefix("reconcile#") {
        let (from, to) = range.split_once('#')?;
        return Some(DueItem::Reconcile(Some((
            from.parse().ok()?,
            to.parse().ok()?,
        ))));
    }
    if let Some(tenant) = row.sk.strip_prefix("pull#") {
        return Some(DueItem::Pull(TenantId::parse(tenant).ok()?));
    }
    if let Some((kind, tenant)) = row
        .sk
        .strip_prefix("act#")
        .and_then(|rest| rest.split_once('#'))
    {
        return Some(DueItem::Act(
            ActKind::parse(kind)?,
            TenantId::parse(tenant).ok()?,
        ));
    }
    Some(DueItem::Daily(TenantId::parse(&row.sk).ok()?))
}

impl Store {
    /// Marks a tenant for a pull on a tick. Marking twice is the same.
    pub async fn mark_pull(&self, tenant: &TenantId, tick: Tick) -> Result<(), StoreError> {
        self.put_due("mark pull", &row(tick, format!("pull#{tenant}")))
            .await
    }

    /// Sets a timer. Setting it twice is the same.
    pub async fn set_act(
        &self,
        kind: ActKind,
        tenant: &TenantId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.put_due(
            "write timer",
            &row(Tick::from(at), format!("act#{}#{tenant}", kind.name())),
        )
        .await
    }

    async fn put_due(&self, operation: &'static str, row: &DueRow) -> Result<(), StoreError> {
        match self
            .put(operation, &self.names().due, row, &Expect::Anything, "DUE")
            .await
        {
            Ok(()) => Ok(()),
            Err(CommitError::Store(error)) => Err(error),
            Err(CommitError::Conflict { .. }) => {
                unreachable!("a put without a condition has none to fail")
            }
        }
    }

    /// What a tick finds: its marks and timers, and the tenants whose daily turn it is. A row of a form that
    /// this version does not know is passed over.
    pub async fn due_on(&self, tick: Tick) -> Result<Vec<DueItem>, StoreError> {
        const OPERATION: &str = "read due work";
        let marks: Vec<DueRow> = self
            .query(
                OPERATION,
                &self.names().due,
                Range::all(tick.partition(), Sort::All),
            )
            .await?;
        let daily: Vec<DueRow> = match tick.daily_slot() {
            Some(slot) => {
                self.query(
                    OPERATION,
                    &self.names().due,
                    Range::all(format!("daily#{slot}"), Sort::All),
                )
                .await?
            }
            None => Vec::new(),
        };
        let known = |row: &DueRow| {
            let item = parse(row);
            if item.is_none() {
                // One row must not stop all that fall due with it and after it.
                tracing::error!(
                    error_type = "malformed_row",
                    "a row of due work that is not known"
                );
            }
            item
        };
        let mut found: Vec<DueItem> = marks.iter().chain(&daily).filter_map(known).collect();
        if tick.daily_slot() == Some(RECONCILE_SLOT) {
            found.push(DueItem::Reconcile(None));
        }
        Ok(found)
    }

    /// The last tick that was handed on.
    pub async fn due_cursor(&self) -> Result<Option<Tick>, StoreError> {
        let row: Option<CursorRow> = self
            .get("read due cursor", &self.names().due, key("cursor", "-"))
            .await?;
        Ok(row.map(|row| Tick(row.tick)))
    }

    /// Moves the cursor on, if it still stands where it was read.
    pub async fn advance_due_cursor(
        &self,
        from: Option<Tick>,
        to: Tick,
    ) -> Result<(), CommitError> {
        let number = |tick: Tick| AttributeValue::N(tick.0.to_string());
        let request = self
            .dynamodb()
            .update_item()
            .table_name(&self.names().due)
            .set_key(Some(key("cursor", "-")))
            .update_expression("SET tick = :to")
            .expression_attribute_values(":to", number(to));
        let request = match from {
            Some(from) => request
                .condition_expression("tick = :from")
                .expression_attribute_values(":from", number(from)),
            None => request.condition_expression("attribute_not_exists(pk)"),
        };
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
            {
                Err(CommitError::Conflict {
                    items: vec!["cursor"],
                })
            }
            Err(error) => Err(StoreError::from_sdk("advance due cursor", &error).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_falls_on_the_tenants_own_tick_at_least_a_minute_ahead() {
        for digit in 0..40_u128 {
            let tenant = TenantId::from_ulid(domain::ids::ulid(1, digit));
            for second in [0, 1, 239, 240, 241, 299, 3_599] {
                let now = Timestamp::from_second(1_800_000_000 + second).unwrap();
                let tick = pull_tick(&tenant, now);
                let ahead = tick.0 * TICK_S - now.as_second();
                assert!((60..60 + 3_600 + TICK_S).contains(&ahead), "{ahead}");
                assert_eq!(tick.0.rem_euclid(12), i64::from(spread(&tenant, 12)));
            }
        }
    }
}
