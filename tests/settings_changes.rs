//! Settings that are in force are changed: the owner drafts and proposes, the recipient answers.

use crate::{
    harness::{Gateway, Kind, Socket, on_both_databases},
    stories::{INVITE, Party, settings, two_sides},
};
use serde_json::{Value, json};

const SAVE: &str = "mutation($input: SaveSettingsDraftInput!) { saveSettingsDraft(input: $input) {
    draft { settings { version } } userErrors { code field message } } }";
const PROPOSE: &str = "mutation($input: ProposeSettingsChangeInput!) { proposeSettingsChange(input: $input) {
    connection { proposedChange { settings { version } } } userErrors { code field message } } }";
const WITHDRAW: &str = "mutation($input: ConnectionInput!) { withdrawSettingsChange(input: $input) {
    userErrors { code field message } } }";
const ACCEPT: &str = "mutation($input: AcceptSettingsInput!) { acceptSettingsChange(input: $input) {
    connection { settings { version } } userErrors { code field message } } }";
const REJECT: &str = "mutation($input: RejectSettingsInput!) { rejectSettingsChange(input: $input) {
    userErrors { code field message } } }";

/// A connection as one side sees it.
const SEEN: &str = "query($a: ID!, $c: ID!) { connection(accountId: $a, id: $c) {
    state standing(accountId: $a) actionRequired(accountId: $a) version updatedAt rejectionReason
    settings { version useCases matchKeys { kind } activators counts advertiserNames { advertiserId } }
    proposedSettings { version }
    draft(accountId: $a) { settings { version useCases } savedBy differences { useCases { added } } }
    proposedChange { status rejectionReason proposedBy { name } settings { version } differences {
        useCases { before after added } matchKeys { before { kind } after { kind } added { kind } }
        activators { before after } activationPayer { before after } measurementPayer { before after }
        counts { before after }
        advertiserNames { before { name } after { name } added { advertiserId } removed { advertiserId } }
    } } } }";

impl Party {
    async fn sees(&self, connection: &str) -> Value {
        let variables = json!({ "a": self.account, "c": connection });
        self.client.query(SEEN, variables).await["connection"].take()
    }

    fn on(&self, connection: &str) -> Value {
        json!({ "accountId": self.account, "connectionId": connection })
    }

    fn naming(&self, connection: &str, version: &str, number: i64) -> Value {
        let mut input = self.on(connection);
        input[version] = json!(number);
        input
    }

    fn rejecting(&self, connection: &str, version: i64) -> Value {
        let mut input = self.naming(connection, "settingsVersion", version);
        input["reason"] = json!("Not before summer.");
        input
    }

    fn saving(&self, connection: &str, settings: Value) -> Value {
        let mut input = self.on(connection);
        input["settings"] = settings;
        input
    }

    /// Saves a draft; its version.
    async fn save_draft(&self, connection: &str, settings: Value) -> i64 {
        let payload = self.client.mutate(SAVE, self.saving(connection, settings)).await;
        payload["draft"]["settings"]["version"].as_i64().unwrap()
    }

    /// Saves other settings and proposes them; the version of the change.
    async fn propose_change(&self, connection: &str, settings: Value) -> i64 {
        let draft = self.save_draft(connection, settings).await;
        let payload = self.client.mutate(PROPOSE, self.naming(connection, "draftVersion", draft)).await;
        payload["connection"]["proposedChange"]["settings"]["version"].as_i64().unwrap()
    }

    async fn accept_change(&self, connection: &str, version: i64) {
        let payload = self.client.mutate(ACCEPT, self.naming(connection, "settingsVersion", version)).await;
        assert_eq!(payload["connection"]["settings"]["version"], json!(version));
    }

