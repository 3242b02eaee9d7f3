//! `local`: the demo, or a stack to develop against.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use local::demo::DemoError;
use local::{demo, serve};

/// All of Tollgate on one machine: local AWS, Twilio simulator and the real functions.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    demo: demo::Options,
}

#[derive(Subcommand)]
enum Command {
    /// A month of many tenants in seconds, reconciled to the cent (the default).
    Demo(demo::Options),
    /// API, AWS endpoint and Twilio simulator on one port, in real time.
    Serve(serve::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    local::init_tracing();
    match run(cli).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            tracing::error!(%error, "stopped");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<bool, DemoError> {
    match cli.command.unwrap_or(Command::Demo(cli.demo)) {
        Command::Demo(options) => demo::run(&options).await,
        Command::Serve(options) => serve::run(&options).await.map(|()| true),
    }
}
