//! Agencies: their users act for clients, others see that they do, and a client that is handed over is its own at once.

use crate::{
    belongings::nobodys,
    credits::{give, priced},
    harness::{Client, Gateway, Kind, Socket, on_both_databases},
    members::user,
    people::{self, Form},
    stories::{INVITE, Party, settings},
};
use serde_json::{Value, json};

const CREATE: &str = "mutation($input: CreateClientInput!) { createClient(input: $input) {
    client { id collaboratorId role agency { name } } userErrors { code field message } } }";
const HAND_OVER: &str = "mutation($input: HandOverClientInput!) { handOverClient(input: $input) {
    token invitation { id email role handsOver } userErrors { code field message } } }";
const TAKE_OVER: &str = "mutation($input: AcceptHandOverInput!) { acceptHandOver(input: $input) {
    accountId member { role } userErrors { code field message } } }";
const INVITE_MEMBER: &str =
    "mutation($input: InviteMemberInput!) { inviteMember(input: $input) { token userErrors { code } } }";
const ACCEPT: &str =
    "mutation($input: AcceptInvitationInput!) { acceptInvitation(input: $input) { userErrors { code } } }";
const SET: &str = "mutation($input: SetMemberInput!) { setMember(input: $input) {
    member { user { id } } userErrors { code message } } }";
const REMOVE: &str =
    "mutation($input: RemoveMemberInput!) { removeMember(input: $input) { userErrors { code message } } }";
const LEAVE: &str =
    "mutation($input: LeaveAccountInput!) { leaveAccount(input: $input) { userErrors { code message } } }";
const UPDATE: &str = "mutation($input: UpdateAccountInput!) { updateAccount(input: $input) { userErrors { code } } }";
const DELETE: &str = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { userErrors { code } } }";
const AUDIT: &str = "query($a: ID!) { account(id: $a) { auditLog(first: 1) {
    nodes { action outcome actor { kind agency { name } } } } } }";
const EVENTS: &str = "subscription($a: ID!, $after: String) { accountEvents(accountId: $a, after: $after) {
    kind agency { name } } }";
const CONNECTION_EVENTS: &str =
    "subscription($a: ID!, $after: String) { connectionEvents(accountId: $a, after: $after) {
    kind agency { name } connection { collaborationPattern } } }";
const PREVIEW: &str = "query($a: ID!) { account(id: $a) { deletionPreview {
    allowed userErrors { code } goes { kind count } stays { kind reason count names } } } }";
/// The cursor before the first event.
const FROM_THE_START: &str = "ZTA";

fn new_client(agency: &Party, name: &str) -> Value {
    json!({ "accountId": agency.account, "name": name, "region": "US", "contactEmail": "team@example.com",
        "matchKeys": [{ "kind": "HASHED_EMAIL" }, { "kind": "HASHED_PHONE" }] })
}

impl Party {
    /// A client of this agency, for which its ADMIN acts.
    async fn new_client(&self, name: &str) -> Party {
        let made = self.client.mutate(CREATE, new_client(self, name)).await["client"].take();
        assert_eq!((&made["role"], &made["agency"]["name"]), (&json!("ADVERTISER"), &json!("Agency99")));
        let text = |field: &str| made[field].as_str().unwrap().to_owned();
        Party { client: self.client.clone(), account: text("id"), collaborator: text("collaboratorId") }
    }

    /// The same account as somebody else acts for it.
    fn by(&self, client: &Client) -> Party {
        Party { client: client.clone(), ..self.clone() }
    }

    async fn last_in_audit_log(&self) -> Value {
        let data = self.client.query(AUDIT, json!({ "a": self.account })).await;
        data["account"]["auditLog"]["nodes"][0].clone()
    }

    /// Gives a user a role; the user's id.
    async fn set_member(&self, email: &str, role: &str) -> Value {
        let input = json!({ "accountId": self.account, "email": email, "role": role });
        self.client.mutate(SET, input).await["member"]["user"]["id"].clone()
    }

    /// What became of an invite by connect code: the pattern, or why not.
    async fn pattern_with(&self, code: &str) -> String {
        let document = INVITE.replace("connection { id }", "connection { collaborationPattern }");
        let input = json!({ "accountId": self.account, "invitee": { "connectCode": code } });
        let payload = self.client.press(&document, input).await;
        let shown = &payload["connection"]["collaborationPattern"];
        shown.as_str().or(payload["userErrors"][0]["code"].as_str()).unwrap().to_owned()
    }

