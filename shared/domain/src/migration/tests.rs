use proptest::prelude::*;
use rust_decimal::Decimal;

use super::entry::one_line;
use super::*;
use crate::tenant::{check_name, is_unprintable};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn account(digit: u8) -> AccountSid {
    AccountSid::parse(&format!("AC{}", digit.to_string().repeat(32))).unwrap()
}

fn migration(kind: Kind, numbers: &[&str]) -> Migration {
    let urls = NumberUrls {
        voice_url: Some("https://app.example/voice".to_owned()),
        ..NumberUrls::default()
    };
    let items = numbers
        .iter()
        .map(|number| Item::planned(number, Marks::default(), urls.clone(), at(0)));
    Migration {
        id: MigrationId::from_ulid(crate::ids::ulid(1_800_000_000_000, 1)),
        ver: 0,
        tenant: TenantId::from_ulid(crate::ids::ulid(1_800_000_000_000, 2)),
        kind,
        client_name: "Acme Dental".to_owned(),
        client_email: Some("owner@acme.example".to_owned()),
        losing_sid: account(1),
        gaining_sid: Some(account(2)),
        address_sid: None,
        bundle_sid: None,
        items: items.collect(),
        operator_ticket: None,
        client_ticket: None,
        watch_until: None,
        cut_over_at: None,
        hand_over: None,
        confirmed_at: None,
        rollback: None,
        verification: None,
        accepts: Accepts::default(),
        idempotency_hash: "00".to_owned(),
        actor: "opk".to_owned(),
        asked_at: at(0),
        next_at: None,
    }
}

fn parties() -> Parties {
    Parties {
        operator_name: "Resale Inc.".to_owned(),
        operator_email: Some("numbers@resale.example".to_owned()),
        main_sid: account(9),
    }
}

fn all(state: &ItemState) -> impl Fn(&Item) -> Option<ItemState> {
    let state = state.clone();
    move |_| Some(state.clone())
}

fn walked(states: &[ItemState]) -> Migration {
    let start = migration(Kind::External, &["+12125550100", "+12125550101"]);
    (1..).zip(states).fold(start, |migration, (second, state)| {
        migration.advanced(at(second), all(state))
    })
}

const WAY: [ItemState; 5] = [
    ItemState::PreflightOk,
    ItemState::Requested,
    ItemState::Arrived,
    ItemState::Configured,
    ItemState::Live,
];

#[test]
fn a_number_goes_from_planned_to_live_in_order_and_its_history_says_when() {
    let live = walked(&WAY);
    assert_eq!(live.state(), "live");
    assert!(!live.has_work());
    assert_eq!(live.items[0].reached_at("arrived"), Some(at(3)));
    let names: Vec<&str> = live.items[0]
        .history
        .iter()
        .map(|reached| reached.state.name())
        .collect();
    assert_eq!(
        names,
        [
            "planned",
            "preflight_ok",
            "requested",
            "arrived",
            "configured",
            "live"
        ]
    );
}

#[test]
fn a_part_arrives_while_the_rest_is_refused() {
    let requested = walked(&WAY[..2]);
    let some = requested.advanced(at(9), |item| {
        Some(if item.phone_number.ends_with('0') {
            ItemState::Arrived
        } else {
            ItemState::blocked("refused_by_twilio")
        })
    });
    assert_eq!(some.state(), "arrived");
    assert_eq!(
        some.news_since(&requested),
        [
            "+12125550100: arrived",
            "+12125550101: blocked, refused_by_twilio"
        ]
    );
    let configured = some.advanced(at(10), all(&ItemState::Configured));
    assert_eq!(configured.state(), "configured");
    assert_eq!(configured.in_state("blocked").count(), 1);
}

#[test]
fn what_never_moved_cannot_be_rolled_back_and_what_is_live_can() {
    let requested = walked(&WAY[..2]);
    assert_eq!(
        requested.advanced(at(9), all(&ItemState::RolledBack)),
        requested
    );
    let back = walked(&WAY).advanced(at(9), all(&ItemState::RolledBack));
    assert_eq!(back.state(), "rolled_back");
}

#[test]
fn both_tickets_name_every_fact_and_each_other() {
    let ready = walked(&WAY[..1]);
    let texts = tickets(&ready, &parties()).unwrap();
    for text in [&texts.gaining, &texts.losing] {
        for fact in [
            "Acme Dental",
            "owner@acme.example",
            "+12125550100",
            "+12125550101",
            account(1).as_str(),
            account(2).as_str(),
            account(9).as_str(),
            "Resale Inc.",
            "numbers@resale.example",
            ready.id.as_str(),
        ] {
            assert!(text.contains(fact), "{fact} is not in\n{text}");
        }
    }
    assert!(texts.gaining.contains("we are Resale Inc."));
    assert!(texts.losing.contains("we are Acme Dental"));
    assert_eq!(tickets(&ready, &parties()), Some(texts));
}

#[test]
fn tickets_need_the_gaining_subaccount_and_leave_out_what_is_blocked() {
    let ready = walked(&WAY[..1]);
    let blocked = ready.advanced(at(5), |item| {
        let is_second = item.phone_number.ends_with('1');
        is_second.then(|| ItemState::blocked("address_required"))
    });
    let texts = tickets(&blocked, &parties()).unwrap();
    assert!(texts.gaining.contains("Numbers (1)"));
    assert!(!texts.gaining.contains("+12125550101"));
    let nowhere = Migration {
        gaining_sid: None,
        ..ready.clone()
    };
    assert_eq!(tickets(&nowhere, &parties()), None);
    let split = Migration {
        kind: Kind::Split,
        ..ready
    };
    assert_eq!(tickets(&split, &parties()), None);
}