    /// The answer to a question by phone: what kind it is, or why there is none.
    async fn by_phone(&self, project: &str) -> String {
        let query = "query($a: ID!, $p: ID!) { project(accountId: $a, id: $p) {
            discover(accountId: $a, matchKeys: [{ kind: HASHED_PHONE }]) {
                compare(mine: { all: true }, theirs: { all: true }) { __typename } } } }";
        let answer = self.client.ask(query, json!({ "a": self.account, "p": project })).await;
        let refused = answer["errors"][0]["extensions"]["code"].as_str();
        let answered = answer["data"]["project"]["discover"]["compare"]["__typename"].as_str();
        refused.or(answered).unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// How many connections wait for this account.
    async fn waiting(&self) -> i64 {
        let query = "query($a: ID!) { account(id: $a) { connections(actionRequired: true) { totalCount } } }";
        let data = self.client.query(query, json!({ "a": self.account })).await;
        data["account"]["connections"]["totalCount"].as_i64().unwrap()
    }

    /// What was done for this account about settings in force, oldest first, with the code of what was refused.
    async fn logged(&self) -> Vec<(String, Value)> {
        let query = "query($a: ID!) { account(id: $a) { auditLog(first: 100) { nodes { action code } } } }";
        let data = self.client.query(query, json!({ "a": self.account })).await;
        let entries = data["account"]["auditLog"]["nodes"].as_array().unwrap().clone();
        let entry = |e: Value| (e["action"].as_str().unwrap().to_owned(), e["code"].clone());
        let about_changes =
            |(action, _): &(String, Value)| action.contains("SettingsChange") || action.contains("Draft");
        entries.into_iter().rev().map(entry).filter(about_changes).collect()
    }
}

/// Settings in which the two only discover, by e-mail.
fn narrow() -> Value {
    let mut narrow = settings("RECIPIENT");
    narrow["useCases"] = json!(["DISCOVER"]);
    narrow["matchKeys"] = json!([{ "kind": "HASHED_EMAIL" }]);
    narrow
}

async fn events(gateway: &Gateway, party: &Party, count: usize) -> Vec<String> {
    let document = "subscription($a: ID!) { connectionEvents(accountId: $a, after: \"ZTA\") { kind } }";
    let variables = json!({ "a": party.account });
    let mut socket = Socket::subscribe(&gateway.url, &party.client.token, document, variables).await;
    let mut kinds = vec![];
    for _ in 0..count {
        let event = socket.next().await.unwrap();
        kinds.push(event["data"]["connectionEvents"]["kind"].as_str().unwrap().to_owned());
    }
    kinds
}

async fn create_project(party: &Party, connection: &str) -> String {
    let document = "mutation($input: CreateProjectInput!) { createProject(input: $input) {
        project { id advertiser { name } } userErrors { code field message } } }";
    let input = json!({
        "accountId": party.account, "connectionId": connection, "name": "Spring", "useCases": ["DISCOVER"],
    });
    party.client.mutate(document, input).await["project"]["id"].as_str().unwrap().to_owned()
}

const UPDATE: &str = "mutation($input: UpdateProjectInput!) { updateProject(input: $input) {
    project { useCases advertiser { name } } userErrors { code field message } } }";

