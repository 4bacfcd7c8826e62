//! Invites by e-mail, by a real mail server: accepted, declined, reported, and never sent too often.

use crate::{
    harness::{Client, Gateway, Kind, Mail, Options, mail, on_both_databases, openid},
    sign_in::{self, Browser},
    stories::{Party, settings},
};
use serde_json::{Value, json};
use std::time::Duration;

const INVITE: &str = "mutation($input: InviteInput!) { invite(input: $input) {
    connection { id } emailInvite { id email status } userErrors { code field message } } }";
const WITHDRAW: &str = "mutation($input: WithdrawEmailInviteInput!) { withdrawEmailInvite(input: $input) {
    emailInvite { status } userErrors { code field message } } }";
const ACCEPT: &str = "mutation($input: AcceptEmailInviteInput!) { acceptEmailInvite(input: $input) {
    account { id collaboratorId contactEmail } connection { id state payer note }
    userErrors { code field message } } }";
const DECLINE: &str = "mutation($input: DeclineEmailInviteInput!) { declineEmailInvite(input: $input) {
    declined userErrors { code field message } } }";
const REPORT: &str = "mutation($input: ReportEmailInviteInput!) { reportEmailInvite(input: $input) {
    reported userErrors { code field message } } }";
const INVITES: &str = "query($a: ID!) { account(id: $a) { emailInvites { nodes {
    email status sentAt connection { id } } } } }";
const RECEIVED: &str = "query($token: String!) { emailInvite(token: $token) {
    inviter { name role } note termsVersion termsUrl } }";

fn options(mail: &Mail, more: &[(&'static str, &str)]) -> Options {
    let own = [
        ("ENTENTE_SMTP_URL", mail.url.as_str()),
        ("ENTENTE_MAIL_FROM", "Entente <invites@entente.example>"),
        ("ENTENTE_TERMS_VERSION", "2026-01"),
        ("ENTENTE_TERMS_URL", "https://entente.example/terms"),
    ];
    let settings = own.iter().chain(more).map(|(name, value)| (*name, (*value).to_owned())).collect();
    Options { settings }
}

/// An address that no other test has.
fn address(name: &str) -> String {
    format!("{name}-{}@tvtube.example", uuid::Uuid::now_v7().simple())
}

/// The token in a mail.
fn token(mail: &Value) -> String {
    let text = mail["text"].as_str().unwrap();
    let (_, rest) = text.split_once("/email-invites/").unwrap_or_else(|| panic!("{text}"));
    rest.split(|c: char| c.is_whitespace() || c == '/').next().unwrap().to_owned()
}

/// What an account is that somebody creates by accepting.
fn acceptance(token: &str, role: &str) -> Value {
    json!({ "token": token, "termsVersion": "2026-01", "name": "TV Tube", "role": role, "region": "US",
        "matchKeys": [{ "kind": "HASHED_EMAIL" }, { "kind": "HASHED_PHONE" }] })
}

impl Party {
    fn to(&self, address: &str) -> Value {
        json!({ "accountId": self.account, "invitee": { "email": address }, "note": "Shall we?" })
    }

    async fn invite_by_email(&self, address: &str) -> String {
        let payload = self.client.mutate(INVITE, self.to(address)).await;
        assert_eq!((&payload["connection"], &payload["emailInvite"]["status"]), (&Value::Null, &json!("WAITING")));
        payload["emailInvite"]["id"].as_str().unwrap().to_owned()
    }

    async fn email_invites(&self) -> Vec<Value> {
        let data = self.client.query(INVITES, json!({ "a": self.account })).await;
        data["account"]["emailInvites"]["nodes"].as_array().unwrap().clone()
    }

    async fn statuses(&self) -> Vec<String> {
        self.email_invites().await.iter().map(|invite| invite["status"].as_str().unwrap().to_owned()).collect()
    }
}

/// A new user; its address, and its client.
async fn user(gateway: &Gateway, name: &str) -> (String, Client) {
    let client = gateway.user(name).await;
    let data = client.query("{ viewer { user { email } } }", json!({})).await;
    (data["viewer"]["user"]["email"].as_str().unwrap().to_owned(), client)
}

on_both_databases! {
    /// From the mail to an active connection, by somebody whom the gateway did not know.
    async fn an_organisation_without_an_account_is_invited(kind: Kind) {
        let (Some(mail), Some(provider)) = (mail(), openid()) else { return };
        let options = options(mail, &[]);
        let options: Vec<_> = options.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let gateway = sign_in::start(kind, provider, &options).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let address = address("ada");
        let mut ada = Browser::new();
        let sub = format!("ada-{}", uuid::Uuid::now_v7());
        ada.sign_in(&gateway, provider, &sub, &address, true).await;
        assert_eq!(ada.session(), None, "nobody invited her yet");

        luma.invite_by_email(&address.to_uppercase()).await;
        let got = mail.last_of(&address, 1).await;
        assert_eq!(got["from"], "invites@entente.example");
        assert_eq!(got["subject"], "Luma invites you to connect on Entente");
        let text = got["text"].as_str().unwrap();
        for part in ["Luma", "> Shall we?", &address] {
            assert!(text.contains(part) && got["html"].as_str().unwrap().contains(part.trim_start_matches("> ")), "{got}");
        }
        let token = token(&got);
        let report = format!("<{}/email-invites/{token}/report>", gateway.url);
        assert_eq!(got["headers"]["list-unsubscribe"], json!(report));
        assert_eq!(got["headers"]["list-unsubscribe-post"], "List-Unsubscribe=One-Click");

        ada.sign_in(&gateway, provider, &sub, &address, true).await;
        assert!(ada.session().is_some(), "she is invited");
        let document = format!(
            "mutation {{ acceptEmailInvite(input: {{ token: \"{token}\", termsVersion: \"2026-01\", name: \"TV Tube\",
                role: PUBLISHER, region: \"US\", matchKeys: [{{ kind: HASHED_EMAIL }}, {{ kind: HASHED_PHONE }}] }}) {{
                account {{ id contactEmail }} connection {{ id state payer note }} userErrors {{ code message }} }} }}"
        );
        let accepted = ada.query(&gateway, &document).await.json()["data"]["acceptEmailInvite"].take();
        assert_eq!(accepted["userErrors"], json!([]));
        assert_eq!(accepted["account"]["contactEmail"], json!(address));
        let connection = &accepted["connection"];
        let expected = json!({ "id": connection["id"], "state": "CONFIGURING", "payer": "OWNER", "note": "Shall we?" });
        assert_eq!(*connection, expected);

        let document = format!(
            "{{ account(id: {}) {{ role acceptedTerms {{ version acceptedBy {{ email }} acceptedAt }} }} }}",
            accepted["account"]["id"]
        );
        let account = ada.query(&gateway, &document).await.json()["data"]["account"].take();
        let terms = &account["acceptedTerms"][0];
        assert_eq!((&terms["version"], &terms["acceptedBy"]["email"]), (&json!("2026-01"), &json!(address)));
        assert!(terms["acceptedAt"].is_string(), "{account}");
        let invites = luma.email_invites().await;
        assert_eq!(invites[0]["connection"]["id"], connection["id"]);
        assert_eq!(luma.statuses().await, ["ACCEPTED"]);
        luma.propose(connection["id"].as_str().unwrap(), settings("RECIPIENT")).await;
        assert!(!gateway.log().contains(&token) && !gateway.log().contains(&address));
    }
}

