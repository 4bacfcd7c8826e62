//! A subscription ends with the access that it stands on, at every gateway, and says why.

use crate::{
    harness::{Client, Gateway, Kind, Socket, on_both_databases, openid},
    sign_in::{self, Browser},
    stories::Party,
};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const EVENTS: &str = "subscription($a: ID!) { connectionEvents(accountId: $a, after: \"ZTA\") { cursor kind } }";
/// Keys and sessions are checked each second.
const AT_LAST: Duration = Duration::from_secs(4);

/// A user of an account, with its id and address.
struct Member {
    client: Client,
    id: Value,
    email: Value,
}

impl Party {
    async fn member(&self, gateway: &Gateway, name: &str, role: &str) -> Member {
        let client = gateway.user(name).await;
        let mut user = client.query("{ viewer { user { id email } } }", json!({})).await["viewer"]["user"].take();
        let member = Member { client, id: user["id"].take(), email: user["email"].take() };
        self.set_role(&member.email, role).await;
        member
    }

    async fn set_role(&self, email: &Value, role: &str) {
        let document = "mutation($input: SetMemberInput!) { setMember(input: $input) { userErrors { code message } } }";
        let input = json!({ "accountId": self.account, "email": email, "role": role });
        self.client.mutate(document, input).await;
    }
}

/// A subscriber at each gateway, which has had its first event.
async fn subscribers(gateways: &[&Gateway], client: &Client, account: &str) -> Vec<Socket> {
    let mut sockets = vec![];
    for gateway in gateways {
        let variables = json!({ "a": account });
        let mut socket = Socket::subscribe(&gateway.url, &client.token, EVENTS, variables).await;
        assert_eq!(socket.next().await.unwrap()["data"]["connectionEvents"]["kind"], "INVITED");
        sockets.push(socket);
    }
    sockets
}

/// Somebody who is signed in, and a member of an account.
async fn signed_in(gateway: &Gateway, name: &str, account: &Party) -> Option<Browser> {
    let email = format!("{name}-{}@luma.example", uuid::Uuid::now_v7().simple());
    let mut browser = Browser::new();
    assert_eq!(browser.sign_in(gateway, openid()?, &email, &email, true).await.status, 303);
    account.set_role(&json!(email), "ANALYST").await;
    Some(browser)
}

/// The same as `subscribers` for a browser that is signed in.
async fn browsers(gateways: &[&Gateway], browser: &Browser, account: &str) -> Vec<Socket> {
    let cookie = format!("entente={}", browser.session().unwrap());
    let mut sockets = vec![];
    for gateway in gateways {
        let headers = [("cookie", cookie.as_str()), ("origin", gateway.url.as_str())];
        let mut socket = Socket::of_browser(&gateway.url, &headers).await.unwrap();
        socket.ask(EVENTS, json!({ "a": account })).await;
        assert_eq!(socket.next().await.unwrap()["data"]["connectionEvents"]["kind"], "INVITED");
        sockets.push(socket);
    }
    sockets
}

async fn end(sockets: Vec<Socket>, code: &str, since: Instant) {
    for mut socket in sockets {
        let last = socket.next().await.unwrap();
        assert_eq!(last["errors"][0]["extensions"]["code"], code, "{last}");
        assert!(last["errors"][0]["extensions"]["requestId"].is_string(), "{last}");
        assert_eq!(socket.next().await, None);
        assert!(since.elapsed() < AT_LAST, "{code} after {:?}", since.elapsed());
    }
}

