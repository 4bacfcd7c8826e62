//! What reports say of models, paths and rates, and links by which others read them.

use crate::{
    harness::{Gateway, Kind, on_both_databases},
    measuring::SCHEDULE_REPORT,
    people::{self, Form},
    stories::{Party, exact_settings},
};
use serde_json::{Value, json};
use std::{fmt::Write, time::Duration};

const START: &str = "2026-03-02";
const END: &str = "2026-03-08";

const CREATE_LINK: &str = "mutation($input: CreateReportLinkInput!) { createReportLink(input: $input) {
    link { url format expiresAt } userErrors { code field message } } }";

/// Each person sees the campaign at home, clicks on it at sports and sees it at home again, a day apart.
fn exposures(people: std::ops::Range<u32>) -> String {
    let mut csv = "hashed_email,time,campaign_id,placement,creative,cost,viewable,kind\n".to_owned();
    for person in people {
        let id = people::digest(&people::email(person));
        for (day, placement, kind) in [(2, "home", "view"), (3, "sports", "click"), (4, "home", "view")] {
            writeln!(csv, "{id},2026-03-0{day}T10:00:00Z,spring-2026,{placement},spot,0.01,true,{kind}").unwrap();
        }
    }
    csv
}

/// One purchase of each person, two days after the last exposure.
fn conversions(people: std::ops::Range<u32>) -> String {
    let mut csv = "email,time,type,value,order_id,category\n".to_owned();
    for person in people {
        writeln!(csv, "{},2026-03-06T10:00:00Z,purchase,10,order-{person},shoes", people::email(person)).unwrap();
    }
    csv
}

/// TV Tube ran a campaign for 8,000 people, of whom 6,000 bought at Luma. Both agreed on exact counts.
struct World {
    luma: Party,
    tv_tube: Party,
    project: String,
    campaign: String,
    conversions: String,
}

impl World {
    async fn create(gateway: &Gateway) -> Self {
        let luma = Party::create(gateway, "Luma <script>", "ADVERTISER").await;
        let tv_tube = Party::create(gateway, "TV Tube", "PUBLISHER").await;
        let connection = luma.agree(&tv_tube, exact_settings("RECIPIENT")).await;
        let project = luma.create_project(&connection, "Spring").await;
        let campaign = tv_tube.add_campaign(&project, "spring-2026").await;
        tv_tube.load_exposures(&project, exposures(0..8_000), Form::Hashed).await;
        let conversions = luma.load_conversions(&project, conversions(2_000..8_000)).await;
        Self { luma, tv_tube, project, campaign, conversions }
    }

    fn scheduled(&self, more: Value) -> Value {
        let mut attribution = json!({ "conversionsId": self.conversions, "events": ["Purchase"], "lookbackDays": 7 });
        attribution.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({
            "accountId": self.luma.account, "projectId": self.project, "name": "Spring & <b>more</b>",
            "report": { "attribution": attribution }, "campaignIds": [self.campaign], "from": START, "until": END,
        })
    }

    /// The id of a report that has run.
    async fn report(&self, more: Value) -> String {
        let payload = self.luma.client.mutate(SCHEDULE_REPORT, self.scheduled(more)).await;
        let id = payload["report"]["id"].as_str().unwrap().to_owned();
        assert_eq!(self.luma.finished(&id).await["status"], "FINISHED");
        id
    }

    async fn link(&self, report: &str, format: &str) -> String {
        let input = json!({ "accountId": self.luma.account, "reportId": report, "format": format });
        let payload = self.luma.client.mutate(CREATE_LINK, input).await;
        assert_eq!(payload["link"]["format"], format);
        payload["link"]["url"].as_str().unwrap().to_owned()
    }
}

/// What a model credits to the placements, by name.
fn credit(model: &Value, placement: &str) -> (f64, f64) {
    let rows = model["byDimension"].as_array().unwrap();
    let row = rows.iter().find(|r| r["dimension"] == "PLACEMENT" && r["value"] == placement).unwrap();
    assert_eq!(row["conversions"]["interval"]["low"], row["conversions"]["value"], "exact: {row}");
    // Nobody is too few to be shown.
    (row["conversions"]["value"].as_f64().unwrap_or(0.0), row["revenue"]["value"].as_f64().unwrap_or(0.0))
}

/// A figure of a table in the JSON document, by what tells its table and its row apart; all that are not said are null.
fn in_file(file: &Value, view: &str, model: &Value, dimension: &Value, row: &Value, metric: &str) -> Value {
    let tables = file["tables"].as_array().unwrap().iter();
    let mut of = tables.filter(|t| t["view"] == view && t["model"] == *model && t["dimension"] == *dimension);
    let rows = of.next().unwrap()["rows"].as_array().unwrap();
    let name = if row.is_array() { "path" } else { "value" };
    let row = rows.iter().find(|r| r[name] == *row).unwrap();
    let figure = row["figures"].as_array().unwrap().iter().find(|f| f["metric"] == metric).unwrap();
    assert!(of.next().is_none(), "{view} {model} {dimension} is there twice");
    figure.clone()
}

