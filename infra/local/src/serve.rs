//! Serving for a developer: real time, `.env.local` for `cargo lambda watch`, a way to move the clock.

use std::io::Write as _;
use std::path::Path;

use clap::Args;
use twilio_sim::clock::VirtualClock;
use twilio_sim::{Pace, SimConfig};

use crate::demo::DemoError;
use crate::stack::{Stack, StackConfig};

/// What `serve` takes.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 4000)]
    pub port: u16,
    /// Everything drawn at random comes from this number.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where to write the environment for `cargo lambda watch`.
    #[arg(long, default_value = ".env.local")]
    pub env_file: std::path::PathBuf,
}

/// Serves until Ctrl-C.
pub async fn run(options: &Options) -> Result<(), DemoError> {
    let config = StackConfig {
        seed: options.seed,
        port: options.port,
        clock: VirtualClock::real(),
        sim: SimConfig {
            pace: Pace::quick(),
            ..SimConfig::default()
        },
        public_base_url: None,
    };
    let stack = Stack::start(config).await?;
    write_env_file(&stack, &options.env_file)?;
    let base = &stack.base_url;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "Tollgate at {base}: API /v1, callbacks /twilio, AWS endpoint /, Twilio simulator /2010-04-01 and /_sim"
    )?;
    writeln!(
        out,
        "environment for `cargo lambda watch --env-file`: {}",
        options.env_file.display()
    )?;
    writeln!(out, "operator key: {}", stack.operator_key)?;
    out.flush()?;
    drop(out);
    until_interrupted(&stack).await
}

/// Lets the stack live in real time until Ctrl-C.
pub async fn until_interrupted(stack: &Stack) -> Result<(), DemoError> {
    stack.clock.resume();
    let sim = tokio::spawn(stack.sim.clone().live());
    let aws = stack.aws.spawn_background();
    tokio::signal::ctrl_c().await?;
    sim.abort();
    aws.abort();
    Ok(())
}

/// Dummy credentials and local addresses only: nothing in it is a secret outside this machine.
fn write_env_file(stack: &Stack, path: &Path) -> Result<(), DemoError> {
    let key = [("TOLLGATE_OPERATOR_KEY", stack.operator_key.as_str())];
    let lines = stack
        .environment
        .pairs()
        .chain(key)
        .map(|(name, value)| format!("{name}={value}\n"));
    let text: Vec<String> = lines.collect();
    std::fs::write(path, text.concat())?;
    Ok(())
}
