#![doc = include_str!("../README.md")]

mod environment;
mod host;
mod problem;
mod telemetry;

pub use environment::{ConfigError, Environment};
pub use host::{Host, NowFn, RandomFn, SleepFn, WireFn};
pub use problem::Problem;
pub use telemetry::init_tracing;