on_both_databases! {
    async fn an_invite_by_email_is_for_one_address_once_and_for_two_weeks(kind: Kind) {
        let Some(mail) = mail() else { return };
        let mut gateway = Gateway::start_with(kind, options(mail, &[])).await;
        let tube = Party::create(&gateway, "Old Tube", "PUBLISHER").await;
        let ((address, ben), (_, cem)) = (user(&gateway, "Ben").await, user(&gateway, "Cem").await);
        tube.invite_by_email(&address).await;
        let replaced = token(&mail.last_of(&address, 1).await);
        tube.invite_by_email(&address).await;
        let token = token(&mail.last_of(&address, 2).await);
        assert_eq!(tube.statuses().await, ["WAITING", "REPLACED"]);

        let received = async |client: &Client, token: &str| {
            let answer = client.ask(RECEIVED, json!({ "token": token })).await;
            let code = answer["errors"][0]["extensions"]["code"].clone();
            if code.is_null() { answer["data"]["emailInvite"].clone() } else { code }
        };
        let expected = json!({ "inviter": { "name": "Old Tube", "role": "PUBLISHER" }, "note": "Shall we?",
            "termsVersion": "2026-01", "termsUrl": "https://entente.example/terms" });
        assert_eq!(received(&ben, &token).await, expected);
        for (client, token) in [(&cem, &token), (&ben, &replaced), (&ben, &"invite_x".to_owned())] {
            assert_eq!(received(client, token).await, "EMAIL_INVITE_INVALID");
            assert_eq!(client.refused(ACCEPT, acceptance(token, "ADVERTISER")).await, "EMAIL_INVITE_INVALID");
        }
        let mut other_terms = acceptance(&token, "ADVERTISER");
        other_terms["termsVersion"] = json!("2025-12");
        assert_eq!(ben.refused(ACCEPT, other_terms).await, "TERMS_CHANGED");
        for role in ["PUBLISHER", "DATA_PARTNER"] {
            assert_eq!(ben.refused(ACCEPT, acceptance(&token, role)).await, "PATTERN_NOT_ALLOWED");
        }
        assert_eq!(gateway.operator().refused(ACCEPT, acceptance(&token, "ADVERTISER")).await, "FORBIDDEN");

        let presses = (0..4).map(|_| ben.press(ACCEPT, acceptance(&token, "ADVERTISER")));
        let pressed = futures::future::join_all(presses).await;
        let (accepted, refused): (Vec<_>, Vec<_>) = pressed.iter().partition(|p| p["userErrors"] == json!([]));
        assert_eq!((accepted.len(), refused.len()), (1, 3), "{pressed:?}");
        assert!(refused.iter().all(|p| p["userErrors"][0]["code"] == "EMAIL_INVITE_INVALID"), "{refused:?}");
        let data = ben.query("{ viewer { accounts { nodes { name } } } }", json!({})).await;
        assert_eq!(data["viewer"]["accounts"]["nodes"], json!([{ "name": "TV Tube" }]));

        let (address, dan) = user(&gateway, "Dan").await;
        let id = tube.invite_by_email(&address).await;
        mail.last_of(&address, 1).await;
        let other = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let foreign = json!({ "accountId": other.account, "emailInviteId": id });
        assert_eq!(other.client.refused(WITHDRAW, foreign).await, "NOT_FOUND");
        let own = json!({ "accountId": tube.account, "emailInviteId": id });
        assert_eq!(tube.client.mutate(WITHDRAW, own.clone()).await["emailInvite"]["status"], "WITHDRAWN");
        assert_eq!(tube.client.refused(WITHDRAW, own).await, "WRONG_STATE");
        tube.invite_by_email(&address).await;
        let late = self::token(&mail.last_of(&address, 2).await);
        gateway.stop();
        gateway.pass(Duration::from_secs(14 * 24 * 60 * 60));
        gateway.start_again();
        let (tube, dan) = (tube.at(&gateway), dan.at(&gateway.url));
        assert_eq!(tube.statuses().await[0], "EXPIRED");
        assert_eq!(dan.refused(ACCEPT, acceptance(&late, "ADVERTISER")).await, "EMAIL_INVITE_INVALID");
    }
}

