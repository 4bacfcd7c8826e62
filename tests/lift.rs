//! What a sent audience brings, told from those who were held out of it.

use crate::{
    harness::{Client, Gateway, Kind, on_both_databases},
    measuring::SCHEDULE_REPORT,
    opt_outs::there,
    people::{self, digest, email},
    stories::{Party, two_sides},
};
use chrono::{Days, NaiveDate};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    time::Duration,
};

const SEND: &str = "mutation($input: SendAudienceInput!) { sendAudience(input: $input) {
    sentAudience { id holdout { percent } } userErrors { code field message } } }";

const CREATE_LINK: &str = "mutation($input: CreateReportLinkInput!) { createReportLink(input: $input) {
    link { url } userErrors { code field message } } }";

const HOLDOUT: &str = "query($id: ID!) { node(id: $id) { ... on SentAudience {
    holdout { percent identities recordedAt } } } }";

const LIFT: &str = "query($id: ID!) { node(id: $id) { ... on Report { id status failure kind epsilon
    summary { impressions { state } } attribution { lookbackDays } protection { epsilonSpent }
    campaigns { id } liftSettings { sentAudienceId conversionsId events smallestLift }
    lift { treatedIdentities heldOutIdentities events { event warnings
        converters { ...outcome } conversions { ...outcome } revenue { ...outcome } } } } } }
    fragment outcome on LiftOutcome { treated heldOut smallestDetectableLift
        incremental { value low high showsEffect } lift { value low high showsEffect } }";

/// Luma's runners, by the identity of their address: every second of its 12,000 customers.
fn runners() -> BTreeSet<String> {
    (0..12_000).filter(|p| people::luma(*p).contains(&"Running")).map(|p| digest(&email(p))).collect()
}

/// Who of the people buys, of twelve so many, each for 20.
fn purchases(day: NaiveDate, of_twelve: impl Fn(&str) -> u32) -> String {
    let mut csv = "email,time,type,value,order_id,category\n".to_owned();
    for person in 0..12_000 {
        if person / 12 % 12 < of_twelve(&digest(&email(person))) {
            writeln!(csv, "{},{day}T10:00:00Z,purchase,20,order-{person},shoes", email(person)).unwrap();
        }
    }
    csv
}

struct World {
    luma: Party,
    tv_tube: Party,
    project: String,
    runners: String,
}

impl World {
    async fn create(gateway: &Gateway) -> Self {
        let (luma, tv_tube) = two_sides(gateway).await;
        let connection = luma.connect(&tv_tube, "RECIPIENT").await;
        let project = luma.create_project(&connection, "Spring").await;
        let runners = luma.audiences().await["Running"].clone();
        Self { luma, tv_tube, project, runners }
    }

    fn sending(&self, percent: Value, keys: &[&str]) -> Value {
        let keys: Vec<Value> = keys.iter().map(|kind| json!({ "kind": kind })).collect();
        json!({
            "accountId": self.luma.account, "projectId": self.project, "audienceId": self.runners,
            "matchKeys": keys, "schedule": { "once": true }, "holdoutPercent": percent,
        })
    }

    /// Sends the runners with a holdout, once it is on record who they are.
    async fn send(&self, percent: u32) -> String {
        let payload = self.luma.client.mutate(SEND, self.sending(json!(percent), &["HASHED_EMAIL"])).await;
        assert_eq!(payload["sentAudience"]["holdout"]["percent"], percent);
        let id = payload["sentAudience"]["id"].as_str().unwrap().to_owned();
        let is_recorded = |data: &Value| data["node"]["holdout"]["recordedAt"].is_string();
        let data = self.luma.client.until(HOLDOUT, json!({ "id": id }), is_recorded).await;
        assert_eq!(data["node"]["holdout"]["identities"], 6_000);
        id
    }

    fn scheduling(&self, sent: &str, conversions: &str, [from, until]: [NaiveDate; 2]) -> Value {
        json!({
            "accountId": self.luma.account, "projectId": self.project, "name": "What it brought",
            "report": { "lift": { "sentAudienceId": sent, "conversionsId": conversions, "events": ["Purchase"] } },
            "from": from.to_string(), "until": until.to_string(),
        })
    }

