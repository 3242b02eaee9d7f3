//! Rotating auth tokens: a tenant's (`POST .../rotate-token`) and the main account's.
//!
//! Old and new token are both stored while Twilio switches from one to the other, so callbacks are accepted and
//! calls succeed throughout. Every round asks Twilio which token is primary, so a run that died anywhere is
//! taken up by the timer or by the same request and ends with the primary token in force.

use std::sync::Arc;

use aws::{ActKind, CommitError, MainRotation, TwilioSecret, Whose};
use axum::Extension;
use axum::extract::State;
use domain::event::Fact;
use domain::ids::{AccountSid, TenantId};
use domain::rotation::{NextStep, Rotation};
use domain::tenant::{Lifecycle, Tenant};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use twilio::auth_tokens::EmailNotification;
use twilio::{RejectReason, SubaccountCredentials};

use crate::app::{App, TRIES_MAX, audit};
use crate::digest::hex_sha256;
use crate::extract::{Caller, JsonBody, Reason, TenantPath, check_reason};
use crate::lease;
use crate::problem::{Answer, Failure, internal, unavailable};
use crate::saga::{BACKGROUND_BUDGET, CLIENT_BUDGET, later};
use crate::tenants::{in_service, lost_race};
use crate::view;

/// Rounds of one run; more is a fault of ours or a token that other hands keep changing.
const ROUNDS_MAX: u32 = 16;
/// Characters of a fingerprint: 64 bits tell two tokens apart and give nothing away.
const FINGERPRINT: usize = 16;

/// Whose token a run rotates, with the row that says how far it is.
enum Subject {
    Tenant(Box<Tenant>, AccountSid),
    Main(MainRotation, AccountSid),
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The new token is in force.
    Rotated,
    /// There was nothing to rotate.
    Nothing,
    /// The timer goes on.
    Pending,
}

impl Subject {
    fn account_sid(&self) -> &AccountSid {
        match self {
            Self::Tenant(_, sid) | Self::Main(_, sid) => sid,
        }
    }

    fn whose(&self) -> Whose<'_> {
        match self {
            Self::Tenant(_, sid) => Whose::Subaccount(sid),
            Self::Main(..) => Whose::Main,
        }
    }

    fn rotation(&self) -> Option<&Rotation> {
        match self {
            Self::Tenant(tenant, _) => tenant.rotation.as_ref(),
            Self::Main(state, _) => state.rotation.as_ref(),
        }
    }

    /// Whose timers and events it has.
    fn id(&self) -> TenantId {
        match self {
            Self::Tenant(tenant, _) => tenant.id.clone(),
            Self::Main(..) => TenantId::nobody(),
        }
    }

    /// Writes how far the rotation is.
    async fn save(&self, app: &App, rotation: Rotation) -> Result<Self, CommitError> {
        match self {
            Self::Tenant(tenant, sid) => {
                let next = Tenant {
                    rotation: Some(rotation),
                    ..(**tenant).clone()
                };
                let tenant = app.store.update_tenant(&next).await?;
                Ok(Self::Tenant(Box::new(tenant), sid.clone()))
            }
            Self::Main(state, sid) => {
                let next = MainRotation {
                    rotation: Some(rotation),
                    ..state.clone()
                };
                let state = app.store.write_main_rotation(&next, None).await?;
                Ok(Self::Main(state, sid.clone()))
            }
        }
    }

    /// Writes that it is done.
    async fn finish(&self, app: &App, caller: &Caller) -> Result<(), CommitError> {
        let now = app.host.now();
        let fact = Fact::CredentialsRotated {
            account_sid: self.account_sid().clone(),
        };
        match self {
            Self::Tenant(tenant, _) => {
                let mut next = Tenant {
                    rotation: None,
                    rotated_at: Some(now),
                    ..(**tenant).clone()
                };
                if let Some(lease) = &mut next.lease {
                    lease.until = now;
                }
                let cause = &caller.request_id;
                let event = app.event(&tenant.id, tenant.ver + 1, cause, fact);
                let reason = tenant.rotation.as_ref().map_or("", |asked| &asked.reason);
                let audit = audit(caller, "credentials.rotate", reason);
                app.store
                    .write_tenant_with_event(tenant, &next, &audit, &event)
                    .await?;
            }
            Self::Main(state, _) => {
                let next = MainRotation {
                    rotation: None,
                    rotated_at: Some(now),
                    ..state.clone()
                };
                let cause = &caller.request_id;
                let event = app.event(&TenantId::nobody(), state.ver + 1, cause, fact);
                app.store.write_main_rotation(&next, Some(&event)).await?;
            }
        }
        Ok(())
    }
}

