//! From event to answer: parse, whose is it, is it signed, does it make sense, record once.
//!
//! Nothing about a subaccount is read before the path's tenant is known to own it, and nothing is written
//! before the signature and every known field have been checked.

use aws::{
    CallbackRecord, Patience, Recorded, SecretError, Secrets, Settings, Store, StoreError, Tokens,
};
use aws_lambda_events::event::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use domain::ids::AccountSid;
use lambda_runtime::LambdaEvent;
use runtime::{Environment, Host, NowFn};
use secrecy::{ExposeSecret as _, SecretString};
use twilio::signature::Validator;

use crate::form::Field;
use crate::owners::Owners;
use crate::refusal::Refusal;
use crate::request::{Format, Request};
use crate::route::Route;
use crate::{grammar, record};

/// Held against callbacks of unknown subaccounts, so that they cost what a wrong signature costs.
const NOBODYS_TOKEN: &str = "00000000000000000000000000000000";

/// The webhook with its clients and what it remembers between callbacks.
#[derive(Clone)]
pub struct Function {
    base_url: Box<str>,
    store: Store,
    tokens: Tokens,
    owners: std::sync::Arc<Owners>,
    now: NowFn,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Function")
    }
}

impl Function {
    /// Builds the clients; fails on a missing or malformed setting.
    pub fn new(
        environment: &Environment,
        host: &Host,
        settings: &Settings,
    ) -> Result<Self, lambda_runtime::Error> {
        let base_url = environment.require_base_url("TOLLGATE_PUBLIC_BASE_URL")?;
        let settings = settings.clone().with_patience(Patience::CALLBACK);
        let clients = settings.clients()?;
        let secrets = Secrets::new(&clients, &settings.names());
        Ok(Self {
            base_url: base_url.into(),
            store: Store::new(&settings, &clients),
            tokens: Tokens::new(secrets, host.now.clone()),
            owners: std::sync::Arc::default(),
            now: host.now.clone(),
        })
    }

    /// Opens the connection to the store while init's CPU is free.
    pub async fn warm_up(&self) {
        self.store.warm_up().await;
    }

    /// Answers one event. Every outcome is an HTTP answer, so it never fails.
    pub async fn handle(
        &self,
        event: LambdaEvent<ApiGatewayV2httpRequest>,
    ) -> Result<ApiGatewayV2httpResponse, lambda_runtime::Error> {
        let (event, context) = event.into_parts();
        let route = Route::parse(event.raw_path.as_deref().unwrap_or_default());
        let received = match &route {
            Some(route) => self.receive(&event, route).await,
            None => Err(Refusal::NotFound.into()),
        };
        let tenant = route.as_ref().map(|route| route.tenant.as_str());
        let request_id = context.request_id.as_str();
        match received {
            Ok(recorded) => {
                tracing::debug!(
                    tenant.id = tenant,
                    request.id = request_id,
                    ?recorded,
                    "callback"
                );
                let mut response = ApiGatewayV2httpResponse::default();
                response.status_code = 204;
                Ok(response)
            }
            Err(Refused { refusal, cause }) => {
                let code = refusal.code();
                let cause = cause.as_deref();
                tracing::warn!(
                    tenant.id = tenant,
                    request.id = request_id,
                    code,
                    cause,
                    "callback refused"
                );
                Ok(refusal.into_response())
            }
        }
    }

    async fn receive(
        &self,
        event: &ApiGatewayV2httpRequest,
        route: &Route,
    ) -> Result<Recorded, Refused> {
        let request = Request::parse(event, route)?;
        let mut fields = request.fields()?;
        // What is signed is every distinct pair; the order also makes duplicates neighbours.
        fields.sort_unstable();
        fields.dedup();
        let account_sid = self.authenticate(&request, &fields).await?;
        let resource_sid = grammar::check(route.kind, &fields).map_err(Refusal::Malformed)?;
        let callback = CallbackRecord {
            kind: route.kind.as_str().to_owned(),
            resource_sid: resource_sid.to_owned(),
            signed_hash: record::signed_hash(route.kind, &fields),
            account_sid,
            received_at: (self.now)(),
            fields: record::stored_fields(route.kind, &fields),
        };
        Ok(self.store.record_callback(&route.tenant, &callback).await?)
    }

    /// Which subaccount of the path's tenant signed this.
    async fn authenticate(
        &self,
        request: &Request<'_>,
        fields: &[Field<'_>],
    ) -> Result<AccountSid, Refused> {
        let url = request.route.url(&self.base_url, request.query);
        let validator = match request.format {
            Format::Form => Validator::for_form(&url, fields),
            Format::Json => Validator::for_json(&url, &request.body),
        };
        let is_signed_by = |tokens: &[SecretString]| {
            tokens
                .iter()
                .any(|token| validator.accepts(token.expose_secret(), request.signature))
        };
        let Some(sid) = self.owned_account(request.route, fields).await? else {
            std::hint::black_box(validator.accepts(NOBODYS_TOKEN, request.signature));
            return Err(Refusal::SignatureInvalid.into());
        };
        if is_signed_by(&self.tokens.known(&sid).await?) {
            return Ok(sid);
        }
        // Perhaps the token was rotated since it was read.
        match self.tokens.reread(&sid).await? {
            Some(tokens) if is_signed_by(&tokens) => Ok(sid),
            _ => Err(Refusal::SignatureInvalid.into()),
        }
    }

    /// The callback's subaccount, if it is the tenant's.
    async fn owned_account(
        &self,
        route: &Route,
        fields: &[Field<'_>],
    ) -> Result<Option<AccountSid>, Refused> {
        let mut stated = fields.iter().filter(|(name, _)| name == "AccountSid");
        let sid = stated.next().map(|(_, value)| AccountSid::parse(value));
        if stated.next().is_some() {
            return Err(Refusal::Malformed("AccountSid").into());
        }
        let Some(Ok(sid)) = sid else {
            return Ok(None);
        };
        let now = (self.now)();
        let is_owned = self
            .owners
            .is_of(&self.store, &sid, &route.tenant, now)
            .await?;
        Ok(is_owned.then_some(sid))
    }
}

/// A refusal, and for our log what made it necessary.
struct Refused {
    refusal: Refusal,
    cause: Option<String>,
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            cause: None,
        }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self {
            refusal: Refusal::Unavailable,
            cause: Some(error.to_string()),
        }
    }
}

impl From<SecretError> for Refused {
    fn from(error: SecretError) -> Self {
        Self {
            refusal: Refusal::Unavailable,
            cause: Some(error.to_string()),
        }
    }
}
