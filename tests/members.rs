//! Users of an account: invited, changed, gone, and never all of its ADMINs.

use crate::{
    harness::{Client, Gateway, Kind, on_both_databases},
    stories::Party,
};
use serde_json::{Value, json};
use std::time::Duration;

const INVITE: &str = "mutation($input: InviteMemberInput!) { inviteMember(input: $input) {
    token invitation { id email role } userErrors { code field message } } }";
const ACCEPT: &str = "mutation($input: AcceptInvitationInput!) { acceptInvitation(input: $input) {
    accountId member { role user { email } } userErrors { code field message } } }";
const WITHDRAW: &str = "mutation($input: WithdrawInvitationInput!) { withdrawInvitation(input: $input) {
    withdrawnInvitationId userErrors { code field message } } }";
const LEAVE: &str = "mutation($input: LeaveAccountInput!) { leaveAccount(input: $input) {
    leftAccountId userErrors { code field message } } }";
const SET: &str =
    "mutation($input: SetMemberInput!) { setMember(input: $input) { userErrors { code field message } } }";
const WAITING: &str = "query($a: ID!) { account(id: $a) { invitations { nodes { email role } } } }";

/// A new user; the address, and its client.
pub async fn user(gateway: &Gateway, name: &str) -> (String, Client) {
    let client = gateway.user(name).await;
    let data = client.query("{ viewer { user { email } } }", json!({})).await;
    (data["viewer"]["user"]["email"].as_str().unwrap().to_owned(), client)
}

impl Party {
    async fn invite_member(&self, email: &str, role: &str) -> Value {
        self.client.mutate(INVITE, json!({ "accountId": self.account, "email": email, "role": role })).await
    }

    /// What somebody may do in the account.
    pub async fn role_of(&self, client: &Client) -> Value {
        let query = "query($a: ID!) { viewer { roleIn(accountId: $a) } }";
        client.query(query, json!({ "a": self.account })).await["viewer"]["roleIn"].clone()
    }
}

on_both_databases! {
    async fn an_invitation_is_for_one_address_one_time_and_a_week(kind: Kind) {
        let mut gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let (email, ben) = user(&gateway, "Ben").await;
        let (_, cem) = user(&gateway, "Cem").await;
        let accept = |invited: &Value| json!({ "token": invited["token"] });

        let replaced = luma.invite_member(&email, "ANALYST").await;
        let invited = luma.invite_member(&email.to_uppercase(), "MANAGER").await;
        assert_eq!(invited["invitation"]["email"], json!(email));
        let waiting = luma.client.query(WAITING, json!({ "a": luma.account })).await;
        assert_eq!(waiting["account"]["invitations"]["nodes"], json!([{ "email": email, "role": "MANAGER" }]));
        assert_eq!(ben.refused(ACCEPT, accept(&replaced)).await, "INVITATION_INVALID");
        assert_eq!(ben.refused(ACCEPT, json!({ "token": "invitation_x" })).await, "INVITATION_INVALID");
        assert_eq!(cem.refused(ACCEPT, accept(&invited)).await, "INVITATION_INVALID");
        assert_eq!(gateway.operator().refused(ACCEPT, accept(&invited)).await, "FORBIDDEN");
        assert_eq!(luma.role_of(&ben).await, json!(null));

        let presses = (0..4).map(|_| ben.press(ACCEPT, accept(&invited)));
        let pressed = futures::future::join_all(presses).await;
        let (accepted, refused): (Vec<_>, Vec<_>) = pressed.iter().partition(|p| p["userErrors"] == json!([]));
        assert_eq!((accepted.len(), refused.len()), (1, 3), "{pressed:?}");
        assert_eq!(accepted[0]["accountId"], json!(luma.account));
        assert_eq!(accepted[0]["member"], json!({ "role": "MANAGER", "user": { "email": email } }));
        let codes = ["INVITATION_INVALID", "ALREADY_EXISTS"].map(Value::from);
        assert!(refused.iter().all(|p| codes.contains(&p["userErrors"][0]["code"])), "{refused:?}");
        assert_eq!(luma.role_of(&ben).await, "MANAGER");
        let again = json!({ "accountId": luma.account, "email": email, "role": "ADMIN" });
        assert_eq!(luma.client.refused(INVITE, again.clone()).await, "ALREADY_EXISTS");
        assert_eq!(ben.refused(INVITE, again).await, "FORBIDDEN");

        let (email, dan) = user(&gateway, "Dan").await;
        let withdrawn = luma.invite_member(&email, "ANALYST").await;
        let input = json!({ "accountId": luma.account, "invitationId": withdrawn["invitation"]["id"] });
        luma.client.mutate(WITHDRAW, input.clone()).await;
        assert_eq!(luma.client.refused(WITHDRAW, input).await, "NOT_FOUND");
        assert_eq!(dan.refused(ACCEPT, accept(&withdrawn)).await, "INVITATION_INVALID");
        let late = luma.invite_member(&email, "ANALYST").await;
        gateway.stop();
        gateway.pass(Duration::from_secs(7 * 24 * 60 * 60));
        gateway.start_again();
        assert_eq!(dan.at(&gateway.url).refused(ACCEPT, accept(&late)).await, "INVITATION_INVALID");
        for invited in [&replaced, &invited, &withdrawn, &late] {
            assert!(!gateway.log().contains(invited["token"].as_str().unwrap()));
        }
    }
}

on_both_databases! {
    /// However many leave at once: one ADMIN stays, who can neither leave nor become anything else.
    async fn the_last_admin_stays(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let mut admins = vec![luma.client.clone()];
        for name in ["Ann", "Ben", "Cem"] {
            let (email, client) = user(&gateway, name).await;
            let invited = luma.invite_member(&email, "ADMIN").await;
            client.mutate(ACCEPT, json!({ "token": invited["token"] })).await;
            admins.push(client);
        }
        let leave = json!({ "accountId": luma.account });
        let presses = admins.iter().map(|admin| admin.press(LEAVE, leave.clone()));
        let pressed = futures::future::join_all(presses).await;
        let stayed: Vec<_> = (0..admins.len()).filter(|n| pressed[*n]["userErrors"] != json!([])).collect();
        let [last] = stayed[..] else { panic!("{pressed:?}") };
        assert_eq!(pressed[last]["userErrors"][0]["code"], "LAST_ADMIN");
        let last = &admins[last];
        assert_eq!(luma.role_of(last).await, "ADMIN");
        let data = last.query("{ viewer { user { email } } }", json!({})).await;
        let demote = json!({ "accountId": luma.account, "email": data["viewer"]["user"]["email"], "role": "MANAGER" });
        assert_eq!(last.refused(SET, demote).await, "LAST_ADMIN");
        assert_eq!(luma.role_of(last).await, "ADMIN");
        let gone = admins.iter().find(|admin| admin.token != last.token).unwrap();
        assert_eq!(gone.refused(LEAVE, leave).await, "NOT_FOUND");
    }
}
