//! Crosswalks: audiences known by CRM id are compared by hashed e-mail, and what matched is delivered as CRM ids.

use crate::{
    deliveries,
    harness::{Gateway, Kind, on_both_databases},
    people::{digest, email},
    stories::{ACTIVATE, Party, exact_settings, today},
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

const CREATE: &str = "mutation($input: CreateCrosswalkInput!) { createCrosswalk(input: $input) {
    crosswalk { id status } job { id kind } userErrors { code field message } } }";

const LOAD: &str = "mutation($input: LoadCrosswalkInput!) { loadCrosswalk(input: $input) {
    crosswalk { id status } job { id } userErrors { code field message } } }";

/// Pairs of a customer and a person with an address.
type Links = BTreeSet<(u32, u32)>;

/// Luma's customers and their addresses. The last 100 customers have none; 300 have two, and 100 addresses belong to two
/// customers, one who runs and one who does yoga.
fn lumas() -> Links {
    let own = (0..2_900).map(|c| (c, c));
    let second = (0..200).map(|c| (c, 10_000 + c));
    let shared = (201..301).map(|c| (c, c - 101));
    own.chain(second).chain(shared).collect()
}

/// TV Tube's subscribers and their addresses. Six hundred addresses have a second subscription, of nobody's audience.
fn tv_tubes() -> Links {
    (1_000..6_000).map(|s| (s, s)).chain((1_500..2_100).map(|s| (50_000 + s, s))).collect()
}

fn running(customer: u32) -> bool {
    customer.is_multiple_of(2)
}

fn customers() -> String {
    let mut csv = "customer,audience\n".to_owned();
    for c in 0..3_000 {
        writeln!(csv, "C{c},{}", if running(c) { "Running" } else { "Yoga" }).unwrap();
    }
    csv
}

fn subscribers() -> String {
    (1_000..6_000).fold("customer,audience\n".to_owned(), |csv, s| csv + &format!("S{s},Sports fans\n"))
}

/// Addresses that TV Tube knows of no subscriber.
fn newsletter() -> String {
    (500..1_000).fold("email,audience\n".to_owned(), |csv, p| csv + &format!("{},Newsletter\n", email(p)))
}

fn crosswalk(prefix: &str, links: &Links) -> String {
    let rows = links.iter().map(|(id, person)| format!("{prefix}{id};{}\n", digest(&email(*person))));
    std::iter::once("id;hashed_email\n".to_owned()).chain(rows).collect()
}

async fn party(gateway: &Gateway, name: &str, role: &str) -> Party {
    let client = gateway.user(name).await;
    let document = "mutation($input: CreateAccountInput!) { createAccount(input: $input) {
        account { id collaboratorId } userErrors { code field message } } }";
    let keys = json!([{ "kind": "CRM_ID" }, { "kind": "HASHED_EMAIL" }]);
    let input =
        json!({ "name": name, "role": role, "region": "US", "contactEmail": "team@example.com", "matchKeys": keys });
    let payload = client.mutate(document, input).await;
    let text = |field: &str| payload["account"][field].as_str().unwrap().to_owned();
    Party { client, account: text("id"), collaborator: text("collaboratorId") }
}

