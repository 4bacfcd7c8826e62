//! Credits: the two stories paid to the micro-credit, what cannot be paid, and what nobody else sees.

use crate::{
    data_sources::started,
    harness::{Gateway, Kind, Options, on_both_databases},
    measuring::SCHEDULE_REPORT,
    people::{self, Form},
    stories::{ACTIVATE, Party, settings, today},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const START: &str = "2026-03-02";
const END: &str = "2026-03-04";

const PROVISION: &str = "mutation($input: ProvisionCreditsInput!) { provisionCredits(input: $input) {
    wallet { provisioned used reserved available } userErrors { code field message } } }";

const CREATE_DATA_CONNECTION: &str =
    "mutation($input: CreateDataConnectionInput!) { createDataConnection(input: $input) {
    dataConnection { id } userErrors { code field message } } }";

/// Micro-credits for a million inputs. Odd ones, so that halves and roundings show.
const PRICES: [(&str, u64); 6] = [
    ("AUDIENCE_MANAGEMENT", 2_500_001),
    ("AUDIENCE_ACCESS_ONCE", 1_000_000),
    ("AUDIENCE_ACCESS_RECURRING", 7_000_003),
    ("AUDIENCE_EGRESS_ONCE", 3_333_333),
    ("AUDIENCE_EGRESS_RECURRING", 4_000_001),
    ("MEASUREMENT", 11_111_111),
];

/// What the operator sets, of these activities.
pub fn priced(activities: &[&str]) -> Options {
    let set = PRICES.iter().filter(|(activity, _)| activities.contains(activity));
    let prices: Vec<_> = set
        .map(|(activity, price)| {
            format!("{}=\"{}.{:06}\"", activity.to_lowercase(), price / 1_000_000, price % 1_000_000)
        })
        .collect();
    Options { settings: vec![("ENTENTE_PRICES", format!("{{{}}}", prices.join(",")))] }
}

fn all_priced() -> Options {
    priced(&PRICES.map(|(activity, _)| activity))
}

/// What inputs cost, rounded up.
fn cost(activity: &str, inputs: u64) -> u64 {
    let price = PRICES.iter().find(|(name, _)| *name == activity).unwrap().1;
    (inputs * price).div_ceil(1_000_000)
}

/// The inputs of a report: the impressions that it shows, to three significant digits; of the account's own campaign,
/// which it shows exactly, the threshold.
fn measured(report: &Value, is_own: bool) -> u64 {
    assert_eq!(report["status"], "FINISHED", "{report}");
    let shown = report["summary"]["impressions"]["value"].as_u64().unwrap();
    assert!(shown > 1_000, "{report}");
    let unit = 10_u64.pow(shown.ilog10() - 2);
    if is_own { 1_000 } else { (shown + unit / 2) / unit * unit }
}

/// A line of the daily table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    activity: String,
    connection: Option<String>,
    inputs: u64,
    credits: u64,
    share: u64,
}

impl Party {
    /// Provisioned, used, reserved and available, in micro-credits.
    pub async fn wallet(&self) -> [u64; 4] {
        let query = "query($a: ID!) { account(id: $a) { wallet { provisioned used reserved available } } }";
        let data = self.client.query(query, json!({ "a": self.account })).await;
        ["provisioned", "used", "reserved", "available"].map(|p| data["account"]["wallet"][p].as_u64().unwrap())
    }

