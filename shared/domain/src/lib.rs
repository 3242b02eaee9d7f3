#![doc = include_str!("../README.md")]

pub mod ids;
pub mod money;

pub mod category;

pub mod numbering;

pub mod period;

pub mod plan;

pub mod detail;

pub mod holdings;

pub mod usage;

pub mod rating;

pub mod shares;

pub mod lots;

pub mod ledger;

pub mod recharge;

pub mod wallet;

pub mod wallet_acts;

pub mod booking;

pub mod exchange;

pub mod unpriced;

pub mod pull_state;

pub mod statement;

pub mod reconcile;

pub mod verify;

pub mod explain;

pub mod what_if;

pub mod dunning;

pub mod caps;

pub mod guards;

pub mod standing;

pub mod tenant;

pub mod provisioning;

pub mod numbers;

pub mod migration;

pub mod rotation;

pub mod closing;

pub mod suspension;

pub mod drift;

pub mod export;

pub mod callback;

pub mod event;

pub use jiff::Timestamp;
pub use jiff::civil::Date;
pub use rust_decimal::Decimal;
