//! Mails that the gateway sends by SMTP, each over a connection of its own. What a server says of an address is logged nowhere.

pub mod invite;

use crate::settings::Settings;
use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::Mailbox,
    transport::smtp::{self, extension::ClientId, response::Code},
};
use std::time::Duration;

/// The longest that a mail takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// The operator's mail server.
pub struct Mailer {
    url: String,
    /// Whom mails come from.
    pub from: Mailbox,
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// There is no such address.
    #[error("the mail server knows no such address")]
    NoSuchAddress,
    /// The server is not there, is busy, or does not take mails from the gateway.
    #[error("the mail server took no mail: {0}")]
    NotNow(String),
}

impl Mailer {
    /// The mail server that is set.
    pub fn of(settings: &Settings) -> Option<Self> {
        let from = settings.mail_from.parse().ok()?;
        settings.smtp_url().map(|url| Self { url: url.to_owned(), from })
    }

    /// Sends a mail. Once this is done, the server has taken it.
    ///
    /// # Errors
    /// The server has not taken it.
    pub async fn send(&self, mail: Message) -> Result<(), NotSent> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&self.url).map_err(|error| told(&error))?;
        let hello = ClientId::Domain(self.from.email.domain().to_owned());
        let transport = transport.hello_name(hello).build::<Tokio1Executor>();
        match tokio::time::timeout(PATIENCE, transport.send(mail)).await {
            Ok(sent) => sent.map(|_| ()).map_err(|error| told(&error)),
            Err(_) => Err(NotSent::NotNow("it took too long".to_owned())),
        }
    }
}

/// What an error says, without what the server said: that may name the address.
fn told(error: &smtp::Error) -> NotSent {
    match error.status() {
        Some(code) if is_about_address(code) => NotSent::NoSuchAddress,
        Some(code) => NotSent::NotNow(format!("it answered {code}")),
        None if error.is_tls() => NotSent::NotNow("there is no TLS with it".to_owned()),
        None => NotSent::NotNow("it cannot be reached, or says what it should not".to_owned()),
    }
}

/// Whether the server refuses a mailbox for ever, rather than what it thinks of who sends (RFC 5321, 4.2.3).
fn is_about_address(code: Code) -> bool {
    matches!(u16::from(code), 550 | 551 | 553)
}