    /// The daily table, all of it or as it is asked for.
    async fn lines(&self, with: Value) -> Vec<Line> {
        let query = "query($a: ID!, $from: Date, $until: Date, $c: ID) { account(id: $a) {
            creditActivity(from: $from, until: $until, connectionId: $c, first: 100) { totalCount nodes {
                date activity inputs credits share connection { id } } } } }";
        let mut variables = json!({ "a": self.account });
        variables.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
        let page = self.client.query(query, variables).await["account"]["creditActivity"].clone();
        let nodes = page["nodes"].as_array().unwrap();
        assert_eq!(page["totalCount"], nodes.len());
        let line = |node: &Value| {
            assert_eq!(node["date"], today());
            Line {
                activity: node["activity"].as_str().unwrap().to_owned(),
                connection: node["connection"]["id"].as_str().map(str::to_owned),
                inputs: node["inputs"].as_u64().unwrap(),
                credits: node["credits"].as_u64().unwrap(),
                share: node["share"].as_u64().unwrap(),
            }
        };
        nodes.iter().map(line).collect()
    }

    /// Inputs, credits and share of each activity.
    async fn by_activity(&self) -> BTreeMap<String, [u64; 3]> {
        let lines = self.lines(json!({})).await;
        let all = lines.len();
        let lines: BTreeMap<_, _> = lines.into_iter().map(|l| (l.activity, [l.inputs, l.credits, l.share])).collect();
        assert_eq!(lines.len(), all, "one line each");
        lines
    }

    /// The wallet holds what was given less all shares, and nothing is kept.
    async fn has_paid_its_shares(&self, given: u64) {
        let shares: u64 = self.lines(json!({})).await.iter().map(|line| line.share).sum();
        assert_eq!(self.wallet().await, [given, shares, 0, given - shares]);
    }

    /// The released estimate of what it sent last, in people.
    async fn sent_estimate(&self) -> u64 {
        let query = "query($a: ID!) { account(id: $a) { sentAudiences(first: 1) { nodes {
            estimate { ... on Overlap { identities } } } } } }";
        let data = self.client.query(query, json!({ "a": self.account })).await;
        data["account"]["sentAudiences"]["nodes"][0]["estimate"]["identities"].as_u64().unwrap()
    }
}

/// The operator gives an account credits.
pub async fn give(gateway: &Gateway, party: &Party, micro_credits: u64) {
    let input = json!({ "accountId": party.account, "amount": { "give": micro_credits }, "note": "A test" });
    gateway.operator().mutate(PROVISION, input).await;
}

fn rows(csv: &str) -> u64 {
    csv.lines().count() as u64 - 1
}

on_both_databases! {
    /// Luma and TV Tube: each pays a half of what is sent, TV Tube its delivery, Luma, which owns the connection, both
    /// reports.
    async fn an_advertiser_and_a_publisher_pay_to_the_micro_credit(kind: Kind) {
        const GIVEN: u64 = 5_000_000;
        let gateway = Gateway::start_with(kind, all_priced()).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        for party in [&luma, &tv_tube] {
            give(&gateway, party, GIVEN).await;
            assert_eq!(party.wallet().await, [GIVEN, 0, 0, GIVEN]);
        }
        let lumas = people::customers(0..12_000, Form::Hashed, people::luma);
        let tv_tubes = people::customers(4_000..16_000, Form::Hashed, people::tv_tube);
        let (of_luma, of_tv_tube) = (rows(&lumas), rows(&tv_tubes));
        luma.source(lumas, Form::Hashed).await;
        tv_tube.source(tv_tubes, Form::Hashed).await;
        let managed = |rows| { let paid = cost("AUDIENCE_MANAGEMENT", rows); [rows, paid, paid] };
        assert_eq!(luma.by_activity().await, [("AUDIENCE_MANAGEMENT".to_owned(), managed(of_luma))].into());
        luma.has_paid_its_shares(GIVEN).await;

        let connection = luma.connect(&tv_tube, "RECIPIENT").await;
        let project = luma.create_project(&connection, "Spring").await;
        let zone = tv_tube.create_destination().await;
        let sent = luma.send(&project, &luma.audiences().await["Running"], &[]).await;
        assert_eq!(sent["userErrors"], json!([]));
        let reached = luma.sent_estimate().await;
        let access = cost("AUDIENCE_ACCESS_ONCE", reached);
        let halves = [access - access / 2, access / 2];

        let received = tv_tube.received().await[0]["id"].as_str().unwrap().to_owned();
        let activation = tv_tube.activate(&received, &zone).await;
        assert_eq!(activation["status"], "DELIVERED", "{activation}");
        let delivered = activation["delivered"].as_u64().unwrap();
        let egress = cost("AUDIENCE_EGRESS_ONCE", delivered);

        let campaign = tv_tube.add_campaign(&project, "spring").await;
        let csv = people::exposures(4_000..9_678, "spring", START.parse().unwrap(), Form::Hashed);
        tv_tube.load_exposures(&project, csv, Form::Hashed).await;
        let summary = json!({ "campaignSummary": true });
        let mut impressions = 0;
        let mut measuring = 0;
        for (party, is_own) in [(&tv_tube, true), (&luma, false)] {
            let report = party.report(&project, summary.clone(), &[&campaign], START, END).await;
            let inputs = measured(&report, is_own);
            impressions += inputs;
            measuring += cost("MEASUREMENT", inputs);
        }

        let own = |name: &str, line| (name.to_owned(), line);
        assert_eq!(luma.by_activity().await, [
            own("AUDIENCE_MANAGEMENT", managed(of_luma)),
            own("AUDIENCE_ACCESS_ONCE", [reached, access, halves[0]]),
            own("MEASUREMENT", [impressions, measuring, measuring]),
        ].into());
        assert_eq!(tv_tube.by_activity().await, [
            own("AUDIENCE_MANAGEMENT", managed(of_tv_tube)),
            own("AUDIENCE_ACCESS_ONCE", [reached, access, halves[1]]),
            own("AUDIENCE_EGRESS_ONCE", [delivered, egress, egress]),
            own("MEASUREMENT", [impressions, measuring, 0]),
        ].into());
        for party in [&luma, &tv_tube] {
            party.has_paid_its_shares(GIVEN).await;
        }

        // By day and by connection.
        let of_connection = tv_tube.lines(json!({ "c": connection })).await;
        assert_eq!(of_connection.len(), 3);
        assert!(of_connection.iter().all(|line| line.connection.as_ref() == Some(&connection)));
        assert_eq!(tv_tube.lines(json!({ "from": today(), "until": today() })).await.len(), 4);
        assert_eq!(tv_tube.lines(json!({ "until": "2026-01-01" })).await, []);
        assert_eq!(tv_tube.lines(json!({ "from": "2999-01-01" })).await, []);
    }
}

