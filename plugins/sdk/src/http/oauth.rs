//! Access tokens as OAuth 2.0 (RFC 6749) gives them to programs.

use std::fmt;
use std::time::{Duration, Instant};

use ::http::header::AUTHORIZATION;
use ::http::{HeaderValue, Request, StatusCode, Uri};
use bytes::Bytes;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::answer::{Answer, Refusal};
use super::body::form;
use super::client::{Http, request};
use crate::error::DestinationError;
use crate::renewal::{RefreshToken, renewed};
use crate::secret::Secret;

/// A token is not used for longer than its life without this much.
const MARGIN: Duration = Duration::from_secs(60);
/// The life of a token that does not tell it.
const UNTOLD_LIFE: Duration = Duration::from_secs(300);

/// A source of access tokens. Each is used until shortly before it ends, or is refused. Where another refresh token comes
/// with one, it is used from then on, and the gateway keeps it: see [`crate::renewal`].
pub struct OAuth {
    url: Uri,
    form: Zeroizing<String>,
    refreshes: bool,
    refresh_token: Option<RefreshToken>,
    /// Whether the gateway has yet to be given the refresh token.
    is_news: bool,
    token: Option<Token>,
}

struct Token {
    value: Zeroizing<String>,
    until: Instant,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: Option<u64>,
    #[serde(default)]
    refresh_token: Option<String>,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

impl fmt::Debug for OAuth {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OAuth")
    }
}

impl OAuth {
    /// Tokens for what somebody consented to (RFC 6749, section 6). `url` is the token endpoint.
    pub fn refreshing(
        url: Uri,
        client_id: &str,
        client_secret: &Secret<String>,
        refresh_token: &Secret<String>,
    ) -> Self {
        let fields =
            [("grant_type", "refresh_token"), ("client_id", client_id), ("client_secret", client_secret.reveal())];
        let refresh_token = RefreshToken::new(refresh_token.reveal());
        let form = Zeroizing::new(form(&fields));
        Self { url, form, refreshes: true, refresh_token, is_news: false, token: None }
    }

    /// Tokens for the program itself (RFC 6749, section 4.4). `url` is the token endpoint.
    pub fn client_credentials(url: Uri, client_id: &str, client_secret: &Secret<String>, scope: &str) -> Self {
        let fields = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_secret", client_secret.reveal()),
            ("scope", scope),
        ];
        let form = Zeroizing::new(form(&fields));
        Self { url, form, refreshes: false, refresh_token: None, is_news: false, token: None }
    }

    /// Sends a request with a token, and once more with a new one where the endpoint refuses one that was good before.
    ///
    /// # Errors
    /// Those of [`Http::send`]; `Auth` where no token is given.
    pub async fn send(&mut self, http: &Http, request: Request<Bytes>) -> Result<Answer, DestinationError> {
        self.give_refresh_token();
        let was_there = self.token.as_ref().is_some_and(Token::is_good);
        let answer = http.send(self.signed(http, request.clone()).await?).await?;
        if answer.status() != StatusCode::UNAUTHORIZED || !was_there {
            return Ok(answer);
        }
        self.token = None;
        http.send(self.signed(http, request).await?).await
    }

    async fn signed(&mut self, http: &Http, mut request: Request<Bytes>) -> Result<Request<Bytes>, DestinationError> {
        let token = match self.token.take().filter(Token::is_good) {
            Some(token) => token,
            None => self.granted(http).await?,
        };
        let value = Zeroizing::new(format!("Bearer {}", token.value.as_str()));
        let mut value = HeaderValue::from_str(&value)
            .map_err(|_| DestinationError::Permanent("the access token cannot be sent in a header".to_owned()))?;
        value.set_sensitive(true);
        request.headers_mut().insert(AUTHORIZATION, value);
        self.token = Some(token);
        Ok(request)
    }

    async fn granted(&mut self, http: &Http) -> Result<Token, DestinationError> {
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")];
        let began = Instant::now();
        let answer = http.send(request("POST", &self.url, &headers, self.form()?)?).await?;
        if answer.status() == StatusCode::BAD_REQUEST
            && let Ok(Refused { error }) = answer.json()
        {
            return Err(refusal(&error));
        }
        let granted: Granted = answer.taken(Refusal::Auth)?.json()?;
        self.renew(granted.refresh_token.as_deref().and_then(RefreshToken::new));
        let life = granted.expires_in.map_or(UNTOLD_LIFE, Duration::from_secs);
        let until = began.checked_add(life.saturating_sub(MARGIN)).unwrap_or(began);
        Ok(Token { value: Zeroizing::new(granted.access_token), until })
    }
}

impl OAuth {
    fn form(&self) -> Result<Vec<u8>, DestinationError> {
        match &self.refresh_token {
            Some(token) => {
                let field = Zeroizing::new(form(&[("refresh_token", token.reveal())]));
                Ok([self.form.as_bytes(), b"&", field.as_bytes()].concat())
            }
            None if self.refreshes => {
                Err(DestinationError::Config("the refresh token cannot be one: give consent again".to_owned()))
            }
            None => Ok(self.form.as_bytes().to_vec()),
        }
    }

    /// Takes the refresh token that came with an access token, where it is another one. A program that signs in for itself
    /// needs none.
    fn renew(&mut self, token: Option<RefreshToken>) {
        if self.refreshes && token.is_some() && token != self.refresh_token {
            self.refresh_token = token;
            self.is_news = true;
            self.give_refresh_token();
        }
    }

    fn give_refresh_token(&mut self) {
        if let Some(token) = self.refresh_token.as_ref().filter(|_| self.is_news) {
            self.is_news = !renewed(token);
        }
    }
}

impl Token {
    fn is_good(&self) -> bool {
        Instant::now() < self.until
    }
}

/// What the codes of RFC 6749, section 5.2 mean for the account.
fn refusal(error: &str) -> DestinationError {
    match error {
        "invalid_grant" => DestinationError::Auth(
            "the consent was withdrawn or has run out (invalid_grant): consent again, and update the destination with what \
             comes of it"
                .to_owned(),
        ),
        "invalid_client" | "unauthorized_client" | "access_denied" => DestinationError::Auth(
            "the client id and secret are not accepted where access tokens are given: renew them".to_owned(),
        ),
        "invalid_scope" => DestinationError::Config(
            "the client may not have the access that is needed (invalid_scope): allow it where it is registered"
                .to_owned(),
        ),
        _ => DestinationError::Auth("no access token was given: renew the credentials".to_owned()),
    }
}
