#![doc = include_str!("../README.md")]

pub mod demo;

pub mod serve;

pub mod stack;

pub mod functions;

pub mod passage;

pub mod gateway;

pub mod aws;

/// Lines for people on standard error, at `warn` unless `RUST_LOG` says otherwise; and the TLS provider
/// that HTTP clients of this process take. Called once, by `main`.
pub fn init_tracing() {
    let environment = runtime::Environment::from_process();
    let filter = tracing_subscriber::EnvFilter::new(environment.get("RUST_LOG").unwrap_or("error"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .compact()
        .init();
    install_tls();
}

/// Installs ring as this process's TLS provider; a second time is the same.
pub fn install_tls() {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
}
