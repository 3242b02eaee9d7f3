//! Provisioning as a saga: one function per step, and a row that always names the step that comes next.
//!
//! Each step persists its intent where a repetition could do harm, calls, and persists the result. Every
//! write is conditional on the row's version, so of two runs at most one goes on; the lease says which, and
//! for how long. A run that stops anywhere is taken up by the next request with the same idempotency key or
//! by the timer, and repeats at most one call. What each step does stands in `steps`.

use std::sync::Arc;
use std::time::Duration;

use aws::{ActKind, CommitError, Idempotency, SecretError, StoreError};
use domain::event::Fact;
use domain::ids::{AccountSid, KeySid};
use domain::provisioning::Step;
use domain::tenant::{Lifecycle, Tenant};
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use twilio::ErrorCode;

use crate::app::{App, audit};
use crate::extract::Caller;
use crate::lease;
use crate::main_account::MainError;
use crate::problem::{Code, Failure};
use crate::triggers::install_triggers;
use crate::undo::must_be_undone;

/// A client waits 20 s at most: no step begins later than this after its request.
pub const CLIENT_BUDGET: SignedDuration = SignedDuration::from_secs(15);
/// A background run stops well before its lease ends.
pub const BACKGROUND_BUDGET: SignedDuration = SignedDuration::from_secs(40);
/// First pause before a listing is asked again; it doubles.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Steps and repetitions of one run; more is a fault of ours.
const ROUNDS_MAX: u32 = 40;
/// What Twilio does not find is looked for again for this long: its lists and reads lag behind its writes.
const SETTLES: SignedDuration = SignedDuration::from_hours(1);

/// Who waits for the result.
#[derive(Debug, Clone)]
pub enum Audience {
    /// A client, to whom a secret can be shown.
    Client {
        /// Its idempotency key, which becomes done.
        idempotency: Idempotency,
        /// Whether it wants an API key.
        wants_key: bool,
    },
    /// Nobody.
    Background,
}

/// An API key with the secret that is shown once.
#[derive(Debug, Clone)]
pub struct ShownKey {
    /// The key.
    pub key_sid: KeySid,
    /// Its name in Twilio.
    pub name: String,
    /// Its secret.
    pub secret: SecretString,
}

/// How a run ended.
#[derive(Debug)]
pub enum Outcome {
    /// In service, given up, or no business of provisioning.
    Finished(Tenant),
    /// Work is left; the timer takes it up.
    Pending(Tenant),
    /// Another run owns the tenant until then.
    Elsewhere(Tenant, Timestamp),
}

/// One run over one tenant.
pub struct Saga<'a> {
    pub(crate) app: &'a Arc<App>,
    pub(crate) caller: &'a Caller,
    pub(crate) owner: String,
    pub(crate) audience: Audience,
    pub(crate) deadline: Timestamp,
    /// The auth token that a create answered, so that it need not be read again.
    pub(crate) token: Option<(AccountSid, SecretString)>,
    /// The API key that this run made.
    pub(crate) key: Option<ShownKey>,
    look_again: Duration,
}

/// What a step did.
pub(crate) enum Progress {
    /// The row as it is now.
    Written(Box<Tenant>),
    /// Nothing can be decided before that moment.
    LookAgainAt(Timestamp),
}

/// Why a step did nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Twilio(#[from] twilio::Error),
    #[error("given up: {0}")]
    GiveUp(&'static str),
    #[error("a part of it failed")]
    Failed(Box<Failure>),
}

impl From<Failure> for StepError {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

impl From<StoreError> for StepError {
    fn from(error: StoreError) -> Self {
        Self::Commit(error.into())
    }
}

impl From<MainError> for StepError {
    fn from(error: MainError) -> Self {
        match error {
            MainError::Secret(error) => Self::Secret(error),
            MainError::Twilio(error) => Self::Twilio(error),
        }
    }
}

impl From<StepError> for Failure {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Commit(error) => error.into(),
            StepError::Secret(error) => error.into(),
            StepError::Twilio(error) => error.into(),
            StepError::GiveUp(code) => crate::problem::internal(code),
            StepError::Failed(failure) => *failure,
        }
    }
}