on_both_databases! {
    async fn models_share_the_credit(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let world = World::create(&gateway).await;
        let id = world.report(json!({
            "models": [
                { "lastTouch": true }, { "firstTouch": true }, { "linear": true },
                { "timeDecay": { "halfLifeHours": 24 } }, { "positionBased": {} },
            ],
            "paths": ["ENGAGEMENTS", "CAMPAIGNS"],
        })).await;
        let figure = "{ state value standardError interval { low high } }";
        let query = format!("query($id: ID!) {{ node(id: $id) {{ ... on Report {{
            attributionSettings {{ credit {{ models {{ kind halfLifeHours firstPercent lastPercent }} paths }} }}
            summary {{ viewableRate {figure} costPerThousand {figure} costPerPerson {figure} averageFrequency {figure} }}
            attribution {{ perEvent {{
                credited {{ conversions {figure} }}
                models {{ model {{ kind }} byDimension {{ dimension value conversions {figure} revenue {figure} }} }}
                paths {{ steps paths {{ path conversions {figure} }} }} }} }} }} }} }}");
        let report = world.luma.client.query(&query, json!({ "id": id })).await["node"].clone();
        let event = &report["attribution"]["perEvent"][0];
        assert_eq!(event["credited"]["conversions"]["value"], 6_000);
        let progress = json!({ "rows": 0, "bytes": 0, "percent": 100 });
        let job = json!({ "kind": "report", "state": "DONE", "subjectId": id, "progress": progress });
        assert_eq!(world.luma.job_of(&id).await, job, "tells nothing of how many rows there are");
        let link = world.link(&id, "JSON").await;
        let answer = gateway.anonymous().http().get(&link).send().await.unwrap();
        let file: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        let null = Value::Null;
        // A day's half-life and exposures a day apart: 1, 2 and 4 sevenths.
        for (number, kind, home) in [
            (0, "LAST_TOUCH", 6_000.0), (1, "FIRST_TOUCH", 6_000.0), (2, "LINEAR", 4_000.0),
            (3, "TIME_DECAY", 30_000.0 / 7.0), (4, "POSITION_BASED", 4_800.0),
        ] {
            let model = &event["models"][number];
            assert_eq!(model["model"]["kind"], kind);
            for row in model["byDimension"].as_array().unwrap() {
                for (figure, metric) in [("conversions", "CREDIT"), ("revenue", "REVENUE")] {
                    let [shown, kind] = [&row[figure], &model["model"]["kind"]];
                    let of_file = in_file(&file, "CREDIT_BY_DIMENSION", kind, &row["dimension"], &row["value"], metric);
                    assert_eq!((&of_file["state"], of_file["value"].as_f64()), (&shown["state"], shown["value"].as_f64()));
                    assert_eq!(of_file["interval95"][1].as_f64(), shown["interval"]["high"].as_f64(), "{of_file}");
                }
            }
            let ((at_home, revenue), (at_sports, rest)) = (credit(model, "home"), credit(model, "sports"));
            assert!((at_home - home).abs() < 0.01, "{kind}: {at_home} at home");
            assert!((at_home + at_sports - 6_000.0).abs() < 1e-6, "{kind}: {at_home} and {at_sports}");
            assert!((revenue - 10.0 * home).abs() < 0.1 && (revenue + rest - 60_000.0).abs() < 1e-6, "{kind}: {revenue}");
        }
        let settings = &report["attributionSettings"]["credit"];
        assert_eq!(settings["models"][3], json!({
            "kind": "TIME_DECAY", "halfLifeHours": 24, "firstPercent": null, "lastPercent": null,
        }));
        assert_eq!(settings["models"][4]["firstPercent"], 40);
        for (table, steps, dimension, path) in [
            (0, "ENGAGEMENTS", "KIND_PATH", json!(["view", "click", "view"])),
            (1, "CAMPAIGNS", "CAMPAIGN_PATH", json!(["spring-2026", "spring-2026", "spring-2026"])),
        ] {
            let of_file = in_file(&file, "PATHS", &null, &json!(dimension), &path, "CONVERSIONS");
            assert_eq!(of_file["value"], 6_000);
            let table = &event["paths"][table];
            assert_eq!(table["steps"], steps);
            assert_eq!(table["paths"].as_array().unwrap().len(), 1, "{table}");
            assert_eq!((&table["paths"][0]["path"], &table["paths"][0]["conversions"]["value"]), (&path, &json!(6_000)));
        }
        let summary = &report["summary"];
        for (rate, metric, value) in [
            ("viewableRate", "VIEWABLE_RATE", 1.0), ("costPerThousand", "COST_PER_THOUSAND", 10.0),
            ("costPerPerson", "COST_PER_PERSON", 0.03), ("averageFrequency", "AVERAGE_FREQUENCY", 3.0),
        ] {
            assert!((summary[rate]["value"].as_f64().unwrap() - value).abs() < 1e-9, "{rate}: {summary}");
            let of_file = in_file(&file, "SUMMARY", &null, &null, &null, metric);
            assert!((of_file["value"].as_f64().unwrap() - value).abs() < 1e-9, "{metric}: {of_file}");
        }

        // Where clicks go first, all of it is theirs, as long as they are within their lookback.
        for (days, home) in [(4, 0.0), (2, 6_000.0)] {
            let id = world.report(json!({
                "models": [{ "linear": true }], "engagementPriority": ["CLICK"],
                "engagementLookbacks": [{ "engagement": "CLICK", "days": days }],
            })).await;
            let report = world.luma.client.query(&query, json!({ "id": id })).await["node"].clone();
            let model = &report["attribution"]["perEvent"][0]["models"][0];
            let rows = model["byDimension"].as_array().unwrap();
            let row = rows.iter().find(|r| r["dimension"] == "PLACEMENT" && r["value"] == "home").unwrap();
            assert_eq!(row["conversions"]["value"].as_f64().unwrap_or(0.0), home, "{days}: {model}");
        }
    }
}

