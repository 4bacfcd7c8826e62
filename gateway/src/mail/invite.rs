//! The mail of an invite: plain text and the same as plain HTML, with nothing in it that tells whether it was read.

use entente_domain::{account::Account, email_invite::EmailInvite};
use lettre::{
    Message,
    error::Error,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
};

/// Where the links of the mail lead.
pub struct Links {
    /// To read the invite, and to accept or decline it.
    pub invite: String,
    /// To report it (RFC 8058).
    pub report: String,
}

impl Links {
    /// The links of an invite with this token. `page` is the operator's own page, where there is one.
    pub fn of(base_url: &str, page: &str, token: &str) -> Self {
        let own = format!("{base_url}/email-invites/{token}");
        let report = format!("{own}/report");
        let joint = if page.contains('?') { '&' } else { '?' };
        let invite = if page.is_empty() { own } else { format!("{page}{joint}invite_token={token}") };
        Self { invite, report }
    }
}

/// The mail, or why the address takes none.
///
/// # Errors
/// The address is none that mails can be sent to.
pub fn mail(from: &Mailbox, invite: &EmailInvite, inviter: &Account, links: &Links) -> Result<Message, Error> {
    let to: Mailbox = Mailbox::new(None, invite.email.parse().map_err(|_| Error::MissingTo)?);
    let name = in_one_line(&inviter.profile.name);
    // The same for each attempt, so that a mail that came twice can be told from two.
    let id = format!("<{}@{}>", invite.id, from.email.domain());
    Message::builder()
        .from(from.clone())
        .to(to)
        .subject(format!("{name} invites you to connect on Entente"))
        .message_id(Some(id))
        .raw_header(header("List-Unsubscribe", format!("<{}>", links.report)))
        .raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()))
        .raw_header(header("Auto-Submitted", "auto-generated".to_owned()))
        .multipart(MultiPart::alternative_plain_html(plain(invite, &name, links), html(invite, &name, links)))
}

/// A header field whose value is ASCII and is not folded, since it holds an address.
fn header(name: &'static str, value: String) -> HeaderValue {
    HeaderValue::dangerous_new_pre_encoded(HeaderName::new_from_ascii_str(name), value.clone(), value)
}

/// A mail's subject is one line.
fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What the mail says: what it is, until when, and what to do when it is not wanted.
fn paragraphs(invite: &EmailInvite, name: &str) -> [String; 3] {
    let until = invite.expires_at.format("%-d %B %Y");
    [
        format!(
            "{name} invites you to connect on Entente, where two companies find out what their customers have in common, \
             without handing over their customer lists."
        ),
        format!(
            "The link is for {} alone and works once, until {until}. To accept, sign in with this address, read the terms and \
             create an account for your company. {name} pays until you both agree on something else.",
            invite.email
        ),
        format!("You do not know {name}, or do not want such mails? Report it, and you get no more invites from them:"),
    ]
}

fn plain(invite: &EmailInvite, name: &str, links: &Links) -> String {
    let [what, how, unwanted] = paragraphs(invite, name);
    let note: String = invite.note.lines().map(|line| format!("> {line}\n")).collect();
    let note = if note.is_empty() { note } else { format!("They write:\n\n{note}\n") };
    format!("{what}\n\n{note}{}\n\n{how}\n\n{unwanted}\n{}\n", links.invite, links.report)
}

fn html(invite: &EmailInvite, name: &str, links: &Links) -> String {
    let [what, how, unwanted] = paragraphs(invite, name).map(|paragraph| escaped(&paragraph));
    let note = escaped(&invite.note).replace('\n', "<br>");
    let note = if note.is_empty() { note } else { format!("<p>They write:</p><blockquote>{note}</blockquote>") };
    let link = |url: &str, text: &str| format!("<a href=\"{}\">{text}</a>", escaped(url));
    format!(
        "<!doctype html><html lang=\"en\"><body><p>{what}</p>{note}<p>{}</p><p>{how}</p><p>{unwanted} {}</p></body></html>",
        link(&links.invite, "Read the invite"),
        link(&links.report, "Report it"),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use chrono::DateTime;
    use entente_domain::{
        AccountId, EmailInviteId, MatchKey, MatchKeyKind, PrivacyLevel,
        account::{self, NewAccount, Profile, Role},
        email_invite::{self, Inviting},
        match_key::AccountMatchKey,
    };

    /// The mail as it goes over the wire.
    fn sent(name: &str, email: &str, note: &str) -> Result<String, Error> {
        let now = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let profile = Profile {
            name: name.to_owned(),
            description: String::new(),
            industry: String::new(),
            contact_email: "team@luma.example".to_owned(),
        };
        let match_keys =
            vec![AccountMatchKey { key: MatchKey::of(MatchKeyKind::HashedEmail), provider_account_id: None }];
        let privacy_level = PrivacyLevel::Standard;
        let new = NewAccount { profile, role: Role::Advertiser, region: "US".to_owned(), match_keys, privacy_level };
        let inviter = account::create(AccountId::new(), new, now).unwrap();
        let known = Inviting { has_reported: false, waiting: 0, made_today: 0, made_for_address: 0 };
        let invite = email_invite::invite(EmailInviteId::new(), inviter.id, (email, note), known, now).unwrap();
        let links = Links::of("https://entente.example", "", "invite_t");
        let mail = mail(&"Entente <invites@entente.example>".parse().unwrap(), &invite, &inviter, &links)?;
        Ok(String::from_utf8(mail.formatted()).unwrap())
    }

    #[test]
    fn what_others_write_stays_text() {
        let mail = sent("Luma\nBcc: all@luma.example", "ada@tvtube.example", "<b>Hi</b>\n.\nRCPT TO: x").unwrap();
        let (headers, body) = mail.split_once("\r\n\r\n").unwrap();
        assert!(!headers.lines().any(|line| line.starts_with("Bcc")), "{headers}");
        assert!(headers.contains("Subject: Luma Bcc: all@luma.example invites you"), "{headers}");
        assert!(body.contains("&lt;b&gt;Hi&lt;/b&gt;<br>.<br>"), "{body}");
        let report = "List-Unsubscribe: <https://entente.example/email-invites/invite_t/report>\r\n";
        assert!(headers.contains(report), "{headers}");
    }

    #[test]
    fn what_is_no_address_for_mails_gets_none() {
        for (email, takes) in [("ada@tvtube.example", true), ("a..da@tvtube.example", false), ("a<d@tv.example", false)]
        {
            assert_eq!(sent("Luma", email, "").is_ok(), takes, "{email}");
        }
    }

    #[test]
    fn links_lead_to_the_operators_page_where_there_is_one() {
        for (page, expected) in [
            ("", "https://entente.example/email-invites/t"),
            ("https://app.example/invite", "https://app.example/invite?invite_token=t"),
            ("https://app.example/?page=invite", "https://app.example/?page=invite&invite_token=t"),
        ] {
            let links = Links::of("https://entente.example", page, "t");
            assert_eq!(links.invite, expected);
            assert_eq!(links.report, "https://entente.example/email-invites/t/report");
        }
    }
}
