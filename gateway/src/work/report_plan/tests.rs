//! TV Tube ran two campaigns for Luma; Luma measures them with its own orders.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use super::*;
use chrono::{NaiveDate, TimeDelta};
use entente_domain::{
    CampaignId, EventDataSetId, MatchKey, MatchKeyKind, ProjectId, ReportId,
    data_connection::Consent,
    event_data::{ConversionColumns, ExposureColumns, TimeForm},
    report::ReportStatus,
    settings::{ActivationPayer, Activators, Side, UseCase},
};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

struct World {
    report: Report,
    campaigns: Vec<Campaign>,
    settings: Settings,
    data_sets: Vec<EventDataSet>,
    tv_tube: AccountId,
}

impl World {
    fn new() -> Self {
        let (luma, tv_tube, project) = (AccountId::new(), AccountId::new(), ProjectId::new());
        let campaign = |external: &str, placements: &[&str]| Campaign {
            id: CampaignId::new(),
            project,
            runner: tv_tube,
            external_id: external.into(),
            name: external.into(),
            placements: placements.iter().map(|p| (*p).to_owned()).collect(),
            creatives: vec![],
            created_at: NOW,
        };
        let campaigns =
            vec![campaign("run", &["Sport", "News"]), campaign("walk", &["Sport"]), campaign("sit", &["Sofa"])];
        let data_set = |account, columns, events| EventDataSet {
            id: EventDataSetId::new(),
            account,
            project,
            name: "Events".into(),
            source_type: None,
            fields: vec![],
            columns,
            delimiter: ',',
            events,
            consent: Consent { by: "user".into(), at: NOW },
            status: EventDataStatus::Active,
            failure: None,
            rows: 10,
            version: 2,
            created_at: NOW,
            updated_at: NOW,
        };
        let exposures = || {
            EventColumns::Exposures(ExposureColumns {
                key_type: None,
                time_form: TimeForm::Rfc3339,
                time: "time".into(),
                campaign: "campaign".into(),
                placement: None,
                creative: None,
                cost: None,
                viewable: None,
                kind: None,
            })
        };
        let conversions = EventColumns::Conversions(ConversionColumns {
            key_type: None,
            time_form: TimeForm::Rfc3339,
            time: "time".into(),
            kind: "type".into(),
            value: Some("value".into()),
            currency: None,
            deduplication_key: None,
            attributes: vec!["items".into()],
        });
        let purchase = conversion_event::ConversionEvent {
            name: "Large purchase".into(),
            conversion_kind: "purchase".into(),
            conditions: vec![conversion_event::Condition {
                attribute: "items".into(),
                operator: Operator::GreaterThan,
                value: "2.5".into(),
            }],
            matching: Match::Any,
        };
        let data_sets = vec![
            data_set(tv_tube, exposures(), vec![]),
            data_set(luma, exposures(), vec![]),
            data_set(luma, conversions, vec![purchase]),
        ];
        let report = Report {
            id: ReportId::new(),
            account: luma,
            project,
            name: "Autumn".into(),
            kind: ReportKind::Attribution {
                conversions: data_sets[2].id,
                events: vec!["Large purchase".into()],
                lookback_days: 14,
                credit: attribution::CreditRules::default(),
            },
            campaigns: vec![campaigns[1].id, campaigns[0].id],
            from: day(1),
            until: day(14),
            run_on: day(30),
            status: ReportStatus::Scheduled,
            failure: None,
            failure_reason: None,
            epsilon: 1.0,
            finished_at: None,
            provenance: None,
            version: 1,
            created_at: NOW,
            updated_at: NOW,
        };
        let settings = Settings {
            use_cases: vec![UseCase::Measure],
            match_keys: vec![MatchKey::of(MatchKeyKind::HashedEmail), MatchKey::of(MatchKeyKind::HashedPhone)],
            activators: Activators::Recipient,
            activation_payer: ActivationPayer::Owner,
            measurement_payer: Side::Owner,
            advertiser_names: vec![],
            counts: Counts::Protected,
        };
        Self { report, campaigns, settings, data_sets, tv_tube }
    }

    fn with(&self) -> Ingredients<'_> {
        Ingredients {
            report: &self.report,
            campaigns: &self.campaigns,
            settings: &self.settings,
            data_sets: &self.data_sets,
        }
    }
}

fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 10, day).unwrap()
}

