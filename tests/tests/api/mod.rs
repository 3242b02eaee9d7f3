//! What the API promises its callers, and the provisioning saga under faults and crashes.

mod acts;
mod auth;
mod books;
mod canary;
mod crashes;
mod hostile;
mod isolation;
mod keys;
mod plans;
mod pricing;
mod provisioning;
mod reconciliation;
mod reports;
mod store_down;
mod tenants;
mod wallet;
