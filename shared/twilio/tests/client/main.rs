//! The client against a scripted HTTP server on this machine, over the wire.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside of #[test] functions"
)]

mod paging;
mod resources;
mod retries;
mod server;