    /// What a link to the report answers.
    async fn file(&self, report: &Value, format: &str) -> String {
        let input = json!({ "accountId": self.luma.account, "reportId": report["id"], "format": format });
        let payload = self.luma.client.mutate(CREATE_LINK, input).await;
        let answer = self.luma.client.http().get(payload["link"]["url"].as_str().unwrap()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{format}");
        String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned()
    }

    /// A lift's page and files agree with what the API shows.
    async fn files_say(&self, report: &Value) {
        let csv = self.file(report, "CSV").await;
        let document: Value = serde_json::from_str(&self.file(report, "JSON").await).unwrap();
        assert_eq!(
            (&document["protection"], &document["report"]["lift"]["smallestLift"]),
            (&Value::Null, &json!(0.05))
        );
        let event = &report["lift"]["events"][0];
        for (name, field) in [("CONVERTERS", "converters"), ("CONVERSIONS", "conversions"), ("REVENUE", "revenue")] {
            let outcome = &event[field];
            for (metric, shown) in [
                ("TREATED", json!({ "value": outcome["treated"] })),
                ("HELD_OUT", json!({ "value": outcome["heldOut"] })),
                ("INCREMENTAL", outcome["incremental"].clone()),
                ("LIFT", outcome["lift"].clone()),
                ("SMALLEST_DETECTABLE_LIFT", json!({ "value": outcome["smallestDetectableLift"] })),
            ] {
                let (row, figure) = (in_csv(&csv, name, metric), in_json(&document, name, metric));
                let value = &shown["value"];
                let of_file = [&figure["value"], &figure["interval95"][0], &figure["interval95"][1]];
                for (column, of_file, shown) in [
                    ("figure", of_file[0], value),
                    ("low", of_file[1], shown.get("low").unwrap_or(value)),
                    ("high", of_file[2], shown.get("high").unwrap_or(value)),
                ] {
                    let [of_file, shown] = [of_file, shown].map(|number| number.as_f64().unwrap());
                    // Files have six digits after the point.
                    assert!((of_file - shown).abs() < 1e-6, "{name} {metric} {column}: {of_file} for {shown}");
                    assert_eq!(row[column].parse::<f64>().unwrap(), of_file, "{name} {metric} {column}");
                }
                assert_eq!((row["state"], row["warnings"]), ("VALUE", "CANNOT_SHOW_SMALLEST_LIFT"));
                // An interval of chance has no standard error, what is exact has none of noise.
                let error = shown.get("low").is_none().then_some(0.0);
                assert_eq!((figure["standardError"].as_f64(), row["standard_error"].parse().ok()), (error, error));
            }
        }
        for group in ["TREATED", "HELD_OUT"] {
            let row = csv.lines().find(|line| line.starts_with("LIFT_GROUPS") && line.contains(group)).unwrap();
            let field = if group == "TREATED" { "treatedIdentities" } else { "heldOutIdentities" };
            assert_eq!(row.split(',').nth(8).unwrap(), report["lift"][field].to_string(), "{row}");
        }
        let page = self.file(report, "PAGE").await;
        assert!(
            page.contains("Lift: <bdi>Purchase</bdi>") && page.contains("What it brought") && page.contains("<svg")
        );
        assert!(self.file(report, "PARQUET").await.starts_with("PAR1"));
    }

    async fn lift(&self, scheduling: Value) -> Value {
        let payload = self.luma.client.mutate(SCHEDULE_REPORT, scheduling).await;
        let ended = |data: &Value| ["FINISHED", "FAILED"].contains(&data["node"]["status"].as_str().unwrap());
        self.luma.client.until(LIFT, json!({ "id": payload["report"]["id"] }), ended).await["node"].clone()
    }
}

/// The row of an outcome's figure in the CSV, by the columns' names.
fn in_csv<'a>(csv: &'a str, outcome: &str, metric: &str) -> BTreeMap<&'a str, &'a str> {
    let mut rows = csv.lines().map(|line| line.split(',').map(|field| field.trim_matches('"')));
    let columns: Vec<&str> = rows.next().unwrap().collect();
    let mut rows = rows.map(|row| columns.iter().copied().zip(row).collect::<BTreeMap<_, _>>());
    let is = |row: &BTreeMap<&str, &str>| {
        row["view"] == "LIFT" && row["event"] == "Purchase" && row["value"] == outcome && row["metric"] == metric
    };
    rows.find(is).unwrap_or_else(|| panic!("{outcome} {metric}"))
}

