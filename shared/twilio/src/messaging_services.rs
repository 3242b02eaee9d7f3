//! Messaging services: a tenant's senders under one name, with callbacks of their own.
//!
//! A status callback given with a message goes before the service's. Everything here acts on the account
//! that authenticates, so it takes the subaccount's own credentials.

use domain::Timestamp;
use domain::ids::{AccountSid, MessagingServiceSid, PhoneNumberSid};
use serde::Deserialize;

use crate::client::Client;
use crate::credentials::SubaccountCredentials;
use crate::error::Error;
use crate::hosts::{Host, Messaging};
use crate::paging::Row;
use crate::request::{Effect, Request};
use crate::send::unless_already;
use crate::values::CallbackMethod;
use crate::wire;

/// A messaging service as Twilio shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct MessagingService {
    /// The service.
    pub sid: MessagingServiceSid,
    /// The account it belongs to.
    pub account_sid: AccountSid,
    /// The name it was given.
    #[serde(default, deserialize_with = "wire::text")]
    pub friendly_name: Option<String>,
    /// Where messages to its senders are announced.
    #[serde(default, deserialize_with = "wire::text")]
    pub inbound_request_url: Option<String>,
    /// How.
    #[serde(default, deserialize_with = "wire::word")]
    pub inbound_method: Option<CallbackMethod>,
    /// Where, if that fails.
    #[serde(default, deserialize_with = "wire::text")]
    pub fallback_url: Option<String>,
    /// How.
    #[serde(default, deserialize_with = "wire::word")]
    pub fallback_method: Option<CallbackMethod>,
    /// Where the progress of sent messages is told.
    #[serde(default, deserialize_with = "wire::text")]
    pub status_callback: Option<String>,
    /// Whether each number's own address goes before the service's.
    #[serde(default, deserialize_with = "wire::flag")]
    pub use_inbound_webhook_on_number: Option<bool>,
    /// Whether a recipient keeps the sender he has had.
    #[serde(default, deserialize_with = "wire::flag")]
    pub sticky_sender: Option<bool>,
    /// Whether characters that cost more segments are replaced by similar ones.
    #[serde(default, deserialize_with = "wire::flag")]
    pub smart_encoding: Option<bool>,
    /// Whether media become a link where they cannot be received.
    #[serde(default, deserialize_with = "wire::flag")]
    pub mms_converter: Option<bool>,
    /// Whether a sender of the recipient's area is preferred.
    #[serde(default, deserialize_with = "wire::flag")]
    pub area_code_geomatch: Option<bool>,
    /// Whether a long code is used where a short code fails.
    #[serde(default, deserialize_with = "wire::flag")]
    pub fallback_to_long_code: Option<bool>,
    /// Seconds a message may wait in Twilio's queue.
    #[serde(default, deserialize_with = "wire::whole")]
    pub validity_period: Option<u64>,
    /// What it is for: `marketing`, `notifications`, ...
    #[serde(default, deserialize_with = "wire::text")]
    pub usecase: Option<String>,
    /// Whether it is registered for application-to-person traffic in the United States.
    #[serde(default, deserialize_with = "wire::flag")]
    pub us_app_to_person_registered: Option<bool>,
    /// When it was made.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_created: Option<Timestamp>,
    /// When it last changed.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_updated: Option<Timestamp>,
}

impl Row for MessagingService {
    type Identity = MessagingServiceSid;

    fn identity(&self) -> MessagingServiceSid {
        self.sid.clone()
    }
}

/// A service's configuration, as far as it is to be set. An empty address clears the one that was set.
#[derive(Debug, Clone, Default)]
pub struct MessagingServiceSettings {
    /// Where messages to its senders are announced.
    pub inbound_request_url: Option<String>,
    /// How.
    pub inbound_method: Option<CallbackMethod>,
    /// Where, if that fails.
    pub fallback_url: Option<String>,
    /// How.
    pub fallback_method: Option<CallbackMethod>,
    /// Where the progress of sent messages is told.
    pub status_callback: Option<String>,
    /// Whether each number's own address goes before the service's.
    pub use_inbound_webhook_on_number: Option<bool>,
    /// Whether a recipient keeps the sender he has had.
    pub sticky_sender: Option<bool>,
    /// Whether characters that cost more segments are replaced by similar ones.
    pub smart_encoding: Option<bool>,
    /// Whether media become a link where they cannot be received.
    pub mms_converter: Option<bool>,
    /// Whether a sender of the recipient's area is preferred.
    pub area_code_geomatch: Option<bool>,
    /// Whether a long code is used where a short code fails.
    pub fallback_to_long_code: Option<bool>,
    /// Seconds a message may wait in Twilio's queue.
    pub validity_period_s: Option<u32>,
    /// What it is for.
    pub usecase: Option<String>,
}

impl MessagingServiceSettings {
    fn fill(&self, request: Request<Messaging>) -> Request<Messaging> {
        request
            .form_if("InboundRequestUrl", self.inbound_request_url.as_ref())
            .form_if("InboundMethod", self.inbound_method.as_ref())
            .form_if("FallbackUrl", self.fallback_url.as_ref())
            .form_if("FallbackMethod", self.fallback_method.as_ref())
            .form_if("StatusCallback", self.status_callback.as_ref())
            .form_if(
                "UseInboundWebhookOnNumber",
                self.use_inbound_webhook_on_number,
            )
            .form_if("StickySender", self.sticky_sender)
            .form_if("SmartEncoding", self.smart_encoding)
            .form_if("MmsConverter", self.mms_converter)
            .form_if("AreaCodeGeomatch", self.area_code_geomatch)
            .form_if("FallbackToLongCode", self.fallback_to_long_code)
            .form_if("ValidityPeriod", self.validity_period_s)
            .form_if("Usecase", self.usecase.as_ref())
    }
}