impl Party {
    /// Sources people by one match key.
    async fn source_by(&self, csv: String, column: &str, key: &str) {
        let document = "mutation($input: CreateDataConnectionInput!) { createDataConnection(input: $input) {
            job { id } userErrors { code field message } } }";
        let field = json!({ "column": column, "matchKey": { "kind": key }, "transformation": "NORMALISE_AND_HASH" });
        let input = json!({
            "accountId": self.account, "name": key, "uploadId": self.upload(csv).await, "access": { "public": true },
            "mapping": { "fields": [field], "audience": { "column": "audience" } }, "consentAcknowledged": true,
        });
        let payload = self.client.mutate(document, input).await;
        assert_eq!(self.job(payload["job"]["id"].as_str().unwrap()).await["state"], "DONE");
    }

    /// What creates a crosswalk from CRM id to hashed e-mail.
    async fn crosswalk_input(&self, csv: &str) -> Value {
        json!({
            "accountId": self.account, "name": "Members", "uploadId": self.upload(csv).await, "delimiter": ";",
            "consentAcknowledged": true,
            "join": { "matchKey": { "kind": "CRM_ID" },
                "columns": [{ "column": "id", "transformation": "NORMALISE_AND_HASH" }] },
            "linked": { "matchKey": { "kind": "HASHED_EMAIL" },
                "columns": [{ "column": "hashed_email", "transformation": "ALREADY_HASHED" }] },
        })
    }

    /// Creates a crosswalk and waits until it is loaded; its id.
    async fn create_crosswalk(&self, csv: &str) -> String {
        let payload = self.client.mutate(CREATE, self.crosswalk_input(csv).await).await;
        assert_eq!(payload["job"]["kind"], "load_crosswalk");
        assert_eq!(self.job(payload["job"]["id"].as_str().unwrap()).await["state"], "DONE");
        payload["crosswalk"]["id"].as_str().unwrap().to_owned()
    }

    /// Loads a crosswalk again; how that ended.
    async fn load_crosswalk(&self, id: &str, csv: &str) -> Value {
        let input = json!({ "accountId": self.account, "crosswalkId": id, "uploadId": self.upload(csv).await });
        let payload = self.client.mutate(LOAD, input).await;
        self.job(payload["job"]["id"].as_str().unwrap()).await
    }

    async fn crosswalk(&self, id: &str) -> Value {
        let query = "query($id: ID!) { node(id: $id) { ... on Crosswalk { name status failure
            counts { links joinIdentities linkedIdentities oneToMany manyToOne }
            lastLoad { rows acceptedRows rowFaults(first: 5) { nodes { row column reason } } } loads { totalCount } } } }";
        self.client.query(query, json!({ "id": id })).await["node"].clone()
    }

    /// Identities of each audience by match key.
    async fn sizes(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        let query = "query($a: ID!) { account(id: $a) { audiences { nodes { name
            identityCountByMatchKey { matchKey { kind } identities } } } } }";
        let data = self.client.query(query, json!({ "a": self.account })).await;
        let of = |audience: &Value| {
            let keys = audience["identityCountByMatchKey"].as_array().unwrap();
            let size =
                |k: &Value| (k["matchKey"]["kind"].as_str().unwrap().to_owned(), k["identities"].as_u64().unwrap());
            (audience["name"].as_str().unwrap().to_owned(), keys.iter().map(size).collect())
        };
        data["account"]["audiences"]["nodes"].as_array().unwrap().iter().map(of).collect()
    }

    async fn zone(&self) -> String {
        let document = "mutation($input: CreateDestinationInput!) { createDestination(input: $input) {
            destination { id } userErrors { code field message } } }";
        let input = json!({
            "accountId": self.account, "name": "Zone", "destinationType": "landing-zone",
            "settings": { "folder": "deliveries" }, "matchKeys": [{ "kind": "CRM_ID" }],
        });
        self.client.mutate(document, input).await["destination"]["id"].as_str().unwrap().to_owned()
    }

    async fn send_for_long(&self, project: &str, audience: &str) -> String {
        let document = "mutation($input: SendAudienceInput!) { sendAudience(input: $input) {
            sentAudience { id } userErrors { code field message } } }";
        let until = (chrono::Utc::now().date_naive() + chrono::Days::new(9)).to_string();
        let input = json!({
            "accountId": self.account, "projectId": project, "audienceId": audience,
            "matchKeys": [{ "kind": "HASHED_EMAIL" }], "schedule": { "recurring": { "from": today(), "until": until } },
        });
        self.client.mutate(document, input).await["sentAudience"]["id"].as_str().unwrap().to_owned()
    }

    fn activation_input(&self, sent: &str, destination: &str, deliver_as: Value) -> Value {
        json!({
            "accountId": self.account, "sentAudienceId": sent, "destinationId": destination, "on": today(),
            "deliverAs": deliver_as,
        })
    }

    /// The activation, once it has this many deliveries and none runs.
    async fn delivered(&self, activation: &str, times: usize) -> Value {
        let query = "query($id: ID!) { node(id: $id) { ... on Activation { status failure deliverAs { kind }
            matchKeys { kind } deliveries { nodes { status added removed withoutLink } } } } }";
        let ended = |data: &Value| {
            let deliveries = data["node"]["deliveries"]["nodes"].as_array().unwrap();
            // The activation is read before its deliveries: one may have ended in between.
            data["node"]["status"] != "DELIVERING"
                && deliveries.len() == times
                && deliveries.iter().all(|d| d["status"] != "RUNNING")
        };
        self.client.until(query, json!({ "id": activation }), ended).await["node"].clone()
    }
}

