//! Every parser of answers, run over the same bytes: for fuzzing, which asks only that nothing panics.
//!
//! Not part of the interface. A resource that is added is added here too; a test counts them.

use serde::de::DeserializeOwned;

use crate::classify::{Facts, judge_status};
use crate::client::{Base, Product};
use crate::links::Links;
use crate::paging::{Row, Style, read_page};
use crate::request::Effect;
use crate::{
    accounts, addresses, applications, auth_tokens, available_numbers, balance, calls, conferences,
    keys, messages, messaging_services, monitor, numbers, pricing, recordings, restricted_keys,
    retry, usage, usage_triggers, wire,
};

/// Statuses by which an error body is judged differently.
const STATUSES: [u16; 10] = [302, 400, 401, 403, 404, 405, 408, 429, 500, 999];

/// Runs every parser of answers over a body.
pub fn parse_everything(body: &[u8]) {
    parse_rows(body);
    parse_singles(body);
    parse_errors(body);
    if let Ok(text) = std::str::from_utf8(body) {
        parse_texts(text);
    }
}

fn parse_rows(body: &[u8]) {
    row::<accounts::Account>(body, "accounts");
    row::<addresses::Address>(body, "addresses");
    row::<addresses::DependentNumber>(body, "dependent_phone_numbers");
    row::<applications::Application>(body, "applications");
    row::<calls::Call>(body, "calls");
    row::<conferences::Conference>(body, "conferences");
    row::<keys::Key>(body, "keys");
    row::<messages::Message>(body, "messages");
    row::<messaging_services::MessagingService>(body, "services");
    row::<messaging_services::ServiceNumber>(body, "phone_numbers");
    row::<monitor::Alert>(body, "alerts");
    row::<monitor::MonitorEvent>(body, "events");
    row::<numbers::IncomingNumber>(body, "incoming_phone_numbers");
    row::<pricing::PricedCountry>(body, "countries");
    row::<recordings::Recording>(body, "recordings");
    row::<restricted_keys::IamKey>(body, "keys");
    row::<usage::UsageRecord>(body, "usage_records");
    row::<usage_triggers::UsageTrigger>(body, "usage_triggers");
}

fn parse_singles(body: &[u8]) {
    single::<auth_tokens::PromotedAuthToken>(body);
    single::<auth_tokens::SecondaryAuthToken>(body);
    single::<available_numbers::Found>(body);
    single::<balance::Balance>(body);
    single::<keys::CreatedKey>(body);
    single::<pricing::MessagingPrices>(body);
    single::<pricing::PhoneNumberPrices>(body);
    single::<pricing::TrunkingNumberPrices>(body);
    single::<pricing::TrunkingPrices>(body);
    single::<pricing::VoiceNumberPrices>(body);
    single::<pricing::VoicePrices>(body);
    single::<restricted_keys::CreatedIamKey>(body);
}

fn parse_errors(body: &[u8]) {
    let create = Effect::Create {
        what_to_look_for: "look",
    };
    for status in STATUSES {
        let facts = Facts {
            status,
            ..Facts::default()
        };
        for effect in [Effect::Read, Effect::Idempotent, create] {
            judge_status(effect, &facts, body);
        }
    }
}

fn parse_texts(text: &str) {
    wire::parse_json_decimal(text).ok();
    wire::parse_json_whole(text).ok();
    wire::parse_timestamp(text).ok();
    wire::parse_date(text).ok();
    retry::read_retry_after(text, domain::Timestamp::UNIX_EPOCH);
    Links::relative(text).follow(text);
    Links::absolute(&Base::Twilio, Product::Iam, text).follow(text);
}

/// A row alone, and in pages of either style.
fn row<T: Row>(body: &[u8], key: &'static str) {
    serde_json::from_slice::<T>(body).ok();
    read_page::<T>(body, key, Style::Beside).ok();
    read_page::<T>(body, key, Style::Meta).ok();
}

fn single<T: DeserializeOwned>(body: &[u8]) {
    serde_json::from_slice::<T>(body).ok();
}
