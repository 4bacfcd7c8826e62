//! Opt-outs: the list of identities that an account no longer uses, and the proof that it is kept to.

use crate::{
    graphql::{
        access::{actor_name, authorise, change, gateway, loaders},
        audience::MatchKeyCount,
        cost::{list_size, sized, slicing_by},
        fault::{allow, fault, payload, refused},
        id::{global, local},
        job::Job,
        loaders::load,
        opt_out_source::OptOutSource,
        page,
        refresh::{Refresh, RefreshPage},
        scalar::SafeInt,
        sourcing::{FieldMappingInput, delimiter, field_mappings},
    },
    work::load_opt_outs,
};
use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};
use chrono::{DateTime, Utc};
use entente_domain::{
    AccountId, UploadId,
    access::Act,
    account::Account,
    event::Subject,
    opt_out::{self, OptOutList, OptOutLoad, OptOutMode as DomainMode, OptOutProof as DomainProof},
};
use entente_store::{Outcome, SourceId};

/// What becomes of the list by what a file holds.
#[derive(Clone, Copy, Debug, Enum, PartialEq, Eq)]
#[graphql(remote = "DomainMode")]
pub enum OptOutMode {
    /// The file's identities are put on it.
    Add,
    /// The file's identities are taken off it.
    Remove,
    /// It becomes what the file holds, under the match keys that the file is mapped to; under others it stays.
    Replace,
}

/// The identities that an account no longer uses: they are in none of its audiences, and in nothing that is delivered of them
/// or by it. Nobody else sees anything of it.
#[derive(Clone)]
pub struct OptOuts {
    account: AccountId,
    list: Option<OptOutList>,
}

impl OptOuts {
    /// The list of an account.
    pub async fn of(ctx: &Context<'_>, account: AccountId) -> Result<Self> {
        Ok(Self { account, list: load(&loaders(ctx).opt_outs, account).await? })
    }
}

/// The identities that an account no longer uses: they are in none of its audiences, and in nothing that is delivered of them
/// or by it. Nobody else sees anything of it.
#[Object]
impl OptOuts {
    /// Grows by one with each load that succeeds; 0 before the first.
    async fn version(&self) -> SafeInt {
        SafeInt(opt_out::number(self.list.as_ref()).unsigned_abs())
    }

    /// Distinct identities on it, by match key.
    async fn identity_count_by_match_key(&self) -> Vec<MatchKeyCount> {
        self.list.iter().flat_map(|list| MatchKeyCount::all(&list.identities)).collect()
    }

    /// Where it comes from by itself; null where it is loaded from uploads alone.
    async fn source(&self, ctx: &Context<'_>) -> Result<Option<OptOutSource>> {
        Ok(load(&loaders(ctx).opt_out_sources, self.account).await?.map(OptOutSource))
    }

    /// The SHA-256 of what was loaded last, in hexadecimal, as `sha256sum` says it of the file; of a source, of all its files
    /// one after the other, by name, with the compression of each taken off. Null before the first load.
    async fn sha256(&self) -> Option<&str> {
        self.list.as_ref().map(|list| list.sha256.as_str())
    }

    /// When it became this version; null before the first load.
    async fn updated_at(&self) -> Option<DateTime<Utc>> {
        self.list.as_ref().map(|list| list.loaded_at)
    }

    /// Who loaded it, as the audit log names actors; null before the first load.
    async fn updated_by(&self) -> Option<&str> {
        self.list.as_ref().map(|list| list.loaded_by.as_str())
    }

    /// The last load that has begun; null before the first one.
    async fn last_load(&self, ctx: &Context<'_>) -> Result<Option<Refresh>> {
        Ok(load(&loaders(ctx).latest_refreshes, SourceId::OptOuts(self.account)).await?.map(Refresh))
    }

    /// All loads, newest first.
    #[graphql(
        complexity = "page::cost(first, last, child_complexity)",
        directive = list_size::apply(page::USUAL, slicing_by(&["first", "last"]), sized(), false)
    )]
    async fn loads(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Items from the start of the list; at most 100.")] first: Option<i32>,
        #[graphql(desc = "Only items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Items from the end of the list; at most 100.")] last: Option<i32>,
        #[graphql(desc = "Only items before this cursor.")] before: Option<String>,
    ) -> Result<RefreshPage> {
        let request = page::arguments(first, after, last, before).map_err(refused)?.into();
        let source = SourceId::OptOuts(self.account);
        let page = gateway(ctx).store().refreshes_of_source(source, request).await.map_err(fault)?;
        Ok(RefreshPage::of(page, Refresh))
    }
}

