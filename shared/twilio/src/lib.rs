#![doc = include_str!("../README.md")]

mod client;
mod codes;
mod credentials;
mod error;

pub mod accounts;
pub mod auth_tokens;
pub mod balance;
pub mod keys;
pub mod restricted_keys;

pub mod usage;
pub mod usage_triggers;

pub mod calls;
pub mod conferences;
pub mod messages;
pub mod recordings;

pub mod items;

pub mod addresses;
pub mod applications;
pub mod available_numbers;
pub mod messaging_services;
pub mod numbers;

pub mod monitor;
pub mod pricing;

pub mod signature;

mod classify;
mod concurrency;
mod hosts;
mod links;
mod paging;
mod places;
mod request;
mod retry;
mod send;
mod values;
mod wire;

#[doc(hidden)]
pub mod probe;

pub use accounts::{Account, AccountFilter, AccountStatus, AccountType};
pub use balance::Balance;
pub use calls::{Call, CallFilter, CallStatus};
pub use client::{
    Base, BuildError, Client, NowFn, Product, RandomFn, Settings, SleepFn, Transport,
};
pub use codes::{CodeClass, ErrorCode};
pub use conferences::{Conference, ConferenceFilter, ConferenceStatus};
pub use credentials::{Credentials, MainCredentials, SubaccountCredentials};
pub use error::{AlarmReason, Error, RejectReason, RetryReason};
pub use keys::{CreatedKey, Key};
pub use messages::{Message, MessageFilter, MessageStatus};
pub use numbers::{IncomingNumber, IncomingNumberFilter, NumberSettings, NumberTransfer};
pub use places::{CountryCode, E164, NotValid};
pub use usage::{UsageDate, UsageQuery, UsageRecord, UsageSpan};
pub use usage_triggers::UsageTrigger;
pub use values::{CallbackMethod, TimeBound};

pub use paging::PAGES_MAX;
pub use retry::{ATTEMPTS_MAX, BACKOFF_BASE, BACKOFF_CAP, RETRY_AFTER_CAP};
