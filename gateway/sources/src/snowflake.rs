//! Tables, views and queries of Snowflake, by its SQL API.
//! <https://docs.snowflake.com/en/developer-guide/sql-api/intro>
//!
//! Listing executes the statement. What it gives is kept by Snowflake for a day, in partitions that it makes as it sees
//! fit. A part is one of them, written as CSV while it is read. So a part's size is what Snowflake tells, which is that
//! of the rows as JSON, and whoever asks for as much gets all of it, whether it is more or less.

mod csv;
mod rows;
mod statements;
mod token;

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::DateTime;
use entente_destination::Secret;
use futures::{StreamExt, TryStreamExt, stream};
use schemars::JsonSchema;
use serde::Deserialize;
use tokio_util::io::ReaderStream;

use crate::bucket::checked_endpoint;
use crate::error::SourceError;
use crate::operator::Operator;
use crate::plain::plain;
use crate::snowflake::csv::{Column, write_header, write_row};
use crate::snowflake::rows::{Rows, strange};
use crate::snowflake::statements::{Executed, Session, Statements};
use crate::snowflake::token::Signer;
use crate::source::{Content, Part, Source};
use crate::types;

/// The most bytes of an identifier.
/// <https://docs.snowflake.com/en/sql-reference/identifiers-syntax>
const MOST_NAME_BYTES: usize = 255;
/// The longest query.
const MOST_QUERY_BYTES: usize = 64 << 10;
/// The most bytes of a partition, compression taken off.
const MOST_PARTITION_BYTES: u64 = 1 << 30;
/// What is converted at a time.
const PIECE: usize = 64 << 10;

/// What is read, and who may do that. Names are written as `SHOW` shows them, usually in capitals.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Snowflake")]
pub struct Settings {
    /// The identifier of the account, as its address begins: `MYORG-ACCOUNT1`, or `xy12345.eu-central-1`.
    account: String,

    /// The name of the user that requests are made as.
    user: String,

    /// The user's private key, of RSA with at least 2,048 bits, in PEM and not encrypted (`-----BEGIN PRIVATE
    /// KEY-----`). Its public key must be assigned to the user.
    private_key: Secret<String>,

    /// The role, where it is not the user's default. It must be allowed to read, and to use the warehouse.
    #[serde(default)]
    role: Option<String>,

    /// The warehouse that does the work.
    warehouse: String,

    /// The database.
    database: String,

    /// The schema in the database.
    schema: String,

    /// What is read.
    rows: Selection,

    /// The service's address where it is not `https://ACCOUNT.snowflakecomputing.com`, such as that of a private link.
    #[serde(default)]
    endpoint: Option<String>,
}

/// Which rows are read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(rename = "SnowflakeRows")]
enum Selection {
    /// All rows of a table or a view. As long as the table does not change, it is not read again.
    Table {
        /// Its name, such as `AUDIENCES`.
        table: String,
    },
    /// What a query gives, which is read again each time.
    Query {
        /// One query, such as `SELECT EMAIL, AUDIENCE FROM MEMBERS WHERE CONSENT`.
        query: String,
    },
}

impl types::Settings for Settings {
    const ID: &'static str = "snowflake";
    const NAME: &'static str = "Snowflake";
    const SUMMARY: &'static str = "Reads a table, a view or what a query gives.";

    fn source(self, operator: &Operator) -> Result<Box<dyn Source>, SourceError> {
        let Self { account, user, private_key, role, warehouse, database, schema, rows, endpoint } = self;
        let base = checked_endpoint(endpoint.as_deref())?.map_or_else(|| address(&account), Ok)?;
        let role_name = role.as_deref().unwrap_or("default");
        for (setting, name) in [
            ("user", user.as_str()),
            ("role", role_name),
            ("warehouse", &warehouse),
            ("database", &database),
            ("schema", &schema),
        ] {
            checked_name(setting, name)?;
        }
        let (query, of_table) = match rows {
            Selection::Table { table } => {
                checked_name("table", &table)?;
                let name = [&database, &schema, &table].map(|name| quoted(name)).join(".");
                (format!("SELECT * FROM {name}"), Some(change(&name)))
            }
            Selection::Query { query } => (checked_query(&query)?, None),
        };
        let signer = Signer::new(&account, &user, private_key.reveal())?;
        let statements = Statements::new(base, signer, Session { role, warehouse, database, schema }, operator)?;
        Ok(Box::new(Snowflake { statements: Arc::new(statements), query, change: of_table, listed: Mutex::default() }))
    }
}

/// The address of an account.
fn address(account: &str) -> Result<String, SourceError> {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let begins_well = account.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    if !begins_well || account.len() > MOST_NAME_BYTES || !account.bytes().all(sound) {
        return Err(SourceError::Settings("`account` must be like MYORG-ACCOUNT1".to_owned()));
    }
    // A host has no underscores; Snowflake takes hyphens for them.
    let account = account.to_ascii_lowercase().replace('_', "-");
    Ok(format!("https://{account}.snowflakecomputing.com"))
}

