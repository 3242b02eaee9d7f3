//! What a simulator is started with, and the knobs that a test turns later.
//!
//! Probabilities are per mille. Spans are `[least, most]` in milliseconds, drawn evenly by seed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::VirtualClock;
use crate::recorder::Recorder;

/// What a simulator is started with.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// The main account.
    pub account_sid: String,
    /// Its auth token.
    pub auth_token: String,
    /// Everything drawn at random comes from this number.
    pub seed: u64,
    /// The clock; the driver and the code under test share it.
    pub clock: VirtualClock,
    /// Open subaccounts that Twilio allows; one more gives 21480.
    pub subaccount_limit: usize,
    /// Usage lists one row for every category that Twilio ever named (643), not only the compact set.
    pub all_categories: bool,
    /// ISO 4217 code that prices are in, upper case.
    pub currency: String,
    /// The main account's balance at the start, a plain decimal.
    pub opening_balance: String,
    /// Requests at a time per authenticating account before 429/20429; `None` is no limit.
    pub concurrency_max: Option<u32>,
    /// Callback URLs that start with the first text are signed as they are and connected to at the second.
    pub callback_rewrite: Option<(String, String)>,
    /// Where every answer of Twilio's API is written down, one JSON line each.
    pub record: Option<Recorder>,
    /// How long things take.
    pub pace: Pace,
    /// How awkward Twilio is.
    pub quirks: Quirks,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            account_sid: "AC00000000000000000000000000000001".to_owned(),
            auth_token: "0123456789abcdef0123456789abcdef".to_owned(),
            seed: 1,
            clock: VirtualClock::manual(
                Timestamp::from_second(1_772_323_200).unwrap_or(Timestamp::UNIX_EPOCH),
            ),
            subaccount_limit: 1000,
            all_categories: false,
            currency: "USD".to_owned(),
            opening_balance: "10000".to_owned(),
            concurrency_max: None,
            callback_rewrite: None,
            record: None,
            pace: Pace::lifelike(),
            quirks: Quirks::default(),
        }
    }
}

/// How long things take, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pace {
    /// From queued to sent.
    pub message_sent_ms: [u64; 2],
    /// From sent to delivered or undelivered.
    pub message_done_ms: [u64; 2],
    /// Queued to initiated, and initiated to ringing.
    pub call_setup_ms: [u64; 2],
    /// Ringing to answered, busy or no answer.
    pub call_answer_ms: [u64; 2],
    /// How long calls last that nobody gave a length, in seconds.
    pub call_seconds: [u64; 2],
    /// From the end of a recording to its file.
    pub recording_ms: [u64; 2],
    /// From the end of a call or message to its price.
    pub price_ms: [u64; 2],
    /// From what happened to its place in the usage records.
    pub usage_ms: [u64; 2],
    /// From the end of a GMT day to a revision of one of its records.
    pub revision_ms: [u64; 2],
}

impl Pace {
    /// As Twilio: prices within a day, usage within hours, revisions on the two days that follow.
    pub fn lifelike() -> Self {
        Self {
            message_sent_ms: [400, 1_500],
            message_done_ms: [800, 6_000],
            call_setup_ms: [200, 900],
            call_answer_ms: [2_000, 15_000],
            call_seconds: [10, 180],
            recording_ms: [2_000, 20_000],
            price_ms: [120_000, 86_400_000],
            usage_ms: [300_000, 10_800_000],
            revision_ms: [3_600_000, 169_200_000],
        }
    }

    /// For a person who watches: calls are answered and end, and prices and usage follow, within seconds.
    pub fn quick() -> Self {
        Self {
            call_answer_ms: [1_000, 3_000],
            call_seconds: [3, 12],
            recording_ms: [500, 1_500],
            price_ms: [1_000, 4_000],
            usage_ms: [1_000, 4_000],
            ..Self::lifelike()
        }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::lifelike()
    }
}

/// How often a phone number's rent is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rent {
    /// When it is bought and on the same day of each month.
    Monthly,
    /// A thirtieth each day.
    Daily,
}

