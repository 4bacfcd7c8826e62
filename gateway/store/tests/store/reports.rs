use crate::{
    database::{Database, done, on_both},
    world::{account, at, campaign, change, command, connected, job, project, upload},
};
use entente_domain::{
    AccountId, CampaignId, Code, EventDataSetId, JobId, ProjectId, ReportId,
    account::Role,
    connection::Command,
    data_connection::{FieldMapping, Transformation},
    event::Subject,
    event_data::{self, EventColumns, EventDataStatus, ExposureColumns, NewEventDataSet, TimeForm},
    provenance::Provenance,
    report::{self, NewReport, ReportKind, ReportStatus},
    settings::Side,
};
use entente_store::{FinishedReport, JobState, NewJob, Outcome, PageRequest, RefreshEnd, RowsRead, SourceId};

pub async fn scheduled(db: &Database, by: AccountId, project: ProjectId, campaign: CampaignId) -> (ReportId, JobId) {
    let (id, job_id) = (ReportId::new(), JobId::new());
    let day = at(0).date_naive();
    let new = NewReport {
        name: "Spring".into(),
        kind: ReportKind::CampaignSummary,
        campaigns: vec![campaign],
        from: day - chrono::Days::new(9),
        until: day - chrono::Days::new(2),
        run_on: None,
    };
    let rule = move |_: &entente_store::LoadedProject, campaigns: &[entente_domain::project::Campaign]| {
        assert!(campaigns.iter().any(|present| present.id == campaign));
        let made = report::schedule(id, by, project, new, at(0))?;
        let about = Some(Subject::Report(id));
        Ok(Outcome::of(made).job(NewJob { subject: about, ..job(job_id, "report", "reports", by) }))
    };
    done(db.store.create_report(change(by, "scheduleReport"), id, project, Box::new(rule)).await);
    (id, job_id)
}

pub fn finished(pair: [AccountId; 2], epsilon: f64) -> FinishedReport {
    let result = serde_json::json!({ "impressions": 1_200 });
    let provenance = Provenance::of([], 1, "1.0.0");
    FinishedReport { result, provenance, epsilon, pair, quarter: "2026Q4".into(), budget: 10.0, inputs: 1_200 }
}

async fn a_budget_is_spent_once_and_never_over(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    let connection = connected(&db, luma, tv).await;
    let project = project(&db, connection, luma).await;
    let campaign = campaign(&db, project, tv).await;
    let mut tasks = Vec::new();
    for n in 0..6 {
        let (by, pair) = if n % 2 == 0 { (luma, [luma, tv]) } else { (tv, [tv, luma]) };
        let (id, _) = scheduled(&db, by, project, campaign).await;
        for _ in 0..2 {
            let store = db.store.clone();
            tasks.push(tokio::spawn(async move {
                let answer = store.finish_report(change(by, "report"), id, finished(pair, 2.5), Vec::new());
                (id, answer.await.unwrap())
            }));
        }
    }
    let (mut won, mut codes) = (Vec::new(), Vec::new());
    for task in tasks {
        match task.await.unwrap() {
            (id, Ok(_)) => won.push(id),
            (_, Err(refusal)) => codes.push(refusal.code),
        }
    }
    assert_eq!((won.len(), codes.len()), (4, 8), "10 is four times 2.5");
    assert!(codes.iter().all(|c| matches!(c, Code::BudgetExhausted | Code::WrongState | Code::Conflict)), "{codes:?}");
    assert!((db.store.budget_spent(tv, luma, "2026Q4").await.unwrap() - 10.0).abs() < 1e-9);
    assert_eq!(db.store.report_results(&won).await.unwrap().len(), 4);
    let kept = db.store.reports_by_ids(&won).await.unwrap();
    assert!(kept.values().all(|r| r.status == ReportStatus::Finished && r.epsilon == 2.5));
    assert!(kept.values().all(|r| r.provenance.as_ref().is_some_and(|p| p.settings_version == 1)));
}

async fn finished_reports_outlive_their_connection(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    let connection = connected(&db, luma, tv).await;
    let project = project(&db, connection, luma).await;
    let campaign = campaign(&db, project, tv).await;
    let (ran, _) = scheduled(&db, luma, project, campaign).await;
    let (waits, job) = scheduled(&db, luma, project, campaign).await;
    done(db.store.finish_report(change(luma, "report"), ran, finished([luma, tv], 0.0), Vec::new()).await);
    assert_eq!(db.store.budget_spent(luma, tv, "2026Q4").await.unwrap(), 0.0);
    done(command(&db, connection, Side::Owner, Command::Delete).await);
    let left = db.store.reports_of_account(luma, None, PageRequest::first(9)).await.unwrap().into_values();
    assert_eq!(left.iter().map(|r| r.id).collect::<Vec<_>>(), [ran]);
    assert_eq!(db.store.report_results(&[ran, waits]).await.unwrap()[&ran]["impressions"], 1_200);
    assert!(db.store.loaded_report(ran).await.unwrap().unwrap().project.is_none());
    assert_eq!(db.store.job(job).await.unwrap().unwrap().state, JobState::Cancelled);
}

