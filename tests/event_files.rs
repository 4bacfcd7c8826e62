//! What files of exposures and conversions may hold: late and repeated events, other zones, refunds, conversions before their
//! exposure, files made for ADMaP, and what is wrong with hostile ones.

use crate::{
    deliveries,
    harness::{Gateway, Kind, on_both_databases},
    measuring::{LOAD_CONVERSIONS, LOAD_EXPOSURES, as_parquet},
    people::{self, Form},
    stories::{Party, exact_settings, uuid_of},
};
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;

/// Each row is there for so many people, which is more than the threshold.
const PEOPLE: u32 = 1_500;

/// Luma, and TV Tube that runs a campaign of their project. Both agreed on exact counts.
struct World {
    luma: Party,
    tv_tube: Party,
    connection: String,
    project: String,
    campaign: String,
}

impl World {
    async fn create(gateway: &Gateway, campaign: &str) -> Self {
        let luma = Party::create(gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(gateway, "TV Tube", "PUBLISHER").await;
        let connection = luma.agree(&tv_tube, exact_settings("RECIPIENT")).await;
        let project = luma.create_project(&connection, "Spring").await;
        let campaign = tv_tube.add_campaign(&project, campaign).await;
        Self { luma, tv_tube, connection, project, campaign }
    }

    /// What Luma reads of the first eight days of March with a lookback of a week.
    async fn attribution(&self, conversions: &str) -> Value {
        let report =
            json!({ "attribution": { "conversionsId": conversions, "events": ["Purchase"], "lookbackDays": 7 } });
        let made = self.luma.report(&self.project, report, &[&self.campaign], "2026-03-01", "2026-03-08").await;
        assert_eq!(made["status"], "FINISHED", "{made}");
        let query = "query($id: ID!) { node(id: $id) { ... on Report {
            summary { impressions { value } reach { value } overTime { day impressions { value } } }
            attribution { perEvent { all { conversions { value } }
                credited { conversions { value } revenue { value } }
                byDay { day credited { conversions { value } } } } } } } }";
        self.luma.client.query(query, json!({ "id": made["id"] })).await["node"].clone()
    }
}

impl Party {
    /// Loads a file; the data set, once its load has ended.
    async fn load(&self, document: &str, mut input: Value, file: impl Into<Vec<u8>>) -> Value {
        input["uploadId"] = json!(self.upload(file).await);
        let payload = self.client.mutate(document, input).await;
        let query = "query($id: ID!) { node(id: $id) { ... on EventDataSet { id status failure rows
            faultsByReason { reason count } rowFaults(first: 100) { nodes { row column reason } } } } }";
        let ended = |data: &Value| data["node"]["status"] != "PENDING";
        self.client.until(query, json!({ "id": payload["eventDataSet"]["id"] }), ended).await["node"].clone()
    }
}

/// The rows of each person below a header; `ID` stands for the digest of the address, `NAME` for the address, `N` for the
/// number.
fn of_each(header: &str, rows: &[&str]) -> String {
    let mut csv = format!("{header}\n");
    for person in 0..PEOPLE {
        let (name, number) = (people::email(person), person.to_string());
        let digest = people::digest(&name);
        for row in rows {
            writeln!(csv, "{}", row.replace("ID", &digest).replace("NAME", &name).replace('N', &number)).unwrap();
        }
    }
    csv
}

/// The days of a list that have something to show, and what.
fn shown(days: &Value, figure: impl Fn(&Value) -> &Value) -> Vec<(String, u64)> {
    let days = days.as_array().unwrap().iter();
    days.filter_map(|day| Some((day["day"].as_str()?.to_owned(), figure(day)["value"].as_u64().filter(|n| *n > 0)?)))
        .collect()
}

