//! Steps of provisioning that a sign-up may ask for: the application, numbers, trial credit.

use domain::ids::NumberOrderId;
use domain::lots::PRIORITY_DEFAULT;
use domain::numbers::{NumberAct, OrderState};
use domain::provisioning::{NumberWish, Step, TrialCredit, TrialMoment};
use domain::tenant::{Lifecycle, Tenant};
use domain::wallet::Wallet;
use domain::wallet_acts::{Act, Acted, Terms, decide};
use jiff::{SignedDuration, Timestamp};
use twilio::applications::ApplicationSettings;

use crate::api_keys::key_name;
use crate::app::App;
use crate::digest::hex_sha256;
use crate::extract::Caller;
use crate::money_act::{Order, Side, carry_out as book};
use crate::numbers::{Ask, Search, carry_out, for_sale, order_id, place, with_our_callback};
use crate::options::urls_of;
use crate::problem::{Code, Failure};
use crate::saga::{Progress, Saga, StepError, later};
use crate::steps::bound;
use crate::view::callback_url;

/// The purpose in the application's name.
const APPLICATION: &str = "application";
/// A create of unknown outcome is looked for after this long: lists lag.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(2);
/// Numbers that are tried for one wish: others may buy what a search found.
const PURCHASES_MAX: u32 = 3;
/// Why a trial credit is booked, for people.
const TRIAL: &str = "trial credit";

impl Saga<'_> {
    /// Makes the tenant's application, or sets the one of its name right.
    pub(crate) async fn make_application(
        &mut self,
        tenant: &Tenant,
    ) -> Result<Progress, StepError> {
        let account_sid = bound(tenant)?;
        let answering = tenant.options.application.clone().unwrap_or_default();
        let name = key_name(&tenant.name, APPLICATION);
        let tell = |kind| callback_url(&self.app.public_base_url, &tenant.id, kind);
        let settings = ApplicationSettings {
            friendly_name: Some(name.clone()),
            voice_url: answering.voice_url,
            voice_fallback_url: answering.voice_fallback_url,
            sms_url: answering.sms_url,
            sms_fallback_url: answering.sms_fallback_url,
            status_callback: Some(tell("calls")),
            message_status_callback: Some(tell("messages")),
            ..ApplicationSettings::default()
        };
        let listed = self.app.main.call(|main| {
            let (client, account, name) = (&self.app.twilio, &account_sid, &name);
            async move {
                client
                    .list_applications(&main.into(), account, Some(name))
                    .await
            }
        });
        let oldest = listed.await?.into_iter();
        let oldest = oldest.filter(|found| found.friendly_name.as_deref() == Some(&name));
        let oldest = oldest.min_by_key(|found| (found.date_created, found.sid.clone()));
        let made = self.app.main.call(|main| {
            let (client, account, settings) = (&self.app.twilio, &account_sid, &settings);
            let known = oldest.as_ref().map(|found| &found.sid);
            async move {
                match known {
                    Some(sid) => {
                        client
                            .update_application(&main.into(), account, sid, settings)
                            .await
                    }
                    None => {
                        client
                            .create_application(&main.into(), account, settings)
                            .await
                    }
                }
            }
        });
        let application = match made.await.map_err(StepError::from) {
            Ok(application) => application,
            Err(StepError::Twilio(twilio::Error::UnknownOutcome { .. })) => {
                return Ok(Progress::LookAgainAt(later(
                    self.app.host.now(),
                    LOOK_AGAIN,
                )));
            }
            Err(error) => return Err(error),
        };
        let next = Tenant {
            application_sid: Some(application.sid),
            step: Step::Application.next(&tenant.options),
            ..tenant.clone()
        };
        let tenant = self.app.store.update_tenant(&next).await?;
        Ok(Progress::Written(Box::new(tenant)))
    }

    /// Buys the numbers that were asked for, each by an order of its own: a run that comes again finds it.
    pub(crate) async fn buy_numbers(&mut self, tenant: &Tenant) -> Result<Progress, StepError> {
        for (index, wish) in tenant.options.numbers.iter().enumerate() {
            Box::pin(self.buy(tenant, index, wish)).await?;
        }
        // The orders wrote rows of their own: the version that was read is an old one.
        let fresh = self.app.store.tenant(&tenant.id).await?;
        let fresh = fresh.ok_or(StepError::GiveUp("tenant_absent"))?;
        self.advance(&fresh, Step::Numbers).await
    }

    async fn buy(&self, tenant: &Tenant, index: usize, wish: &NumberWish) -> Result<(), StepError> {
        let account_sid = bound(tenant)?;
        for attempt in 0..PURCHASES_MAX {
            let id = purchase_id(tenant, index, attempt);
            let known = self.app.store.number_order(&tenant.id, &id).await?;
            let order = if known.is_some() {
                carry_out(self.app, self.caller, &tenant.id, &id).await?
            } else {
                let found = for_sale(self.app, &account_sid, &Search::from(wish)).await?;
                let first = found.into_iter().next();
                let first = first.ok_or(StepError::GiveUp(Code::NUMBER_UNAVAILABLE.name))?;
                let urls = tenant.options.application.as_ref().map(urls_of);
                let ask = Ask {
                    act: NumberAct::Buy {
                        phone_number: first.phone_number,
                    },
                    urls: with_our_callback(urls.unwrap_or_default(), self.app, Some(&tenant.id)),
                    address_sid: None,
                    bundle_sid: None,
                    found: None,
                    seen: None,
                };
                Box::pin(place(self.app, self.caller, &tenant.id, &id, &ask, None)).await?
            };
            match order.state {
                OrderState::Done { .. } => return Ok(()),
                OrderState::Refused { code } if code == Code::NUMBER_UNAVAILABLE.name => {}
                OrderState::Refused { code } => {
                    let code = Code::find(&code).unwrap_or(Code::TWILIO_REJECTED);
                    return Err(StepError::GiveUp(code.name));
                }
                OrderState::Open => return Err(crate::problem::unavailable("order open").into()),
            }
        }
        Err(StepError::GiveUp(Code::NUMBER_UNAVAILABLE.name))
    }
}

