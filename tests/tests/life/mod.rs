//! A tenant's life between sign-up and goodbye: numbers, credentials, closing.

mod closing;
mod numbers;
mod rotation;
mod support;
