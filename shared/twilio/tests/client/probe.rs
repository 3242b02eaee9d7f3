//! No answer whatever makes a parser panic: the property that the fuzz target holds, on stable Rust.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use twilio::probe::parse_everything;

/// Names that the answers' fields have, so that a drawn body comes near a real one.
const NAMES: [&str; 24] = [
    "sid",
    "account_sid",
    "meta",
    "next_page_url",
    "next_page_uri",
    "page",
    "keys",
    "calls",
    "messages",
    "usage_records",
    "status",
    "price",
    "price_unit",
    "date_created",
    "start_date",
    "end_date",
    "category",
    "capabilities",
    "error_code",
    "policy",
    "event_data",
    "code",
    "message",
    "errors",
];

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?[0-9]{1,40}(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?",
        "\"(AC|SK|CA|SM|PN)[0-9a-f]{32}\"",
        "\"[A-Z][a-z]{2}, [0-9]{1,2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} [+-][0-9]{4}\"",
        "\"-?[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:]{8}Z)?\"",
        "\"https://iam\\.twilio\\.com/[a-zA-Z0-9/.?=&%#@-]{0,20}\"",
        "\"(\\\\[\"nu\\\\]|[^\"\\\\\\p{Cc}]){0,12}\"",
    ];
    leaf.prop_recursive(4, 48, 8, |inner| {
        let field = (prop::sample::select(&NAMES[..]), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(|values| format!("[{}]", values.join(","))),
            prop::collection::vec(field, 0..12).prop_map(|fields| {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(name, value)| format!("{name:?}:{value}"))
                    .collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_bytes_make_a_parser_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        parse_everything(&body);
    }

    #[test]
    fn no_json_makes_a_parser_panic(body in value(), cut in 0_usize..400) {
        parse_everything(body.as_bytes());
        parse_everything(&body.as_bytes()[..cut.min(body.len())]);
    }
}

#[test]
fn a_deep_answer_is_refused_and_not_followed_to_the_end_of_the_stack() {
    for open in ["[", "{\"meta\":", "{\"event_data\":", "{\"errors\":["] {
        parse_everything(open.repeat(100_000).as_bytes());
    }
}

/// What was forgotten there would be fuzzed by nobody.
#[test]
fn every_parser_is_probed() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let probe = fs::read_to_string(source.join("probe.rs")).unwrap();
    let mut rows = 0;
    for folder in [
        source.clone(),
        source.join("pricing"),
        source.join("numbers"),
    ] {
        for file in fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "rs") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for line in text.lines() {
                let Some(rest) = line.strip_prefix("impl Row for ") else {
                    continue;
                };
                let name = rest.trim_end_matches(" {");
                assert!(
                    probe.contains(&format!("::{name}>")),
                    "{name} is not probed"
                );
                rows += 1;
            }
        }
    }
    assert_eq!(rows, probe.matches("row::<").count());
}
