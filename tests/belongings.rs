//! Two companies that have one of each kind of object, by themselves and together.

use crate::{
    event_webhooks::CREATE as CREATE_EVENT_WEBHOOK,
    people::{self, Form},
    stories::{Party, settings},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const DAY: &str = "2026-03-02";

/// Global ids by the name of their type.
pub type Objects = BTreeMap<String, String>;

/// The name of a global id's type.
pub fn type_of(id: &str) -> String {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(id).unwrap()).unwrap();
    text.split_once(':').unwrap().0.to_owned()
}

/// An id of the same type that nothing has.
pub fn nobodys(ty: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{ty}:{}", uuid::Uuid::now_v7().simple()))
}

/// The id beside an id, which nothing has: of the same type and the same time.
pub fn beside(id: &str) -> String {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(id).unwrap()).unwrap();
    let (ty, uuid) = text.split_once(':').unwrap();
    let uuid = uuid::Uuid::from_u128(uuid.parse::<uuid::Uuid>().unwrap().as_u128() ^ 1);
    URL_SAFE_NO_PAD.encode(format!("{ty}:{}", uuid.simple()))
}

/// From an invite to reports of both sides; adds what came of it to what the first side had.
pub async fn campaign((one, mut ones): (&Party, Objects), (other, mut others): (&Party, Objects)) -> Objects {
    let connection = one.invite_by_code(&other.connect_code().await).await;
    other.accept_invite(&connection).await;
    let version = one.propose(&connection, settings("BOTH")).await;
    other.accept_settings(&connection, version).await;
    let project = one.create_project(&connection, "Spring").await;
    for id in [connection, project.clone()] {
        ones.insert(type_of(&id), id.clone());
        others.insert(type_of(&id), id);
    }
    run(&project, (one, &mut ones), (other, &mut others)).await;
    run(&project, (other, &mut others), (one, &mut ones)).await;
    ones
}

/// One side runs a campaign, measures it, and sends an audience; the other activates it and loads conversions.
async fn run(project: &str, (side, has): (&Party, &mut Objects), (other, other_has): (&Party, &mut Objects)) {
    let name = uuid::Uuid::now_v7().to_string();
    let campaign = side.add_campaign(project, &name).await;
    let exposures = people::exposures(0..2_000, &name, DAY.parse().unwrap(), Form::Hashed);
    side.load_exposures(project, exposures, Form::Hashed).await;
    let conversions = people::conversions(0..2_000, DAY.parse().unwrap());
    let conversions = other.load_conversions(project, conversions).await;
    let summary = json!({ "campaignSummary": true });
    let report = side.report(project, summary, &[&campaign], DAY, "2026-03-04").await;
    let sent = side.send(project, &has["Audience"], &[]).await;
    assert_eq!(sent["userErrors"], json!([]));
    let text = |id: &Value| id.as_str().unwrap().to_owned();
    let sent = text(&sent["sentAudience"]["id"]);
    let activation = text(&other.activate(&sent, &other_has["Destination"]).await["id"]);
    has.extend([campaign, text(&report["id"]), sent.clone()].map(|id| (type_of(&id), id)));
    other_has.extend([activation, conversions, sent].map(|id| (type_of(&id), id)));
}

impl Party {
    /// Sources customers whom nobody else is told of; one of each kind of object that came of it.
    pub async fn belongings(&self) -> Objects {
        let csv = people::customers(0..6_000, Form::Hashed, people::luma);
        let data_connection = self.source(csv, Form::Hashed).await;
        let audiences = self.audiences().await;
        let ids: Vec<_> = audiences.values().collect();
        let document = "mutation($input: UpdateAudiencesInput!) { updateAudiences(input: $input) {
            userErrors { code field message } } }";
        let access = json!({ "private": true });
        self.client.mutate(document, json!({ "accountId": self.account, "audienceIds": ids, "access": access })).await;
        let (key, _) = self.api_key(json!({ "role": "ANALYST" })).await;
        let query = "query($a: ID!) { viewer { user { id } } account(id: $a) { jobs(first: 1) { nodes { id } } } }";
        let data = self.client.query(query, json!({ "a": self.account })).await;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let user = text(&data["viewer"]["user"]["id"]);
        let job = text(&data["account"]["jobs"]["nodes"][0]["id"]);
        let (upload, destination) = (self.upload("hashed_email,audience\n").await, self.create_destination().await);
        let document = "mutation($input: CreateCrosswalkInput!) { createCrosswalk(input: $input) {
            crosswalk { id } userErrors { code field message } } }";
        let side = |kind: &str, column: &str| {
            json!({ "matchKey": { "kind": kind },
            "columns": [{ "column": column, "transformation": "ALREADY_HASHED" }] })
        };
        let crosswalk = json!({
            "accountId": self.account, "name": "Members", "consentAcknowledged": true,
            "uploadId": self.upload("hashed_phone,hashed_email\n").await,
            "join": side("HASHED_PHONE", "hashed_phone"), "linked": side("HASHED_EMAIL", "hashed_email"),
        });
        let crosswalk = text(&self.client.mutate(document, crosswalk).await["crosswalk"]["id"]);
        let audience = audiences["Running"].clone();
        let webhook = json!({ "accountId": self.account, "url": "https://receiver.invalid/events", "paused": true });
        let webhook = text(&self.client.mutate(CREATE_EVENT_WEBHOOK, webhook).await["eventWebhook"]["id"]);
        let ids = [self.account.clone(), data_connection, audience, key, user, job, upload, destination, crosswalk];
        let ids = ids.into_iter().chain([webhook]);
        ids.map(|id| (type_of(&id), id)).collect()
    }
}

/// How a field of a type is asked for: at the root, or in an object of the viewer's.
pub fn around(own: &Objects, ty: &str, field: String) -> String {
    let (account, project) = (&own["Account"], &own["Project"]);
    match ty {
        "Query" | "Mutation" | "Subscription" => field,
        "Viewer" => format!("viewer {{ {field} }}"),
        "Discover" => format!(
            "project(accountId: \"{account}\", id: \"{project}\") {{ discover(accountId: \"{account}\") {{ {field} }} }}"
        ),
        _ => {
            let id = own.get(ty).unwrap_or_else(|| panic!("the walk does not reach {ty}"));
            format!("node(id: \"{id}\") {{ ... on {ty} {{ {field} }} }}")
        }
    }
}

/// The object whose type a path names: `input.sentAudienceId` a sent audience, `input.withinAudienceIds` an audience.
pub fn named<'a>(objects: &'a Objects, path: &str) -> Option<&'a String> {
    let last = path.rsplit('.').next()?.to_lowercase();
    let name = last.strip_suffix("ids").or(last.strip_suffix("id"))?;
    let fits = objects.iter().filter(|(ty, _)| name.ends_with(&ty.to_lowercase()));
    fits.max_by_key(|(ty, _)| ty.len()).map(|(_, id)| id)
}
