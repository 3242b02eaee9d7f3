//! `POST .../numbers`, `.../release`, `.../transfer`: what a caller asks for, checked, as an order.

use std::sync::Arc;

use aws::{Idempotency, IdempotencyState};
use axum::Extension;
use axum::extract::State;
use domain::ids::{AccountSid, AddressSid, BundleSid, PhoneNumberSid, TenantId};
use domain::numbers::{NumberAct, NumberOrder, NumberRecord, NumberUrls, OrderState};
use domain::tenant::Tenant;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use twilio::addresses::{AddressFilter, NewAddress};
use twilio::{CountryCode, E164, IncomingNumber};

use super::order::{Ask, order_id, place};
use super::preflight::{self, Accepted};
use super::{Search, account_of, check_urls, for_sale, number_of};
use crate::app::App;
use crate::dunning::refuse_restricted;
use crate::extract::{Caller, IdempotencyKey, Item, JsonBody, TenantPath, is_printable};
use crate::problem::{Answer, Code, Failure, internal};
use crate::tenants::{in_service, replayed};
use crate::view;

/// Characters of each part of an address.
const ADDRESS_PART_MAX: usize = 100;

/// A number to buy: this one, or the first that a search finds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purchase {
    phone_number: Option<String>,
    search: Option<Search>,
    address_sid: Option<String>,
    bundle_sid: Option<String>,
    address: Option<AddressBody>,
    #[serde(default)]
    urls: NumberUrls,
}

/// A postal address to make in the account that is to hold a number.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressBody {
    customer_name: String,
    street: String,
    street_secondary: Option<String>,
    city: String,
    region: String,
    postal_code: String,
    iso_country: String,
}

impl AddressBody {
    pub(crate) fn checked(&self, friendly_name: &str) -> Result<NewAddress, Failure> {
        let secondary = self.street_secondary.as_ref();
        let parts = [
            &self.customer_name,
            &self.street,
            &self.city,
            &self.region,
            &self.postal_code,
        ];
        let all = parts.into_iter().chain(secondary);
        let iso_country = CountryCode::parse(&self.iso_country);
        let (Ok(iso_country), true) = (
            iso_country,
            all.into_iter()
                .all(|part| is_printable(part, ADDRESS_PART_MAX)),
        ) else {
            return Err(Code::ADDRESS_INVALID.into());
        };
        Ok(NewAddress {
            customer_name: self.customer_name.clone(),
            street: self.street.clone(),
            street_secondary: self.street_secondary.clone(),
            city: self.city.clone(),
            region: self.region.clone(),
            postal_code: self.postal_code.clone(),
            iso_country,
            friendly_name: Some(friendly_name.to_owned()),
            emergency_enabled: None,
            auto_correct: None,
        })
    }
}

/// A release, confirmed by typing the number back.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    confirm: Option<String>,
    #[serde(default)]
    dry_run: bool,
}

/// Where a number is to go, and what is accepted on the way.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a check list: each is a decision of its own"
)]
pub struct Move {
    /// A tenant, or `main`.
    pub(super) to: String,
    #[serde(default)]
    pub(super) dry_run: bool,
    address_sid: Option<String>,
    bundle_sid: Option<String>,
    address: Option<AddressBody>,
    #[serde(default)]
    urls: NumberUrls,
    /// Keep voice and message URLs that are not given, instead of clearing them.
    #[serde(default)]
    keep_urls: bool,
    #[serde(default)]
    whatsapp_sender: bool,
    #[serde(default)]
    accept_campaign_loss: bool,
    #[serde(default)]
    accept_live_calls: bool,
}

/// A request's key, its fingerprint and the order that it makes.
pub(super) struct Request {
    pub(super) idempotency: Idempotency,
}

impl Request {
    pub(super) fn new(key_hash: String, fingerprint: String, tenant: &TenantId) -> Self {
        Self {
            idempotency: Idempotency {
                key_hash,
                fingerprint,
                state: IdempotencyState::Done,
                tenant: tenant.clone(),
            },
        }
    }

