//! Pages as Twilio gives them: relative links, a token that says where the next one begins, and a refusal
//! of page numbers without it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::json::Obj;
use crate::sid::Sid;
use crate::world::World;

use super::answer::{Answer, Refusal};
use super::ask::{Ask, PageFault, Product};

/// Twilio's bounds of PageSize, and its default.
const PAGE_SIZE_MAX: usize = 1000;
const PAGE_SIZE_DEFAULT: usize = 50;

/// Which page is asked for.
pub(crate) struct Page {
    size: usize,
    number: usize,
    token: Option<String>,
}

impl Page {
    /// How many rows are asked for.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    pub(crate) fn read(ask: &Ask) -> Result<Self, Refusal> {
        let number = |name: &str, default: usize| match ask.query(name) {
            None => Ok(default),
            Some(text) => text
                .parse::<usize>()
                .map_err(|_| Refusal::bad(20_001, &format!("Invalid {name}"))),
        };
        let size = number("PageSize", PAGE_SIZE_DEFAULT)?;
        if size == 0 {
            return Err(Refusal::bad(20_001, "Invalid PageSize"));
        }
        // Official libraries ask for as many rows as they were limited to, whatever the bound, and Twilio
        // then gives pages of its own size: github.com/twilio/twilio-ruby/issues/494.
        let size = size.min(PAGE_SIZE_MAX);
        let (number, token) = (
            number("Page", 0)?,
            ask.query("PageToken").map(str::to_owned),
        );
        if number > 0 && token.is_none() {
            return Err(Refusal::bad(
                70_002,
                "Paged requests must include a PageToken",
            ));
        }
        Ok(Self {
            size,
            number,
            token: token.filter(|_| number > 0),
        })
    }
}

/// Where a page lies in the whole list.
struct Place {
    from: usize,
    to: usize,
    next: Option<String>,
    previous: Option<String>,
}

/// Answers with a page of things that have SIDs: `items` are their indices, newest first.
pub(crate) fn by_sid(
    world: &World,
    ask: &Ask,
    key: &str,
    items: &[usize],
    sid: impl Fn(usize) -> Sid,
    write: impl Fn(&mut Vec<u8>, usize),
) -> Result<Answer, Refusal> {
    let page = Page::read(ask)?;
    let from = match &page.token {
        None => 0,
        Some(token) => {
            let last = last_seen(world, token);
            let (last, _) = last.ok_or_else(|| Refusal::bad(21_481, "Invalid PageToken"))?;
            // The token names the last item seen, so that new ones at the front shift nothing.
            items.partition_point(|item| *item >= last)
        }
    };
    let to = (from + page.size).min(items.len());
    let token_before = |at: usize| {
        items
            .get(at.checked_sub(1)?)
            .map(|item| format!("PA{}", sid(*item)))
    };
    let place = Place {
        from,
        to,
        next: (to < items.len()).then(|| token_before(to)).flatten(),
        previous: from.checked_sub(page.size).and_then(token_before),
    };
    Ok(frame(ask, &page, key, &place, |out, from, to| {
        write_all(out, &items[from..to], write);
    }))
}

/// Answers with a page of what there are many of: things below `count` that fit, newest first, without a
/// list of all of them.
pub(crate) fn by_index(
    world: &World,
    ask: &Ask,
    key: &str,
    count: usize,
    fits: impl Fn(&usize) -> bool,
    sid: impl Fn(usize) -> Sid,
    write: impl Fn(&mut Vec<u8>, usize),
) -> Result<Answer, Refusal> {
    let page = Page::read(ask)?;
    let seen = match &page.token {
        None => count,
        Some(token) => last_seen(world, token)
            .filter(|(index, text)| *index < count && sid(*index).as_str() == *text)
            .map(|(index, _)| index)
            .ok_or_else(|| Refusal::bad(21_481, "Invalid PageToken"))?,
    };
    // The page before this one, upwards, and the item before that, which its token names.
    let mut items: Vec<usize> = (seen..count).filter(&fits).take(page.size + 1).collect();
    let token = |item: usize| format!("PA{}", sid(item));
    let previous = items.get(page.size).map(|item| token(*item));
    items.truncate(page.size);
    items.reverse();
    let from = items.len();
    items.extend((0..seen).rev().filter(&fits).take(page.size + 1));
    let more = items.len() > from + page.size;
    items.truncate(from + page.size);
    let place = Place {
        from,
        to: items.len(),
        next: items.last().filter(|_| more).map(|last| token(*last)),
        previous,
    };
    Ok(frame(ask, &page, key, &place, |out, from, to| {
        write_all(out, &items[from..to], write);
    }))
}

/// The thing that a token names, and its SID.
fn last_seen<'t>(world: &World, token: &'t str) -> Option<(usize, &'t str)> {
    let text = token.strip_prefix("PA")?;
    Some((world.find(text.get(..2)?, text)?, text))
}

/// How rows that are only numbered are named, so that new ones shift nothing.
pub(crate) struct Places<'a> {
    /// A row's name.
    pub(crate) of: &'a dyn Fn(usize) -> Option<String>,
    /// The row that follows the one with this name, which may be gone.
    pub(crate) after: &'a dyn Fn(&str) -> Option<usize>,
}

