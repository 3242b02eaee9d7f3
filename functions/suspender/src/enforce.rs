//! Twilio's status follows the holds: decided from a fresh row, done under the tenant's lease, read back,
//! and compared with a fresh row again before it is called done.

use std::collections::BTreeSet;

use aws::Silence;
use domain::event::{EVENT_VERSION, Event, Fact};
use domain::ids::{AccountSid, CallSid, EventId};
use domain::suspension::{Enforcement, decide_enforcement};
use domain::tenant::{Lifecycle, Tenant, TwilioStatus};
use jiff::SignedDuration;
use twilio::{AccountStatus, MainCredentials};

use crate::hold::{audit, look_again_at};
use crate::{Function, Request, SuspendError, lost_race};

/// Rounds of deciding again, after lost races and holds that changed meanwhile.
const ROUNDS_MAX: u32 = 8;
/// Longer than a run, shorter than the queue's visibility: a dead owner does not block for long.
const LEASE_S: i64 = 110;
/// SIDs of ended calls that an event names; all are counted.
const CALL_SIDS_MAX: usize = 100;

/// What came of asking for the lease.
enum Leased {
    /// The row with our lease on it.
    Ours(Box<Tenant>),
    /// Someone else is at work, and a timer looks again after it.
    Busy,
    /// The row changed meanwhile: read it again.
    Lost,
}

impl Function {
    /// Brings Twilio's status and live calls into the state that the holds ask for.
    pub(crate) async fn enforce(&self, request: &Request) -> Result<(), SuspendError> {
        let mut looks_at_twilio = request.looks_at_twilio;
        // Calls that this run ended, whichever of its rounds it was.
        let mut ended = BTreeSet::new();
        for _ in 0..ROUNDS_MAX {
            let Some(mut tenant) = self.store.tenant(&request.tenant_id).await? else {
                return Ok(());
            };
            let Some(account_sid) = tenant.account_sid.clone() else {
                return Ok(());
            };
            let credentials = self.credentials().await?;
            if account_sid == credentials.account_sid {
                return Err(SuspendError::MainAccount);
            }
            // Only a row that looks settled is held against Twilio: what is not settled is done again
            // anyway, because a suspended subaccount alone does not mean that its calls were ended.
            if looks_at_twilio && is_settled(&tenant) {
                tenant.twilio_status = self.seen_status(&credentials, &account_sid).await?;
            }
            looks_at_twilio = false;
            let enforcement = decide_enforcement(&tenant);
            if enforcement == Enforcement::None {
                return Ok(());
            }
            let leased = match self.take_lease(request, &tenant).await? {
                Leased::Ours(leased) => leased,
                Leased::Busy => return Ok(()),
                Leased::Lost => continue,
            };
            match self
                .enforce_leased(request, &leased, &credentials, enforcement, &mut ended)
                .await
            {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(error) => {
                    // Whoever comes next, a payment perhaps, need not wait for the lease to run out.
                    if let Err(error) = self.release(&leased).await {
                        tracing::warn!(tenant.id = %leased.id, %error, "the lease stays until it runs out");
                    }
                    return Err(error);
                }
            }
        }
        Err(SuspendError::Contended)
    }

    async fn credentials(&self) -> Result<MainCredentials, SuspendError> {
        let main = self.main.get().await?;
        Ok(MainCredentials {
            account_sid: main.account_sid,
            auth_token: main.auth_token,
        })
    }

    async fn seen_status(
        &self,
        credentials: &MainCredentials,
        account_sid: &AccountSid,
    ) -> Result<Option<TwilioStatus>, SuspendError> {
        Ok(known_status(
            &self
                .twilio
                .fetch_account(&credentials.clone().into(), account_sid)
                .await?
                .status,
        ))
    }

    /// Takes the lease. With it Twilio's status becomes unknown, so that a run that dies half-way is found by
    /// whoever comes next, whatever the holds say by then.
    async fn take_lease(&self, request: &Request, tenant: &Tenant) -> Result<Leased, SuspendError> {
        let now = self.host.now();
        if !tenant.lease_is_free_for(&request.id, now) {
            self.store
                .enforce_again_at(&tenant.id, look_again_at(now))
                .await?;
            return Ok(Leased::Busy);
        }
        let until = now
            .saturating_add(SignedDuration::from_secs(LEASE_S))
            .unwrap_or(now);
        let leased = Tenant {
            lease: Some(tenant.next_lease(&request.id, until)),
            twilio_status: None,
            ..tenant.clone()
        };
        match self.store.update_tenant(&leased).await {
            Ok(leased) => Ok(Leased::Ours(Box::new(leased))),
            Err(error) => lost_race(error).map(|()| Leased::Lost),
        }
    }

