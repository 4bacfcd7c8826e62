//! Signing in at an OpenID provider (OpenID Connect Core 1.0): the authorization code flow with PKCE, `state` and `nonce`.
//!
//! What a sign-in was begun with goes with the browser, sealed in a cookie, so that beginning one writes nothing. What comes
//! back counts for that browser alone, within ten minutes, and once.

use crate::{
    gateway::Gateway,
    http::request_id::RequestId,
    outgoing,
    secrets::{new_token, purpose::OF_SIGN_INS, token_hash},
    settings::OpenId,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use entente_destination::{
    DestinationError,
    http::{Http, Plain, endpoint},
};
use entente_domain::{
    Refusal, Timestamp, UserId,
    access::Actor,
    account::email_address,
    refusal::text,
    sign_in::{self, Identified},
};
use entente_store::{Change, Identity, NewSession, Outcome, StoreError, User};
use futures::{FutureExt, future::BoxFuture};
use openidconnect::{
    AsyncHttpClient, AuthType, AuthenticationFlow, AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret,
    CsrfToken, DiscoveryError, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl,
    Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    TokenResponse, UserInfoError,
    core::{
        CoreClient, CoreClientAuthMethod, CoreIdTokenClaims, CoreJwsSigningAlgorithm, CoreProviderMetadata,
        CoreResponseType, CoreUserInfoClaims,
    },
};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;
use zeroize::{Zeroize, Zeroizing};

/// Where browsers come back to.
pub const CALLBACK: &str = "/auth/callback";
/// How long signing in may take.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// The most that the provider's clock may be behind or ahead.
const SKEW: TimeDelta = TimeDelta::seconds(60);
/// The longest that one question to the provider takes: somebody waits for the page.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long it is remembered what the provider says of itself, for beginning sign-ins.
const REMEMBERED: Duration = Duration::from_secs(300);
/// The most bytes of a code, a state or a name.
const MOST: usize = 4_000;

/// Signatures that show who made a token. Those by a shared secret do not.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// Why nobody was signed in. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum NotSignedIn {
    /// The operator has set no provider up.
    #[error("no provider is set up")]
    NoProvider,
    /// The provider does not answer, or not as it should.
    #[error("the provider does not answer as it should: {0}")]
    Provider(String),
    /// No sign-in was begun so by this browser, it came back already, or its time is over.
    #[error("no such sign-in is waited for")]
    StateUnknown,
    /// Too many come back at once.
    #[error("too many come back at once")]
    TooMany,
    /// The provider signed nobody in.
    #[error("the provider signed nobody in")]
    Denied,
    /// The provider does not take the code.
    #[error("the provider does not take the code")]
    CodeRefused,
    /// What the provider gave is not for this sign-in, not for this gateway, not from this provider, or has run out.
    #[error("the provider's token does not count: {0}")]
    TokenRefused(&'static str),
    /// The provider knows no e-mail address of which it has made sure.
    #[error("there is no verified e-mail address")]
    EmailUnverified,
    /// The rules refuse.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A fault of the gateway's own.
    #[error("{0}")]
    Fault(String),
}

impl From<StoreError> for NotSignedIn {
    fn from(error: StoreError) -> Self {
        Self::Fault(error.to_string())
    }
}

/// What goes with the browser, sealed, until it is back.
#[derive(Serialize, Deserialize)]
struct Begun {
    state: String,
    nonce: String,
    /// Proves that who exchanges the code is who began.
    verifier: String,
    return_to: String,
    until: Timestamp,
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.state.zeroize();
        self.nonce.zeroize();
        self.verifier.zeroize();
    }
}

/// A sign-in that is begun.
pub struct Beginning {
    /// Where the browser is to go.
    pub url: String,
    /// What the browser has to bring back, as a cookie.
    pub sealed: String,
}

/// What a browser comes back with.
#[derive(Deserialize)]
pub struct Returned {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    /// Who sent it back (RFC 9207).
    iss: Option<String>,
}

/// Somebody who is signed in.
pub struct SignedIn {
    /// What the browser's cookie is to hold.
    pub token: Zeroizing<String>,
    /// Where the browser is to go.
    pub return_to: String,
}

/// What the provider says of itself, remembered for a while.
#[derive(Default)]
pub struct Remembered(Mutex<Option<(Instant, CoreProviderMetadata)>>);

