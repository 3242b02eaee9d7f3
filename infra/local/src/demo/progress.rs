//! Progress: bars on a terminal, plain lines elsewhere; always on standard error, so that output stays clean.

use std::io::{IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// One stage of the demo.
pub(crate) struct Progress {
    bar: ProgressBar,
    is_terminal: bool,
    name: &'static str,
}

impl Progress {
    /// A stage of `length` steps.
    pub(crate) fn new(name: &'static str, length: u64) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let target = if is_terminal {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let template = if no_color() {
            "{msg:<10} [{bar:30}] {pos}/{len} {prefix}"
        } else {
            "{msg:<10} [{bar:30.cyan}] {pos}/{len} {prefix:.dim}"
        };
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(length), target)
            .with_style(style.progress_chars("=> "))
            .with_message(name);
        Self {
            bar,
            is_terminal,
            name,
        }
    }

    /// One step is done; `note` says what there is to see.
    pub(crate) fn step(&self, note: &str) {
        self.bar.inc(1);
        self.bar.set_prefix(note.to_owned());
    }

    /// The stage is done.
    pub(crate) fn finish(&self, note: &str) {
        self.bar.set_prefix(note.to_owned());
        self.bar.finish();
        if !self.is_terminal {
            // Nobody to tell when standard error is closed.
            writeln!(std::io::stderr(), "{}: {note}", self.name).ok();
        }
    }
}

/// The convention of no-color.org.
pub(crate) fn no_color() -> bool {
    runtime::Environment::from_process()
        .get("NO_COLOR")
        .is_some()
}