on_both_databases! {
    /// Each person sees the campaign on the second and clicks on it late on the third in New York, which is the fourth; that
    /// they had seen it twice on the first comes late.
    async fn late_and_repeated_events_refunds_and_zones_count_as_they_should(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let world = World::create(&gateway, "spring").await;
        let header = "hashed_email,time,campaign_id,placement,creative,cost,viewable,kind";
        let first = of_each(header, &[
            "ID,2026-03-02T10:00:00+01:00,spring,home,spot,0.01,true,view",
            "ID,2026-03-03T23:30:00-05:00,spring,sports,spot,0.01,true,click",
        ]);
        let late = of_each(header, &["ID,2026-03-01 12:00:00Z,spring,home,spot,0.01,true,view"; 2]);
        for csv in [first, late] {
            world.tv_tube.load_exposures(&world.project, csv, Form::Hashed).await;
        }
        let conversions = world.luma.load_conversions(&world.project, of_each(
            "email,time,type,value,order_id,category",
            &[
                // The same order again, later, and before the one that counts in the file.
                "NAME,2026-03-06T12:00:00Z,purchase,30,b-N,shoes",
                // Bought late on the fourth, by a clock in Berlin.
                "NAME,2026-03-05T00:30:00+01:00,purchase,30,b-N,shoes",
                "NAME,2026-03-05T00:30:00+01:00,purchase,30,b-N,shoes",
                // Six hours before the first exposure.
                "NAME,2026-03-01T06:00:00Z,purchase,100,a-N,shoes",
                // Something goes back.
                "NAME,2026-03-07T12:00:00Z,purchase,-10,r-N,shoes",
                // After the period, within a week of the click; and a week and a day after it.
                "NAME,2026-03-10T12:00:00Z,purchase,5,e-N,shoes",
                "NAME,2026-03-12T12:00:00Z,purchase,1000,f-N,shoes",
                // Something else.
                "NAME,2026-03-05T12:00:00Z,visit,,v-N,",
            ],
        )).await;
        let report = world.attribution(&conversions).await;
        let people = u64::from(PEOPLE);
        let summary = &report["summary"];
        assert_eq!((&summary["impressions"]["value"], &summary["reach"]["value"]), (&json!(4 * people), &json!(people)));
        let days = |days: &[(&str, u64)]| days.iter().map(|(day, n)| ((*day).to_owned(), n * people)).collect::<Vec<_>>();
        assert_eq!(
            shown(&summary["overTime"], |day| &day["impressions"]),
            days(&[("2026-03-01", 2), ("2026-03-02", 1), ("2026-03-04", 1)])
        );
        let event = &report["attribution"]["perEvent"][0];
        assert_eq!(event["all"]["conversions"]["value"], json!(5 * people), "{event}");
        assert_eq!(event["credited"]["conversions"]["value"], json!(3 * people), "{event}");
        assert_eq!(event["credited"]["revenue"]["value"], json!(25.0 * f64::from(PEOPLE)), "30 - 10 + 5: {event}");
        assert_eq!(
            shown(&event["byDay"], |day| &day["credited"]["conversions"]),
            days(&[("2026-03-04", 1), ("2026-03-07", 1), ("2026-03-10", 1)])
        );
    }
}