/// What an error means for the run.
enum Verdict {
    Reread,
    Later,
    GiveUp(&'static str),
    Fail(Failure),
}

impl<'a> Saga<'a> {
    /// A run for a caller, who owns the tenant under a name that no other run has.
    pub fn new(app: &'a Arc<App>, caller: &'a Caller, audience: Audience) -> Self {
        let budget = match audience {
            Audience::Client { .. } => CLIENT_BUDGET,
            Audience::Background => BACKGROUND_BUDGET,
        };
        Self {
            app,
            caller,
            owner: format!("{}/{}", caller.request_id, app.host.ulid()),
            audience,
            deadline: later(caller.began_at, budget),
            token: None,
            key: None,
            look_again: LOOK_AGAIN,
        }
    }

    /// The name under which this run owns a tenant.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The API key that this run made, with its secret.
    pub fn take_key(&mut self) -> Option<ShownKey> {
        self.key.take()
    }

    /// Takes the lease if it is free, timer first: if this run dies too, the timer finds the work.
    pub async fn take_over(&self, tenant: &Tenant) -> Result<Option<Tenant>, Failure> {
        lease::take(self.app, &self.owner, tenant).await
    }

    /// Goes on from the step that the row names until nothing is left, time is up or another run owns it.
    pub async fn run(&mut self, mut tenant: Tenant) -> Result<Outcome, Failure> {
        for _ in 0..ROUNDS_MAX {
            if tenant.lifecycle != Lifecycle::Provisioning {
                return Ok(Outcome::Finished(tenant));
            }
            if !self.owns(&tenant) {
                let until = tenant.lease.as_ref().map(|lease| lease.until);
                return Ok(Outcome::Elsewhere(
                    tenant,
                    until.unwrap_or(self.app.host.now()),
                ));
            }
            if self.app.host.now() >= self.deadline {
                return self.stop(tenant, None).await;
            }
            match Box::pin(self.step(&mut tenant)).await {
                Ok(Progress::Written(next)) => tenant = *next,
                Ok(Progress::LookAgainAt(at)) => {
                    if !self.wait().await {
                        return self.stop(tenant, Some(at)).await;
                    }
                }
                Err(error) => match self.judge(&tenant, error) {
                    Verdict::Reread => tenant = self.app.tenant(&tenant.id).await?,
                    Verdict::Later => return self.stop(tenant, None).await,
                    Verdict::GiveUp(code) => tenant = self.give_up(&tenant, code).await?,
                    Verdict::Fail(failure) => return Err(failure),
                },
            }
        }
        self.stop(tenant, None).await
    }

    async fn step(&mut self, tenant: &mut Tenant) -> Result<Progress, StepError> {
        match tenant.step {
            Step::Subaccount => self.find_or_create_subaccount(tenant).await,
            Step::Secret => self.store_secret(tenant).await,
            Step::ApiKey => self.issue_first_key(tenant).await,
            Step::UsageTriggers => {
                install_triggers(self.app, tenant).await?;
                self.advance(tenant, Step::UsageTriggers).await
            }
            Step::Application => self.make_application(tenant).await,
            Step::Numbers => self.buy_numbers(tenant).await,
            Step::Activate | Step::Done => Box::pin(self.activate(tenant)).await,
        }
    }