on_both_databases! {
    /// Fit Apparel and Luma: each pays a half of what either sends, the delivery of what it receives, and Fit Apparel,
    /// which owns the connection, all reports.
    async fn two_brands_pay_to_the_micro_credit(kind: Kind) {
        const GIVEN: u64 = 5_000_000;
        let gateway = Gateway::start_with(kind, all_priced()).await;
        let fit = Party::create(&gateway, "Fit Apparel", "ADVERTISER").await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        for party in [&fit, &luma] {
            give(&gateway, party, GIVEN).await;
        }
        let fits = people::customers(8_000..18_000, Form::Plain, people::fit_apparel);
        let lumas = people::customers(0..14_000, Form::Plain, people::luma);
        let sourced = [rows(&fits), rows(&lumas)];
        fit.source(fits, Form::Plain).await;
        luma.source(lumas, Form::Plain).await;
        let connection = fit.invite_by_code(&luma.connect_code().await).await;
        luma.accept_invite(&connection).await;
        let version = fit.propose(&connection, settings("BOTH")).await;
        luma.accept_settings(&connection, version).await;
        let project = fit.create_project(&connection, "Together").await;

        let (mut reached, mut access, mut halves, mut egress) = (0, 0, [0, 0], [[0; 3]; 2]);
        for (n, (party, other, audience)) in [(&fit, &luma, "Members"), (&luma, &fit, "Running")].into_iter().enumerate() {
            let zone = other.create_destination().await;
            let sent = party.send(&project, &party.audiences().await[audience], &[]).await;
            assert_eq!(sent["userErrors"], json!([]));
            let people = party.sent_estimate().await;
            let whole = cost("AUDIENCE_ACCESS_ONCE", people);
            reached += people;
            access += whole;
            halves[n] += whole - whole / 2;
            halves[1 - n] += whole / 2;
            let received = other.received().await[0]["id"].as_str().unwrap().to_owned();
            let activation = other.activate(&received, &zone).await;
            assert_eq!(activation["status"], "DELIVERED", "{activation}");
            let delivered = activation["delivered"].as_u64().unwrap();
            let paid = cost("AUDIENCE_EGRESS_ONCE", delivered);
            egress[1 - n] = [delivered, paid, paid];
        }
        let (mut impressions, mut measuring) = (0, 0);
        for (party, other, name) in [(&fit, &luma, "fit-spring"), (&luma, &fit, "luma-spring")] {
            let campaign = party.add_campaign(&project, name).await;
            let csv = people::exposures(8_000..14_000, name, START.parse().unwrap(), Form::Plain);
            party.load_exposures(&project, csv, Form::Plain).await;
            for (reader, is_own) in [(party, true), (other, false)] {
                let summary = json!({ "campaignSummary": true });
                let inputs = measured(&reader.report(&project, summary, &[&campaign], START, END).await, is_own);
                impressions += inputs;
                measuring += cost("MEASUREMENT", inputs);
            }
        }
        for (n, party) in [&fit, &luma].into_iter().enumerate() {
            let managed = cost("AUDIENCE_MANAGEMENT", sourced[n]);
            assert_eq!(party.by_activity().await, [
                ("AUDIENCE_MANAGEMENT".to_owned(), [sourced[n], managed, managed]),
                ("AUDIENCE_ACCESS_ONCE".to_owned(), [reached, access, halves[n]]),
                ("AUDIENCE_EGRESS_ONCE".to_owned(), egress[n]),
                ("MEASUREMENT".to_owned(), [impressions, measuring, if n == 0 { measuring } else { 0 }]),
            ].into());
            party.has_paid_its_shares(GIVEN).await;
        }
        assert_eq!(halves.iter().sum::<u64>(), access);
    }
}

