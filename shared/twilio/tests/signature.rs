//! Signatures against vectors: our own, made with another implementation, and those of a file that
//! `TOLLGATE_SIGNATURE_VECTORS` may name.

use proptest::prelude::*;
use secrecy::SecretString;
use serde::Deserialize;
use twilio::signature::{
    Algorithm, SharedKey, SigningKeys, Validator, body_hash, sign, sign_with_shared_key, verify,
};

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    auth_token: String,
    url: String,
    content_type: String,
    #[serde(default)]
    params: Option<Vec<(String, String)>>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    algorithm: Option<String>,
    signature: String,
    expect_valid: Option<bool>,
    /// The shared keys that the tenant is configured for, perhaps none; where that is not said, the
    /// token and the algorithm above say it.
    #[serde(default)]
    shared_keys: Option<Vec<Key>>,
    /// The header that came.
    #[serde(default)]
    settings: Option<String>,
}

#[derive(Deserialize)]
struct Key {
    id: String,
    algorithm: String,
    secret: String,
}

impl Vector {
    fn algorithm(&self) -> &str {
        self.algorithm.as_deref().unwrap_or("HMAC_SHA1")
    }

    fn is_valid(&self) -> bool {
        let params = self.params.as_deref().unwrap_or_default();
        let body = self.body.as_deref().unwrap_or_default();
        let validator = match self.content_type.as_str() {
            "json" => Validator::for_json(&self.url, body.as_bytes()),
            _ => Validator::for_form(&self.url, params),
        };
        let tokens = [SecretString::from(self.auth_token.as_str())];
        let mut settings = self.settings.clone();
        let keys = match &self.shared_keys {
            Some(keys) => keys.iter().map(Key::shared).collect(),
            None if self.algorithm() == "HMAC_SHA1" => Vec::new(),
            // A header with this algorithm came, from a tenant that has this key.
            None => {
                settings = Some(format!("key=any,algorithm={}", self.algorithm()));
                vec![SharedKey::new(
                    "any",
                    Algorithm::HmacSha256,
                    tokens[0].clone(),
                )]
            }
        };
        let keys = if keys.is_empty() {
            SigningKeys::AuthTokens(&tokens)
        } else {
            SigningKeys::SharedKeys(&keys)
        };
        validator.accepts_any(&keys, settings.as_deref(), &self.signature)
    }
}

impl Key {
    fn shared(&self) -> SharedKey {
        let algorithm = Algorithm::parse(&self.algorithm).expect("a known algorithm");
        SharedKey::new(
            &self.id,
            algorithm,
            SecretString::from(self.secret.as_str()),
        )
    }
}

/// How many vectors had a verdict that ours was held against.
struct Judged {
    sha1: usize,
    sha256: usize,
    other: usize,
}

/// Holds every vector with a verdict against it.
fn check(file: &str) -> Judged {
    let file: File = serde_json::from_str(file).expect("a file of vectors");
    let judged: Vec<_> = file
        .vectors
        .iter()
        .filter_map(|vector| Some((vector, vector.expect_valid?)))
        .collect();
    let wrong: Vec<_> = judged
        .iter()
        .filter(|(vector, valid)| vector.is_valid() != *valid)
        .map(|(vector, _)| &vector.name)
        .collect();
    assert!(wrong.is_empty(), "wrong verdict on {wrong:?}");
    let count = |algorithm: &str| {
        let of = judged
            .iter()
            .filter(|(vector, _)| vector.algorithm() == algorithm);
        of.count()
    };
    let (sha1, sha256) = (count("HMAC_SHA1"), count("HMAC_SHA256"));
    Judged {
        sha1,
        sha256,
        other: judged.len() - sha1 - sha256,
    }
}

#[test]
fn our_own_vectors_are_judged_right() {
    let judged = check(include_str!("signature_vectors.json"));
    assert!(judged.sha1 >= 25 && judged.sha256 >= 20 && judged.other > 0);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the continuous integration names a file of vectors"
)]
fn the_vectors_of_the_named_file_are_judged_right() {
    let Ok(path) = std::env::var("TOLLGATE_SIGNATURE_VECTORS") else {
        println!("TOLLGATE_SIGNATURE_VECTORS is not set: only our own vectors are held");
        return;
    };
    let file = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let judged = check(&file);
    let Judged {
        sha1,
        sha256,
        other,
    } = judged;
    assert!(sha1 + sha256 + other > 0, "{path} holds no vector");
    println!(
        "{} vectors judged right: {sha1} of HMAC_SHA1, {sha256} of HMAC_SHA256, {other} of another algorithm",
        sha1 + sha256 + other
    );
}

const URL: &str = "https://host.example/twilio/ten_1/sms";

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

#[test]
fn one_validator_is_held_against_several_tokens() {
    let params = [("MessageStatus", "sent")];
    let signature = sign("current", URL, &params);
    let validator = Validator::for_form(URL, &params);
    assert!(!validator.accepts("previous", &signature));
    assert!(validator.accepts("current", &signature));
    let tokens = [secret("previous"), secret("current")];
    assert!(validator.accepts_any(&SigningKeys::AuthTokens(&tokens), None, &signature));
    assert!(!validator.accepts_any(&SigningKeys::AuthTokens(&tokens[..1]), None, &signature));
    assert!(!validator.accepts_any(&SigningKeys::AuthTokens(&[]), None, &signature));
}

