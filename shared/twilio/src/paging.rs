//! Lists, page by page, as Twilio links them.
//!
//! A link is followed verbatim (a page number without its token is refused), but only within what was
//! asked for: a relative path on the same host, below the same account. Pages end, never come twice, and
//! no row is counted twice.

use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, de::Error as _};

use crate::classify::Unreadable;
use crate::client::Client;
use crate::credentials::Credentials;
use crate::error::{AlarmReason, Error};
use crate::request::Request;
use crate::wire::Text;

/// Rows asked for per page, Twilio's maximum.
const PAGE_SIZE: &str = "1000";
/// Pages of one list, at most: 200,000 rows.
pub const PAGES_MAX: usize = 200;
/// Where every path of the v2010 API begins.
const ROOT: &str = "/2010-04-01/";

/// A row of a list, with what makes it one and the same.
pub(crate) trait Row: for<'de> Deserialize<'de> {
    type Identity: Eq + Hash;

    fn identity(&self) -> Self::Identity;
}

struct Page<T> {
    rows: Vec<T>,
    number: Option<u64>,
    next: Option<String>,
}

impl Client {
    /// Reads a whole list whose rows stand under `key`.
    pub(crate) async fn list<T: Row>(
        &self,
        credentials: &Credentials,
        request: Request,
        key: &'static str,
    ) -> Result<Vec<T>, Error> {
        let mut request = request.query("PageSize", PAGE_SIZE);
        let mut list = List::new(request.target(), key);
        for _ in 0..PAGES_MAX {
            match self
                .send(credentials, &request, |body| list.take(body))
                .await?
            {
                Some(next) => request = request.at(&next),
                None => return Ok(list.rows),
            }
        }
        Err(Error::alarm(AlarmReason::ContractBroken).caused_by("a list without an end"))
    }
}

/// What was read of a list so far.
struct List<T: Row> {
    key: &'static str,
    scope: String,
    rows: Vec<T>,
    seen: HashSet<T::Identity>,
    visited: HashSet<String>,
    last_number: Option<u64>,
}

impl<T: Row> List<T> {
    fn new(first: &str, key: &'static str) -> Self {
        Self {
            key,
            scope: scope(first).to_owned(),
            rows: Vec::new(),
            seen: HashSet::new(),
            visited: HashSet::from([first.to_owned()]),
            last_number: None,
        }
    }

    /// Takes a page in and answers the link to the next. A page that is refused leaves no trace, so that
    /// it can be asked for again.
    fn take(&mut self, body: &[u8]) -> Result<Option<String>, Unreadable> {
        let page: Page<T> = read_page(body, self.key)?;
        // An older page in place of the one asked for would hide rows.
        if page.number.is_some() && page.number <= self.last_number {
            return Err(Unreadable::Repeated);
        }
        if let Some(next) = &page.next {
            if !is_within(next, &self.scope) {
                return Err(Unreadable::ForeignLink);
            }
            if self.visited.contains(next) {
                return Err(Unreadable::Repeated);
            }
        }
        let all_known = !page.rows.is_empty()
            && page
                .rows
                .iter()
                .all(|row| self.seen.contains(&row.identity()));
        if all_known {
            return Err(Unreadable::Repeated);
        }
        for row in page.rows {
            // Rows move to later pages while a list is being read.
            if self.seen.insert(row.identity()) {
                self.rows.push(row);
            }
        }
        self.last_number = page.number.or(self.last_number);
        self.visited.extend(page.next.clone());
        Ok(page.next)
    }
}

/// What a list's links have to begin with: the account it was asked for, or at least the API.
fn scope(target: &str) -> &str {
    let path = target.split('?').next().unwrap_or(target);
    let account = path
        .strip_prefix(ROOT)
        .and_then(|rest| rest.strip_prefix("Accounts/"));
    match account.and_then(|rest| rest.find('/')) {
        Some(end) => &path[..=ROOT.len() + "Accounts/".len() + end],
        None => ROOT,
    }
}