on_both_databases! {
    /// From a draft to an accepted change, with a rejection and a withdrawal in between. Until then the old settings hold, and
    /// from then on the very next question is asked by the new ones.
    async fn a_change_is_drafted_proposed_and_accepted(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let (luma, tv_tube) = two_sides(&gateway).await;
        let connection = luma.agree(&tv_tube, narrow()).await;
        let project = create_project(&luma, &connection).await;
        let wider = || settings("RECIPIENT");

        // The draft is Luma's alone.
        let bare = tv_tube.sees(&connection).await;
        assert_eq!(luma.save_draft(&connection, wider()).await, 1);
        assert_eq!(tv_tube.sees(&connection).await, bare);
        assert_eq!(bare["draft"], Value::Null);
        let draft = luma.sees(&connection).await["draft"].take();
        assert_eq!(draft["differences"]["useCases"]["added"], json!(["ACTIVATE", "MEASURE"]));
        assert!(draft["savedBy"].as_str().unwrap().starts_with("user "), "{draft}");
        assert_eq!(tv_tube.client.refused(SAVE, tv_tube.saving(&connection, wider())).await, "FORBIDDEN");
        let guessed = tv_tube.naming(&connection, "draftVersion", 1);
        assert_eq!(tv_tube.client.refused(PROPOSE, guessed).await, "FORBIDDEN");

        // Proposed, TV Tube sees side by side what it would agree to. Meanwhile the old settings hold.
        let proposed = luma.naming(&connection, "draftVersion", 1);
        luma.client.mutate(PROPOSE, proposed.clone()).await;
        assert_eq!(luma.sees(&connection).await["draft"], Value::Null);
        let seen = tv_tube.sees(&connection).await;
        let email = json!({ "kind": "HASHED_EMAIL" });
        let (before, after) = (json!([email]), json!([email, { "kind": "HASHED_PHONE" }]));
        assert_eq!(seen["proposedChange"], json!({
            "status": "PROPOSED", "rejectionReason": null, "proposedBy": { "name": "Luma" }, "settings": { "version": 2 },
            "differences": {
                "useCases": {
                    "before": ["DISCOVER"], "after": ["DISCOVER", "ACTIVATE", "MEASURE"], "added": ["ACTIVATE", "MEASURE"],
                },
                "matchKeys": { "before": before, "after": after, "added": [{ "kind": "HASHED_PHONE" }] },
                "activators": null, "activationPayer": null, "measurementPayer": null, "counts": null,
                "advertiserNames": null,
            },
        }));
        assert_eq!((&seen["settings"]["version"], &seen["standing"]), (&json!(1), &json!("CHANGE_RECEIVED")));
        assert_eq!((&seen["actionRequired"], tv_tube.waiting().await, luma.waiting().await), (&json!(true), 1, 0));
        for party in [&luma, &tv_tube] {
            assert_eq!(party.by_phone(&project).await, "MATCH_KEY_UNAVAILABLE");
        }
        let more = json!({ "accountId": luma.account, "projectId": project, "useCases": ["DISCOVER", "ACTIVATE"] });
        assert_eq!(luma.client.refused(UPDATE, more.clone()).await, "USE_CASE_UNAVAILABLE");
        assert_eq!(luma.client.refused(PROPOSE, proposed).await, "WRONG_STATE");

        // Rejected; revised and withdrawn; proposed once more.
        tv_tube.client.mutate(REJECT, tv_tube.rejecting(&connection, 2)).await;
        let seen = luma.sees(&connection).await;
        assert_eq!((&seen["standing"], &seen["rejectionReason"]), (&json!("ACTIVE"), &json!("Not before summer.")));
        assert_eq!(seen["proposedChange"]["status"], "REJECTED");
        assert_eq!(tv_tube.waiting().await, 0);
        assert_eq!(luma.propose_change(&connection, wider()).await, 3);
        luma.client.mutate(WITHDRAW, luma.on(&connection)).await;
        let withdrawn = tv_tube.naming(&connection, "settingsVersion", 3);
        assert_eq!(tv_tube.client.refused(ACCEPT, withdrawn.clone()).await, "WRONG_STATE");
        assert_eq!(luma.propose_change(&connection, wider()).await, 4);
        assert_eq!(tv_tube.client.refused(ACCEPT, withdrawn).await, "SETTINGS_CHANGED");
        assert_eq!(tv_tube.client.refused(REJECT, tv_tube.rejecting(&connection, 3)).await, "SETTINGS_CHANGED");
        assert_eq!(luma.by_phone(&project).await, "MATCH_KEY_UNAVAILABLE");

        // Accepted, with names by which TV Tube knows Luma.
        let mut accepting = tv_tube.naming(&connection, "settingsVersion", 4);
        accepting["advertiserNames"] = json!([{ "name": "Luma Run", "advertiserId": "run" }]);
        tv_tube.client.mutate(ACCEPT, accepting).await;
        for party in [&luma, &tv_tube] {
            assert_eq!(party.by_phone(&project).await, "Overlap", "the very next question");
        }
        let seen = luma.sees(&connection).await;
        assert_eq!((&seen["settings"]["version"], &seen["proposedChange"]), (&json!(4), &Value::Null));
        assert_eq!(seen["settings"]["advertiserNames"], json!([{ "advertiserId": "run" }]));
        let updated = luma.client.mutate(UPDATE, more).await;
        assert_eq!(updated["project"]["advertiser"]["name"], "Luma", "the name that it had");
        let named = json!({ "accountId": luma.account, "projectId": project, "advertiserId": "run" });
        assert_eq!(luma.client.mutate(UPDATE, named).await["project"]["advertiser"]["name"], "Luma Run");

        for party in [&luma, &tv_tube] {
            assert_eq!(events(&gateway, party, 10).await, [
                "INVITED", "INVITE_ACCEPTED", "SETTINGS_PROPOSED", "SETTINGS_ACCEPTED", "CHANGE_PROPOSED",
                "CHANGE_REJECTED", "CHANGE_PROPOSED", "CHANGE_WITHDRAWN", "CHANGE_PROPOSED", "CHANGE_ACCEPTED",
            ]);
        }
        let entry = |action: &str, code: Value| (action.to_owned(), code);
        assert_eq!(tv_tube.logged().await, [
            entry("saveSettingsDraft", json!("FORBIDDEN")), entry("proposeSettingsChange", json!("FORBIDDEN")),
            entry("rejectSettingsChange", Value::Null), entry("acceptSettingsChange", json!("WRONG_STATE")),
            entry("acceptSettingsChange", json!("SETTINGS_CHANGED")),
            entry("rejectSettingsChange", json!("SETTINGS_CHANGED")), entry("acceptSettingsChange", Value::Null),
        ]);
        assert_eq!(luma.logged().await[0], entry("saveSettingsDraft", Value::Null));
    }
}

