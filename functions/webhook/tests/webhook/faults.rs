//! AWS slow, down or losing answers, tokens rotating, settings missing, and what the log never says.

use std::cell::RefCell;
use std::io;

use crate::fake_aws::{FakeAws, Fault};
use crate::world::{ACCOUNT_A, Callback, TOKEN_A, TOKEN_B, World, environment};

const THROTTLED: Fault = Fault::Answer(400, "ThrottlingException");
const DOWN: Fault = Fault::Answer(500, "InternalServerError");

fn set_fault(aws: &FakeAws, operation: &'static str, fault: Option<Fault>) {
    let faults = &mut aws.state().faults;
    match fault {
        Some(fault) => faults.insert(operation, fault),
        None => faults.remove(operation),
    };
}

#[tokio::test]
async fn w18_a_store_that_is_down_asks_twilio_to_come_again() {
    for fault in [THROTTLED, DOWN, Fault::Answer(400, "AccessDeniedException")] {
        for operation in ["GetItem", "PutItem"] {
            let world = World::new();
            set_fault(&world.aws, operation, Some(fault));
            let answer = world.send(&Callback::call("completed")).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (503, "temporarily_unavailable")
            );
            assert_eq!(answer.retry_after.as_deref(), Some("1"));
            assert!(world.aws.callbacks().is_empty());
            set_fault(&world.aws, operation, None);
            assert_eq!(world.send(&Callback::call("completed")).await.status, 204);
        }
    }
}

#[tokio::test]
async fn w19_a_write_whose_answer_was_lost_is_not_written_twice() {
    let world = World::new();
    set_fault(&world.aws, "PutItem", Some(Fault::LostAfterEffect));
    assert_eq!(world.send(&Callback::call("completed")).await.status, 204);
    assert_eq!(world.aws.callbacks().len(), 1);
}

#[tokio::test]
async fn w20_a_known_token_serves_while_secrets_are_down() {
    let world = World::new();
    assert_eq!(world.send(&Callback::call("ringing")).await.status, 204);
    set_fault(&world.aws, "GetSecretValue", Some(DOWN));
    assert_eq!(world.send(&Callback::call("busy")).await.status, 204);
    // Also when it is due to be read again, and then without asking at every callback.
    world.advance(3_601);
    world.aws.take_calls();
    for status in ["completed", "failed", "canceled"] {
        assert_eq!(world.send(&Callback::call(status)).await.status, 204);
    }
    let calls = world.aws.take_calls();
    let reads = calls
        .iter()
        .filter(|call| *call == "GetSecretValue")
        .count();
    assert_eq!(
        (calls.len() - reads, reads),
        (3, 2),
        "one read of two tries"
    );
}

#[tokio::test]
async fn w20_an_unknown_token_cannot_be_judged_while_secrets_are_down() {
    let world = World::new();
    set_fault(&world.aws, "GetSecretValue", Some(THROTTLED));
    for _ in 0..10 {
        assert_eq!(world.send(&Callback::call("ringing")).await.status, 503);
    }
    assert!(world.aws.take_calls().len() <= 4);
    assert!(world.aws.callbacks().is_empty());
    set_fault(&world.aws, "GetSecretValue", None);
    world.advance(2);
    assert_eq!(world.send(&Callback::call("ringing")).await.status, 204);
}

#[tokio::test]
async fn w21_a_token_that_is_being_rotated_in_or_was_just_rotated_out_counts() {
    let world = World::new();
    assert_eq!(world.send(&Callback::call("queued")).await.status, 204);
    let with = |token: &str, status: &str| Callback {
        token: token.to_owned(),
        ..Callback::call(status)
    };
    world.set_secret(ACCOUNT_A, "AWSPENDING", TOKEN_B);
    assert_eq!(world.send(&with(TOKEN_B, "initiated")).await.status, 204);
    world.advance(10);
    world.set_secret(ACCOUNT_A, "AWSCURRENT", TOKEN_B);
    world.set_secret(ACCOUNT_A, "AWSPREVIOUS", TOKEN_A);
    assert_eq!(world.send(&with(TOKEN_A, "ringing")).await.status, 204);
    world.advance(1_800);
    // A new instance's cache holds the new token only and learns the old one from the mismatch.
    let fresh = World::new();
    fresh.set_secret(ACCOUNT_A, "AWSCURRENT", TOKEN_B);
    fresh.set_secret(ACCOUNT_A, "AWSPREVIOUS", TOKEN_A);
    assert_eq!(fresh.send(&with(TOKEN_A, "ringing")).await.status, 204);
    fresh.advance(3_599);
    assert_eq!(fresh.send(&with(TOKEN_A, "busy")).await.status, 204);
    fresh.advance(1);
    assert_eq!(fresh.send(&with(TOKEN_A, "failed")).await.status, 403);
    assert_eq!(fresh.send(&with(TOKEN_B, "failed")).await.status, 204);
}

#[test]
fn l14_a_missing_setting_is_one_clear_line() {
    for (base_url, line) in [
        (
            None,
            "environment variable TOLLGATE_PUBLIC_BASE_URL is not set",
        ),
        (
            Some("https://h/"),
            "environment variable TOLLGATE_PUBLIC_BASE_URL is not usable",
        ),
    ] {
        let host = runtime::Host::system();
        let complete = environment(Some("https://h"));
        let settings = aws::Settings::from_lookup(
            |name| complete.get(name),
            "webhook",
            host.now.clone(),
            host.sleep.clone(),
        )
        .unwrap();
        let error = webhook::Function::new(&environment(base_url), &host, &settings).unwrap_err();
        assert!(error.to_string().starts_with(line), "{error}");
    }
}

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Writes to the log of the test's own thread: the subscriber is everyone's, because one that is set for a
/// thread only misses lines that other threads met first.
struct ThreadLog;

impl io::Write for ThreadLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn l15_no_log_line_holds_a_token_a_signature_or_what_was_sent() {
    tracing_subscriber::fmt()
        .json()
        // The SDK's own lines as `runtime` has them.
        .with_env_filter("trace,aws_smithy_runtime=warn,aws_sdk=warn")
        .without_time()
        .with_writer(|| ThreadLog)
        .init();
    let tokio = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let right = Callback::message("delivered").with("Body", "private words");
    let wrong = Callback {
        token: TOKEN_B.to_owned(),
        ..right.clone()
    };
    let malformed = right.clone().with("To", "+19995550123");
    tokio.block_on(async {
        let world = World::new();
        for callback in [&right, &wrong, &malformed] {
            world.send(callback).await;
        }
        set_fault(&world.aws, "*", Some(DOWN));
        world.send(&right).await;
    });
    let log = String::from_utf8(LOG.take()).unwrap();
    let ours = log
        .lines()
        .filter(|line| line.contains(r#""target":"webhook"#));
    assert_eq!(ours.count(), 4, "one line each: {log}");
    let signatures = [&right, &wrong, &malformed].map(Callback::right_signature);
    let secrets = ["private words", "415555", TOKEN_A, TOKEN_B, "delivered"];
    for secret in secrets
        .into_iter()
        .chain(signatures.iter().map(String::as_str))
    {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    assert!(log.contains("malformed_callback") && log.contains("tenant.id"));
}
