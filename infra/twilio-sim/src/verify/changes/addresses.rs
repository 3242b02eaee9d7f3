//! What proxies, gateways and frameworks do to an address, each undone.

use super::{Changed, Tries, decoded};
use crate::verify::vector::Request;

/// Ports that people listen on behind a proxy, or configure.
const PORTS: [&str; 8] = [
    ":80", ":443", ":3000", ":5000", ":8000", ":8080", ":8443", ":9000",
];
/// Stages that API Gateway puts before a path.
const STAGES: [&str; 4] = ["/prod", "/default", "/dev", "/staging"];

/// Scheme, host and port.
pub(super) fn origins(request: &Request) -> Vec<Changed> {
    let mut tries = Tries::of(request);
    let Some((scheme, rest)) = request.url.split_once("://") else {
        for scheme in ["https", "http"] {
            tries.url(
                format!("{scheme}:// before the address"),
                format!("{scheme}://{}", request.url),
            );
        }
        return tries.changed;
    };
    for other in ["https", "http"] {
        tries.url(
            format!("scheme {other}, which a proxy in between may have changed"),
            format!("{other}://{rest}"),
        );
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let host_from = authority.rfind('@').map_or(0, |at| at + 1);
    tries.url(
        "the host in lower case",
        format!("{scheme}://{}{tail}", authority.to_ascii_lowercase()),
    );
    if host_from > 0 {
        let host = &authority[host_from..];
        tries.url(
            "no user name in the address",
            format!("{scheme}://{host}{tail}"),
        );
    }
    let after_bracket = authority
        .rfind(']')
        .map_or(host_from, |bracket| bracket + 1);
    let bare = authority[after_bracket..]
        .find(':')
        .map_or(authority, |colon| &authority[..after_bracket + colon]);
    for port in PORTS {
        tries.url(
            format!("port {} in the address", &port[1..]),
            format!("{scheme}://{bare}{port}{tail}"),
        );
    }
    tries.changed
}

/// The path and the whole address.
pub(super) fn paths(request: &Request) -> Vec<Changed> {
    let mut tries = Tries::of(request);
    let url = &request.url;
    tries.url(
        "& for &amp; in the address, which was escaped as HTML",
        url.replace("&amp;", "&"),
    );
    tries.url("no blanks around the address", url.trim().to_owned());
    let authority_from = url.find("://").map_or(0, |at| at + 3);
    let path_from = url[authority_from..]
        .find(['/', '?', '#'])
        .map_or(url.len(), |at| authority_from + at);
    let (origin, rest) = url.split_at(path_from);
    let path_to = rest.find(['?', '#']).unwrap_or(rest.len());
    let (path, tail) = rest.split_at(path_to);
    if let Some(shorter) = path.strip_suffix('/') {
        tries.url(
            "no slash at the end of the path",
            format!("{origin}{shorter}{tail}"),
        );
    } else {
        tries.url(
            "a slash at the end of the path",
            format!("{origin}{path}/{tail}"),
        );
    }
    tries.url(
        "single slashes in the path",
        format!("{origin}{}{tail}", path.replace("//", "/")),
    );
    tries.url(
        "the path in lower case",
        format!("{origin}{}{tail}", path.to_lowercase()),
    );
    tries.url(
        "the path decoded",
        format!("{origin}{}{tail}", decoded(path)),
    );
    for stage in STAGES {
        tries.url(
            format!("stage {stage} before the path"),
            format!("{origin}{stage}{path}{tail}"),
        );
    }
    if let Some(second) = path.strip_prefix('/').and_then(|path| path.find('/')) {
        let (first, path) = path.split_at(second + 1);
        tries.url(
            format!("no {first} before the path"),
            format!("{origin}{path}{tail}"),
        );
    }
    tries.changed
}

pub(super) fn queries(request: &Request) -> Vec<Changed> {
    let mut tries = Tries::of(request);
    let url = request.url.split('#').next().unwrap_or_default();
    let Some((before, query)) = url.split_once('?') else {
        if !request.params.is_empty() {
            let query = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(&request.params)
                .finish();
            tries.add(
                "the fields as the query, where a GET request has them",
                |changed| {
                    changed.url = format!("{url}?{query}");
                    changed.params.clear();
                },
            );
        }
        return tries.changed;
    };
    let with = |query: &str| format!("{before}?{query}");
    tries.url("no query", before.to_owned());
    tries.url("%20 for + in the query", with(&query.replace('+', "%20")));
    tries.url("+ for %20 in the query", with(&query.replace("%20", "+")));
    tries.url(
        "quotes in the query not escaped",
        with(&query.replace("%27", "'")),
    );
    tries.url("the query decoded", with(&decoded(query)));
    tries.url("%2B for + in the query", with(&query.replace('+', "%2B")));
    let mut sorted: Vec<&str> = query.split('&').collect();
    sorted.sort_unstable();
    tries.url("the query sorted", with(&sorted.join("&")));
    tries.add("the query's parameters not among the fields", |changed| {
        let of_query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect();
        changed.params.retain(|pair| !of_query.contains(pair));
    });
    tries.changed
}
