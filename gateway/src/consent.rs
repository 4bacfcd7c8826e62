//! Consent by OAuth 2.0 (RFC 6749, section 4.1), with PKCE (RFC 7636) where the platform takes it: where a browser is sent,
//! and what is made of the code that it brings back. The requests are few and plain, and answers are read more leniently
//! than by the letter: LinkedIn's have no `token_type`.

use crate::{
    gateway::Gateway,
    secrets::{SecretsError, new_token, purpose::of_consent, token_hash},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use entente_destination::{
    Consent, DestinationError, Operator, Reaches, RefreshToken,
    http::{Answer, Http, Options, Plain, Retry, StatusCode, code, endpoint, form, request},
};
use entente_domain::{AccountId, ConsentId, Refusal, Timestamp, oauth_consent};
use entente_store::{Consent as Row, NewConsent, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::time::Duration;
use zeroize::{Zeroize, Zeroizing};

/// Where browsers come back to.
pub const CALLBACK: &str = "/oauth/callback";

/// The longest that exchanging a code takes: somebody waits for the page.
const PATIENCE: Duration = Duration::from_secs(20);
/// The most bytes of a client's id or secret.
const MOST_OF_CLIENT: usize = 2_000;

/// A fault of the gateway's own.
#[derive(Debug, thiserror::Error)]
pub enum ConsentError {
    /// What is kept cannot be sealed or opened.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// What was sealed is something else.
    #[error("a consent holds something else than it should")]
    Unreadable,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is kept until the browser is back.
#[derive(Serialize, Deserialize)]
struct Begun {
    client_id: String,
    client_secret: String,
    /// Proves, where the platform takes PKCE, that who exchanges the code is who began.
    verifier: Option<String>,
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.client_secret.zeroize();
        self.verifier.zeroize();
    }
}

/// A consent that is begun: where the browser is to go, and what is to be kept.
pub struct Beginning {
    /// Where the browser is to go.
    pub url: String,
    /// What is to be kept.
    pub new: NewConsent,
}

/// Where platforms are told to send browsers back to.
pub fn redirect_uri(gateway: &Gateway) -> String {
    format!("{}{CALLBACK}", gateway.base_url)
}

/// Begins a consent of an account to a destination type, with the client in these settings.
pub fn begin(
    gateway: &Gateway,
    (destination_type, consent): (&str, &Consent),
    account: AccountId,
    begun_by: String,
    settings: &Value,
    now: Timestamp,
) -> Result<Result<Beginning, Refusal>, ConsentError> {
    let (client_id, client_secret) =
        match (client(settings, &consent.client_id), client(settings, &consent.client_secret)) {
            (Ok(id), Ok(secret)) => (id, secret),
            (Err(refusal), _) | (_, Err(refusal)) => return Ok(Err(refusal)),
        };
    let state = Zeroizing::new(new_token("state"));
    let begun = Begun { client_id, client_secret, verifier: consent.pkce.then(|| new_token("verifier")) };
    let url = authorization_url(consent, &begun, &redirect_uri(gateway), &state);
    let id = ConsentId::new();
    let begun = Zeroizing::new(serde_json::to_vec(&begun).map_err(|_| ConsentError::Unreadable)?);
    let new = NewConsent {
        id,
        account,
        begun_by,
        destination_type: destination_type.to_owned(),
        state_hash: token_hash(&state),
        secrets_sealed: gateway.secrets().seal(&of_consent(id), &begun)?,
        created_at: now,
        expires_at: now + oauth_consent::LIFETIME,
    };
    Ok(Ok(Beginning { url, new }))
}

/// The client's id or secret in settings.
fn client(settings: &Value, setting: &str) -> Result<String, Refusal> {
    let text = settings.get(setting).and_then(Value::as_str).filter(|text| (1..=MOST_OF_CLIENT).contains(&text.len()));
    let missing =
        || Refusal::invalid("settings", format!("Set `{setting}`, which the platform gave to your application."));
    text.map(str::to_owned).ok_or_else(missing)
}

fn authorization_url(consent: &Consent, begun: &Begun, redirect_uri: &str, state: &str) -> String {
    let scope = consent.scopes.join(" ");
    let challenge = begun.verifier.as_ref().map(|verifier| URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)));
    let mut fields = vec![
        ("response_type", "code"),
        ("client_id", begun.client_id.as_str()),
        ("redirect_uri", redirect_uri),
        ("state", state),
    ];
    if !scope.is_empty() {
        fields.push(("scope", &scope));
    }
    if let Some(challenge) = &challenge {
        fields.extend([("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")]);
    }
    fields.extend(consent.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let joint = if consent.authorization_url.contains('?') { '&' } else { '?' };
    format!("{}{joint}{}", consent.authorization_url, form(&fields))
}

/// Why nothing came of a consent, though a browser came back with one that was begun.
#[derive(Debug, thiserror::Error)]
pub enum NotGiven {
    /// The destination type is gone, or asks for no consent any more.
    #[error("the destination type is gone")]
    TypeGone,
    /// The platform does not take the code.
    #[error("the platform does not take the code: {0}")]
    Refused(String),
    /// The platform gave no refresh token.
    #[error("the platform gave no refresh token")]
    NoRefreshToken,
    /// The platform could not be asked.
    #[error("the platform could not be asked: {0}")]
    Unreachable(DestinationError),
}

/// Exchanges the code that a browser brought back. Gives the consent code, which names what came of it from now on, and
/// which nobody else learns.
pub async fn exchange(
    gateway: &Gateway,
    row: &Row,
    code: &str,
    now: Timestamp,
) -> Result<Result<String, NotGiven>, ConsentError> {
    let plain = gateway.secrets().open_sealed(&of_consent(row.id), &row.secrets_sealed)?;
    let begun: Begun = serde_json::from_slice(&plain).map_err(|_| ConsentError::Unreadable)?;
    let of_type = gateway.destinations().describe(&row.destination_type);
    let Some((consent, reaches)) = of_type.and_then(|of_type| Some((of_type.consent?, of_type.reaches))) else {
        return Ok(Err(NotGiven::TypeGone));
    };
    let token = match refresh_token(gateway, (&consent, &reaches), &begun, code).await {
        Ok(token) => token,
        Err(not_given) => return Ok(Err(not_given)),
    };
    let consent_code = new_token("consent");
    let sealed = gateway.secrets().seal(&of_consent(row.id), token.reveal().as_bytes())?;
    let until = now + oauth_consent::LIFETIME;
    gateway.store().consent_given(row.id, token_hash(&consent_code), sealed, until).await?;
    Ok(Ok(consent_code))
}

/// What a token endpoint answers.
#[derive(Deserialize)]
struct Granted {
    refresh_token: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

async fn refresh_token(
    gateway: &Gateway,
    (consent, reaches): (&Consent, &Reaches),
    begun: &Begun,
    code: &str,
) -> Result<RefreshToken, NotGiven> {
    let redirect_uri = redirect_uri(gateway);
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &redirect_uri),
        ("client_id", &begun.client_id),
        ("client_secret", &begun.client_secret),
    ];
    fields.extend(begun.verifier.as_ref().map(|verifier| ("code_verifier", verifier.as_str())));
    let form = Zeroizing::new(form(&fields));
    let answer = ask(gateway, reaches, &consent.token_url, &form).await.map_err(NotGiven::Unreachable)?;
    if answer.status() != StatusCode::OK {
        let error = answer.json().map(|Refused { error }| error).unwrap_or_default();
        return Err(NotGiven::Refused(self::code(&error).map_or_else(|| answer.status().to_string(), str::to_owned)));
    }
    let granted: Granted = answer.json().map_err(NotGiven::Unreachable)?;
    granted.refresh_token.and_then(|token| RefreshToken::new(&token)).ok_or(NotGiven::NoRefreshToken)
}

