#![doc = include_str!("../README.md")]

pub mod clock;
mod config;
mod sim;

mod amount;
mod api;
mod callbacks;
mod control;
mod counters;
mod faults;
mod json;
mod populate;
mod recorder;
mod rng;
mod server;
mod sid;
mod stamp;
mod template;
mod usage;
mod world;

pub mod verify;

pub use callbacks::{AttemptOutcome, DeliveryRecord};
pub use config::{
    AccountType, InactiveAnswer, Pace, Population, Quirks, Rent, SimConfig, TrafficProfile,
};
pub use counters::{CallbackCounts, Counters, LoggedRequest};
pub use faults::{FaultAction, FaultRule};
pub use recorder::Recorder;
pub use server::ConnectionDropped;
pub use sim::{AccountState, Sim, SimError, SimSnapshot};