fn checked_name(setting: &str, name: &str) -> Result<(), SourceError> {
    if (1..=MOST_NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control) {
        return Ok(());
    }
    Err(SourceError::Settings(format!("`{setting}` must be a name of 1 to {MOST_NAME_BYTES} bytes")))
}

/// A query that only reads, whatever it was: nothing else can stand in parentheses after `FROM`.
fn checked_query(query: &str) -> Result<String, SourceError> {
    let query = query.trim().trim_end_matches(';').trim_end();
    if query.is_empty() || query.len() > MOST_QUERY_BYTES || query.contains('\0') {
        return Err(SourceError::Settings(format!("`query` must be a query of up to {MOST_QUERY_BYTES} bytes")));
    }
    // It may end in a comment.
    Ok(format!("SELECT * FROM (\n{query}\n)"))
}

/// An identifier that is taken as it is written.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What is another whenever the table of this name changed.
/// <https://docs.snowflake.com/en/sql-reference/functions/system_last_change_commit_time>
fn change(name: &str) -> String {
    let literal = name.replace('\\', "\\\\").replace('\'', "''");
    format!("SELECT TO_VARCHAR(SYSTEM$LAST_CHANGE_COMMIT_TIME('{literal}'))")
}

/// A statement, and what it gave last.
struct Snowflake {
    statements: Arc<Statements>,
    query: String,
    /// What asks whether there is something new, where that can be asked.
    change: Option<String>,
    listed: Mutex<Option<Arc<Listed>>>,
}

/// What a statement gave, in one version of the table.
struct Listed {
    executed: Executed,
    version: String,
    columns: Arc<[Column]>,
}

