//! Tracing as JSON lines on standard output, which Lambda forwards to the function's log group.

use tracing_subscriber::EnvFilter;

use crate::Environment;

/// Starts tracing at the level of `RUST_LOG`, `info` without it. Called once, by `main`.
///
/// The SDK's and the HTTP client's own lines stay at `warn`: at `debug` they print whole requests.
pub fn init_tracing(environment: &Environment) {
    let level = environment.get("RUST_LOG").unwrap_or("info");
    let filter = EnvFilter::new(level);
    let filter = [
        "aws_smithy_runtime=warn",
        "aws_sdk=warn",
        "hyper=warn",
        "hyper_util=warn",
        "reqwest=warn",
        "h2=warn",
        "rustls=warn",
    ]
    .into_iter()
    .filter_map(|directive| directive.parse().ok())
    .fold(filter, EnvFilter::add_directive);
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_env_filter(filter)
        .init();
}