#[test]
fn an_attribution_reads_the_runners_exposures_and_the_viewers_conversions() {
    let world = World::new();
    let plan = plan(&world.with()).unwrap();
    assert_eq!(plan.runner, world.tv_tube);
    assert_eq!(plan.exposures, [world.data_sets[0].clone()]);
    assert_eq!(plan.conversions, Some(world.data_sets[2].clone()));
    let definition = plan.definition;
    assert_eq!(definition.match_keys, ["hashed_email", "hashed_phone"]);
    assert_eq!(definition.dimensions.campaigns, ["run", "walk"]);
    assert_eq!(definition.dimensions.placements, ["News", "Sport"]);
    assert_eq!((definition.period.first, definition.period.last, definition.lookback_days), (day(1), day(14), 14));
    assert_eq!(definition.events.len(), 1);
    let event = &definition.events[0];
    assert_eq!((event.kind.as_str(), event.value, event.deduplicate), ("purchase", ValueRule::SumOfValue, false));
    assert_eq!(event.combine, Combine::Any);
    assert_eq!(
        event.conditions,
        [Condition { field: Field::Attribute("items".into()), test: Test::Greater(2_500_000) }]
    );
}

#[test]
fn credit_is_shared_as_the_report_asks() {
    let mut world = World::new();
    let asked = attribution::CreditRules {
        models: vec![
            AttributionModel::LastTouch,
            AttributionModel::FirstTouch,
            AttributionModel::Linear,
            AttributionModel::TimeDecay { half_life_hours: 24 },
            AttributionModel::PositionBased { first_percent: 30, last_percent: 50 },
        ],
        lookbacks: vec![EngagementLookback { engagement: Engagement::View, days: 3 }],
        priority: vec![Engagement::Click, Engagement::EngagedView],
        paths: vec![PathSteps::Campaigns, PathSteps::Engagements],
    };
    assert_eq!(plan(&world.with()).unwrap().definition.credit, CreditRules::default());
    let ReportKind::Attribution { credit, .. } = &mut world.report.kind else { panic!("an attribution") };
    *credit = asked;
    let expected = CreditRules {
        models: vec![
            Model::LastTouch,
            Model::FirstTouch,
            Model::Linear,
            Model::TimeDecay { half_life_hours: 24 },
            Model::PositionBased { first_percent: 30, last_percent: 50 },
        ],
        lookbacks: vec![KindLookback { kind: Kind::View, days: 3 }],
        priority: vec![Kind::Click, Kind::EngagedView],
        paths: vec![Steps::Campaigns, Steps::Kinds],
    };
    assert_eq!(plan(&world.with()).unwrap().definition.credit, expected);
}

#[test]
fn a_summary_reads_no_conversions() {
    let mut world = World::new();
    world.report.kind = ReportKind::CampaignSummary;
    let plan = plan(&world.with()).unwrap();
    assert_eq!((plan.conversions, plan.definition.events), (None, vec![]));
}

#[test]
fn what_is_missing_is_said() {
    let said = |change: fn(&mut World)| {
        let mut world = World::new();
        change(&mut world);
        plan(&world.with()).unwrap_err()
    };
    let changes: [(fn(&mut World), _, _); 4] = [
        (|w| w.campaigns.clear(), FailureReason::CampaignMissing, "campaign"),
        (|w| w.data_sets[0].status = EventDataStatus::Failed, FailureReason::ExposuresMissing, "exposures"),
        (|w| w.data_sets.truncate(2), FailureReason::ConversionsMissing, "conversions"),
        (|w| w.data_sets[2].events.clear(), FailureReason::ConversionsMissing, "conversions"),
    ];
    for (change, reason, word) in changes {
        let (found, sentence) = said(change);
        assert_eq!(found, reason);
        assert!(sentence.contains(word), "{sentence}");
    }
}

#[test]
fn a_report_waits_for_what_it_reads_but_not_for_ever() {
    for (which, waiting) in [(0, true), (1, false), (2, true)] {
        let mut world = World::new();
        assert!(!waits(&world.with(), NOW));
        world.data_sets[which].status = EventDataStatus::Pending;
        assert_eq!(waits(&world.with(), NOW), waiting);
        assert!(!waits(&world.with(), NOW + TimeDelta::hours(2)));
    }
}

#[test]
fn only_the_other_sides_exposures_are_protected() {
    let (luma, tv_tube) = (AccountId::new(), AccountId::new());
    let theirs = protection(luma, tv_tube, Counts::Protected, 1.0, 1_000);
    assert_eq!((theirs.exposures, theirs.conversions, theirs.threshold), (Whose::Theirs, Whose::Mine, 1_000));
    assert!(matches!(theirs.counts, measure::Counts::Protected { epsilon: 1.0, .. }));
    assert_eq!(protection(luma, luma, Counts::Protected, 1.0, 1_000).exposures, Whose::Mine);
    assert_eq!(protection(luma, tv_tube, Counts::Exact, 1.0, u64::MAX).counts, measure::Counts::Exact);
}
