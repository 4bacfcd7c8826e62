//! The statements. Values are bound; names are quoted.

use entente_destination::rows::Row;
use entente_destination::{Delivery, DestinationError, IdentityFormat};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::config::Settings;

/// The most rows in one statement, about a megabyte: a bound text may have 16.
/// <https://docs.snowflake.com/en/sql-reference/data-types-text>
pub const MOST_ROWS: usize = 10_000;

/// A statement, and what is bound in it.
/// <https://docs.snowflake.com/en/developer-guide/sql-api/reference>
#[derive(Debug, Serialize)]
pub struct Statement {
    statement: String,
    database: String,
    schema: String,
    warehouse: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<String>,
    timeout: u32,
    #[serde(skip_serializing_if = "Value::is_null")]
    bindings: Value,
}

/// Writes the statements of one delivery.
#[derive(Debug)]
pub struct Statements {
    database: String,
    schema: String,
    warehouse: String,
    role: Option<String>,
    table: String,
    stage: String,
    activation: String,
}

impl Statements {
    /// The statements of a delivery into the table of these settings.
    pub fn new(settings: &Settings, delivery: &Delivery) -> Self {
        let digest = Sha256::digest(format!("{} {}", delivery.activation, delivery.generation));
        let stage: String = digest.iter().take(16).map(|byte| format!("{byte:02X}")).collect();
        Self {
            database: settings.database.clone(),
            schema: settings.schema.clone(),
            warehouse: settings.warehouse.clone(),
            role: settings.role.clone(),
            table: quoted(&settings.table),
            stage: quoted(&format!("ENTENTE_{stage}")),
            activation: delivery.activation.clone(),
        }
    }

    fn statement(&self, statement: String, seconds: u32, bindings: &[&str]) -> Statement {
        let bound = (1..).zip(bindings).map(|(number, value)| {
            let number: usize = number;
            (number.to_string(), json!({"type": "TEXT", "value": value}))
        });
        let bindings = if bindings.is_empty() { Value::Null } else { Value::Object(bound.collect()) };
        Statement {
            statement,
            database: self.database.clone(),
            schema: self.schema.clone(),
            warehouse: self.warehouse.clone(),
            role: self.role.clone(),
            timeout: seconds,
            bindings,
        }
    }

    /// Reads nothing from the table, which fails where it or the warehouse is not as it should be.
    pub fn look(&self) -> Statement {
        self.statement(format!("SELECT ACTIVATION, MATCH_KEY, IDENTITY FROM {} WHERE FALSE", self.table), 45, &[])
    }

    /// Makes the delivery's own table, unless it is there.
    pub fn create(&self) -> Statement {
        let columns = "(MATCH_KEY VARCHAR, IDENTITY VARCHAR, CHANGE VARCHAR)";
        self.statement(format!("CREATE TRANSIENT TABLE IF NOT EXISTS {} {columns}", self.stage), 45, &[])
    }