on_both_databases! {
    /// What exact counts and who activates depend on changes with the settings: not before both agreed, and then at once.
    /// What was sent to a side that no longer activates is revoked; what was sent to the other stays.
    async fn what_depends_on_settings_follows_them(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let (luma, tv_tube) = two_sides(&gateway).await;
        let connection = luma.agree(&tv_tube, settings("BOTH")).await;
        let project = luma.create_project(&connection, "Spring").await;
        let destination = luma.create_destination().await;
        tv_tube.create_destination().await;
        let (lumas, tv_tubes) = (luma.audiences().await, tv_tube.audiences().await);
        for (party, audience) in [(&luma, &lumas["Running"]), (&tv_tube, &tv_tubes["Sports fans"])] {
            assert_eq!(party.send(&project, audience, &[]).await["userErrors"], json!([]));
        }
        let has_access = async |party: &Party| party.received().await[0]["hasAccess"].clone();
        let counts = async |party: &Party| {
            let all = || json!({ "all": true });
            party.compare(&project, all(), all()).await
        };
        let protected = [counts(&luma).await, counts(&tv_tube).await];
        let mut exact = settings("RECIPIENT");
        exact["counts"] = json!("EXACT");
        let version = luma.propose_change(&connection, exact).await;
        assert_eq!([counts(&luma).await, counts(&tv_tube).await], protected, "one side's wish alone changes nothing");
        assert_eq!((has_access(&luma).await, has_access(&tv_tube).await), (json!(true), json!(true)));

        tv_tube.accept_change(&connection, version).await;
        for party in [&luma, &tv_tube] {
            let answer = counts(party).await;
            assert_eq!((&answer["counts"], &answer["standardError"]), (&json!("EXACT"), &json!(0.0)), "{answer}");
        }
        assert_eq!((has_access(&luma).await, has_access(&tv_tube).await), (json!(false), json!(true)));
        let received = luma.received().await[0]["id"].clone();
        let input = json!({
            "accountId": luma.account, "sentAudienceId": received, "destinationId": destination,
            "on": crate::stories::today(),
        });
        assert_eq!(luma.client.refused(crate::stories::ACTIVATE, input).await, "WRONG_STATE");
        let again = tv_tube.send(&project, &tv_tubes["Sports fans"], &[]).await;
        assert_eq!(again["userErrors"][0]["code"], "FORBIDDEN");

        let version = luma.propose_change(&connection, settings("RECIPIENT")).await;
        tv_tube.accept_change(&connection, version).await;
        assert_eq!([counts(&luma).await, counts(&tv_tube).await], protected, "and back");
    }
}

