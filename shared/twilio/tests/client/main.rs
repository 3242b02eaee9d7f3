//! The client against a scripted HTTP server on this machine, over the wire.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside of #[test] functions"
)]

mod server;

mod creates;
mod credentials;
mod paging;
mod product_paging;
mod retries;

mod resources;

mod iam;
mod messaging;
mod monitor;
mod numbers;
mod places;
mod pricing;
mod usage;
mod voice;

mod probe;
