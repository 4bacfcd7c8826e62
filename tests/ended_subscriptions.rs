//! A subscription ends with the access that it stands on, at every gateway, and says why.

use crate::{
    harness::{Client, Gateway, Kind, Socket, on_both_databases},
    stories::Party,
};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const EVENTS: &str = "subscription($a: ID!) { connectionEvents(accountId: $a, after: \"ZTA\") { cursor kind } }";
/// Keys are checked each second.
const AT_LAST: Duration = Duration::from_secs(4);

/// A user of an account, with its id and address.
struct Member {
    client: Client,
    id: Value,
    email: Value,
}

impl Party {
    async fn api_key(&self, input: Value) -> (Client, Value) {
        let document = "mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) {
            apiKey { id } token userErrors { code message } } }";
        let mut made = self.client.mutate(document, input).await;
        let client = Client::new(self.client.base(), made["token"].as_str().unwrap());
        (client, made["apiKey"]["id"].take())
    }

    async fn member(&self, gateway: &Gateway, name: &str, role: &str) -> Member {
        let client = gateway.user(name).await;
        let mut user = client.query("{ viewer { user { id email } } }", json!({})).await["viewer"]["user"].take();
        let member = Member { client, id: user["id"].take(), email: user["email"].take() };
        self.set_role(&member, role).await;
        member
    }

    async fn set_role(&self, member: &Member, role: &str) {
        let document = "mutation($input: SetMemberInput!) { setMember(input: $input) { userErrors { code message } } }";
        let input = json!({ "accountId": self.account, "email": member.email, "role": role });
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

        let (revoked, id) = luma.api_key(json!({ "accountId": luma.account, "name": "CI", "role": "ANALYST" })).await;
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
        let key = json!({ "accountId": luma.account, "name": "CI", "role": "ANALYST", "expiresAt": expires });
        let of_expiring = subscribed(&luma.api_key(key).await.0).await;

        let began = Instant::now();
        let document = "mutation($input: RevokeApiKeyInput!) { revokeApiKey(input: $input) { userErrors { code message } } }";
        luma.client.mutate(document, json!({ "accountId": luma.account, "apiKeyId": id })).await;
        luma.set_role(&demoted, "ANALYST").await;
        let document = "mutation($input: RemoveMemberInput!) { removeMember(input: $input) { userErrors { code message } } }";
        luma.client.mutate(document, json!({ "accountId": luma.account, "userId": removed.id })).await;
        tv_tube.set_role(&joining, "ANALYST").await;

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
    /// A socket that is open already lets nobody in.
    async fn a_revoked_key_begins_nothing_on_an_open_socket(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let (client, id) = luma.api_key(json!({ "accountId": luma.account, "name": "CI", "role": "ADMIN" })).await;
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
