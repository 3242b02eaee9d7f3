//! All behaviour tests, one binary.

mod enforcement;
mod provisioning_api;
mod provisioning_faults;
mod structure;
mod webhook_units;