/// How awkward Twilio is; each field names the awkwardness and how often it strikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches that are turned one by one"
)]
pub struct Quirks {
    /// A callback is delivered twice.
    pub callback_duplicate_per_mille: u64,
    /// A callback is held back until after later ones.
    pub callback_disorder_per_mille: u64,
    /// A day's record of a category is revised, once, after the day.
    pub revision_per_mille: u64,
    /// A day of an account with traffic has usage in a category that no list names.
    pub unknown_category_per_mille: u64,
    /// A usage row writes its price as a JSON number instead of a string.
    pub number_price_per_mille: u64,
    /// Lists of accounts ignore FriendlyName.
    pub friendly_name_filter_ignored: bool,
    /// A new account is in lists only after this long.
    pub account_list_lag_ms: u64,
    /// A new call is in lists only after this long.
    pub call_list_lag_ms: u64,
    /// Lists of calls show them as they were this long ago: an ended call is still in progress there.
    pub call_status_lag_ms: u64,
    /// A new message is in lists only after this long.
    pub message_list_lag_ms: u64,
    /// Calls that nobody answered have neither an end nor a duration, as the documents say; else both.
    pub unanswered_without_end: bool,
    /// A message's price stays unknown for ever.
    pub unpriced_per_mille: u64,
    /// Recordings show their price as a negative number, as some of Twilio's examples do.
    pub recording_price_negative: bool,
    /// Messages that one number may have queued; one more gives 21611.
    pub queued_per_sender_max: u32,
    /// ISO codes of countries that may be neither called (21215) nor written to (21408).
    pub regions_denied: Vec<String>,
    /// Messages may be sent, and calls made, from numbers that the account does not hold.
    pub any_sender: bool,
    /// How often number rent is taken.
    pub rent: Rent,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            callback_duplicate_per_mille: 20,
            callback_disorder_per_mille: 20,
            revision_per_mille: 60,
            unknown_category_per_mille: 20,
            number_price_per_mille: 50,
            friendly_name_filter_ignored: false,
            account_list_lag_ms: 0,
            call_list_lag_ms: 1_500,
            call_status_lag_ms: 1_500,
            message_list_lag_ms: 1_500,
            unanswered_without_end: true,
            unpriced_per_mille: 2,
            recording_price_negative: false,
            // Four hours of a long code's one segment a second, as Twilio's documentation of queues says.
            queued_per_sender_max: 14_400,
            regions_denied: Vec::new(),
            any_sender: false,
            rent: Rent::Monthly,
        }
    }
}

impl Quirks {
    /// Nothing awkward: no duplicates, disorder, revisions, unknown categories or lists that lag behind.
    pub fn none() -> Self {
        Self {
            call_list_lag_ms: 0,
            call_status_lag_ms: 0,
            message_list_lag_ms: 0,
            unpriced_per_mille: 0,
            callback_duplicate_per_mille: 0,
            callback_disorder_per_mille: 0,
            revision_per_mille: 0,
            unknown_category_per_mille: 0,
            number_price_per_mille: 0,
            ..Self::default()
        }
    }
}

/// The traffic of one account: what its end users do all day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrafficProfile {
    /// Messages a day, half to one and a half times as many by seed.
    pub messages_per_day: u32,
    /// Calls a day, likewise.
    pub calls_per_day: u32,
    /// Of the messages, MMS.
    pub mms_per_mille: u64,
    /// Of messages and calls, inbound.
    pub inbound_per_mille: u64,
    /// Of answered calls, recorded.
    pub recorded_per_mille: u64,
    /// Of recordings, those that are kept and cost storage; the others are deleted once they are complete.
    pub recordings_kept_per_mille: u64,
    /// Of outbound messages, undelivered.
    pub undelivered_per_mille: u64,
    /// Of outbound messages, failed.
    pub failed_per_mille: u64,
    /// Of calls, busy or not answered.
    pub unanswered_per_mille: u64,
    /// Of calls, those that dial a second leg.
    pub child_legs_per_mille: u64,
    /// Of calls, those that join the account's conference.
    pub conferences_per_mille: u64,
    /// Length of an answered call in seconds, least and most.
    pub call_seconds: [u64; 2],
    /// ISO codes of the other ends' countries: US, CA, GB, DE, FR, AU, IN, BR.
    pub countries: Vec<String>,
    /// Phone numbers that the account buys when the traffic starts, unless it holds as many.
    pub numbers: u32,
    /// StatusCallback of outbound messages.
    pub message_status_callback: Option<String>,
    /// StatusCallback of calls.
    pub call_status_callback: Option<String>,
}

impl Default for TrafficProfile {
    fn default() -> Self {
        Self {
            messages_per_day: 20,
            calls_per_day: 5,
            mms_per_mille: 100,
            inbound_per_mille: 250,
            recorded_per_mille: 100,
            recordings_kept_per_mille: 0,
            undelivered_per_mille: 30,
            failed_per_mille: 20,
            unanswered_per_mille: 150,
            child_legs_per_mille: 0,
            conferences_per_mille: 0,
            call_seconds: [10, 600],
            countries: ["US", "GB", "DE"].map(str::to_owned).to_vec(),
            numbers: 1,
            message_status_callback: None,
            call_status_callback: None,
        }
    }
}