/// An active connection with exact counts, by hashed e-mail alone; its project.
async fn project(luma: &Party, tv_tube: &Party) -> String {
    let mut exact = exact_settings("RECIPIENT");
    exact["matchKeys"] = json!([{ "kind": "HASHED_EMAIL" }]);
    let connection = luma.agree(tv_tube, exact).await;
    luma.create_project(&connection, "Spring").await
}

/// The people of Luma's audience of runners, by address.
fn runners() -> BTreeSet<u32> {
    lumas().into_iter().filter(|(c, _)| running(*c)).map(|(_, person)| person).collect()
}

/// Those whom TV Tube knows as well, by whichever data connection.
fn matched() -> BTreeSet<u32> {
    runners().into_iter().filter(|p| (500..6_000).contains(p)).collect()
}

on_both_databases! {
    /// Luma knows its audiences by CRM id alone, and finds out what they have in common with TV Tube's by hashed e-mail.
    async fn audiences_are_compared_by_what_they_are_linked_with(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = party(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = party(&gateway, "TV Tube", "PUBLISHER").await;
        luma.source_by(customers(), "customer", "CRM_ID").await;
        tv_tube.create_crosswalk(&crosswalk("S", &tv_tubes())).await;
        tv_tube.source_by(subscribers(), "customer", "CRM_ID").await;
        tv_tube.source_by(newsletter(), "email", "HASHED_EMAIL").await;
        let project = project(&luma, &tv_tube).await;
        let all = || json!({ "all": true });
        let before = luma.compare(&project, all(), all()).await;
        assert_eq!(before["__typename"], "Unavailable", "{before}");

        let file = crosswalk("C", &lumas()) + "C1;xyzzy\n;\n";
        let id = luma.create_crosswalk(&file).await;
        let seen = luma.crosswalk(&id).await;
        assert_eq!(seen["counts"], json!({
            "links": 3_200, "joinIdentities": 2_900, "linkedIdentities": 3_100, "oneToMany": 300, "manyToOne": 100,
        }));
        assert_eq!(seen["status"], "ACTIVE");
        let load = &seen["lastLoad"];
        assert_eq!((&load["rows"], &load["acceptedRows"]), (&json!(3_202), &json!(3_200)));
        assert_eq!(load["rowFaults"]["nodes"], json!([
            { "row": 3_201, "column": "hashed_email", "reason": "DIGEST_INVALID" },
            { "row": 3_201, "column": null, "reason": "NO_LINK" },
            { "row": 3_202, "column": null, "reason": "NO_LINK" },
        ]));

        // One-to-many: each address is in the audience. Many-to-one: an address is in it once.
        let sizes = |crm: u64, email: usize| {
            BTreeMap::from([("CRM_ID".to_owned(), crm), ("HASHED_EMAIL".to_owned(), email as u64)])
        };
        let yoga: BTreeSet<u32> = lumas().into_iter().filter(|(c, _)| !running(*c)).map(|(_, p)| p).collect();
        assert_eq!(runners().intersection(&yoga).count(), 100);
        let own = luma.sizes().await;
        assert_eq!(own["Running"], sizes(1_500, runners().len()));
        assert_eq!(own["Yoga"], sizes(1_500, yoga.len()));
        assert_eq!(tv_tube.sizes().await["Sports fans"], sizes(5_000, 5_000), "the second subscriptions are of nobody");

        let audiences = luma.audiences().await;
        let overlap = luma.compare(&project, json!({ "audienceIds": [audiences["Running"]] }), all()).await;
        assert_eq!(overlap["counts"], "EXACT", "{overlap}");
        assert_eq!(overlap["mine"], runners().len());
        assert_eq!(overlap["theirs"], 5_500);
        assert_eq!(overlap["identities"], matched().len());

        // What cannot replace the links leaves them; what can replaces them at once.
        let failed = luma.load_crosswalk(&id, "id;hashed_email\n").await;
        assert_eq!(failed["state"], "FAILED");
        let kept = luma.crosswalk(&id).await;
        assert_eq!((&kept["status"], &kept["counts"]), (&json!("FAILED"), &seen["counts"]));
        assert_eq!(kept["failure"], "The file has a header but no rows.");
        assert_eq!(luma.sizes().await, own);
        let fewer: Links = lumas().into_iter().filter(|(c, _)| *c < 2_600).collect();
        assert_eq!(luma.load_crosswalk(&id, &crosswalk("C", &fewer)).await["state"], "DONE");
        let fewer: BTreeSet<u32> = fewer.into_iter().filter(|(c, _)| running(*c)).map(|(_, p)| p).collect();
        assert_eq!(luma.sizes().await["Running"], sizes(1_500, fewer.len()));
        assert_eq!(luma.crosswalk(&id).await["loads"]["totalCount"], 3);

        let document = "mutation($input: RenameCrosswalkInput!) { renameCrosswalk(input: $input) {
            crosswalk { name } userErrors { code field message } } }";
        let input = json!({ "accountId": luma.account, "crosswalkId": id, "name": "Customers" });
        assert_eq!(luma.client.mutate(document, input).await["crosswalk"]["name"], "Customers");
        deliveries::assert_nowhere(gateway.data(), &["c2899;", "xyzzy"]);
    }
}