on_both_databases! {
    /// Two presses at once: one wins, the other gets a typed refusal, and what is in force is what the winner made of it.
    async fn of_two_answers_one_wins(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let connection = luma.agree(&tv_tube, settings("RECIPIENT")).await;
        for round in 0..9 {
            let in_force = luma.sees(&connection).await["settings"].take();
            let wanted = if in_force["activators"] == "BOTH" { "OWNER" } else { "BOTH" };
            let version = luma.propose_change(&connection, settings(wanted)).await;
            let accept = || tv_tube.client.press(ACCEPT, tv_tube.naming(&connection, "settingsVersion", version));
            let (one, other) = match round % 3 {
                0 => tokio::join!(accept(), accept()),
                1 => tokio::join!(accept(), tv_tube.client.press(REJECT, tv_tube.rejecting(&connection, version))),
                _ => tokio::join!(accept(), luma.client.press(WITHDRAW, luma.on(&connection))),
            };
            let refusals: Vec<_> = [&one, &other].iter().filter_map(|p| p["userErrors"][0]["code"].as_str()).collect();
            assert!(matches!(refusals[..], ["WRONG_STATE" | "CONFLICT"]), "{one} {other}");
            let seen = luma.sees(&connection).await;
            let accepted = [&one, &other].iter().any(|p| p["connection"]["settings"]["version"] == json!(version));
            assert_eq!(seen["settings"]["activators"] == wanted, accepted, "{seen}");
            assert_eq!(seen["standing"], "ACTIVE");
        }
        let draft = luma.save_draft(&connection, with_a_name()).await;
        let propose = || luma.client.press(PROPOSE, luma.naming(&connection, "draftVersion", draft));
        let (one, other) = tokio::join!(propose(), propose());
        let refusals: Vec<_> = [&one, &other].iter().filter_map(|p| p["userErrors"][0]["code"].as_str()).collect();
        assert!(matches!(refusals[..], ["WRONG_STATE" | "CONFLICT"]), "{one} {other}");
    }
}

fn with_a_name() -> Value {
    let mut named = settings("BOTH");
    named["advertiserNames"] = json!([{ "name": "Luma Run", "advertiserId": "run" }]);
    named
}

on_both_databases! {
    /// Each command by who may not give it, and what may not be removed.
    async fn what_may_not_be_done_is_refused(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let [luma, fit] = ["Luma", "Fit Apparel"].map(|name| Party::create(&gateway, name, "ADVERTISER"));
        let (luma, fit) = (luma.await, fit.await);
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let connection = luma.agree(&tv_tube, settings("RECIPIENT")).await;
        let version = luma.propose_change(&connection, settings("BOTH")).await;
        let inputs = |party: &Party| [
            (SAVE, party.saving(&connection, settings("BOTH"))),
            (PROPOSE, party.naming(&connection, "draftVersion", 1)),
            (WITHDRAW, party.on(&connection)),
            (ACCEPT, party.naming(&connection, "settingsVersion", version)),
            (REJECT, party.rejecting(&connection, version)),
        ];
        let expected = |forbidden: [bool; 5]| forbidden.map(|f| if f { "FORBIDDEN" } else { "" });
        for (party, codes) in [
            (&fit, ["NOT_FOUND"; 5]),
            (&luma, expected([false, false, false, true, true])),
            (&tv_tube, expected([true, true, true, false, false])),
        ] {
            for ((document, input), code) in inputs(party).into_iter().zip(codes).filter(|(_, code)| !code.is_empty()) {
                assert_eq!(party.client.refused(document, input).await, code, "{document}");
            }
        }
        // Luma's user names TV Tube's account, and the other way round.
        for (party, other) in [(&luma, &tv_tube), (&tv_tube, &luma), (&fit, &luma)] {
            for (document, input) in inputs(other) {
                assert_eq!(party.client.refused(document, input).await, "NOT_FOUND", "{document}");
            }
        }
        for (field, names) in [("useCases", "Activate, Measure"), ("matchKeys", "hashed_phone")] {
            let mut fewer = settings("BOTH");
            fewer[field] = narrow()[field].clone();
            let payload = luma.client.press(SAVE, luma.saving(&connection, fewer)).await;
            let error = &payload["userErrors"][0];
            assert_eq!((&error["code"], &error["field"]), (&json!("ALREADY_AGREED"), &json!(["settings", field])));
            assert!(error["message"].as_str().unwrap().contains(names), "{error}");
        }
        let mut stale = luma.saving(&connection, settings("OWNER"));
        stale["draftVersion"] = json!(1);
        assert_eq!(luma.client.refused(SAVE, stale).await, "SETTINGS_CHANGED", "it was proposed");
        let mut crm = settings("BOTH");
        crm["matchKeys"].as_array_mut().unwrap().push(json!({ "kind": "CRM_ID" }));
        assert_eq!(luma.client.refused(SAVE, luma.saving(&connection, crm)).await, "MATCH_KEY_UNAVAILABLE");
        assert_eq!(tv_tube.sees(&connection).await["settings"]["version"], json!(1), "nothing changed");
    }
}

