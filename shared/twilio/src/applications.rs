//! Applications: callbacks that several numbers share. A number's application goes before its own addresses.

use domain::Timestamp;
use domain::ids::{AccountSid, ApplicationSid};
use serde::Deserialize;

use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::hosts::{Api, Host};
use crate::paging::Row;
use crate::request::{Effect, Request};
use crate::values::CallbackMethod;
use crate::wire;

/// An application as Twilio shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Application {
    /// The application.
    pub sid: ApplicationSid,
    /// The account it belongs to.
    pub account_sid: AccountSid,
    /// The name it was given.
    #[serde(default, deserialize_with = "wire::text")]
    pub friendly_name: Option<String>,
    /// Where calls are announced.
    #[serde(default, deserialize_with = "wire::text")]
    pub voice_url: Option<String>,
    /// How.
    #[serde(default, deserialize_with = "wire::word")]
    pub voice_method: Option<CallbackMethod>,
    /// Where, if that fails.
    #[serde(default, deserialize_with = "wire::text")]
    pub voice_fallback_url: Option<String>,
    /// How.
    #[serde(default, deserialize_with = "wire::word")]
    pub voice_fallback_method: Option<CallbackMethod>,
    /// Whether callers' names are looked up, which costs.
    #[serde(default, deserialize_with = "wire::flag")]
    pub voice_caller_id_lookup: Option<bool>,
    /// Where the end of a call is announced.
    #[serde(default, deserialize_with = "wire::text")]
    pub status_callback: Option<String>,
    /// How.
    #[serde(default, deserialize_with = "wire::word")]
    pub status_callback_method: Option<CallbackMethod>,
    /// Where messages are announced.
    #[serde(default, deserialize_with = "wire::text")]
    pub sms_url: Option<String>,
    /// How.
    #[serde(default, deserialize_with = "wire::word")]
    pub sms_method: Option<CallbackMethod>,
    /// Where, if that fails.
    #[serde(default, deserialize_with = "wire::text")]
    pub sms_fallback_url: Option<String>,
    /// How.
    #[serde(default, deserialize_with = "wire::word")]
    pub sms_fallback_method: Option<CallbackMethod>,
    /// Where the progress of sent messages is told.
    #[serde(default, deserialize_with = "wire::text")]
    pub message_status_callback: Option<String>,
    /// When it was made.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_created: Option<Timestamp>,
    /// When it last changed.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_updated: Option<Timestamp>,
}

impl Row for Application {
    type Identity = ApplicationSid;

    fn identity(&self) -> ApplicationSid {
        self.sid.clone()
    }
}

/// An application's configuration, as far as it is to be set. An empty address clears the one that was set.
#[derive(Debug, Clone, Default)]
pub struct ApplicationSettings {
    /// Its name, by which to find it after an unknown outcome.
    pub friendly_name: Option<String>,
    /// Where calls are announced.
    pub voice_url: Option<String>,
    /// How.
    pub voice_method: Option<CallbackMethod>,
    /// Where, if that fails.
    pub voice_fallback_url: Option<String>,
    /// How.
    pub voice_fallback_method: Option<CallbackMethod>,
    /// Whether callers' names are looked up, which costs.
    pub voice_caller_id_lookup: Option<bool>,
    /// Where the end of a call is announced.
    pub status_callback: Option<String>,
    /// How.
    pub status_callback_method: Option<CallbackMethod>,
    /// Where messages are announced.
    pub sms_url: Option<String>,
    /// How.
    pub sms_method: Option<CallbackMethod>,
    /// Where, if that fails.
    pub sms_fallback_url: Option<String>,
    /// How.
    pub sms_fallback_method: Option<CallbackMethod>,
    /// Where the progress of sent messages is told.
    pub message_status_callback: Option<String>,
}

impl ApplicationSettings {
    fn fill(&self, request: Request<Api>) -> Request<Api> {
        request
            .form_if("FriendlyName", self.friendly_name.as_ref())
            .form_if("VoiceUrl", self.voice_url.as_ref())
            .form_if("VoiceMethod", self.voice_method.as_ref())
            .form_if("VoiceFallbackUrl", self.voice_fallback_url.as_ref())
            .form_if("VoiceFallbackMethod", self.voice_fallback_method.as_ref())
            .form_if("VoiceCallerIdLookup", self.voice_caller_id_lookup)
            .form_if("StatusCallback", self.status_callback.as_ref())
            .form_if("StatusCallbackMethod", self.status_callback_method.as_ref())
            .form_if("SmsUrl", self.sms_url.as_ref())
            .form_if("SmsMethod", self.sms_method.as_ref())
            .form_if("SmsFallbackUrl", self.sms_fallback_url.as_ref())
            .form_if("SmsFallbackMethod", self.sms_fallback_method.as_ref())
            .form_if(
                "MessageStatusCallback",
                self.message_status_callback.as_ref(),
            )
    }
}

const PATH_OF_ALL: &str = "/2010-04-01/Accounts/{AccountSid}/Applications.json";
const PATH: &str = "/2010-04-01/Accounts/{AccountSid}/Applications/{ApplicationSid}.json";

impl Client {
    /// Creates an application. `UnknownOutcome`: list by friendly name before creating again.
    pub async fn create_application(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        settings: &ApplicationSettings,
    ) -> Result<Application, Error> {
        let effect = Effect::Create {
            what_to_look_for: "look for an application of that friendly name",
        };
        let request = settings.fill(Api::post(PATH_OF_ALL, &[account.as_str()], effect));
        self.send_json(credentials, &request).await
    }

    /// Lists an account's applications, all of them or those of a friendly name.
    pub async fn list_applications(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        friendly_name: Option<&str>,
    ) -> Result<Vec<Application>, Error> {
        let request =
            Api::get(PATH_OF_ALL, &[account.as_str()]).query_if("FriendlyName", friendly_name);
        self.list(credentials, request, "applications").await
    }

    /// Reads one application.
    pub async fn fetch_application(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        application: &ApplicationSid,
    ) -> Result<Application, Error> {
        let request = Api::get(PATH, &[account.as_str(), application.as_str()]);
        self.send_json(credentials, &request).await
    }

    /// Configures an application; doing it again changes nothing.
    pub async fn update_application(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        application: &ApplicationSid,
        settings: &ApplicationSettings,
    ) -> Result<Application, Error> {
        let ids = [account.as_str(), application.as_str()];
        let request = settings.fill(Api::post(PATH, &ids, Effect::Idempotent));
        self.send_json(credentials, &request).await
    }

    /// Deletes an application; one that is already gone is deleted.
    pub async fn delete_application(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        application: &ApplicationSid,
    ) -> Result<(), Error> {
        let request = Api::delete(PATH, &[account.as_str(), application.as_str()]);
        self.send_delete(credentials, &request).await
    }
}
