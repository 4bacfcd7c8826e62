//! Event data sets, reports and privacy budgets.

use super::{Answer, Store, change, read};
use crate::{
    Change, Created, FinishedReport, LoadedProject, LoadedReport, NewJob, Page, PageRequest, PairRule, RefreshEnd,
    Rule, SourceSettings, StoreError,
};
use async_recursion::async_recursion as boxed;
use entente_domain::{
    AccountId, EventDataSetId, ProjectId, ReportId, Timestamp, UploadId, event_data::EventDataSet, project::Campaign,
    report::Report,
};
use std::collections::HashMap;

impl Store {
    /// Creates an event data set, and takes the upload that it is loaded from, or the settings of its source, which are
    /// forgotten once it is loaded. Refused with `UploadUnavailable` when an upload is someone else's, unfinished, expired or
    /// used.
    #[boxed]
    pub async fn create_event_data_set(
        &self,
        change: Change,
        id: EventDataSetId,
        project: ProjectId,
        from: (Option<UploadId>, Option<SourceSettings>),
        rule: Rule<LoadedProject, EventDataSet>,
    ) -> Answer<Created<EventDataSetId>> {
        change!(self, change, |conn, by| queries::event_data_sets::create(conn, by, id, project, from, rule))
    }

    /// Changes an event data set.
    #[boxed]
    pub async fn change_event_data_set(
        &self,
        change: Change,
        id: EventDataSetId,
        rule: Rule<EventDataSet, EventDataSet>,
    ) -> Answer<EventDataSet> {
        change!(self, change, |conn, by| queries::event_data_sets::change(conn, by, id, None, rule))
    }

    /// A file was read into an event data set, or could not be.
    #[boxed]
    pub async fn end_event_data_load(
        &self,
        change: Change,
        id: EventDataSetId,
        end: RefreshEnd,
        rule: Rule<EventDataSet, EventDataSet>,
    ) -> Answer<EventDataSet> {
        change!(self, change, |conn, by| queries::event_data_sets::change(conn, by, id, Some(end), rule))
    }

    /// Deletes an event data set, and the uploads that it was to be loaded from; their ids, for their files. Reports that ran on
    /// it stay.
    #[boxed]
    pub async fn delete_event_data_set(
        &self,
        change: Change,
        id: EventDataSetId,
        rule: Rule<EventDataSet, ()>,
    ) -> Answer<Vec<UploadId>> {
        change!(self, change, |conn, by| queries::event_data_sets::delete(conn, by, id, rule))
    }

    /// Event data sets by id.
    #[boxed]
    pub async fn event_data_sets_by_ids(
        &self,
        ids: &[EventDataSetId],
    ) -> Result<HashMap<EventDataSetId, EventDataSet>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::event_data_sets::by_ids(conn, ids))
    }

    /// Event data sets of projects, of both sides, oldest first. Every project asked for is in the answer.
    #[boxed]
    pub async fn event_data_sets_of_projects(
        &self,
        ids: &[ProjectId],
    ) -> Result<HashMap<ProjectId, Vec<EventDataSet>>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::event_data_sets::of_projects(conn, ids))
    }

    /// An account's event data sets, of one project or of all, newest first.
    #[boxed]
    pub async fn event_data_sets_of_account(
        &self,
        account: AccountId,
        project: Option<ProjectId>,
        page: PageRequest,
    ) -> Result<Page<EventDataSet>, StoreError> {
        read!(self, |conn| queries::event_data_sets::of_account(conn, account, project, page))
    }

    /// Schedules a report. The rule gets the project and its campaigns.
    #[boxed]
    pub async fn create_report(
        &self,
        change: Change,
        id: ReportId,
        project: ProjectId,
        rule: PairRule<LoadedProject, [Campaign], Report>,
    ) -> Answer<Created<ReportId>> {
        change!(self, change, |conn, by| queries::reports::create(conn, by, id, project, rule))
    }

    /// Edits a report that has not run. Its job is cancelled; the outcome has another.
    #[boxed]
    pub async fn edit_report(&self, change: Change, id: ReportId, rule: Rule<LoadedReport, Report>) -> Answer<Report> {
        change!(self, change, |conn, by| queries::reports::change(conn, by, id, true, rule))
    }

    /// Lets others read a report for a while; the rule says until when. Only the audit log keeps that.
    #[boxed]
    pub async fn link_report(
        &self,
        change: Change,
        id: ReportId,
        rule: Rule<LoadedReport, Timestamp>,
    ) -> Answer<Timestamp> {
        change!(self, change, |conn, by| queries::reports::link(conn, by, id, rule))
    }

    /// Changes a report from within its job, such as to running or failed.
    #[boxed]
    pub async fn change_report(
        &self,
        change: Change,
        id: ReportId,
        rule: Rule<LoadedReport, Report>,
    ) -> Answer<Report> {
        let now = change.now;
        let done = change!(self, change, |conn, by| queries::reports::change(conn, by, id, false, rule));
        self.and_release(done, now).await
    }

    /// Deletes a report.
    #[boxed]
    pub async fn delete_report(&self, change: Change, id: ReportId, rule: Rule<LoadedReport, ()>) -> Answer<()> {
        let now = change.now;
        let done = change!(self, change, |conn, by| queries::reports::delete(conn, by, id, rule));
        self.and_release(done, now).await
    }

    /// Freezes a report with its result and spends what it costs of the pair's budget: both or neither, and once. One
    /// that cannot be paid fails instead, and spends all the same. The account gets its event. Refused with
    /// `BudgetExhausted` when the budget does not suffice, with `WrongState` when the report has run.
    #[boxed]
    pub async fn finish_report(
        &self,
        change: Change,
        id: ReportId,
        finished: FinishedReport,
        jobs: Vec<NewJob>,
    ) -> Answer<Report> {
        change!(self, change, |conn, by| queries::reports::finish(conn, by, id, finished, jobs))
    }

    /// A report with its project and its campaigns.
    #[boxed]
    pub async fn loaded_report(&self, id: ReportId) -> Result<Option<LoadedReport>, StoreError> {
        read!(self, |conn| queries::reports::loaded(conn, id))
    }

    /// Reports by id.
    #[boxed]
    pub async fn reports_by_ids(&self, ids: &[ReportId]) -> Result<HashMap<ReportId, Report>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::reports::by_ids(conn, ids))
    }

    /// What finished reports found; those that have not run are missing.
    #[boxed]
    pub async fn report_results(&self, ids: &[ReportId]) -> Result<HashMap<ReportId, serde_json::Value>, StoreError> {
        let ids = ids.to_vec();
        read!(self, |conn| queries::reports::results(conn, ids))
    }

    /// An account's reports, of one project or of all, newest first.
    #[boxed]
    pub async fn reports_of_account(
        &self,
        account: AccountId,
        project: Option<ProjectId>,
        page: PageRequest,
    ) -> Result<Page<Report>, StoreError> {
        read!(self, |conn| queries::reports::of_account(conn, account, project, page))
    }

    /// What a pair of accounts has spent of its privacy budget in a quarter.
    #[boxed]
    pub async fn budget_spent(&self, one: AccountId, other: AccountId, quarter: &str) -> Result<f64, StoreError> {
        let quarter = quarter.to_owned();
        read!(self, |conn| queries::budgets::spent(conn, one, other, quarter))
    }
}