on_both_databases! {
    /// Rows count alike, whether they come as CSV or as Parquet, and so does what is wrong with them.
    async fn parquet_gives_the_report_that_csv_gives(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let mut world = World::create(&gateway, "spring").await;
        let exposures = of_each("hashed_email,time,campaign_id,placement,creative,cost,viewable,kind", &[
            "ID,2026-03-02T10:00:00.250001Z,spring,home,spot,0.01,true,view",
            "ID,2026-03-03T10:00:00+01:00,spring,sports,,,,click",
            "ID,2026-03-03T10:00:00Z,summer,home,spot,0.01,true,view",
            "ID,2026-03-03T10:00:00Z,spring,home,spot,-0.01,false,view",
        ]);
        let conversions = of_each("email,time,type,value,order_id,category", &[
            "NAME,2026-03-04T12:00:00Z,purchase,25.50,a-N,shoes",
            "NAME,2026-03-05T12:00:00Z,purchase,25.50,a-N,shoes",
            "NAME,2026-03-06T12:00:00Z,purchase,-10,,",
            "nobody,2026-03-06T12:00:00Z,purchase,1,,",
        ]);
        let files = |as_file: fn(&str) -> Vec<u8>| [as_file(&exposures), as_file(&conversions)];
        let mut found = Vec::new();
        for [exposures, conversions] in [files(|csv| csv.into()), files(as_parquet)] {
            let input = world.tv_tube.exposures(&world.project, Form::Hashed);
            let mut seen = world.tv_tube.load(LOAD_EXPOSURES, input, exposures).await;
            let mut bought = world.luma.load(LOAD_CONVERSIONS, world.luma.conversions(&world.project), conversions).await;
            let report = world.attribution(bought["id"].as_str().unwrap()).await;
            [&mut seen, &mut bought].into_iter().for_each(|set| set["id"] = Value::Null);
            found.push((seen, bought, report));
            world.project = world.luma.create_project(&world.connection, "Once more").await;
            world.campaign = world.tv_tube.add_campaign(&world.project, "spring").await;
        }
        assert_eq!(found[0], found[1]);
        let (seen, bought, report) = &found[1];
        assert_eq!((&seen["rows"], &bought["rows"]), (&json!(2 * PEOPLE), &json!(3 * PEOPLE)));
        assert_eq!(seen["rowFaults"]["nodes"][1]["reason"], "COST_NEGATIVE");
        assert_eq!(report["summary"]["impressions"]["value"], json!(2 * PEOPLE));
        let revenue = &report["attribution"]["perEvent"][0]["credited"]["revenue"]["value"];
        assert_eq!(*revenue, json!(15.5 * f64::from(PEOPLE)));
    }
}

on_both_databases! {
    /// What is wrong is told by row, column and reason; the good row beside it counts, and bad ones alone are nothing.
    async fn hostile_rows_are_told_and_nothing_is_half_loaded(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let world = World::create(&gateway, "spring").await;
        let exposure = |rest: &str| format!("ann@example.com,{rest},home,spot,0.01,true,view");
        let cost = |cost: &str| format!("ann@example.com,2026-03-02T10:00:00Z,spring,home,spot,{cost},true,view");
        let exposures = [
            (exposure("2026-03-02T10:00:00Z,summer"), "campaign_id", "CAMPAIGN_UNKNOWN"),
            (exposure("2026-03-02T10:00:00Z,"), "campaign_id", "CAMPAIGN_MISSING"),
            (exposure("0000-01-01T00:00:00Z,spring"), "time", "TIME_OUT_OF_RANGE"),
            (exposure("9999-12-31T23:59:60Z,spring"), "time", "TIME_OUT_OF_RANGE"),
            (exposure("9999-12-31T23:59:60,spring"), "time", "TIME_WITHOUT_ZONE"),
            (exposure("2026-03-02 10:00,spring"), "time", "TIME_WITHOUT_ZONE"),
            (exposure("1e300,spring"), "time", "TIME_UNREADABLE"),
            (exposure("1772366400,spring"), "time", "TIME_UNREADABLE"),
            (exposure("02/03/2026 10:00,spring"), "time", "TIME_UNREADABLE"),
            (cost("12.50 EUR"), "cost", "NUMBER_WITH_CURRENCY"),
            (cost("€3"), "cost", "NUMBER_WITH_CURRENCY"),
            (cost("\"1,234.50\""), "cost", "NUMBER_UNREADABLE"),
            (cost("1e300"), "cost", "NUMBER_UNREADABLE"),
            (cost("99999999999999999999"), "cost", "NUMBER_OUT_OF_RANGE"),
            (cost("-0.01"), "cost", "COST_NEGATIVE"),
        ];
        let header = "email,time,campaign_id,placement,creative,cost,viewable,kind";
        let input = world.tv_tube.exposures(&world.project, Form::Plain);
        hostile(&gateway, &world.tv_tube, (LOAD_EXPOSURES, input), header, &cost("0.01"), &exposures).await;

        let conversion = |value: &str, currency: &str| {
            format!("ann@example.com,2026-03-02T10:00:00Z,purchase,{value},o,shoes,{currency}")
        };
        let conversions = [
            (conversion("12.50", "USD"), "currency", "CURRENCY_OTHER"),
            (conversion("12.50", ""), "currency", "CURRENCY_UNREADABLE"),
            (conversion("12.50", "€"), "currency", "CURRENCY_UNREADABLE"),
            (conversion("$12.50", "EUR"), "value", "NUMBER_WITH_CURRENCY"),
            (conversion("twelve", "EUR"), "value", "NUMBER_UNREADABLE"),
        ];
        let mut input = world.luma.conversions(&world.project);
        input["columns"]["currency"] = json!("currency");
        let header = "email,time,type,value,order_id,category,currency";
        let good = conversion("-12.50", "EUR");
        let load = (LOAD_CONVERSIONS, input);
        hostile(&gateway, &world.luma, load, header, &good, &conversions).await;
    }
}

