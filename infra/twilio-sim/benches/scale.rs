//! The simulator at 100,000 subaccounts with a month of usage: memory, and how fast one core answers.
//!
//! `cargo bench -p twilio-sim --bench scale`. The server is a process of its own with one thread; what it
//! costs is taken from the operating system's account of that process, so that a busy machine and this
//! client do not count. Prints what was measured beside each budget, and fails when one is missed.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark measures real time, prints, and stops at the first surprise"
)]

mod measure;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use measure::{Budgets, Connection, cpu_of, resident_bytes};
use twilio_sim::clock::VirtualClock;
use twilio_sim::{Population, Sim, SimConfig, TrafficProfile};

const MAIN: &str = "AC00000000000000000000000000000001";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const SUBACCOUNTS: usize = 100_000;
/// A month of usage, and half a day.
const SINCE: &str = "2026-02-01";
const NOW: &str = "2026-03-03T12:00:00Z";

/// Requests on the way at a time, so that the server never waits for its client.
const CONNECTIONS: usize = 8;
const FETCHES: usize = 40_000;
const USAGE_PAGES: usize = 1_200;
const REPEATS: usize = 15;

fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if asked.iter().any(|one| one == "serve") {
        serve();
        return ExitCode::SUCCESS;
    }
    if !asked.iter().any(|one| one == "--bench") {
        println!("run me by: cargo bench -p twilio-sim --bench scale");
        return ExitCode::SUCCESS;
    }
    let begun = Instant::now();
    let server = Server::start();
    println!(
        "{SUBACCOUNTS} subaccounts with usage since {SINCE}, made in {:?}",
        begun.elapsed()
    );
    let mut budgets = Budgets::default();
    let sids = lists(&server, &mut budgets);
    assert_eq!(sids.len(), SUBACCOUNTS + 1);
    fetches(&server, &sids, &mut budgets);
    usage_pages(&server, &sids, &mut budgets);
    family(&server, &mut budgets);
    let rss = resident_bytes(server.child.id());
    budgets.at_most("resident memory, MB", rss / 1_000_000, 2_000);
    budgets.print()
}

/// The server's process: says its address, then answers until its parent kills it.
fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let sim = Sim::new(SimConfig {
            account_sid: MAIN.to_owned(),
            auth_token: TOKEN.to_owned(),
            clock: VirtualClock::manual(NOW.parse().unwrap()),
            all_categories: true,
            ..SimConfig::default()
        });
        sim.populate(&Population {
            subaccounts: SUBACCOUNTS,
            since: SINCE.parse().unwrap(),
            profile: TrafficProfile::default(),
        })
        .unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        println!("{}", listener.local_addr().unwrap());
        std::io::stdout().flush().unwrap();
        sim.serve(listener, std::future::pending()).await;
    });
}

struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("serve")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut address = String::new();
        let stdout = child.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut address).unwrap();
        let address = address.trim().to_owned();
        Self { child, address }
    }

    fn connect(&self) -> Connection {
        Connection::open(&self.address, MAIN, TOKEN)
    }

    /// Asks for these paths, several at a time; `(server's processor time, time)`.
    fn ask_all(&self, paths: &[String]) -> (Duration, Duration) {
        let mut connections: Vec<Connection> = (0..CONNECTIONS).map(|_| self.connect()).collect();
        let (cpu, begun) = (cpu_of(self.child.id()), Instant::now());
        for paths in paths.chunks(CONNECTIONS) {
            for (connection, path) in connections.iter_mut().zip(paths) {
                connection.send(path);
            }
            for (connection, _) in connections.iter_mut().zip(paths) {
                connection.receive();
            }
        }
        (cpu_of(self.child.id()).saturating_sub(cpu), begun.elapsed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Walks the whole list of accounts, then times its first and its last full page. All SIDs.
fn lists(server: &Server, budgets: &mut Budgets) -> Vec<String> {
    let mut connection = server.connect();
    let first = "/2010-04-01/Accounts.json?PageSize=1000".to_owned();
    let (mut sids, mut path, mut late) = (Vec::new(), first.clone(), first.clone());
    let begun = Instant::now();
    loop {
        connection.send(&path);
        let page: serde_json::Value = serde_json::from_slice(connection.receive()).unwrap();
        let rows = page["accounts"].as_array().unwrap();
        if rows.len() == 1000 {
            late.clone_from(&path);
        }
        sids.extend(
            rows.iter()
                .map(|row| row["sid"].as_str().unwrap().to_owned()),
        );
        match page["next_page_uri"].as_str() {
            Some(next) => next.clone_into(&mut path),
            None => break,
        }
    }
    println!("walked {} accounts in {:?}", sids.len(), begun.elapsed());
    for (what, path) in [
        ("first page of 1000 accounts, us", &first),
        ("late page of 1000 accounts, us", &late),
    ] {
        let mut times: Vec<Duration> = (0..REPEATS)
            .map(|_| {
                let begun = Instant::now();
                connection.send(path);
                connection.receive();
                begun.elapsed()
            })
            .collect();
        times.sort_unstable();
        let median = times[REPEATS / 2].as_micros();
        budgets.at_most(what, u64::try_from(median).unwrap(), 10_000);
    }
    sids
}

fn fetches(server: &Server, sids: &[String], budgets: &mut Budgets) {
    // A stride that visits accounts all over the place.
    let paths: Vec<String> = (0..FETCHES)
        .map(|at| {
            let sid = &sids[at * 7919 % sids.len()];
            format!("/2010-04-01/Accounts/{sid}.json")
        })
        .collect();
    let spent = server.ask_all(&paths);
    budgets.rate("account fetches/s", paths.len(), spent, 5_000);
}

fn usage_pages(server: &Server, sids: &[String], budgets: &mut Budgets) {
    let paths: Vec<String> = (0..USAGE_PAGES)
        .map(|at| {
            let sid = &sids[at * 7919 % sids.len()];
            format!(
                "/2010-04-01/Accounts/{sid}/Usage/Records/Daily.json?PageSize=1000\
                 &StartDate=2026-02-01&EndDate=2026-03-03&IncludeSubaccounts=false"
            )
        })
        .collect();
    let mut connection = server.connect();
    connection.send(&paths[0]);
    let page: serde_json::Value = serde_json::from_slice(connection.receive()).unwrap();
    assert_eq!(page["usage_records"].as_array().unwrap().len(), 1000);
    let spent = server.ask_all(&paths);
    budgets.rate("usage pages of 1000 rows/s", paths.len(), spent, 300);
}

/// The main account's usage with that of all its subaccounts: dear once, then cheap.
fn family(server: &Server, budgets: &mut Budgets) {
    let mut connection = server.connect();
    let mut time = |path: String| {
        let begun = Instant::now();
        connection.send(&path);
        connection.receive();
        u64::try_from(begun.elapsed().as_micros()).unwrap()
    };
    let path =
        format!("/2010-04-01/Accounts/{MAIN}/Usage/Records.json?PageSize=1000&StartDate={SINCE}");
    let first = time(path.clone());
    println!("the main account's records, the first time: {first} us");
    budgets.at_most("main account's records again, us", time(path), 10_000);
}