/// Asks a token endpoint, within what the operator allows destinations and the type says it reaches.
async fn ask(gateway: &Gateway, reaches: &Reaches, url: &str, form: &str) -> Result<Answer, DestinationError> {
    let networks = gateway.settings.destination_networks.0.clone();
    let operator = reaches.of(&Operator { networks, ..Operator::default() });
    let options = Options { timeout: PATIENCE, retry: Retry::NEVER, ..Options::default() };
    let http = Http::new(&operator, options)?;
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")];
    http.last_answer(request("POST", &endpoint(url, Plain::ToLoopback)?, &headers, form.as_bytes().to_vec())?).await
}

/// What a consent code names: the consent, to be used up, and the refresh token that came of it.
pub async fn named(
    gateway: &Gateway,
    consent_code: &str,
    account: AccountId,
    destination_type: &str,
    now: Timestamp,
) -> Result<Result<(ConsentId, RefreshToken), Refusal>, ConsentError> {
    let hash = token_hash(consent_code);
    let Some(row) = gateway.store().consent_by_code(hash, account, destination_type, now).await? else {
        return Ok(Err(oauth_consent::code_invalid()));
    };
    let plain = gateway.secrets().open_sealed(&of_consent(row.id), &row.secrets_sealed)?;
    let token = std::str::from_utf8(&plain).ok().and_then(RefreshToken::new);
    Ok(Ok((row.id, token.ok_or(ConsentError::Unreadable)?)))
}