on_both_databases! {
    async fn unwanted_invites_are_declined_and_reported_by_their_token_alone(kind: Kind) {
        let Some(mail) = mail() else { return };
        let gateway = Gateway::start_with(kind, options(mail, &[])).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let nobody = gateway.anonymous();
        let page = async |path: &str, form: Option<&'static str>| {
            let url = format!("{}/email-invites/{path}", gateway.url);
            let request = match form {
                None => nobody.http().get(url),
                Some(form) => nobody.http().post(url).body(form),
            };
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        };

        // Declined in GraphQL, and on the gateway's page, which does nothing before a button is pressed.
        let [one, two, three, four] = ["one", "two", "three", "four"].map(address);
        let mut tokens = vec![];
        for address in [&one, &two, &three, &four] {
            luma.invite_by_email(address).await;
            tokens.push(token(&mail.last_of(address, 1).await));
        }
        let decline = json!({ "token": tokens[0] });
        assert_eq!(nobody.mutate(DECLINE, decline.clone()).await["declined"], true);
        assert_eq!(nobody.refused(DECLINE, decline).await, "EMAIL_INVITE_INVALID");
        let (status, html) = page(&tokens[1], None).await;
        assert!(status == 200 && html.contains(&format!("/email-invites/{}/decline", tokens[1])), "{status} {html}");
        assert_eq!(page(&format!("{}/report", tokens[1]), None).await.0, 200);
        assert_eq!(luma.statuses().await, ["WAITING", "WAITING", "WAITING", "DECLINED"]);
        assert_eq!(page(&format!("{}/decline", tokens[1]), Some("")).await.0, 200);
        assert_eq!(page(&format!("{}/decline", tokens[1]), Some("")).await.0, 404);
        assert_eq!(page("%3Cscript%3E", None).await.0, 404);

        // Reported in GraphQL, and by the button of a mail program.
        let report = json!({ "token": tokens[2], "reason": "UNKNOWN_SENDER" });
        assert_eq!(nobody.mutate(REPORT, report.clone()).await["reported"], true);
        assert_eq!(nobody.refused(REPORT, report).await, "EMAIL_INVITE_INVALID");
        assert_eq!(page(&format!("{}/report", tokens[3]), Some("List-Unsubscribe=One-Click")).await.0, 200);
        assert_eq!(luma.statuses().await, ["REPORTED", "REPORTED", "DECLINED", "DECLINED"]);
        for address in [&three, &four] {
            assert_eq!(luma.client.refused(INVITE, luma.to(address)).await, "RECIPIENT_REFUSES");
            assert_eq!(luma.client.refused(INVITE, luma.to(&address.to_uppercase())).await, "RECIPIENT_REFUSES");
        }
        let other = Party::create(&gateway, "Fit Apparel", "ADVERTISER").await;
        other.invite_by_email(&three).await;
        luma.invite_by_email(&one).await;
        mail.last_of(&three, 2).await;
        mail.last_of(&one, 2).await;

        let audit = "query($a: ID!) { account(id: $a) { auditLog(filter: { action: \"reportEmailInvite\" }) {
            nodes { actor { kind } outcome } } } }";
        let lines = luma.client.query(audit, json!({ "a": luma.account })).await["account"]["auditLog"]["nodes"].clone();
        let [denied, allowed] = ["DENIED", "ALLOWED"].map(|o| json!({ "actor": { "kind": "GATEWAY" }, "outcome": o }));
        assert_eq!(lines, json!([allowed, denied, allowed]));
        let figures = nobody.get("/metrics").await.text().await.unwrap();
        for reason in ["spam", "unknown_sender"] {
            let figure = format!("entente_email_invite_reports_total{{reason=\"{reason}\"}} 1\n");
            assert!(figures.contains(&figure), "{figures}");
        }
    }
}

