//! Whatever arrives, the answer is a documented one, and nothing is written without a signature.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::fake_aws::Fault;
use crate::world::{Callback, TENANT_A, World, event};

fn path() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        Just("twilio".to_owned()),
        Just(TENANT_A.to_owned()),
        Just("calls".to_owned()),
        Just("messages".to_owned()),
        Just("..".to_owned()),
        "\\PC{0,8}",
    ];
    prop_oneof![
        3 => Just(format!("/twilio/{TENANT_A}/calls")),
        2 => proptest::collection::vec(segment, 0..5).prop_map(|parts| format!("/{}", parts.join("/"))),
        1 => "\\PC{0,40}",
    ]
}

fn headers() -> impl Strategy<Value = BTreeMap<String, String>> {
    let name = prop_oneof![
        Just("x-twilio-signature".to_owned()),
        Just("content-type".to_owned()),
        Just("content-encoding".to_owned()),
        Just("host".to_owned()),
        Just("x-forwarded-host".to_owned()),
        "[a-z-]{1,12}",
    ];
    let value = prop_oneof![
        Just("application/x-www-form-urlencoded".to_owned()),
        Just("application/json".to_owned()),
        "[A-Za-z0-9+/]{27}=",
        "[ -~]{0,40}",
    ];
    (
        proptest::collection::btree_map(name, value, 0..5),
        any::<bool>(),
    )
        .prop_map(|(mut headers, is_form)| {
            if is_form {
                headers.remove("content-encoding");
                headers.insert(
                    "content-type".into(),
                    "application/x-www-form-urlencoded".into(),
                );
                headers.insert(
                    "x-twilio-signature".into(),
                    "AAAAAAAAAAAAAAAAAAAAAAAAAAA=".into(),
                );
            }
            headers
        })
}

fn body() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,200}",
        "([A-Za-z]{1,10}=(%[0-9a-f]{2}|[a-z%+&=]){0,10}&){0,20}",
        Just(String::from_utf8(Callback::call("busy").raw()).expect("a form")),
        "[A-Za-z0-9+/=]{0,80}",
    ]
}

impl Callback {
    fn raw(&self) -> Vec<u8> {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(&self.fields)
            .finish()
            .into_bytes()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn any_event_gets_a_documented_answer_and_writes_nothing(
        method in prop_oneof![4 => Just("POST"), 1 => Just("GET"), 1 => Just("PATCH")],
        path in path(),
        query in prop_oneof![Just(String::new()), "[ -~]{0,40}", Just("bodySHA256=00".to_owned())],
        headers in headers(),
        body in body(),
        is_base64 in any::<bool>(),
        is_down in any::<bool>(),
    ) {
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let world = World::new();
        if is_down {
            world.aws.state().faults.insert("*", Fault::Answer(503, "ServiceUnavailable"));
        }
        let event = event(method, &path, &query, &headers, &body, is_base64);
        let answer = tokio.block_on(world.handle(event));
        prop_assert!(
            [400, 403, 404, 405, 413, 415, 503].contains(&answer.status),
            "{answer:?}"
        );
        prop_assert!(!answer.code().is_empty());
        prop_assert!(!world.aws.take_calls().contains(&"PutItem".to_owned()));
    }

    #[test]
    fn any_signed_fields_are_recorded_or_refused(
        fields in proptest::collection::vec(("[A-Za-z]{1,9}|Caller|To|FromZip|Body", "\\PC{0,30}"), 0..12),
        status in "[a-z_-]{1,12}|\\PC{0,12}",
    ) {
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let world = World::new();
        let mut callback = Callback::call(&status);
        callback.fields.extend(fields);
        let answer = tokio.block_on(world.send(&callback));
        prop_assert!([204, 400].contains(&answer.status), "{answer:?}");
        prop_assert_eq!(world.aws.callbacks().len(), usize::from(answer.status == 204));
    }
}