    /// The same request again: its order as it stands. `None`: it is new.
    pub(super) async fn repeated(
        &self,
        app: &App,
        caller: &Caller,
    ) -> Result<Option<NumberOrder>, Failure> {
        let key_hash = &self.idempotency.key_hash;
        let Some(earlier) = app.store.idempotency(key_hash).await? else {
            return Ok(None);
        };
        if earlier.fingerprint != self.idempotency.fingerprint {
            return Err(Code::IDEMPOTENCY_KEY_MISMATCH.into());
        }
        let id = order_id(key_hash);
        Ok(Some(
            super::carry_out(app, caller, &earlier.tenant, &id).await?,
        ))
    }

    pub(super) async fn place(
        &self,
        app: &App,
        caller: &Caller,
        ask: &Ask,
    ) -> Result<NumberOrder, Failure> {
        let id = order_id(&self.idempotency.key_hash);
        let tenant = &self.idempotency.tenant;
        Box::pin(place(
            app,
            caller,
            tenant,
            &id,
            ask,
            Some(&self.idempotency),
        ))
        .await
    }
}

/// Buys a number.
pub async fn buy(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    IdempotencyKey(key_hash): IdempotencyKey,
    JsonBody { value, fingerprint }: JsonBody<Purchase>,
) -> Answer {
    check_urls(&value.urls)?;
    let request = Request::new(key_hash, fingerprint, &id);
    if let Some(order) = request.repeated(&app, &caller).await? {
        return Ok(replayed(ended(&order)?));
    }
    let tenant = in_service(&app, &id).await?;
    refuse_restricted(&app, &tenant).await?;
    let account_sid = account_of(&tenant)?;
    let phone_number = match (&value.phone_number, &value.search) {
        (Some(number), None) => number.clone(),
        (None, Some(search)) => {
            let found = for_sale(&app, &account_sid, search).await?;
            let first = found.into_iter().next().ok_or(Code::NUMBER_UNAVAILABLE)?;
            first.phone_number
        }
        _ => return Err(Code::NUMBER_INVALID.because("give either phone_number or search")),
    };
    E164::parse(&phone_number)
        .map_err(|_| Code::NUMBER_INVALID.because("phone_number must be in E.164 form"))?;
    let brought = Brought {
        address_sid: value.address_sid.as_deref(),
        bundle_sid: value.bundle_sid.as_deref(),
        address: value.address.as_ref(),
    };
    let (address_sid, bundle_sid) = brought
        .ready(&app, &account_sid, &request.idempotency.key_hash)
        .await?;
    let ask = Ask {
        act: NumberAct::Buy { phone_number },
        urls: with_our_callback(value.urls, &app, Some(&id)),
        address_sid,
        bundle_sid,
        found: None,
        seen: None,
    };
    ended(&request.place(&app, &caller, &ask).await?)
}

/// Gives a number back to Twilio, where anyone may buy it then.
pub async fn release(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    Item(item): Item,
    IdempotencyKey(key_hash): IdempotencyKey,
    JsonBody { value, fingerprint }: JsonBody<Release>,
) -> Answer {
    let request = Request::new(key_hash, fingerprint, &id);
    if let Some(order) = request.repeated(&app, &caller).await? {
        return Ok(replayed(ended(&order)?));
    }
    let tenant = in_service(&app, &id).await?;
    let seen = seen_version(&app, &item).await?;
    let number = number_of(&app, &account_of(&tenant)?, &item).await?;
    if value.dry_run {
        let body = json!({
            "dry_run": true, "sid": number.sid.as_str(), "phone_number": number.phone_number,
            "would_release": true,
        });
        return Ok(view::json(StatusCode::OK, &body));
    }
    if value.confirm.as_deref() != Some(&number.phone_number) {
        return Err(Code::CONFIRMATION_MISSING.because("confirm must be the number in E.164 form"));
    }
    let ask = Ask {
        found: Some(as_found(&app, &number, Some(&id))),
        seen: Some(seen),
        act: NumberAct::Release {
            sid: number.sid,
            phone_number: number.phone_number,
        },
        urls: NumberUrls::default(),
        address_sid: None,
        bundle_sid: None,
    };
    ended(&request.place(&app, &caller, &ask).await?)
}

