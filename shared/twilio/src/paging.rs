//! Lists, page by page, as Twilio links them.
//!
//! A link is followed verbatim (a page number without its token is refused), but only within what was
//! asked for: `links` decides that. Pages end, never come twice, and no row is counted twice.

use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, de::Error as _};

use crate::classify::Unreadable;
use crate::client::{Client, Product};
use crate::error::{AlarmReason, Error};
use crate::hosts::Host;
use crate::links::Links;
use crate::request::Request;
use crate::wire::Text;

/// Rows asked for per page, Twilio's maximum.
const PAGE_SIZE: &str = "1000";
/// Pages of one list, at most: 200,000 rows.
pub const PAGES_MAX: usize = 200;

/// A row of a list, with what makes it one and the same.
pub(crate) trait Row: for<'de> Deserialize<'de> {
    type Identity: Eq + Hash;

    fn identity(&self) -> Self::Identity;
}

/// How a product writes its pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// v2010: `page` and a relative `next_page_uri` beside the rows.
    Beside,
    /// v1 and v2: `page` and an absolute `next_page_url` below `meta`.
    Meta,
}

pub(crate) struct Page<T> {
    rows: Vec<T>,
    number: Option<u64>,
    next: Option<String>,
}

impl Client {
    /// Reads a whole list whose rows stand under `key`.
    pub(crate) async fn list<H: Host, T: Row>(
        &self,
        credentials: &H::Credentials,
        request: Request<H>,
        key: &'static str,
    ) -> Result<Vec<T>, Error> {
        let mut request = request.query("PageSize", PAGE_SIZE);
        let base = &self.settings().base;
        let (style, links) = if H::PRODUCT == Product::Api {
            (Style::Beside, Links::relative(request.target()))
        } else {
            (
                Style::Meta,
                Links::absolute(base, H::PRODUCT, request.target()),
            )
        };
        let mut list = List::new(request.target(), key, style, links);
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
    style: Style,
    links: Links,
    rows: Vec<T>,
    seen: HashSet<T::Identity>,
    visited: HashSet<String>,
    last_number: Option<u64>,
}

impl<T: Row> List<T> {
    fn new(first: &str, key: &'static str, style: Style, links: Links) -> Self {
        Self {
            key,
            style,
            links,
            rows: Vec::new(),
            seen: HashSet::new(),
            visited: HashSet::from([first.to_owned()]),
            last_number: None,
        }
    }

    /// Takes a page in and answers where the next one is. A page that is refused leaves no trace, so that
    /// it can be asked for again.
    fn take(&mut self, body: &[u8]) -> Result<Option<String>, Unreadable> {
        let page: Page<T> = read_page(body, self.key, self.style)?;
        // An older page in place of the one asked for would hide rows.
        if page.number.is_some() && page.number <= self.last_number {
            return Err(Unreadable::Repeated);
        }
        let next = match &page.next {
            None => None,
            Some(link) => Some(self.links.follow(link).ok_or(Unreadable::ForeignLink)?),
        };
        if next.is_some_and(|next| self.visited.contains(next)) {
            return Err(Unreadable::Repeated);
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
        let next = next.map(str::to_owned);
        self.visited.extend(next.clone());
        Ok(next)
    }
}

pub(crate) fn read_page<T: Row>(
    body: &[u8],
    key: &'static str,
    style: Style,
) -> Result<Page<T>, Unreadable> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let page = PageReader {
        key,
        style,
        row: PhantomData,
    }
    .deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(page)
}

/// Where a page stands in its list. Without its link it would not say whether the list ends with it.
#[derive(Deserialize)]
struct Meta {
    #[serde(default)]
    page: Option<u64>,
    #[serde(deserialize_with = "link")]
    next_page_url: Option<String>,
}

/// A link; an empty one is none.
fn link<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let link = Option::<String>::deserialize(deserializer)?;
    Ok(link.filter(|link| !link.is_empty()))
}

/// Reads a page in one pass: the rows' name differs from list to list.
struct PageReader<T> {
    key: &'static str,
    style: Style,
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
            match (&*key.0, self.style) {
                (name, _) if name == self.key => rows = Some(map.next_value()?),
                ("page", Style::Beside) => number = map.next_value()?,
                ("next_page_uri", Style::Beside) => {
                    let link = map.next_value::<Option<String>>()?;
                    next = Some(link.filter(|link| !link.is_empty()));
                }
                ("meta", Style::Meta) => {
                    let meta = map.next_value::<Meta>()?;
                    (number, next) = (meta.page, Some(meta.next_page_url));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let next = next.ok_or_else(|| A::Error::missing_field("the link to the next page"))?;
        let rows = rows.ok_or_else(|| A::Error::missing_field(self.key))?;
        Ok(Page { rows, number, next })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::keys::Key;

    proptest! {
        #[test]
        fn no_body_makes_the_page_reader_panic(body in "\\PC{0,80}", cut in 0_usize..200) {
            let key = r#"{"sid":"SK0123456789abcdef0123456789abcdef","friendly_name":"k"}"#;
            for (style, page) in [
                (Style::Beside, format!(r#"{{"keys":[{key}],"next_page_uri":null}}"#)),
                (Style::Meta, format!(r#"{{"keys":[{key}],"meta":{{"next_page_url":null}}}}"#)),
            ] {
                let page = page.as_bytes();
                read_page::<Key>(body.as_bytes(), "keys", style).ok();
                prop_assert!(read_page::<Key>(&page[..cut.min(page.len() - 1)], "keys", style).is_err());
                prop_assert!(read_page::<Key>(page, "keys", style).is_ok());
            }
        }
    }
}