    /// One round under the lease. True: the row and Twilio agree, or a timer goes on.
    async fn enforce_leased(
        &self,
        request: &Request,
        leased: &Tenant,
        credentials: &MainCredentials,
        enforcement: Enforcement,
        ended: &mut BTreeSet<CallSid>,
    ) -> Result<bool, SuspendError> {
        let (wanted, status) = match enforcement {
            Enforcement::Suspend => (AccountStatus::Suspended, TwilioStatus::Suspended),
            Enforcement::Reactivate => (AccountStatus::Active, TwilioStatus::Active),
            Enforcement::None => return Ok(true),
        };
        let Some(account_sid) = &leased.account_sid else {
            return Ok(true);
        };
        let posted = self
            .twilio
            .update_account_status(credentials, account_sid, &wanted)
            .await?;
        if known_status(&posted.status) != Some(status) {
            return Err(SuspendError::StatusKept(posted.status.to_string()));
        }
        if status == TwilioStatus::Suspended
            && !self
                .end_live_calls(&credentials.clone().into(), account_sid, ended)
                .await?
        {
            // More calls than one run can end: the timer goes on. It is set first, or a crash in between
            // would leave nobody to do so.
            self.store
                .enforce_again_at(&leased.id, self.host.now())
                .await?;
            self.prove(request, leased, ended, false).await?;
            self.release(leased).await?;
            tracing::warn!(tenant.id = %leased.id, calls.ended = ended.len(), error_type = "calls_left", "the timer goes on");
            return Ok(true);
        }
        if status == TwilioStatus::Suspended {
            self.prove(request, leased, ended, true).await?;
        }
        self.record(request, leased, status, ended).await
    }

    /// Keeps what this run ended, and whether the tenant is silent now.
    async fn prove(
        &self,
        request: &Request,
        leased: &Tenant,
        ended: &BTreeSet<CallSid>,
        is_silent: bool,
    ) -> Result<(), SuspendError> {
        let silence = Silence {
            at: self.host.now(),
            run: request.id.clone(),
            is_silent,
            calls: ended.iter().cloned().collect(),
        };
        Ok(self.store.record_silence(&leased.id, &silence).await?)
    }

    /// Gives our lease back; one that someone else took meanwhile is theirs.
    async fn release(&self, leased: &Tenant) -> Result<(), SuspendError> {
        let Some(fresh) = self.store.tenant(&leased.id).await? else {
            return Ok(());
        };
        if fresh.lease != leased.lease {
            return Ok(());
        }
        let released = Tenant {
            lease: None,
            ..fresh
        };
        match self.store.update_tenant(&released).await {
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
        ended: &mut BTreeSet<CallSid>,
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
                let named = ended.iter().take(CALL_SIDS_MAX).cloned().collect();
                let fact = Fact::TenantSuspended {
                    calls_ended: ended.len(),
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
                tracing::info!(tenant.id = %before.id, twilio.status = status.name(), calls.ended = ended.len(), "enforced");
                ended.clear();
                Ok(agrees)
            }
            Err(error) => lost_race(error).map(|()| false),
        }
    }
}

/// In service, and by its row Twilio has what it should have.
fn is_settled(tenant: &Tenant) -> bool {
    let is_in_service = !matches!(
        tenant.lifecycle,
        Lifecycle::Provisioning | Lifecycle::ProvisioningFailed | Lifecycle::Closed
    );
    is_in_service && tenant.twilio_status == Some(tenant.desired_status())
}

fn known_status(status: &AccountStatus) -> Option<TwilioStatus> {
    match status {
        AccountStatus::Active => Some(TwilioStatus::Active),
        AccountStatus::Suspended => Some(TwilioStatus::Suspended),
        AccountStatus::Closed => Some(TwilioStatus::Closed),
        AccountStatus::Other(_) => None,
    }
}
