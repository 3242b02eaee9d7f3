//! The spellings of an address that Twilio may have signed, besides the one at hand.
//!
//! They lie between what both official libraries accept and what at least one accepts: scheme in lower case,
//! port there or not, query escaped as a browser escapes it (a `'` becomes `%27`). The path is never
//! rewritten: a signature for `/b` does not fit `/a/../b`.

use std::borrow::Cow;

/// The address without its connection overrides, which Twilio neither sends nor signs.
pub(super) fn without_fragment(url: &str) -> &str {
    url.split_once('#').map_or(url, |(url, _)| url)
}

/// Every other spelling, the likeliest first, each once; not the address without fragment itself.
pub(super) fn others(url: &str) -> Vec<String> {
    let usual = without_fragment(url);
    let mut spellings: Vec<String> = Vec::new();
    let mut add = |spelling: String| {
        if spelling != usual && !spellings.contains(&spelling) {
            spellings.push(spelling);
        }
    };
    // An address is configured with its fragment; the official libraries, given that, sign it.
    let with_fragment = Some(url).filter(|url| *url != usual);
    for url in [Some(usual), with_fragment].into_iter().flatten() {
        let tidied = tidied(url);
        let escaped = escaped(&tidied);
        for spelling in [Some(url), Some(&*tidied), escaped.as_deref()]
            .into_iter()
            .flatten()
        {
            add(spelling.to_owned());
            other_port(spelling).into_iter().for_each(&mut add);
        }
    }
    spellings
}

/// The scheme in lower case, and without characters that no client sends in an address.
pub(super) fn tidied(url: &str) -> Cow<'_, str> {
    let is_sent = |c: char| !matches!(c, '\t' | '\n' | '\r');
    let trimmed = url.trim_start_matches(|c| c <= ' ');
    let upper_scheme = Parts::of(trimmed)
        .map(|parts| parts.scheme.len())
        .filter(|length| {
            trimmed[..*length]
                .bytes()
                .any(|byte| byte.is_ascii_uppercase())
        });
    if trimmed.len() == url.len() && url.chars().all(is_sent) && upper_scheme.is_none() {
        return Cow::Borrowed(url);
    }
    let mut tidied: String = trimmed.chars().filter(|c| is_sent(*c)).collect();
    if let Some(length) = Parts::of(&tidied).map(|parts| parts.scheme.len()) {
        tidied[..length].make_ascii_lowercase();
    }
    Cow::Owned(tidied)
}

/// The query escaped by the URL standard; none where that standard would also change what stands before it.
fn escaped(url: &str) -> Option<String> {
    let standard = String::from(url::Url::parse(url).ok()?);
    let head = |url| {
        let parts = Parts::of(url)?;
        let path = parts.rest.split(['?', '#']).next()?;
        Some((parts.scheme, parts.user, parts.host, path))
    };
    (head(url)? == head(&standard)?).then_some(standard)
}

/// Takes the port away where there is one, adds the scheme's own where there is none.
fn other_port(url: &str) -> Option<String> {
    let Parts {
        scheme,
        user,
        host,
        port,
        rest,
    } = Parts::of(url)?;
    let port = match port {
        "" if scheme.eq_ignore_ascii_case("https") => ":443",
        "" => ":80",
        _ => "",
    };
    Some(format!("{scheme}://{user}{host}{port}{rest}"))
}

/// An address, cut but not changed.
struct Parts<'a> {
    scheme: &'a str,
    /// With its `@`, or empty.
    user: &'a str,
    host: &'a str,
    /// With its colon, or empty.
    port: &'a str,
    /// Path, query and fragment.
    rest: &'a str,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
        if !is_scheme {
            return None;
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        let host_from = authority.rfind('@').map_or(0, |at| at + 1);
        let (user, host) = authority.split_at(host_from);
        // The colons of an IPv6 address stand in brackets.
        let ports_from = host.rfind(']').map_or(0, |bracket| bracket + 1);
        let port_from = host[ports_from..]
            .find(':')
            .map_or(host.len(), |colon| ports_from + colon);
        let (host, port) = host.split_at(port_from);
        Some(Self {
            scheme,
            user,
            host,
            port,
            rest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_added_or_taken_away_and_nothing_else_moves() {
        for (url, other) in [
            ("https://h/p?q", "https://h:443/p?q"),
            ("http://h", "http://h:80"),
            ("HTTPS://h?q", "HTTPS://h:443?q"),
            ("https://h:8443/p", "https://h/p"),
            ("https://u:p@h/p", "https://u:p@h:443/p"),
            ("https://u:p@h:1/p@:2", "https://u:p@h/p@:2"),
            ("https://[::1]/p", "https://[::1]:443/p"),
            ("https://[::1]:1/p", "https://[::1]/p"),
            ("https://h:/p", "https://h/p"),
            ("https://h#a:1", "https://h:443#a:1"),
        ] {
            assert_eq!(other_port(url).as_deref(), Some(other));
        }
        for none in ["h/p", "", "h/p?u=http://x", "1http://h"] {
            assert_eq!(other_port(none), None, "{none}");
        }
    }

    #[test]
    fn a_query_is_escaped_and_a_path_or_host_is_not() {
        let escape = |url| escaped(url);
        assert_eq!(
            escape("https://h/p?a='\"é").as_deref(),
            Some("https://h/p?a=%27%22%C3%A9")
        );
        for rewritten in [
            "https://h/a/../p?a='",
            "https://H/p?a='",
            "https://h/é?a='",
            "https://h?a='",
        ] {
            assert_eq!(escape(rewritten), None, "{rewritten}");
        }
    }

    #[test]
    fn the_usual_address_has_one_other_spelling() {
        let port = "https://h.example:443/twilio/a?b=c".to_owned();
        assert_eq!(others("https://h.example/twilio/a?b=c"), [port.clone()]);
        assert_eq!(others("HTTPS://h.example/p")[1], "https://h.example/p");
        let others = others("https://h.example/twilio/a?b=c#rc=1");
        assert_eq!(others[0], port);
        assert!(others.iter().any(|other| other.ends_with("c#rc=1")));
    }
}
