//! `GET`, `PUT /v1/operator-profile`: who stands on statements. Those that are final keep what they say.

use std::sync::Arc;

use aws::CommitError;
use axum::extract::State;
use domain::statement::OperatorProfile;
use http::StatusCode;

use crate::app::{App, TRIES_MAX};
use crate::extract::{JsonBody, is_printable};
use crate::problem::{Answer, Code, Failure, unavailable};
use crate::view;

/// Lines of an address.
const ADDRESS_LINES_MAX: usize = 8;
/// Characters of a line.
const LINE_MAX: usize = 120;
/// Characters of a number's prefix.
const PREFIX_MAX: usize = 16;
/// Characters of the footer.
const FOOTER_MAX: usize = 500;

/// Shows it.
pub async fn read(State(app): State<Arc<App>>) -> Answer {
    let (profile, _) = app.store.operator_profile().await?;
    Ok(view::json(StatusCode::OK, &profile))
}

/// Replaces it.
pub async fn replace(
    State(app): State<Arc<App>>,
    JsonBody { value, .. }: JsonBody<OperatorProfile>,
) -> Answer {
    check(&value)?;
    for _ in 0..TRIES_MAX {
        let (_, rev) = app.store.operator_profile().await?;
        match app.store.put_operator_profile(&value, rev).await {
            Ok(()) => return Ok(view::json(StatusCode::OK, &value)),
            Err(CommitError::Conflict { .. }) => app.pause().await,
            Err(error) => return Err(error.into()),
        }
    }
    Err(unavailable("the operator's profile kept changing"))
}

fn check(profile: &OperatorProfile) -> Result<(), Failure> {
    let is_line = |text: &str| is_printable(text, LINE_MAX);
    let optional = |text: &Option<String>| text.as_deref().is_none_or(is_line);
    let prefix = &profile.number_prefix;
    let is_prefix = prefix.len() <= PREFIX_MAX
        && prefix
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-/.".contains(&byte));
    let is_footer = |text: &String| {
        text.chars().count() <= FOOTER_MAX
            && text
                .lines()
                .all(|line| line.is_empty() || is_printable(line, FOOTER_MAX))
    };
    let fits = is_line(&profile.name)
        && profile.address.len() <= ADDRESS_LINES_MAX
        && profile.address.iter().all(|line| is_line(line))
        && optional(&profile.tax_id)
        && optional(&profile.email)
        && is_prefix
        && profile.footer.as_ref().is_none_or(is_footer);
    if fits {
        Ok(())
    } else {
        Err(Code::PROFILE_INVALID.into())
    }
}
