//! Settings: defaults from `entente.toml`, then a file, then the environment. An unknown setting is an error.

use crate::destinations::confinement::{LEAST_MEMORY, UserName};
use axum::http::{HeaderValue, Uri};
use chrono::TimeDelta;
use entente_domain::{AccountId, credit::Prices, sign_in::Lifetimes, terms::LONGEST_VERSION};
use figment::{
    Figment,
    providers::{Env, Format, Toml},
};
use ipnet::IpNet;
use lettre::message::Mailbox;
use serde::Deserialize;
use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

/// The commented file that holds every setting with its default.
pub const DEFAULTS: &str = include_str!("../entente.toml");

/// Keys in the environment, which are no settings: settings may be printed.
const KEYS: [&str; 3] = ["gateway_key", "new_gateway_key", "token"];

/// Networks, written with commas between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Networks(pub Vec<IpNet>);

impl TryFrom<String> for Networks {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let networks = text.split(',').map(str::trim).filter(|network| !network.is_empty());
        let parsed = networks.map(|network| {
            let parsed = network.parse::<IpNet>();
            parsed.map_err(|_| format!("`{network}` is not a network, such as 10.20.0.0/16"))
        });
        parsed.collect::<Result<_, _>>().map(Self)
    }
}

/// Origins of pages, written with commas between them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Origins(pub Vec<HeaderValue>);

impl TryFrom<String> for Origins {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let origins = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        let parsed = origins.map(|origin| match HeaderValue::from_str(origin) {
            Ok(value) if is_origin(origin) => Ok(value),
            _ => Err(format!("`{origin}` is not an origin, such as https://app.example or http://localhost:3000")),
        });
        parsed.collect::<Result<_, _>>().map(Self)
    }
}

