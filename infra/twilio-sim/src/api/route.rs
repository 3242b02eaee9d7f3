//! Operations and how a request finds its own: each resource lists what it answers, and a path is matched
//! against those lists.
//!
//! An operation also says what a restricted key needs to be allowed, and whether it manages accounts or
//! keys, which standard keys may not.

use crate::world::World;

use super::answer::{Answer, Refusal};
use super::ask::{Ask, Product};
use super::auth::Credential;

/// What answers an operation.
pub(crate) type Handler = fn(&mut World, &Ask, &Target<'_>) -> Result<Answer, Refusal>;

/// Whom and what a request is about.
pub(crate) struct Target<'a> {
    pub(crate) who: &'a Credential,
    /// The account of the path; where the path names none, the one that authenticated.
    pub(crate) account: usize,
    /// The path's identifiers, the account's left out.
    pub(crate) ids: Vec<&'a str>,
}

impl Target<'_> {
    /// The path's `place`th identifier.
    pub(crate) fn id(&self, place: usize) -> &str {
        self.ids.get(place).copied().unwrap_or_default()
    }
}

/// One thing that can be asked for.
pub(crate) struct Operation {
    pub(crate) method: &'static str,
    pub(crate) product: Product,
    /// Below the v2010 API's version, or from a product's root; names stand in braces.
    pub(crate) path: &'static str,
    /// What a restricted key must be allowed.
    pub(crate) permission: &'static str,
    /// Whether it is about accounts or keys.
    pub(crate) manages: bool,
    pub(crate) handler: Handler,
}

/// A GET on the v2010 API.
pub(super) const fn get(
    path: &'static str,
    permission: &'static str,
    handler: Handler,
) -> Operation {
    Operation::new("GET", path, permission, handler)
}

/// A POST on the v2010 API.
pub(super) const fn post(
    path: &'static str,
    permission: &'static str,
    handler: Handler,
) -> Operation {
    Operation::new("POST", path, permission, handler)
}

/// A DELETE on the v2010 API.
pub(super) const fn delete(
    path: &'static str,
    permission: &'static str,
    handler: Handler,
) -> Operation {
    Operation::new("DELETE", path, permission, handler)
}

impl Operation {
    const fn new(
        method: &'static str,
        path: &'static str,
        permission: &'static str,
        handler: Handler,
    ) -> Self {
        Self {
            method,
            product: Product::Api,
            path,
            permission,
            manages: false,
            handler,
        }
    }

    /// The same on another product.
    pub(super) const fn of(mut self, product: Product) -> Self {
        self.product = product;
        self
    }

    /// The same, out of reach of standard keys.
    pub(super) const fn managing(mut self) -> Self {
        self.manages = true;
        self
    }
}

/// What a path names. The template is what counters count by.
pub(crate) struct Route {
    /// What answers; none where the path exists and the method does not.
    pub(crate) operation: Option<&'static Operation>,
    /// Whether any operation has this path.
    pub(crate) known: bool,
    pub(crate) template: &'static str,
    /// The account that the path names.
    pub(crate) account: Option<String>,
    /// The places of the path's identifiers.
    ids: Vec<usize>,
}

/// Where the v2010 API keeps everything of an account.
const OF_ACCOUNT: &str = "/Accounts/{AccountSid}";
/// The place of the account in such a path.
const ACCOUNT_PLACE: usize = 1;

impl Route {
    /// Finds the operation of a request: among those of its path the one of its method, and of several
    /// the one with the fewest identifiers (`/IncomingPhoneNumbers/Local` is no number).
    pub(crate) fn of(ask: &Ask, families: &[&'static [Operation]]) -> Self {
        let best = families
            .iter()
            .copied()
            .flatten()
            .filter(|operation| operation.product == ask.product)
            .filter_map(|operation| Some((operation, operation.matched(&ask.segments)?)))
            .min_by_key(|(operation, ids)| (operation.method != ask.method, ids.len()));
        let Some((operation, mut ids)) = best else {
            return Self {
                operation: None,
                known: false,
                template: "unknown",
                account: None,
                ids: Vec::new(),
            };
        };
        let of_account = ask.product == Product::Api && ids.contains(&ACCOUNT_PLACE);
        ids.retain(|place| !of_account || *place != ACCOUNT_PLACE);
        Self {
            operation: (operation.method == ask.method).then_some(operation),
            known: true,
            template: operation.template(),
            account: of_account.then(|| ask.segments[ACCOUNT_PLACE].clone()),
            ids,
        }
    }

    /// The path's identifiers, without the account's.
    pub(crate) fn ids<'a>(&self, ask: &'a Ask) -> Vec<&'a str> {
        self.ids
            .iter()
            .filter_map(|place| ask.segments.get(*place).map(String::as_str))
            .collect()
    }
}

impl Operation {
    /// The places of a path's identifiers, if the path is this operation's.
    fn matched(&self, segments: &[String]) -> Option<Vec<usize>> {
        let mut pattern = self.path.split('/').skip(1);
        let mut ids = Vec::new();
        for (place, segment) in segments.iter().enumerate() {
            let wanted = pattern.next()?;
            if wanted.starts_with('{') {
                ids.push(place);
            } else if wanted != segment {
                return None;
            }
        }
        pattern.next().is_none().then_some(ids)
    }

    fn template(&self) -> &'static str {
        match self.path.strip_prefix(OF_ACCOUNT) {
            Some(below) if !below.is_empty() => below,
            _ => self.path,
        }
    }
}
