//! A closing goes on: one function per step, each of which may be repeated, and a row that names the step that
//! comes next. A run stops where time or a person must come first, and leaves a timer.

use aws::{ActKind, CommitError, IssuedKey, Whose, pull_tick};
use domain::closing::{Closing, ClosingStep, NumberPlan, farewell};
use domain::event::Fact;
use domain::ids::AccountSid;
use domain::numbers::{NumberAct, NumberUrls, OrderState};
use domain::period::{self, day_of};
use domain::statement::State;
use domain::tenant::{Lifecycle, Tenant, TwilioStatus};
use domain::wallet_acts::Act;
use jiff::{SignedDuration, Timestamp};
use twilio::{AccountStatus, IncomingNumber};

use super::{accepted, archive};
use crate::api_keys::KeyMaker;
use crate::app::{App, audit};
use crate::digest::hex_sha256;
use crate::extract::Caller;
use crate::lease;
use crate::money_act::{Order, Side, carry_out, wallet_of};
use crate::numbers::{Ask, account_of, as_found, facts, held_by, order_id, place};
use crate::problem::Failure;
use crate::saga::{BACKGROUND_BUDGET, later};

/// What is not there yet is looked for again after this long.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(5);
/// Days for which the secret of a closed subaccount can be restored (Secrets Manager: 7 to 30).
const RECOVERY_DAYS: i64 = 30;
/// Steps and repetitions of one run; more is a fault of ours.
const ROUNDS_MAX: u32 = 40;

/// What a step came to.
enum Progress {
    /// It is done; the closing as it is now.
    Done(Closing),
    /// Nothing can be done before that moment.
    Until(Timestamp),
    /// A person must decide about these.
    Blocked(Vec<String>),
}

/// Goes on with a tenant's closing; says what it did.
pub async fn go_on(app: &App, caller: &Caller, tenant: &Tenant) -> Result<&'static str, Failure> {
    let owner = format!("{}/{}", caller.request_id, app.host.ulid());
    let Some(mut tenant) = lease::take(app, &owner, tenant).await? else {
        wake(app, tenant, later(app.host.now(), lease::LEASE)).await?;
        return Ok("owned elsewhere");
    };
    let deadline = later(app.host.now(), BACKGROUND_BUDGET);
    for _ in 0..ROUNDS_MAX {
        let Some(closing) = tenant.closing.clone() else {
            break;
        };
        if tenant.lifecycle != Lifecycle::Closing
            || !lease::is_owned(app, &owner, &tenant)
            || app.host.now() >= deadline
        {
            break;
        }
        let progress = Box::pin(step(app, caller, &tenant, &closing)).await;
        // The steps write rows of their own: the version that was read may be an old one.
        tenant = app.tenant(&tenant.id).await?;
        match progress {
            Ok(Progress::Done(next)) => {
                if closing.step == ClosingStep::Secret {
                    return finish(app, caller, &tenant).await;
                }
                tenant = save(app, &tenant, next).await?;
            }
            Ok(Progress::Until(at)) => return stop(app, &tenant, at, "closing waits").await,
            Ok(Progress::Blocked(obstacles)) => {
                return block(app, caller, &tenant, obstacles).await;
            }
            Err(failure) => {
                stop(app, &tenant, later(app.host.now(), LOOK_AGAIN), "").await?;
                return Err(failure);
            }
        }
    }
    stop(app, &tenant, app.host.now(), "closing goes on").await
}

async fn wake(app: &App, tenant: &Tenant, at: Timestamp) -> Result<(), Failure> {
    Ok(app
        .store
        .set_act(ActKind::Provision, &tenant.id, at)
        .await?)
}

/// Writes how far it is. A lost race is decided again from the fresh row.
async fn save(app: &App, tenant: &Tenant, closing: Closing) -> Result<Tenant, Failure> {
    let next = Tenant {
        closing: Some(closing),
        ..tenant.clone()
    };
    match app.store.update_tenant(&next).await {
        Ok(tenant) => Ok(tenant),
        Err(CommitError::Conflict { .. }) => app.tenant(&tenant.id).await,
        Err(error) => Err(error.into()),
    }
}