    /// What deleting it would do.
    async fn preview(&self) -> Value {
        self.client.query(PREVIEW, json!({ "a": self.account })).await["account"]["deletionPreview"].take()
    }

    async fn patterns(&self) -> Value {
        let query = "query($a: ID!) { account(id: $a) { connections { nodes { state collaborationPattern } } } }";
        self.client.query(query, json!({ "a": self.account })).await["account"]["connections"]["nodes"].take()
    }

    async fn follow(&self, gateway: &Gateway, document: &str, after: Option<&str>) -> Socket {
        let variables = json!({ "a": self.account, "after": after });
        Socket::subscribe(&gateway.url, &self.client.token, document, variables).await
    }
}

fn by_agency(action: &str) -> Value {
    json!({ "action": action, "outcome": "ALLOWED", "actor": { "kind": "USER", "agency": { "name": "Agency99" } } })
}

/// Waits until a subscription ends, and for what; before that it may tell of events.
async fn ended(socket: &mut Socket) -> Value {
    loop {
        let payload = socket.next().await.unwrap();
        if let Some(error) = payload["errors"].get(0) {
            return error["extensions"]["code"].clone();
        }
    }
}

on_both_databases! {
    async fn users_of_an_agency_act_for_its_clients(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let agency = Party::create(&gateway, "Agency99", "AGENCY").await;
        let tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        assert_eq!(tube.client.refused(CREATE, new_client(&tube, "Luma")).await, "INVALID");
        let luma = agency.new_client("Luma").await;
        for account in [&agency, &luma] {
            assert_eq!(account.last_in_audit_log().await, by_agency("createClient"));
        }

        let (email, ann) = user(&gateway, "Ann").await;
        assert_eq!(luma.role_of(&ann).await, Value::Null);
        agency.set_member(&email, "ANALYST").await;
        assert_eq!(luma.role_of(&ann).await, "ANALYST");
        let mut following = luma.by(&ann).follow(&gateway, EVENTS, None).await;
        luma.client.mutate(UPDATE, json!({ "accountId": luma.account, "industry": "Retail" })).await;
        let told = following.next().await.unwrap()["data"]["accountEvents"].take();
        assert_eq!(told, json!({ "kind": "ACCOUNT_UPDATED", "agency": { "name": "Agency99" } }));
        let invite = json!({ "accountId": luma.account, "invitee": { "collaboratorId": tube.collaborator } });
        assert_eq!(ann.refused(INVITE, invite.clone()).await, "FORBIDDEN");
        let id = agency.set_member(&email, "MANAGER").await;
        assert_eq!(ended(&mut following).await, "ACCESS_CHANGED");
        assert_eq!(luma.role_of(&ann).await, "MANAGER");

        // Both sides see the agency as who acts, and the client as the party.
        let connection = ann.mutate(INVITE, invite).await["connection"]["id"].as_str().unwrap().to_owned();
        assert_eq!(luma.last_in_audit_log().await, by_agency("invite"));
        let query = "query($a: ID!) { account(id: $a) { connections { nodes {
            collaborationPattern owner { name role } } } } }";
        let seen = tube.client.query(query, json!({ "a": tube.account })).await;
        let owner = json!({ "name": "Luma", "role": "ADVERTISER" });
        let expected = json!([{ "collaborationPattern": "AGENCY_TO_PUBLISHER", "owner": owner }]);
        assert_eq!(seen["account"]["connections"]["nodes"], expected);
        tube.accept_invite(&connection).await;
        assert_eq!(tube.last_in_audit_log().await["actor"]["agency"], Value::Null);
        for side in [&luma, &tube] {
            let mut events = side.follow(&gateway, CONNECTION_EVENTS, Some(FROM_THE_START)).await;
            for (kind, agency) in [("INVITED", json!({ "name": "Agency99" })), ("INVITE_ACCEPTED", Value::Null)] {
                let told = events.next().await.unwrap()["data"]["connectionEvents"].take();
                assert_eq!((&told["kind"], &told["agency"]), (&json!(kind), &agency));
            }
        }

        // The directory is browsed for a client.
        let directory = "query($a: ID!) { directory(accountId: $a) { totalCount } }";
        assert!(ann.ask(directory, json!({ "a": luma.account })).await["errors"].is_null());
        let refused = agency.client.ask(directory, json!({ "a": agency.account })).await;
        assert_eq!(refused["errors"][0]["extensions"]["code"], "FORBIDDEN");

        // Who is removed from the agency has lost its clients.
        let mut following = luma.by(&ann).follow(&gateway, EVENTS, None).await;
        agency.client.mutate(REMOVE, json!({ "accountId": agency.account, "userId": id })).await;
        assert_eq!(ended(&mut following).await, "ACCESS_CHANGED");
        assert_eq!(luma.role_of(&ann).await, Value::Null);
        let update = json!({ "accountId": luma.account, "industry": "Sports" });
        assert_eq!(ann.refused(UPDATE, update).await, "NOT_FOUND");
    }
}

