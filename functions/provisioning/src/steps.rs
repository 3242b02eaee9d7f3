//! The saga's steps, one function each: find or create the subaccount, store its token, issue the first API
//! key, put the tenant in service.

use aws::{ActKind, Activation, CommitError, Idempotency, IssuedKey, TwilioSecret};
use domain::event::Fact;
use domain::ids::AccountSid;
use domain::ledger::{Entry, EntryKind};
use domain::provisioning::{Candidate, Step, SubaccountDecision, decide_subaccount};
use domain::standing::Occasion;
use domain::tenant::{Lifecycle, Tenant, TwilioStatus};
use domain::wallet::Wallet;
use secrecy::SecretString;
use twilio::{Account, AccountFilter, AccountStatus};

use crate::api_keys::{KeyMaker, key_name};
use crate::app::audit;
use crate::problem::Code;
use crate::saga::{Audience, Progress, Saga, ShownKey, StepError};
use crate::set_up::{sign_up_credit, trial_credit_due_at};

/// The purpose of the key that provisioning issues.
pub const FIRST_KEY: &str = "provisioning";
/// The stable code of a subaccount that is another tenant's.
const OWNED_ELSEWHERE: &str = "subaccount_owned_elsewhere";

impl Saga<'_> {
    /// Looks for the subaccount by its name; adopts it, creates it, or waits for a create of unknown outcome.
    pub(crate) async fn find_or_create_subaccount(
        &mut self,
        tenant: &mut Tenant,
    ) -> Result<Progress, StepError> {
        if let Some(account_sid) = tenant.options.adopt.clone() {
            return self.bind_adopted(tenant, &account_sid).await;
        }
        let found = self.list_by_name(&tenant.friendly_name).await?;
        let candidates: Vec<Candidate> = found
            .iter()
            .map(|account| Candidate {
                account_sid: account.sid.clone(),
                closed: account.status == AccountStatus::Closed,
                created_at: account.date_created,
            })
            .collect();
        let now = self.app.host.now();
        match decide_subaccount(&candidates, tenant.create_sent_at, now) {
            SubaccountDecision::Adopt(sid) => {
                let account = found.into_iter().find(|account| account.sid == sid);
                let account = account.expect("the decision names one of the candidates");
                self.bind(tenant, account).await
            }
            SubaccountDecision::LookAgain(at) => Ok(Progress::LookAgainAt(at)),
            SubaccountDecision::Create => self.create(tenant).await,
        }
    }

    /// The subaccounts of exactly this name, closed ones too.
    pub(crate) async fn list_by_name(&self, name: &str) -> Result<Vec<Account>, StepError> {
        let filter = AccountFilter {
            friendly_name: Some(name.to_owned()),
            status: None,
        };
        let listed = self.app.main.call(|main| {
            let (client, filter) = (&self.app.twilio, &filter);
            async move { client.list_accounts(&main, filter).await }
        });
        Ok(listed.await?)
    }

    /// The intent is on the row before the request goes out: whoever comes next looks before it creates.
    /// `tenant` becomes the row with the intent, so that a refusal can be written behind it.
    async fn create(&mut self, tenant: &mut Tenant) -> Result<Progress, StepError> {
        let intent = Tenant {
            create_sent_at: Some(self.app.host.now()),
            ..tenant.clone()
        };
        *tenant = self.app.store.update_tenant(&intent).await?;
        let tenant = &*tenant;
        let created = self.app.main.call(|main| {
            let (client, name) = (&self.app.twilio, &tenant.friendly_name);
            async move { client.create_account(&main, name).await }
        });
        match created.await.map_err(StepError::from) {
            Ok(account) => self.bind(tenant, account).await,
            // The next round lists, and finds the subaccount or waits for it.
            Err(StepError::Twilio(error @ twilio::Error::UnknownOutcome { .. })) => {
                tracing::warn!(tenant.id = %tenant.id, cause = %error, "subaccount create");
                Ok(Progress::Written(Box::new(tenant.clone())))
            }
            Err(error) => Err(error),
        }
    }

    /// Takes the subaccount that was there before us. It keeps its name.
    async fn bind_adopted(
        &mut self,
        tenant: &Tenant,
        account_sid: &AccountSid,
    ) -> Result<Progress, StepError> {
        let seen = self.app.main.call(|main| {
            let client = &self.app.twilio;
            async move { client.fetch_account(&main.into(), account_sid).await }
        });
        let account = seen.await?;
        if account.status == AccountStatus::Closed {
            return Err(StepError::GiveUp(Code::SUBACCOUNT_CLOSED.name));
        }
        self.bind(tenant, account).await
    }

    async fn bind(&mut self, tenant: &Tenant, account: Account) -> Result<Progress, StepError> {
        let next = Tenant {
            account_sid: Some(account.sid.clone()),
            twilio_status: twilio_status(&account.status),
            step: Step::Subaccount.next(&tenant.options),
            ..tenant.clone()
        };
        self.token = account
            .auth_token
            .map(|auth_token| (account.sid, auth_token));
        let audit = audit(self.caller, "tenant.bind_subaccount", "provisioning");
        match self.app.store.bind_subaccount(tenant, &next, &audit).await {
            Ok(tenant) => Ok(Progress::Written(Box::new(tenant))),
            Err(error) if error.is_conflict_on("S") => Err(StepError::GiveUp(OWNED_ELSEWHERE)),
            Err(error) => Err(error.into()),
        }
    }

    /// Stores the subaccount's token, keyed by its SID, so that a repetition stores the same.
    pub(crate) async fn store_secret(&mut self, tenant: &Tenant) -> Result<Progress, StepError> {
        let account_sid = bound(tenant)?;
        let auth_token = match self.token.take() {
            Some((sid, token)) if sid == account_sid => token,
            _ => self.read_token(&account_sid).await?,
        };
        let secret = TwilioSecret {
            account_sid,
            auth_token,
        };
        self.app.secrets.store_subaccount(&secret).await?;
        self.advance(tenant, Step::Secret).await
    }

    async fn read_token(&self, account_sid: &AccountSid) -> Result<SecretString, StepError> {
        let account = self.app.main.call(|main| {
            let client = &self.app.twilio;
            async move { client.fetch_account(&main.into(), account_sid).await }
        });
        let token = account.await?.auth_token;
        token.ok_or(StepError::GiveUp("auth_token_not_shown"))
    }

    /// Issues the first API key if a client waits who can be shown its secret; deletes orphans in any case.
    pub(crate) async fn issue_first_key(&mut self, tenant: &Tenant) -> Result<Progress, StepError> {
        let account_sid = bound(tenant)?;
        let name = key_name(&tenant.name, FIRST_KEY);
        let maker = KeyMaker {
            app: self.app,
            tenant: &tenant.id,
            account_sid: &account_sid,
        };
        maker.delete_orphans(&name).await?;
        let wants_key = matches!(
            self.audience,
            Audience::Client {
                wants_key: true,
                ..
            }
        );
        if !wants_key {
            return self.advance(tenant, Step::ApiKey).await;
        }
        let created = maker.create(&name).await?;
        let issued = IssuedKey {
            key_sid: created.sid.clone(),
            name: name.clone(),
            policy: None,
            issued_at: self.app.host.now(),
            revoked_at: None,
        };
        let next = Tenant {
            step: Step::ApiKey.next(&tenant.options),
            api_key_sid: Some(created.sid.clone()),
            ..tenant.clone()
        };
        let audit = audit(self.caller, "api_key.issue", FIRST_KEY);
        let recorded = self
            .app
            .store
            .record_key(tenant, &next, &issued, &audit)
            .await;
        let tenant = match recorded {
            Ok(tenant) => tenant,
            Err(error @ CommitError::Conflict { .. }) => {
                // Ours after all, its answer lost; or another run's, and then our key is an orphan.
                let fresh = self.app.store.tenant(&tenant.id).await?;
                let ours = |fresh: &Tenant| fresh.api_key_sid.as_ref() == Some(&created.sid);
                let Some(fresh) = fresh.filter(ours) else {
                    maker.delete(&created.sid).await?;
                    return Err(error.into());
                };
                fresh
            }
            Err(error) => return Err(error.into()),
        };
        self.key = Some(ShownKey {
            key_sid: created.sid,
            name,
            secret: created.secret,
        });
        Ok(Progress::Written(Box::new(tenant)))
    }

    /// Opens the books and puts the tenant in service, in one transaction.
    pub(crate) async fn activate(&mut self, tenant: &Tenant) -> Result<Progress, StepError> {
        let account_sid = bound(tenant)?;
        let now = self.app.host.now();
        let opening = Entry {
            seq: 1,
            kind: EntryKind::Opening,
            actor: self.caller.actor.clone(),
            reason: "provisioned".to_owned(),
            at: now,
            currency: tenant.currency,
            postings: Vec::new(),
            moves: Vec::new(),
            lines: Vec::new(),
            periods: Vec::new(),
            statement: None,
            natural_key: None,
        };
        let wallet = Wallet::new(tenant.currency)
            .post(&opening)
            .map_err(|_| StepError::GiveUp("ledger_refused"))?;
        let reference = tenant.plan_on(crate::app::day_of(now));
        let reference = reference.ok_or(StepError::GiveUp("unknown_plan"))?;
        let plan = self.app.plan(reference).await?;
        let plan = plan.ok_or(StepError::GiveUp("unknown_plan"))?;
        let credited = sign_up_credit(tenant, &wallet, &self.caller.actor, now)?;
        let mut entries = vec![opening];
        let cause = &self.caller.request_id;
        let fact = Fact::TenantProvisioned { account_sid };
        let mut events = vec![self.app.event(&tenant.id, tenant.ver + 1, cause, fact)];
        let mut wallet = wallet;
        if let Some(credited) = credited {
            events.push(
                self.app
                    .event(&tenant.id, credited.entry.seq, cause, credited.fact),
            );
            entries.push(credited.entry);
            wallet = credited.wallet;
        }
        let is_credited = entries.len() > 1;
        let wallet = wallet.settle(&plan.standing, Occasion::Other, now).wallet;
        let suspended = tenant.twilio_status != Some(TwilioStatus::Active);
        if suspended {
            // Adopted as it was found: the suspender makes Twilio agree.
            self.app
                .store
                .set_act(ActKind::Enforce, &tenant.id, now)
                .await?;
        }
        let mut next = Tenant {
            lifecycle: Lifecycle::Active,
            step: Step::Done,
            activated_at: tenant.activated_at.or(Some(now)),
            trial_credited_at: is_credited.then_some(now),
            create_sent_at: None,
            next_action_at: suspended.then_some(now),
            ..tenant.clone()
        };
        if let Some(at) = trial_credit_due_at(&next) {
            self.app
                .store
                .set_act(ActKind::Provision, &tenant.id, at)
                .await?;
            next.next_action_at = next.next_action_at.or(Some(at));
        }
        if let Some(lease) = &mut next.lease {
            lease.until = now;
        }
        let activation = Activation {
            before: tenant.clone(),
            tenant: next,
            idempotency: self.idempotency_of(tenant).await?,
            entries,
            wallet,
            audit: audit(self.caller, "tenant.activate", "provisioning"),
            events,
        };
        let tenant = self.app.store.activate_tenant(&activation).await?;
        Ok(Progress::Written(Box::new(tenant)))
    }

    /// The request that asked for the tenant: a run in the background looks it up.
    async fn idempotency_of(&self, tenant: &Tenant) -> Result<Option<Idempotency>, StepError> {
        match (&self.audience, &tenant.idempotency_hash) {
            (Audience::Client { idempotency, .. }, _) => Ok(Some(idempotency.clone())),
            (Audience::Background, Some(hash)) => Ok(self.app.store.idempotency(hash).await?),
            (Audience::Background, None) => Ok(None),
        }
    }

    /// A step is done: the row names the next one that was asked for.
    pub(crate) async fn advance(&self, tenant: &Tenant, done: Step) -> Result<Progress, StepError> {
        let next = Tenant {
            step: done.next(&tenant.options),
            ..tenant.clone()
        };
        let tenant = self.app.store.update_tenant(&next).await?;
        Ok(Progress::Written(Box::new(tenant)))
    }
}

pub(crate) fn bound(tenant: &Tenant) -> Result<AccountSid, StepError> {
    tenant
        .account_sid
        .clone()
        .ok_or(StepError::GiveUp("subaccount_not_bound"))
}

pub(crate) fn twilio_status(status: &AccountStatus) -> Option<TwilioStatus> {
    match status {
        AccountStatus::Active => Some(TwilioStatus::Active),
        AccountStatus::Suspended => Some(TwilioStatus::Suspended),
        AccountStatus::Closed => Some(TwilioStatus::Closed),
        AccountStatus::Other(_) => None,
    }
}