/// Leaves the rest to the timer and gives the lease back.
async fn stop(
    app: &App,
    tenant: &Tenant,
    at: Timestamp,
    outcome: &'static str,
) -> Result<&'static str, Failure> {
    wake(app, tenant, at).await?;
    let mut next = Tenant {
        next_action_at: Some(at),
        ..tenant.clone()
    };
    if let Some(lease) = &mut next.lease {
        lease.until = app.host.now();
    }
    match app.store.update_tenant(&next).await {
        Ok(_) | Err(CommitError::Conflict { .. }) => Ok(outcome),
        Err(error) => Err(error.into()),
    }
}

async fn block(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    obstacles: Vec<String>,
) -> Result<&'static str, Failure> {
    tracing::error!(tenant.id = %tenant.id, error_type = "close_blocked", obstacles = obstacles.len(), "a closing waits for a person");
    let mut next = Tenant {
        lifecycle: Lifecycle::CloseBlocked,
        next_action_at: None,
        ..tenant.clone()
    };
    if let Some(closing) = &mut next.closing {
        closing.blocked.clone_from(&obstacles);
    }
    if let Some(lease) = &mut next.lease {
        lease.until = app.host.now();
    }
    let fact = Fact::TenantCloseBlocked { obstacles };
    written(app, caller, tenant, &next, "tenant.close_blocked", fact).await?;
    Ok("closing blocked")
}

async fn finish(app: &App, caller: &Caller, tenant: &Tenant) -> Result<&'static str, Failure> {
    let now = app.host.now();
    let mut next = Tenant {
        lifecycle: Lifecycle::Closed,
        twilio_status: Some(TwilioStatus::Closed),
        closed_at: Some(now),
        next_action_at: None,
        ..tenant.clone()
    };
    if let Some(lease) = &mut next.lease {
        lease.until = now;
    }
    let fact = Fact::TenantClosed {
        account_sid: account_of(tenant)?,
    };
    written(app, caller, tenant, &next, "tenant.closed", fact).await?;
    Ok("closed")
}