on_both_databases! {
    /// All pairs of roles: in which pattern they meet, or that the invite is refused. Agencies meet others for their clients.
    async fn only_pairs_that_have_a_pattern_are_invited(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let roles = ["ADVERTISER", "PUBLISHER", "AGENCY", "DATA_PARTNER"];
        let patterns = [
            [Some("BRAND_TO_BRAND"), Some("ADVERTISER_TO_PUBLISHER"), Some("ADVERTISER_TO_AGENCY"), Some("ADVERTISER_TO_DATA_PARTNER")],
            [Some("ADVERTISER_TO_PUBLISHER"), None, None, None],
            [Some("ADVERTISER_TO_AGENCY"), None, None, None],
            [Some("ADVERTISER_TO_DATA_PARTNER"), None, None, None],
        ];
        let mut invited = vec![];
        for role in roles {
            let party = Party::create(&gateway, "Invited", role).await;
            invited.push(party.connect_code().await);
        }
        for (role, patterns) in roles.iter().zip(patterns) {
            let party = Party::create(&gateway, "Inviting", role).await;
            for ((other, code), pattern) in roles.iter().zip(&invited).zip(patterns) {
                let input = json!({ "accountId": party.account, "invitee": { "connectCode": code } });
                let document = INVITE.replace("connection { id }", "connection { collaborationPattern }");
                let payload = party.client.press(&document, input).await;
                let shown = payload["connection"]["collaborationPattern"].as_str();
                let refused = payload["userErrors"][0]["code"].as_str();
                let expected = (pattern, pattern.is_none().then_some("PATTERN_NOT_ALLOWED"));
                assert_eq!((shown, refused), expected, "{role} with {other}");
            }
        }
    }
}

on_both_databases! {
    /// Settings that were agreed on before there were changes have the version that was accepted.
    async fn settings_from_before_keep_their_version(kind: Kind) {
        let mut gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let connection = luma.agree(&tv_tube, narrow()).await;
        gateway.stop();
        for statement in [
            "DROP TABLE settings_drafts",
            "ALTER TABLE connections DROP COLUMN agreed_version",
            "ALTER TABLE connections DROP COLUMN proposed_at",
            "DELETE FROM __diesel_schema_migrations WHERE version = '20261129000011'",
        ] {
            gateway.database().execute(gateway.data(), statement);
        }
        gateway.start_again();
        let (luma, tv_tube) = (luma.at(&gateway), tv_tube.at(&gateway));
        assert_eq!(luma.sees(&connection).await["settings"]["version"], json!(1));
        let version = luma.propose_change(&connection, settings("BOTH")).await;
        tv_tube.accept_change(&connection, version).await;
    }
}
