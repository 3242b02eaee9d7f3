#![doc = include_str!("../README.md")]

mod client;
mod codes;
mod credentials;
mod error;

pub mod accounts;
pub mod balance;
pub mod keys;

pub mod usage;

pub mod calls;

pub mod numbers;

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

pub use accounts::{Account, AccountFilter, AccountStatus, AccountType};
pub use balance::Balance;
pub use calls::{Call, CallFilter, CallStatus};
pub use client::{Base, BuildError, Client, NowFn, Product, RandomFn, Settings, SleepFn};
pub use codes::{CodeClass, ErrorCode};
pub use credentials::{Credentials, MainCredentials, SubaccountCredentials};
pub use error::{AlarmReason, Error, RejectReason, RetryReason};
pub use keys::{CreatedKey, Key};
pub use numbers::{IncomingNumber, IncomingNumberFilter, NumberSettings, NumberTransfer};
pub use places::{CountryCode, E164, NotValid};
pub use usage::{UsageDate, UsageQuery, UsageRecord, UsageSpan};
pub use values::{CallbackMethod, TimeBound};

pub use paging::PAGES_MAX;
pub use retry::{ATTEMPTS_MAX, BACKOFF_BASE, BACKOFF_CAP, RETRY_AFTER_CAP};