/// The same figure in the JSON document.
fn in_json<'a>(document: &'a Value, outcome: &str, metric: &str) -> &'a Value {
    let of = |list: &'a Value, is: &dyn Fn(&Value) -> bool| list.as_array().unwrap().iter().find(|of| is(of)).unwrap();
    let table = of(&document["tables"], &|table| table["view"] == "LIFT" && table["event"] == "Purchase");
    let row = of(&table["rows"], &|row| row["value"] == outcome);
    of(&row["figures"], &|figure| figure["metric"] == metric)
}

fn days() -> [NaiveDate; 2] {
    let today = chrono::Utc::now().date_naive();
    [today, today + Days::new(3)]
}

on_both_databases! {
    async fn those_held_out_show_what_it_brings(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let world = World::create(&gateway).await;
        let zone = world.tv_tube.create_destination().await;
        let sent = world.send(30).await;
        let seen = world.tv_tube.client.query(HOLDOUT, json!({ "id": sent })).await;
        assert_eq!(seen["node"]["holdout"], Value::Null, "the receiver is not told");

        let activation = world.tv_tube.activate(&sent, &zone).await;
        assert_eq!(activation["status"], "DELIVERED", "{activation}");
        let delivered = there(&gateway.data().join("landing"));
        // TV Tube knows 4,000 of the 6,000 runners, of whom 1,200 are held out; four standard deviations are 116.
        assert!(delivered.len().abs_diff(2_800) < 120 && delivered.is_subset(&runners()), "{}", delivered.len());

        // Who was reached buys twice as often.
        let days @ [first, _] = days();
        let csv = purchases(first + Days::new(1), |id| if delivered.contains(id) { 6 } else { 3 });
        let conversions = world.luma.load_conversions(&world.project, csv).await;
        gateway.pass(Duration::from_secs(5 * 24 * 60 * 60));
        let report = world.lift(world.scheduling(&sent, &conversions, days)).await;
        assert_eq!((&report["status"], &report["kind"]), (&json!("FINISHED"), &json!("LIFT")), "{report}");
        assert_eq!(report["liftSettings"], json!({
            "sentAudienceId": sent, "conversionsId": conversions, "events": ["Purchase"], "smallestLift": 0.05,
        }));
        // It is about Luma's own people.
        assert_eq!((&report["epsilon"], &report["campaigns"]), (&json!(0.0), &json!([])));
        for nothing in ["summary", "attribution", "protection"] {
            assert_eq!(report[nothing], Value::Null);
        }

        let lift = &report["lift"];
        let groups = ["treatedIdentities", "heldOutIdentities"].map(|group| lift[group].as_u64().unwrap());
        assert_eq!(groups[0] + groups[1], 6_000);
        assert!(groups[1].abs_diff(1_800) < 145, "{groups:?}");
        let event = &lift["events"][0];
        assert_eq!((&event["event"], &event["warnings"]), (&json!("Purchase"), &json!(["CANNOT_SHOW_SMALLEST_LIFT"])));
        let buys = |p: &u32| p / 12 % 12 < if delivered.contains(&digest(&email(*p))) { 6 } else { 3 };
        let all = (0..12_000).filter(|p| people::luma(*p).contains(&"Running") && buys(p)).count() as f64;
        for (outcome, each) in [("converters", 1.0), ("conversions", 1.0), ("revenue", 20.0)] {
            let outcome = &event[outcome];
            let number = |field: &str| outcome[field].as_f64().unwrap();
            assert!((number("treated") + number("heldOut") - each * all).abs() < 1e-6, "{outcome}");
            let part = |field: &str| outcome["incremental"][field].as_f64().unwrap();
            // A quarter of those who were reached would not have bought; within six standard errors.
            let brought = each * delivered.len() as f64 / 4.0;
            assert!((part("value") - brought).abs() < 3.0 * (part("high") - part("value")), "{outcome}");
            assert_eq!((&outcome["incremental"]["showsEffect"], &outcome["lift"]["showsEffect"]), (&json!(true), &json!(true)));
        }
        assert_eq!(world.luma.job_of(report["id"].as_str().unwrap()).await["progress"]["percent"], 100);
        world.files_say(&report).await;
    }
}