    /// Puts rows into the delivery's own table.
    ///
    /// # Errors
    /// `Permanent` if they cannot be written as JSON.
    pub fn insert<'a>(&self, rows: impl Iterator<Item = Row<'a>>) -> Result<Statement, DestinationError> {
        let rows: Vec<[String; 3]> = rows
            .map(|row| {
                let identity = IdentityFormat::Hex.write(row.identity);
                [row.match_key.to_owned(), identity, row.change.as_str().to_owned()]
            })
            .collect();
        let rows = serde_json::to_string(&rows)
            .map_err(|_| DestinationError::Permanent("the rows cannot be written as JSON".to_owned()))?;
        let select = "SELECT VALUE[0]::VARCHAR, VALUE[1]::VARCHAR, VALUE[2]::VARCHAR FROM \
                      TABLE(FLATTEN(INPUT => PARSE_JSON(?)))";
        Ok(self.statement(format!("INSERT INTO {} (MATCH_KEY, IDENTITY, CHANGE) {select}", self.stage), 120, &[&rows]))
    }

    /// Brings the delivery's own table into that of the settings.
    pub fn merge(&self) -> Statement {
        let statement = format!(
            "MERGE INTO {} T USING (SELECT DISTINCT MATCH_KEY, IDENTITY, CHANGE FROM {}) S \
             ON T.ACTIVATION = ? AND T.MATCH_KEY = S.MATCH_KEY AND T.IDENTITY = S.IDENTITY \
             WHEN MATCHED AND S.CHANGE = 'removed' THEN DELETE \
             WHEN NOT MATCHED AND S.CHANGE = 'added' THEN \
             INSERT (ACTIVATION, MATCH_KEY, IDENTITY) VALUES (?, S.MATCH_KEY, S.IDENTITY)",
            self.table, self.stage
        );
        self.statement(statement, 4 * 3600, &[&self.activation, &self.activation])
    }

    /// Removes the delivery's own table.
    pub fn drop(&self) -> Statement {
        self.statement(format!("DROP TABLE IF EXISTS {}", self.stage), 45, &[])
    }
}

/// A name as SQL takes it, whatever is in it.
/// <https://docs.snowflake.com/en/sql-reference/identifiers-syntax#double-quoted-identifiers>
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The id of a request, a UUID made from what it is for (RFC 9562, section 5.8): the same request always has the same.
pub fn request_id(purpose: &str) -> String {
    let digest = Sha256::digest(purpose.as_bytes());
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use entente_destination::rows::Change;

    use super::*;

    fn statements(table: &str, generation: &str) -> Statements {
        let settings = json!({
            "account": "a", "user": "u", "private_key": "", "warehouse": "WH", "database": "DB", "schema": "PUBLIC",
            "table": table,
        });
        let delivery =
            Delivery { activation: "0190f3c4".to_owned(), generation: generation.to_owned(), ..Delivery::default() };
        Statements::new(&serde_json::from_value(settings).unwrap(), &delivery)
    }

    #[test]
    fn rows_are_bound_as_json() {
        let rows = [Row { match_key: "o'brien", identity: &[0xab; 32], change: Change::Added }];
        let insert = serde_json::to_value(statements("T", "1").insert(rows.into_iter()).unwrap()).unwrap();
        assert_eq!(insert["bindings"]["1"]["type"], "TEXT");
        let rows: Value = serde_json::from_str(insert["bindings"]["1"]["value"].as_str().unwrap()).unwrap();
        assert_eq!(rows, json!([["o'brien", "ab".repeat(32), "added"]]));
        let text = insert["statement"].as_str().unwrap();
        assert!(text.contains("PARSE_JSON(?)") && !text.contains("brien"), "{text}");
        assert_eq!((&insert["warehouse"], insert.get("role")), (&json!("WH"), None));
    }

    #[test]
    fn no_name_ends_its_quotes() {
        let merge = serde_json::to_value(statements("A\"; DROP TABLE B; --", "1").merge()).unwrap();
        let text = merge["statement"].as_str().unwrap();
        assert!(text.starts_with("MERGE INTO \"A\"\"; DROP TABLE B; --\" T USING"), "{text}");
        assert_eq!(merge["bindings"]["2"], json!({"type": "TEXT", "value": "0190f3c4"}));
        assert_eq!(text.matches('?').count(), 2);
    }

    #[test]
    fn each_delivery_has_a_table_of_its_own() {
        assert_eq!(statements("T", "1").stage, statements("U", "1").stage);
        assert_ne!(statements("T", "1").stage, statements("T", "2").stage);
        assert_eq!(statements("T", "1").stage.len(), 2 + 8 + 32);
    }

    #[test]
    fn a_request_has_one_id() {
        let id = request_id("k-1 0");
        assert_eq!(id, request_id("k-1 0"));
        assert_ne!(id, request_id("k-1 1"));
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!((lengths, &id[14..15]), (vec![8, 4, 4, 4, 12], "8"));
    }
}