/// Answers with a page of rows whose token names the last row seen.
pub(crate) fn by_place(
    ask: &Ask,
    key: &str,
    rows: usize,
    places: &Places<'_>,
    write: impl Fn(&mut Vec<u8>, usize, usize),
) -> Result<Answer, Refusal> {
    let page = Page::read(ask)?;
    let from = match &page.token {
        None => 0,
        Some(token) => offset(token)
            .or_else(|| (places.after)(&decoded(token)?))
            .ok_or_else(|| Refusal::bad(21_481, "Invalid PageToken"))?
            .min(rows),
    };
    let to = (from + page.size).min(rows);
    let token_before = |at: usize| {
        let place = (places.of)(at.checked_sub(1)?)?;
        Some(format!("AP{}", STANDARD.encode(place)))
    };
    let place = Place {
        from,
        to,
        next: (to < rows).then(|| token_before(to)).flatten(),
        previous: from.checked_sub(page.size).and_then(token_before),
    };
    Ok(frame(ask, &page, key, &place, write))
}

/// Answers with a page of rows that are only numbered.
pub(crate) fn by_offset(
    ask: &Ask,
    key: &str,
    rows: usize,
    write: impl Fn(&mut Vec<u8>, usize, usize),
) -> Result<Answer, Refusal> {
    let page = Page::read(ask)?;
    let from = match &page.token {
        None => 0,
        Some(token) => offset(token)
            .ok_or_else(|| Refusal::bad(21_481, "Invalid PageToken"))?
            .min(rows),
    };
    let to = (from + page.size).min(rows);
    let token = |at: usize| format!("AP{}", STANDARD.encode(at.to_string()));
    let place = Place {
        from,
        to,
        next: (to < rows).then(|| token(to)),
        previous: from.checked_sub(page.size).map(token),
    };
    Ok(frame(ask, &page, key, &place, write))
}

fn offset(token: &str) -> Option<usize> {
    decoded(token)?.parse().ok()
}

fn decoded(token: &str) -> Option<String> {
    let decoded = STANDARD.decode(token.strip_prefix("AP")?).ok()?;
    String::from_utf8(decoded).ok()
}

fn write_all(out: &mut Vec<u8>, items: &[usize], write: impl Fn(&mut Vec<u8>, usize)) {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, *item);
    }
    out.push(b']');
}

fn frame(
    ask: &Ask,
    page: &Page,
    key: &str,
    place: &Place,
    items: impl FnOnce(&mut Vec<u8>, usize, usize),
) -> Answer {
    let base = base_uri(ask, page.size);
    let uri = |number: usize, token: Option<&str>| {
        let mut uri = format!("{base}&Page={number}");
        if let Some(token) = token {
            uri.push_str("&PageToken=");
            uri.extend(form_urlencoded::byte_serialize(token.as_bytes()));
        }
        uri
    };
    let own = uri(page.number, page.token.as_deref());
    let (mut from, mut to) = (place.from, place.to);
    let mut next = place
        .next
        .as_deref()
        .map(|token| uri(page.number + 1, Some(token)));
    match &ask.page_fault {
        Some(PageFault::Repeat) if page.number > 0 => {
            let length = page.size.min(from);
            (from, to) = (from - length, from);
        }
        Some(PageFault::Next(other)) => {
            next = Some(if other == "self" {
                own.clone()
            } else {
                other.clone()
            });
        }
        _ => {}
    }
    let previous = page
        .number
        .checked_sub(1)
        .map(|before| uri(before, place.previous.as_deref().filter(|_| before > 0)));
    let start = page.number * page.size;
    if ask.product != Product::Api {
        let links = Links {
            first: uri(0, None),
            previous,
            own,
            next,
        };
        return with_meta(page, key, &links, |out| items(out, from, to));
    }
    Answer::object(200, |out| {
        let mut object = Obj::open(out);
        object
            .raw("end", &(start + (to - from).saturating_sub(1)).to_string())
            .str("first_page_uri", &uri(0, None))
            .opt("next_page_uri", next.as_deref())
            .raw("page", &page.number.to_string())
            .raw("page_size", &page.size.to_string())
            .opt("previous_page_uri", previous.as_deref())
            .raw("start", &start.to_string())
            .str("uri", &own);
        items(object.name(key), from, to);
        object.close();
    })
}

/// A page's links.
struct Links {
    first: String,
    previous: Option<String>,
    own: String,
    next: Option<String>,
}

/// A page of any other product: its items, then `meta` with absolute links.
fn with_meta(page: &Page, key: &str, links: &Links, items: impl FnOnce(&mut Vec<u8>)) -> Answer {
    Answer::object(200, |out| {
        let mut object = Obj::open(out);
        items(object.name(key));
        let mut meta = Obj::open(object.name("meta"));
        meta.raw("page", &page.number.to_string())
            .raw("page_size", &page.size.to_string())
            .str("first_page_url", &links.first)
            .opt("previous_page_url", links.previous.as_deref())
            .str("url", &links.own)
            .opt("next_page_url", links.next.as_deref())
            .str("key", key);
        meta.close();
        object.close();
    })
}

/// The path with its filters and PageSize; beyond the v2010 API with Twilio's host before it.
fn base_uri(ask: &Ask, size: usize) -> String {
    let mut filters = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &ask.query {
        if !matches!(name.as_str(), "Page" | "PageToken" | "PageSize") {
            filters.append_pair(name, value);
        }
    }
    filters.append_pair("PageSize", &size.to_string());
    let host = match ask.product {
        Product::Api => String::new(),
        product => format!("https://{}.twilio.com", product.as_str()),
    };
    format!("{host}{}?{}", ask.path, filters.finish())
}
