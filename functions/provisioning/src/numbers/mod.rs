//! A tenant's phone numbers: list, search, configure, buy, release, transfer; and the main account's.
//!
//! What Twilio lists is the truth about where a number is; our records say since when, and who held it
//! before. Buying, moving and releasing are orders (`order.rs`): accepted before Twilio is asked.

mod ask;
mod main_numbers;
mod order;
mod preflight;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use domain::ids::{AccountSid, PhoneNumberSid, TenantId};
use domain::numbers::{NumberRecord, NumberUrls};
use domain::provisioning::NumberWish;
use domain::tenant::Tenant;
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use twilio::available_numbers::{AvailableNumber, AvailableNumberFilter, AvailableType};
use twilio::numbers::AddressRequirement;
use twilio::{CountryCode, IncomingNumber, IncomingNumberFilter, NumberSettings};

use crate::app::{App, audit};
use crate::extract::{Caller, Item, JsonBody, Params, TenantPath, page_limit};
use crate::problem::{Answer, Code, Failure, internal};
use crate::tenants::in_service;
use crate::view;

pub(crate) use ask::{AddressBody, as_found, made_address, with_our_callback};
pub use ask::{buy, release, transfer};
pub use main_numbers::{list as list_main, transfer as transfer_main};
pub(crate) use order::{Ask, carry_out, carry_out_all, order_id, place, refusal};
pub(crate) use preflight::{Accepted, facts};

/// Numbers for sale that one search shows.
const FOUND: usize = 20;
/// At most.
const FOUND_MAX: usize = 100;
/// Bytes of a callback URL (Twilio's own limit is not documented; its console takes 2,048).
const URL_MAX: usize = 2_048;

/// A number as the API shows it.
#[derive(Debug, Serialize)]
struct NumberView {
    sid: String,
    phone_number: String,
    account_sid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    friendly_name: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    number_type: Option<String>,
    address_requirements: String,
    voice_url: Option<String>,
    sms_url: Option<String>,
    status_callback: Option<String>,
    held_since: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<String>,
}

impl NumberView {
    fn new(number: &IncomingNumber, record: Option<&NumberRecord>) -> Self {
        let holding = record.and_then(NumberRecord::holding);
        let since = holding.filter(|holding| holding.account_sid == number.account_sid);
        let requirement = number.address_requirements.as_ref();
        Self {
            sid: number.sid.to_string(),
            phone_number: number.phone_number.clone(),
            account_sid: number.account_sid.to_string(),
            friendly_name: number.friendly_name.clone(),
            number_type: number.number_type.clone(),
            address_requirements: requirement
                .map_or_else(|| "none".to_owned(), AddressRequirement::to_string),
            voice_url: number.voice_url.clone(),
            sms_url: number.sms_url.clone(),
            status_callback: number.status_callback.clone(),
            held_since: since.map(|holding| holding.from).or(number.date_created),
            order_id: record.and_then(|record| Some(record.order.as_ref()?.to_string())),
        }
    }
}

/// A number that was held by a tenant.
#[derive(Debug, Serialize)]
struct HoldingView {
    account_sid: String,
    tenant_id: Option<String>,
    from: Timestamp,
    until: Option<Timestamp>,
}

fn holdings(record: &NumberRecord) -> Vec<HoldingView> {
    let shown = record.holdings.iter().map(|holding| HoldingView {
        account_sid: holding.account_sid.to_string(),
        tenant_id: holding.tenant.as_ref().map(TenantId::to_string),
        from: holding.from,
        until: holding.until,
    });
    shown.collect()
}

/// The tenant's subaccount.
pub(crate) fn account_of(tenant: &Tenant) -> Result<AccountSid, Failure> {
    let sid = tenant.account_sid.clone();
    sid.ok_or_else(|| internal("a tenant in service without a subaccount"))
}

/// The numbers that an account holds, as Twilio lists them.
pub(crate) async fn held_by(
    app: &App,
    account_sid: &AccountSid,
) -> Result<Vec<IncomingNumber>, Failure> {
    let all = IncomingNumberFilter::default();
    let listed = app.main.call(|main| {
        let (client, all) = (&app.twilio, &all);
        async move {
            client
                .list_incoming_numbers(&main.into(), account_sid, all)
                .await
        }
    });
    Ok(listed.await?)
}