/// A secret. Settings may be printed; it is not.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// The provider at which people sign in.
pub struct OpenId {
    /// Its issuer.
    pub issuer: String,
    /// What it calls the gateway.
    pub client_id: String,
    /// How the gateway shows that it is the gateway.
    pub client_secret: String,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// All settings; what each means is said in `entente.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Public address, or empty.
    pub public_url: String,
    /// The data folder.
    pub data: PathBuf,
    /// The database's address, or empty.
    pub database_url: String,
    /// The file of the gateway's key, or empty.
    pub gateway_key_file: String,
    /// Plugin folders separated by `:`, or empty.
    pub plugins: String,
    /// Root of folders that destinations write to, or empty.
    pub landing_root: String,
    /// Networks that destinations may send to beside the public addresses.
    pub destination_networks: Networks,
    /// Where browsers go once somebody consented, or empty.
    pub consent_return_url: String,
    /// Whom workers run as.
    pub worker_user: UserName,
    /// Bytes.
    pub worker_memory: u64,
    /// Any signed-in user may create accounts.
    pub self_service: bool,
    /// The OpenID provider at which people sign in, or empty.
    pub oidc_issuer: String,
    /// What the provider calls the gateway.
    pub oidc_client_id: String,
    /// How the gateway shows the provider that it is the gateway.
    pub oidc_client_secret: Hidden,
    /// Anybody whom the provider signs in becomes a user.
    pub oidc_new_users: bool,
    /// The mail server, or empty.
    pub smtp_url: Hidden,
    /// Whom mails come from, or empty.
    pub mail_from: String,
    /// Where the link in an invite by e-mail leads, or empty.
    pub email_invite_url: String,
    /// The version of the terms that are accepted with an invite by e-mail, or empty.
    pub terms_version: String,
    /// Where those terms are, or empty.
    pub terms_url: String,
    /// How long a browser stays signed in that asks for nothing.
    pub session_idle_minutes: u32,
    /// How long a browser stays signed in at most.
    pub session_hours: u32,
    /// The least number of people that is shown.
    pub threshold: u64,
    /// ε per pair of accounts and quarter.
    pub privacy_budget_per_quarter: f64,
    /// ε of one report.
    pub privacy_epsilon_per_report: f64,
    /// Bytes.
    pub upload_limit: u64,
    /// Folders below which data connections may read, separated by `:`, or empty.
    pub source_roots: String,
    /// Buckets that accounts may read as the gateway itself, with commas between them, or empty.
    pub source_role_buckets: String,
    /// Bytes.
    pub source_limit: u64,
    /// Per key.
    pub requests_per_minute: u32,
    /// Whether the schema can be asked for.
    pub introspection: bool,
    /// Origins of pages that may ask from a browser.
    pub cors_origins: Origins,
    /// A file of documents by their SHA-256, or empty.
    pub documents: String,
    /// Only those documents are answered.
    pub documents_only: bool,
    /// Bytes kept of what shows of people in comparisons.
    pub discover_memory: u64,
    /// 0: one for each core.
    pub identity_threads: usize,
    /// Statements are logged that take at least so long.
    pub slow_statement_ms: u64,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// What is logged.
    pub log: String,
    /// Credits for a million inputs.
    pub prices: Prices,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file or a variable holds something else than it should.
    #[error("{0}")]
    Unreadable(Box<figment::Error>),
    /// A value is out of range.
    #[error("setting `{name}`: {reason}")]
    OutOfRange {
        /// Its name.
        name: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl Settings {
    /// Reads the settings.
    pub fn load(file: Option<&Path>) -> Result<Self, SettingsError> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        if let Some(file) = file {
            figment = figment.merge(Toml::file_exact(file));
        }
        let settings: Self = figment
            .merge(Env::raw().only(&["DATABASE_URL"]))
            .merge(Env::prefixed("ENTENTE_").ignore(&KEYS))
            .extract()
            .map_err(|e| SettingsError::Unreadable(Box::new(e)))?;
        settings.checked()
    }

    fn checked(self) -> Result<Self, SettingsError> {
        let refuse = |name, reason| Err(SettingsError::OutOfRange { name, reason });
        if self.threshold < entente_domain::release::LEAST_MINIMUM {
            return refuse("threshold", "it is never under 50");
        }
        if !(self.privacy_epsilon_per_report > 0.0 && self.privacy_epsilon_per_report <= 10.0) {
            return refuse("privacy_epsilon_per_report", "it is above 0 and at most 10");
        }
        if self.privacy_budget_per_quarter.is_nan() || self.privacy_budget_per_quarter < 0.0 {
            return refuse("privacy_budget_per_quarter", "it is not negative");
        }
        if !self.consent_return_url.is_empty() && !is_web_address(&self.consent_return_url) {
            return refuse("consent_return_url", "it is a whole address, such as https://app.example/consented");
        }
        if self.documents_only && self.documents.is_empty() {
            return refuse("documents_only", "it needs a file of `documents`");
        }
        if self.worker_memory < LEAST_MEMORY {
            return refuse("worker_memory", "it is at least 64 MiB");
        }
        if !self.oidc_issuer.is_empty() {
            self.check_openid()?;
        }
        self.check_mail()?;
        if self.session_idle_minutes < 5 {
            return refuse("session_idle_minutes", "it is at least 5");
        }
        if !(1..=24 * 30).contains(&self.session_hours) {
            return refuse("session_hours", "it is at least 1 and at most 720, which is 30 days");
        }
        let mut roots = std::env::split_paths(&self.source_roots).filter(|root| !root.as_os_str().is_empty());
        if roots.any(|root| !root.is_absolute()) {
            return refuse("source_roots", "each is a whole path, such as /srv/audiences");
        }
        if self.requests_per_minute == 0 {
            return refuse("requests_per_minute", "it is at least 1");
        }
        Ok(self)
    }

    /// Whether people can sign in at the provider that is set.
    fn check_openid(&self) -> Result<(), SettingsError> {
        let refuse = |name, reason| Err(SettingsError::OutOfRange { name, reason });
        if !is_private(&self.oidc_issuer) {
            return refuse("oidc_issuer", "it starts with https://");
        }
        if self.oidc_client_id.is_empty() || self.oidc_client_secret.0.is_empty() {
            return refuse("oidc_client_id", "the provider gives an id and a secret; set both");
        }
        if !is_private(&self.base_url(self.listen)) {
            return refuse("public_url", "it starts with https:// where people sign in");
        }
        Ok(())
    }

    /// Whether invites go out by e-mail as it is set.
    fn check_mail(&self) -> Result<(), SettingsError> {
        let refuse = |name, reason| Err(SettingsError::OutOfRange { name, reason });
        if !self.email_invite_url.is_empty() && !is_web_address(&self.email_invite_url) {
            return refuse("email_invite_url", "it is a whole address, such as https://app.example/invite");
        }
        if self.smtp_url.0.is_empty() {
            return Ok(());
        }
        if !is_private_mail_server(&self.smtp_url.0) {
            return refuse("smtp_url", "it is smtps://…, smtp://…?tls=required, or smtp:// on this machine");
        }
        if self.mail_from.parse::<Mailbox>().is_err() {
            return refuse("mail_from", "it is an e-mail address, such as Entente <invites@entente.example>");
        }
        let version = self.terms_version.chars().count();
        if !(1..=LONGEST_VERSION).contains(&version) || !is_web_address(&self.terms_url) {
            return refuse(
                "terms_version",
                "whoever is invited accepts terms; set it (up to 100 characters) and terms_url",
            );
        }
        Ok(())
    }

    /// The mail server, where one is set.
    pub fn smtp_url(&self) -> Option<&str> {
        (!self.smtp_url.0.is_empty()).then_some(&*self.smtp_url.0)
    }

    /// The provider at which people sign in, where one is set.
    pub fn openid(&self) -> Option<OpenId> {
        let openid = || OpenId {
            issuer: self.oidc_issuer.clone(),
            client_id: self.oidc_client_id.clone(),
            client_secret: self.oidc_client_secret.0.clone(),
        };
        (!self.oidc_issuer.is_empty()).then(openid)
    }

    /// How long a browser stays signed in.
    pub fn session_lifetimes(&self) -> Lifetimes {
        let whole = TimeDelta::hours(self.session_hours.into());
        Lifetimes { idle: TimeDelta::minutes(self.session_idle_minutes.into()).min(whole), whole }
    }

    /// The database's address, the embedded one unless another is set.
    pub fn database(&self) -> String {
        match self.database_url.as_str() {
            "" => self.data.join("entente.db").display().to_string(),
            url => url.to_owned(),
        }
    }

    /// The address under which people reach the gateway, without a slash at its end.
    pub fn base_url(&self, listening: SocketAddr) -> String {
        match self.public_url.trim_end_matches('/') {
            "" => format!("http://{listening}"),
            url => url.to_owned(),
        }
    }

    /// Folders in which plugins are found.
    pub fn plugin_folders(&self) -> Vec<PathBuf> {
        if !self.plugins.is_empty() {
            return std::env::split_paths(&self.plugins).collect();
        }
        std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned)).into_iter().collect()
    }

    /// The list of allowed plugins.
    pub fn allow_list(&self) -> PathBuf {
        self.data.join("plugins").join("allowed.toml")
    }

    /// The root below which destinations write to folders.
    pub fn landing_root(&self) -> PathBuf {
        match self.landing_root.as_str() {
            "" => self.data.join("landing"),
            path => path.into(),
        }
    }

    /// Folders below which data connections of an account may read.
    pub fn source_roots(&self, account: AccountId) -> Vec<PathBuf> {
        let roots = std::env::split_paths(&self.source_roots).filter(|root| !root.as_os_str().is_empty());
        let own = |root: PathBuf| PathBuf::from(root.to_string_lossy().replace("{account}", &account.to_string()));
        roots.map(own).collect()
    }

    /// Buckets that accounts may read as the gateway itself.
    pub fn source_role_buckets(&self) -> Vec<String> {
        let buckets = self.source_role_buckets.split(',').map(str::trim).filter(|bucket| !bucket.is_empty());
        buckets.map(str::to_owned).collect()
    }

    /// Threads that count and source identities.
    pub fn identity_threads(&self) -> usize {
        match self.identity_threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        }
    }
}

