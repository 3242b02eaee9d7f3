//! A tenant's life between sign-up and goodbye: numbers, credentials, closing.

mod closing;
mod drift;
mod numbers;
mod rotation;
mod sign_up;
mod support;