on_both_databases! {
    async fn a_client_has_users_of_its_own_beside_those_of_its_agency(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let agency = Party::create(&gateway, "Agency99", "AGENCY").await;
        let luma = agency.new_client("Luma").await;
        let (email, lea) = user(&gateway, "Lea").await;
        let id = luma.set_member(&email, "ADMIN").await;
        assert_eq!((luma.role_of(&lea).await, agency.role_of(&lea).await), (json!("ADMIN"), Value::Null));
        lea.mutate(UPDATE, json!({ "accountId": luma.account, "industry": "Retail" })).await;
        assert_eq!(luma.last_in_audit_log().await["actor"], json!({ "kind": "USER", "agency": null }));
        let hand_over = json!({ "accountId": luma.account, "email": email });
        assert_eq!(lea.refused(HAND_OVER, hand_over).await, "FORBIDDEN", "the agency's to do");
        assert_eq!(agency.client.refused(LEAVE, json!({ "accountId": luma.account })).await, "WRONG_STATE");
        // Its agency has an ADMIN, so that it needs none.
        let remove = json!({ "accountId": luma.account, "userId": id });
        luma.client.mutate(REMOVE, remove).await;
        assert_eq!(luma.role_of(&lea).await, Value::Null);
        luma.set_member(&email, "ANALYST").await;
        lea.mutate(LEAVE, json!({ "accountId": luma.account })).await;
        assert_eq!(luma.role_of(&agency.client).await, "ADMIN");
    }
}

