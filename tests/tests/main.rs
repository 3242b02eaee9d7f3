//! All behaviour tests, one binary: linking the SDKs costs more than running the tests.

#![allow(
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "tests and their helpers: a story is told in one piece, and a missing value fails it"
)]

mod structure;

mod api;
mod enforce;
mod enforcement;
mod life;
mod money;
mod oracle;
mod permissions;
mod provisioning_api;
mod provisioning_faults;
mod webhook_units;
