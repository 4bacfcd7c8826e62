//! Somebody else's objects read exactly like those that do not exist: the whole schema, walked by introspection.

use crate::{
    harness::{Gateway, Kind, on_both_databases},
    introspection::{self, Field, Ids, Schema},
    people::{self, Form},
    stories::{Party, settings},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use futures::StreamExt;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

const DAY: &str = "2026-03-02";

/// Global ids by the name of their type.
type Objects = BTreeMap<String, String>;

fn type_of(id: &str) -> String {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(id).unwrap()).unwrap();
    text.split_once(':').unwrap().0.to_owned()
}

/// An id of the same type that nothing has.
fn nobodys(ty: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{ty}:{}", uuid::Uuid::now_v7().simple()))
}

/// From an invite to reports of both sides; adds what came of it to what the first side had.
async fn campaign((one, mut ones): (&Party, Objects), (other, mut others): (&Party, Objects)) -> Objects {
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
    async fn belongings(&self) -> Objects {
        let csv = people::customers(0..6_000, Form::Hashed, people::luma);
        let data_connection = self.source(csv, Form::Hashed).await;
        let audiences = self.audiences().await;
        let ids: Vec<_> = audiences.values().collect();
        let document = "mutation($input: UpdateAudiencesInput!) { updateAudiences(input: $input) {
            userErrors { code field message } } }";
        let access = json!({ "private": true });
        self.client.mutate(document, json!({ "accountId": self.account, "audienceIds": ids, "access": access })).await;
        let document = "mutation($input: CreateApiKeyInput!) { createApiKey(input: $input) {
            apiKey { id } userErrors { code field message } } }";
        let key = json!({ "accountId": self.account, "name": "CI", "role": "ANALYST" });
        let key = self.client.mutate(document, key).await["apiKey"]["id"].as_str().unwrap().to_owned();
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
        let ids = [self.account.clone(), data_connection, audience, key, user, job, upload, destination, crosswalk];
        ids.into_iter().map(|id| (type_of(&id), id)).collect()
    }
}

/// Who tries what.
struct Walk {
    viewer: Party,
    own: Objects,
    foreign: Objects,
    refused: AtomicUsize,
}

/// One field, one place for an id in it, and what stands around the field.
struct Probe {
    document: String,
    field: Field,
    path: String,
}

impl Walk {
    /// How a field of a type is asked for: at the root, or in an object of the viewer's.
    fn around(&self, ty: &str, field: String) -> String {
        let (account, project) = (&self.own["Account"], &self.own["Project"]);
        match ty {
            "Query" | "Mutation" | "Subscription" => field,
            "Viewer" => format!("viewer {{ {field} }}"),
            "Discover" => format!(
                "project(accountId: \"{account}\", id: \"{project}\") {{ discover(accountId: \"{account}\") {{ {field} }} }}"
            ),
            _ => {
                let id = self.own.get(ty).unwrap_or_else(|| panic!("the walk does not reach {ty}"));
                format!("node(id: \"{id}\") {{ ... on {ty} {{ {field} }} }}")
            }
        }
    }

    fn probes(&self, schema: &Schema) -> Vec<Probe> {
        let mut probes = vec![];
        for (ty, fields) in schema.objects() {
            let operation = match ty.name.as_str() {
                "Mutation" => "mutation",
                "Subscription" => "subscription",
                _ => "query",
            };
            for field in fields {
                for path in schema.id_paths(field) {
                    let document = schema.document(operation, field, |field| self.around(&ty.name, field));
                    probes.push(Probe { document, field: field.clone(), path });
                }
            }
        }
        probes
    }

    /// Foreign ids that fit a place by its name; all of them where it does not say (`id`).
    fn tried(&self, path: &str) -> Vec<&String> {
        match named(&self.foreign, path) {
            Some(id) => vec![id],
            None => self.foreign.values().collect(),
        }
    }

