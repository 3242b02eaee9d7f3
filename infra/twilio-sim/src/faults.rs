//! The fault script: which request goes wrong, how often and in which way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A rule: requests that match are counted, and from the `nth` on `count` of them go wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// HTTP method; any when absent.
    #[serde(default)]
    pub method: Option<String>,
    /// Path and query without the product prefix; `*` stands for any text.
    pub path: String,
    /// The first match to strike, from 1.
    #[serde(default = "one")]
    pub nth: u64,
    /// How many to strike; 0 for ever.
    #[serde(default = "one")]
    pub count: u64,
    /// What goes wrong.
    pub action: FaultAction,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum FaultAction {
    /// Another answer.
    Status {
        /// Its status.
        status: u16,
        /// Twilio's code in the default body.
        #[serde(default)]
        code: Option<u32>,
        /// Its body instead of Twilio's error body.
        #[serde(default)]
        body: Option<String>,
        /// More headers.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// Whether what was asked is done nevertheless.
        #[serde(default)]
        after_effect: bool,
    },
    /// The answer comes late, in simulated time.
    Delay {
        /// By so many milliseconds.
        ms: u64,
    },
    /// The connection closes without an answer.
    Drop {
        /// Whether what was asked is done nevertheless.
        after_effect: bool,
    },
    /// The body is cut short but its length fits.
    Truncate {
        /// Bytes that are left.
        keep_bytes: usize,
    },
    /// The connection breaks inside the body.
    Reset {
        /// Bytes that arrive.
        keep_bytes: usize,
    },
    /// A later page shows the items of the page before it.
    RepeatPage,
    /// The next page is said to be here.
    NextPageUri {
        /// This address; `self` is the page's own.
        uri: String,
    },
    /// Prices are null.
    PriceNull,
    /// Prices are in another unit.
    PriceUnit {
        /// Such as `eur`.
        unit: String,
    },
}

fn one() -> u64 {
    1
}

/// A rule with how often it matched and struck.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Scripted {
    pub(crate) id: u64,
    pub(crate) matched: u64,
    pub(crate) struck: u64,
    #[serde(flatten)]
    pub(crate) rule: FaultRule,
}

/// The script.
#[derive(Clone, Default)]
pub(crate) struct Faults {
    rules: Vec<Scripted>,
    last_id: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, rule: FaultRule) -> u64 {
        self.last_id += 1;
        self.rules.push(Scripted {
            id: self.last_id,
            matched: 0,
            struck: 0,
            rule,
        });
        self.last_id
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    pub(crate) fn rules(&self) -> &[Scripted] {
        &self.rules
    }

    /// The first rule that strikes this request. Every rule that matches counts it.
    pub(crate) fn strike(&mut self, method: &str, path: &str) -> Option<(u64, FaultAction)> {
        let mut struck = None;
        for scripted in &mut self.rules {
            let rule = &scripted.rule;
            let method_fits = rule
                .method
                .as_ref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method));
            if !method_fits || !matches(rule.path.as_bytes(), path.as_bytes()) {
                continue;
            }
            scripted.matched += 1;
            let in_range = scripted.matched >= rule.nth
                && (rule.count == 0 || scripted.matched < rule.nth + rule.count);
            if in_range && struck.is_none() {
                scripted.struck += 1;
                struck = Some((scripted.id, rule.action.clone()));
            }
        }
        struck
    }
}

/// Whether a text matches a pattern in which `*` stands for any text.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, from));
            at += 1;
        } else if pattern.get(at) == Some(&text[from]) {
            at += 1;
            from += 1;
        } else if let Some((star_at, star_from)) = star {
            star = Some((star_at, star_from + 1));
            at = star_at + 1;
            from = star_from + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, fits) in [
            (
                "*/Usage/Records*",
                "/2010-04-01/Accounts/AC1/Usage/Records/Daily.json?x=1",
                true,
            ),
            ("/a/*/c", "/a/b/b/c", true),
            ("/a/*/c", "/a/b/b/d", false),
            ("*", "", true),
            ("/a", "/ab", false),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                fits,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn a_rule_strikes_from_the_nth_match_so_many_times() {
        let mut faults = Faults::default();
        faults.add(FaultRule {
            method: Some("get".into()),
            path: "/x*".into(),
            nth: 2,
            count: 2,
            action: FaultAction::PriceNull,
        });
        let struck: Vec<bool> = (0..5)
            .map(|_| faults.strike("GET", "/x/y").is_some())
            .collect();
        assert_eq!(struck, [false, true, true, false, false]);
        assert!(faults.strike("POST", "/x/y").is_none());
        assert_eq!(faults.rules()[0].matched, 5);
    }
}
