//! The chains of the audit log: one for each account, and one for what has no account.

use super::{
    super::{Conn, Db, insert_all},
    Read,
    audit::AuditRow,
    gateway_meta,
    schema::{audit, audit_chain, audit_heads, gateway_meta as meta},
};
use crate::AuditHead;
use diesel::{prelude::*, sql_types::Text};
use diesel_async::RunQueryDsl;
use entente_domain::audit_chain::{Entry, FIRST, Link, OPERATOR};
use std::collections::BTreeMap;

/// Links, entries or chains that are read at a time.
const AT_ONCE: i64 = 1_000;

/// The fact that says how far the entries are chained that were written before there was a chain: the id of the last one,
/// or that there are no more.
const CHAINED: &str = "audit_chained";
const ALL: &str = "all";

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = audit_chain)]
struct LinkRow {
    chain: String,
    sequence: i64,
    entry_id: String,
    hash: String,
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    chain: String,
}

/// The end of a chain. Nobody else appends to it until the transaction ends.
pub struct HeldHead {
    chain: String,
    sequence: i64,
    hash: String,
}

impl HeldHead {
    /// Moves on by an entry; the link that it makes.
    fn link(&mut self, entry: &Entry) -> LinkRow {
        self.sequence += 1;
        self.hash = entry.hash(&self.hash, self.sequence);
        let entry_id = entry.id.clone();
        LinkRow { chain: self.chain.clone(), sequence: self.sequence, entry_id, hash: self.hash.clone() }
    }
}

/// Waits for whoever appends to a chain. A transaction that holds one waits only for what nobody holds who waits for a
/// chain: the counters of events, which are taken later.
pub async fn hold(conn: &mut Conn, chain: String) -> Read<HeldHead> {
    // Writing what is there already takes the row on both databases.
    let (sequence, hash) = diesel::insert_into(audit_heads::table)
        .values((audit_heads::chain.eq(&chain), audit_heads::sequence.eq(0), audit_heads::hash.eq(FIRST)))
        .on_conflict(audit_heads::chain)
        .do_update()
        .set(audit_heads::chain.eq(&chain))
        .returning((audit_heads::sequence, audit_heads::hash))
        .get_result(conn)
        .await?;
    Ok(HeldHead { chain, sequence, hash })
}