on_both_databases! {
    /// Without prices nobody pays, and the daily table counts what was done.
    async fn nothing_is_charged_without_prices(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let (luma, tv_tube) = crate::stories::two_sides(&gateway).await;
        let zone = tv_tube.create_destination().await;
        let (activation, expected) = crate::stories::deliver_runners(&luma, &tv_tube, &zone).await;
        assert_eq!(activation["delivered"], expected.len());
        for party in [&luma, &tv_tube] {
            assert_eq!(party.wallet().await, [0; 4]);
        }
        let lines = tv_tube.by_activity().await;
        let inputs: Vec<_> = lines.iter().map(|(activity, line)| (activity.as_str(), *line)).collect();
        let reached = luma.sent_estimate().await;
        assert_eq!(inputs[0], ("AUDIENCE_ACCESS_ONCE", [reached, 0, 0]));
        assert_eq!(inputs[1], ("AUDIENCE_EGRESS_ONCE", [expected.len() as u64, 0, 0]));
        assert_eq!((inputs[2].0, inputs[2].1[1..].to_vec()), ("AUDIENCE_MANAGEMENT", vec![0, 0]));
        assert_eq!(inputs.len(), 3);
    }
}

on_both_databases! {
    /// Who cannot pay is refused, and nothing has changed; the other side does not learn how much there is.
    async fn what_cannot_be_paid_is_refused(kind: Kind) {
        let gateway = Gateway::start_with(kind, all_priced()).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let csv = people::customers(0..12_000, Form::Hashed, people::luma);
        let upload = luma.upload(csv.clone()).await;
        let source = json!({
            "accountId": luma.account, "name": "Customers", "uploadId": upload, "consentAcknowledged": true,
            "mapping": { "audience": { "column": "audience" }, "fields": [
                { "column": "hashed_email", "matchKey": { "kind": "HASHED_EMAIL" }, "transformation": "ALREADY_HASHED" },
            ] },
        });
        assert_eq!(luma.client.refused(CREATE_DATA_CONNECTION, source.clone()).await, "INSUFFICIENT_CREDITS");
        assert!(luma.audiences().await.is_empty());
        give(&gateway, &luma, 10_000_000).await;
        luma.client.mutate(CREATE_DATA_CONNECTION, source).await;
        let sourced = |data: &Value| !data["account"]["audiences"]["nodes"].as_array().unwrap().is_empty();
        let query = "query($a: ID!) { account(id: $a) { audiences { nodes { id } } } }";
        luma.client.until(query, json!({ "a": luma.account }), sourced).await;

        // TV Tube has just enough for its sourcing, and pays for what is sent and measured.
        let csv = people::customers(4_000..16_000, Form::Hashed, people::tv_tube);
        let estimated = (csv.len() as u64).div_ceil(64).max(rows(&csv));
        let enough = cost("AUDIENCE_MANAGEMENT", estimated);
        give(&gateway, &tv_tube, enough).await;
        tv_tube.source(csv.clone(), Form::Hashed).await;
        let take_back = json!({ "accountId": tv_tube.account, "note": "A test",
            "amount": { "takeBack": enough - cost("AUDIENCE_MANAGEMENT", rows(&csv)) } });
        gateway.operator().mutate(PROVISION, take_back).await;
        assert_eq!(tv_tube.wallet().await[2..], [0, 0]);
        let connection = luma.invite(&tv_tube).await;
        tv_tube.accept_invite(&connection).await;
        let mut agreed = settings("RECIPIENT");
        agreed["activationPayer"] = json!("RECIPIENT");
        agreed["measurementPayer"] = json!("RECIPIENT");
        let version = luma.propose(&connection, agreed).await;
        tv_tube.accept_settings(&connection, version).await;
        let project = luma.create_project(&connection, "Spring").await;
        let destination = tv_tube.create_destination().await;
        let before = luma.wallet().await;
        let running = luma.audiences().await["Running"].clone();
        let refused = luma.send(&project, &running, &[]).await;
        assert_eq!(refused["userErrors"][0]["code"], "OTHER_SIDE_CANNOT_PAY", "{refused}");
        assert!(!refused.to_string().contains(|c: char| c.is_ascii_digit()), "{refused}");
        assert!(tv_tube.received().await.is_empty());
        let campaign = tv_tube.add_campaign(&project, "spring").await;
        let report = |party: &Party| json!({
            "accountId": party.account, "projectId": project, "name": "Report", "report": { "campaignSummary": true },
            "campaignIds": [campaign], "from": START, "until": END,
        });
        assert_eq!(luma.client.refused(SCHEDULE_REPORT, report(&luma)).await, "OTHER_SIDE_CANNOT_PAY");
        assert_eq!(tv_tube.client.refused(SCHEDULE_REPORT, report(&tv_tube)).await, "INSUFFICIENT_CREDITS");
        assert_eq!(luma.wallet().await, before);

        // With enough for what is sent, but not for delivering it.
        give(&gateway, &tv_tube, 6_000).await;
        let sent = luma.send(&project, &running, &[]).await;
        assert_eq!(sent["userErrors"], json!([]));
        let access = cost("AUDIENCE_ACCESS_ONCE", luma.sent_estimate().await);
        assert_eq!(tv_tube.wallet().await[3], 6_000 - access);
        let received = tv_tube.received().await[0]["id"].clone();
        let activate = json!({
            "accountId": tv_tube.account, "sentAudienceId": received, "destinationId": destination, "on": today(),
        });
        assert_eq!(tv_tube.client.refused(ACTIVATE, activate).await, "INSUFFICIENT_CREDITS");
        assert_eq!(luma.wallet().await, before, "Luma pays for none of it");
    }
}

