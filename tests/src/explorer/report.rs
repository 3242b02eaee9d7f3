//! What an exploration found, and the line that plays a failing schedule again.

use std::any::Any;
use std::fmt::{Display, Write as _};

use runtime::Environment;

/// What an exploration found.
#[derive(Debug)]
pub struct Exploration {
    name: String,
    /// Outgoing requests of the undisturbed run, in order.
    pub requests: Vec<String>,
    /// Schedules that were run.
    pub explored: usize,
    /// Schedules that there were to run.
    pub expected: usize,
    /// Violated invariants, each with its schedule.
    pub violations: Vec<String>,
    /// Only a part was asked for: one schedule, or another exploration's.
    pub is_partial: bool,
}

/// What of an exploration is asked for.
pub(super) enum Wanted {
    Everything {
        all_pairs: bool,
    },
    /// One schedule, as it was printed.
    One(String),
    /// Another exploration's schedule.
    Nothing,
}

impl Wanted {
    pub(super) fn of(name: &str) -> Self {
        let environment = Environment::from_process();
        match environment.get("TOLLGATE_REPLAY") {
            None => Self::Everything {
                all_pairs: environment.get("TOLLGATE_EXPLORE_ALL_PAIRS").is_some(),
            },
            Some(line) => match line.split_once('@') {
                Some((other, schedule)) if other == name => Self::One(schedule.to_owned()),
                _ => Self::Nothing,
            },
        }
    }
}

impl Exploration {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            requests: Vec::new(),
            explored: 0,
            expected: 0,
            violations: Vec::new(),
            is_partial: false,
        }
    }

    /// Asserts that every schedule was run and that every invariant held.
    #[track_caller]
    pub fn assert_sound(&self) {
        assert!(!self.requests.is_empty(), "nothing was asked");
        if !self.is_partial {
            assert!(self.explored > 0, "nothing was explored");
            assert_eq!(self.explored, self.expected);
        }
        assert!(self.violations.is_empty(), "{:#?}", self.violations);
    }

    /// Adds what is wrong with a schedule.
    pub(super) fn add(&mut self, schedule: &str, violations: &[String]) {
        let name = &self.name;
        let named = |violation: &String| format!("{name}@{schedule}: {violation}");
        self.violations.extend(violations.iter().map(named));
    }

    /// Counts a schedule and adds what is wrong with it, with the line that plays it again.
    pub(super) fn played(&mut self, schedule: &impl Display, violations: &[String]) {
        self.explored += 1;
        if violations.is_empty() {
            return;
        }
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("explorer");
        let name = &self.name;
        let replay = format!("TOLLGATE_REPLAY='{name}@{schedule}' cargo test -p tests {test}");
        self.violations.push(format!(
            "{}\n    play it again: {replay}",
            violations.join("; ")
        ));
    }

    /// The same for a schedule that alone was asked for: its way is printed.
    pub(super) fn replayed(
        &mut self,
        schedule: &impl Display,
        way: &[String],
        violations: &[String],
    ) {
        self.is_partial = true;
        self.played(schedule, violations);
        print(&format!("{schedule}: {way:#?}"));
    }

    /// Prints the numbers and what is wrong.
    pub(super) fn print(&self) {
        let mut lines = format!(
            "{}: schedules explored: {}, violations: {}",
            self.name,
            self.explored,
            self.violations.len()
        );
        for violation in &self.violations {
            write!(lines, "\n  {violation}").expect("a String takes every write");
        }
        print(&lines);
    }
}

#[expect(clippy::print_stdout, reason = "the numbers are the result")]
fn print(lines: &str) {
    println!("{lines}");
}

/// What a panic said.
pub(super) fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
    text.unwrap_or_else(|| "without words".to_owned())
}
