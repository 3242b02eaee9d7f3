//! A tenant's life between sign-up and goodbye: numbers, credentials, closing.

mod closing;
mod migration_explorer;
mod migrations;
mod numbers;
mod rotation;
mod splits;
mod support;