on_both_databases! {
    async fn a_client_that_is_handed_over_is_its_own_at_once(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let agency = Party::create(&gateway, "Agency99", "AGENCY").await;
        let tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let luma = agency.new_client("Luma").await;
        let connection = luma.invite(&tube).await;
        tube.accept_invite(&connection).await;
        let version = luma.propose(&connection, settings("RECIPIENT")).await;
        tube.accept_settings(&connection, version).await;
        let code = luma.connect_code().await;
        let (_, key) = luma.api_key(json!({ "role": "ADMIN" })).await;
        let ((email, lea), (anns, ann)) = (user(&gateway, "Lea").await, user(&gateway, "Ann").await);
        agency.set_member(&anns, "ANALYST").await;
        // A user of the agency with a role in the client, and an invitation that the agency might accept later.
        luma.set_member(&anns, "ADMIN").await;
        let (bens, ben) = user(&gateway, "Ben").await;
        let waiting = json!({ "accountId": luma.account, "email": bens, "role": "ADMIN" });
        let waiting = luma.client.mutate(INVITE_MEMBER, waiting).await;

        let offer = |email: &str| json!({ "accountId": luma.account, "email": email });
        assert_eq!(lea.refused(HAND_OVER, offer(&email)).await, "NOT_FOUND");
        assert_eq!(key.refused(HAND_OVER, offer(&email)).await, "FORBIDDEN");
        assert_eq!(luma.client.refused(HAND_OVER, offer(&anns)).await, "WRONG_STATE", "a user of the agency");
        let own = json!({ "accountId": agency.account, "email": email });
        assert_eq!(agency.client.refused(HAND_OVER, own).await, "WRONG_STATE");
        let offered = luma.client.mutate(HAND_OVER, offer(&email.to_uppercase())).await;
        let shown = ["email", "role", "handsOver"].map(|field| offered["invitation"][field].clone());
        assert_eq!(shown, [json!(email), json!("ADMIN"), json!(true)]);
        for account in [&luma, &agency] {
            assert_eq!(account.last_in_audit_log().await, by_agency("handOverClient"));
        }
        // Nothing has changed before it is accepted, by whom it is for, and as what it is.
        let token = json!({ "token": offered["token"] });
        assert_eq!(lea.refused(ACCEPT, token.clone()).await, "WRONG_STATE");
        assert_eq!(ben.refused(TAKE_OVER, token.clone()).await, "INVITATION_INVALID");
        assert_eq!(ben.refused(TAKE_OVER, json!({ "token": waiting["token"] })).await, "WRONG_STATE");
        assert_eq!(luma.role_of(&agency.client).await, "ADMIN");

        let mut by_user = luma.follow(&gateway, EVENTS, None).await;
        let mut by_key = luma.by(&key).follow(&gateway, EVENTS, None).await;
        let taken = lea.mutate(TAKE_OVER, token.clone()).await;
        assert_eq!((&taken["accountId"], &taken["member"]["role"]), (&json!(luma.account), &json!("ADMIN")));
        assert_eq!(ended(&mut by_user).await, "ACCESS_CHANGED");
        assert_eq!(ended(&mut by_key).await, "UNAUTHENTICATED");
        assert_eq!(luma.role_of(&lea).await, "ADMIN");
        for former in [&agency.client, &ann] {
            assert_eq!(luma.role_of(former).await, Value::Null);
        }
        let asked = key.ask("{ viewer { kind } }", json!({})).await;
        assert_eq!(asked["status"], 401, "{asked}");
        assert_eq!(ben.refused(ACCEPT, json!({ "token": waiting["token"] })).await, "INVITATION_INVALID");
        assert_eq!(lea.refused(TAKE_OVER, token).await, "INVITATION_INVALID");
        assert_eq!(luma.client.refused(HAND_OVER, offer(&email)).await, "NOT_FOUND");

        // The account has what it had, under its own name alone.
        let luma = luma.by(&lea);
        assert_ne!(luma.connect_code().await, code);
        let expected = json!([{ "state": "ACTIVE", "collaborationPattern": "ADVERTISER_TO_PUBLISHER" }]);
        for side in [&luma, &tube] {
            assert_eq!(side.patterns().await, expected);
            let mut events = side.follow(&gateway, CONNECTION_EVENTS, Some(FROM_THE_START)).await;
            while events.next().await.unwrap()["data"]["connectionEvents"]["kind"] != "HANDED_OVER" {}
        }
        for account in [&luma, &agency] {
            let line = account.last_in_audit_log().await;
            let actor = json!({ "kind": "USER", "agency": null });
            assert_eq!(line, json!({ "action": "acceptHandOver", "outcome": "ALLOWED", "actor": actor }));
        }
        luma.client.mutate(UPDATE, json!({ "accountId": luma.account, "industry": "Sports" })).await;
        assert_eq!(luma.last_in_audit_log().await["actor"]["agency"], Value::Null);
        let query = "query($a: ID!) { account(id: $a) { agency { name } members { totalCount } } }";
        let seen = luma.client.query(query, json!({ "a": luma.account })).await;
        assert_eq!(seen["account"], json!({ "agency": null, "members": { "totalCount": 1 } }));
        let (verified, said) = gateway.run(&["audit", "verify"], &[]);
        assert!(verified, "{said}");
    }
}

on_both_databases! {
    async fn an_agency_is_deleted_without_clients(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let agency = Party::create(&gateway, "Agency99", "AGENCY").await;
        let (luma, fit) = (agency.new_client("Luma").await, agency.new_client("Fit Apparel").await);
        let query = "query($a: ID!) { account(id: $a) { clients { nodes { name } } } }";
        let seen = agency.client.query(query, json!({ "a": agency.account })).await;
        assert_eq!(seen["account"]["clients"]["nodes"], json!([{ "name": "Fit Apparel" }, { "name": "Luma" }]));
        let preview = agency.preview().await;
        assert_eq!((&preview["allowed"], &preview["userErrors"]), (&json!(false), &json!([{ "code": "WRONG_STATE" }])));
        let names = ["Fit Apparel", "Luma"];
        let clients = json!({ "kind": "CLIENT", "reason": "ACCOUNT_OF_ITS_OWN", "count": 2, "names": names });
        assert!(preview["stays"].as_array().unwrap().contains(&clients), "{preview}");
        let delete = json!({ "accountId": agency.account, "accountName": "Agency99" });
        assert_eq!(agency.client.refused(DELETE, delete.clone()).await, "WRONG_STATE");

        let (email, ann) = user(&gateway, "Ann").await;
        agency.set_member(&email, "MANAGER").await;
        for (client, name) in [(&luma, "Luma"), (&fit, "Fit Apparel")] {
            let delete = json!({ "accountId": client.account, "accountName": name });
            assert_eq!(ann.refused(DELETE, delete.clone()).await, "FORBIDDEN");
            client.client.mutate(DELETE, delete).await;
            assert_eq!(client.role_of(&agency.client).await, Value::Null);
            assert_eq!(agency.last_in_audit_log().await, by_agency("deleteAccount"));
        }
        let preview = agency.preview().await;
        assert_eq!(preview["allowed"], true, "{preview}");
        agency.client.mutate(DELETE, delete).await;
    }
}