/// Begins a sign-in that is to lead to a path of this gateway.
pub async fn begin(gateway: &Gateway, return_to: Option<String>) -> Result<Beginning, NotSignedIn> {
    let openid = gateway.settings.openid().ok_or(NotSignedIn::NoProvider)?;
    let metadata = remembered(gateway, &openid).await?;
    let client = client(gateway, &openid, metadata)?;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let flow = AuthenticationFlow::<CoreResponseType>::AuthorizationCode;
    let (url, state, nonce) = client
        .authorize_url(flow, || CsrfToken::new(new_token("state")), Nonce::new_random)
        .add_scopes(["email", "profile"].map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(challenge)
        .url();
    let begun = Begun {
        state: state.secret().clone(),
        nonce: nonce.secret().clone(),
        verifier: verifier.secret().clone(),
        return_to: return_to.filter(|path| is_own_path(path)).unwrap_or_else(|| "/".to_owned()),
        until: crate::clock::now() + LIFETIME,
    };
    let plain = Zeroizing::new(serde_json::to_vec(&begun).map_err(fault)?);
    let sealed = gateway.secrets().seal(OF_SIGN_INS, &plain).map_err(fault)?;
    Ok(Beginning { url: url.to_string(), sealed: URL_SAFE_NO_PAD.encode(sealed) })
}

/// Signs in whoever a browser comes back as. `sealed` is what it was given when it left.
pub async fn finish(
    gateway: &Gateway,
    sealed: Option<&str>,
    returned: Returned,
    request_id: &RequestId,
) -> Result<SignedIn, NotSignedIn> {
    let openid = gateway.settings.openid().ok_or(NotSignedIn::NoProvider)?;
    let begun = sealed.and_then(|sealed| open(gateway, sealed)).ok_or(NotSignedIn::StateUnknown)?;
    let state = returned.state.as_deref().map(token_hash);
    let is_this = state == Some(token_hash(&begun.state)) && begun.until > crate::clock::now();
    if !is_this || returned.iss.is_some_and(|iss| iss != openid.issuer) {
        return Err(NotSignedIn::StateUnknown);
    }
    if !gateway.rates().sign_in() {
        return Err(NotSignedIn::TooMany);
    }
    if !gateway.store().sign_in_comes_back(token_hash(&begun.state), begun.until).await? {
        return Err(NotSignedIn::StateUnknown);
    }
    let code = match (returned.code, returned.error) {
        (Some(code), None) if (1..=MOST).contains(&code.len()) => code,
        _ => return Err(NotSignedIn::Denied),
    };
    let person = exchange(gateway, &openid, &begun, code).await?;
    let user = user(gateway, person, request_id).await?;
    let token = Zeroizing::new(new_token("es"));
    let change = change(Actor::User(user), "signIn", request_id);
    let (created_at, lifetimes) = (change.now, gateway.settings.session_lifetimes());
    let expires_at = created_at + lifetimes.whole;
    let new = NewSession { token_hash: token_hash(&token), user, created_at, expires_at };
    gateway.store().begin_session(change, new).await??;
    Ok(SignedIn { token, return_to: begun.return_to.clone() })
}

/// Ends the session of a browser.
pub async fn sign_out(
    gateway: &Gateway,
    user: Actor,
    token_hash: [u8; 32],
    request_id: &RequestId,
) -> Result<(), StoreError> {
    let _ended = gateway.store().end_session(change(user, "signOut", request_id), token_hash).await?;
    Ok(())
}

/// Somebody whom the provider has signed in.
struct Person {
    identity: Identity,
    email: String,
    name: String,
}

/// Exchanges the code for what the provider says of the person.
async fn exchange(gateway: &Gateway, openid: &OpenId, begun: &Begun, code: String) -> Result<Person, NotSignedIn> {
    // Anew, since the keys may have been changed.
    let metadata = discover(openid).await?;
    let client = client(gateway, openid, metadata)?;
    let asking = Asking(outgoing::client(PATIENCE).map_err(provider)?);
    let tokens = client
        .exchange_code(AuthorizationCode::new(code))
        .map_err(|_| provider("it names no token endpoint"))?
        .set_pkce_verifier(PkceCodeVerifier::new(begun.verifier.clone()))
        .request_async(&asking)
        .boxed()
        .await
        .map_err(|error| match error {
            RequestTokenError::ServerResponse(_) => NotSignedIn::CodeRefused,
            RequestTokenError::Request(error) => provider(error),
            _ => provider("its tokens cannot be read"),
        })?;
    let token = tokens.id_token().ok_or(NotSignedIn::TokenRefused("there is none"))?;
    let verifier = client
        .id_token_verifier()
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(|| crate::clock::now() - SKEW)
        .set_issue_time_verifier_fn(|at| issued(at, crate::clock::now()));
    let claims = token.claims(&verifier, &Nonce::new(begun.nonce.clone())).map_err(token_refused)?;
    if let Some(person) = person(openid, claims) {
        return person;
    }
    let subject = claims.subject().clone();
    let asked =
        client.user_info(tokens.access_token().clone(), Some(subject)).map_err(|_| NotSignedIn::EmailUnverified)?;
    let claims: CoreUserInfoClaims = asked.request_async(&asking).boxed().await.map_err(|error| match error {
        UserInfoError::Request(error) => provider(error),
        UserInfoError::ClaimsVerification(error) => token_refused(error),
        _ => provider("what it knows of the person cannot be read"),
    })?;
    let (email, verified) = (claims.email().map(|email| email.as_str()), claims.email_verified());
    let name = claims.name().and_then(|name| name.get(None)).map(|name| name.as_str());
    of(openid, claims.subject().as_str(), email, verified, name)
}

/// What the token itself says of the person; none where it leaves the address to the provider's other answer.
fn person(openid: &OpenId, claims: &CoreIdTokenClaims) -> Option<Result<Person, NotSignedIn>> {
    let email = claims.email()?.as_str();
    let name = claims.name().and_then(|name| name.get(None)).map(|name| name.as_str());
    Some(of(openid, claims.subject().as_str(), Some(email), claims.email_verified(), name))
}

fn of(
    openid: &OpenId,
    subject: &str,
    email: Option<&str>,
    verified: Option<bool>,
    name: Option<&str>,
) -> Result<Person, NotSignedIn> {
    let email = email.filter(|_| verified == Some(true)).ok_or(NotSignedIn::EmailUnverified)?;
    let email = email_address("email", email).map_err(|_| NotSignedIn::EmailUnverified)?.to_lowercase();
    if subject.is_empty() || subject.len() > MOST {
        return Err(NotSignedIn::TokenRefused("it names nobody"));
    }
    let name = name.and_then(|name| text("name", name, 1, 100).ok());
    let name = name.unwrap_or_else(|| email.chars().take(100).collect());
    Ok(Person { identity: Identity { issuer: openid.issuer.clone(), subject: subject.to_owned() }, email, name })
}

/// The user who somebody is, found by who it is at the provider, or the first time by the address.
async fn user(gateway: &Gateway, person: Person, request_id: &RequestId) -> Result<UserId, NotSignedIn> {
    if let Some(user) = gateway.store().user_of_identity(person.identity.clone()).await? {
        return Ok(user);
    }
    let change = change(Actor::Gateway, "identifyUser", request_id);
    let new = User { id: UserId::new(), email: person.email, name: person.name, created_at: change.now };
    let open = gateway.settings.oidc_new_users;
    let rule = move |known: &sign_in::Identifying| -> Result<Outcome<Identified>, Refusal> {
        sign_in::identify(*known, open).map(Outcome::of)
    };
    // Nobody is told this token: the operator can give the user one that works.
    let nobodys = token_hash(&new_token("eu"));
    Ok(gateway.store().identify(change, person.identity, new, nobodys, Box::new(rule)).await??)
}

fn change(actor: Actor, action: &'static str, request_id: &RequestId) -> Change {
    Change {
        actor,
        account: None,
        agency: None,
        request_id: request_id.as_str().to_owned(),
        action,
        subject: None,
        idempotency_key: None,
        now: crate::clock::now(),
    }
}

/// Tokens of the future are refused: their maker's clock cannot be trusted on when they end.
fn issued(at: DateTime<Utc>, now: Timestamp) -> Result<(), String> {
    if at > now + SKEW { Err("it is of the future".to_owned()) } else { Ok(()) }
}

fn open(gateway: &Gateway, sealed: &str) -> Option<Begun> {
    let sealed = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let plain = gateway.secrets().open_sealed(OF_SIGN_INS, &sealed).ok()?;
    serde_json::from_slice(&plain).ok()
}

/// Whether something is a path of this gateway, and nothing that a browser takes for another host.
fn is_own_path(path: &str) -> bool {
    let is_path = path.starts_with('/') && !path.starts_with("//") && path.len() <= 1_000;
    is_path && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

/// What the provider says of itself, asked for once in a while. Nobody waits for somebody else's question.
async fn remembered(gateway: &Gateway, openid: &OpenId) -> Result<CoreProviderMetadata, NotSignedIn> {
    let remembered = gateway.provider();
    if let Some((_, metadata)) = remembered.0.lock().await.as_ref().filter(|(since, _)| since.elapsed() < REMEMBERED) {
        return Ok(metadata.clone());
    }
    let metadata = discover(openid).await?;
    *remembered.0.lock().await = Some((Instant::now(), metadata.clone()));
    Ok(metadata)
}

/// What the provider says of itself, and its keys.
async fn discover(openid: &OpenId) -> Result<CoreProviderMetadata, NotSignedIn> {
    let issuer = IssuerUrl::new(openid.issuer.clone()).map_err(provider)?;
    let asking = Asking(outgoing::client(PATIENCE).map_err(provider)?);
    let discovered = CoreProviderMetadata::discover_async(issuer, &asking).boxed().await;
    discovered.map_err(|error| match error {
        DiscoveryError::Request(error) => provider(error),
        DiscoveryError::Validation(message) => provider(message),
        _ => provider("what it says of itself cannot be read"),
    })
}

/// A client of the provider, as it knows itself.
type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// The gateway as the provider's client.
fn client(gateway: &Gateway, openid: &OpenId, metadata: CoreProviderMetadata) -> Result<Client, NotSignedIn> {
    // Those that say nothing take the secret in a header (OpenID Connect Discovery 1.0, section 3).
    let methods = metadata.token_endpoint_auth_methods_supported();
    let in_header = methods.is_none_or(|methods| methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
    let back = RedirectUrl::new(format!("{}{CALLBACK}", gateway.base_url)).map_err(fault)?;
    let (id, secret) = (openid.client_id.clone(), openid.client_secret.clone());
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new(id), Some(ClientSecret::new(secret)));
    let auth_type = if in_header { AuthType::BasicAuth } else { AuthType::RequestBody };
    Ok(client.set_redirect_uri(back).set_auth_type(auth_type))
}

/// How the provider is asked.
struct Asking(Http);

impl<'a> AsyncHttpClient<'a> for Asking {
    type Error = DestinationError;
    type Future = BoxFuture<'a, Result<HttpResponse, DestinationError>>;

    fn call(&'a self, request: HttpRequest) -> Self::Future {
        ask(&self.0, request).boxed()
    }
}

async fn ask(http: &Http, request: HttpRequest) -> Result<HttpResponse, DestinationError> {
    endpoint(&request.uri().to_string(), Plain::ToLoopback)?;
    let answer = http.last_answer(request.map(Into::into)).await?;
    Ok(answer.into_response()?.map(|body| body.to_vec()))
}

fn provider(what: impl std::fmt::Display) -> NotSignedIn {
    NotSignedIn::Provider(what.to_string())
}

/// Why a token does not count. The library's own words may name the person.
fn token_refused(error: ClaimsVerificationError) -> NotSignedIn {
    NotSignedIn::TokenRefused(match error {
        ClaimsVerificationError::Expired(_) => "it has run out, or is of the future",
        ClaimsVerificationError::InvalidAudience(_) => "it is for another client",
        ClaimsVerificationError::InvalidIssuer(_) => "it is from another provider",
        ClaimsVerificationError::InvalidNonce(_) => "it is for another sign-in",
        ClaimsVerificationError::InvalidSubject(_) => "it is of another person",
        ClaimsVerificationError::SignatureVerification(_) => "its signature does not count",
        _ => "it is not as it should be",
    })
}

fn fault(error: impl std::fmt::Display) -> NotSignedIn {
    NotSignedIn::Fault(error.to_string())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_sign_in_leads_to_a_path_of_the_gateway() {
        for (path, is_own) in [
            ("/", true),
            ("/graphiql?query=%7B%7D", true),
            ("", false),
            ("//luma.example/", false),
            ("/\\luma.example/", false),
            ("https://luma.example/", false),
            ("/a b", false),
            ("/\r\nset-cookie:x", false),
            ("/\u{e9}", false),
        ] {
            assert_eq!(is_own_path(path), is_own, "{path:?}");
        }
    }

    #[test]
    fn only_a_verified_address_says_who_somebody_is() {
        let [issuer, client_id, client_secret] = ["https://id.example", "entente", "s3cret"].map(str::to_owned);
        let openid = OpenId { issuer, client_id, client_secret };
        let of = |subject: &str, email, verified, name| {
            of(&openid, subject, email, verified, name).map(|person| (person.email, person.name)).ok()
        };
        let ada = |name: &str| Some(("ada@luma.example".to_owned(), name.to_owned()));
        assert_eq!(of("1", Some("Ada@Luma.example"), Some(true), Some("Ada")), ada("Ada"));
        assert_eq!(of("1", Some("ada@luma.example"), Some(true), Some("\u{202e}")), ada("ada@luma.example"));
        for (subject, email, verified) in [
            ("1", Some("ada@luma.example"), Some(false)),
            ("1", Some("ada@luma.example"), None),
            ("1", None, Some(true)),
            ("1", Some("ada"), Some(true)),
            ("", Some("ada@luma.example"), Some(true)),
        ] {
            assert_eq!(of(subject, email, verified, None), None, "{subject} {email:?} {verified:?}");
        }
    }

    #[test]
    fn clocks_may_differ_by_a_minute() {
        let now = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        for (seconds, counts) in [(-3_600, true), (0, true), (60, true), (61, false)] {
            assert_eq!(issued(now + TimeDelta::seconds(seconds), now).is_ok(), counts, "{seconds}");
        }
    }
}
