//! `PATCH .../billing`: how a tenant is billed. A billing period's bounds are fixed once a day of usage is
//! recorded, so that no day ever belongs to two periods.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use domain::Date;
use domain::money::parse_decimal;
use domain::tenant::BillingProfile;
use http::StatusCode;
use serde::{Deserialize, Deserializer};

use crate::app::{App, TRIES_MAX, audit};
use crate::extract::{Caller, JsonBody, TenantPath};
use crate::problem::{Answer, Code, Failure, unavailable};
use crate::tenants::{lost_race, shown};

/// What changes; a field that is absent stays as it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BillingChange {
    /// IANA name.
    pub time_zone: Option<String>,
    /// 1 to 31.
    pub billing_day: Option<i8>,
    /// As a share.
    pub tax_rate: Option<String>,
    /// No tax is charged.
    pub tax_exempt: Option<bool>,
    /// `null` removes it.
    #[serde(default)]
    pub tax_id: TaxIdChange,
    /// Lines of an address.
    pub bill_to: Option<Vec<String>>,
}

/// A change of the tax number, which tells `null` from absent.
#[derive(Debug, Default)]
pub enum TaxIdChange {
    /// It stays.
    #[default]
    Keep,
    /// It goes.
    Remove,
    /// It becomes this.
    Set(String),
}

impl<'de> Deserialize<'de> for TaxIdChange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = Option::deserialize(deserializer)?;
        Ok(given.map_or(Self::Remove, Self::Set))
    }
}

impl BillingChange {
    /// The profile with the change, if it makes sense.
    pub fn applied_to(&self, profile: &BillingProfile) -> Result<BillingProfile, Failure> {
        let mut next = profile.clone();
        if let Some(time_zone) = &self.time_zone {
            next.time_zone.clone_from(time_zone);
        }
        if let Some(text) = &self.tax_rate {
            let invalid = |_| Code::BILLING_INVALID.because("tax_rate is no decimal number");
            next.tax_rate = parse_decimal(text).map_err(invalid)?;
        }
        match &self.tax_id {
            TaxIdChange::Keep => {}
            TaxIdChange::Remove => next.tax_id = None,
            TaxIdChange::Set(tax_id) => next.tax_id = Some(tax_id.clone()),
        }
        if let Some(bill_to) = &self.bill_to {
            next.bill_to.clone_from(bill_to);
        }
        next.billing_day = self.billing_day.unwrap_or(next.billing_day);
        next.tax_exempt = self.tax_exempt.unwrap_or(next.tax_exempt);
        next.check()
            .map_err(|why| Code::BILLING_INVALID.because(why))?;
        Ok(next)
    }
}

/// Changes a tenant's billing.
pub async fn change(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    JsonBody { value, .. }: JsonBody<BillingChange>,
) -> Answer {
    for _ in 0..TRIES_MAX {
        let before = app.tenant(&id).await?;
        let billing = value.applied_to(&before.billing)?;
        if billing == before.billing {
            return shown(&app, &before, StatusCode::OK).await;
        }
        let bounds = |profile: &BillingProfile| (profile.time_zone.clone(), profile.billing_day);
        if bounds(&billing) != bounds(&before.billing) {
            let sheets = app.store.day_sheets(&id, Date::ZERO, Date::MAX).await?;
            // A tenant without usage has statements all the same, which name periods.
            let statements = app.store.statements(&id, None, 1).await?;
            if !(sheets.is_empty() && statements.is_empty()) {
                return Err(Code::BILLING_PERIOD_FIXED.into());
            }
        }
        let mut tenant = before.clone();
        tenant.billing = billing;
        let audit = audit(&caller, "tenant.change_billing", "billing changed");
        match app
            .store
            .change_tenant(&before, &tenant, &audit, None, None)
            .await
        {
            Ok(tenant) => return shown(&app, &tenant, StatusCode::OK).await,
            Err(error) if lost_race(&error) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the tenant's row kept changing"))
}
