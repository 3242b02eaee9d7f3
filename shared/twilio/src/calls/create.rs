//! Making a call. There is no idempotency key: a call whose answer was lost may be ringing already.

use domain::ids::{AccountSid, ApplicationSid};

use super::Call;
use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::hosts::{Api, Host};
use crate::request::{Effect, Request};
use crate::values::CallbackMethod;
use crate::wire::open_enum;

open_enum! {
    /// A step of a call that Twilio can tell of.
    CallEvent {
        /// Dialled.
        Initiated = "initiated",
        /// Rings.
        Ringing = "ringing",
        /// Answered.
        Answered = "answered",
        /// Over, however it ended. What Twilio tells if nothing is asked for.
        Completed = "completed",
    }
}

/// What a call does once it is answered.
#[derive(Debug, Clone)]
pub enum Instructions {
    /// Asks this address for TwiML.
    Url {
        /// The address.
        url: String,
        /// How it asks; Twilio's default is a POST.
        method: Option<CallbackMethod>,
    },
    /// Follows this TwiML (at most 4,000 characters; REST API reference, Call resource).
    Twiml(String),
    /// Asks the application, which has its own callbacks: those given with the call are ignored.
    Application(ApplicationSid),
}

/// How a call is recorded.
#[derive(Debug, Clone, Default)]
pub struct RecordingSettings {
    /// `mono` (Twilio's default) or `dual`.
    pub channels: Option<String>,
    /// `inbound`, `outbound` or `both` (Twilio's default).
    pub track: Option<String>,
    /// `trim-silence` (Twilio's default) or `do-not-trim`.
    pub trim: Option<String>,
    /// Where Twilio tells of the recording.
    pub status_callback: Option<String>,
    /// How it asks there.
    pub status_callback_method: Option<CallbackMethod>,
    /// What it tells: `in-progress`, `completed` (Twilio's default), `absent`.
    pub status_callback_events: Vec<String>,
}

/// A call to make.
#[derive(Debug, Clone)]
pub struct NewCall {
    /// Whom to call: a number, SIP address or client.
    pub to: String,
    /// Who calls: a number that the account holds or has verified, or a client.
    pub from: String,
    /// What happens once it is answered.
    pub instructions: Instructions,
    /// Where to ask when that fails.
    pub fallback_url: Option<String>,
    /// How to ask there.
    pub fallback_method: Option<CallbackMethod>,
    /// Where Twilio tells how the call goes.
    pub status_callback: Option<String>,
    /// How it asks there.
    pub status_callback_method: Option<CallbackMethod>,
    /// What it tells.
    pub status_callback_events: Vec<CallEvent>,
    /// Keys to press once connected.
    pub send_digits: Option<String>,
    /// Seconds to ring, at most 600 (REST API reference, Call resource).
    pub timeout_s: Option<u32>,
    /// Seconds the call may last: a bound on what it can cost.
    pub time_limit_s: Option<u32>,
    /// `Enable` or `DetectMessageEnd`; it costs extra, outside of the call's price.
    pub machine_detection: Option<String>,
    /// Recorded, if given.
    pub record: Option<RecordingSettings>,
}

impl NewCall {
    /// A call with nothing but what it needs.
    pub fn new(to: &str, from: &str, instructions: Instructions) -> Self {
        Self {
            to: to.to_owned(),
            from: from.to_owned(),
            instructions,
            fallback_url: None,
            fallback_method: None,
            status_callback: None,
            status_callback_method: None,
            status_callback_events: Vec::new(),
            send_digits: None,
            timeout_s: None,
            time_limit_s: None,
            machine_detection: None,
            record: None,
        }
    }

    fn fill(&self, request: Request<Api>) -> Request<Api> {
        let request = request.form("To", &self.to).form("From", &self.from);
        let request = match &self.instructions {
            Instructions::Url { url, method } => {
                request.form("Url", url).form_if("Method", method.as_ref())
            }
            Instructions::Twiml(twiml) => request.form("Twiml", twiml),
            Instructions::Application(sid) => request.form("ApplicationSid", sid.as_str()),
        };
        let request = request
            .form_if("FallbackUrl", self.fallback_url.as_ref())
            .form_if("FallbackMethod", self.fallback_method.as_ref())
            .form_if("StatusCallback", self.status_callback.as_ref())
            .form_if("StatusCallbackMethod", self.status_callback_method.as_ref())
            .form_each("StatusCallbackEvent", &self.status_callback_events)
            .form_if("SendDigits", self.send_digits.as_ref())
            .form_if("Timeout", self.timeout_s)
            .form_if("TimeLimit", self.time_limit_s)
            .form_if("MachineDetection", self.machine_detection.as_ref());
        match &self.record {
            Some(recording) => recording.fill(request),
            None => request,
        }
    }
}

impl RecordingSettings {
    fn fill(&self, request: Request<Api>) -> Request<Api> {
        request
            .form("Record", "true")
            .form_if("RecordingChannels", self.channels.as_ref())
            .form_if("RecordingTrack", self.track.as_ref())
            .form_if("Trim", self.trim.as_ref())
            .form_if("RecordingStatusCallback", self.status_callback.as_ref())
            .form_if(
                "RecordingStatusCallbackMethod",
                self.status_callback_method.as_ref(),
            )
            .form_each("RecordingStatusCallbackEvent", &self.status_callback_events)
    }
}

impl Client {
    /// Makes a call. `UnknownOutcome`: list calls to and from these numbers since then before calling
    /// again; the list may show a new call late.
    pub async fn create_call(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        new: &NewCall,
    ) -> Result<Call, Error> {
        let effect = Effect::Create {
            what_to_look_for: "look for a call from and to these numbers, made since then",
        };
        let path = "/2010-04-01/Accounts/{AccountSid}/Calls.json";
        let request = new.fill(Api::post(path, &[account.as_str()], effect));
        self.send_json(credentials, &request).await
    }
}
