#![doc = include_str!("../README.md")]

pub mod ids;
pub mod money;

pub mod usage;

pub mod plan;

pub mod rating;

pub mod ledger;

pub mod wallet;

pub mod standing;

pub mod tenant;

pub mod provisioning;

pub mod suspension;

pub mod callback;

pub mod event;

pub use jiff::Timestamp;
pub use jiff::civil::Date;
pub use rust_decimal::Decimal;