on_both_databases! {
    async fn what_a_key_loses_ends_what_it_follows(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let beside = (kind == Kind::Postgres).then(|| gateway.beside());
        let gateways: Vec<&Gateway> = std::iter::once(&gateway).chain(&beside).collect();
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let connection = luma.invite(&tv_tube).await;

        let (id, revoked) = luma.api_key(json!({ "role": "ANALYST" })).await;
        let (demoted, removed, joining) = (
            luma.member(&gateway, "Ann", "MANAGER").await,
            luma.member(&gateway, "Bob", "MANAGER").await,
            luma.member(&gateway, "Cid", "MANAGER").await,
        );
        let subscribed = async |client: &Client| subscribers(&gateways, client, &luma.account).await;
        let [of_revoked, of_demoted, of_removed] =
            [subscribed(&revoked).await, subscribed(&demoted.client).await, subscribed(&removed.client).await];
        let staying = [subscribed(&luma.client).await, subscribed(&joining.client).await];
        let expires = Utc::now() + TimeDelta::seconds(2);
        let key = json!({ "role": "ANALYST", "expiresAt": expires });
        let of_expiring = subscribed(&luma.api_key(key).await.1).await;

        let began = Instant::now();
        let document = "mutation($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { userErrors { code message } } }";
        luma.client.mutate(document, json!({ "accountId": luma.account, "apiKeyId": id })).await;
        luma.set_role(&demoted.email, "ANALYST").await;
        let document = "mutation($input: RemoveMemberInput!) { removeMember(input: $input) { userErrors { code message } } }";
        luma.client.mutate(document, json!({ "accountId": luma.account, "userId": removed.id })).await;
        tv_tube.set_role(&joining.email, "ANALYST").await;

        end(of_revoked, "UNAUTHENTICATED", began).await;
        end(of_demoted, "ACCESS_CHANGED", began).await;
        end(of_removed, "ACCESS_CHANGED", began).await;
        let expired = (expires - Utc::now()).max(TimeDelta::zero()).to_std().unwrap();
        end(of_expiring, "UNAUTHENTICATED", Instant::now() + expired).await;
        // Who lost nothing goes on, also who got more.
        tv_tube.accept_invite(&connection).await;
        for mut socket in staying.into_iter().flatten() {
            assert_eq!(socket.next().await.unwrap()["data"]["connectionEvents"]["kind"], "INVITE_ACCEPTED");
        }
    }
}

on_both_databases! {
    /// The secret from before ends with its overlap; who has the new one goes on.
    async fn a_rotated_key_ends_what_its_old_secret_follows(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let beside = (kind == Kind::Postgres).then(|| gateway.beside());
        let gateways: Vec<&Gateway> = std::iter::once(&gateway).chain(&beside).collect();
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let connection = luma.invite(&tv_tube).await;
        let (id, old) = luma.api_key(json!({ "role": "ANALYST" })).await;
        let of_old = subscribers(&gateways, &old, &luma.account).await;

        let document = "mutation($input: RotateApiKeyInput!) { rotateApiKey(input: $input) {
            token apiKey { oldWorksUntil } userErrors { code message } } }";
        let until = Utc::now() + TimeDelta::seconds(2);
        let input = json!({ "accountId": luma.account, "apiKeyId": id, "oldWorksUntil": until });
        let rotated = luma.client.mutate(document, input).await;
        let until: DateTime<Utc> = rotated["apiKey"]["oldWorksUntil"].as_str().unwrap().parse().unwrap();
        let new = Client::new(&gateway.url, rotated["token"].as_str().unwrap());
        let of_new = subscribers(&gateways, &new, &luma.account).await;
        let overlap = (until - Utc::now()).max(TimeDelta::zero()).to_std().unwrap();
        end(of_old, "UNAUTHENTICATED", Instant::now() + overlap).await;
        assert!(Utc::now() >= until, "it ended before its overlap");
        tv_tube.accept_invite(&connection).await;
        for mut socket in of_new {
            assert_eq!(socket.next().await.unwrap()["data"]["connectionEvents"]["kind"], "INVITE_ACCEPTED");
        }
    }
}