on_both_databases! {
    /// TV Tube has what matched by hashed e-mail delivered as its own CRM ids; and then its crosswalk changes, and goes.
    async fn what_matched_is_delivered_as_another_key(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = party(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = party(&gateway, "TV Tube", "PUBLISHER").await;
        luma.source_by(customers(), "customer", "CRM_ID").await;
        luma.create_crosswalk(&crosswalk("C", &lumas())).await;
        tv_tube.source_by(subscribers(), "customer", "CRM_ID").await;
        tv_tube.source_by(newsletter(), "email", "HASHED_EMAIL").await;
        let input = json!({ "consentAcknowledged": false });
        let unacknowledged = merged(tv_tube.crosswalk_input("id;hashed_email\n").await, input);
        assert_eq!(tv_tube.client.refused(CREATE, unacknowledged).await, "CONSENT_MISSING");
        let id = tv_tube.create_crosswalk(&crosswalk("S", &tv_tubes())).await;
        let again = tv_tube.crosswalk_input("id;hashed_email\n").await;
        let back = json!({ "join": again["linked"], "linked": again["join"] });
        assert_eq!(tv_tube.client.refused(CREATE, merged(again.clone(), back)).await, "ALREADY_EXISTS");

        let project = project(&luma, &tv_tube).await;
        let zone = tv_tube.zone().await;
        let sent = luma.send_for_long(&project, &luma.audiences().await["Running"]).await;
        for (deliver_as, code) in [
            (json!({ "kind": "LOYALTY_ID" }), "CROSSWALK_MISSING"),
            (json!({ "kind": "HASHED_EMAIL" }), "CROSSWALK_MISSING"),
            (json!({ "kind": "PARTNER_ID" }), "INVALID"),
            (Value::Null, "MATCH_KEY_UNAVAILABLE"),
        ] {
            let input = tv_tube.activation_input(&sent, &zone, deliver_as.clone());
            assert_eq!(tv_tube.client.refused(ACTIVATE, input).await, code, "{deliver_as}");
        }

        // A matched address with several subscriptions is delivered as each of them, one with none is left out.
        let input = tv_tube.activation_input(&sent, &zone, json!({ "kind": "CRM_ID" }));
        let payload = tv_tube.client.mutate(ACTIVATE, input).await;
        let activation = payload["activation"]["id"].as_str().unwrap();
        let first = tv_tube.delivered(activation, 1).await;
        let subscribers: BTreeSet<u32> =
            tv_tubes().into_iter().filter(|(_, p)| matched().contains(p)).map(|(s, _)| s).collect();
        let without_link = matched().into_iter().filter(|p| *p < 1_000).count();
        assert!(subscribers.contains(&52_000) && without_link > 200);
        assert_eq!(first, json!({
            "status": "DELIVERED", "failure": null, "deliverAs": { "kind": "CRM_ID" },
            "matchKeys": [{ "kind": "HASHED_EMAIL" }],
            "deliveries": { "nodes": [{
                "status": "DELIVERED", "added": subscribers.len(), "removed": 0, "withoutLink": without_link,
            }] },
        }));
        let arrived = deliveries::delivered(&gateway.data().join("landing"));
        let expected = subscribers.iter().map(|s| (("crm_id".to_owned(), digest(&format!("s{s}"))), 1)).collect();
        assert_eq!(arrived, expected);

        // A second id for one address, a first for one that had none, and none for two: they are no longer known by e-mail.
        let mut changed = tv_tubes();
        changed.extend([(99_000, 2_500), (98_000, 500)]);
        changed.retain(|(_, person)| !matches!(person, 2_600 | 2_602));
        assert_eq!(tv_tube.load_crosswalk(&id, &crosswalk("S", &changed)).await["state"], "DONE");
        let second = tv_tube.delivered(activation, 2).await;
        assert_eq!(second["deliveries"]["nodes"][0], json!({
            "status": "DELIVERED", "added": 2, "removed": 2, "withoutLink": without_link - 1,
        }));

        let document = "mutation($input: DeleteCrosswalkInput!) { deleteCrosswalk(input: $input) {
            deletedCrosswalkId userErrors { code field message } } }";
        let input = json!({ "accountId": tv_tube.account, "crosswalkId": id });
        assert_eq!(tv_tube.client.mutate(document, input.clone()).await["deletedCrosswalkId"], json!(id));
        assert_eq!(tv_tube.client.refused(document, input).await, "NOT_FOUND");
        let ended = tv_tube.delivered(activation, 2).await;
        assert_eq!(ended["status"], "FAILED");
        assert_eq!(ended["failure"], "The crosswalk that it is delivered through was deleted.");
        let query = "query($a: ID!) { account(id: $a) { crosswalks { totalCount } jobs { nodes { kind state } } } }";
        let rebuilt = |data: &Value| {
            let jobs = data["account"]["jobs"]["nodes"].as_array().unwrap();
            jobs.iter().any(|j| j["kind"] == "rebuild" && j["state"] == "DONE")
        };
        let data = tv_tube.client.until(query, json!({ "a": tv_tube.account }), rebuilt).await;
        assert_eq!(data["account"]["crosswalks"]["totalCount"], 0);
        let known: Vec<_> = tv_tube.sizes().await.into_values().flat_map(BTreeMap::into_keys).collect();
        assert_eq!(known, ["HASHED_EMAIL", "CRM_ID"], "the newsletter's addresses, and subscribers by their CRM id alone");
        let left = deliveries::files(&gateway.data().join("accounts")).into_iter()
            .filter(|f| f.extension().is_some_and(|e| e == "links")).count();
        assert_eq!(left, 2, "Luma's two files are left");
    }
}

/// An input with other values for some of its fields.
fn merged(mut input: Value, others: Value) -> Value {
    input.as_object_mut().unwrap().extend(others.as_object().unwrap().clone());
    input
}