on_both_databases! {
    /// What a source holds is reserved for by its bytes and paid by its rows; what has not changed costs nothing. Who
    /// cannot pay keeps what was read before.
    async fn a_source_is_paid_when_it_was_read(kind: Kind) {
        let place = tempfile::tempdir().unwrap();
        let put = |people| {
            let csv = people::customers(people, Form::Hashed, people::luma);
            std::fs::write(place.path().join("customers.csv"), &csv).unwrap();
            (rows(&csv), cost("AUDIENCE_MANAGEMENT", (csv.len() as u64).div_ceil(64)))
        };
        let mut options = priced(&["AUDIENCE_MANAGEMENT"]);
        options.settings.push(("ENTENTE_SOURCE_ROOTS", place.path().display().to_string()));
        let gateway = Gateway::start_with(kind, options).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let source = json!({ "type": "local_folder", "settings": { "folder": place.path() } });

        // A micro-credit short, then not.
        let (first, needed) = put(0..3_000);
        let paid = cost("AUDIENCE_MANAGEMENT", first);
        assert!(paid < needed - 1);
        give(&gateway, &luma, needed - 1).await;
        let (id, job) = started(&luma.create_from(&source, Form::Hashed).await);
        let cannot_pay = "The account's credits do not suffice; ask the operator for more.";
        let refused = luma.job(&job).await;
        assert_eq!((&refused["state"], &refused["error"]), (&json!("FAILED"), &json!(cannot_pay)), "{refused}");
        assert_eq!(luma.wallet().await, [needed - 1, 0, 0, needed - 1]);
        assert!(luma.audiences().await.is_empty());
        give(&gateway, &luma, 1).await;
        assert_eq!(luma.read_again(&id).await["state"], "DONE");
        luma.has_paid_its_shares(needed).await;
        let managed = [("AUDIENCE_MANAGEMENT".to_owned(), [first, paid, paid])].into();
        assert_eq!(luma.by_activity().await, managed);

        // Unchanged, by who could not pay for it; then changed.
        let left = needed - paid;
        let take_back = json!({ "accountId": luma.account, "note": "A test", "amount": { "takeBack": left } });
        gateway.operator().mutate(PROVISION, take_back).await;
        assert_eq!(luma.read_again(&id).await["state"], "DONE");
        put(0..4_000);
        assert_eq!(luma.read_again(&id).await["state"], "FAILED");
        let standing = luma.standing(&id).await;
        assert_eq!((&standing["status"], &standing["failure"]), (&json!("FAILED"), &json!(cannot_pay)), "{standing}");
        assert_eq!(luma.audiences().await.len(), 3);
        assert_eq!(luma.by_activity().await, managed);
        assert_eq!(luma.wallet().await, [paid, paid, 0, 0]);
    }
}