/// Writes a change of the lifecycle. A lost race leaves it to the timer, which decides from the fresh row.
async fn written(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    next: &Tenant,
    act: &'static str,
    fact: Fact,
) -> Result<(), Failure> {
    let reason = tenant
        .closing
        .as_ref()
        .map_or("", |closing| &closing.reason);
    let event = app.event(&tenant.id, tenant.ver + 1, &caller.request_id, fact);
    let audit = audit(caller, act, reason);
    let write = app
        .store
        .write_tenant_with_event(tenant, next, &audit, &event);
    match write.await {
        Ok(_) => Ok(()),
        Err(CommitError::Conflict { .. }) => {
            wake(app, tenant, later(app.host.now(), LOOK_AGAIN)).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn step(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    closing: &Closing,
) -> Result<Progress, Failure> {
    let now = app.host.now();
    let then = |step| {
        Ok(Progress::Done(Closing {
            step,
            ..closing.clone()
        }))
    };
    match closing.step {
        ClosingStep::Silence => match tenant.twilio_status {
            Some(TwilioStatus::Suspended | TwilioStatus::Closed) => then(ClosingStep::Settle),
            // The suspender is at work, and its own timer brings it back.
            _ => Ok(Progress::Until(later(now, LOOK_AGAIN))),
        },
        ClosingStep::Settle if now < closing.settle_until => {
            Ok(Progress::Until(closing.settle_until))
        }
        ClosingStep::Settle => then(ClosingStep::Numbers),
        ClosingStep::Numbers => numbers(app, caller, tenant, closing).await,
        ClosingStep::Statement => statement(app, tenant, closing).await,
        ClosingStep::Wallet => wallet(app, caller, tenant, closing).await,
        ClosingStep::Archive => {
            let folder = archive::folder_of(tenant);
            let archived =
                archive::archive_month(app, tenant, &folder, closing.archived_through).await;
            archived.map(|archived| {
                let step = if archived.is_whole {
                    ClosingStep::Subaccount
                } else {
                    ClosingStep::Archive
                };
                Progress::Done(Closing {
                    step,
                    archived_through: Some(archived.through),
                    ..closing.clone()
                })
            })
        }
        ClosingStep::Subaccount => subaccount(app, caller, tenant, closing).await,
        ClosingStep::Secret => {
            let account_sid = account_of(tenant)?;
            let whose = Whose::Subaccount(&account_sid);
            app.secrets.destroy(whose, RECOVERY_DAYS).await?;
            Ok(Progress::Done(closing.clone()))
        }
    }
}

/// Numbers leave as they were told to. Only an empty list lets the closing go on.
async fn numbers(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    closing: &Closing,
) -> Result<Progress, Failure> {
    let account_sid = account_of(tenant)?;
    let held = held_by(app, &account_sid).await?;
    if held.is_empty() {
        return Ok(Progress::Done(Closing {
            step: ClosingStep::Statement,
            ended_at: closing.ended_at.or(Some(app.host.now())),
            ..closing.clone()
        }));
    }
    let main = app.main_sid().await?;
    let mut blocked = Vec::new();
    for number in &held {
        if let Some(code) = leave(app, caller, tenant, closing, number, &main).await? {
            blocked.push(format!("{}: {code}", number.phone_number));
        }
    }
    if blocked.is_empty() {
        Ok(Progress::Until(later(app.host.now(), LOOK_AGAIN)))
    } else {
        Ok(Progress::Blocked(blocked))
    }
}

/// Moves or releases one number; the stable code of what stands in its way.
async fn leave(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    closing: &Closing,
    number: &IncomingNumber,
    main: &AccountSid,
) -> Result<Option<String>, Failure> {
    let act = match closing.plan_of(&number.sid) {
        NumberPlan::Undecided => return Ok(Some("numbers_remain".to_owned())),
        NumberPlan::Release => NumberAct::Release {
            sid: number.sid.clone(),
            phone_number: number.phone_number.clone(),
        },
        NumberPlan::Rescue => {
            let facts = facts(app, number, main, accepted()).await?;
            if let Some(obstacle) = domain::numbers::obstacles(&facts).first() {
                return Ok(Some(obstacle.code().to_owned()));
            }
            NumberAct::Transfer {
                sid: number.sid.clone(),
                phone_number: number.phone_number.clone(),
                from: number.account_sid.clone(),
                from_tenant: Some(tenant.id.clone()),
                to: main.clone(),
                to_tenant: None,
            }
        }
    };
    let id = order_id(&hex_sha256(&format!(
        "close {} {} {} {}",
        tenant.id,
        number.sid,
        tenant.ver,
        act.name()
    )));
    let ask = Ask {
        act,
        urls: NumberUrls::default(),
        address_sid: None,
        bundle_sid: None,
        found: Some(as_found(app, number, Some(&tenant.id))),
        seen: None,
    };
    let order = Box::pin(place(app, caller, &tenant.id, &id, &ask, None)).await?;
    match order.state {
        OrderState::Refused { code } => Ok(Some(code)),
        OrderState::Done { .. } | OrderState::Open => Ok(None),
    }
}

/// Asks the invoicer for the last statement and waits until it is final.
async fn statement(app: &App, tenant: &Tenant, closing: &Closing) -> Result<Progress, Failure> {
    let ended_at = closing.ended_at.unwrap_or_else(|| app.host.now());
    let calendar = tenant.billing.calendar();
    let calendar = calendar.map_err(crate::problem::internal)?;
    let last = calendar.period_at(ended_at).start;
    let statements = app.store.statements(&tenant.id, None, 1).await?;
    let is_stated = statements.first().is_some_and(|statement| {
        statement.header.period >= last
            && matches!(statement.header.state, State::Final | State::Paid)
    });
    if is_stated {
        return Ok(Progress::Done(Closing {
            step: ClosingStep::Wallet,
            ..closing.clone()
        }));
    }
    let now = app.host.now();
    let last_day = day_of(ended_at);
    let through = wallet_of(app, &tenant.id).await?.completed_through;
    if through.is_some_and(|through| last_day <= through) {
        app.store
            .set_act(ActKind::Statement, &tenant.id, now)
            .await?;
        return Ok(Progress::Until(later(now, LOOK_AGAIN)));
    }
    // A day is complete when it is read after its end.
    let end = period::end_of(last_day);
    let tick = pull_tick(&tenant.id, now.max(end));
    app.store.mark_pull(&tenant.id, tick).await?;
    Ok(Progress::Until(later(tick.begins(), LOOK_AGAIN)))
}

/// Empties the wallet: money is paid back or forfeit, a debt is written off. Auto-recharge asks for no more.
async fn wallet(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    closing: &Closing,
) -> Result<Progress, Failure> {
    let mut wallet = wallet_of(app, &tenant.id).await?;
    if wallet.recharge.rule.take().is_some() {
        let audit = audit(caller, "wallet.remove_recharge", "closing");
        app.store
            .write_wallet_rule(tenant, &wallet, &[], &audit, None)
            .await?;
        // The tenant's row has a new version: the next round goes on.
        return Ok(Progress::Done(closing.clone()));
    }
    let out = farewell(&wallet, closing.remainder);
    let acts = [
        (
            "refund",
            out.refund,
            Act::Refund {
                amount: out.refund,
                top_up: None,
            },
        ),
        (
            "forfeit",
            out.forfeit,
            Act::Adjustment {
                amount: -out.forfeit,
            },
        ),
        (
            "write-off",
            out.write_off,
            Act::WriteOff {
                amount: Some(out.write_off),
            },
        ),
    ];
    for (name, amount, act) in acts {
        if amount.is_zero() {
            continue;
        }
        // A late posting between two rounds makes a new act: the key holds the entry it builds on.
        let key = hex_sha256(&format!("close {} {name} {}", tenant.id, wallet.seq));
        let (id, reason) = (&tenant.id, closing.reason.clone());
        let order = Order::new(caller, id, key, name.to_owned(), reason)?;
        let side = Side {
            tenant: tenant.clone(),
            act,
            natural_key: order.natural_key(&format!("close:{name}:"), None)?,
        };
        carry_out(app, &order, std::slice::from_ref(&side)).await?;
    }
    if !wallet_of(app, &tenant.id).await?.balance().is_zero() {
        return Ok(Progress::Until(later(app.host.now(), LOOK_AGAIN)));
    }
    Ok(Progress::Done(Closing {
        step: ClosingStep::Archive,
        ..closing.clone()
    }))
}

/// Closes the subaccount for good, once nothing is left in it: no number, no key of ours, no money.
async fn subaccount(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    closing: &Closing,
) -> Result<Progress, Failure> {
    let back_to = |step| {
        Ok(Progress::Done(Closing {
            step,
            ..closing.clone()
        }))
    };
    let account_sid = account_of(tenant)?;
    let seen = app.main.call(|main| {
        let (client, sid) = (&app.twilio, &account_sid);
        async move { client.fetch_account(&main.into(), sid).await }
    });
    if seen.await?.status == AccountStatus::Closed {
        return back_to(ClosingStep::Secret);
    }
    if !held_by(app, &account_sid).await?.is_empty() {
        return back_to(ClosingStep::Numbers);
    }
    if !wallet_of(app, &tenant.id).await?.balance().is_zero() {
        return back_to(ClosingStep::Wallet);
    }
    if revoke_keys(app, caller, tenant, &account_sid).await? {
        return Ok(Progress::Done(closing.clone()));
    }
    let closed = app.main.call(|main| {
        let (client, sid) = (&app.twilio, &account_sid);
        async move {
            client
                .update_account_status(&main, sid, &AccountStatus::Closed)
                .await
        }
    });
    closed.await?;
    tracing::warn!(tenant.id = %tenant.id, account.sid = %account_sid, "subaccount closed");
    back_to(ClosingStep::Secret)
}

/// Revokes one issued key; true: there was one, and the row has a new version.
async fn revoke_keys(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
    account_sid: &AccountSid,
) -> Result<bool, Failure> {
    let issued = app.store.issued_keys(&tenant.id).await?;
    let Some(key) = issued.into_iter().find(|key| key.revoked_at.is_none()) else {
        return Ok(false);
    };
    let maker = KeyMaker {
        app,
        tenant: &tenant.id,
        account_sid,
    };
    // A restricted key could be deleted in the subaccount's own name only, and a suspended one cannot act; the
    // key cannot either, and it ends with the subaccount.
    if key.policy.is_none() {
        maker.delete(&key.key_sid).await?;
    }
    let revoked = IssuedKey {
        revoked_at: Some(app.host.now()),
        ..key
    };
    let next = Tenant {
        api_key_sid: None,
        ..tenant.clone()
    };
    let audit = audit(caller, "api_key.revoke", "closing");
    match app.store.record_key(tenant, &next, &revoked, &audit).await {
        Ok(_) | Err(CommitError::Conflict { .. }) => Ok(true),
        Err(error) => Err(error.into()),
    }
}