fn fingerprint(token: &SecretString) -> String {
    let mut hash = hex_sha256(token.expose_secret());
    hash.truncate(FINGERPRINT);
    hash
}

fn begun(app: &App, caller: &Caller, reason: &str, primary: &SecretString) -> Rotation {
    Rotation {
        asked_at: app.host.now(),
        actor: caller.actor.clone(),
        reason: reason.to_owned(),
        replaced: fingerprint(primary),
        stored_at: None,
        promote_sent_at: None,
    }
}

/// The primary token, as Twilio shows it to the main account.
async fn primary_of(app: &App, account_sid: &AccountSid) -> Result<SecretString, Failure> {
    let account = app.main.call(|main| {
        let client = &app.twilio;
        async move { client.fetch_account(&main.into(), account_sid).await }
    });
    let token = account.await?.auth_token;
    token.ok_or_else(|| internal("Twilio does not show the account's auth token"))
}

/// Rotates a tenant's auth token, or goes on with the rotation that is under way.
pub async fn rotate(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    JsonBody { value, .. }: JsonBody<Reason>,
) -> Answer {
    check_reason(&value.reason)?;
    begin(&app, &caller, &id, &value.reason).await?;
    let deadline = later(caller.began_at, CLIENT_BUDGET);
    let ended = go_on(&app, &caller, &id, deadline).await?;
    let tenant = app.tenant(&id).await?;
    Ok(answer(ended, tenant.rotated_at))
}

