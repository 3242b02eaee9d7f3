//! All behaviour tests, one binary: linking the SDKs costs more than running the tests.

mod structure;

mod api;
mod enforce;
mod enforcement;
mod money;
mod provisioning_api;
mod provisioning_faults;
mod webhook_units;
