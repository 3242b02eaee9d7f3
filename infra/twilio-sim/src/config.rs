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
    /// From what happened to its place in the usage records, where it is late.
    pub late_usage_ms: [u64; 2],
    /// From the end of a GMT day to a revision of one of its records, and from one revision to the next.
    pub revision_ms: [u64; 2],
    /// From the promotion of an auth token to the first callback that it signs.
    pub token_switch_ms: [u64; 2],
    /// From the closing of a subaccount to its deletion.
    pub account_deletion_ms: [u64; 2],
    /// From a change of visible usage to a look at the triggers on it.
    pub trigger_ms: [u64; 2],
}

/// 30 days, after which Twilio deletes a closed subaccount.
const CLOSED_FOR_MS: u64 = 30 * 86_400_000;

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
            late_usage_ms: [86_400_000, 432_000_000],
            revision_ms: [3_600_000, 169_200_000],
            // Twilio speaks of about a minute; nothing says that callbacks switch sooner.
            token_switch_ms: [20_000, 60_000],
            account_deletion_ms: [CLOSED_FOR_MS; 2],
            trigger_ms: [1_000, 60_000],
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
            token_switch_ms: [500, 2_000],
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

/// What the credentials of a suspended or closed account are told; sources disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InactiveAnswer {
    /// 401 with 20003, as for wrong credentials.
    Unauthenticated,
    /// 401 with 20005.
    NotActive,
    /// 403 with 20005.
    Forbidden,
}

/// What kind of project all accounts belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccountType {
    /// One that pays.
    Full,
    /// One on trial.
    Trial,
}

impl AccountType {
    /// As Twilio writes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Full => "Full",
            Self::Trial => "Trial",
        }
    }
}

/// How awkward Twilio is; each field names the awkwardness and how often it strikes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch that is turned by its name"
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
    /// What the credentials of a suspended or closed account are told.
    pub inactive_answer: InactiveAnswer,
    /// The main account's Main keys act on subaccounts, as its auth token does.
    pub main_keys_reach_children: bool,
    /// The main account's credentials act on the subaccount that they name as AccountSid to the iam API.
    /// Otherwise they act on the main account, without an error.
    pub iam_acts_on_child: bool,
    /// Restricted keys manage keys and accounts if their policy lists it.
    pub restricted_keys_manage: bool,
    /// The iam API's list of keys leaves restricted keys out.
    pub restricted_keys_unlisted: bool,
    /// The FriendlyName of a closed subaccount can be changed.
    pub closed_accounts_renamable: bool,
    /// What accounts say as their type.
    pub account_type: AccountType,
    /// Retry-After, in seconds, of a 429 for too many requests at a time; 0 is no such header.
    pub retry_after_s: u64,
    /// Only numbers that a search shows can be bought; otherwise any number that nobody holds.
    pub inventory_only: bool,
    /// The most numbers that one search shows, whatever PageSize says.
    pub available_numbers_max: usize,
    /// A number that needs an Address takes a suitable one of the account's when the request names none.
    pub address_looked_up: bool,
    /// A transferred number forgets its URLs and Applications.
    pub transfer_clears_webhooks: bool,
    /// A number with a WhatsApp sender, or hosted, is not transferred; otherwise the sender stays behind.
    pub transfer_refused_with_sender: bool,
    /// What is not set of a number is empty text and coordinates are text, as in Twilio's published
    /// examples; otherwise null and numbers, as in its schema.
    pub numbers_as_in_examples: bool,
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
            inactive_answer: InactiveAnswer::Unauthenticated,
            main_keys_reach_children: false,
            iam_acts_on_child: false,
            restricted_keys_manage: false,
            restricted_keys_unlisted: false,
            closed_accounts_renamable: false,
            account_type: AccountType::Full,
            retry_after_s: 0,
            inventory_only: false,
            available_numbers_max: 30,
            address_looked_up: false,
            transfer_clears_webhooks: false,
            transfer_refused_with_sender: false,
            numbers_as_in_examples: false,
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