async fn an_edited_report_runs_by_another_job(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    let connection = connected(&db, luma, tv).await;
    let project = project(&db, connection, luma).await;
    let campaign = campaign(&db, project, tv).await;
    let (id, first) = scheduled(&db, luma, project, campaign).await;
    let second = JobId::new();
    let rule = move |loaded: &entente_store::LoadedReport| {
        let mut next = loaded.report.clone();
        next.version += 1;
        let about = Some(Subject::Report(id));
        Ok(Outcome::of(next).job(NewJob { subject: about, ..job(second, "report", "reports", luma) }))
    };
    done(db.store.edit_report(change(luma, "editReport"), id, Box::new(rule)).await);
    let jobs = db.store.jobs_by_ids(&[first, second]).await.unwrap();
    assert_eq!((jobs[&first].state, jobs[&second].state), (JobState::Cancelled, JobState::Queued));
    done(
        db.store
            .delete_report(
                change(luma, "deleteReport"),
                id,
                Box::new(|_: &entente_store::LoadedReport| Ok(Outcome::of(()))),
            )
            .await,
    );
    assert_eq!(db.store.jobs_about(Subject::Report(id)).await.unwrap().len(), 2);
}

/// Exposures that an account loads, and the job that does.
pub async fn exposures(db: &Database, by: AccountId, project: ProjectId) -> (EventDataSetId, JobId) {
    let upload = upload(db, by).await;
    let (id, load) = (EventDataSetId::new(), JobId::new());
    let email = crate::world::email();
    let new = NewEventDataSet {
        name: "Exposures".into(),
        source_type: None,
        fields: vec![FieldMapping {
            column: "email".into(),
            match_key: email.clone(),
            transformation: Transformation::AlreadyHashed,
        }],
        columns: EventColumns::Exposures(ExposureColumns {
            key_type: None,
            time_form: TimeForm::Rfc3339,
            time: "time".into(),
            campaign: "campaign".into(),
            placement: None,
            creative: None,
            cost: None,
            viewable: None,
            kind: None,
        }),
        delimiter: '\t',
        events: Vec::new(),
        consent_acknowledged: true,
    };
    let rule = move |_: &entente_store::LoadedProject| {
        event_data::create(id, (by, &[email]), project, new, "gateway", at(0)).map(Outcome::of)
    };
    let from = (Some(upload), None);
    done(db.store.create_event_data_set(change(by, "loadExposures"), id, project, from, Box::new(rule)).await);
    db.store.begin_refresh(by, SourceId::EventDataSet(id), load, at(1)).await.unwrap();
    (id, load)
}

async fn event_data_is_loaded(db: Database) {
    let luma = account(&db, "Luma", Role::Advertiser).await;
    let tv = account(&db, "TV Tube", Role::Publisher).await;
    let connection = connected(&db, luma, tv).await;
    let project = project(&db, connection, luma).await;
    let (id, load) = exposures(&db, tv, project).await;
    let read = RowsRead { rows: 12, accepted: 12, ..RowsRead::default() };
    let end = RefreshEnd { job: load, read, run: Some("run".into()), keys: Vec::new(), failure: None };
    let rule = |present: &event_data::EventDataSet| {
        let next = event_data::EventDataSet {
            status: EventDataStatus::Active,
            rows: 12,
            version: present.version + 1,
            ..present.clone()
        };
        Ok(Outcome::of(next))
    };
    done(db.store.end_event_data_load(change(tv, "load"), id, end, Box::new(rule)).await);
    let of_project = db.store.event_data_sets_of_projects(&[project]).await.unwrap();
    let loaded = &of_project[&project][0];
    assert_eq!((loaded.id, loaded.rows, loaded.delimiter, loaded.status), (id, 12, '\t', EventDataStatus::Active));
    assert_eq!(db.store.event_data_sets_of_account(luma, Some(project), PageRequest::first(5)).await.unwrap().total, 0);
    let rule = |_: &event_data::EventDataSet| Ok(Outcome::of(()));
    let uploads = done(db.store.delete_event_data_set(change(tv, "deleteEventData"), id, Box::new(rule)).await);
    assert_eq!(uploads.len(), 1);
    assert!(db.store.uploads_by_ids(&uploads).await.unwrap().is_empty(), "the file goes with it");
    assert!(db.store.latest_refreshes(&[SourceId::EventDataSet(id)]).await.unwrap().is_empty());
}

on_both!(
    a_budget_is_spent_once_and_never_over,
    finished_reports_outlive_their_connection,
    an_edited_report_runs_by_another_job,
    event_data_is_loaded,
);
