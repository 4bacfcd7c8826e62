//! Where a browser comes back to once somebody consented on a platform.
//!
//! What came of the consent is named by a code that this very browser alone is shown. So nobody can have somebody else
//! consent for them by sending them the address of a platform: the code would be with whom it was sent to.

use crate::{
    consent::{self, ConsentError, NotGiven},
    gateway::Gateway,
    http::page,
};
use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use entente_destination::http::percent;
use serde::Deserialize;
use std::sync::Arc;

/// The most bytes of what a browser brings back.
const MOST: usize = 4_000;

/// What a platform sends the browser back with.
#[derive(Deserialize)]
pub struct Returned {
    state: Option<String>,
    code: Option<String>,
}

/// What became of a consent.
enum Outcome {
    /// It was given, and this code names it.
    Given(String),
    /// Whoever was asked did not consent.
    Denied,
    /// There is none that was begun so, or its time is over.
    Unknown,
    /// It was given, and the platform did not let it be used.
    Failed,
    /// It was given, and the platform gave no refresh token.
    NotLasting,
}

/// Takes what a browser comes back with, once.
pub async fn callback(
    State(gateway): State<Arc<Gateway>>,
    returned: Result<Query<Returned>, QueryRejection>,
) -> Response {
    let outcome = match returned {
        Ok(Query(returned)) => came_back(&gateway, returned).await,
        Err(_) => Ok(Outcome::Unknown),
    };
    match outcome {
        Ok(outcome) => told(&gateway.settings.consent_return_url, &outcome),
        Err(error) => {
            tracing::error!(message = "a consent could not be kept", %error);
            page(StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong in the gateway. Begin again.", None)
        }
    }
}

async fn came_back(gateway: &Gateway, returned: Returned) -> Result<Outcome, ConsentError> {
    let Some(state) = returned.state.filter(|state| state.len() <= MOST) else { return Ok(Outcome::Unknown) };
    let now = crate::clock::now();
    let row = gateway.store().returned_consent(crate::secrets::token_hash(&state), now).await?;
    let Some(row) = row else { return Ok(Outcome::Unknown) };
    let outcome = match returned.code.filter(|code| (1..=MOST).contains(&code.len())) {
        None => Outcome::Denied,
        Some(code) => match consent::exchange(gateway, &row, &code, now).await? {
            Ok(consent_code) => return Ok(Outcome::Given(consent_code)),
            Err(not_given) => {
                tracing::warn!(message = "nothing came of a consent", consent = %row.id, %not_given);
                if matches!(not_given, NotGiven::NoRefreshToken) { Outcome::NotLasting } else { Outcome::Failed }
            }
        },
    };
    gateway.store().forget_consent(row.id).await?;
    Ok(outcome)
}

/// Tells the browser, on the operator's page where there is one. Nothing that came from outside is in the answer.
fn told(return_url: &str, outcome: &Outcome) -> Response {
    if !return_url.is_empty() {
        let field = match outcome {
            Outcome::Given(code) => format!("consent_code={}", percent(code)),
            Outcome::Denied => "consent_error=denied".to_owned(),
            Outcome::Unknown => "consent_error=unknown".to_owned(),
            Outcome::Failed | Outcome::NotLasting => "consent_error=failed".to_owned(),
        };
        let joint = if return_url.contains('?') { '&' } else { '?' };
        let location = (header::LOCATION, format!("{return_url}{joint}{field}"));
        return (StatusCode::SEE_OTHER, page::private(), [location]).into_response();
    }
    let (status, message) = match outcome {
        Outcome::Given(code) => {
            let message = "The consent was given. Use this code within ten minutes, once, as the consentCode of \
                createDestination or updateDestination:";
            return page(StatusCode::OK, message, Some(code));
        }
        Outcome::Denied => (StatusCode::OK, "No consent was given. Nothing was changed."),
        Outcome::Unknown => {
            (StatusCode::BAD_REQUEST, "There is no such consent, or its ten minutes are over. Begin again.")
        }
        Outcome::Failed => {
            let message = "The platform did not let the consent be used. Look at the client's id and secret, and at the \
                redirect address that the platform knows; then begin again.";
            (StatusCode::BAD_GATEWAY, message)
        }
        Outcome::NotLasting => {
            let message = "The platform gave no lasting access (no refresh token). Your application there must be one \
                that may have it; then begin again.";
            (StatusCode::BAD_GATEWAY, message)
        }
    };
    page(status, message, None)
}

/// A page of the gateway's own words, and a code of its own.
fn page(status: StatusCode, message: &str, code: Option<&str>) -> Response {
    page::page("Consent", status, message, code)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_operators_page_is_told_in_its_query() {
        let location = |url: &str, outcome: &Outcome| {
            let response = told(url, outcome);
            (response.status().as_u16(), response.headers()[header::LOCATION].to_str().unwrap().to_owned())
        };
        let given = Outcome::Given("consent_a-b".to_owned());
        for (url, outcome, expected) in [
            ("https://app.example/c", &given, "https://app.example/c?consent_code=consent_a-b"),
            ("https://app.example/?c=1", &given, "https://app.example/?c=1&consent_code=consent_a-b"),
            ("https://app.example/c", &Outcome::Denied, "https://app.example/c?consent_error=denied"),
            ("https://app.example/c", &Outcome::Unknown, "https://app.example/c?consent_error=unknown"),
            ("https://app.example/c", &Outcome::NotLasting, "https://app.example/c?consent_error=failed"),
        ] {
            assert_eq!(location(url, outcome), (303, expected.to_owned()));
        }
    }

    #[test]
    fn the_page_is_nobodys_to_keep() {
        for (outcome, status) in [(Outcome::Given("c".to_owned()), 200), (Outcome::Denied, 200), (Outcome::Failed, 502)]
        {
            let response = told("", &outcome);
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
            assert_eq!(response.headers()[header::REFERRER_POLICY], "no-referrer");
            assert!(
                response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().contains("default-src 'none'")
            );
        }
    }
}