on_both_databases! {
    async fn rules_of_credit_that_cannot_be_computed_are_refused(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let world = World::create(&gateway).await;
        for (more, field) in [
            (json!({ "models": [] }), "models"),
            (json!({ "models": [{ "linear": true }, { "linear": true }] }), "models"),
            (json!({ "models": [{ "linear": false }] }), "models"),
            (json!({ "models": [{ "timeDecay": { "halfLifeHours": 0 } }] }), "models"),
            (json!({ "models": [{ "positionBased": { "firstPercent": 70 } }] }), "models"),
            (json!({ "engagementLookbacks": [{ "engagement": "VIEW", "days": 8 }] }), "engagementLookbacks"),
            (json!({ "engagementPriority": ["VIEW", "VIEW"] }), "engagementPriority"),
            (json!({ "paths": ["CAMPAIGNS", "CAMPAIGNS"] }), "paths"),
        ] {
            let answer = world.luma.client.press(SCHEDULE_REPORT, world.scheduled(more)).await;
            let error = &answer["userErrors"][0];
            assert_eq!(error["code"], "INVALID", "{answer}");
            assert_eq!(error["field"].as_array().unwrap().last().unwrap(), field, "{answer}");
        }
    }
}

on_both_databases! {
    async fn a_link_shows_a_report_to_others_for_a_while(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let world = World::create(&gateway).await;
        let id = world.report(json!({})).await;
        let stranger = gateway.anonymous();
        let get = async |url: &str| {
            let answer = stranger.http().get(url).send().await.unwrap();
            let header = |name: &str| answer.headers().get(name).map(|v| v.to_str().unwrap().to_owned());
            let headers = (header("content-type"), header("content-security-policy"), header("cache-control"));
            (answer.status().as_u16(), headers, answer.bytes().await.unwrap())
        };

        let page = world.link(&id, "PAGE").await;
        let (status, (content_type, policy, cached), body) = get(&page).await;
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert_eq!((status, content_type.as_deref()), (200, Some("text/html; charset=utf-8")));
        assert!(policy.unwrap().contains("default-src 'none'"));
        assert_eq!(cached.as_deref(), Some("private, no-store"));
        assert!(text.contains("Spring &") && text.contains("TV Tube") && text.contains("<svg"));
        assert!(!text.contains("<script>") && !text.contains("<b>more"), "names are text");

        let (_, _, body) = get(&world.link(&id, "JSON").await).await;
        let document: Value = serde_json::from_slice(&body).unwrap();
        assert!(document.to_string().contains("6000"), "{document}");
        let (_, (content_type, ..), body) = get(&world.link(&id, "CSV").await).await;
        assert!(content_type.unwrap().starts_with("text/csv") && body.len() > 1_000);
        let (_, _, body) = get(&world.link(&id, "PARQUET").await).await;
        assert!(body.starts_with(b"PAR1") && body.ends_with(b"PAR1"));

        // What the gateway did not seal leads nowhere.
        let (before, last) = page.split_at(page.len() - 1);
        let other = if last == "A" { "B" } else { "A" };
        for wrong in [format!("{before}{other}"), before.to_owned(), format!("{}/reports/x", stranger.base()), format!("{page}{page}")] {
            assert_eq!(get(&wrong).await.0, 404, "{wrong}");
        }

        // Links are of those who may read the report, and only of what has run.
        let tv_tube = Party::create(&gateway, "Another", "ADVERTISER").await;
        let input = |account: &str, hours: u32| json!({
            "accountId": account, "reportId": id, "format": "PAGE", "hours": hours,
        });
        assert_eq!(tv_tube.client.refused(CREATE_LINK, input(&tv_tube.account, 24)).await, "NOT_FOUND");
        for hours in [0, 745] {
            assert_eq!(world.luma.client.refused(CREATE_LINK, input(&world.luma.account, hours)).await, "INVALID");
        }
        let log = world.luma.client.query(
            "query($a: ID!) { account(id: $a) { auditLog(first: 20) { nodes { action outcome } } } }",
            json!({ "a": world.luma.account }),
        ).await;
        let made = log["account"]["auditLog"]["nodes"].as_array().unwrap();
        let allowed = made.iter().filter(|n| n["action"] == "createReportLink" && n["outcome"] == "ALLOWED");
        assert_eq!(allowed.count(), 4, "{log}");

        let long = world.luma.client.mutate(CREATE_LINK, input(&world.luma.account, 744)).await;
        let long = long["link"]["url"].as_str().unwrap().to_owned();
        gateway.pass(Duration::from_secs(24 * 3600 + 1));
        assert_eq!((get(&page).await.0, get(&long).await.0), (410, 200));
        let delete = "mutation($input: DeleteReportInput!) { deleteReport(input: $input) {
            deletedReportId userErrors { code field message } } }";
        world.luma.client.mutate(delete, json!({ "accountId": world.luma.account, "reportId": id })).await;
        assert_eq!(get(&long).await.0, 404);
    }
}

