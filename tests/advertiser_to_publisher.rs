//! The first workflow: Luma, an advertiser, and TV Tube, a publisher.

use crate::{
    deliveries,
    harness::{Gateway, Kind, on_both_databases},
    measuring::near,
    people::{self, Form},
    stories::{ACTIVATE, Party, settings, today},
};
use serde_json::json;

const CAMPAIGN_START: &str = "2026-03-02";
const CAMPAIGN_END: &str = "2026-03-04";

on_both_databases! {
    async fn from_nothing_to_a_campaign_summary(kind: Kind) {
        let gateway = Gateway::start(kind).await;

        // Luma and TV Tube create accounts; both source audiences; TV Tube configures a destination.
        let luma = Party::create(&gateway, "Luma", "ADVERTISER").await;
        let tv_tube = Party::create(&gateway, "TV Tube", "PUBLISHER").await;
        luma.source(people::customers(0..30_000, Form::Plain, people::luma), Form::Plain).await;
        tv_tube.source(people::customers(10_000..50_000, Form::Hashed, people::tv_tube), Form::Hashed).await;
        let destination = tv_tube.create_destination().await;

        // Luma finds TV Tube in the directory and sends an invite; TV Tube accepts it.
        let theirs = luma.public_audiences_of(&tv_tube).await;
        assert_eq!(theirs.len(), 3, "{theirs:?}");
        let connection = luma.invite(&tv_tube).await;
        tv_tube.accept_invite(&connection).await;

        // Luma proposes settings; TV Tube accepts them; the connection is active.
        let version = luma.propose(&connection, settings("RECIPIENT")).await;
        tv_tube.accept_settings(&connection, version).await;

        // Luma creates a project with its use cases and reads Discover.
        let project = luma.create_project(&connection, "Spring").await;
        let overlap = luma.compare(&project, json!({ "all": true }), json!({ "all": true })).await;
        assert_eq!(overlap["__typename"], "Overlap", "{overlap}");
        assert_eq!(overlap["counts"], "PROTECTED");
        let truth = [("HASHED_EMAIL", 20_000.0), ("HASHED_PHONE", 13_333.0)];
        for (key, (name, truth)) in overlap["keys"].as_array().unwrap().iter().zip(truth) {
            assert_eq!(key["matchKey"]["kind"], name);
            let off = (key["identities"].as_f64().unwrap() - truth).abs();
            assert!(off < 6.0 * key["standardError"].as_f64().unwrap(), "{key}");
        }
        let again = luma.compare(&project, json!({ "all": true }), json!({ "all": true })).await;
        assert_eq!(overlap, again, "the same question has the same answer");

        // It picks the audiences worth reaching and sends them.
        let mine = luma.audiences().await;
        let sent = luma.send(&project, &mine["Running"], &[&theirs["Sports fans"]]).await;
        assert_eq!(sent["userErrors"], json!([]));

        // TV Tube activates them to its destination.
        let received = tv_tube.received().await;
        assert_eq!(received.len(), 1);
        assert_eq!(received[0]["audienceName"], "Running");
        let activation = tv_tube.activate(received[0]["id"].as_str().unwrap(), &destination).await;
        assert_eq!(activation["status"], "DELIVERED", "{activation}");
        let twice = json!({
            "accountId": tv_tube.account, "sentAudienceId": received[0]["id"], "destinationId": destination, "on": today(),
        });
        assert_eq!(tv_tube.client.refused(ACTIVATE, twice).await, "ALREADY_EXISTS");
        let running_sports_fans: Vec<_> = (10_000..30_000)
            .filter(|p| people::luma(*p).contains(&"Running") && people::tv_tube(*p).contains(&"Sports fans"))
            .map(|p| people::digest(&people::email(p)))
            .collect();
        let delivered = deliveries::delivered(&gateway.data().join("landing"));
        assert!(delivered.values().all(|n| *n == 1), "nothing twice");
        assert_eq!(delivered.len(), running_sports_fans.len());
        for digest in &running_sports_fans {
            assert!(delivered.contains_key(&("hashed_email".to_owned(), digest.clone())));
        }
        assert_eq!(activation["delivered"], json!(running_sports_fans.len()));

        // It runs the campaign and loads the exposures, and both read Measure.
        let campaign = tv_tube.add_campaign(&project, "spring-2026").await;
        let csv = people::exposures(10_000..30_000, "spring-2026", CAMPAIGN_START.parse().unwrap(), Form::Hashed);
        assert_eq!(tv_tube.load_exposures(&project, csv, Form::Hashed).await, 60_000);
        let summary = json!({ "campaignSummary": true });
        let own = tv_tube.report(&project, summary.clone(), &[&campaign], CAMPAIGN_START, CAMPAIGN_END).await;
        assert_eq!(own["status"], "FINISHED", "{own}");
        assert_eq!(own["epsilon"], 0.0, "their own people cost nothing");
        assert_eq!(own["summary"]["impressions"]["value"], 60_000);
        assert_eq!(own["summary"]["reach"]["value"], 20_000);
        let noised = luma.report(&project, summary, &[&campaign], CAMPAIGN_START, CAMPAIGN_END).await;
        assert_eq!(noised["status"], "FINISHED", "{noised}");
        assert!(noised["epsilon"].as_f64().unwrap() > 0.0);
        near(&noised["summary"]["impressions"], 60_000.0);
        near(&noised["summary"]["reach"], 20_000.0);
        let id = noised["id"].as_str().unwrap();
        assert_eq!(luma.finished(id).await, noised, "a report is frozen");

        // Luma has the conversions, so that it may attribute them.
        let conversions = people::conversions(15_000..25_000, CAMPAIGN_START.parse().unwrap());
        let conversions = luma.load_conversions(&project, conversions).await;
        let attribution = json!({ "attribution": {
            "conversionsId": conversions, "events": ["Purchase"], "lookbackDays": 7,
        } });
        let report = luma.report(&project, attribution, &[&campaign], CAMPAIGN_START, CAMPAIGN_END).await;
        assert_eq!(report["status"], "FINISHED", "{report}");
        near(&report["attribution"]["perEvent"][0]["credited"]["conversions"], 10_000.0);
        let budget = luma.client.query(
            "query($a: ID!, $p: ID!) { project(accountId: $a, id: $p) { privacyBudget(accountId: $a) { spent total } } }",
            json!({ "a": luma.account, "p": project }),
        ).await;
        let spent = budget["project"]["privacyBudget"]["spent"].as_f64().unwrap();
        let each = noised["epsilon"].as_f64().unwrap() + report["epsilon"].as_f64().unwrap();
        assert!((spent - each).abs() < 1e-9, "{budget}");
    }
}