/// Keeps a refresh token that took the place of the one that a consent code names, which may be used again.
pub async fn renewed(
    gateway: &Gateway,
    (id, consent_code): (ConsentId, &str),
    token: &RefreshToken,
    now: Timestamp,
) -> Result<(), ConsentError> {
    let sealed = gateway.secrets().seal(&of_consent(id), token.reveal().as_bytes())?;
    let until = now + oauth_consent::LIFETIME;
    Ok(gateway.store().consent_given(id, token_hash(consent_code), sealed, until).await?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn consent() -> Consent {
        Consent {
            authorization_url: "https://accounts.tvtube.example/consent".to_owned(),
            token_url: "https://accounts.tvtube.example/token".to_owned(),
            scopes: vec!["audiences".to_owned(), "offline".to_owned()],
            parameters: BTreeMap::from([("prompt".to_owned(), "consent".to_owned())]),
            client_id: "client_id".to_owned(),
            ..Consent::default()
        }
    }

    fn begun(client_id: &str, verifier: Option<&str>) -> Begun {
        Begun {
            client_id: client_id.to_owned(),
            client_secret: "s3cret".to_owned(),
            verifier: verifier.map(str::to_owned),
        }
    }

    #[test]
    fn a_browser_is_sent_with_all_that_the_platform_needs() {
        let back = "https://gateway.example/oauth/callback";
        let url = authorization_url(&consent(), &begun("luma&co", None), back, "st4te");
        let expected = "https://accounts.tvtube.example/consent?response_type=code&client_id=luma%26co\
            &redirect_uri=https%3A%2F%2Fgateway.example%2Foauth%2Fcallback&state=st4te&scope=audiences%20offline\
            &prompt=consent";
        assert_eq!(url, expected);
        let with_query = Consent { authorization_url: "https://tvtube.example/?a=1".to_owned(), ..consent() };
        // The example of RFC 7636, appendix B.
        let begun = begun("luma", Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        let url = authorization_url(&with_query, &begun, back, "st4te");
        assert!(url.starts_with("https://tvtube.example/?a=1&response_type=code&"), "{url}");
        let challenge = "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
        assert!(url.contains(challenge), "{url}");
    }

    #[test]
    fn the_client_is_in_the_settings() {
        assert_eq!(client(&json!({ "client_id": "luma" }), "client_id").unwrap(), "luma");
        for settings in [json!({}), json!({ "client_id": "" }), json!({ "client_id": 7 }), json!(null)] {
            assert!(client(&settings, "client_id").is_err(), "{settings}");
        }
    }
}