fn purchase_id(tenant: &Tenant, index: usize, attempt: u32) -> NumberOrderId {
    order_id(&hex_sha256(&format!(
        "provision {} {index} {attempt}",
        tenant.id
    )))
}

/// The trial credit that is given at sign-up, as an entry behind the opening.
pub(crate) fn sign_up_credit(
    tenant: &Tenant,
    wallet: &Wallet,
    actor: &str,
    now: Timestamp,
) -> Result<Option<Acted>, StepError> {
    let credit = tenant.options.trial_credit;
    let Some(credit) = credit.filter(|credit| credit.when == TrialMoment::SignUp) else {
        return Ok(None);
    };
    let terms = Terms {
        actor,
        reason: TRIAL,
        natural_key: TRIAL_KEY,
        now,
    };
    decide(wallet, &act_of(credit, now), terms)
        .map(Some)
        .map_err(|_| StepError::GiveUp("ledger_refused"))
}

const TRIAL_KEY: &str = "credit:ref:trial";

fn act_of(credit: TrialCredit, now: Timestamp) -> Act {
    Act::Credit {
        amount: credit.amount,
        priority: PRIORITY_DEFAULT,
        effective_at: None,
        expires_at: credit.expires_at(now),
    }
}

/// When a trial credit is still to be given.
pub(crate) fn trial_credit_due_at(tenant: &Tenant) -> Option<Timestamp> {
    // Who is leaving, or gone, tries nothing any more.
    let credit = tenant
        .options
        .trial_credit
        .filter(|_| tenant.lifecycle == Lifecycle::Active)?;
    let activated_at = tenant.activated_at?;
    (tenant.trial_credited_at.is_none()).then(|| credit.due_at(activated_at))
}

/// Gives the trial credit when its trial is over. Doing it again changes nothing.
pub(crate) async fn give_trial_credit(
    app: &App,
    caller: &Caller,
    tenant: &Tenant,
) -> Result<bool, Failure> {
    let due_at = trial_credit_due_at(tenant);
    let (Some(credit), Some(due_at)) = (tenant.options.trial_credit, due_at) else {
        return Ok(false);
    };
    let now = app.host.now();
    if now < due_at {
        return Ok(false);
    }
    let key = hex_sha256(&format!("trial credit {}", tenant.id));
    let order = Order::new(caller, &tenant.id, key, TRIAL.to_owned(), TRIAL.to_owned())?;
    let side = Side {
        tenant: tenant.clone(),
        act: act_of(credit, now),
        natural_key: TRIAL_KEY.to_owned(),
    };
    book(app, &order, std::slice::from_ref(&side)).await?;
    let fresh = app.tenant(&tenant.id).await?;
    let next = Tenant {
        trial_credited_at: Some(now),
        ..fresh
    };
    // A lost race leaves the mark to the next run, which finds the entry booked.
    match app.store.update_tenant(&next).await {
        Ok(_) | Err(aws::CommitError::Conflict { .. }) => Ok(true),
        Err(error) => Err(error.into()),
    }
}