on_both_databases! {
    /// To everybody else a client, and that it is one, is as good as not there.
    async fn nobody_else_learns_of_clients(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let agency = Party::create(&gateway, "Agency99", "AGENCY").await;
        let rival = Party::create(&gateway, "Rival", "AGENCY").await;
        let luma = agency.new_client("Luma").await;
        let nobody = nobodys("Account");
        let query = "query($a: ID!) { account(id: $a) { name } node(id: $a) { id } viewer { roleIn(accountId: $a) } }";
        let [seen, expected] = [&luma.account, &nobody].map(|id| rival.client.ask(query, json!({ "a": id })));
        assert_eq!(seen.await["data"], expected.await["data"]);
        for (document, input) in [
            (HAND_OVER, json!({ "email": "lea@example.com" })),
            (DELETE, json!({ "accountName": "Luma" })),
            (CREATE, new_client(&luma, "Other")),
        ] {
            let [seen, expected] = [&luma.account, &nobody].map(|id| {
                let mut input = input.clone();
                input["accountId"] = json!(id);
                rival.client.press(document, input)
            });
            assert_eq!(seen.await, expected.await, "{document}");
        }
        // The code shows whose it is, and not for whom anybody acts.
        let query = "query($a: ID!, $c: String!) { connectCodeHolder(accountId: $a, connectCode: $c) { name role } }";
        let holder = rival.client.query(query, json!({ "a": rival.account, "c": luma.connect_code().await })).await;
        assert_eq!(holder["connectCodeHolder"], json!({ "name": "Luma", "role": "ADVERTISER" }));
    }
}

on_both_databases! {
    /// Clients with each of the roles, and with their own agency and another one.
    async fn clients_meet_publishers_and_data_partners_as_their_agency_does(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let agency = Party::create(&gateway, "Agency99", "AGENCY").await;
        let (luma, fit) = (agency.new_client("Luma").await, agency.new_client("Fit Apparel").await);
        let mut pairs = vec![(agency.clone(), "PATTERN_NOT_ALLOWED"), (fit, "BRAND_TO_BRAND")];
        for (role, pattern) in [
            ("PUBLISHER", "AGENCY_TO_PUBLISHER"),
            ("DATA_PARTNER", "AGENCY_TO_DATA_PARTNER"),
            ("ADVERTISER", "BRAND_TO_BRAND"),
            ("AGENCY", "ADVERTISER_TO_AGENCY"),
        ] {
            pairs.push((Party::create(&gateway, role, role).await, pattern));
        }
        let code = agency.new_client("Third").await.connect_code().await;
        for (other, pattern) in pairs {
            assert_eq!(luma.pattern_with(&other.connect_code().await).await, pattern);
            assert_eq!(other.pattern_with(&code).await, pattern, "the other way round");
        }
    }
}

on_both_databases! {
    async fn a_client_pays_for_its_work(kind: Kind) {
        const GIVEN: u64 = 5_000_000;
        let gateway = Gateway::start_with(kind, priced(&["AUDIENCE_MANAGEMENT"])).await;
        let agency = Party::create(&gateway, "Agency99", "AGENCY").await;
        let luma = agency.new_client("Luma").await;
        for account in [&agency, &luma] {
            give(&gateway, account, GIVEN).await;
        }
        luma.source(people::customers(0..2_000, Form::Hashed, people::luma), Form::Hashed).await;
        let [_, used, _, available] = luma.wallet().await;
        assert!(used > 0 && used + available == GIVEN, "{used} {available}");
        assert_eq!(agency.wallet().await, [GIVEN, 0, 0, GIVEN]);
    }
}