/// A relative link that stays below `scope` however a URL parser reads it.
fn is_within(link: &str, scope: &str) -> bool {
    let path = link.split('?').next().unwrap_or(link);
    let plain = path
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte));
    let climbs = path
        .split('/')
        .any(|segment| segment == "." || segment == "..");
    let clean = link
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'#' && byte != b'\\');
    path.starts_with(scope) && plain && !climbs && clean && !path.contains("//")
}

fn read_page<T: Row>(body: &[u8], key: &'static str) -> Result<Page<T>, Unreadable> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let page = PageReader {
        key,
        row: PhantomData,
    }
    .deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(page)
}

/// Reads a page in one pass: the rows' name differs from list to list.
struct PageReader<T> {
    key: &'static str,
    row: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for PageReader<T> {
    type Value = Page<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Page<T>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for PageReader<T> {
    type Value = Page<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a page of {}", self.key)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Page<T>, A::Error> {
        let (mut rows, mut number, mut next) = (None, None, None);
        while let Some(key) = map.next_key::<Text<'de>>()? {
            match &*key.0 {
                name if name == self.key => rows = Some(map.next_value()?),
                "page" => number = map.next_value()?,
                "next_page_uri" => {
                    let link = map.next_value::<Option<String>>()?;
                    next = Some(link.filter(|link| !link.is_empty()));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        // Without its link a page does not say whether the list ends with it.
        let next = next.ok_or_else(|| A::Error::missing_field("next_page_uri"))?;
        let rows = rows.ok_or_else(|| A::Error::missing_field(self.key))?;
        Ok(Page { rows, number, next })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keys::Key;

    const SCOPE: &str = "/2010-04-01/Accounts/AC1/";

    #[test]
    fn a_list_of_an_account_stays_below_that_account() {
        assert_eq!(
            scope("/2010-04-01/Accounts/AC1/Calls.json?Status=queued"),
            SCOPE
        );
        assert_eq!(scope("/2010-04-01/Accounts.json?PageSize=1000"), ROOT);
        assert!(is_within(
            "/2010-04-01/Accounts/AC1/Calls.json?Page=1&PageToken=PAMM%3D",
            SCOPE
        ));
        for link in [
            "https://api.twilio.com/2010-04-01/Accounts/AC1/Calls.json",
            "//evil.example/2010-04-01/Accounts/AC1/Calls.json",
            "/2010-04-01/Accounts/AC2/Calls.json",
            "/2010-04-01/Accounts/AC1/../AC2/Calls.json",
            "/2010-04-01/Accounts/AC1/%2e%2e/AC2/Calls.json",
            "/2010-04-01/Accounts/AC1/..\\AC2",
            "/2010-04-01/Accounts/AC1/Calls.json#x",
            "/2010-04-01/Accounts/AC1/Calls .json",
            "@evil.example/2010-04-01/Accounts/AC1/",
            "/v1/Keys",
            "",
        ] {
            assert!(!is_within(link, SCOPE), "{link}");
        }
    }

    proptest! {
        #[test]
        fn a_link_that_passes_never_leaves_host_and_account(rest in "[a-zA-Z0-9/.%?&=@:#_\\\\ -]{0,40}") {
            let link = format!("{SCOPE}{rest}");
            if is_within(&link, SCOPE) {
                let url = url::Url::parse(&format!("https://api.twilio.com{link}")).unwrap();
                prop_assert_eq!(url.host_str(), Some("api.twilio.com"));
                prop_assert!(url.path().starts_with(SCOPE));
            }
        }

        #[test]
        fn no_body_makes_the_page_reader_panic(body in "\\PC{0,80}", cut in 0_usize..120) {
            read_page::<Key>(body.as_bytes(), "keys").ok();
            let page = br#"{"keys":[{"sid":"SK0123456789abcdef0123456789abcdef","friendly_name":"k"}],"next_page_uri":null}"#;
            prop_assert!(read_page::<Key>(&page[..cut.min(page.len() - 1)], "keys").is_err());
            prop_assert!(read_page::<Key>(page, "keys").is_ok());
        }
    }
}
