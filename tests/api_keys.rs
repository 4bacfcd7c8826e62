//! API keys: what limits them, and their rotation.

use crate::{
    harness::{Client, Gateway, Kind, on_both_databases},
    stories::{INVITE, Party},
};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

const CREATE: &str = "mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) {
    token apiKey { id purpose scopes lastUsedAt } userErrors { code field message } } }";
const ROTATE: &str = "mutation($input: RotateApiKeyInput!) { rotateApiKey(input: $input) {
    token apiKey { rotatedAt oldWorksUntil } userErrors { code field message } } }";
const REVOKE: &str =
    "mutation($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { userErrors { code field message } } }";
const RENAME: &str =
    "mutation($input: UpdateAccountInput!) { updateAccount(input: $input) { userErrors { code field message } } }";
const UPLOAD: &str =
    "mutation($input: CreateUploadInput!) { createUpload(input: $input) { userErrors { code field message } } }";
const SET_MEMBER: &str =
    "mutation($input: SetMemberInput!) { setMember(input: $input) { userErrors { code field message } } }";

/// A key of an account, with what it is created with beside its name.
async fn key(party: &Party, gateway: &Gateway, with: Value) -> (String, Client) {
    let mut input = json!({ "accountId": party.account, "name": "CI" });
    input.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    let made = party.client.mutate(CREATE, input).await;
    (made["apiKey"]["id"].as_str().unwrap().to_owned(), Client::new(&gateway.url, made["token"].as_str().unwrap()))
}

/// The code with which a key is refused; empty when it is not.
async fn press(client: &Client, document: &str, input: Value) -> String {
    let payload = client.press(document, input).await;
    payload["userErrors"][0]["code"].as_str().unwrap_or_default().to_owned()
}

async fn works(client: &Client) -> bool {
    client.ask("{ viewer { kind } }", json!({})).await["data"]["viewer"]["kind"] == "API_KEY"
}

on_both_databases! {
    async fn a_key_does_what_role_scopes_and_purpose_allow(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let account = luma.account.as_str();
        let data = json!({ "role": "ADMIN", "scopes": ["MANAGE_DATA"], "purpose": "SERVICE" });
        let all = json!({ "role": "ADMIN" });
        for (with, name, upload, invite, member) in [
            (all, "", "", "", "NOT_FOUND"),
            (json!({ "role": "ADMIN", "purpose": "SERVICE" }), "", "", "CONNECTION_EXISTS", "FORBIDDEN"),
            (data, "FORBIDDEN", "", "FORBIDDEN", "FORBIDDEN"),
            (json!({ "role": "ANALYST", "scopes": ["MANAGE_DATA"] }), "FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN"),
            (json!({ "role": "MANAGER", "scopes": ["READ"] }), "FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "FORBIDDEN"),
            (json!({ "role": "ADMIN", "scopes": ["ADMINISTER"] }), "FORBIDDEN", "FORBIDDEN", "FORBIDDEN", "NOT_FOUND"),
        ] {
            let (_, client) = key(&luma, &gateway, with.clone()).await;
            let renamed = press(&client, RENAME, json!({ "accountId": account, "name": "Luma" })).await;
            let uploaded = press(&client, UPLOAD, json!({ "accountId": account, "fileName": "file.csv" })).await;
            let invitee = json!({ "collaboratorId": tv_tube.collaborator });
            let invited = press(&client, INVITE, json!({ "accountId": account, "invitee": invitee })).await;
            let email = json!({ "accountId": account, "email": "nobody@luma.example", "role": "ADMIN" });
            let added = press(&client, SET_MEMBER, email).await;
            assert_eq!([&*renamed, &uploaded, &invited, &added], [name, upload, invite, member], "{with}");
            let read = client.query("query($a: ID!) { account(id: $a) { name } }", json!({ "a": account })).await;
            assert_eq!(read["account"]["name"], "Luma");
        }

        let (_, service) = key(&luma, &gateway, json!({ "role": "ADMIN", "purpose": "SERVICE" })).await;
        let create = json!({ "accountId": account, "name": "More", "role": "ANALYST" });
        assert_eq!(press(&service, CREATE, create).await, "FORBIDDEN");
        for hidden in ["members { totalCount }", "apiKeys { totalCount }"] {
            let query = format!("query($a: ID!) {{ account(id: $a) {{ {hidden} }} }}");
            let answer = service.ask(&query, json!({ "a": account })).await;
            assert_eq!(answer["errors"][0]["extensions"]["code"], "FORBIDDEN", "{hidden}: {answer}");
        }
        let (_, narrow) = key(&luma, &gateway, json!({ "role": "ADMIN", "scopes": ["ADMINISTER", "READ"] })).await;
        for (scopes, code) in [(json!(null), "FORBIDDEN"), (json!(["MANAGE_DATA"]), "FORBIDDEN"), (json!(["READ"]), "")] {
            let input = json!({ "accountId": account, "name": "More", "role": "ADMIN", "scopes": scopes });
            assert_eq!(press(&narrow, CREATE, input).await, code, "{scopes}");
        }
    }
}

on_both_databases! {
    async fn a_key_is_rotated_while_it_is_in_use(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let (id, first) = key(&luma, &gateway, json!({ "role": "ANALYST" })).await;
        assert!(works(&first).await);
        let used = "query($a: ID!) { account(id: $a) { apiKeys { nodes { lastUsedAt } } } }";
        let is_used = |data: &Value| data["account"]["apiKeys"]["nodes"][0]["lastUsedAt"].is_string();
        luma.client.until(used, json!({ "a": luma.account }), is_used).await;

        let input = json!({ "accountId": luma.account, "apiKeyId": id });
        let rotated = luma.client.mutate(ROTATE, input.clone()).await;
        let until: chrono::DateTime<Utc> = rotated["apiKey"]["oldWorksUntil"].as_str().unwrap().parse().unwrap();
        let from_now = until - Utc::now();
        assert!(from_now > TimeDelta::hours(23) && from_now <= TimeDelta::hours(24), "{rotated}");
        let second = Client::new(&gateway.url, rotated["token"].as_str().unwrap());
        assert!(works(&first).await && works(&second).await);
        assert_eq!(luma.client.refused(ROTATE, input.clone()).await, "WRONG_STATE");
        let at = |time: chrono::DateTime<Utc>| {
            json!({ "accountId": luma.account, "apiKeyId": id, "oldWorksUntil": time.to_rfc3339() })
        };
        assert_eq!(luma.client.refused(ROTATE, at(Utc::now() + TimeDelta::days(31))).await, "INVALID");
        assert!(works(&first).await && works(&second).await, "what is refused changes nothing");

        let again = luma.client.mutate(ROTATE, at(Utc::now() - TimeDelta::hours(1))).await;
        assert_eq!(again["apiKey"]["oldWorksUntil"], json!(null));
        let third = Client::new(&gateway.url, again["token"].as_str().unwrap());
        assert!(!works(&first).await && !works(&second).await && works(&third).await);

        let once_more = luma.client.mutate(ROTATE, at(Utc::now() + TimeDelta::days(29))).await;
        let fourth = Client::new(&gateway.url, once_more["token"].as_str().unwrap());
        assert!(works(&third).await && works(&fourth).await);
        luma.client.mutate(REVOKE, input.clone()).await;
        assert!(!works(&third).await && !works(&fourth).await);
        assert_eq!(luma.client.refused(ROTATE, input).await, "WRONG_STATE");
        for token in [&first, &second, &third, &fourth] {
            assert!(!gateway.log().contains(&token.token));
        }
    }
}