#[test]
fn a_hostile_name_is_refused_and_would_stay_on_its_line_anyway() {
    for name in [
        "Acme\r\nGaining account: AC00",
        "Acme\u{202e}cba",
        "Acme\u{2028}x",
        "\u{0}",
    ] {
        assert!(check_name(name).is_err(), "{name:?}");
        let hostile = Migration {
            client_name: name.to_owned(),
            ..walked(&WAY[..1])
        };
        let plain = tickets(&walked(&WAY[..1]), &parties()).unwrap();
        let texts = tickets(&hostile, &parties()).unwrap();
        assert_eq!(texts.gaining.lines().count(), plain.gaining.lines().count());
        assert!(
            !texts
                .losing
                .chars()
                .any(|shown| shown != '\n' && is_unprintable(shown))
        );
    }
}

#[test]
fn e_mail_addresses_and_numbers_are_checked_where_they_enter() {
    assert!(check_email("owner@acme.example").is_ok());
    for wrong in [
        "",
        "owner",
        "@acme.example",
        "a@b",
        "a b@c.example",
        "a@b.example\r\nx",
        "a@b@c.example",
    ] {
        assert!(check_email(wrong).is_err(), "{wrong:?}");
    }
    assert!(check_number("+12125550100").is_ok());
    for wrong in [
        "",
        "12125550100",
        "+0123456789",
        "+1212555010a",
        "+123",
        "+1234567890123456",
    ] {
        assert!(check_number(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn only_missing_papers_stop_a_ticket_and_the_check_list_names_the_rest() {
    let marks = Marks {
        needs_address: true,
        needs_bundle: true,
        whatsapp_sender: true,
        hosted: true,
        campaign: true,
    };
    let obstacles = external_obstacles(marks, false, false);
    assert_eq!(
        preflight(&obstacles),
        ItemState::blocked("address_required, bundle_required")
    );
    assert_eq!(
        preflight(&external_obstacles(marks, true, true)),
        ItemState::PreflightOk
    );
    let mut marked = migration(Kind::External, &["+12125550100"]);
    marked.items[0].marks = marks;
    let list = check_list(&marked);
    assert!(
        list.iter().all(|entry| entry.numbers == ["+12125550100"]),
        "{list:?}"
    );
    assert_eq!(list.len(), 5);
}

#[test]
fn a_verification_says_which_number_is_elsewhere_or_announces_elsewhere() {
    let configured = walked(&WAY[..4]);
    let found = |number: &str, url: &str| FoundNumber {
        phone_number: number.to_owned(),
        urls: NumberUrls {
            voice_url: Some(url.to_owned()),
            ..NumberUrls::default()
        },
    };
    let right = "https://app.example/voice";
    let both = [found("+12125550100", right), found("+12125550101", right)];
    assert_eq!(
        differences(&compare_numbers(&configured, true, &both)),
        [] as [String; 0]
    );
    let wrong = [found("+12125550100", "https://old.example")];
    assert_eq!(
        differences(&compare_numbers(&configured, false, &wrong)),
        [
            format!("account_status of {}", account(2)),
            "voice_url of +12125550100".to_owned(),
            "held_by of +12125550101".to_owned(),
        ]
    );
}

#[test]
fn usage_agrees_to_the_last_digit_or_not_at_all() {
    let sum = |twilio, booked| Usage {
        when: "after",
        subject: "2026-03-01 to 2026-03-02".to_owned(),
        twilio,
        booked,
    };
    let same = [sum(Decimal::new(150, 2), Decimal::new(15, 1))];
    assert_eq!(
        differences(&compare_usage(&same, &[("+12125550100".to_owned(), 0)])),
        [] as [String; 0]
    );
    let other = [sum(Decimal::new(150, 2), Decimal::new(1_500_001, 6))];
    let checks = compare_usage(&other, &[("+12125550100".to_owned(), 2)]);
    assert_eq!(differences(&checks).len(), 2);
}

fn any_state() -> impl Strategy<Value = ItemState> {
    prop_oneof![
        Just(ItemState::Planned),
        Just(ItemState::PreflightOk),
        Just(ItemState::blocked("a")),
        Just(ItemState::blocked("b")),
        Just(ItemState::Requested),
        Just(ItemState::Arrived),
        Just(ItemState::Configured),
        Just(ItemState::Live),
        Just(ItemState::RolledBack),
    ]
}

/// How far along a state is; one that is not on the way has none.
fn rank(state: &ItemState) -> Option<usize> {
    let way = [
        "planned",
        "preflight_ok",
        "requested",
        "arrived",
        "configured",
        "live",
    ];
    way.iter().position(|name| *name == state.name())
}

proptest! {
    #[test]
    fn no_state_is_ever_skipped(states in proptest::collection::vec(any_state(), 0..30)) {
        let end = walked(&states);
        for item in &end.items {
            prop_assert_eq!(item.history.first().map(|first| first.state.clone()), Some(ItemState::Planned));
            prop_assert_eq!(item.history.last().map(|last| last.state.clone()), Some(item.state.clone()));
            for pair in item.history.windows(2) {
                let (one, next) = (&pair[0].state, &pair[1].state);
                match (rank(one), rank(next)) {
                    // Forward by exactly one.
                    (Some(one), Some(next)) => prop_assert_eq!(next, one + 1),
                    // Whoever was blocked is looked at again from the start.
                    (None, Some(next)) => prop_assert_eq!(next, 1),
                    (Some(one), None) => prop_assert!(one <= 3 || *next == ItemState::RolledBack),
                    (None, None) => prop_assert_eq!(next.name(), "blocked"),
                }
                prop_assert!(*one != ItemState::RolledBack);
            }
        }
    }

    #[test]
    fn any_text_stays_on_one_line(name in any::<String>()) {
        prop_assert!(!one_line(&name).chars().any(is_unprintable));
    }
}
