//! The spellings of an address that Twilio may have signed, besides the one at hand.
//!
//! They lie between what both official libraries accept and what at least one accepts: port there or not,
//! scheme in lower case, query escaped as a browser does it (a `'` becomes `%27`), and quotes that somebody
//! escaped on the way not escaped. The path is never rewritten: a signature for `/b` does not fit `/a/../b`.

use std::borrow::Cow;
use std::collections::HashMap;

/// twilio-node reads no more parameters of a query than these.
const PARAMETERS_MAX: usize = 1000;

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
        let escaped = escaped(url);
        let quoted = escaped.as_deref().and_then(with_quotes);
        for spelling in [Some(url), escaped.as_deref(), quoted.as_deref()]
            .into_iter()
            .flatten()
        {
            add(spelling.to_owned());
            other_port(spelling).into_iter().for_each(&mut add);
        }
    }
    spellings
}

/// An ordinary address with its port and without; nothing for one that twilio-python would rewrite, since
/// fields in its order were then signed for another address.
pub(super) fn plain(url: &str) -> Vec<String> {
    let is_plain = |parts: &Parts<'_>| {
        let path = parts.rest.split('?').next().unwrap_or_default();
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        let port = parts.port.strip_prefix(':');
        !parts.scheme.bytes().any(|byte| byte.is_ascii_uppercase())
            && parts.user.is_empty()
            && parts.host.bytes().all(is_host)
            && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
            && !path.ends_with(';')
            && !parts.rest.ends_with('?')
            && !parts.rest.contains(['\t', '\n', '\r'])
    };
    if Parts::of(url).is_some_and(|parts| is_plain(&parts)) {
        let other = other_port(url);
        [Some(url.to_owned()), other]
            .into_iter()
            .flatten()
            .collect()
    } else {
        Vec::new()
    }
}

/// The address by the URL standard, if that leaves alone what stands before the query, the case of the
/// scheme and characters that no client sends excepted.
fn escaped(url: &str) -> Option<String> {
    let standard = String::from(url::Url::parse(url).ok()?);
    let head = |url| {
        let (scheme, user, host, rest) = match Parts::of(url) {
            Some(parts) => (parts.scheme, parts.user, parts.host, parts.rest),
            None => url
                .split_once(':')
                .map(|(scheme, rest)| (scheme, "", "", rest))?,
        };
        let path = rest.split(['?', '#']).next()?;
        Some((scheme.to_ascii_lowercase(), user, host, path))
    };
    (head(&sent(url))? == head(&standard)?).then_some(standard)
}

/// Without the characters that every client takes out of an address before it is used.
fn sent(url: &str) -> Cow<'_, str> {
    let is_blank = |c: char| c <= ' ';
    let is_break = |c: char| matches!(c, '\t' | '\n' | '\r');
    let trimmed = url.trim_matches(is_blank);
    if trimmed.contains(is_break) {
        Cow::Owned(trimmed.replace(is_break, ""))
    } else {
        Cow::Borrowed(trimmed)
    }
}

/// An escaped address with the quotes of its query as they are; none where that is not what the query would
/// become by being read and written again, which is how twilio-node comes by it.
fn with_quotes(escaped: &str) -> Option<String> {
    let (before, query) = escaped.split_once('?')?;
    let quoted = query.replace("%27", "'");
    (quoted != query && rewritten(query)? == quoted).then(|| format!("{before}?{quoted}"))
}

/// A query read and written again as `querystring` of Node.js does it: values of one name together, names
/// that are numbers first.
fn rewritten(query: &str) -> Option<String> {
    let mut places: HashMap<Cow<'_, str>, usize> = HashMap::new();
    let mut names: Vec<(Cow<'_, str>, Vec<Cow<'_, str>>)> = Vec::new();
    for (count, (name, value)) in form_urlencoded::parse(query.as_bytes()).enumerate() {
        if count == PARAMETERS_MAX {
            return None;
        }
        let place = *places.entry(name.clone()).or_insert(names.len());
        if place == names.len() {
            names.push((name, Vec::new()));
        }
        names[place].1.push(value);
    }
    let index = |name: &str| name.parse::<u32>().ok().filter(|at| at.to_string() == name);
    names.sort_by_key(|(name, _)| index(name).map_or(u64::MAX, u64::from));
    let pairs = names.iter().flat_map(|(name, values)| {
        let name = component(name);
        values
            .iter()
            .map(move |value| format!("{name}={}", component(value)))
    });
    Some(pairs.collect::<Vec<_>>().join("&"))
}

