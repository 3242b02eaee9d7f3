//! Secrets Manager: versions, staging labels that move, tokens that make puts idempotent,
//! deletion with a recovery window on the injected clock. No rotation functions, no KMS.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::names::{ACCOUNT, REGION};
use super::random::Random;
use super::wire::{Answer, ApiError, text};

const CURRENT: &str = "AWSCURRENT";
const PREVIOUS: &str = "AWSPREVIOUS";
/// Recovery window when DeleteSecret names none.
const RECOVERY_DAYS: i64 = 30;

#[derive(Debug, Clone)]
struct Version {
    content: String,
    stages: BTreeSet<String>,
    created_at: Timestamp,
}

#[derive(Debug, Clone)]
struct Secret {
    arn: String,
    name: String,
    description: Value,
    tags: BTreeMap<String, String>,
    versions: BTreeMap<String, Version>,
    created_at: Timestamp,
    changed_at: Timestamp,
    /// When it was asked to be deleted, and when it will be gone.
    deletion: Option<(Timestamp, Timestamp)>,
}

/// All secrets, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets {
    secrets: BTreeMap<String, Secret>,
}

fn missing() -> ApiError {
    ApiError::client(
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret.",
    )
}

fn marked() -> ApiError {
    ApiError::client(
        "InvalidRequestException",
        "You can't perform this operation on the secret because it was marked for deletion.",
    )
}

fn parameter(message: &str) -> ApiError {
    ApiError::client("InvalidParameterException", message)
}

fn token_used(token: &str) -> ApiError {
    let message = format!(
        "You can't use ClientRequestToken {token} because that value is already in use for a version of this secret."
    );
    ApiError::client("ResourceExistsException", message)
}

