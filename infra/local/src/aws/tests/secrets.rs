//! Secrets Manager: tokens, labels, deletion.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::ProvideErrorMetadata;

use super::World;

const NAME: &str = "tollgate/test/twilio/AC1";
const FIRST: &str = "11111111-1111-4111-8111-111111111111";
const SECOND: &str = "22222222-2222-4222-8222-222222222222";

async fn create(secrets: &Client, token: &str, content: &str) -> Result<String, String> {
    let created = secrets
        .create_secret()
        .name(NAME)
        .client_request_token(token)
        .secret_string(content)
        .send()
        .await;
    created
        .map(|answer| answer.version_id.unwrap())
        .map_err(|error| error.code().unwrap().to_owned())
}

async fn get(secrets: &Client, stage: Option<&str>) -> Result<String, String> {
    let got = secrets
        .get_secret_value()
        .secret_id(NAME)
        .set_version_stage(stage.map(str::to_owned))
        .send()
        .await;
    got.map(|answer| answer.secret_string.unwrap())
        .map_err(|error| error.code().unwrap().to_owned())
}

async fn put(secrets: &Client, token: &str, content: &str, stage: &str) -> Result<String, String> {
    let put = secrets
        .put_secret_value()
        .secret_id(NAME)
        .client_request_token(token)
        .secret_string(content);
    let put = put.version_stages(stage).send().await;
    put.map(|answer| answer.version_id.unwrap())
        .map_err(|error| error.code().unwrap().to_owned())
}

#[tokio::test]
async fn a_token_makes_create_and_put_idempotent_and_refuses_other_content() {
    let world = World::new();
    let secrets = Client::new(&world.sdk());
    assert_eq!(create(&secrets, FIRST, "a").await.unwrap(), FIRST);
    assert_eq!(create(&secrets, FIRST, "a").await.unwrap(), FIRST);
    assert_eq!(
        create(&secrets, FIRST, "b").await.unwrap_err(),
        "ResourceExistsException"
    );
    assert_eq!(
        create(&secrets, SECOND, "a").await.unwrap_err(),
        "ResourceExistsException"
    );
    assert_eq!(
        put(&secrets, SECOND, "b", "AWSPENDING").await.unwrap(),
        SECOND
    );
    assert_eq!(
        put(&secrets, SECOND, "b", "AWSPENDING").await.unwrap(),
        SECOND
    );
    assert_eq!(
        put(&secrets, SECOND, "c", "AWSPENDING").await.unwrap_err(),
        "ResourceExistsException"
    );
    assert_eq!(get(&secrets, None).await.unwrap(), "a");
    assert_eq!(get(&secrets, Some("AWSPENDING")).await.unwrap(), "b");
}

#[tokio::test]
async fn previous_follows_current_when_a_rotation_is_promoted() {
    let world = World::new();
    let secrets = Client::new(&world.sdk());
    create(&secrets, FIRST, "a").await.unwrap();
    put(&secrets, SECOND, "b", "AWSPENDING").await.unwrap();
    let promote = || {
        secrets
            .update_secret_version_stage()
            .secret_id(NAME)
            .version_stage("AWSCURRENT")
    };
    let error = promote()
        .move_to_version_id(SECOND)
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("InvalidParameterException"));
    let error = promote()
        .remove_from_version_id(FIRST)
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("InvalidParameterException"));
    promote()
        .move_to_version_id(SECOND)
        .remove_from_version_id(FIRST)
        .send()
        .await
        .unwrap();
    assert_eq!(get(&secrets, None).await.unwrap(), "b");
    assert_eq!(get(&secrets, Some("AWSPREVIOUS")).await.unwrap(), "a");
    let drop = secrets
        .update_secret_version_stage()
        .secret_id(NAME)
        .version_stage("AWSPENDING");
    drop.remove_from_version_id(SECOND).send().await.unwrap();
    assert_eq!(
        get(&secrets, Some("AWSPENDING")).await.unwrap_err(),
        "ResourceNotFoundException"
    );
    let by_id = secrets
        .get_secret_value()
        .secret_id(NAME)
        .version_id(FIRST)
        .send()
        .await
        .unwrap();
    assert_eq!(by_id.version_stages(), ["AWSPREVIOUS"]);
    assert_eq!(
        by_id.created_date().unwrap().secs(),
        world.aws.now().as_second()
    );
    let mismatch = secrets
        .get_secret_value()
        .secret_id(NAME)
        .version_id(FIRST)
        .version_stage("AWSCURRENT");
    assert_eq!(
        mismatch.send().await.unwrap_err().code(),
        Some("InvalidRequestException")
    );
}

#[tokio::test]
async fn a_deleted_secret_refuses_everything_until_restored_and_goes_after_its_window() {
    let world = World::new();
    let secrets = Client::new(&world.sdk());
    assert_eq!(
        get(&secrets, None).await.unwrap_err(),
        "ResourceNotFoundException"
    );
    create(&secrets, FIRST, "a").await.unwrap();
    let delete = || {
        secrets
            .delete_secret()
            .secret_id(NAME)
            .recovery_window_in_days(7)
            .send()
    };
    delete().await.unwrap();
    assert_eq!(
        get(&secrets, None).await.unwrap_err(),
        "InvalidRequestException"
    );
    assert_eq!(
        put(&secrets, SECOND, "b", "AWSCURRENT").await.unwrap_err(),
        "InvalidRequestException"
    );
    assert_eq!(
        create(&secrets, SECOND, "b").await.unwrap_err(),
        "InvalidRequestException"
    );
    assert!(
        secrets
            .describe_secret()
            .secret_id(NAME)
            .send()
            .await
            .unwrap()
            .deleted_date
            .is_some()
    );
    secrets
        .restore_secret()
        .secret_id(NAME)
        .send()
        .await
        .unwrap();
    assert_eq!(get(&secrets, None).await.unwrap(), "a");
    delete().await.unwrap();
    world.advance(7 * 86_400);
    assert_eq!(
        get(&secrets, None).await.unwrap_err(),
        "ResourceNotFoundException"
    );
    assert_eq!(create(&secrets, SECOND, "b").await.unwrap(), SECOND);
}

#[tokio::test]
async fn describe_shows_tags_and_labels_and_an_arn_is_an_id_too() {
    let world = World::new();
    let secrets = Client::new(&world.sdk());
    create(&secrets, FIRST, "a").await.unwrap();
    let tag = aws_sdk_secretsmanager::types::Tag::builder()
        .key("tenant")
        .value("t")
        .build();
    secrets
        .tag_resource()
        .secret_id(NAME)
        .tags(tag)
        .send()
        .await
        .unwrap();
    let described = secrets
        .describe_secret()
        .secret_id(NAME)
        .send()
        .await
        .unwrap();
    assert_eq!(described.tags()[0].key(), Some("tenant"));
    assert_eq!(
        described.version_ids_to_stages().unwrap()[FIRST],
        ["AWSCURRENT"]
    );
    let got = secrets
        .get_secret_value()
        .secret_id(described.arn().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(got.secret_string(), Some("a"));
}