/// Loads rows below a good one, then those that are bad by themselves.
async fn hostile(
    gateway: &Gateway,
    party: &Party,
    (document, input): (&str, Value),
    header: &str,
    good: &str,
    rows: &[(String, &str, &str)],
) {
    let bad: String = rows.iter().map(|(row, ..)| format!("{row}\n")).collect();
    let seen = party.load(document, input.clone(), format!("{header}\n{good}\n{bad}")).await;
    assert_eq!((&seen["status"], &seen["rows"]), (&json!("ACTIVE"), &json!(1)), "{seen}");
    let fault = |(row, (_, column, reason)): (u64, &(String, &str, &str))| json!({ "row": row, "column": column, "reason": reason });
    let told: Vec<_> = (2..).zip(rows).map(fault).collect();
    assert_eq!(seen["rowFaults"]["nodes"], json!(told));
    let counted: u64 = seen["faultsByReason"].as_array().unwrap().iter().map(|f| f["count"].as_u64().unwrap()).sum();
    assert_eq!(counted, rows.len() as u64);

    // Alone, the first row is of no other currency.
    let alone: String =
        rows.iter().filter(|(.., r)| *r != "CURRENCY_OTHER").map(|(row, ..)| format!("{row}\n")).collect();
    let refused = party.load(document, input, format!("{header}\n{alone}")).await;
    assert_eq!((&refused["status"], &refused["rows"]), (&json!("FAILED"), &json!(0)), "{refused}");
    assert!(refused["failure"].as_str().unwrap().starts_with("No row was accepted"), "{refused}");
    assert_only(gateway, party, Some(&seen));
}

/// Of a party, nothing else is stored than this data set.
fn assert_only(gateway: &Gateway, party: &Party, data_set: Option<&Value>) {
    let events = gateway.data().join("accounts").join(uuid_of(&party.account)).join("events");
    let loaded = data_set.map(|data_set| events.join(uuid_of(data_set["id"].as_str().unwrap())));
    let is_loaded = |file: &PathBuf| loaded.as_ref().is_some_and(|loaded| file.starts_with(loaded));
    assert!(deliveries::files(&events).iter().all(is_loaded), "nothing is half-loaded");
}

