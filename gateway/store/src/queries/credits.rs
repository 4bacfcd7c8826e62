//! Wallets, their ledger, and what is reserved of them.

use super::{
    super::Conn,
    Changed, Done, Read, accounts, credit_activity, idempotency,
    schema::{credit_entries, credit_reservations, deliveries, jobs, reports, wallets},
};
use crate::{Change, Created, DeliveryStatus, JobState, Outcome, StoreError, columns, error::Stop};
use diesel::{
    dsl::{exists, not},
    prelude::*,
};
use diesel_async::RunQueryDsl;
use entente_domain::{
    AccountId, CreditEntryId, Timestamp, WorkId,
    credit::{
        self, Command, Decided, MicroCredits, NewProvision, Parties, Price, Reservation, ReservationStatus, Wallet,
        WalletChange,
    },
    report::ReportStatus,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Works that are looked at, or released, at once.
const AT_ONCE: i64 = 500;

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = wallets)]
struct WalletRow {
    account_id: String,
    provisioned: i64,
    used: i64,
    reserved: i64,
}

impl From<&WalletRow> for Wallet {
    fn from(row: &WalletRow) -> Self {
        Self {
            provisioned: MicroCredits(row.provisioned),
            used: MicroCredits(row.used),
            reserved: MicroCredits(row.reserved),
        }
    }
}

#[derive(Insertable)]
#[diesel(table_name = credit_entries)]
struct EntryRow {
    id: String,
    account_id: String,
    work_id: Option<String>,
    provisioned: i64,
    used: i64,
    reserved: i64,
    note: Option<String>,
    at: Timestamp,
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = credit_reservations)]
struct ReservationRow {
    id: String,
    account_id: String,
    other_id: Option<String>,
    payer: Option<String>,
    connection_id: Option<String>,
    activity: String,
    price: i64,
    reserved_inputs: i64,
    inputs: i64,
    status: String,
    created_at: Timestamp,
}

impl ReservationRow {
    fn new(r: &Reservation, now: Timestamp) -> Read<Self> {
        let (other, payer) = match r.parties {
            Parties::Alone(_) => (None, None),
            Parties::Both { other, payer, .. } => (Some(other.to_string()), Some(columns::name(&payer)?)),
        };
        Ok(Self {
            id: r.work.to_string(),
            account_id: r.parties.account().to_string(),
            other_id: other,
            payer,
            connection_id: r.connection.map(|id| id.to_string()),
            activity: columns::name(&r.activity)?,
            price: r.price.micro_credits(),
            reserved_inputs: columns::stored(r.reserved_inputs),
            inputs: columns::stored(r.inputs),
            status: columns::name(&r.status)?,
            created_at: now,
        })
    }
}

impl TryFrom<ReservationRow> for Reservation {
    type Error = StoreError;

    fn try_from(row: ReservationRow) -> Read<Self> {
        let account = columns::id(&row.account_id)?;
        let parties = match (&row.other_id, &row.payer) {
            (Some(other), Some(payer)) => {
                Parties::Both { account, other: columns::id(other)?, payer: columns::from_name(payer, "payer")? }
            }
            _ => Parties::Alone(account),
        };
        Ok(Self {
            work: columns::id(&row.id)?,
            activity: columns::from_name(&row.activity, "activity")?,
            parties,
            connection: columns::optional_id(row.connection_id.as_deref())?,
            price: Price::new(row.price).ok_or(StoreError::Unreadable("price"))?,
            reserved_inputs: columns::count(row.reserved_inputs)?,
            inputs: columns::count(row.inputs)?,
            status: columns::from_name(&row.status, "status")?,
        })
    }
}

/// Obeys commands, one after the other. The wallets of those whom they concern are held until the transaction ends: ask
/// for it late, after all else that others may wait for is locked.
pub async fn obey(conn: &mut Conn, commands: Vec<Command>, now: Timestamp) -> Result<(), Stop> {
    if commands.is_empty() {
        return Ok(());
    }
    let works: Vec<WorkId> = commands.iter().map(Command::work).collect();
    let concerned = concerned(conn, &commands, &works).await?;
    let mut wallets = BTreeMap::new();
    // In one order, so that two who hold the same never wait for each other.
    for account in concerned {
        wallets.insert(account, hold(conn, account).await?);
    }
    // As they are once nobody else changes them. Those that were made since the wallets were chosen come after these
    // commands.
    let mut reservations = by_works(conn, &works).await?;
    reservations.retain(|_, r| r.parties.accounts().all(|account| wallets.contains_key(&account)));
    for command in commands {
        let present = reservations.get(&command.work());
        let Some(decided) = credit::decide(command, present, &wallets)? else { continue };
        write(conn, present.is_some(), &decided, &mut wallets, now).await?;
        reservations.insert(decided.reservation.work, decided.reservation);
    }
    Ok(())
}

/// Those whose wallets may change.
async fn concerned(conn: &mut Conn, commands: &[Command], works: &[WorkId]) -> Read<BTreeSet<AccountId>> {
    let present = by_works(conn, works).await?;
    let new = commands.iter().filter_map(|command| match command {
        Command::Reserve(reservation) => Some(reservation),
        Command::Settle { .. } | Command::Release { .. } => None,
    });
    Ok(new.chain(present.values()).flat_map(|r| r.parties.accounts()).collect())
}