/// As `encodeURIComponent` escapes it.
fn component(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let digits = format!("%{byte:02X}");
            escaped.push_str(&digits);
        }
    }
    escaped
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
        let address_to = host.rfind(']').map_or(0, |bracket| bracket + 1);
        let port_from = host[address_to..]
            .find(':')
            .map_or(host.len(), |colon| address_to + colon);
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
        for (url, other) in [
            ("https://h/p?a='\"é", "https://h/p?a=%27%22%C3%A9"),
            ("HTTPS://h/p", "https://h/p"),
            ("\thttps://h/p\n?a ", "https://h/p?a"),
            ("https://h:443/p?'", "https://h/p?%27"),
            ("H.example:3000/p", "h.example:3000/p"),
        ] {
            assert_eq!(escaped(url).as_deref(), Some(other));
        }
        for rewritten in [
            "https://h/a/../p?a='",
            "https://H/p?a='",
            "https://h/é?a='",
            "https://h?a='",
            "h/p?a='",
            "https://h:x/p?a='",
        ] {
            assert_eq!(escaped(rewritten), None, "{rewritten}");
        }
    }

    #[test]
    fn quotes_are_put_back_where_nothing_else_would_change() {
        for (escaped, quoted) in [
            ("https://h/p?a=%27", "https://h/p?a='"),
            ("https://h/p?a=%27%2F&a=%27&b=", "https://h/p?a='%2F&a='&b="),
            ("https://h/p?9=%27&10=&a=", "https://h/p?9='&10=&a="),
        ] {
            assert_eq!(with_quotes(escaped).as_deref(), Some(quoted));
        }
        for other in [
            "https://h/p?a=1",
            "https://h/%27",
            "https://h/p?a=%27+b",
            "https://h/p?a=%27&b",
            "https://h/p?a=%27&b=1&a=2",
            "https://h/p?10=%27&9=",
            "https://h/p?a=%27#b",
            "https://h/p?a=%27%2f",
            "https://h/p?a=%27&&b=",
        ] {
            assert_eq!(with_quotes(other), None, "{other}");
        }
        let long = "a=%27&".repeat(PARAMETERS_MAX + 1);
        assert_eq!(with_quotes(&format!("https://h/p?{long}")), None);
    }

    #[test]
    fn the_usual_address_has_one_other_spelling() {
        let port = "https://h.example:443/twilio/a?b=c".to_owned();
        let usual = others("https://h.example/twilio/a?b=c");
        assert_eq!(usual, std::slice::from_ref(&port));
        let odd = others("HTTPS://h/p?a='");
        assert!(
            odd.contains(&"https://h/p?a='".to_owned())
                && odd.contains(&"https://h:443/p?a=%27".to_owned())
        );
        let others = others("https://h.example/twilio/a?b=c#rc=1");
        assert_eq!(others[0], port);
        assert!(others.iter().any(|other| other.ends_with("c#rc=1")));
    }

    #[test]
    fn a_plain_address_has_a_port_or_not() {
        assert_eq!(
            plain("https://h.example/p?a=1"),
            ["https://h.example/p?a=1", "https://h.example:443/p?a=1"]
        );
        for odd in [
            "HTTPS://h/p",
            "https://u@h/p",
            "https://[::1]/p",
            "https://h:/p",
            "https://h:0/p",
            "https://h/p;",
            "https://h/p?",
            "https://h/\tp",
            "https://é/p",
            "h/p",
        ] {
            assert!(plain(odd).is_empty(), "{odd}");
        }
    }
}