on_both_databases! {
    /// As many as `ENTENTE_TEST_BAD_ROWS` asks for: 10,000,000 are half a gigabyte.
    async fn however_many_rows_are_bad_all_are_counted(kind: Kind) {
        const BAD: [(&str, &str); 5] = [
            ("ann@example.com,2026-03-02T10:00:00Z,summer,0.01", "CAMPAIGN_UNKNOWN"),
            ("ann@example.com,2026-03-02 10:00:00,spring,0.01", "TIME_WITHOUT_ZONE"),
            ("ann@example.com,1999-03-02T10:00:00Z,spring,0.01", "TIME_OUT_OF_RANGE"),
            ("ann@example.com,2026-03-02T10:00:00Z,spring,€ 0.01", "NUMBER_WITH_CURRENCY"),
            ("nobody,2026-03-02T10:00:00Z,spring,0.01", "NO_IDENTITY"),
        ];
        let asked = std::env::var("ENTENTE_TEST_BAD_ROWS").map_or(20_000, |rows| rows.parse::<usize>().unwrap());
        let of_each_kind = asked / BAD.len();
        let gateway = Gateway::start(kind).await;
        let world = World::create(&gateway, "spring").await;
        let mut input = world.tv_tube.exposures(&world.project, Form::Plain);
        input["columns"] = json!({ "time": "time", "campaign": "campaign_id", "cost": "cost" });
        let mut file = "email,time,campaign_id,cost\n".to_owned();
        for _ in 0..of_each_kind {
            BAD.iter().for_each(|(row, _)| file.extend([row, "\n"]));
        }
        let seen = world.tv_tube.load(LOAD_EXPOSURES, input, file).await;
        assert_eq!((&seen["status"], &seen["rows"]), (&json!("FAILED"), &json!(0)));
        let count = |reason: &str| {
            let counted = seen["faultsByReason"].as_array().unwrap().iter().find(|fault| fault["reason"] == reason);
            counted.map(|fault| fault["count"].as_u64().unwrap())
        };
        for (_, reason) in BAD {
            assert_eq!(count(reason), Some(of_each_kind as u64), "{reason}");
        }
        assert_eq!(seen["rowFaults"]["nodes"].as_array().unwrap().len(), 100, "as many as are asked for");
        assert_only(&gateway, &world.tv_tube, None);
    }
}

on_both_databases! {
    /// As the examples of its specification are, one side with blanks in the names of columns and one with underscores.
    async fn files_made_for_admap_load_without_a_mapping(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let world = World::create(&gateway, "Red shoes").await;
        let unmapped = |party: &Party| json!({
            "accountId": party.account, "projectId": world.project, "name": "ADMaP", "consentAcknowledged": true,
        });
        // The second of March at noon, and the third.
        let exposures = of_each("Space ID,Key Type,ADMAP ID,Timestamp,Type,Campaign Source,Campaign Name", &[
            "123,email,ID,1772452800,view,Ad system,Red shoes",
            "123,email,ID,1772453400,engaged_view,Ad system,Red shoes",
            "123,advertising_id,ID,1772452800,view,Ad system,Red shoes",
        ]);
        let seen = world.tv_tube.load(LOAD_EXPOSURES, unmapped(&world.tv_tube), exposures).await;
        assert_eq!((&seen["status"], &seen["rows"]), (&json!("ACTIVE"), &json!(2 * PEOPLE)), "{seen}");
        assert_eq!(seen["faultsByReason"], json!([{ "reason": "KEY_TYPE_UNKNOWN", "count": PEOPLE }]));

        let conversions = of_each("space_id,key_type,admap_id,timestamp,event_name,event_revenue,event_currency", &[
            "123,email,ID,1772539200,Purchase,50.0,USD",
            "123,email,ID,1772539200,Purchase,40.0,EUR",
        ]);
        let mut input = unmapped(&world.luma);
        input["events"] = json!([{ "name": "Purchase", "conversionKind": "Purchase" }]);
        let bought = world.luma.load(LOAD_CONVERSIONS, input, conversions).await;
        assert_eq!((&bought["status"], &bought["rows"]), (&json!("ACTIVE"), &json!(PEOPLE)), "{bought}");
        assert_eq!(bought["faultsByReason"], json!([{ "reason": "CURRENCY_OTHER", "count": PEOPLE }]));

        let report = world.attribution(bought["id"].as_str().unwrap()).await;
        assert_eq!(report["summary"]["impressions"]["value"], json!(2 * PEOPLE));
        let event = &report["attribution"]["perEvent"][0];
        assert_eq!(event["credited"]["conversions"]["value"], json!(PEOPLE), "{event}");
        assert_eq!(event["credited"]["revenue"]["value"], json!(50.0 * f64::from(PEOPLE)), "{event}");

        // Columns that are said are taken as they are said.
        let mut input = unmapped(&world.tv_tube);
        input["columns"] = json!({ "time": "Timestamp", "campaign": "Campaign Name" });
        input["uploadId"] = json!(world.tv_tube.upload("x").await);
        assert_eq!(world.tv_tube.client.refused(LOAD_EXPOSURES, input).await, "INVALID", "no fields");
    }
}