on_both_databases! {
    async fn a_report_that_is_over_runs_again_as_a_new_one(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let world = World::create(&gateway).await;
        let document = "mutation($input: RunReportAgainInput!) { runReportAgain(input: $input) {
            report { id name status runOn } userErrors { code field message } } }";
        let again = |report: &str| json!({ "accountId": world.luma.account, "reportId": report });
        let mut tomorrow = world.scheduled(json!({}));
        tomorrow["runOn"] = json!((chrono::Utc::now() + Duration::from_secs(24 * 3600)).date_naive());
        let waiting = world.luma.client.mutate(SCHEDULE_REPORT, tomorrow).await["report"]["id"].as_str().unwrap().to_owned();
        assert_eq!(world.luma.client.refused(document, again(&waiting)).await, "WRONG_STATE");

        let first = world.report(json!({ "models": [{ "linear": true }] })).await;
        let another = Party::create(&gateway, "Another", "ADVERTISER").await;
        let theirs = json!({ "accountId": another.account, "reportId": first });
        assert_eq!(another.client.refused(document, theirs).await, "NOT_FOUND");
        let mut input = again(&first);
        input["idempotencyKey"] = json!("once more");
        let made = world.luma.client.mutate(document, input.clone()).await["report"].clone();
        assert_eq!(made["name"], "Spring & <b>more</b> (again)");
        assert_eq!(world.luma.client.mutate(document, input).await["report"]["id"], made["id"]);
        let second = made["id"].as_str().unwrap().to_owned();
        assert_ne!(second, first);
        world.luma.finished(&second).await;

        let query = "query($id: ID!) { gateway { version } node(id: $id) { ... on Report { kind from until
            attributionSettings { conversionsId events lookbackDays credit { models { kind } } } failureReason
            provenance { eventData { eventDataSetId rows } eventDataCount othersEventData settingsVersion gatewayVersion }
            attribution { perEvent { credited { conversions { value } revenue { value } } } } } } }";
        let read = async |id: &str| world.luma.client.query(query, json!({ "id": id })).await;
        let found = read(&first).await;
        assert_eq!(found, read(&second).await, "the same of the same");
        let from = &found["node"]["provenance"];
        assert_eq!(from["eventData"], json!([{ "eventDataSetId": world.conversions, "rows": 6_000 }]));
        assert_eq!((&from["eventDataCount"], &from["settingsVersion"]), (&json!(1), &json!(1)));
        assert_eq!(from["gatewayVersion"], found["gateway"]["version"]);
        let theirs = from["othersEventData"].as_str().unwrap();

        // The first stays as it is when the other side has loaded more; the next says that it read something else.
        world.tv_tube.load_exposures(&world.project, exposures(8_000..9_000), Form::Hashed).await;
        let third = world.luma.client.mutate(document, again(&second)).await["report"].clone();
        assert_eq!(third["name"], "Spring & <b>more</b> (again)");
        let third = third["id"].as_str().unwrap();
        world.luma.finished(third).await;
        assert_ne!(read(third).await["node"]["provenance"]["othersEventData"], theirs);
        assert_eq!(read(&first).await, found);
    }
}