/// Opens a wallet and keeps others from changing it until the transaction ends.
async fn hold(conn: &mut Conn, account: AccountId) -> Read<Wallet> {
    let row: WalletRow = diesel::insert_into(wallets::table)
        .values(WalletRow { account_id: account.to_string(), provisioned: 0, used: 0, reserved: 0 })
        .on_conflict(wallets::account_id)
        .do_update()
        // Writes what is there, for the lock that writing takes.
        .set(wallets::used.eq(wallets::used))
        .returning(WalletRow::as_returning())
        .get_result(conn)
        .await?;
    Ok(Wallet::from(&row))
}

async fn write(
    conn: &mut Conn,
    is_there: bool,
    decided: &Decided,
    wallets: &mut BTreeMap<AccountId, Wallet>,
    now: Timestamp,
) -> Read<()> {
    let Decided { reservation, changes, settled } = decided;
    for (account, change) in changes {
        let wallet = wallets.entry(*account).or_default();
        *wallet = enter(conn, (*account, *wallet), *change, (Some(reservation.work), None), now).await?;
    }
    if is_there {
        diesel::update(credit_reservations::table.find(reservation.work.to_string()))
            .set((
                credit_reservations::status.eq(columns::name(&reservation.status)?),
                credit_reservations::inputs.eq(columns::stored(reservation.inputs)),
                credit_reservations::ended_at.eq(now),
            ))
            .execute(conn)
            .await?;
    } else {
        let row = ReservationRow::new(reservation, now)?;
        diesel::insert_into(credit_reservations::table).values(row).execute(conn).await?;
    }
    for (account, share) in settled.iter().flat_map(|settled| &settled.shares) {
        let credits = settled.as_ref().map_or(*share, |settled| settled.credits);
        credit_activity::add(conn, *account, now.date_naive(), reservation, (credits, *share)).await?;
    }
    Ok(())
}

/// Changes a wallet that is held, with the line that says so; answers what it is then.
async fn enter(
    conn: &mut Conn,
    (account, wallet): (AccountId, Wallet),
    change: WalletChange,
    (work, note): (Option<WorkId>, Option<String>),
    now: Timestamp,
) -> Read<Wallet> {
    let next = wallet.after(change).ok_or(StoreError::Unreadable("wallet"))?;
    diesel::update(wallets::table.find(account.to_string()))
        .set((
            wallets::provisioned.eq(next.provisioned.0),
            wallets::used.eq(next.used.0),
            wallets::reserved.eq(next.reserved.0),
        ))
        .execute(conn)
        .await?;
    let row = EntryRow {
        id: CreditEntryId::new().to_string(),
        account_id: account.to_string(),
        work_id: work.map(|id| id.to_string()),
        provisioned: change.provisioned.0,
        used: change.used.0,
        reserved: change.reserved.0,
        note,
        at: now,
    };
    diesel::insert_into(credit_entries::table).values(row).execute(conn).await?;
    Ok(next)
}

/// Gives credits to an account, or takes some back.
pub async fn provision(
    conn: &mut Conn,
    change: &Change,
    account: AccountId,
    new: NewProvision,
) -> Changed<Created<AccountId>> {
    if let Some(first) = idempotency::claim(conn, change, &account).await? {
        return Ok(Done::repeated(first));
    }
    accounts::hold(conn, account).await?;
    let wallet = hold(conn, account).await?;
    let (given, note) = credit::provision(&wallet, new)?;
    enter(conn, (account, wallet), given, (None, Some(note)), change.now).await?;
    Ok(Done::created(account, Outcome::of(())))
}

/// Wallets of accounts; those that have nothing yet are missing.
pub async fn of_accounts(conn: &mut Conn, accounts: Vec<AccountId>) -> Read<HashMap<AccountId, Wallet>> {
    let rows: Vec<WalletRow> = wallets::table
        .filter(wallets::account_id.eq_any(columns::texts(accounts)))
        .select(WalletRow::as_select())
        .load(conn)
        .await?;
    rows.iter().map(|row| Ok((columns::id(&row.account_id)?, row.into()))).collect()
}

/// Reservations by their work.
pub async fn by_works(conn: &mut Conn, works: &[WorkId]) -> Read<HashMap<WorkId, Reservation>> {
    let rows: Vec<ReservationRow> = credit_reservations::table
        .filter(credit_reservations::id.eq_any(columns::texts(works)))
        .select(ReservationRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| Reservation::try_from(row).map(|r| (r.work, r))).collect()
}

/// Works that credits are reserved for and that nobody goes on with: it was cancelled, failed or deleted, or ended
/// without anything that was processed.
pub async fn abandoned(conn: &mut Conn) -> Read<Vec<WorkId>> {
    let running = [columns::name(&JobState::Queued)?, columns::name(&JobState::Running)?];
    let waiting = [columns::name(&ReportStatus::Scheduled)?, columns::name(&ReportStatus::Running)?];
    let delivering = columns::name(&DeliveryStatus::Running)?;
    let id = credit_reservations::id;
    let job = exists(jobs::table.filter(jobs::id.eq(id).and(jobs::state.eq_any(running))));
    let report = exists(reports::table.filter(reports::id.eq(id).and(reports::status.eq_any(waiting))));
    let delivery = exists(deliveries::table.filter(deliveries::id.eq(id).and(deliveries::status.eq(delivering))));
    let works: Vec<String> = credit_reservations::table
        .filter(credit_reservations::status.eq(columns::name(&ReservationStatus::Reserved)?))
        .filter(not(job).and(not(report)).and(not(delivery)))
        .select(id)
        .limit(AT_ONCE)
        .load(conn)
        .await?;
    works.iter().map(|id| columns::id(id)).collect()
}
