//! The holds that follow from the wallet, `unpaid` and `spend_cap`: placed and lifted here only, under the version
//! of the standing they were decided upon.

use aws::{AuditDraft, HoldWrite};
use domain::Timestamp;
use domain::event::{EVENT_VERSION, Event, Fact};
use domain::ids::EventId;
use domain::suspension::{HoldChange, OF_WALLET, decide_hold};
use domain::tenant::{Hold, HoldRecord, Lifecycle, Tenant};
use jiff::SignedDuration;

use crate::{Function, Request, SuspendError, lost_race};

/// Decisions made again after a lost race: payments and other holds may come in between.
const TRIES_MAX: u32 = 5;
/// Twilio's status is looked at again this long after a hold changed: a post may land late.
pub(crate) const LOOK_AGAIN_S: i64 = 120;

impl Function {
    /// Makes the holds follow the wallet.
    pub(crate) async fn settle_holds(&self, request: &Request) -> Result<(), SuspendError> {
        for hold in OF_WALLET {
            self.settle_hold(request, hold).await?;
        }
        Ok(())
    }

    async fn settle_hold(&self, request: &Request, hold: Hold) -> Result<(), SuspendError> {
        for _ in 0..TRIES_MAX {
            let Some(tenant) = self.store.tenant(&request.tenant_id).await? else {
                return Ok(());
            };
            let Some(wallet) = self.store.wallet(&request.tenant_id).await? else {
                return Ok(());
            };
            let change = decide_hold(&tenant, &wallet, hold);
            if change == HoldChange::Keep || tenant.lifecycle == Lifecycle::Provisioning {
                return Ok(());
            }
            let is_placed = change == HoldChange::Place;
            let write = self.hold_write(request, tenant, hold, is_placed, wallet.standing_ver);
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
        hold: Hold,
        placed: bool,
        standing_ver: u64,
    ) -> HoldWrite {
        let now = self.host.now();
        let reason = match (hold, placed) {
            (Hold::SpendCap, true) => "a spend cap was reached",
            (Hold::SpendCap, false) => "no spend cap is reached",
            (_, true) => "the wallet ran dry",
            (_, false) => "the wallet is funded again",
        };
        let mut tenant = before.clone();
        if placed {
            let record = HoldRecord {
                placed_at: now,
                actor: "suspender".to_owned(),
                reason: reason.to_owned(),
            };
            tenant.holds.insert(hold, record);
        } else {
            tenant.holds.remove(&hold);
        }
        let event = Event {
            id: EventId::from_ulid(self.host.ulid()),
            version: EVENT_VERSION,
            occurred_at: now,
            tenant_id: before.id.clone(),
            seq: before.ver + 1,
            cause: request.id.clone(),
            fact: Fact::HoldChanged {
                hold,
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