    /// Asks for a foreign id and for one that nothing has.
    async fn compare(&self, schema: &Schema, probe: &Probe, id: &str) {
        let (theirs, nobodys) = (id.to_owned(), nobodys(&type_of(id)));
        let one = self.ask(schema, probe, &theirs).await;
        let other = self.ask(schema, probe, &nobodys).await;
        assert_eq!(one, other, "{} = {id} is told apart\n{}", probe.path, probe.document);
        if one.contains("NOT_FOUND") || one.contains("null") {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The same questions about objects of the viewer's own are answered: the walk would see a difference.
    async fn finds_what_is_its_own(&self, schema: &Schema, probes: &[Probe]) {
        let mut told_apart = 0;
        for probe in probes.iter().filter(|p| p.document.starts_with("query") && p.path == "id") {
            for (ty, id) in &self.own {
                told_apart +=
                    usize::from(self.ask(schema, probe, id).await != self.ask(schema, probe, &nobodys(ty)).await);
            }
        }
        // One each by `account`, `connection` and `project`, and thirteen kinds of objects by `node`.
        assert_eq!(told_apart, 16);
    }

    /// The answer, without what is different each time.
    async fn ask(&self, schema: &Schema, probe: &Probe, id: &str) -> String {
        let at = |path: &str| match path {
            _ if path == probe.path => id.to_owned(),
            "input.destinationType" => "landing-zone".to_owned(),
            _ => named(&self.own, path).cloned().unwrap_or_else(|| nobodys("Collaborator")),
        };
        let variables = schema.variables(&probe.field, &Ids { wanted: &probe.path, at: &at });
        let mut answer = self.viewer.client.ask_or_subscribe(&probe.document, variables).await;
        for error in answer["errors"].as_array_mut().into_iter().flatten() {
            error["extensions"].as_object_mut().unwrap().remove("requestId");
        }
        answer.to_string().replace(id, "ID")
    }
}

/// The object whose type a path names: `input.sentAudienceId` a sent audience, `input.withinAudienceIds` an audience.
fn named<'a>(objects: &'a Objects, path: &str) -> Option<&'a String> {
    let last = path.rsplit('.').next()?.to_lowercase();
    let name = last.strip_suffix("ids").or(last.strip_suffix("id"))?;
    let fits = objects.iter().filter(|(ty, _)| name.ends_with(&ty.to_lowercase()));
    fits.max_by_key(|(ty, _)| ty.len()).map(|(_, id)| id)
}

on_both_databases! {
    /// Fit Apparel is a partner of Luma's, and reads nothing of what Luma has by itself and together with TV Tube.
    async fn objects_of_others_read_like_none(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let [luma, fit] = ["Luma", "Fit Apparel"].map(|name| Party::create(&gateway, name, "ADVERTISER"));
        let (luma, fit) = (luma.await, fit.await);
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let lumas = luma.belongings().await;
        let own = campaign((&fit, fit.belongings().await), (&luma, lumas.clone())).await;
        let foreign = campaign((&luma, lumas), (&tv_tube, tv_tube.belongings().await)).await;
        let hidden = Party::create(&gateway, "Hidden", "ADVERTISER").await;
        let foreign = foreign.into_iter().chain([(type_of(&hidden.collaborator), hidden.collaborator)]).collect();
        let walk = Walk { viewer: fit, own, foreign, refused: AtomicUsize::new(0) };
        assert_eq!(walk.foreign.len(), 17, "{:?}", walk.foreign.keys());

        let schema = Schema::of(gateway.anonymous().query(introspection::QUERY, json!({})).await);
        let probes = walk.probes(&schema);
        let tried = probes.iter().flat_map(|probe| walk.tried(&probe.path).into_iter().map(move |id| (probe, id)));
        let all = tried.clone().count();
        futures::stream::iter(tried).for_each_concurrent(4, |(probe, id)| walk.compare(&schema, probe, id)).await;
        assert!(all > 200, "{all} ids in {} places", probes.len());
        assert_eq!(walk.refused.load(Ordering::Relaxed), all, "answers that say that there is no such thing");
        walk.finds_what_is_its_own(&schema, &probes).await;
    }
}