/// Moves a tenant's number to another tenant or to the main account.
pub async fn transfer(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    TenantPath(id): TenantPath,
    Item(item): Item,
    IdempotencyKey(key_hash): IdempotencyKey,
    JsonBody { value, fingerprint }: JsonBody<Move>,
) -> Answer {
    let request = Request::new(key_hash, fingerprint, &id);
    if let Some(order) = request.repeated(&app, &caller).await? {
        return Ok(replayed(ended(&order)?));
    }
    let tenant = app.tenant(&id).await?;
    let seen = seen_version(&app, &item).await?;
    let number = number_of(&app, &account_of(&tenant)?, &item).await?;
    let found = (&number, seen);
    move_number(&app, &caller, &request, found, Some(&tenant), &value).await
}

/// The version of our record of a number, read before Twilio is looked at.
pub(super) async fn seen_version(app: &App, sid: &str) -> Result<u64, Failure> {
    let sid = PhoneNumberSid::parse(sid).map_err(|_| Code::NUMBER_NOT_FOUND)?;
    let known = app.store.number(&sid).await?;
    Ok(known.map_or(0, |known| known.ver))
}

/// Checks a move and orders it; a dry run only checks.
pub(super) async fn move_number(
    app: &App,
    caller: &Caller,
    request: &Request,
    (number, seen): (&IncomingNumber, u64),
    from: Option<&Tenant>,
    value: &Move,
) -> Answer {
    check_urls(&value.urls)?;
    let gaining = match value.to.as_str() {
        "main" => None,
        id => {
            let id = TenantId::parse(id).map_err(|_| Code::TENANT_NOT_FOUND)?;
            Some(in_service(app, &id).await?)
        }
    };
    let to = match &gaining {
        Some(gaining) => {
            refuse_restricted(app, gaining).await?;
            account_of(gaining)?
        }
        None => app.main_sid().await?,
    };
    if to == number.account_sid {
        return Err(Code::NUMBER_INVALID.because("the number is there already"));
    }
    let accepted = Accepted {
        address: value.address_sid.is_some() || value.address.is_some(),
        bundle: value.bundle_sid.is_some(),
        is_whatsapp_sender: value.whatsapp_sender,
        campaign_loss: value.accept_campaign_loss,
        live_calls: value.accept_live_calls,
    };
    let facts = preflight::facts(app, number, &to, accepted).await?;
    if value.dry_run {
        return Ok(view::json(
            StatusCode::OK,
            &preflight::shown(number, &to, &facts),
        ));
    }
    preflight::clear(&facts)?;
    let brought = Brought {
        address_sid: value.address_sid.as_deref(),
        bundle_sid: value.bundle_sid.as_deref(),
        address: value.address.as_ref(),
    };
    let key_hash = &request.idempotency.key_hash;
    let (address_sid, bundle_sid) = brought.ready(app, &to, key_hash).await?;
    let mut urls = value.urls.clone();
    if value.keep_urls {
        urls.voice_url = urls.voice_url.or_else(|| number.voice_url.clone());
        urls.sms_url = urls.sms_url.or_else(|| number.sms_url.clone());
    }
    let to_tenant = gaining.map(|gaining| gaining.id);
    let ask = Ask {
        act: NumberAct::Transfer {
            sid: number.sid.clone(),
            phone_number: number.phone_number.clone(),
            from: number.account_sid.clone(),
            from_tenant: from.map(|from| from.id.clone()),
            to,
            to_tenant: to_tenant.clone(),
        },
        urls: with_our_callback(urls, app, to_tenant.as_ref()),
        address_sid,
        bundle_sid,
        found: Some(as_found(app, number, from.map(|from| &from.id))),
        seen: Some(seen),
    };
    ended(&request.place(app, caller, &ask).await?)
}

/// What a number needs in the account that is to hold it.
struct Brought<'a> {
    address_sid: Option<&'a str>,
    bundle_sid: Option<&'a str>,
    address: Option<&'a AddressBody>,
}

