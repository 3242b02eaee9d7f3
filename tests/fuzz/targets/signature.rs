//! The signature check: no input makes it panic, what is signed is accepted, and neither a changed bit nor
//! another kind of key is.
#![no_main]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;
use twilio::signature::{
    Algorithm, SharedKey, SigningKeys, Validator, body_hash, sign, sign_with_shared_key,
};

#[derive(Debug, Arbitrary)]
struct Input {
    url: String,
    params: Vec<(String, String)>,
    body: Vec<u8>,
    secret: String,
    settings: Option<String>,
    signature: String,
    /// Which byte is changed, and by which bit.
    at: usize,
    bit: u8,
}

impl Input {
    /// Another text of the same length that differs in one bit; none if that is no text.
    fn flipped(&self, text: &str) -> Option<String> {
        let mut bytes = text.as_bytes().to_vec();
        let length = bytes.len();
        let byte = bytes.get_mut(self.at.checked_rem(length)?)?;
        *byte ^= 1 << (self.bit % 8);
        String::from_utf8(bytes).ok()
    }
}

fuzz_target!(|input: Input| {
    let settings = input.settings.as_deref();
    let tokens = [SecretString::from(input.secret.clone())];
    let tokens = SigningKeys::AuthTokens(&tokens);
    // Another secret than the token, also where HMAC pads it.
    let secret = SecretString::from(format!("k{}", input.secret));
    let shared = [
        SharedKey::new("one", Algorithm::HmacSha1, secret.clone()),
        SharedKey::new("two", Algorithm::HmacSha256, secret),
    ];
    let shared_keys = SigningKeys::SharedKeys(&shared);

    let form = Validator::for_form(&input.url, &input.params);
    let json = Validator::for_json(&input.url, &input.body);
    for validator in [&form, &json] {
        for keys in [&tokens, &shared_keys] {
            validator.accepts_any(keys, settings, &input.signature);
        }
    }

    let signature = sign(&input.secret, &input.url, &input.params);
    assert!(form.accepts_any(&tokens, None, &signature));
    for header in [None, settings, Some(&*shared[0].settings())] {
        assert!(!form.accepts_any(&shared_keys, header, &signature));
    }
    for key in &shared {
        let signature = sign_with_shared_key(key, &input.url, &input.params);
        let settings = key.settings();
        assert!(form.accepts_any(&shared_keys, Some(&settings), &signature));
        assert!(!form.accepts_any(&shared_keys, None, &signature));
        assert!(!form.accepts_any(&tokens, Some(&settings), &signature));
    }
    changed_bits(&input, &signature);
    changed_body(&input);
});

fn changed_bits(input: &Input, signature: &str) {
    let accepts = |secret: &str, url: &str, params: &[(String, String)], signature: &str| {
        Validator::for_form(url, params).accepts(secret, signature)
    };
    let Input {
        url,
        params,
        secret,
        ..
    } = input;
    if let Some(flipped) = input.flipped(signature) {
        assert!(!accepts(secret, url, params, &flipped));
    }
    if let Some(flipped) = input.flipped(secret) {
        assert!(!accepts(&flipped, url, params, signature));
    }
    // A pair that becomes the twin of another is signed once: then the text may come out the same.
    let all_differ = |params: &[(String, String)]| {
        let mut sorted = params.to_vec();
        sorted.sort_unstable();
        sorted.windows(2).all(|pair| pair[0] != pair[1])
    };
    for at in 0..params.len() {
        let mut changed = params.clone();
        let Some(flipped) = input.flipped(&params[at].1) else {
            continue;
        };
        changed[at].1 = flipped;
        if all_differ(params) && all_differ(&changed) {
            assert!(!accepts(secret, url, &changed, signature));
        }
    }
    if !url.contains('#') {
        let bare = sign::<&str, &str>(secret, url, &[]);
        assert!(!accepts(secret, &format!("{url}x"), &[], &bare));
    }
}

fn changed_body(input: &Input) {
    let Input { body, secret, .. } = input;
    let url = format!("https://host.example/p?bodySHA256={}", body_hash(body));
    let signature = sign::<&str, &str>(secret, &url, &[]);
    assert!(Validator::for_json(&url, body).accepts(secret, &signature));
    let mut changed = body.clone();
    if let Some(at) = input.at.checked_rem(body.len()) {
        changed[at] ^= 1 << (input.bit % 8);
        assert!(!Validator::for_json(&url, &changed).accepts(secret, &signature));
    }
}
