//! `PATCH .../dunning`: what a person decides on a tenant's suspension; and what a tenant in arrears does not get.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use domain::Timestamp;
use domain::dunning::{Dunning, Exemption, HOLD_OFF_MAX};
use domain::event::Fact;
use domain::standing::Occasion;
use domain::tenant::Tenant;
use http::StatusCode;
use serde::{Deserialize, Deserializer};

use crate::app::{App, TRIES_MAX, audit};
use crate::extract::{Caller, JsonBody, TenantPath, check_reason};
use crate::money_act::wallet_of;
use crate::problem::{Answer, Code, Failure, unavailable};
use crate::tenants::{in_service, lost_race, shown};

/// What changes; a field that is absent stays as it is, `null` takes it back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    #[serde(default = "kept", deserialize_with = "given")]
    exemption: Given<Exemption>,
    #[serde(default = "kept", deserialize_with = "given")]
    hold_off_until: Given<Timestamp>,
    reason: String,
}

/// A field that tells `null` from absent.
#[derive(Debug, Clone, Copy)]
enum Given<T> {
    Kept,
    Set(Option<T>),
}

fn kept<T>() -> Given<T> {
    Given::Kept
}

fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Given<T>, D::Error> {
    Option::deserialize(deserializer).map(Given::Set)
}

impl Change {
    /// The dunning with the change, if it makes sense.
    fn applied_to(&self, dunning: &Dunning, now: Timestamp) -> Result<Dunning, Failure> {
        let mut next = dunning.clone();
        if let Given::Set(exemption) = self.exemption {
            next.exemption = exemption;
        }
        if let Given::Set(until) = self.hold_off_until {
            let last = now.saturating_add(HOLD_OFF_MAX).unwrap_or(Timestamp::MAX);
            let is_new = until != dunning.hold_off_until;
            if is_new && until.is_some_and(|until| until <= now || until > last) {
                let why = "hold_off_until must lie ahead, by 90 days at most";
                return Err(Code::DUNNING_INVALID.because(why));
            }
            next.hold_off_until = until;
        }
        Ok(next)
    }
}

/// Changes what a person decided, and the standing with it; the suspender follows.
pub async fn change(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    JsonBody { value, .. }: JsonBody<Change>,
) -> Answer {
    check_reason(&value.reason)?;
    for _ in 0..TRIES_MAX {
        let tenant = in_service(&app, &id).await?;
        let policy = app.plan_in_force(&tenant).await?.standing;
        let mut wallet = wallet_of(&app, &id).await?;
        let now = app.host.now();
        let next = value.applied_to(&wallet.dunning, now)?;
        if next == wallet.dunning {
            return shown(&app, &tenant, StatusCode::OK).await;
        }
        wallet.dunning = next;
        wallet.standing_ver += 1;
        let fact = Fact::DunningChanged {
            exemption: wallet.dunning.exemption,
            hold_off_until: wallet.dunning.hold_off_until,
            reason: value.reason.clone(),
        };
        let cause = &caller.request_id;
        let mut events = vec![app.event(&id, wallet.standing_ver, cause, fact)];
        let change = wallet.settle(&policy, Occasion::Other, now);
        let facts = change.facts().into_iter();
        events.extend(facts.map(|(seq, fact)| app.event(&id, seq, cause, fact)));
        let timer_at = change.timer_at(now);
        let audit = audit(&caller, "tenant.change_dunning", &value.reason);
        match app
            .store
            .write_wallet_rule(&tenant, &change.wallet, &events, &audit, timer_at)
            .await
        {
            Ok(_) => {
                let tenant = app.tenant(&id).await?;
                return shown(&app, &tenant, StatusCode::OK).await;
            }
            Err(error) if lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the wallet kept changing"))
}

/// Refuses what a tenant in arrears does not get: new numbers and keys.
pub async fn refuse_restricted(app: &App, tenant: &Tenant) -> Result<(), Failure> {
    let wallet = wallet_of(app, &tenant.id).await?;
    if wallet.standing.is_restricted() {
        return Err(Code::TENANT_RESTRICTED.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Change {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_is_absent_stays_and_null_takes_it_back() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let first = parse(
            r#"{"exemption": "never_suspend", "hold_off_until": "2027-02-01T00:00:00Z", "reason": "r"}"#,
        );
        let both = first.applied_to(&Dunning::default(), now).unwrap();
        assert_eq!(both.exemption, Some(Exemption::NeverSuspend));
        assert!(both.hold_off_until.is_some());
        let kept = parse(r#"{"exemption": null, "reason": "r"}"#);
        let kept = kept.applied_to(&both, now).unwrap();
        assert_eq!(
            (kept.exemption, kept.hold_off_until),
            (None, both.hold_off_until)
        );
    }

    #[test]
    fn a_hold_is_put_off_by_ninety_days_at_most_and_not_into_the_past() {
        let now: Timestamp = "2027-01-15T08:00:00Z".parse().unwrap();
        let apply = |until: &str| {
            let body = format!(r#"{{"hold_off_until": "{until}", "reason": "r"}}"#);
            parse(&body).applied_to(&Dunning::default(), now)
        };
        assert!(apply("2027-04-15T08:00:00Z").is_ok());
        for until in ["2027-01-15T08:00:00Z", "2027-04-15T08:00:01Z"] {
            let failure = apply(until).unwrap_err();
            assert_eq!(failure.code(), "dunning_invalid", "{until}");
        }
    }
}
