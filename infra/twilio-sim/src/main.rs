//! The simulator alone, at real speed, for a person with an official client or curl; or, as a subcommand, a
//! check of recorded callbacks.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use twilio_sim::clock::VirtualClock;
use twilio_sim::verify::{self, Explain};
use twilio_sim::{Pace, Recorder, Sim, SimConfig};

/// Twilio's API in memory.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Option<Serve>,
}

#[derive(Subcommand)]
enum Command {
    /// Says of each recorded callback whether its signature is valid, one JSON line each.
    VerifySignatures {
        /// JSON: {"vectors": [...]}; `-` reads the standard input.
        file: PathBuf,
        /// Adds which spelling of the address was signed, or what would make an invalid request valid.
        #[arg(long)]
        explain: bool,
    },
}

#[derive(Args)]
struct Serve {
    /// Port on 127.0.0.1; 0 takes a free one.
    #[arg(long, default_value_t = 4010)]
    port: u16,
    /// The main account.
    #[arg(long)]
    account_sid: String,
    /// Its auth token.
    #[arg(long)]
    auth_token: String,
    /// Everything drawn at random follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// `quick`: prices and usage within seconds. `lifelike`: as late as Twilio's.
    #[arg(long, default_value = "quick", value_parser = ["quick", "lifelike"])]
    speed: String,
    /// The clock runs so many times as fast as real time, 1 to 86400.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    clock_speed: u32,
    /// Usage lists every category that Twilio ever named.
    #[arg(long)]
    all_categories: bool,
    /// Open subaccounts that the main account may have.
    #[arg(long, default_value_t = 1000)]
    subaccount_limit: usize,
    /// Requests at a time per authenticating account before 429; without it there is no limit.
    #[arg(long)]
    concurrency_max: Option<u32>,
    /// The clock begins at this moment (RFC 3339) and stands until `/_sim/clock` moves it.
    #[arg(long)]
    frozen_at: Option<jiff::Timestamp>,
    /// Writes every answer down, one JSON line each, with the secrets that are in it.
    #[arg(long)]
    record: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let outcome = match (options.command, options.serve) {
        (Some(Command::VerifySignatures { file, explain }), _) => {
            verify_file(&file, explain).map_err(|problem| (2, problem))
        }
        (None, Some(options)) => serve(options).map_err(|error| (1, error.to_string())),
        (None, None) => Err((2, "--account-sid and --auth-token are needed".to_owned())),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, problem)) => {
            // Nobody is left to tell when this fails.
            writeln!(io::stderr().lock(), "twilio-sim: {problem}").unwrap_or_default();
            ExitCode::from(code)
        }
    }
}

/// Judges a file and prints the verdicts, all or none.
fn verify_file(path: &Path, explain: bool) -> Result<(), String> {
    let named = |problem: &dyn std::fmt::Display| format!("{}: {problem}", path.display());
    let mut file = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().read_to_end(&mut file)
    } else {
        std::fs::File::open(path).and_then(|mut opened| opened.read_to_end(&mut file))
    };
    read.map_err(|error| named(&error))?;
    let explain = if explain { Explain::Yes } else { Explain::No };
    let verdicts = verify::verify_signatures(&file, explain).map_err(|error| named(&error))?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let printed = verdicts.iter().try_for_each(|verdict| {
        serde_json::to_writer(&mut out, verdict)?;
        out.write_all(b"\n")
    });
    match printed.and_then(|()| out.flush()) {
        // Who reads only the first lines closes the pipe.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn serve(options: Serve) -> io::Result<()> {
    let is_sid = domain::ids::AccountSid::parse(&options.account_sid).is_ok();
    if !is_sid {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "--account-sid: AC and 32 hexadecimal digits",
        ));
    }
    let record = options
        .record
        .as_deref()
        .map(Recorder::create)
        .transpose()?;
    let sim = Sim::new(SimConfig {
        account_sid: options.account_sid.clone(),
        auth_token: options.auth_token,
        seed: options.seed,
        clock: options
            .frozen_at
            .map_or_else(VirtualClock::real, VirtualClock::manual),
        subaccount_limit: options.subaccount_limit,
        concurrency_max: options.concurrency_max,
        record,
        all_categories: options.all_categories,
        pace: if options.speed == "quick" {
            Pace::quick()
        } else {
            Pace::lifelike()
        },
        ..SimConfig::default()
    });
    sim.clock().set_speed(options.clock_speed);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", options.port)).await?;
    let at = listener.local_addr()?;
    let sid = &options.account_sid;
    writeln!(
        io::stdout().lock(),
        "twilio-sim listens on http://{at}\n\
         try: curl -u {sid}:$TWILIO_AUTH_TOKEN http://{at}/2010-04-01/Accounts.json\n\
         and: curl http://{at}/_sim/state"
    )?;
    sim.serve(listener, async {
        tokio::signal::ctrl_c().await.unwrap_or_default();
    })
    .await;
    Ok(())
}
