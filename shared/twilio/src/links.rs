//! Where a list's links may lead: the same product, the same list, the same account.
//!
//! A link comes from an answer and goes out with credentials, so it is held to what was asked for. The
//! v2010 API links by relative paths, every other product by absolute addresses.

use crate::client::{Base, Product};

/// Where every path of the v2010 API begins.
const ROOT: &str = "/2010-04-01/";
/// The parameter that names the account where the path does not.
const ACCOUNT_PARAMETER: &str = "AccountSid";

/// What the links of one list are held to.
#[derive(Debug, Clone)]
pub(crate) enum Links {
    /// Relative, below this path.
    Relative { scope: String },
    /// Absolute: one of these addresses, then exactly this path, and nobody else's account in the query.
    Absolute {
        addresses: [String; 2],
        path: String,
        accounts: Vec<String>,
    },
}

impl Links {
    /// The links of a v2010 list: below the account it was asked for, or at least below the API.
    pub(crate) fn relative(target: &str) -> Self {
        Self::Relative {
            scope: scope(target).to_owned(),
        }
    }

    /// The links of another product's list: at Twilio's own address of the product, which is what Twilio
    /// writes, or at the address it was asked at, which is what a stand-in may write.
    pub(crate) fn absolute(base: &Base, product: Product, target: &str) -> Self {
        Self::Absolute {
            addresses: [Base::Twilio.address(product), base.address(product)],
            path: path_of(target).to_owned(),
            accounts: accounts_of(target),
        }
    }

    /// Path and query to ask for next, from the product's root; `None` if the link leads elsewhere.
    pub(crate) fn follow<'a>(&self, link: &'a str) -> Option<&'a str> {
        match self {
            Self::Relative { scope } => is_within(link, scope).then_some(link),
            Self::Absolute {
                addresses,
                path,
                accounts,
            } => {
                let target = addresses
                    .iter()
                    .find_map(|address| link.strip_prefix(address.as_str()))?;
                let is_same = path_of(target) == path
                    && is_within(target, path)
                    && accounts_of(target)
                        .iter()
                        .all(|account| accounts.contains(account));
                is_same.then_some(target)
            }
        }
    }
}

fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or(target)
}

/// The accounts that a query names.
fn accounts_of(target: &str) -> Vec<String> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == ACCOUNT_PARAMETER)
        .map(|(_, value)| value.into_owned())
        .collect()
}

fn scope(target: &str) -> &str {
    let path = path_of(target);
    let account = path
        .strip_prefix(ROOT)
        .and_then(|rest| rest.strip_prefix("Accounts/"));
    match account.and_then(|rest| rest.find('/')) {
        Some(end) => &path[..=ROOT.len() + "Accounts/".len() + end],
        None => ROOT,
    }
}

/// A path that stays below `scope` however a URL parser reads it.
fn is_within(link: &str, scope: &str) -> bool {
    let path = path_of(link);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SCOPE: &str = "/2010-04-01/Accounts/AC1/";
    const LIST: &str = "/v1/Keys?AccountSid=AC1&PageSize=1000";

    fn prefix() -> Base {
        Base::Prefix("http://127.0.0.1:4010".parse().unwrap())
    }

    #[test]
    fn a_list_of_an_account_stays_below_that_account() {
        assert_eq!(
            scope("/2010-04-01/Accounts/AC1/Calls.json?Status=queued"),
            SCOPE
        );
        assert_eq!(scope("/2010-04-01/Accounts.json?PageSize=1000"), ROOT);
        let links = Links::relative("/2010-04-01/Accounts/AC1/Calls.json");
        let next = "/2010-04-01/Accounts/AC1/Calls.json?Page=1&PageToken=PAMM%3D";
        assert_eq!(links.follow(next), Some(next));
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
            assert_eq!(links.follow(link), None, "{link}");
        }
    }

    #[test]
    fn a_products_list_stays_at_its_address_path_and_account() {
        let at_twilio = Links::absolute(&Base::Twilio, Product::Iam, LIST);
        let at_stand_in = Links::absolute(&prefix(), Product::Iam, LIST);
        let next = "/v1/Keys?AccountSid=AC1&PageSize=1000&Page=1&PageToken=PA%2B";
        let twilio = format!("https://iam.twilio.com{next}");
        let stand_in = format!("http://127.0.0.1:4010/iam{next}");
        assert_eq!(at_twilio.follow(&twilio), Some(next));
        assert_eq!(at_twilio.follow(&stand_in), None);
        assert_eq!(at_stand_in.follow(&twilio), Some(next));
        assert_eq!(at_stand_in.follow(&stand_in), Some(next));
        for link in [
            next,
            "http://iam.twilio.com/v1/Keys?Page=1",
            "https://api.twilio.com/v1/Keys?Page=1",
            "https://iam.twilio.com.evil.example/v1/Keys?Page=1",
            "https://iam.twilio.com@evil.example/v1/Keys?Page=1",
            "https://iam.twilio.com:443/v1/Keys?Page=1",
            "https://IAM.twilio.com/v1/Keys?Page=1",
            "https://evil.example/v1/Keys?Page=1",
            "http://127.0.0.1:4010/v1/Keys?Page=1",
            "http://127.0.0.1:4010/accounts/v1/Keys?Page=1",
            "http://127.0.0.1:40100/iam/v1/Keys?Page=1",
            "https://iam.twilio.com/v1/Keys/../Other?Page=1",
            "https://iam.twilio.com/v1/Keys/SK1?Page=1",
            "https://iam.twilio.com/v1/KeysOfOthers?Page=1",
            "https://iam.twilio.com//v1/Keys?Page=1",
            "https://iam.twilio.com/v1/Keys?Page=1#x",
            "https://iam.twilio.com/v1/Keys?Page= 1",
            "https://iam.twilio.com/v1/Keys?AccountSid=AC2&Page=1",
            "https://iam.twilio.com/v1/Keys?Account%53id=AC2&Page=1",
            "https://iam.twilio.com/v1/Keys?AccountSid=AC1&AccountSid=AC2",
            "",
        ] {
            assert_eq!(at_stand_in.follow(link), None, "{link}");
        }
    }

    proptest! {
        #[test]
        fn a_link_that_passes_never_leaves_host_and_account(rest in "[a-zA-Z0-9/.%?&=@:#_\\\\ -]{0,40}") {
            let link = format!("{SCOPE}{rest}");
            if Links::relative(SCOPE).follow(&link).is_some() {
                let url = url::Url::parse(&format!("https://api.twilio.com{link}")).unwrap();
                prop_assert_eq!(url.host_str(), Some("api.twilio.com"));
                prop_assert!(url.path().starts_with(SCOPE));
            }
        }

        #[test]
        fn an_absolute_link_that_passes_never_leaves_host_and_path(rest in "[a-zA-Z0-9/.%?&=@:#_\\\\ -]{0,40}") {
            for start in ["https://iam.twilio.com", "https://iam.twilio.com/v1/Keys"] {
                let link = format!("{start}{rest}");
                if let Some(target) = Links::absolute(&Base::Twilio, Product::Iam, LIST).follow(&link) {
                    let url = url::Url::parse(&format!("https://iam.twilio.com{target}")).unwrap();
                    prop_assert_eq!(url.host_str(), Some("iam.twilio.com"));
                    prop_assert_eq!(url.path(), "/v1/Keys");
                }
            }
        }
    }
}