/// Rotates the main account's auth token, or goes on with the rotation that is under way.
pub async fn rotate_main(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    JsonBody { value, .. }: JsonBody<Reason>,
) -> Answer {
    check_reason(&value.reason)?;
    let state = app.store.main_rotation().await?;
    if state.rotation.is_none() {
        let primary = primary_of(&app, &app.main_sid().await?).await?;
        let nobody = TenantId::nobody();
        let at = later(app.host.now(), lease::LEASE);
        app.store.set_act(ActKind::Provision, &nobody, at).await?;
        let next = MainRotation {
            rotation: Some(begun(&app, &caller, &value.reason, &primary)),
            ..state
        };
        match app.store.write_main_rotation(&next, None).await {
            Ok(_) => {}
            // Another request began it.
            Err(error) if lost_race(&error) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let deadline = later(caller.began_at, CLIENT_BUDGET);
    let ended = go_on_main(&app, &caller, deadline).await?;
    let state = app.store.main_rotation().await?;
    Ok(answer(ended, state.rotated_at))
}

fn answer(ended: Ended, rotated_at: Option<Timestamp>) -> axum::response::Response {
    let (status, state) = match ended {
        Ended::Pending => (StatusCode::ACCEPTED, "pending"),
        Ended::Rotated | Ended::Nothing => (StatusCode::OK, "rotated"),
    };
    view::json(
        status,
        &json!({ "state": state, "last_rotated_at": rotated_at }),
    )
}

/// Notes which token is to go, unless a rotation is under way.
pub(crate) async fn begin(
    app: &App,
    caller: &Caller,
    id: &TenantId,
    reason: &str,
) -> Result<(), Failure> {
    for _ in 0..TRIES_MAX {
        let tenant = in_service(app, id).await?;
        if tenant.rotation.is_some() {
            return Ok(());
        }
        let account_sid = crate::numbers::account_of(&tenant)?;
        let primary = primary_of(app, &account_sid).await?;
        let next = Tenant {
            rotation: Some(begun(app, caller, reason, &primary)),
            ..tenant.clone()
        };
        let at = later(app.host.now(), lease::LEASE);
        app.store.set_act(ActKind::Provision, id, at).await?;
        let audit = audit(caller, "credentials.begin_rotation", reason);
        match app
            .store
            .change_tenant(&tenant, &next, &audit, None, None)
            .await
        {
            Ok(_) => return Ok(()),
            Err(error) if lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the tenant's row kept changing"))
}

/// Goes on with a tenant's rotation under its lease.
pub(crate) async fn go_on(
    app: &App,
    caller: &Caller,
    id: &TenantId,
    deadline: Timestamp,
) -> Result<Ended, Failure> {
    let owner = format!("{}/{}", caller.request_id, app.host.ulid());
    let tenant = app.tenant(id).await?;
    if tenant.rotation.is_none() {
        return Ok(Ended::Nothing);
    }
    let Some(tenant) = lease::take(app, &owner, &tenant).await? else {
        let until = tenant.lease.map(|lease| lease.until);
        let at = until.unwrap_or_else(|| app.host.now());
        app.store.set_act(ActKind::Provision, id, at).await?;
        return Ok(Ended::Pending);
    };
    let account_sid = crate::numbers::account_of(&tenant)?;
    let subject = Subject::Tenant(Box::new(tenant), account_sid);
    let mut rounds = ROUNDS_MAX;
    let outcome = run(app, caller, subject, deadline, &mut rounds).await;
    if !matches!(outcome, Ok(Ended::Rotated)) {
        give_back(app, &owner, id).await?;
    }
    outcome
}

/// Gives the lease back: a suspension must not wait for its end.
async fn give_back(app: &App, owner: &str, id: &TenantId) -> Result<(), Failure> {
    let mut tenant = app.tenant(id).await?;
    let now = app.host.now();
    if let Some(lease) = tenant.lease.as_mut().filter(|lease| lease.owner == owner) {
        lease.until = now;
        match app.store.update_tenant(&tenant).await {
            Ok(_) | Err(CommitError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Goes on with the main account's rotation.
pub(crate) async fn go_on_main(
    app: &App,
    caller: &Caller,
    deadline: Timestamp,
) -> Result<Ended, Failure> {
    let state = app.store.main_rotation().await?;
    if state.rotation.is_none() {
        return Ok(Ended::Nothing);
    }
    let subject = Subject::Main(state, app.main_sid().await?);
    let mut rounds = ROUNDS_MAX;
    run(app, caller, subject, deadline, &mut rounds).await
}

/// A deadline for a run that nobody waits for.
pub(crate) fn background_deadline(app: &App) -> Timestamp {
    later(app.host.now(), BACKGROUND_BUDGET)
}

/// Round after round: which token is primary, what follows from it, doing that.
async fn run(
    app: &App,
    caller: &Caller,
    mut subject: Subject,
    deadline: Timestamp,
    rounds: &mut u32,
) -> Result<Ended, Failure> {
    while *rounds > 0 {
        *rounds -= 1;
        let Some(rotation) = subject.rotation().cloned() else {
            return Ok(Ended::Nothing);
        };
        let account_sid = subject.account_sid().clone();
        let primary = primary_of(app, &account_sid).await?;
        let pending = app.secrets.pending(subject.whose()).await?;
        let pending = pending.map(|pending| fingerprint(&pending.auth_token));
        let own = SubaccountCredentials {
            account_sid: account_sid.clone(),
            auth_token: primary.clone(),
        };
        let now = app.host.now();
        let written = match rotation.next_step(&fingerprint(&primary), pending.as_deref(), now) {
            NextStep::WaitUntil(at) if at < deadline => {
                let span = at.duration_since(now).max(SignedDuration::ZERO);
                app.host.sleep(span.unsigned_abs()).await;
                continue;
            }
            NextStep::WaitUntil(at) => {
                app.store
                    .set_act(ActKind::Provision, &subject.id(), at)
                    .await?;
                return Ok(Ended::Pending);
            }
            NextStep::MakeSecondary => make_secondary(app, &subject, &own, &rotation).await?,
            NextStep::Promote => promote(app, &subject, &own, &rotation).await?,
            NextStep::PutInForce => {
                let secret = TwilioSecret {
                    account_sid,
                    auth_token: primary,
                };
                app.secrets.put_in_force(subject.whose(), &secret).await?;
                match subject.finish(app, caller).await {
                    Ok(()) => {
                        tracing::info!(account.sid = %secret.account_sid, "auth token rotated");
                        return Ok(Ended::Rotated);
                    }
                    Err(error) if lost_race(&error) => None,
                    Err(error) => return Err(error.into()),
                }
            }
        };
        subject = match written {
            Some(written) => written,
            None => reread(app, &subject).await?,
        };
    }
    let at = later(app.host.now(), lease::LEASE);
    app.store
        .set_act(ActKind::Provision, &subject.id(), at)
        .await?;
    Ok(Ended::Pending)
}

async fn reread(app: &App, subject: &Subject) -> Result<Subject, Failure> {
    Ok(match subject {
        Subject::Tenant(tenant, sid) => {
            Subject::Tenant(Box::new(app.tenant(&tenant.id).await?), sid.clone())
        }
        Subject::Main(_, sid) => Subject::Main(app.store.main_rotation().await?, sid.clone()),
    })
}

/// Saves, or says that another run's write was first.
async fn saved(
    app: &App,
    subject: &Subject,
    rotation: Rotation,
) -> Result<Option<Subject>, Failure> {
    match subject.save(app, rotation).await {
        Ok(subject) => Ok(Some(subject)),
        Err(error) if lost_race(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Makes the new token and stores it beside the old one. One that was made and not stored is known to nobody:
/// it is deleted first.
async fn make_secondary(
    app: &App,
    subject: &Subject,
    own: &SubaccountCredentials,
    rotation: &Rotation,
) -> Result<Option<Subject>, Failure> {
    let quietly = EmailNotification::Suppress;
    app.twilio.delete_secondary_auth_token(own, quietly).await?;
    let made = match app.twilio.create_secondary_auth_token(own, quietly).await {
        Ok(made) => made,
        Err(error @ twilio::Error::UnknownOutcome { .. }) => {
            tracing::warn!(account.sid = %own.account_sid, cause = %error, "secondary token");
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let secret = TwilioSecret {
        account_sid: own.account_sid.clone(),
        auth_token: made.secondary_auth_token,
    };
    app.secrets.store_pending(subject.whose(), &secret).await?;
    let stored = Rotation {
        stored_at: Some(app.host.now()),
        promote_sent_at: None,
        ..rotation.clone()
    };
    saved(app, subject, stored).await
}

/// Asks Twilio to make the stored token primary. The intent is on the row first: whoever comes next looks
/// before it asks again.
async fn promote(
    app: &App,
    subject: &Subject,
    own: &SubaccountCredentials,
    rotation: &Rotation,
) -> Result<Option<Subject>, Failure> {
    let intent = Rotation {
        promote_sent_at: Some(app.host.now()),
        ..rotation.clone()
    };
    let Some(subject) = saved(app, subject, intent.clone()).await? else {
        return Ok(None);
    };
    let quietly = EmailNotification::Suppress;
    match app.twilio.promote_auth_token(own, quietly).await {
        // The next round reads the primary token again.
        Ok(_) | Err(twilio::Error::UnknownOutcome { .. }) => Ok(Some(subject)),
        Err(error) if error.reject_reason() == Some(RejectReason::NotFound) => {
            tracing::warn!(account.sid = %own.account_sid, "no secondary token to promote");
            saved(app, &subject, intent.begun_again()).await
        }
        Err(error) => Err(error.into()),
    }
}

/// Goes on with a rotation that was cut off, or begins one whose time has come by the schedule.
pub(crate) async fn by_timer(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
) -> Result<Ended, Failure> {
    if tenant.rotation.is_none() {
        match due_at(app, tenant) {
            None => return Ok(Ended::Nothing),
            Some(due_at) if due_at > app.host.now() => {
                let kind = ActKind::Provision;
                app.store.set_act(kind, &tenant.id, due_at).await?;
                return Ok(Ended::Nothing);
            }
            Some(_) => begin(app, caller, &tenant.id, "by schedule").await?,
        }
    }
    go_on(app, caller, &tenant.id, background_deadline(app)).await
}

/// When a tenant's token is to be rotated by the schedule, if there is one.
fn due_at(app: &App, tenant: &Tenant) -> Option<Timestamp> {
    let days = app.token_rotation_days?;
    let since = tenant.rotated_at.or(tenant.activated_at)?;
    let is_active = tenant.lifecycle == Lifecycle::Active;
    is_active.then(|| later(since, SignedDuration::from_hours(24 * i64::from(days))))
}