/// What the audit log keeps of opt-outs: numbers and versions, never identities.
#[derive(Clone, SimpleObject)]
pub struct OptOutProof {
    /// The version of the account's own list that was loaded or kept to.
    version: SafeInt,
    /// The SHA-256 of what it was loaded from last, in hexadecimal.
    sha256: String,
    /// Identities that a load put on the list; null for a delivery.
    added: Option<SafeInt>,
    /// Identities that a load took off the list, or that a destination had and was told to remove; null to the sender of what
    /// was delivered.
    removed: Option<SafeInt>,
    /// Matched identities that were left out of a delivery because they are on the list; null for a load, and to the sender of
    /// what was delivered, who is not told how many of its opt-outs the receiver knows.
    left_out: Option<SafeInt>,
    /// The global id of the destination; null for a load, and to the sender of what was delivered.
    destination_id: Option<ID>,
}

impl From<DomainProof> for OptOutProof {
    fn from(proof: DomainProof) -> Self {
        Self {
            version: SafeInt(proof.list.unsigned_abs()),
            sha256: proof.sha256,
            added: proof.added.map(SafeInt),
            removed: proof.removed.map(SafeInt),
            left_out: proof.left_out.map(SafeInt),
            destination_id: proof.destination.map(global),
        }
    }
}

/// Changes the account's list of opt-outs by an upload.
#[derive(InputObject)]
struct LoadOptOutsInput {
    /// The account that acts.
    account_id: ID,
    /// A complete upload that was not used yet: CSV, or Parquet.
    upload_id: ID,
    /// What becomes of the list by what the file holds.
    #[graphql(default_with = "OptOutMode::Add")]
    mode: OptOutMode,
    /// The columns that hold identities: between 1 and 40. Each identity is taken by itself.
    fields: Vec<FieldMappingInput>,
    /// What separates the columns of CSV: one punctuation character or a tab.
    #[graphql(default_with = "String::from(\",\")")]
    delimiter: String,
}

payload! {
    /// The list as it still is and the job that changes it, or why it is not changed.
    LoadOptOutsPayload {
        /// The list.
        opt_outs: OptOuts,
        /// Loads the file; `jobProgress` says how far it is.
        job: Job,
    }
}

/// Mutations of opt-outs.
#[derive(Default)]
pub struct OptOutMutation;

#[Object]
impl OptOutMutation {
    /// Changes the account's list of opt-outs by an upload, by a job. From the moment that it has ended everything that is
    /// delivered is kept to the list, recurring activations have those removed that were delivered before, and the account's
    /// audiences are built again without those on it. For ADMIN and MANAGER.
    async fn load_opt_outs(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to do, and for which account.")] input: LoadOptOutsInput,
    ) -> Result<LoadOptOutsPayload> {
        let authorised = allow!(authorise(ctx, &input.account_id, Act::ManageData)?);
        let account = authorised.account;
        let upload = allow!(local::<UploadId>(&input.upload_id, "uploadId"));
        let change = change(ctx, authorised, "loadOptOuts", Some(Subject::Account(account)))?;
        let new = OptOutLoad {
            mode: input.mode.into(),
            fields: allow!(field_mappings(input.fields, "fields")),
            delimiter: allow!(delimiter(&input.delimiter, "delimiter")),
            by: actor_name(&change),
        };
        let (at, id) = (change.now, entente_domain::JobId::new());
        let rule = move |owner: &Account| {
            let checked = opt_out::checked(new, &owner.keys())?;
            Ok(Outcome::of(()).job(load_opt_outs::job(id, account, upload, &checked, at)))
        };
        let store = gateway(ctx).store();
        allow!(store.load_opt_outs(change, account, upload, Box::new(rule)).await.map_err(fault)?);
        let job = store.job(id).await.map_err(fault)?.map(Job);
        Ok(LoadOptOutsPayload { opt_outs: Some(OptOuts::of(ctx, account).await?), job, user_errors: vec![] })
    }
}