impl Brought<'_> {
    /// The papers, checked; an address that is only described is made, or found made.
    async fn ready(
        &self,
        app: &App,
        account_sid: &AccountSid,
        key_hash: &str,
    ) -> Result<(Option<AddressSid>, Option<BundleSid>), Failure> {
        let bundle = self.bundle_sid.map(BundleSid::parse).transpose();
        let bundle =
            bundle.map_err(|_| Code::NUMBER_INVALID.because("bundle_sid is no Bundle's SID"))?;
        let address = match (self.address_sid, self.address) {
            (Some(sid), None) => Some(
                AddressSid::parse(sid)
                    .map_err(|_| Code::NUMBER_INVALID.because("address_sid is no Address's SID"))?,
            ),
            (None, Some(described)) => {
                // A name that only this request has: an answer that got lost is looked for.
                let name = format!("tollgate {}", &key_hash[..16]);
                let new = described.checked(&name)?;
                Some(made_address(app, account_sid, &new).await?)
            }
            (None, None) => None,
            (Some(_), Some(_)) => {
                return Err(Code::NUMBER_INVALID.because("give either address_sid or address"));
            }
        };
        Ok((address, bundle))
    }
}

/// Makes an address, or finds the one of its name that an earlier try made.
pub(crate) async fn made_address(
    app: &App,
    account_sid: &AccountSid,
    new: &NewAddress,
) -> Result<AddressSid, Failure> {
    let filter = AddressFilter {
        friendly_name: new.friendly_name.clone(),
        ..AddressFilter::default()
    };
    let listed = app.main.call(|main| {
        let (client, filter) = (&app.twilio, &filter);
        async move {
            client
                .list_addresses(&main.into(), account_sid, filter)
                .await
        }
    });
    let known = listed.await?;
    let known = known
        .into_iter()
        .find(|address| address.friendly_name == new.friendly_name);
    if let Some(known) = known {
        return Ok(known.sid);
    }
    let made = app.main.call(|main| {
        let client = &app.twilio;
        async move { client.create_address(&main.into(), account_sid, new).await }
    });
    Ok(made.await?.sid)
}

/// The number as it stands in Twilio, for a record that we do not have yet.
pub(crate) fn as_found(
    app: &App,
    number: &IncomingNumber,
    tenant: Option<&TenantId>,
) -> NumberRecord {
    let since = number.date_created.unwrap_or_else(|| app.host.now());
    NumberRecord::found(
        &number.sid,
        &number.phone_number,
        &number.account_sid,
        tenant,
        since,
    )
}

/// The end of a tenant's calls is announced to us unless the caller wants it elsewhere.
pub(crate) fn with_our_callback(
    mut urls: NumberUrls,
    app: &App,
    tenant: Option<&TenantId>,
) -> NumberUrls {
    if let Some(tenant) = tenant {
        let ours = view::callback_url(&app.public_base_url, tenant, "calls");
        urls.status_callback.get_or_insert(ours);
    }
    urls
}

/// An order's end as an answer.
pub(super) fn ended(order: &NumberOrder) -> Answer {
    match &order.state {
        OrderState::Done { sid } => {
            let status = match order.act {
                NumberAct::Buy { .. } => StatusCode::CREATED,
                _ => StatusCode::OK,
            };
            let (from, to) = match &order.act {
                NumberAct::Transfer { from, to, .. } => (Some(from.as_str()), Some(to.as_str())),
                _ => (None, None),
            };
            let body = json!({
                "order_id": order.id.as_str(),
                "act": order.act.name(),
                "sid": sid.as_str(),
                "phone_number": order.act.phone_number(),
                "from": from,
                "to": to,
            });
            Ok(view::json(status, &body))
        }
        OrderState::Refused { code } => {
            let code = Code::find(code).unwrap_or(Code::TWILIO_REJECTED);
            Err(code.because("Twilio refused; nothing moved"))
        }
        OrderState::Open => Err(internal("an order that was carried out is open")),
    }
}
