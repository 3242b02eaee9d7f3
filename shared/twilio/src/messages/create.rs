//! Sending a message. There is no idempotency key: sending again after a lost answer may send twice.

use domain::Timestamp;
use domain::ids::{AccountSid, ApplicationSid, ContentSid, MessagingServiceSid};
use secrecy::{ExposeSecret as _, SecretString};

use super::Message;
use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::hosts::{Api, Host};
use crate::request::{Effect, Request};
use crate::values::TimeBound;

/// Who sends.
#[derive(Debug, Clone)]
pub enum Sender {
    /// A number, short code or name that the account may send from.
    From(String),
    /// Whichever sender of the service is best.
    Service(MessagingServiceSid),
    /// This sender of the service.
    ServiceFrom(MessagingServiceSid, String),
}

/// A message to send. `Debug` does not show its text.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// Whom to send to.
    pub to: String,
    /// Who sends.
    pub sender: Sender,
    /// The text, up to 1,600 characters (REST API reference, Message resource).
    pub body: Option<SecretString>,
    /// Media to send along, up to ten.
    pub media_urls: Vec<String>,
    /// A content template in place of a text.
    pub content_sid: Option<ContentSid>,
    /// What to put into the template, as JSON.
    pub content_variables: Option<SecretString>,
    /// Where Twilio tells how it goes; goes before the messaging service's own.
    pub status_callback: Option<String>,
    /// The application whose callbacks to use where none is given here.
    pub application_sid: Option<ApplicationSid>,
    /// Seconds it may wait in Twilio's queue, at most 36,000.
    pub validity_period_s: Option<u32>,
    /// When to send it; needs a messaging service.
    pub send_at: Option<Timestamp>,
    /// Whether characters that cost more segments are replaced by similar ones.
    pub smart_encoded: Option<bool>,
    /// Whether it is sent as one MMS whatever its length.
    pub send_as_mms: Option<bool>,
    /// Whether delivery will be confirmed to Twilio.
    pub provide_feedback: Option<bool>,
}

impl NewMessage {
    /// A message of nothing but text.
    pub fn text(to: &str, sender: Sender, body: SecretString) -> Self {
        Self {
            to: to.to_owned(),
            sender,
            body: Some(body),
            media_urls: Vec::new(),
            content_sid: None,
            content_variables: None,
            status_callback: None,
            application_sid: None,
            validity_period_s: None,
            send_at: None,
            smart_encoded: None,
            send_as_mms: None,
            provide_feedback: None,
        }
    }

    fn fill(&self, request: Request<Api>) -> Request<Api> {
        let exposed = |secret: &SecretString| secret.expose_secret().to_owned();
        let request = request.form("To", &self.to);
        let request = match &self.sender {
            Sender::From(from) => request.form("From", from),
            Sender::Service(service) => request.form("MessagingServiceSid", service.as_str()),
            Sender::ServiceFrom(service, from) => request
                .form("MessagingServiceSid", service.as_str())
                .form("From", from),
        };
        let request = request
            .form_if("Body", self.body.as_ref().map(exposed))
            .form_each("MediaUrl", &self.media_urls)
            .form_if("ContentSid", self.content_sid.as_ref())
            .form_if(
                "ContentVariables",
                self.content_variables.as_ref().map(exposed),
            )
            .form_if("StatusCallback", self.status_callback.as_ref())
            .form_if("ApplicationSid", self.application_sid.as_ref())
            .form_if("ValidityPeriod", self.validity_period_s)
            .form_if("SmartEncoded", self.smart_encoded)
            .form_if("SendAsMms", self.send_as_mms)
            .form_if("ProvideFeedback", self.provide_feedback);
        match self.send_at {
            Some(at) => request
                .form("ScheduleType", "fixed")
                .form("SendAt", &TimeBound::from(at).end()),
            None => request,
        }
    }
}

impl Client {
    /// Sends a message. `UnknownOutcome`: list messages to this recipient before sending again, without a
    /// filter by date, which hides what is still queued; the list may show a new message late.
    pub async fn create_message(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        new: &NewMessage,
    ) -> Result<Message, Error> {
        let effect = Effect::Create {
            what_to_look_for: "look for a message to this recipient, made since then",
        };
        let path = "/2010-04-01/Accounts/{AccountSid}/Messages.json";
        let request = new.fill(Api::post(path, &[account.as_str()], effect));
        self.send_json(credentials, &request).await
    }
}