on_both_databases! {
    /// Who comes later is not compared: the campaign may have brought them.
    async fn those_held_out_stay_so(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let world = World::create(&gateway).await;
        let zone = world.tv_tube.create_destination().await;
        let landing = gateway.data().join("landing");
        let sent = world.send(40).await;
        assert_eq!(world.tv_tube.activate(&sent, &zone).await["status"], "DELIVERED");
        let delivered = there(&landing);
        // Again in the same project, with a smaller part: those held out of it were held out before.
        let again = world.send(30).await;
        let second = world.tv_tube.activate(&again, &zone).await;
        assert_eq!(second["status"], "DELIVERED");
        assert!(second["delivered"].as_u64().unwrap() > delivered.len() as u64);
        // Too few are held out for anything to be said.
        let few = world.send(1).await;
        let days @ [first, last] = days();
        let conversions = world.luma.load_conversions(&world.project, purchases(first, |_| 6)).await;
        gateway.pass(Duration::from_secs(5 * 24 * 60 * 60));
        let report = world.lift(world.scheduling(&few, &conversions, days)).await;
        assert_eq!(report["status"], "FAILED");
        let failure = report["failure"].as_str().unwrap();
        assert!(failure.contains("were held out") && failure.contains("1000"), "{failure}");

        // What is not to be compared, and what is not to be sent.
        let whole = world.luma.send(&world.project, &world.runners, &[]).await["sentAudience"]["id"].clone();
        let whole = whole.as_str().unwrap();
        let before = first.pred_opt().unwrap();
        let mut named = world.scheduling(&again, &conversions, days);
        named["campaignIds"] = json!([world.tv_tube.add_campaign(&world.project, "spring").await]);
        let mut none = world.scheduling(&again, &conversions, days);
        none["report"]["lift"]["smallestLift"] = json!(0.0);
        let mut theirs = world.scheduling(&again, &conversions, days);
        theirs["accountId"] = json!(world.tv_tube.account);
        for (client, input, code) in [
            (&world.luma, world.scheduling(whole, &conversions, days), "WRONG_STATE"),
            (&world.luma, world.scheduling(&again, &conversions, [before, last]), "INVALID"),
            (&world.luma, named, "INVALID"),
            (&world.luma, none, "INVALID"),
            (&world.tv_tube, theirs, "NOT_FOUND"),
        ] {
            assert_eq!(client.client.refused(SCHEDULE_REPORT, input.clone()).await, code, "{input}");
        }
        for (percent, keys) in [(0, &["HASHED_EMAIL"][..]), (51, &["HASHED_EMAIL"]), (9, &["HASHED_EMAIL", "HASHED_PHONE"])] {
            assert_eq!(world.luma.client.refused(SEND, world.sending(json!(percent), keys)).await, "INVALID");
        }
    }
}

on_both_databases! {
    async fn what_is_planned_can_be_checked_before(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let query = "query($input: LiftPowerInput!) { liftPower(input: $input) { power smallestLift identitiesNeeded } }";
        let planned = |identities: u64, rate: f64| json!({ "input": {
            "identities": identities, "holdoutPercent": 50, "conversionRate": rate, "lift": 0.2,
        } });
        let power = luma.client.query(query, planned(16_310, 0.05)).await["liftPower"].clone();
        assert_eq!(power["identitiesNeeded"], 16_310);
        assert!((power["power"].as_f64().unwrap() - 0.8).abs() < 1e-3, "{power}");
        assert!((power["smallestLift"].as_f64().unwrap() - 0.2).abs() < 1e-3, "{power}");
        let refused = luma.client.ask(query, planned(10, 0.05)).await;
        assert_eq!(refused["errors"][0]["extensions"]["code"], "INVALID", "{refused}");
        let refused = luma.client.ask(query, planned(16_310, 1.0)).await;
        assert!(refused["errors"][0]["message"].as_str().unwrap().starts_with("conversionRate is"), "{refused}");
        let stranger = Client::new(&gateway.url, "").ask(query, planned(16_310, 0.05)).await;
        assert_eq!(stranger["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{stranger}");
    }
}
