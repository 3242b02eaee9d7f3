//! Twilio's status follows the holds: decided from a fresh row, done under the tenant's lease, read back,
//! and compared with a fresh row again before it is called done.

use domain::event::{EVENT_VERSION, Event, Fact};
use domain::ids::{AccountSid, CallSid, EventId};
use domain::suspension::{Enforcement, decide_enforcement};
use domain::tenant::{Tenant, TwilioStatus};
use jiff::SignedDuration;
use twilio::{AccountStatus, Credentials};

use crate::hold::{audit, look_again_at};
use crate::{Function, Request, SuspendError, lost_race};

/// Rounds of deciding again, after lost races and holds that changed meanwhile.
const ROUNDS_MAX: u32 = 8;
/// Longer than a run, shorter than the queue's visibility: a dead owner does not block for long.
const LEASE_S: i64 = 110;
/// SIDs of ended calls that an event names; all are counted.
const CALL_SIDS_MAX: usize = 100;

impl Function {
    /// Brings Twilio's status and live calls into the state that the holds ask for.
    pub(crate) async fn enforce(&self, request: &Request) -> Result<(), SuspendError> {
        let mut looks_at_twilio = request.looks_at_twilio;
        for _ in 0..ROUNDS_MAX {
            let Some(mut tenant) = self.store.tenant(&request.tenant_id).await? else {
                return Ok(());
            };
            let Some(account_sid) = tenant.account_sid.clone() else {
                return Ok(());
            };
            let credentials = self.credentials().await?;
            if looks_at_twilio && tenant.desired_status() != TwilioStatus::Closed {
                tenant.twilio_status = self.seen_status(&credentials, &account_sid).await?;
                looks_at_twilio = false;
            }
            let enforcement = decide_enforcement(&tenant);
            if enforcement == Enforcement::None {
                return Ok(());
            }
            let Some(leased) = self.take_lease(request, &tenant).await? else {
                return Ok(());
            };
            if self
                .enforce_leased(request, leased, &credentials, &account_sid, enforcement)
                .await?
            {
                return Ok(());
            }
        }
        Err(SuspendError::Contended)
    }

    async fn credentials(&self) -> Result<Credentials, SuspendError> {
        let main = self.main.get().await?;
        Ok(Credentials::Main {
            account_sid: main.account_sid,
            auth_token: main.auth_token,
        })
    }

    async fn seen_status(
        &self,
        credentials: &Credentials,
        account_sid: &AccountSid,
    ) -> Result<Option<TwilioStatus>, SuspendError> {
        Ok(known_status(
            &self
                .twilio
                .fetch_account(credentials, account_sid)
                .await?
                .status,
        ))
    }

    /// The row with our lease on it. `None`: someone else is at work, and a timer looks again after it.
    async fn take_lease(
        &self,
        request: &Request,
        tenant: &Tenant,
    ) -> Result<Option<Tenant>, SuspendError> {
        let now = self.host.now();
        if !tenant.lease_is_free_for(&request.id, now) {
            self.store
                .enforce_again_at(&tenant.id, look_again_at(now))
                .await?;
            return Ok(None);
        }
        let until = now
            .saturating_add(SignedDuration::from_secs(LEASE_S))
            .unwrap_or(now);
        let leased = Tenant {
            lease: Some(tenant.next_lease(&request.id, until)),
            ..tenant.clone()
        };
        match self.store.update_tenant(&leased).await {
            Ok(leased) => Ok(Some(leased)),
            Err(error) => {
                lost_race(error)?;
                self.store
                    .enforce_again_at(&tenant.id, look_again_at(now))
                    .await?;
                Ok(None)
            }
        }
    }

    /// One round under the lease. True: the row and Twilio agree.
    async fn enforce_leased(
        &self,
        request: &Request,
        leased: Tenant,
        credentials: &Credentials,
        account_sid: &AccountSid,
        enforcement: Enforcement,
    ) -> Result<bool, SuspendError> {
        let (wanted, status) = match enforcement {
            Enforcement::Suspend => (AccountStatus::Suspended, TwilioStatus::Suspended),
            Enforcement::Reactivate => (AccountStatus::Active, TwilioStatus::Active),
            Enforcement::None => return Ok(true),
        };
        let posted = self
            .twilio
            .update_account_status(credentials, account_sid, &wanted)
            .await?;
        if known_status(&posted.status) != Some(status) {
            return Err(SuspendError::StatusKept(posted.status.to_string()));
        }
        let mut call_sids: Vec<CallSid> = Vec::new();
        if status == TwilioStatus::Suspended {
            let ended = self.end_live_calls(credentials, account_sid).await?;
            if !ended.is_silent {
                // More calls than one run can end: the timer goes on, under a fresh lease.
                self.release(&leased).await?;
                self.store
                    .enforce_again_at(&leased.id, self.host.now())
                    .await?;
                return Ok(true);
            }
            call_sids.extend(ended.call_sids);
        }
        self.record(request, &leased, status, &call_sids).await
    }

    async fn release(&self, leased: &Tenant) -> Result<(), SuspendError> {
        let Some(fresh) = self.store.tenant(&leased.id).await? else {
            return Ok(());
        };
        match self
            .store
            .update_tenant(&Tenant {
                lease: None,
                ..fresh
            })
            .await
        {
            Ok(_) => Ok(()),
            Err(error) => lost_race(error),
        }
    }

    /// Records what Twilio was seen to have. False: holds changed meanwhile, so another round decides.
    async fn record(
        &self,
        request: &Request,
        leased: &Tenant,
        status: TwilioStatus,
        call_sids: &[CallSid],
    ) -> Result<bool, SuspendError> {
        let now = self.host.now();
        let Some(before) = self.store.tenant(&leased.id).await? else {
            return Ok(true);
        };
        if before.lease != leased.lease {
            // Our lease ran out and someone else works: its outcome counts.
            return Ok(true);
        }
        let agrees = before.desired_status() == status;
        let tenant = Tenant {
            twilio_status: Some(status),
            lease: None,
            ..before.clone()
        };
        let (fact, act, reason) = match status {
            TwilioStatus::Suspended => {
                let named = call_sids.iter().take(CALL_SIDS_MAX).cloned().collect();
                let fact = Fact::TenantSuspended {
                    calls_ended: call_sids.len(),
                    call_sids: named,
                };
                (
                    fact,
                    "tenant.suspend",
                    "Twilio has it suspended and no call is live",
                )
            }
            _ => (
                Fact::TenantReactivated {},
                "tenant.reactivate",
                "Twilio has it active",
            ),
        };
        let event = Event {
            id: EventId::from_ulid(self.host.ulid()),
            version: EVENT_VERSION,
            occurred_at: now,
            tenant_id: before.id.clone(),
            seq: before.ver + 1,
            cause: request.id.clone(),
            fact,
        };
        match self
            .store
            .write_tenant_with_event(&before, &tenant, &audit(request, act, reason), &event)
            .await
        {
            Ok(_) => {
                tracing::info!(tenant.id = %before.id, twilio.status = status.name(), calls.ended = call_sids.len(), "enforced");
                Ok(agrees)
            }
            Err(error) => lost_race(error).map(|()| false),
        }
    }
}

fn known_status(status: &AccountStatus) -> Option<TwilioStatus> {
    match status {
        AccountStatus::Active => Some(TwilioStatus::Active),
        AccountStatus::Suspended => Some(TwilioStatus::Suspended),
        AccountStatus::Closed => Some(TwilioStatus::Closed),
        AccountStatus::Other(_) => None,
    }
}
