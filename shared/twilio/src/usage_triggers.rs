//! Usage triggers: Twilio's own alarm when a subaccount uses or costs more than a threshold.
//!
//! They are an independent second guard, not a measure: Twilio evaluates them about once a minute, on
//! usage that itself arrives late. A threshold cannot be changed: delete the trigger and create another.

use std::fmt;

use domain::ids::{AccountSid, UsageTriggerSid};
use domain::{Decimal, Timestamp};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::Error;
use crate::hosts::{Api, Host};
use crate::paging::Row;
use crate::request::Effect;
use crate::values::CallbackMethod;
use crate::wire::{self, open_enum};

/// Triggers that one account may have (REST API reference, UsageTrigger resource).
pub const USAGE_TRIGGERS_MAX: usize = 1_000;

open_enum! {
    /// What of a category a trigger watches.
    TriggerBy {
        /// How many.
        Count = "count",
        /// How much.
        Usage = "usage",
        /// What it costs.
        Price = "price",
    }
}

open_enum! {
    /// How often a trigger begins anew.
    Recurring {
        /// Each day, GMT.
        Daily = "daily",
        /// Each month.
        Monthly = "monthly",
        /// Each year.
        Yearly = "yearly",
        /// Never: it fires once.
        AllTime = "alltime",
    }
}

/// When a trigger fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggerValue {
    /// At this much.
    At(Decimal),
    /// At this much more than has been used when the trigger is made.
    MoreThanNow(Decimal),
}

impl fmt::Display for TriggerValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(value) => write!(f, "{value}"),
            Self::MoreThanNow(value) => write!(f, "+{value}"),
        }
    }
}

/// A trigger as Twilio shows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct UsageTrigger {
    /// The trigger.
    pub sid: UsageTriggerSid,
    /// The account it watches.
    pub account_sid: AccountSid,
    /// The name it was given.
    #[serde(default, deserialize_with = "wire::text")]
    pub friendly_name: Option<String>,
    /// What it watches, an open set.
    pub usage_category: String,
    /// What of it.
    pub trigger_by: TriggerBy,
    /// When it fires.
    #[serde(deserialize_with = "required_decimal")]
    pub trigger_value: Decimal,
    /// How much there was when Twilio looked last.
    #[serde(default, deserialize_with = "wire::decimal")]
    pub current_value: Option<Decimal>,
    /// How often it begins anew; absent: never.
    #[serde(default, deserialize_with = "wire::word")]
    pub recurring: Option<Recurring>,
    /// Where it tells so.
    #[serde(default, deserialize_with = "wire::text")]
    pub callback_url: Option<String>,
    /// How it asks there.
    #[serde(default, deserialize_with = "wire::word")]
    pub callback_method: Option<CallbackMethod>,
    /// When it fired last.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_fired: Option<Timestamp>,
    /// When it was made.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_created: Option<Timestamp>,
    /// When it last changed.
    #[serde(default, deserialize_with = "wire::timestamp")]
    pub date_updated: Option<Timestamp>,
}

fn required_decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    wire::decimal(deserializer)?.ok_or_else(|| D::Error::custom("a trigger has a threshold"))
}

impl Row for UsageTrigger {
    type Identity = UsageTriggerSid;

    fn identity(&self) -> UsageTriggerSid {
        self.sid.clone()
    }
}

/// A trigger to make.
#[derive(Debug, Clone)]
pub struct NewUsageTrigger {
    /// What to watch.
    pub usage_category: String,
    /// What of it; Twilio's default is the usage.
    pub trigger_by: Option<TriggerBy>,
    /// When to fire.
    pub trigger_value: TriggerValue,
    /// How often to begin anew; absent: never.
    pub recurring: Option<Recurring>,
    /// Where to tell so.
    pub callback_url: String,
    /// How to ask there.
    pub callback_method: Option<CallbackMethod>,
    /// A name, by which to find it after an unknown outcome.
    pub friendly_name: Option<String>,
}

/// What can be changed of a trigger. What is absent stays.
#[derive(Debug, Clone, Default)]
pub struct UsageTriggerUpdate {
    /// Where it tells that it fired.
    pub callback_url: Option<String>,
    /// How it asks there.
    pub callback_method: Option<CallbackMethod>,
    /// The name.
    pub friendly_name: Option<String>,
}

/// Which triggers to list. The default lists all of them.
#[derive(Debug, Clone, Default)]
pub struct UsageTriggerFilter {
    /// Only those of this category.
    pub usage_category: Option<String>,
    /// Only those that watch this.
    pub trigger_by: Option<TriggerBy>,
    /// Only those that begin anew so often.
    pub recurring: Option<Recurring>,
}

impl Client {
    /// Creates a trigger. `UnknownOutcome`: list by category before creating again.
    pub async fn create_usage_trigger(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        new: &NewUsageTrigger,
    ) -> Result<UsageTrigger, Error> {
        let effect = Effect::Create {
            what_to_look_for: "look for a usage trigger of that category, value and friendly name",
        };
        let path = "/2010-04-01/Accounts/{AccountSid}/Usage/Triggers.json";
        let request = Api::post(path, &[account.as_str()], effect)
            .form("UsageCategory", &new.usage_category)
            .form("TriggerValue", &new.trigger_value.to_string())
            .form("CallbackUrl", &new.callback_url)
            .form_if("CallbackMethod", new.callback_method.as_ref())
            .form_if("TriggerBy", new.trigger_by.as_ref())
            .form_if("Recurring", new.recurring.as_ref())
            .form_if("FriendlyName", new.friendly_name.as_ref());
        self.send_json(credentials, &request).await
    }

    /// Lists an account's triggers.
    pub async fn list_usage_triggers(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        filter: &UsageTriggerFilter,
    ) -> Result<Vec<UsageTrigger>, Error> {
        let path = "/2010-04-01/Accounts/{AccountSid}/Usage/Triggers.json";
        let request = Api::get(path, &[account.as_str()])
            .query_if("UsageCategory", filter.usage_category.as_ref())
            .query_if("TriggerBy", filter.trigger_by.as_ref())
            .query_if("Recurring", filter.recurring.as_ref());
        self.list(credentials, request, "usage_triggers").await
    }

    /// Reads one trigger.
    pub async fn fetch_usage_trigger(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        trigger: &UsageTriggerSid,
    ) -> Result<UsageTrigger, Error> {
        let request = Api::get(PATH, &[account.as_str(), trigger.as_str()]);
        self.send_json(credentials, &request).await
    }

    /// Changes where a trigger tells that it fired, or its name.
    pub async fn update_usage_trigger(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        trigger: &UsageTriggerSid,
        update: &UsageTriggerUpdate,
    ) -> Result<UsageTrigger, Error> {
        let ids = [account.as_str(), trigger.as_str()];
        let request = Api::post(PATH, &ids, Effect::Idempotent)
            .form_if("CallbackUrl", update.callback_url.as_ref())
            .form_if("CallbackMethod", update.callback_method.as_ref())
            .form_if("FriendlyName", update.friendly_name.as_ref());
        self.send_json(credentials, &request).await
    }

    /// Deletes a trigger; one that is already gone is deleted.
    pub async fn delete_usage_trigger(
        &self,
        credentials: &Credentials,
        account: &AccountSid,
        trigger: &UsageTriggerSid,
    ) -> Result<(), Error> {
        let request = Api::delete(PATH, &[account.as_str(), trigger.as_str()]);
        self.send_delete(credentials, &request).await
    }
}

const PATH: &str = "/2010-04-01/Accounts/{AccountSid}/Usage/Triggers/{UsageTriggerSid}.json";