/// One number of an account; another account's answers like one that does not exist.
pub(crate) async fn number_of(
    app: &App,
    account_sid: &AccountSid,
    sid: &str,
) -> Result<IncomingNumber, Failure> {
    let sid = PhoneNumberSid::parse(sid).map_err(|_| Code::NUMBER_NOT_FOUND)?;
    let fetched = app.main.call(|main| {
        let (client, sid) = (&app.twilio, &sid);
        async move {
            client
                .fetch_incoming_number(&main.into(), account_sid, sid)
                .await
        }
    });
    match fetched.await {
        Ok(number) => Ok(number),
        Err(crate::main_account::MainError::Twilio(error)) if error.is_not_found() => {
            Err(Code::NUMBER_NOT_FOUND.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Lists the numbers that the tenant's subaccount holds, and those that it held before.
pub async fn list(State(app): State<Arc<App>>, TenantPath(id): TenantPath) -> Answer {
    let tenant = app.tenant(&id).await?;
    let Some(account_sid) = tenant.account_sid.clone() else {
        let none: [u8; 0] = [];
        return Ok(view::json(
            StatusCode::OK,
            &json!({ "numbers": none, "former": none }),
        ));
    };
    let held = held_by(&app, &account_sid).await?;
    let records = app.store.numbers_of(&id).await?;
    let known: BTreeMap<&PhoneNumberSid, &NumberRecord> =
        records.iter().map(|record| (&record.sid, record)).collect();
    let numbers: Vec<NumberView> = held
        .iter()
        .map(|number| NumberView::new(number, known.get(&number.sid).copied()))
        .collect();
    let is_held = |record: &&NumberRecord| held.iter().any(|number| number.sid == record.sid);
    let former: Vec<_> = records
        .iter()
        .filter(|record| !is_held(record))
        .map(|record| {
            json!({
                "sid": record.sid.as_str(),
                "phone_number": record.phone_number,
                "history": holdings(record),
            })
        })
        .collect();
    Ok(view::json(
        StatusCode::OK,
        &json!({ "numbers": numbers, "former": former }),
    ))
}

/// Shows one number with its history.
pub async fn read(
    State(app): State<Arc<App>>,
    TenantPath(id): TenantPath,
    Item(item): Item,
) -> Answer {
    let tenant = app.tenant(&id).await?;
    let account_sid = tenant.account_sid.ok_or(Code::NUMBER_NOT_FOUND)?;
    let number = number_of(&app, &account_sid, &item).await?;
    let record = app.store.number(&number.sid).await?;
    shown(&number, record.as_ref())
}

fn shown(number: &IncomingNumber, record: Option<&NumberRecord>) -> Answer {
    let mut body = serde_json::to_value(NumberView::new(number, record))
        .map_err(|error| internal(format!("a number's view: {error}")))?;
    body["history"] = json!(record.map(holdings).unwrap_or_default());
    Ok(view::json(StatusCode::OK, &body))
}

/// What to look for among the numbers for sale.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    country: String,
    #[serde(rename = "type")]
    number_type: Option<String>,
    area_code: Option<u32>,
    contains: Option<String>,
    locality: Option<String>,
    region: Option<String>,
    sms: Option<bool>,
    voice: Option<bool>,
    mms: Option<bool>,
    without_address: Option<bool>,
    limit: Option<usize>,
}

impl From<&NumberWish> for Search {
    fn from(wish: &NumberWish) -> Self {
        Self {
            country: wish.country.clone(),
            number_type: wish.number_type.clone(),
            area_code: wish.area_code,
            contains: wish.contains.clone(),
            locality: None,
            region: None,
            sms: wish.sms,
            voice: wish.voice,
            mms: None,
            without_address: Some(true),
            limit: None,
        }
    }
}

impl Search {
    /// Refuses a search that Twilio could not carry out.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.country()?;
        self.number_type()?;
        Ok(())
    }

    fn country(&self) -> Result<CountryCode, Failure> {
        CountryCode::parse(&self.country)
            .map_err(|_| Code::NUMBER_INVALID.because("country must be an ISO 3166-1 code"))
    }

    fn number_type(&self) -> Result<AvailableType, Failure> {
        match self.number_type.as_deref().unwrap_or("local") {
            "local" => Ok(AvailableType::Local),
            "mobile" => Ok(AvailableType::Mobile),
            "toll_free" => Ok(AvailableType::TollFree),
            "national" => Ok(AvailableType::National),
            _ => {
                Err(Code::NUMBER_INVALID
                    .because("type must be local, mobile, toll_free or national"))
            }
        }
    }
}

/// Numbers for sale that fit, at most as many as asked for.
pub(crate) async fn for_sale(
    app: &App,
    account_sid: &AccountSid,
    search: &Search,
) -> Result<Vec<AvailableNumber>, Failure> {
    let country = search.country()?;
    let number_type = search.number_type()?;
    let limit = page_limit(search.limit, FOUND, FOUND_MAX)?;
    let filter = AvailableNumberFilter {
        area_code: search.area_code,
        contains: search.contains.clone(),
        in_locality: search.locality.clone(),
        in_region: search.region.clone(),
        sms_enabled: search.sms,
        voice_enabled: search.voice,
        mms_enabled: search.mms,
        exclude_all_address_required: search.without_address,
        limit: u16::try_from(limit).ok(),
        ..AvailableNumberFilter::default()
    };
    let found = app.main.call(|main| {
        let (client, country, filter) = (&app.twilio, &country, &filter);
        async move {
            client
                .search_available_numbers(&main.into(), account_sid, country, number_type, filter)
                .await
        }
    });
    Ok(found.await?)
}

/// Searches the numbers for sale.
pub async fn available(
    State(app): State<Arc<App>>,
    TenantPath(id): TenantPath,
    Params(search): Params<Search>,
) -> Answer {
    let tenant = in_service(&app, &id).await?;
    let found = for_sale(&app, &account_of(&tenant)?, &search).await?;
    let shown: Vec<_> = found
        .iter()
        .map(|number| {
            json!({
                "phone_number": number.phone_number,
                "locality": number.locality,
                "region": number.region,
                "country": number.iso_country,
                "address_requirements": number.address_requirements.as_ref().map(ToString::to_string),
                "capabilities": number.capabilities.map(|can| json!({
                    "voice": can.voice, "sms": can.sms, "mms": can.mms, "fax": can.fax,
                })),
            })
        })
        .collect();
    Ok(view::json(
        StatusCode::OK,
        &json!({ "available_numbers": shown }),
    ))
}

/// Refuses URLs that Twilio could not call.
pub(crate) fn check_urls(urls: &NumberUrls) -> Result<(), Failure> {
    let all = [&urls.voice_url, &urls.sms_url, &urls.status_callback];
    let fits = |url: &String| {
        let is_web = url.starts_with("https://") || url.starts_with("http://");
        url.len() <= URL_MAX && is_web && url.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if all.into_iter().flatten().all(fits) {
        Ok(())
    } else {
        Err(Code::URL_INVALID.into())
    }
}

pub(crate) fn settings_of(urls: &NumberUrls) -> NumberSettings {
    NumberSettings {
        voice_url: urls.voice_url.clone(),
        sms_url: urls.sms_url.clone(),
        status_callback: urls.status_callback.clone(),
        ..NumberSettings::default()
    }
}

/// What may be changed of a number that stays where it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    friendly_name: Option<String>,
    voice_url: Option<String>,
    sms_url: Option<String>,
    status_callback: Option<String>,
}

/// Configures a number; doing it again changes nothing.
pub async fn configure(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    Item(item): Item,
    JsonBody { value, .. }: JsonBody<Configuration>,
) -> Answer {
    let urls = NumberUrls {
        voice_url: value.voice_url,
        sms_url: value.sms_url,
        status_callback: value.status_callback,
    };
    check_urls(&urls)?;
    if let Some(name) = &value.friendly_name {
        domain::tenant::check_name(name).map_err(|why| Code::NAME_INVALID.because(why))?;
    }
    let tenant = in_service(&app, &id).await?;
    let account_sid = account_of(&tenant)?;
    let number = number_of(&app, &account_sid, &item).await?;
    let settings = NumberSettings {
        friendly_name: value.friendly_name,
        ..settings_of(&urls)
    };
    let updated = app.main.call(|main| {
        let (client, account_sid, settings) = (&app.twilio, &account_sid, &settings);
        let sid = &number.sid;
        async move {
            client
                .update_incoming_number(&main.into(), account_sid, sid, settings)
                .await
        }
    });
    let updated = updated.await?;
    let audit = audit(&caller, "number.configure", &number.phone_number);
    crate::tenants::audited(&app, &id, &audit).await?;
    let record = app.store.number(&updated.sid).await?;
    shown(&updated, record.as_ref())
}
