//! A tenant's life between sign-up and goodbye: numbers, credentials, dunning and guards, closing.

mod closing;
mod drift;
mod dunning;
mod exposure;
mod guards;
mod migration_explorer;
mod migrations;
mod numbers;
mod rotation;
mod sign_up;
mod splits;
mod support;
mod triggers;
