//! Where an account's list of opt-outs comes from by itself, and when.

use crate::{
    graphql::{
        access::{Authorised, actor_name, authorise, change, gateway, loaders},
        data_source::{self, DataSource, DataSourceInput},
        fault::{allow, fault, payload},
        id::local,
        job::Job,
        loaders::load,
        opt_out::{OptOutMode, OptOuts},
        refresh_schedule::{RefreshSchedule, RefreshScheduleInput},
        sourcing::{FieldMapping, FieldMappingInput, delimiter, field_mappings},
    },
    work::{load_opt_outs, refresh},
};
use async_graphql::{Context, ID, InputObject, Object, Result};
use chrono::{DateTime, Utc};
use entente_domain::{
    AccountId, JobId, Refusal,
    access::Act,
    drift,
    event::Subject,
    opt_out::{self, OptOutLoad, OptOutSource as Row},
    schedule::Schedule,
};
use entente_store::{Change, LoadedOptOutDrift, LoadedOptOutSource, Outcome, SourceId, SourceSettings};

/// Where an account's list of opt-outs comes from by itself.
#[derive(Clone)]
pub struct OptOutSource(pub Row);

/// Where an account's list of opt-outs comes from by itself.
#[Object]
impl OptOutSource {
    /// The place that is read.
    async fn data_source(&self) -> DataSource {
        DataSource { source_type: self.0.source_type.clone(), source: SourceId::OptOuts(self.0.account) }
    }

    /// What becomes of the list by what it holds.
    async fn mode(&self) -> OptOutMode {
        self.0.load.mode.into()
    }

    /// The columns that hold identities.
    async fn fields(&self) -> Vec<FieldMapping> {
        self.0.load.fields.iter().cloned().map(Into::into).collect()
    }

    /// What separates the columns of CSV. Parquet has no delimiter.
    async fn delimiter(&self) -> String {
        self.0.load.delimiter.to_string()
    }

    /// When it is read by itself; null when it is only read once it is set, and whenever that is asked for.
    async fn schedule(&self) -> Option<RefreshSchedule> {
        RefreshSchedule::of(SourceId::OptOuts(self.0.account), self.0.schedule)
    }

    /// Who set it, as the audit log names actors.
    async fn set_by(&self) -> &str {
        &self.0.load.by
    }

    /// When it was set.
    async fn set_at(&self) -> DateTime<Utc> {
        self.0.set_at
    }
}

/// Sets where the account's list of opt-outs comes from by itself. What was set before is replaced.
#[derive(InputObject)]
struct SetOptOutSourceInput {
    /// The account that acts.
    account_id: ID,
    /// Where it is read. It is tried first. Where the source before is of the same type, settings that are sent as they are
    /// shown stay as they are, secrets included; where anything else is sent, all secrets have to be sent with it.
    source: DataSourceInput,
    /// What becomes of the list by what the source holds.
    #[graphql(default_with = "OptOutMode::Replace")]
    mode: OptOutMode,
    /// The columns that hold identities: between 1 and 40. Each identity is taken by itself.
    fields: Vec<FieldMappingInput>,
    /// What separates the columns of CSV: one punctuation character or a tab.
    #[graphql(default_with = "String::from(\",\")")]
    delimiter: String,
    /// When it is read by itself; once, and at once, unless it is said.
    schedule: Option<RefreshScheduleInput>,
}

/// Reads the source of the account's opt-outs again.
#[derive(InputObject)]
struct RefreshOptOutsInput {
    /// The account that acts.
    account_id: ID,
}

/// Forgets where the account's list of opt-outs comes from by itself.
#[derive(InputObject)]
struct RemoveOptOutSourceInput {
    /// The account that acts.
    account_id: ID,
}

/// Accepts what a load from the source of opt-outs found that is not as it was.
#[derive(InputObject)]
struct AcceptOptOutDriftInput {
    /// The account that acts.
    account_id: ID,
    /// The `jobId` of the load that drifted: the last one that did.
    job_id: ID,
}

macro_rules! load_payloads {
    ($($name:ident: $job:literal),*) => {$(
        payload! {
            /// The list as it still is and the job that changes it, or why there is none.
            $name {
                /// The list.
                opt_outs: OptOuts,
                #[doc = $job]
                job: Job,
            }
        }
    )*};
}

load_payloads!(
    SetOptOutSourcePayload: "Reads the source; `jobProgress` says how far it is. Null where its schedule begins on a later day.",
    RefreshOptOutsPayload: "Reads the source; `jobProgress` says how far it is.",
    AcceptOptOutDriftPayload: "Takes what there is; `jobProgress` says how far it is."
);

payload! {
    /// The list, which stays as it is, or why its source is not removed.
    RemoveOptOutSourcePayload {
        /// The list.
        opt_outs: OptOuts,
    }
}

/// Mutations of sources of opt-outs.
#[derive(Default)]
pub struct OptOutSourceMutation;