/// A number that is a service's sender.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ServiceNumber {
    /// The number's identifier.
    pub sid: PhoneNumberSid,
    /// The service.
    #[serde(default, deserialize_with = "wire::optional_id")]
    pub service_sid: Option<MessagingServiceSid>,
    /// The number in E.164 form.
    pub phone_number: String,
    /// Its country, by ISO code.
    #[serde(default, deserialize_with = "wire::text")]
    pub country_code: Option<String>,
    /// What it can do: `SMS`, `MMS`, `Voice`.
    #[serde(default, deserialize_with = "wire::rows")]
    pub capabilities: Vec<String>,
    /// When it became one.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_created: Option<Timestamp>,
}

impl Row for ServiceNumber {
    type Identity = PhoneNumberSid;

    fn identity(&self) -> PhoneNumberSid {
        self.sid.clone()
    }
}

const PATH: &str = "/v1/Services/{MessagingServiceSid}";
const PATH_OF_NUMBERS: &str = "/v1/Services/{MessagingServiceSid}/PhoneNumbers";
const PATH_OF_NUMBER: &str = "/v1/Services/{MessagingServiceSid}/PhoneNumbers/{PhoneNumberSid}";

impl Client {
    /// Creates a service. `UnknownOutcome`: list and look for the friendly name before creating again.
    pub async fn create_messaging_service(
        &self,
        credentials: &SubaccountCredentials,
        friendly_name: &str,
        settings: &MessagingServiceSettings,
    ) -> Result<MessagingService, Error> {
        let effect = Effect::Create {
            what_to_look_for: "look for a messaging service of that friendly name",
        };
        let request =
            Messaging::post("/v1/Services", &[], effect).form("FriendlyName", friendly_name);
        self.send_json(credentials, &settings.fill(request)).await
    }

    /// Lists the subaccount's services.
    pub async fn list_messaging_services(
        &self,
        credentials: &SubaccountCredentials,
    ) -> Result<Vec<MessagingService>, Error> {
        let request = Messaging::get("/v1/Services", &[]);
        self.list(credentials, request, "services").await
    }

    /// Reads one service.
    pub async fn fetch_messaging_service(
        &self,
        credentials: &SubaccountCredentials,
        service: &MessagingServiceSid,
    ) -> Result<MessagingService, Error> {
        let request = Messaging::get(PATH, &[service.as_str()]);
        self.send_json(credentials, &request).await
    }

    /// Configures a service; doing it again changes nothing.
    pub async fn update_messaging_service(
        &self,
        credentials: &SubaccountCredentials,
        service: &MessagingServiceSid,
        friendly_name: Option<&str>,
        settings: &MessagingServiceSettings,
    ) -> Result<MessagingService, Error> {
        let request = Messaging::post(PATH, &[service.as_str()], Effect::Idempotent)
            .form_if("FriendlyName", friendly_name);
        self.send_json(credentials, &settings.fill(request)).await
    }

    /// Deletes a service; one that is already gone is deleted. Its numbers stay with the account.
    pub async fn delete_messaging_service(
        &self,
        credentials: &SubaccountCredentials,
        service: &MessagingServiceSid,
    ) -> Result<(), Error> {
        let request = Messaging::delete(PATH, &[service.as_str()]);
        self.send_delete(credentials, &request).await
    }

    /// Makes a number a service's sender; one that is already stays so.
    pub async fn add_service_number(
        &self,
        credentials: &SubaccountCredentials,
        service: &MessagingServiceSid,
        number: &PhoneNumberSid,
    ) -> Result<ServiceNumber, Error> {
        let request = Messaging::post(PATH_OF_NUMBERS, &[service.as_str()], Effect::Idempotent)
            .form("PhoneNumberSid", number.as_str());
        let added = self.send_json(credentials, &request).await;
        // Twilio refuses a sender that the service has already.
        let now = self.fetch_service_number(credentials, service, number);
        unless_already(added, now, |found: &ServiceNumber| found.sid == *number).await
    }

    /// Lists the numbers that are a service's senders.
    pub async fn list_service_numbers(
        &self,
        credentials: &SubaccountCredentials,
        service: &MessagingServiceSid,
    ) -> Result<Vec<ServiceNumber>, Error> {
        let request = Messaging::get(PATH_OF_NUMBERS, &[service.as_str()]);
        self.list(credentials, request, "phone_numbers").await
    }

    /// Reads one number that is a service's sender.
    pub async fn fetch_service_number(
        &self,
        credentials: &SubaccountCredentials,
        service: &MessagingServiceSid,
        number: &PhoneNumberSid,
    ) -> Result<ServiceNumber, Error> {
        let request = Messaging::get(PATH_OF_NUMBER, &[service.as_str(), number.as_str()]);
        self.send_json(credentials, &request).await
    }

    /// Takes a number out of a service; one that is not in it is taken out. It stays with the account.
    pub async fn remove_service_number(
        &self,
        credentials: &SubaccountCredentials,
        service: &MessagingServiceSid,
        number: &PhoneNumberSid,
    ) -> Result<(), Error> {
        let request = Messaging::delete(PATH_OF_NUMBER, &[service.as_str(), number.as_str()]);
        self.send_delete(credentials, &request).await
    }
}
