//! How an account consents to a destination type that signs in by OAuth 2.0.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The most characters of an address.
const MAX_URL: usize = 2000;
/// The most scopes, and the most extra parameters.
const MAX_LIST: usize = 50;
/// The most characters of a scope, of a parameter's name and of its value.
const MAX_TEXT: usize = 500;
/// What the gateway itself puts into the query of the authorization URL.
const OWN_PARAMETERS: [&str; 7] =
    ["response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method"];

/// How consent is given (RFC 6749, section 4.1), and into which settings what comes of it goes. The settings are strings
/// of the type's own, not nested; the client's secret and the refresh token are [`crate::Secret`]s.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// Where a browser is sent to consent.
    pub authorization_url: String,
    /// Where the gateway exchanges the code that comes back.
    pub token_url: String,
    /// What is consented to.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// What the authorization URL has in its query beside that.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Whether the service takes PKCE with S256 (RFC 7636).
    #[serde(default)]
    pub pkce: bool,
    /// The setting that holds the client's id.
    pub client_id: String,
    /// The setting that holds the client's secret.
    pub client_secret: String,
    /// The setting that the refresh token goes into. It alone may be renewed while something is delivered.
    pub refresh_token: String,
}

impl Consent {
    /// What is wrong with it for a type whose settings have this JSON Schema.
    pub fn fault(&self, settings: &Value) -> Option<String> {
        let urls = [("authorization_url", &self.authorization_url), ("token_url", &self.token_url)];
        if let Some((name, _)) = urls.into_iter().find(|(_, url)| !is_address(url)) {
            return Some(format!("`{name}` is no address that starts with https://"));
        }
        if self.scopes.len() > MAX_LIST || self.scopes.iter().any(|scope| !is_scope(scope)) {
            return Some("a scope is empty, too long, or has a space in it".to_owned());
        }
        let is_sound = |(name, value): (&String, &String)| {
            is_scope(name) && is_text(value) && !OWN_PARAMETERS.contains(&name.as_str())
        };
        if self.parameters.len() > MAX_LIST || !self.parameters.iter().all(is_sound) {
            return Some("a parameter cannot be one, or is the gateway's own".to_owned());
        }
        for (name, is_secret) in [(&self.client_id, false), (&self.client_secret, true), (&self.refresh_token, true)] {
            let property = settings.get("properties").and_then(|properties| properties.get(name));
            let Some(property) = property else { return Some(format!("there is no setting `{name}`")) };
            if is_secret && property.get("writeOnly") != Some(&Value::Bool(true)) {
                return Some(format!("the setting `{name}` is not `writeOnly`"));
            }
        }
        let names = [&self.client_id, &self.client_secret, &self.refresh_token];
        let are_apart = names[0] != names[1] && names[1] != names[2] && names[0] != names[2];
        (!are_apart).then(|| "two of its settings are the same".to_owned())
    }
}

/// An address by HTTPS; plain HTTP to this very machine is for tests.
fn is_address(url: &str) -> bool {
    let is_sound =
        (1..=MAX_URL).contains(&url.len()) && url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    let host = |scheme: &str| url.strip_prefix(scheme).filter(|rest| !rest.is_empty() && !rest.starts_with('/'));
    is_sound && (host("https://").is_some() || host("http://127.0.0.1:").is_some())
}

fn is_scope(text: &str) -> bool {
    (1..=MAX_TEXT).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_text(text: &str) -> bool {
    text.len() <= MAX_TEXT && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn consent() -> Consent {
        let text = str::to_owned;
        Consent {
            authorization_url: text("https://accounts.tvtube.example/consent?prompt=1"),
            token_url: text("https://accounts.tvtube.example/token"),
            scopes: vec![text("https://tvtube.example/auth/audiences")],
            parameters: BTreeMap::from([(text("access_type"), text("offline"))]),
            pkce: true,
            client_id: text("client_id"),
            client_secret: text("client_secret"),
            refresh_token: text("refresh_token"),
        }
    }

    fn schema() -> Value {
        let secret = json!({ "type": "string", "writeOnly": true });
        json!({ "properties": { "client_id": {}, "client_secret": secret, "refresh_token": secret, "open": {} } })
    }

    #[test]
    fn only_what_the_gateway_can_use_is_sound() {
        let text = str::to_owned;
        assert_eq!(consent().fault(&schema()), None);
        let on_this_machine = Consent { token_url: text("http://127.0.0.1:8080/token"), ..consent() };
        assert_eq!(on_this_machine.fault(&schema()), None);
        let parameters = |name: &str, value: &str| BTreeMap::from([(text(name), text(value))]);
        for wrong in [
            Consent { authorization_url: text("http://tvtube.example/"), ..consent() },
            Consent { authorization_url: text("https://"), ..consent() },
            Consent { authorization_url: text("https://tvtube.example/#consent"), ..consent() },
            Consent { authorization_url: text("javascript:alert(1)"), ..consent() },
            Consent { token_url: text("https://tvtube.example/a b"), ..consent() },
            Consent { token_url: text("http://127.0.0.1.tvtube.example/"), ..consent() },
            Consent { token_url: format!("https://{}", "x".repeat(2000)), ..consent() },
            Consent { scopes: vec![text("one two")], ..consent() },
            Consent { scopes: vec![text("x"); 51], ..consent() },
            Consent { parameters: parameters("state", "1"), ..consent() },
            Consent { parameters: parameters("redirect_uri", "https://attacker.example/"), ..consent() },
            Consent { parameters: parameters("a", "\n"), ..consent() },
            Consent { refresh_token: text("open"), ..consent() },
            Consent { client_secret: text("open"), ..consent() },
            Consent { client_id: text("none"), ..consent() },
            Consent { client_secret: text("refresh_token"), ..consent() },
        ] {
            assert!(wrong.fault(&schema()).is_some(), "{wrong:?}");
        }
    }
}