on_both_databases! {
    /// A mail that is put off is taken in the end, once; also by a gateway that was killed before.
    async fn mails_are_sent_once(kind: Kind) {
        let Some(mail) = mail() else { return };
        let nowhere = [("ENTENTE_SMTP_URL", "smtp://127.0.0.1:1")];
        let mut gateway = Gateway::start_with(kind, options(mail, &nowhere)).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let [killed, later, refused] = ["killed", "later", "refused"].map(address);
        luma.invite_by_email(&killed).await;
        let asked = json!({ "a": luma.account });
        luma.client.until(INVITES, asked.clone(), |_| gateway.log().contains("a mail is put off")).await;
        assert!(mail.of(&killed).is_empty());
        gateway.kill();
        gateway.start_again_with(options(mail, &[]));
        let luma = luma.at(&gateway);
        mail.last_of(&killed, 1).await;
        luma.invite_by_email(&later).await;
        luma.invite_by_email(&refused).await;
        mail.last_of(&later, 1).await;
        let settled = |data: &Value| {
            let nodes = data["account"]["emailInvites"]["nodes"].as_array().unwrap();
            nodes[0]["status"] == "UNDELIVERABLE" && nodes[1..].iter().all(|invite| invite["sentAt"].is_string())
        };
        luma.client.until(INVITES, asked, settled).await;
        for (address, count) in [(&killed, 1), (&later, 1), (&refused, 0)] {
            assert_eq!(mail.of(address).len(), count, "{address}");
            assert!(!gateway.log().contains(address.as_str()));
        }
        for _ in 0..2 {
            luma.invite_by_email(&later).await;
        }
        assert_eq!(luma.client.refused(INVITE, luma.to(&later)).await, "RATE_LIMITED");
        for address in ["ada", "ada@", "ada@tvtube.example\r\nBcc: ben@tvtube.example", ""] {
            assert_eq!(luma.client.refused(INVITE, luma.to(address)).await, "INVALID", "{address}");
        }
        let mut key = luma.to(&address("twice"));
        key["idempotencyKey"] = json!("k");
        let ids = [luma.client.mutate(INVITE, key.clone()).await, luma.client.mutate(INVITE, key).await];
        assert_eq!(ids[0]["emailInvite"]["id"], ids[1]["emailInvite"]["id"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_mail_server_the_refusal_says_what_to_set() {
    let gateway = Gateway::start(Kind::Sqlite).await;
    let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
    let refused = luma.client.press(INVITE, luma.to("ada@tvtube.example")).await;
    let error = &refused["userErrors"][0];
    assert_eq!(error["code"], "MAIL_UNAVAILABLE");
    assert!(error["message"].as_str().unwrap().contains("smtp_url"), "{error}");
}
