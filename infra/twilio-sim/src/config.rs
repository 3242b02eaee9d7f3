//! What a simulator is started with, and the knobs that a test turns later.
//!
//! Probabilities are per mille. Spans are `[least, most]` in milliseconds, drawn evenly by seed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::clock::VirtualClock;

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
    /// From the end of a call or message to its price.
    pub price_ms: [u64; 2],
    /// From what happened to its place in the usage records.
    pub usage_ms: [u64; 2],
    /// From what happened to its place in the usage records, where it is late.
    pub late_usage_ms: [u64; 2],
    /// From the end of a GMT day to a revision of one of its records, and from one revision to the next.
    pub revision_ms: [u64; 2],
    /// From a change of visible usage to a look at the triggers on it.
    pub trigger_ms: [u64; 2],
}

impl Pace {
    /// As Twilio: prices within a day, usage within hours, revisions on the two days that follow.
    pub fn lifelike() -> Self {
        Self {
            message_sent_ms: [400, 1_500],
            message_done_ms: [800, 6_000],
            call_setup_ms: [200, 900],
            call_answer_ms: [2_000, 15_000],
            price_ms: [120_000, 86_400_000],
            usage_ms: [300_000, 10_800_000],
            late_usage_ms: [86_400_000, 432_000_000],
            revision_ms: [3_600_000, 169_200_000],
            trigger_ms: [1_000, 60_000],
        }
    }

    /// For a person who watches: prices and usage within seconds.
    pub fn quick() -> Self {
        Self {
            call_answer_ms: [1_000, 3_000],
            price_ms: [1_000, 4_000],
            usage_ms: [1_000, 4_000],
            trigger_ms: [1_000, 3_000],
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
    reason = "each is a switch of its own, named in the control endpoint's JSON"
)]
pub struct Quirks {
    /// A callback is delivered twice.
    pub callback_duplicate_per_mille: u64,
    /// A callback is held back until after later ones.
    pub callback_disorder_per_mille: u64,
    /// A day's record of a category is revised after the day.
    pub revision_per_mille: u64,
    /// A revised record is revised again, up to five times.
    pub revision_again_per_mille: u64,
    /// Usage shows days late.
    pub late_usage_per_mille: u64,
    /// A reading of usage comes from a replica that is up to an hour behind: older `as_of`, older numbers.
    pub as_of_disorder_per_mille: u64,
    /// How often records are brought up to date, as far as `as_of` says: drawn once for each account, each
    /// category in its own turn. Numbers move between the turns all the same.
    pub as_of_lag_ms: [u64; 2],
    /// Today, Yesterday, ThisMonth, LastMonth and AllTime ignore IncludeSubaccounts=false.
    pub include_subaccounts_ignored_on_subresources: bool,
    /// Accounts whose Records, Daily, Monthly and Yearly are answered with 404.
    pub usage_not_found: Vec<String>,
    /// Accounts that are Flex projects: their calls are booked as `pstnconnectivity`.
    pub flex_accounts: Vec<String>,
    /// StartDate after EndDate is refused instead of answered with no rows.
    pub reversed_range_refused: bool,
    /// A Category that does not exist is refused instead of answered with no rows.
    pub unknown_category_refused: bool,
    /// Number setups, CPS, MPS and MMS enablement are inside `phonenumbers` and `shortcodes`.
    pub unclear_inside_rollups: bool,
    /// PageToken of a usage list counts rows, so that new rows shift those that follow.
    pub usage_rows_shift: bool,
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
    /// Messages may be sent from numbers that the account does not hold.
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
            revision_again_per_mille: 0,
            late_usage_per_mille: 0,
            as_of_disorder_per_mille: 0,
            as_of_lag_ms: [60_000, 900_000],
            include_subaccounts_ignored_on_subresources: true,
            usage_not_found: Vec::new(),
            flex_accounts: Vec::new(),
            reversed_range_refused: false,
            unknown_category_refused: false,
            unclear_inside_rollups: false,
            usage_rows_shift: true,
            unknown_category_per_mille: 20,
            number_price_per_mille: 50,
            friendly_name_filter_ignored: false,
            account_list_lag_ms: 0,
            call_list_lag_ms: 0,
            any_sender: false,
            rent: Rent::Monthly,
        }
    }
}

impl Quirks {
    /// Nothing awkward: no duplicates, disorder, revisions or unknown categories.
    pub fn none() -> Self {
        Self {
            callback_duplicate_per_mille: 0,
            callback_disorder_per_mille: 0,
            revision_per_mille: 0,
            as_of_lag_ms: [0, 0],
            include_subaccounts_ignored_on_subresources: false,
            usage_rows_shift: false,
            unknown_category_per_mille: 0,
            number_price_per_mille: 0,
            ..Self::default()
        }
    }
}

/// Subaccounts that are made together, with usage that is derived from the seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// How many.
    pub subaccounts: usize,
    /// The GMT day on which they were opened and began to use things.
    pub since: jiff::civil::Date,
    /// What their end users do on average: some accounts are idle, a few do twenty times as much. Callbacks
    /// are not sent: usage is all there is.
    #[serde(default)]
    pub profile: TrafficProfile,
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
    /// Of outbound messages, undelivered.
    pub undelivered_per_mille: u64,
    /// Of outbound messages, failed.
    pub failed_per_mille: u64,
    /// Of calls, busy or not answered.
    pub unanswered_per_mille: u64,
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
            undelivered_per_mille: 30,
            failed_per_mille: 20,
            unanswered_per_mille: 150,
            call_seconds: [10, 600],
            countries: ["US", "GB", "DE"].map(str::to_owned).to_vec(),
            numbers: 1,
            message_status_callback: None,
            call_status_callback: None,
        }
    }
}
