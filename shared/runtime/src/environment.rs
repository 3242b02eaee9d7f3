//! The environment, read once at start: a missing name is one clear line, not a failure hours later.

use std::collections::BTreeMap;

/// A setting that is missing or malformed; `main` prints it and exits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not set, or empty.
    #[error("environment variable {0} is not set")]
    Missing(&'static str),
    /// Set to something that cannot be used.
    #[error("environment variable {name} is not usable: {why}")]
    Malformed {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

/// The process environment at start, or a map in tests.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Reads the process environment; names or values that are not UTF-8 are left out.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub fn from_process() -> Self {
        let unicode = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        Self(unicode.collect())
    }

    /// A given environment.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(pairs.into_iter().collect())
    }

    /// All of it, in order of names.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value, if set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// The value, or which name is missing.
    pub fn require(&self, name: &'static str) -> Result<&str, ConfigError> {
        self.get(name).ok_or(ConfigError::Missing(name))
    }

    /// An absolute base URL without a trailing slash.
    pub fn require_base_url(&self, name: &'static str) -> Result<&str, ConfigError> {
        let url = self.require(name)?;
        let malformed = |why: &str| ConfigError::Malformed {
            name,
            why: why.to_owned(),
        };
        let rest = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"))
            .ok_or_else(|| malformed("must begin with https://"))?;
        if rest.is_empty() || url.ends_with('/') || url.contains(['?', '#', ' ']) {
            return Err(malformed(
                "must be scheme, host and path, without a slash at its end",
            ));
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(value: &str) -> Environment {
        Environment::from_pairs([("BASE".to_owned(), value.to_owned())])
    }

    #[test]
    fn a_missing_or_empty_name_is_one_clear_line() {
        let error = environment("").require("BASE").unwrap_err();
        assert_eq!(error.to_string(), "environment variable BASE is not set");
    }

    #[test]
    fn a_base_url_has_a_scheme_and_no_slash_at_its_end() {
        assert!(
            environment("https://hooks.example.com")
                .require_base_url("BASE")
                .is_ok()
        );
        for wrong in [
            "hooks.example.com",
            "https://",
            "https://h/",
            "https://h?x",
            "ftp://h",
        ] {
            assert!(
                environment(wrong).require_base_url("BASE").is_err(),
                "{wrong}"
            );
        }
    }
}