on_both_databases! {
    /// However a session ends, so does what it follows; to follow is not to use it.
    async fn a_session_that_ends_ends_what_it_follows(kind: Kind) {
        let Some(provider) = openid() else { return };
        let settings = [("ENTENTE_OIDC_NEW_USERS", "true"), ("ENTENTE_SESSION_HOURS", "2")];
        let gateway = sign_in::start(kind, provider, &settings).await;
        let beside = (kind == Kind::Postgres).then(|| gateway.beside());
        let gateways: Vec<&Gateway> = std::iter::once(&gateway).chain(&beside).collect();
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let connection = luma.invite(&tv_tube).await;
        let mut people = vec![];
        for name in ["ada", "ben", "cid", "dan"] {
            people.push(signed_in(&gateway, name, &luma).await.unwrap());
        }
        let [mut signing_out, removed, idle, mut used] = <[Browser; 4]>::try_from(people).ok().unwrap();
        let follows = async |browser: &Browser| browsers(&gateways, browser, &luma.account).await;
        let of_signing_out = follows(&signing_out).await;
        let (of_removed, of_idle, mut of_used) = (follows(&removed).await, follows(&idle).await, follows(&used).await);

        let own = [("content-type", "application/json"), ("origin", gateway.url.as_str())];
        let began = Instant::now();
        let signed_out = signing_out.ask(Method::POST, &format!("{}/auth/sign-out", gateway.url), &own, None).await;
        assert_eq!(signed_out.status, 204);
        end(of_signing_out, "UNAUTHENTICATED", began).await;

        let user = "query($a: ID!) { account(id: $a) { members { nodes { user { id email } } } } }";
        let users = luma.client.query(user, json!({ "a": luma.account })).await;
        let users = users["account"]["members"]["nodes"].as_array().unwrap();
        let ben = users.iter().find(|m| m["user"]["email"].as_str().unwrap().starts_with("ben-")).unwrap();
        let began = Instant::now();
        let document = "mutation($input: RemoveMemberInput!) { removeMember(input: $input) { userErrors { code message } } }";
        luma.client.mutate(document, json!({ "accountId": luma.account, "userId": ben["user"]["id"] })).await;
        end(of_removed, "ACCESS_CHANGED", began).await;

        // The other one asks for something now and then, and follows on.
        let mut uses = async |minutes: u64| {
            gateway.pass(Duration::from_secs(minutes * 60));
            assert_eq!(used.query(&gateway, "{ viewer { kind } }").await.status, 200, "it is over too early");
            // It is noted beside the request.
            tokio::time::sleep(Duration::from_millis(500)).await;
        };
        uses(50).await;
        let began = Instant::now();
        uses(20).await;
        end(of_idle, "UNAUTHENTICATED", began).await;
        tv_tube.accept_invite(&connection).await;
        for socket in &mut of_used {
            assert_eq!(socket.next().await.unwrap()["data"]["connectionEvents"]["kind"], "INVITE_ACCEPTED");
        }
        uses(40).await;
        gateway.pass(Duration::from_secs(11 * 60));
        end(of_used, "UNAUTHENTICATED", Instant::now()).await;
    }
}

on_both_databases! {
    /// A socket that is open already lets nobody in.
    async fn a_revoked_key_begins_nothing_on_an_open_socket(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let (id, client) = luma.api_key(json!({ "role": "ADMIN" })).await;
        let mut socket = Socket::sign_in(&gateway.url, &client.token).await;
        let document = "mutation($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { userErrors { code message } } }";
        luma.client.mutate(document, json!({ "accountId": luma.account, "apiKeyId": id })).await;
        for (id, query) in [("1", EVENTS), ("2", "query($a: ID!) { account(id: $a) { name } }")] {
            let payload = json!({ "query": query, "variables": { "a": luma.account } });
            socket.say(&json!({ "type": "subscribe", "id": id, "payload": payload })).await;
            let answer = socket.hear().await.unwrap();
            assert_eq!(answer["payload"]["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{answer}");
            assert_eq!(socket.hear().await.unwrap(), json!({ "type": "complete", "id": id }));
        }
    }
}