#[Object]
impl OptOutSourceMutation {
    /// Sets where the account's list of opt-outs comes from by itself, when that answers well, and reads it by a job: now
    /// unless its schedule begins later, and then as the schedule says. What it holds is kept to as what an upload holds
    /// is. For ADMIN and MANAGER.
    async fn set_opt_out_source(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: SetOptOutSourceInput,
    ) -> Result<SetOptOutSourcePayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageData)?);
        let account = authorised.account;
        let change = acting(ctx, authorised, "setOptOutSource")?;
        let new = OptOutLoad {
            mode: input.mode.into(),
            fields: allow!(field_mappings(input.fields, "fields")),
            delimiter: allow!(delimiter(&input.delimiter, "delimiter")),
            by: actor_name(&change),
        };
        let schedule = allow!(input.schedule.map_or(Ok(Schedule::Once), RefreshScheduleInput::schedule));
        let settings = allow!(settings(ctx, account, &input.source).await?);
        let (at, source_type) = (change.now, input.source.source_type.to_string());
        let job = load_opt_outs::from_source(account, at);
        let job_id = job.id;
        let rule = move |loaded: &LoadedOptOutSource| {
            let set = opt_out::source(&loaded.account, &source_type, new, schedule, at)?;
            let first = set.schedule.begins(at.date_naive()).then_some(job);
            let next = load_opt_outs::scheduled(&set, first.as_ref().map(|job| job.run_at), at);
            Ok(first.into_iter().chain(next).fold(Outcome::of(set), Outcome::job))
        };
        let store = gateway(ctx).store();
        allow!(store.set_opt_out_source(change, account, settings, Box::new(rule)).await.map_err(fault)?);
        let (opt_outs, job) = answer(ctx, account, job_id).await?;
        Ok(SetOptOutSourcePayload { opt_outs, job, user_errors: vec![] })
    }

    /// Reads the source of the account's opt-outs again, by a job. Nothing is read when its files are those that the list was
    /// made by. For ADMIN and MANAGER.
    async fn refresh_opt_outs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: RefreshOptOutsInput,
    ) -> Result<RefreshOptOutsPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageData)?);
        let account = authorised.account;
        let change = acting(ctx, authorised, "refreshOptOuts")?;
        let job = load_opt_outs::from_source(account, change.now);
        let job_id = job.id;
        let rule = move |loaded: &LoadedOptOutSource| {
            opt_out::present(loaded.source.as_ref())?;
            Ok(Outcome::of(()).job(job))
        };
        let store = gateway(ctx).store();
        allow!(store.read_opt_outs_again(change, account, Box::new(rule)).await.map_err(fault)?);
        let (opt_outs, job) = answer(ctx, account, job_id).await?;
        Ok(RefreshOptOutsPayload { opt_outs, job, user_errors: vec![] })
    }

    /// Forgets where the account's list of opt-outs comes from by itself, with its secrets and what its schedule had planned.
    /// The list stays as it is. For ADMIN and MANAGER.
    async fn remove_opt_out_source(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: RemoveOptOutSourceInput,
    ) -> Result<RemoveOptOutSourcePayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageData)?);
        let account = authorised.account;
        let change = acting(ctx, authorised, "removeOptOutSource")?;
        let rule = move |loaded: &LoadedOptOutSource| opt_out::present(loaded.source.as_ref()).map(|_| Outcome::of(()));
        let store = gateway(ctx).store();
        allow!(store.remove_opt_out_source(change, account, Box::new(rule)).await.map_err(fault)?);
        Ok(RemoveOptOutSourcePayload { opt_outs: Some(OptOuts::of(ctx, account).await?), user_errors: vec![] })
    }

    /// Takes what a load from the source of opt-outs found that drifted, by a job that reads it again. Where that is not as it
    /// was found either, the job drifts as well. For ADMIN and MANAGER.
    async fn accept_opt_out_drift(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: AcceptOptOutDriftInput,
    ) -> Result<AcceptOptOutDriftPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageData)?);
        let account = authorised.account;
        let drifted = allow!(local::<JobId>(&input.job_id, "jobId"));
        let change = acting(ctx, authorised, "acceptOptOutDrift")?;
        let job = refresh::accepting(load_opt_outs::from_source(account, change.now), drifted);
        let job_id = job.id;
        let rule = move |loaded: &LoadedOptOutDrift| {
            let source = opt_out::present(loaded.source.as_ref())?;
            drift::accept(&loaded.drifted, &source.load.mapping()).map_err(|refusal| refusal.at("jobId"))?;
            Ok(Outcome::of(()).job(job))
        };
        let store = gateway(ctx).store();
        let accepted = store.accept_opt_out_drift(change, account, (drifted, job_id), Box::new(rule)).await;
        allow!(accepted.map_err(fault)?);
        let (opt_outs, job) = answer(ctx, account, job_id).await?;
        Ok(AcceptOptOutDriftPayload { opt_outs, job, user_errors: vec![] })
    }
}

fn acting(ctx: &Context<'_>, authorised: Authorised, action: &'static str) -> Result<Change> {
    change(ctx, authorised, action, Some(Subject::Account(authorised.account)))
}

/// The list of an account, and the job that changes it.
async fn answer(ctx: &Context<'_>, account: AccountId, job: JobId) -> Result<(Option<OptOuts>, Option<Job>)> {
    let job = gateway(ctx).store().job(job).await.map_err(fault)?.map(Job);
    Ok((Some(OptOuts::of(ctx, account).await?), job))
}

/// Settings that were sent, when the source answers well to them, and those that they take the place of, as these are sealed.
async fn settings(
    ctx: &Context<'_>,
    account: AccountId,
    sent: &DataSourceInput,
) -> Result<Result<(Option<Vec<u8>>, SourceSettings), Refusal>> {
    let id = SourceId::OptOuts(account);
    let present = load(&loaders(ctx).opt_out_sources, account).await?;
    if present.as_ref().is_some_and(|present| *present.source_type == *sent.source_type) {
        let replaced = data_source::replaced(ctx, account, (id, &sent.source_type), sent).await?;
        return Ok(replaced.map(|new| (Some(new.read_sealed), new.settings)));
    }
    let read = match present {
        Some(_) => Some(data_source::stored(ctx, id).await?.sealed),
        None => None,
    };
    match sent.checked(gateway(ctx), account).await {
        Ok(of_type) => Ok(Ok((read, sent.sealed(gateway(ctx), id, of_type)?))),
        Err(refusal) => Ok(Err(refusal)),
    }
}
