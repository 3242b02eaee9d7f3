//! What happened in a subaccount: the audit log's events, and the alerts of what went wrong.
//!
//! Both show the account that authenticates, so they take the subaccount's own credentials. Events tell who
//! changed what, also by Twilio's console: drift is found there. What an alert quotes of requests and
//! answers may hold a tenant's messages, so it is held like a secret.

use domain::Timestamp;
use domain::ids::{AccountSid, AlertSid, MonitorEventSid};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::client::Client;
use crate::codes::ErrorCode;
use crate::credentials::SubaccountCredentials;
use crate::error::Error;
use crate::hosts::{Host, Monitor};
use crate::paging::Row;
use crate::values::{CallbackMethod, TimeBound};
use crate::wire::{self, open_enum};

/// An event of the audit log.
#[derive(Debug, Clone, Deserialize)]
pub struct MonitorEvent {
    /// The event.
    pub sid: MonitorEventSid,
    /// The account it happened in.
    #[serde(default, deserialize_with = "wire::optional_id")]
    pub account_sid: Option<AccountSid>,
    /// What happened: `account.updated`, ...
    #[serde(default, deserialize_with = "wire::text")]
    pub event_type: Option<String>,
    /// When.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub event_date: Option<Timestamp>,
    /// What changed, as JSON: each type of event has its own form.
    #[serde(default)]
    pub event_data: Option<Box<RawValue>>,
    /// The same in words.
    #[serde(default, deserialize_with = "wire::text")]
    pub description: Option<String>,
    /// Who did it: a user, an account, a key.
    #[serde(default, deserialize_with = "wire::text")]
    pub actor_sid: Option<String>,
    /// `user`, `account`, ...
    #[serde(default, deserialize_with = "wire::text")]
    pub actor_type: Option<String>,
    /// What it was done to.
    #[serde(default, deserialize_with = "wire::text")]
    pub resource_sid: Option<String>,
    /// `account`, `phone-number`, ...
    #[serde(default, deserialize_with = "wire::text")]
    pub resource_type: Option<String>,
    /// By which door: `api`, `web`, `twilio`.
    #[serde(default, deserialize_with = "wire::text")]
    pub source: Option<String>,
    /// From where.
    #[serde(default, deserialize_with = "wire::text")]
    pub source_ip_address: Option<String>,
}

impl Row for MonitorEvent {
    type Identity = MonitorEventSid;

    fn identity(&self) -> MonitorEventSid {
        self.sid.clone()
    }
}

open_enum! {
    /// How bad an alert is.
    LogLevel {
        /// Something failed.
        Error = "error",
        /// Something may fail.
        Warning = "warning",
        /// Something to know.
        Notice = "notice",
        /// Something to look for faults by.
        Debug = "debug",
    }
}

/// An alert: an error or warning that Twilio recorded.
#[derive(Debug, Clone, Deserialize)]
pub struct Alert {
    /// The alert.
    pub sid: AlertSid,
    /// The account it is about.
    #[serde(default, deserialize_with = "wire::optional_id")]
    pub account_sid: Option<AccountSid>,
    /// How bad it is.
    #[serde(default, deserialize_with = "wire::word")]
    pub log_level: Option<LogLevel>,
    /// The error dictionary's code.
    #[serde(default, deserialize_with = "wire::code")]
    pub error_code: Option<ErrorCode>,
    /// What Twilio says of it, as a query string or in words.
    #[serde(default, deserialize_with = "wire::secret")]
    pub alert_text: Option<SecretString>,
    /// What it is about: a call, a message, a number, ...
    #[serde(default, deserialize_with = "wire::text")]
    pub resource_sid: Option<String>,
    /// The service that it is about.
    #[serde(default, deserialize_with = "wire::text")]
    pub service_sid: Option<String>,
    /// How Twilio asked.
    #[serde(default, deserialize_with = "wire::word")]
    pub request_method: Option<CallbackMethod>,
    /// Where Twilio asked.
    #[serde(default, deserialize_with = "wire::text")]
    pub request_url: Option<String>,
    /// What Twilio sent there; only where one alert is read.
    #[serde(default, deserialize_with = "wire::secret")]
    pub request_variables: Option<SecretString>,
    /// What was answered there; only where one alert is read.
    #[serde(default, deserialize_with = "wire::secret")]
    pub response_body: Option<SecretString>,
    /// When it happened.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_generated: Option<Timestamp>,
    /// When it was recorded.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_created: Option<Timestamp>,
}

impl Row for Alert {
    type Identity = AlertSid;

    fn identity(&self) -> AlertSid {
        self.sid.clone()
    }
}

/// Which events to list. The default lists all of them.
#[derive(Debug, Clone, Default)]
pub struct MonitorEventFilter {
    /// Only what this user, account or key did.
    pub actor_sid: Option<String>,
    /// Only this type.
    pub event_type: Option<String>,
    /// Only what was done to this resource.
    pub resource_sid: Option<String>,
    /// Only what was done from there.
    pub source_ip_address: Option<String>,
    /// Happened then or later.
    pub from: Option<TimeBound>,
    /// Happened then or earlier.
    pub until: Option<TimeBound>,
}

/// Which alerts to list. The default lists all of them; Twilio knows none older than 30 days.
#[derive(Debug, Clone, Default)]
pub struct AlertFilter {
    /// Only as bad as this.
    pub log_level: Option<LogLevel>,
    /// Happened then or later.
    pub from: Option<TimeBound>,
    /// Happened then or earlier.
    pub until: Option<TimeBound>,
}

impl Client {
    /// Lists the events of the subaccount's audit log.
    pub async fn list_monitor_events(
        &self,
        credentials: &SubaccountCredentials,
        filter: &MonitorEventFilter,
    ) -> Result<Vec<MonitorEvent>, Error> {
        let request = Monitor::get("/v1/Events", &[])
            .query_if("ActorSid", filter.actor_sid.as_ref())
            .query_if("EventType", filter.event_type.as_ref())
            .query_if("ResourceSid", filter.resource_sid.as_ref())
            .query_if("SourceIpAddress", filter.source_ip_address.as_ref())
            .query_if("StartDate", filter.from.map(TimeBound::first))
            .query_if("EndDate", filter.until.map(TimeBound::end));
        self.list(credentials, request, "events").await
    }

    /// Reads one event.
    pub async fn fetch_monitor_event(
        &self,
        credentials: &SubaccountCredentials,
        event: &MonitorEventSid,
    ) -> Result<MonitorEvent, Error> {
        let request = Monitor::get("/v1/Events/{MonitorEventSid}", &[event.as_str()]);
        self.send_json(credentials, &request).await
    }

    /// Lists the subaccount's alerts.
    pub async fn list_alerts(
        &self,
        credentials: &SubaccountCredentials,
        filter: &AlertFilter,
    ) -> Result<Vec<Alert>, Error> {
        let request = Monitor::get("/v1/Alerts", &[])
            .query_if("LogLevel", filter.log_level.as_ref())
            .query_if("StartDate", filter.from.map(TimeBound::first))
            .query_if("EndDate", filter.until.map(TimeBound::end));
        self.list(credentials, request, "alerts").await
    }

    /// Reads one alert, with what was sent and answered.
    pub async fn fetch_alert(
        &self,
        credentials: &SubaccountCredentials,
        alert: &AlertSid,
    ) -> Result<Alert, Error> {
        let request = Monitor::get("/v1/Alerts/{AlertSid}", &[alert.as_str()]);
        self.send_json(credentials, &request).await
    }
}