impl Snowflake {
    /// Which version of the table there is: nanoseconds since 1970, as a text. Nothing for queries, and for what
    /// Snowflake tells none of, such as external tables.
    async fn version(&self) -> Result<Option<String>, SourceError> {
        let Some(change) = &self.change else { return Ok(None) };
        match self.statements.execute(change).await {
            Ok(executed) => Ok(executed.first.filter(|version| version.parse::<u64>().is_ok_and(|moment| moment > 0))),
            Err(SourceError::Settings(_) | SourceError::NoPermission(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What the statement gives, executed now unless nothing changed.
    async fn listed(&self) -> Result<Arc<Listed>, SourceError> {
        // It is asked before, so that what changes meanwhile is read again later.
        let version = self.version().await?;
        let last = self.last();
        if let Some(last) = last.filter(|last| Some(&last.version) == version.as_ref()) {
            return Ok(last);
        }
        let executed = self.statements.execute(&self.query).await?;
        let version = version.unwrap_or_else(|| executed.handle.clone());
        let columns = executed.columns.clone().into();
        let listed = Arc::new(Listed { executed, version, columns });
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = Some(listed.clone());
        Ok(listed)
    }

    fn last(&self) -> Option<Arc<Listed>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Listed {
    /// The partitions that have rows.
    fn parts(&self) -> Vec<Part> {
        let nanoseconds = self.version.parse::<i64>().ok().map(DateTime::from_timestamp_nanos);
        let modified = nanoseconds.unwrap_or_else(|| self.executed.began());
        let partitions = self.executed.partitions.iter().enumerate().filter(|(_, partition)| partition.rows > 0);
        partitions
            .map(|(number, partition)| Part {
                name: format!("{number:06}.csv"),
                size: partition.size.max(1),
                modified,
                etag: Some(self.version.clone()),
            })
            .collect()
    }

    /// The number of a part, and how many rows it has.
    fn found(&self, part: &Part) -> Option<(usize, u64)> {
        let number: usize = part.name.strip_suffix(".csv")?.parse().ok()?;
        let partition = self.executed.partitions.get(number)?;
        let is_same = part.etag.as_deref() == Some(&self.version) && partition.size.max(1) == part.size;
        is_same.then_some((number, partition.rows))
    }
}

#[async_trait]
impl Source for Snowflake {
    async fn check(&self) -> Result<(), SourceError> {
        let executed = self.statements.execute(&format!("{} LIMIT 1", self.query)).await?;
        let has_rows = executed.partitions.iter().any(|partition| partition.rows > 0);
        if has_rows { Ok(()) } else { Err(SourceError::NoParts) }
    }

    async fn list(&self, most: usize) -> Result<Vec<Part>, SourceError> {
        let parts = self.listed().await?.parts();
        if parts.len() > most { Err(SourceError::TooManyParts(most)) } else { Ok(parts) }
    }

    /// Partitions of what was executed last, and of nothing else: those of another execution have other rows in them.
    async fn open(&self, part: &Part, range: Range<u64>) -> Result<Content, SourceError> {
        let listed = self.last().ok_or(SourceError::ChangedWhileRead)?;
        let (number, rows) = listed.found(part).ok_or(SourceError::ChangedWhileRead)?;
        let sent = self.statements.partition(&listed.executed.handle, number).await?;
        let stored = stream::once(async { Ok(sent) }).boxed();
        let json = plain(stored, "", MOST_PARTITION_BYTES).await?;
        let converting = Converting::new(ReaderStream::with_capacity(json, PIECE), listed.columns.clone(), rows);
        let end = if range.end >= part.size { u64::MAX } else { range.end };
        Ok(cut(stream::try_unfold(converting, Converting::next).boxed(), range.start..end))
    }
}

/// A partition that is made into CSV.
struct Converting {
    json: ReaderStream<crate::plain::Plain>,
    columns: Arc<[Column]>,
    rows: Rows,
    /// How many rows are still to come.
    left: u64,
    /// What was made and not given yet.
    made: Vec<u8>,
}

impl Converting {
    fn new(json: ReaderStream<crate::plain::Plain>, columns: Arc<[Column]>, left: u64) -> Self {
        let mut made = Vec::new();
        write_header(&columns, &mut made);
        Self { json, columns, rows: Rows::default(), left, made }
    }

    /// The next lines.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, SourceError> {
        while self.made.len() < PIECE {
            match self.json.try_next().await? {
                Some(piece) => self.convert(&piece)?,
                // What ends too early is found out before the last lines are given.
                None if self.left > 0 || !self.rows.is_over() => return Err(strange()),
                None if self.made.is_empty() => return Ok(None),
                None => break,
            }
        }
        let made = std::mem::take(&mut self.made);
        Ok(Some((made.into(), self)))
    }

    fn convert(&mut self, piece: &[u8]) -> Result<(), SourceError> {
        let Self { columns, rows, left, made, .. } = self;
        rows.read(piece, |row| {
            let row: Vec<Option<String>> = serde_json::from_slice(row).map_err(|_| strange())?;
            *left = left.checked_sub(1).filter(|_| row.len() == columns.len()).ok_or_else(strange)?;
            write_row(columns, &row, made);
            Ok(())
        })
    }
}

/// A range of what comes.
fn cut(content: Content, range: Range<u64>) -> Content {
    let left = range.end.saturating_sub(range.start);
    let cutting = stream::try_unfold((content, range.start, left), |(mut content, mut skip, mut left)| async move {
        while left > 0
            && let Some(mut piece) = content.try_next().await?
        {
            let skipped = usize::try_from(skip).map_or(piece.len(), |skip| skip.min(piece.len()));
            drop(piece.split_to(skipped));
            skip -= skipped as u64;
            piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            left -= piece.len() as u64;
            if !piece.is_empty() {
                return Ok(Some((piece, (content, skip, left))));
            }
        }
        Ok(None)
    });
    cutting.boxed()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_and_queries_stay_what_they_are() {
        for (name, written) in
            [("AUDIENCES", "\"AUDIENCES\""), ("a\"; DROP TABLE b; --", "\"a\"\"; DROP TABLE b; --\"")]
        {
            assert_eq!(quoted(name), written);
        }
        let told = change(&quoted("it's \\'\""));
        assert_eq!(told, "SELECT TO_VARCHAR(SYSTEM$LAST_CHANGE_COMMIT_TIME('\"it''s \\\\''\"\"\"'))");
        for (query, executed) in [
            ("SELECT 1", "SELECT * FROM (\nSELECT 1\n)"),
            (" SELECT 1 ; ", "SELECT * FROM (\nSELECT 1\n)"),
            ("SELECT 1 -- all", "SELECT * FROM (\nSELECT 1 -- all\n)"),
        ] {
            assert_eq!(checked_query(query).unwrap(), executed);
        }
        for query in ["", " ; ", "SELECT '\0'", &"a".repeat(MOST_QUERY_BYTES + 1)] {
            assert_eq!(checked_query(query).unwrap_err().kind(), "SETTINGS");
        }
    }

    #[test]
    fn an_account_leads_to_no_other_host() {
        for (account, host) in [
            ("MYORG-ACCOUNT_1", Some("https://myorg-account-1.snowflakecomputing.com")),
            ("xy12345.eu-central-1", Some("https://xy12345.eu-central-1.snowflakecomputing.com")),
            ("", None),
            ("-a", None),
            ("evil.example/", None),
            ("evil.example#", None),
            ("a@evil.example", None),
            ("a:1", None),
        ] {
            assert_eq!(address(account).ok().as_deref(), host, "{account}");
        }
    }

    proptest! {
        #[test]
        fn any_range_is_cut_out(
            pieces in proptest::collection::vec("[a-z]{0,5}", 0..6),
            start in 0..30u64,
            length in 0..30u64,
        ) {
            let whole = pieces.concat();
            let items: Vec<_> = pieces.into_iter().map(|piece| Ok(Bytes::from(piece))).collect();
            let cut = cut(stream::iter(items).boxed(), start..start + length);
            let cut: Vec<_> = futures::executor::block_on(cut.try_collect()).unwrap();
            let bounded = |at: u64| usize::try_from(at).unwrap().min(whole.len());
            prop_assert_eq!(cut.concat(), &whole.as_bytes()[bounded(start)..bounded(start + length)]);
        }
    }
}
