//! What the benchmark measures with: a client that costs next to nothing, the operating system's account of
//! the server's process, and budgets beside what was measured.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

use base64::Engine as _;

/// A kept connection, one request at a time.
pub struct Connection {
    stream: TcpStream,
    authorization: String,
    buffer: Vec<u8>,
}

impl Connection {
    pub fn open(address: &str, user: &str, password: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let secret = format!("{user}:{password}");
        let authorization = base64::engine::general_purpose::STANDARD.encode(secret);
        let buffer = vec![0; 4 << 20];
        Self {
            stream,
            authorization,
            buffer,
        }
    }

    pub fn send(&mut self, path: &str) {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: api.twilio.com\r\nAuthorization: Basic {}\r\n\r\n",
            self.authorization
        );
        self.stream.write_all(request.as_bytes()).unwrap();
    }

    /// Reads a whole answer, which must be a 200; its body.
    pub fn receive(&mut self) -> &[u8] {
        let (mut have, mut want) = (0, usize::MAX);
        let mut body_at = 0;
        while have < want {
            let read = self.stream.read(&mut self.buffer[have..]).unwrap();
            assert!(read > 0, "the server closed the connection");
            have += read;
            if want == usize::MAX {
                let Some(end) = find(&self.buffer[..have], b"\r\n\r\n") else {
                    continue;
                };
                let head = std::str::from_utf8(&self.buffer[..end]).unwrap();
                assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
                body_at = end + 4;
                want = body_at + content_length(head);
                assert!(want <= self.buffer.len(), "{want} bytes");
            }
        }
        &self.buffer[body_at..have]
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn content_length(head: &str) -> usize {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.parse().ok())
        .expect("the simulator says how long its answers are")
}

/// The processor time that a process has used.
pub fn cpu_of(process: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name stands in parentheses and may hold spaces; user and system time are fields 14 and 15.
    let after_name = stat.rsplit_once(')').unwrap().1;
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    // Linux shows these in hundredths of a second on every architecture.
    Duration::from_millis(ticks * 10)
}

/// The memory of a process that is in use now.
pub fn resident_bytes(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes * 1024
}

/// What was measured beside what is allowed.
#[derive(Default)]
pub struct Budgets {
    lines: Vec<(String, u64, &'static str, u64, bool)>,
}

impl Budgets {
    pub fn at_most(&mut self, what: &str, measured: u64, budget: u64) {
        let kept = measured < budget;
        self.lines
            .push((what.to_owned(), measured, "under", budget, kept));
    }

    /// So many answers in the server's processor time.
    pub fn rate(&mut self, what: &str, answers: usize, spent: (Duration, Duration), budget: u64) {
        let per_second = |time: Duration| {
            let micros = u64::try_from(time.as_micros()).unwrap().max(1);
            u64::try_from(answers).unwrap() * 1_000_000 / micros
        };
        let (on_one_core, by_the_clock) = (per_second(spent.0), per_second(spent.1));
        let what = format!("{what} of one core ({by_the_clock}/s by the clock)");
        let kept = on_one_core >= budget;
        self.lines
            .push((what, on_one_core, "at least", budget, kept));
    }

    pub fn print(&self) -> ExitCode {
        for (what, measured, how, budget, kept) in &self.lines {
            let verdict = if *kept { "" } else { "  MISSED" };
            println!("{what:<75}{measured:>8}  ({how} {budget}){verdict}");
        }
        if self.lines.iter().all(|(.., kept)| *kept) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}
