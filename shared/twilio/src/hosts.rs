//! Twilio's products, and whose credentials a request to each of them takes.
//!
//! This is the one place that decides it: a request is made by its product, and can then be sent only with
//! that product's credentials.

use crate::client::Product;
use crate::credentials::{Authenticate, Credentials, MainCredentials, SubaccountCredentials};
use crate::request::{Effect, Request};

/// A product, as one kind of credentials may ask it.
pub(crate) trait Host: Sized {
    /// Where it is.
    const PRODUCT: Product;
    /// Whose name its requests go out in.
    type Credentials: Authenticate + Sync;

    fn get(template: &'static str, ids: &[&str]) -> Request<Self> {
        Request::new(reqwest::Method::GET, template, ids, Effect::Read)
    }

    fn delete(template: &'static str, ids: &[&str]) -> Request<Self> {
        Request::new(reqwest::Method::DELETE, template, ids, Effect::Idempotent)
    }

    fn post(template: &'static str, ids: &[&str], effect: Effect) -> Request<Self> {
        Request::new(reqwest::Method::POST, template, ids, effect)
    }
}

macro_rules! hosts {
    ($($(#[$doc:meta])* $name:ident: $product:ident as $credentials:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub(crate) enum $name {}

        impl Host for $name {
            const PRODUCT: Product = Product::$product;
            type Credentials = $credentials;
        }
    )+};
}

hosts! {
    /// The v2010 API, where the path names the account.
    Api: Api as Credentials;
    /// What the v2010 API does for a main account only.
    ApiOfMain: Api as MainCredentials;
    /// Acts on the account that authenticates.
    Accounts: Accounts as SubaccountCredentials;
    /// Acts on the account that authenticates.
    Iam: Iam as SubaccountCredentials;
    /// Acts on the account that authenticates.
    Messaging: Messaging as SubaccountCredentials;
    /// Acts on the account that authenticates.
    Monitor: Monitor as SubaccountCredentials;
    /// Prices of the account that authenticates: what the operator pays, or what is agreed for one tenant.
    Pricing: Pricing as Credentials;
}
