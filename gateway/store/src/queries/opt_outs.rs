//! Lists of opt-outs.

use super::{
    super::Conn, Changed, Done, Read, accounts, change::conflict, drifts, opt_out_sources, refreshes, schema::opt_outs,
    uploads,
};
use crate::{Change, DriftFound, NewJob, OptOutsPublication, Outcome, RefreshEnd, StoreError, columns, error::Stop};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, Refusal, Timestamp, UploadId,
    account::Account,
    event::{AccountEventKind, NewEvent, Subject},
    opt_out::{self, OptOutList, OptOutProof},
};
use std::collections::HashMap;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = opt_outs)]
struct OptOutRow {
    account_id: String,
    number: i64,
    files_id: String,
    identities: String,
    sha256: String,
    loaded_by: String,
    loaded_at: Timestamp,
}

impl OptOutRow {
    fn new(list: &OptOutList) -> Read<Self> {
        Ok(Self {
            account_id: list.account.to_string(),
            number: list.number,
            files_id: list.files.clone(),
            identities: columns::json(&list.identities)?,
            sha256: list.sha256.clone(),
            loaded_by: list.loaded_by.clone(),
            loaded_at: list.loaded_at,
        })
    }
}

impl TryFrom<OptOutRow> for OptOutList {
    type Error = StoreError;

    fn try_from(row: OptOutRow) -> Read<Self> {
        Ok(Self {
            account: columns::id(&row.account_id)?,
            number: row.number,
            files: row.files_id,
            identities: columns::from_json(&row.identities, "identities")?,
            sha256: row.sha256,
            loaded_by: row.loaded_by,
            loaded_at: row.loaded_at,
        })
    }
}

/// Takes an upload that the list of an account is to be changed by.
pub async fn load(
    conn: &mut Conn,
    change: &Change,
    account: AccountId,
    upload: UploadId,
    rule: impl FnOnce(&Account) -> Result<Outcome<()>, Refusal> + Send,
) -> Changed<()> {
    // The account is locked so that none of its match keys goes meanwhile.
    let account = accounts::hold(conn, account).await?;
    let outcome = rule(&account)?;
    uploads::take(conn, change, account.id, upload, account.id.to_string()).await?;
    Ok(Done::now(outcome))
}

/// A load becomes the list that everything is kept to from now on, with its history. Another list than it was made from is a
/// conflict.
pub async fn publish(
    conn: &mut Conn,
    change: &Change,
    publication: OptOutsPublication,
    jobs: Vec<NewJob>,
) -> Changed<OptOutList> {
    let OptOutsPublication { account, job, made_from, loaded, by, read, from } = publication;
    let present = for_change(conn, account).await?;
    if opt_out::number(present.as_ref()) != made_from {
        return Err(conflict());
    }
    let next = opt_out::next(account, present.as_ref(), &loaded, &by, change.now);
    diesel::delete(opt_outs::table.find(account.to_string())).execute(conn).await?;
    diesel::insert_into(opt_outs::table).values(OptOutRow::new(&next)?).execute(conn).await?;
    if let Some((shape, seen)) = from {
        opt_out_sources::note_read(conn, account, (&shape, seen), next.number).await?;
    }
    let keys = next.identities.keys().cloned().collect();
    let end = RefreshEnd { job, read, run: Some(next.files.clone()), keys, failure: None };
    refreshes::end(conn, account.to_string(), &end, change.now).await?;
    let event = NewEvent::of_account(account, AccountEventKind::OptOutsLoaded, Subject::Account(account));
    let proof = OptOutProof::of_load(&next, &loaded);
    Done::now(Outcome { value: next, events: vec![event], jobs, credits: vec![] }).proving(&proof).map_err(Stop::from)
}

/// A load failed: the list stays.
pub async fn fail(conn: &mut Conn, change: &Change, account: AccountId, end: RefreshEnd) -> Changed<()> {
    for_change(conn, account).await?;
    refreshes::end(conn, account.to_string(), &end, change.now).await?;
    let event = NewEvent::of_account(account, AccountEventKind::OptOutsLoadFailed, Subject::Account(account));
    Ok(Done::now(Outcome::of(()).events([event])))
}

/// A load from the source found that something is not as it was: the list stays.
pub async fn drift(
    conn: &mut Conn,
    change: &Change,
    account: AccountId,
    end: RefreshEnd,
    found: DriftFound,
) -> Changed<()> {
    for_change(conn, account).await?;
    refreshes::end(conn, account.to_string(), &end, change.now).await?;
    drifts::end_drifted(conn, end.job, &found).await?;
    let event = NewEvent::of_account(account, AccountEventKind::OptOutsDrifted, Subject::Account(account));
    Ok(Done::now(Outcome::of(()).events([event])))
}

/// The list of an account, which is locked.
pub(super) async fn for_change(conn: &mut Conn, account: AccountId) -> Result<Option<OptOutList>, Stop> {
    accounts::hold(conn, account).await?;
    Ok(of_accounts(conn, vec![account]).await?.remove(&account))
}

/// The lists of accounts; those without one are missing.
pub async fn of_accounts(conn: &mut Conn, accounts: Vec<AccountId>) -> Read<HashMap<AccountId, OptOutList>> {
    let rows = opt_outs::table
        .filter(opt_outs::account_id.eq_any(columns::texts(accounts)))
        .select(OptOutRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| OptOutList::try_from(row).map(|list| (list.account, list))).collect()
}
