//! The simulator alone, at real speed, for a person with an official client or curl.

use std::io::Write as _;

use clap::Parser;
use twilio_sim::clock::VirtualClock;
use twilio_sim::{Pace, Sim, SimConfig};

/// Twilio's API in memory.
#[derive(Parser)]
struct Options {
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
    /// Usage lists every category that Twilio ever named.
    #[arg(long)]
    all_categories: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let options = Options::parse();
    let is_sid = domain::ids::AccountSid::parse(&options.account_sid).is_ok();
    if !is_sid {
        return Err(std::io::Error::new(
            std::io::ErrorKind::InvalidInput,
            "--account-sid: AC and 32 hexadecimal digits",
        ));
    }
    let sim = Sim::new(SimConfig {
        account_sid: options.account_sid.clone(),
        auth_token: options.auth_token,
        seed: options.seed,
        clock: VirtualClock::real(),
        all_categories: options.all_categories,
        pace: if options.speed == "quick" {
            Pace::quick()
        } else {
            Pace::lifelike()
        },
        ..SimConfig::default()
    });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", options.port)).await?;
    let at = listener.local_addr()?;
    let sid = &options.account_sid;
    writeln!(
        std::io::stdout().lock(),
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