    fn judge(&self, tenant: &Tenant, error: StepError) -> Verdict {
        if !matches!(error, StepError::Commit(CommitError::Conflict { .. })) {
            tracing::warn!(tenant.id = %tenant.id, step = tenant.step.name(), cause = %error, "provisioning step");
        }
        let settles = self.app.host.now() < later(tenant.created_at, SETTLES);
        match error {
            StepError::Commit(CommitError::Conflict { .. }) => Verdict::Reread,
            StepError::Commit(CommitError::Store(error)) => Verdict::Fail(error.into()),
            StepError::GiveUp(code) => Verdict::GiveUp(code),
            // What asking again cannot mend ends it; the rest waits for the timer.
            StepError::Failed(failure) if failure.is_final() => {
                Verdict::GiveUp(failure.into_logged().code)
            }
            StepError::Secret(SecretError::Store(error)) if error.is_retryable() => Verdict::Later,
            StepError::Secret(error) => Verdict::Fail(error.into()),
            StepError::Twilio(error) if error.code() == Some(ErrorCode::SUBACCOUNTS_EXHAUSTED) => {
                Verdict::GiveUp(Code::SUBACCOUNT_LIMIT_REACHED.name)
            }
            StepError::Twilio(error) if error.is_not_found() && settles => Verdict::Later,
            StepError::Twilio(twilio::Error::Reject { .. }) => {
                Verdict::GiveUp(Code::TWILIO_REJECTED.name)
            }
            StepError::Failed(_) | StepError::Twilio(_) => Verdict::Later,
        }
    }

    /// Does this run own the tenant now?
    fn owns(&self, tenant: &Tenant) -> bool {
        lease::is_owned(self.app, &self.owner, tenant)
    }

    /// Waits before a listing is asked again, if there is time.
    async fn wait(&mut self) -> bool {
        let pause = self.look_again;
        let end = SignedDuration::try_from(pause).map(|pause| later(self.app.host.now(), pause));
        if end.map_or(true, |end| end >= self.deadline) {
            return false;
        }
        self.app.host.sleep(pause).await;
        self.look_again *= 2;
        true
    }

    /// Leaves the rest to the timer and gives the lease back, so that nobody waits for its end.
    async fn stop(&self, tenant: Tenant, at: Option<Timestamp>) -> Result<Outcome, Failure> {
        let now = self.app.host.now();
        let at = at.unwrap_or(now).max(now);
        self.app
            .store
            .set_act(ActKind::Provision, &tenant.id, at)
            .await?;
        let mut next = Tenant {
            next_action_at: Some(at),
            ..tenant.clone()
        };
        if let Some(lease) = &mut next.lease {
            lease.until = now;
        }
        match self.app.store.update_tenant(&next).await {
            Ok(tenant) => Ok(Outcome::Pending(tenant)),
            Err(CommitError::Conflict { .. }) => {
                Ok(Outcome::Pending(self.app.tenant(&tenant.id).await?))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Ends provisioning with a stable code; nothing takes it up again.
    async fn give_up(&self, tenant: &Tenant, code: &'static str) -> Result<Tenant, Failure> {
        let now = self.app.host.now();
        // What was made is taken back by the timer, which is set first.
        let undo_at = must_be_undone(tenant).then_some(now);
        if undo_at.is_some() {
            self.app
                .store
                .set_act(ActKind::Provision, &tenant.id, now)
                .await?;
        }
        let mut next = Tenant {
            lifecycle: Lifecycle::ProvisioningFailed,
            failure: Some(code.to_owned()),
            next_action_at: undo_at,
            ..tenant.clone()
        };
        if let Some(lease) = &mut next.lease {
            lease.until = now;
        }
        let fact = Fact::TenantProvisioningFailed {
            code: code.to_owned(),
        };
        let event = self
            .app
            .event(&tenant.id, tenant.ver + 1, &self.caller.request_id, fact);
        let audit = audit(self.caller, "tenant.give_up", code);
        let written = self
            .app
            .store
            .write_tenant_with_event(tenant, &next, &audit, &event);
        match written.await {
            Ok(tenant) => Ok(tenant),
            Err(CommitError::Conflict { .. }) => self.app.tenant(&tenant.id).await,
            Err(error) => Err(error.into()),
        }
    }
}

/// A moment after another one.
pub fn later(at: Timestamp, duration: SignedDuration) -> Timestamp {
    at.checked_add(duration).unwrap_or(Timestamp::MAX)
}