/// Epoch seconds with milliseconds, as the JSON protocol writes times.
fn seconds(at: Timestamp) -> Value {
    let text = format!("{}.{:03}", at.as_second(), at.subsec_millisecond());
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

fn content(request: &Value) -> Result<Option<String>, ApiError> {
    match (text(request, "SecretString"), text(request, "SecretBinary")) {
        (Some(_), Some(_)) => Err(parameter(
            "You can't specify both a binary and a string secret value.",
        )),
        (Some(""), None) => Err(parameter(
            "You must provide either SecretString or SecretBinary.",
        )),
        (string, _) => Ok(string.map(str::to_owned)),
    }
}

impl Secrets {
    /// Serves one call.
    pub fn serve(
        &mut self,
        operation: &str,
        request: &Value,
        now: Timestamp,
        random: &mut Random,
    ) -> Answer {
        // What is past its recovery window is gone.
        self.secrets
            .retain(|_, secret| secret.deletion.is_none_or(|(_, gone_at)| gone_at > now));
        if operation == "CreateSecret" {
            return self.create(request, now, random);
        }
        let id = text(request, "SecretId").unwrap_or_default();
        let name = self.find(id).ok_or_else(missing)?;
        if operation == "DeleteSecret" {
            return self.delete(&name, request, now);
        }
        let secret = self.secrets.get_mut(&name).ok_or_else(missing)?;
        match operation {
            "DescribeSecret" => return Ok(secret.describe()),
            "RestoreSecret" => {
                secret.deletion = None;
                return Ok(json!({"ARN": secret.arn, "Name": secret.name}));
            }
            _ if secret.deletion.is_some() => return Err(marked()),
            _ => {}
        }
        match operation {
            "GetSecretValue" => secret.get(request),
            "PutSecretValue" => secret.put(request, now, random),
            "UpdateSecretVersionStage" => secret.move_stage(request, now),
            "TagResource" => {
                secret.tag(request);
                Ok(json!({}))
            }
            _ => Err(ApiError::client(
                "InvalidRequestException",
                format!("{operation} is not played locally"),
            )),
        }
    }

    /// Name of the secret that an id (name, ARN, or ARN without its random suffix) means.
    fn find(&self, id: &str) -> Option<String> {
        if self.secrets.contains_key(id) {
            return Some(id.to_owned());
        }
        let meant = |secret: &&Secret| {
            id.starts_with("arn:")
                && (secret.arn == id
                    || secret
                        .arn
                        .rsplit_once('-')
                        .is_some_and(|(arn, _)| arn == id))
        };
        self.secrets
            .values()
            .find(meant)
            .map(|secret| secret.name.clone())
    }

    fn create(&mut self, request: &Value, now: Timestamp, random: &mut Random) -> Answer {
        let name = text(request, "Name").unwrap_or_default();
        let fits = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
        if name.is_empty() || name.len() > 512 || !name.chars().all(fits) {
            return Err(ApiError::client(
                "ValidationException",
                "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
            ));
        }
        let content = content(request)?;
        let token =
            text(request, "ClientRequestToken").map_or_else(|| random.uuid(), str::to_owned);
        if let Some(secret) = self.secrets.get(name) {
            if secret.deletion.is_some() {
                return Err(ApiError::client(
                    "InvalidRequestException",
                    "You can't create this secret because a secret with this name is already scheduled for deletion.",
                ));
            }
            let same = secret
                .versions
                .get(&token)
                .is_some_and(|version| Some(&version.content) == content.as_ref());
            return if same {
                Ok(json!({"ARN": secret.arn, "Name": secret.name, "VersionId": token}))
            } else {
                let message =
                    format!("The operation failed because the secret {name} already exists.");
                Err(ApiError::client("ResourceExistsException", message))
            };
        }
        let suffix: String = random.uuid().chars().take(6).collect();
        let mut secret = Secret {
            arn: format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{name}-{suffix}"),
            name: name.to_owned(),
            description: request.get("Description").cloned().unwrap_or(Value::Null),
            tags: BTreeMap::new(),
            versions: BTreeMap::new(),
            created_at: now,
            changed_at: now,
            deletion: None,
        };
        secret.tag(request);
        let mut answer = json!({"ARN": secret.arn, "Name": name});
        if let Some(content) = content {
            secret.add(&token, content, &[CURRENT.to_owned()], now);
            answer["VersionId"] = token.into();
        }
        self.secrets.insert(name.to_owned(), secret);
        Ok(answer)
    }

    fn delete(&mut self, name: &str, request: &Value, now: Timestamp) -> Answer {
        let forced = request
            .get("ForceDeleteWithoutRecovery")
            .and_then(Value::as_bool)
            .unwrap_or(false);
        let window = request.get("RecoveryWindowInDays").and_then(Value::as_i64);
        if forced && window.is_some() {
            return Err(parameter(
                "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
            ));
        }
        let days = window.unwrap_or(RECOVERY_DAYS);
        if !(7..=30).contains(&days) {
            return Err(parameter(
                "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
            ));
        }
        let secret = self.secrets.get_mut(name).ok_or_else(missing)?;
        if secret.deletion.is_some() && !forced {
            return Err(marked());
        }
        let gone_at = if forced {
            now
        } else {
            now + SignedDuration::from_hours(24 * days)
        };
        secret.deletion = Some((now, gone_at));
        let answer = json!({"ARN": secret.arn, "Name": name, "DeletionDate": seconds(gone_at)});
        if forced {
            self.secrets.remove(name);
        }
        Ok(answer)
    }
}

impl Secret {
    fn holder(&self, stage: &str) -> Option<String> {
        let holder = self
            .versions
            .iter()
            .find(|(_, version)| version.stages.contains(stage));
        holder.map(|(id, _)| id.clone())
    }

    /// Gives a label to a version; AWSPREVIOUS follows AWSCURRENT by itself.
    fn label(&mut self, id: &str, stage: &str) {
        let before = self.holder(stage);
        if before.as_deref() == Some(id) {
            return;
        }
        self.unlabel(stage);
        if let (CURRENT, Some(before)) = (stage, before) {
            self.unlabel(PREVIOUS);
            if let Some(version) = self.versions.get_mut(&before) {
                version.stages.insert(PREVIOUS.to_owned());
            }
        }
        if let Some(version) = self.versions.get_mut(id) {
            version.stages.insert(stage.to_owned());
            if stage == CURRENT {
                version.stages.remove(PREVIOUS);
            }
        }
    }

    fn unlabel(&mut self, stage: &str) {
        for version in self.versions.values_mut() {
            version.stages.remove(stage);
        }
    }

    fn add(&mut self, id: &str, content: String, stages: &[String], now: Timestamp) {
        self.versions.insert(
            id.to_owned(),
            Version {
                content,
                stages: BTreeSet::new(),
                created_at: now,
            },
        );
        for stage in stages {
            self.label(id, stage);
        }
        self.changed_at = now;
    }

    fn get(&self, request: &Value) -> Answer {
        let (id, stage) = (text(request, "VersionId"), text(request, "VersionStage"));
        let wanted = match (id, stage) {
            (Some(id), _) => self.versions.get_key_value(id),
            (None, stage) => self
                .holder(stage.unwrap_or(CURRENT))
                .and_then(|id| self.versions.get_key_value(id.as_str())),
        };
        let (id, version) = wanted.ok_or_else(|| {
            let by = id.map_or_else(
                || format!("staging label: {}", stage.unwrap_or(CURRENT)),
                |id| format!("VersionId: {id}"),
            );
            ApiError::client(
                "ResourceNotFoundException",
                format!("Secrets Manager can't find the specified secret value for {by}"),
            )
        })?;
        if stage.is_some_and(|stage| !version.stages.contains(stage)) {
            return Err(ApiError::client(
                "InvalidRequestException",
                "You provided a VersionStage that is not associated to the provided VersionId.",
            ));
        }
        Ok(json!({
            "ARN": self.arn, "Name": self.name, "VersionId": id, "SecretString": version.content,
            "VersionStages": version.stages, "CreatedDate": seconds(version.created_at),
        }))
    }

    fn put(&mut self, request: &Value, now: Timestamp, random: &mut Random) -> Answer {
        let content = content(request)?
            .ok_or_else(|| parameter("You must provide either SecretString or SecretBinary."))?;
        let token =
            text(request, "ClientRequestToken").map_or_else(|| random.uuid(), str::to_owned);
        let stages: Vec<String> = request
            .get("VersionStages")
            .and_then(Value::as_array)
            .map_or_else(
                || vec![CURRENT.to_owned()],
                |stages| {
                    stages
                        .iter()
                        .filter_map(Value::as_str)
                        .map(str::to_owned)
                        .collect()
                },
            );
        match self.versions.get(&token) {
            Some(version) if version.content == content => {}
            Some(_) => return Err(token_used(&token)),
            None if self.versions.is_empty() => self.add(
                &token,
                content,
                &[stages, vec![CURRENT.to_owned()]].concat(),
                now,
            ),
            None => self.add(&token, content, &stages, now),
        }
        let stages = self.versions.get(&token).map(|version| &version.stages);
        Ok(json!({"ARN": self.arn, "Name": self.name, "VersionId": token, "VersionStages": stages}))
    }

    fn move_stage(&mut self, request: &Value, now: Timestamp) -> Answer {
        let stage = text(request, "VersionStage").unwrap_or_default();
        if stage.is_empty() {
            return Err(parameter("You must provide VersionStage."));
        }
        let (to, from) = (
            text(request, "MoveToVersionId"),
            text(request, "RemoveFromVersionId"),
        );
        let holder = self.holder(stage);
        if let Some(unknown) = [to, from]
            .into_iter()
            .flatten()
            .find(|id| !self.versions.contains_key(*id))
        {
            let message =
                format!("Secrets Manager can't find the specified secret version: {unknown}.");
            return Err(ApiError::client("ResourceNotFoundException", message));
        }
        if to.is_none() && from.is_none() {
            return Err(parameter(
                "You must provide MoveToVersionId or RemoveFromVersionId.",
            ));
        }
        if to.is_none() && stage == CURRENT {
            return Err(parameter(
                "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.",
            ));
        }
        if from.is_some() && from != holder.as_deref() {
            return Err(parameter(
                "The staging label is not attached to the version of RemoveFromVersionId.",
            ));
        }
        if let (Some(to), Some(holder), None) = (to, holder.as_deref(), from)
            && to != holder
        {
            return Err(parameter(&format!(
                "The parameter RemoveFromVersionId can't be empty. Staging label {stage} is currently attached to version {holder}, so you must explicitly reference that version in RemoveFromVersionId."
            )));
        }
        match to {
            Some(to) => self.label(to, stage),
            None => self.unlabel(stage),
        }
        self.changed_at = now;
        Ok(json!({"ARN": self.arn, "Name": self.name}))
    }

    fn tag(&mut self, request: &Value) {
        for tag in request
            .get("Tags")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if let (Some(key), Some(value)) = (text(tag, "Key"), text(tag, "Value")) {
                self.tags.insert(key.to_owned(), value.to_owned());
            }
        }
    }

    fn describe(&self) -> Value {
        let tags: Vec<Value> = self
            .tags
            .iter()
            .map(|(key, value)| json!({"Key": key, "Value": value}))
            .collect();
        let stages: BTreeMap<&String, &BTreeSet<String>> = self
            .versions
            .iter()
            .filter(|(_, version)| !version.stages.is_empty())
            .map(|(id, version)| (id, &version.stages))
            .collect();
        let mut answer = json!({
            "ARN": self.arn, "Name": self.name, "Tags": tags, "VersionIdsToStages": stages,
            "CreatedDate": seconds(self.created_at), "LastChangedDate": seconds(self.changed_at),
        });
        if !self.description.is_null() {
            answer["Description"] = self.description.clone();
        }
        if let Some((deleted_at, _)) = self.deletion {
            answer["DeletedDate"] = seconds(deleted_at);
        }
        answer
    }
}
