//! Callbacks that are not Twilio's: 403, all alike, and nothing written.

use crate::world::{ACCOUNT_B, Answer, Callback, TENANT_A, TENANT_B, TOKEN_A, TOKEN_B, World};

async fn refused(world: &World, callback: &Callback) -> Answer {
    let answer = world.send(callback).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (403, "signature_invalid")
    );
    assert!(world.aws.callbacks().is_empty());
    answer
}

#[tokio::test]
async fn w1_without_a_signature_the_fields_are_not_even_read() {
    let world = World::new();
    let mut callback = Callback {
        signature: Some(String::new()),
        ..Callback::call("completed")
    };
    refused(&world, &callback).await;
    // Fields that could not be read do not matter either.
    callback.raw_body = Some(b"%".to_vec());
    refused(&world, &callback).await;
    assert!(world.aws.take_calls().is_empty());
}

#[tokio::test]
async fn w2_a_change_in_any_of_the_28_characters_is_noticed() {
    let world = World::new();
    let callback = Callback::call("completed");
    let right = callback.right_signature();
    assert_eq!(right.len(), 28);
    for at in 0..right.len() {
        let mut wrong = right.clone().into_bytes();
        wrong[at] ^= 1;
        let signature = Some(String::from_utf8(wrong).unwrap());
        let bent = Callback {
            signature,
            ..callback.clone()
        };
        refused(&world, &bent).await;
    }
    let other = Callback {
        token: "0".repeat(32),
        ..callback
    };
    refused(&world, &other).await;
}

#[tokio::test]
async fn w3_one_tenants_token_does_not_sign_for_another() {
    let world = World::new();
    // A signs for B's subaccount, at its own path and at B's; B signs at A's path.
    for (tenant, token) in [
        (TENANT_A, TOKEN_A),
        (TENANT_B, TOKEN_A),
        (TENANT_A, TOKEN_B),
    ] {
        let mut callback = Callback::call("completed");
        callback.path = format!("/twilio/{tenant}/calls");
        callback.fields[0].1 = ACCOUNT_B.to_owned();
        callback.token = token.to_owned();
        refused(&world, &callback).await;
    }
}

#[tokio::test]
async fn w3_another_tenants_secret_is_not_even_read() {
    let world = World::new();
    let mut callback = Callback::call("completed");
    callback.fields[0].1 = ACCOUNT_B.to_owned();
    refused(&world, &callback).await;
    assert_eq!(world.aws.take_calls(), ["GetItem"]);
    refused(&world, &callback).await;
    assert!(world.aws.take_calls().is_empty());
}

#[tokio::test]
async fn w4_an_unknown_subaccount_looks_like_a_wrong_signature() {
    let world = World::new();
    let wrong_token = Callback {
        token: TOKEN_B.to_owned(),
        ..Callback::call("completed")
    };
    let expected = refused(&world, &wrong_token).await;
    for account in ["AC00000000000000000000000000000000", "AC", "", "x"] {
        let mut callback = Callback::call("completed");
        callback.fields[0].1 = account.to_owned();
        assert_eq!(refused(&world, &callback).await, expected, "{account}");
    }
    let mut callback = Callback::call("completed");
    callback.fields.remove(0);
    assert_eq!(refused(&world, &callback).await, expected);
}

#[tokio::test]
async fn w4_an_unknown_subaccount_is_looked_for_once_a_minute() {
    let world = World::new();
    let mut callback = Callback::call("completed");
    callback.fields[0].1 = "AC00000000000000000000000000000000".to_owned();
    for _ in 0..5 {
        refused(&world, &callback).await;
    }
    assert_eq!(world.aws.take_calls(), ["GetItem"]);
    world.advance(61);
    refused(&world, &callback).await;
    assert_eq!(world.aws.take_calls(), ["GetItem"]);
}

#[tokio::test]
async fn w22_a_flood_of_forged_callbacks_rereads_the_token_less_than_once_a_second() {
    let world = World::new();
    world.send(&Callback::call("ringing")).await;
    world.aws.take_calls();
    let forged = Callback {
        token: TOKEN_B.to_owned(),
        ..Callback::call("completed")
    };
    for second in 0..20 {
        for _ in 0..50 {
            assert_eq!(world.send(&forged).await.status, 403, "{second}");
        }
        world.advance(1);
    }
    let calls = world.aws.take_calls();
    assert!(calls.iter().all(|call| call == "GetSecretValue"));
    assert!(calls.len() <= 12, "{}", calls.len());
    assert_eq!(world.aws.callbacks().len(), 1);
    // Twilio's own pass meanwhile.
    assert_eq!(world.send(&Callback::call("busy")).await.status, 204);
}
