//! The `unpaid` hold: placed and lifted here only, under the version of the standing it was decided upon.

use aws::{AuditDraft, HoldWrite};
use domain::Timestamp;
use domain::event::{EVENT_VERSION, Event, Fact};
use domain::ids::EventId;
use domain::suspension::{HoldChange, decide_unpaid};
use domain::tenant::{Hold, HoldRecord, Lifecycle, Tenant};
use jiff::SignedDuration;

use crate::{Function, Request, SuspendError, lost_race};

/// Decisions made again after a lost race: payments and other holds may come in between.
const TRIES_MAX: u32 = 5;
/// Twilio's status is looked at again this long after a hold changed: a post may land late.
pub(crate) const LOOK_AGAIN_S: i64 = 120;

impl Function {
    /// Makes the `unpaid` hold follow the standing.
    pub(crate) async fn settle_hold(&self, request: &Request) -> Result<(), SuspendError> {
        for _ in 0..TRIES_MAX {
            let Some(tenant) = self.store.tenant(&request.tenant_id).await? else {
                return Ok(());
            };
            let Some(wallet) = self.store.wallet(&request.tenant_id).await? else {
                return Ok(());
            };
            let change = decide_unpaid(&tenant, wallet.standing);
            if change == HoldChange::Keep || tenant.lifecycle == Lifecycle::Provisioning {
                return Ok(());
            }
            let write = self.hold_write(
                request,
                tenant,
                change == HoldChange::Place,
                wallet.standing_ver,
            );
            match self.store.write_hold(&write).await {
                Ok(_) => return Ok(()),
                Err(error) => lost_race(error)?,
            }
        }
        Err(SuspendError::Contended)
    }

    fn hold_write(
        &self,
        request: &Request,
        before: Tenant,
        placed: bool,
        standing_ver: u64,
    ) -> HoldWrite {
        let now = self.host.now();
        let reason = if placed {
            "the wallet ran dry"
        } else {
            "the wallet is funded again"
        };
        let mut tenant = before.clone();
        if placed {
            let record = HoldRecord {
                placed_at: now,
                actor: "suspender".to_owned(),
                reason: reason.to_owned(),
            };
            tenant.holds.insert(Hold::Unpaid, record);
        } else {
            tenant.holds.remove(&Hold::Unpaid);
        }
        let event = Event {
            id: EventId::from_ulid(self.host.ulid()),
            version: EVENT_VERSION,
            occurred_at: now,
            tenant_id: before.id.clone(),
            seq: before.ver + 1,
            cause: request.id.clone(),
            fact: Fact::HoldChanged {
                hold: Hold::Unpaid,
                placed,
                reason: reason.to_owned(),
            },
        };
        HoldWrite {
            before,
            tenant,
            standing_ver: Some(standing_ver),
            enforce_at: look_again_at(now),
            audit: audit(
                request,
                if placed { "hold.place" } else { "hold.lift" },
                reason,
            ),
            event,
        }
    }
}

pub(crate) fn look_again_at(now: Timestamp) -> Timestamp {
    now.saturating_add(SignedDuration::from_secs(LOOK_AGAIN_S))
        .unwrap_or(now)
}

pub(crate) fn audit(request: &Request, act: &'static str, reason: &str) -> AuditDraft {
    AuditDraft {
        actor: "suspender".to_owned(),
        act,
        reason: reason.to_owned(),
        request: request.id.clone(),
    }
}