/// Whether something is an origin as browsers write it: a scheme, a host and perhaps a port, nothing after it.
fn is_origin(text: &str) -> bool {
    let written = text.parse::<Uri>().ok().and_then(|uri| {
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
        let is_plain = matches!(scheme, "http" | "https") && !authority.as_str().contains('@');
        is_plain.then(|| format!("{scheme}://{}", authority.as_str().to_ascii_lowercase()))
    });
    written.as_deref() == Some(text)
}

/// Whether something is a whole address without a fragment, to which a query can be added.
fn is_web_address(url: &str) -> bool {
    let address = url.parse::<Uri>();
    !url.contains('#') && address.is_ok_and(|a| matches!(a.scheme_str(), Some("http" | "https")) && a.host().is_some())
}

/// Whether nobody on the way reads what goes to an address: by HTTPS, or within this machine.
fn is_private(url: &str) -> bool {
    let Ok(url) = url.parse::<Uri>() else { return false };
    let host = url.host().unwrap_or_default();
    match url.scheme_str() {
        Some("https") => !host.is_empty(),
        Some("http") => is_this_machine(host),
        _ => false,
    }
}

/// The same of a mail server: with TLS, or within this machine.
fn is_private_mail_server(url: &str) -> bool {
    let Ok(url) = url.parse::<Uri>() else { return false };
    let host = url.host().unwrap_or_default();
    match url.scheme_str() {
        Some("smtps") => !host.is_empty(),
        Some("smtp") => !host.is_empty() && url.query() == Some("tls=required") || is_this_machine(host),
        _ => false,
    }
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_sign_in_where_nobody_listens() {
        for (url, is_one) in [
            ("https://id.luma.example", true),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
            ("http://localhost:0", true),
            ("http://id.luma.example", false),
            ("http://0.0.0.0:8080", false),
            ("id.luma.example", false),
        ] {
            assert_eq!(is_private(url), is_one, "{url}");
        }
    }

    #[test]
    fn mails_go_where_nobody_listens() {
        for (url, is_one) in [
            ("smtps://user:pass%40word@mail.luma.example", true),
            ("smtp://user:password@mail.luma.example:587?tls=required", true),
            ("smtp://127.0.0.1:2525", true),
            ("smtp://[::1]:2525", true),
            ("smtp://mail.luma.example", false),
            ("smtp://mail.luma.example?tls=opportunistic", false),
            ("https://mail.luma.example", false),
            ("mail.luma.example", false),
        ] {
            assert_eq!(is_private_mail_server(url), is_one, "{url}");
        }
    }

    #[test]
    fn browsers_return_to_a_whole_address() {
        for (url, is_one) in [
            ("https://app.luma.example/consented", true),
            ("http://127.0.0.1:3000/?from=consent", true),
            ("https://app.luma.example/#/consented", false),
            ("app.luma.example/consented", false),
            ("/consented", false),
            ("javascript:alert(1)", false),
        ] {
            assert_eq!(is_web_address(url), is_one, "{url}");
        }
    }

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        let parsed = |text: &str| Origins::try_from(text.to_owned()).map(|origins| origins.0.len());
        for (text, count) in
            [("", 0), ("https://app.luma.example", 1), ("https://app.luma.example, http://localhost:3000", 2)]
        {
            assert_eq!(parsed(text), Ok(count), "{text}");
        }
        for text in
            ["*", "null", "app.luma.example", "https://app.luma.example/", "https://App.luma.example", "file:///a"]
        {
            assert!(parsed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn networks_have_commas_between_them() {
        let parsed = |text: &str| Networks::try_from(text.to_owned()).map(|networks| networks.0.len());
        for (text, count) in [("", 0), (" , ", 0), ("10.20.0.0/16", 1), ("10.20.0.0/16, fd00:20::/32,", 2)] {
            assert_eq!(parsed(text), Ok(count), "{text}");
        }
        for text in ["10.20.0.0", "10.20.0.0/33", "luma.example", "10.0.0.0/8;127.0.0.0/8"] {
            assert!(parsed(text).is_err(), "{text}");
        }
    }
}