/// Chains an entry, before it is written itself.
pub async fn append(conn: &mut Conn, mut head: HeldHead, entry: &Entry) -> Read<()> {
    let link = head.link(entry);
    diesel::insert_into(audit_chain::table).values(link).execute(conn).await?;
    diesel::update(audit_heads::table.find(head.chain))
        .set((audit_heads::sequence.eq(head.sequence), audit_heads::hash.eq(head.hash)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Chains some of the entries that were written before there was a chain, in the order of their ids; how many, or `None`
/// when there are no more. Gateways that do so at once take turns.
pub async fn chain_earlier(conn: &mut Conn) -> Read<Option<usize>> {
    let after: String = diesel::insert_into(meta::table)
        .values((meta::key.eq(CHAINED), meta::value.eq("")))
        .on_conflict(meta::key)
        .do_update()
        .set(meta::key.eq(CHAINED))
        .returning(meta::value)
        .get_result(conn)
        .await?;
    if after == ALL {
        return Ok(None);
    }
    let rows: Vec<AuditRow> = audit::table
        .left_join(audit_chain::table.on(audit_chain::entry_id.eq(audit::id)))
        .filter(audit::id.gt(after).and(audit_chain::entry_id.is_null()))
        .order(audit::id)
        .limit(AT_ONCE)
        .select(AuditRow::as_select())
        .load(conn)
        .await?;
    let entries: Vec<Entry> = rows.into_iter().map(Entry::from).collect();
    let Some(last) = entries.last() else {
        gateway_meta::set(conn, CHAINED.to_owned(), ALL.to_owned()).await?;
        return Ok(None);
    };
    gateway_meta::set(conn, CHAINED.to_owned(), last.id.clone()).await?;
    let mut chains = BTreeMap::<&str, Vec<&Entry>>::new();
    for entry in &entries {
        chains.entry(entry.chain()).or_default().push(entry);
    }
    for (chain, entries) in chains {
        let mut head = hold(conn, chain.to_owned()).await?;
        let links: Vec<LinkRow> = entries.iter().map(|entry| head.link(entry)).collect();
        insert_all!(conn, audit_chain::table, links);
        diesel::update(audit_heads::table.find(head.chain))
            .set((
                audit_heads::sequence.eq(head.sequence),
                audit_heads::hash.eq(head.hash),
                audit_heads::chained_later.eq(audit_heads::chained_later + entries.len() as i64),
            ))
            .execute(conn)
            .await?;
    }
    Ok(Some(entries.len()))
}

/// The names of some chains after a name, in order; also of those of which only entries or only links are left.
pub async fn names_after(conn: &mut Conn, name: String) -> Read<Vec<String>> {
    let statement = format!(
        "SELECT chain FROM (SELECT chain FROM audit_heads UNION SELECT chain FROM audit_chain \
         UNION SELECT COALESCE(account_id, '{OPERATOR}') FROM audit) AS chains \
         WHERE chain > $1 ORDER BY chain LIMIT {AT_ONCE}"
    );
    let names: Vec<Name> = diesel::sql_query(statement).bind::<Text, _>(name).load(conn).await?;
    Ok(names.into_iter().map(|name| name.chain).collect())
}

/// Where the database says that a chain ends.
pub async fn head(conn: &mut Conn, chain: String) -> Read<Option<AuditHead>> {
    let columns = (audit_heads::sequence, audit_heads::hash, audit_heads::chained_later);
    let head: Option<(i64, String, i64)> =
        audit_heads::table.find(chain).select(columns).first(conn).await.optional()?;
    Ok(head.map(|(sequence, hash, chained_later)| AuditHead { sequence, hash, chained_later }))
}

/// The hash at a place of a chain.
pub async fn hash_at(conn: &mut Conn, chain: String, sequence: i64) -> Read<Option<String>> {
    let link = audit_chain::table.find((chain, sequence));
    Ok(link.select(audit_chain::hash).first(conn).await.optional()?)
}

/// Some links of a chain after a place, in order, with their entries.
pub async fn links_after(conn: &mut Conn, chain: String, sequence: i64) -> Read<Vec<Link>> {
    let rows: Vec<(LinkRow, Option<AuditRow>)> = audit_chain::table
        .left_join(audit::table.on(audit::id.eq(audit_chain::entry_id)))
        .filter(audit_chain::chain.eq(chain).and(audit_chain::sequence.gt(sequence)))
        .order(audit_chain::sequence)
        .limit(AT_ONCE)
        .select((LinkRow::as_select(), Option::<AuditRow>::as_select()))
        .load(conn)
        .await?;
    let link = |(link, entry): (LinkRow, Option<AuditRow>)| {
        let LinkRow { sequence, entry_id, hash, .. } = link;
        Link { sequence, entry_id, hash, entry: entry.map(Entry::from) }
    };
    Ok(rows.into_iter().map(link).collect())
}

/// The first entry that belongs to a chain and is not in it.
pub async fn first_outside(conn: &mut Conn, chain: String) -> Read<Option<String>> {
    let its_link = audit_chain::entry_id.eq(audit::id).and(audit_chain::chain.eq(chain.clone()));
    let mut outside = audit::table
        .left_join(audit_chain::table.on(its_link))
        .filter(audit_chain::entry_id.is_null())
        .select(audit::id)
        .order(audit::id)
        .into_boxed::<Db>();
    outside = if chain == OPERATOR {
        outside.filter(audit::account_id.is_null())
    } else {
        outside.filter(audit::account_id.eq(chain))
    };
    Ok(outside.first(conn).await.optional()?)
}