on_both_databases! {
    /// The operator gives and takes back, once for each key; the account's audit log says so. Nobody else does, or
    /// sees.
    async fn credits_are_the_operators_and_the_accounts_own(kind: Kind) {
        let gateway = Gateway::start(kind).await;
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        let hidden = Party::create(&gateway, "Hidden", "ADVERTISER").await;
        let input = |amount: Value, key: &str| json!({
            "accountId": luma.account, "amount": amount, "note": "A test", "idempotencyKey": key,
        });
        let operator = gateway.operator();
        for _ in 0..2 {
            let given = operator.mutate(PROVISION, input(json!({ "give": 1_500 }), "one")).await;
            assert_eq!(given["wallet"], json!({ "provisioned": 1_500, "used": 0, "reserved": 0, "available": 1_500 }));
        }
        operator.mutate(PROVISION, input(json!({ "takeBack": 500 }), "two")).await;
        assert_eq!(luma.wallet().await, [1_000, 0, 0, 1_000]);
        assert_eq!(operator.refused(PROVISION, input(json!({ "takeBack": 1_001 }), "three")).await, "INSUFFICIENT_CREDITS");
        assert_eq!(operator.refused(PROVISION, input(json!({ "give": 0 }), "four")).await, "INVALID");
        for party in [&luma, &tv_tube] {
            assert_eq!(party.client.refused(PROVISION, input(json!({ "give": 1 }), "five")).await, "FORBIDDEN");
        }
        let mut nobodys = input(json!({ "give": 1 }), "six");
        nobodys["accountId"] = json!(luma.collaborator);
        assert_eq!(operator.refused(PROVISION, nobodys).await, "NOT_FOUND");
        let log = "query($a: ID!) { account(id: $a) { auditLog(filter: { action: \"provisionCredits\" }) { nodes {
            outcome code actor { kind } } } } }";
        let log = luma.client.query(log, json!({ "a": luma.account })).await;
        let entries = log["account"]["auditLog"]["nodes"].as_array().unwrap();
        assert!(entries.iter().all(|e| e["actor"]["kind"] == "OPERATOR"), "{log}");
        assert_eq!(entries.iter().filter(|e| e["outcome"] == "ALLOWED").count(), 2, "{log}");

        // Accounts of others read like none, and so do connections of others.
        let query = "query($a: ID!, $c: ID) { account(id: $a) { wallet { available } creditActivity(connectionId: $c) {
            nodes { share } } } }";
        let foreign = luma.invite(&tv_tube).await;
        for client in [&hidden.client, &operator] {
            assert_eq!(client.query(query, json!({ "a": luma.account })).await["account"], Value::Null);
        }
        let of_connection = json!({ "a": hidden.account, "c": foreign });
        let answer = hidden.client.ask(query, of_connection).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], "NOT_FOUND", "{answer}");
    }
}
