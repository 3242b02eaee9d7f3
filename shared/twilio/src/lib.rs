#![doc = include_str!("../README.md")]

mod client;
mod credentials;
mod error;

pub mod accounts;
pub mod balance;
pub mod calls;
pub mod keys;
pub mod numbers;
pub mod usage;

pub mod signature;

mod classify;
mod concurrency;
mod paging;
mod request;
mod retry;
mod wire;

pub use accounts::{Account, AccountFilter, AccountStatus};
pub use balance::Balance;
pub use calls::{Call, CallFilter, CallStatus};
pub use client::{Base, BuildError, Client, NowFn, Product, RandomFn, Settings, SleepFn};
pub use credentials::Credentials;
pub use error::{AlarmReason, Error, ErrorCode, RetryReason};
pub use keys::{CreatedKey, Key};
pub use numbers::IncomingNumber;
pub use usage::{UsageQuery, UsageRecord, UsageSpan};

pub use paging::PAGES_MAX;
pub use retry::{ATTEMPTS_MAX, BACKOFF_BASE, BACKOFF_CAP, RETRY_AFTER_CAP};