#[test]
fn a_tenant_with_shared_keys_takes_no_token_whatever_the_header_says() {
    let params = [("MessageStatus", "sent")];
    let key = SharedKey::new("SK1", Algorithm::HmacSha256, secret("shared"));
    let validator = Validator::for_form(URL, &params);
    let keys = [key.clone()];
    let keys = SigningKeys::SharedKeys(&keys);
    let good = sign_with_shared_key(&key, URL, &params);
    assert!(validator.accepts_any(&keys, Some(&key.settings()), &good));
    // Even where the shared secret is the token itself, its SHA1 is not what was agreed.
    for token in ["token", "shared"] {
        let signature = sign(token, URL, &params);
        for header in [
            None,
            Some(""),
            Some("key=SK1,algorithm=HMAC_SHA1"),
            Some("algorithm=HMAC_SHA1"),
        ] {
            assert!(
                !validator.accepts_any(&keys, header, &signature),
                "{header:?}"
            );
        }
    }
    let tokens = [secret("token"), secret("shared")];
    let tokens = SigningKeys::AuthTokens(&tokens);
    assert!(!validator.accepts_any(&tokens, Some(&key.settings()), &good));
    assert!(!validator.accepts_any(&tokens, None, &good));
}

#[test]
fn the_spelling_that_was_signed_is_told() {
    let none: &[(&str, &str)] = &[];
    let tokens = [secret("token")];
    let keys = SigningKeys::AuthTokens(&tokens);
    for (received, signed) in [
        ("https://h.example/p", "https://h.example/p"),
        ("https://h.example/p#rc=1", "https://h.example/p"),
        ("https://h.example/p", "https://h.example:443/p"),
        ("http://h.example:8080/p?a", "http://h.example/p?a"),
        ("HTTPS://h.example/p", "https://h.example/p"),
        (
            "https://h.example/p?n=O'Neil",
            "https://h.example:443/p?n=O%27Neil",
        ),
    ] {
        let signature = sign("token", signed, none);
        let validator = Validator::for_form(received, none);
        let told = validator.signed_url(&keys, None, &signature);
        assert_eq!(told.as_deref(), Some(signed));
    }
}

#[test]
fn a_path_is_never_rewritten_to_make_a_signature_fit() {
    let none: &[(&str, &str)] = &[];
    let signature = sign("token", "https://h.example/ten_1/calls", none);
    for received in [
        "https://h.example/ten_2/../ten_1/calls",
        "https://h.example/./ten_1/calls",
        "https://h.example/ten_1%2Fcalls",
        "https://h.example//ten_1/calls",
        "https://h.example/ten_1/calls/",
        "https://h.example/ten_1/calls?",
        "https://H.example/ten_1/calls",
        "https://h.example:444/ten_1/calls?",
    ] {
        assert!(!verify("token", received, none, &signature), "{received}");
    }
}

#[test]
fn a_json_callback_is_bound_to_its_body() {
    let url = format!(
        "https://host.example/events?bodySHA256={}",
        body_hash(b"{}")
    );
    let signature = sign("token", &url, &[] as &[(&str, &str)]);
    assert!(Validator::for_json(&url, b"{}").accepts("token", &signature));
    assert!(!Validator::for_json(&url, b"{ }").accepts("token", &signature));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_signed_verifies_in_any_order(
        mut params in proptest::collection::vec(("\\PC{0,6}", "\\PC{0,6}"), 0..8),
        path in "[a-z0-9/%'?&=:@.-]{0,20}",
    ) {
        let url = format!("https://host.example/{path}");
        let signature = sign("token", &url, &params);
        params.reverse();
        prop_assert!(verify("token", &url, &params, &signature));
        prop_assert!(!verify("other", &url, &params, &signature));
    }

    #[test]
    fn a_changed_field_is_noticed(value in "[a-z]{1,6}", other in "[a-z]{1,6}") {
        prop_assume!(value != other);
        let url = "https://host.example/a";
        let signature = sign("token", url, &[("k", &value)]);
        prop_assert!(!verify("token", url, &[("k", &other)], &signature));
    }

    #[test]
    fn a_flipped_bit_of_the_signature_is_noticed(
        value in "\\PC{0,12}",
        sha256 in any::<bool>(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let algorithm = if sha256 { Algorithm::HmacSha256 } else { Algorithm::HmacSha1 };
        let keys = [SharedKey::new("SK1", algorithm, secret("shared"))];
        let params = [("Body", &value)];
        let mut signature = sign_with_shared_key(&keys[0], URL, &params).into_bytes();
        let (validator, settings) = (Validator::for_form(URL, &params), keys[0].settings());
        let accepts = |signature: &[u8]| {
            let signature = String::from_utf8_lossy(signature);
            validator.accepts_any(&SigningKeys::SharedKeys(&keys), Some(&settings), &signature)
        };
        prop_assert!(accepts(&signature));
        let at = at.index(signature.len());
        signature[at] ^= 1 << bit;
        prop_assert!(!accepts(&signature));
    }

    #[test]
    fn no_input_makes_the_validator_panic(
        url in "([Hh][Tt][Tt][Pp][Ss]?:/{0,3})?[\\PC\\s:@#?'\\[\\]]{0,40}",
        settings in "(key=|algorithm=|HMAC_SHA1|HMAC_SHA256|,|=|\\PC){0,8}",
        signature in "(\\PC{0,40}|[A-Za-z0-9+/]{27}=|[A-Za-z0-9+/]{43}=)",
        body in "\\PC{0,20}",
    ) {
        let keys = [
            SharedKey::new("a", Algorithm::HmacSha1, secret("shared")),
            SharedKey::new("b", Algorithm::HmacSha256, secret("shared")),
        ];
        Validator::for_json(&url, body.as_bytes()).accepts("token", &signature);
        let validator = Validator::for_form(&url, &[(&body, &body)]);
        for settings in [&*settings, &keys[0].settings(), &keys[1].settings()] {
            validator.accepts_any(&SigningKeys::SharedKeys(&keys), Some(settings), &signature);
        }
        verify("token", &url, &[(&body, &body)], &signature);
    }
}
