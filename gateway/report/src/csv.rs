//! CSV: one long table, a row for each figure (`record.rs` says why).

use crate::document::Document;
use crate::record::{COLUMNS, Record, records};
use std::fmt::Write as _;

impl Document<'_> {
    /// A header and a row for each figure, as RFC 4180 has it, in UTF-8. Empty where there is nothing. A text that a
    /// spreadsheet would take for a formula has an apostrophe before it.
    #[must_use]
    pub fn csv(&self) -> String {
        let mut csv = COLUMNS.join(",") + "\r\n";
        for record in records(&self.tables) {
            push(&mut csv, &record);
        }
        csv
    }
}

fn push(csv: &mut String, record: &Record<'_>) {
    csv.push_str(record.view.name());
    csv.push(',');
    push_text(csv, record.event);
    for name in [record.model.map(|model| model.name()), record.dimension.map(|dimension| dimension.name())] {
        csv.push(',');
        csv.push_str(name.unwrap_or_default());
    }
    csv.push(',');
    push_text(csv, record.value.as_deref());
    let (metric, unit) = (record.metric.name(), record.metric.unit_of(record.cell).name());
    // Writing to a string cannot fail.
    let _ = write!(csv, ",{},{metric},{unit}", record.others);
    let _ = match record.cell.measured() {
        Some(measured) => {
            let error = measured.standard_error.map(|error| error.to_string()).unwrap_or_default();
            write!(csv, ",{},{error},{},{}", measured.number, measured.low, measured.high)
        }
        None => write!(csv, ",,,,"),
    };
    let _ = write!(csv, ",{}", record.cell.state());
    let settings = &record.settings;
    for setting in [settings.half_life_hours, settings.first_percent, settings.last_percent] {
        csv.push(',');
        let _ = setting.map_or(Ok(()), |setting| write!(csv, "{setting}"));
    }
    let _ = write!(csv, ",{}", record.warnings().unwrap_or_default());
    csv.push_str("\r\n");
}

/// A text in quotes, or nothing. Others wrote it: what a spreadsheet would take for a formula gets an apostrophe before
/// it (OWASP, "CSV Injection").
fn push_text(csv: &mut String, text: Option<&str>) {
    let Some(text) = text else { return };
    csv.push('"');
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        csv.push('\'');
    }
    csv.push_str(&text.replace('"', "\"\""));
    csv.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_in_their_cell() {
        for (text, cell) in [
            ("", r#""""#),
            ("home", r#""home""#),
            ("a,b\n\"c\"", "\"a,b\n\"\"c\"\"\""),
            ("=HYPERLINK(1)", r#""'=HYPERLINK(1)""#),
            ("+1", r#""'+1""#),
            ("-1", r#""'-1""#),
            ("@x", r#""'@x""#),
            ("\t=1", "\"'\t=1\""),
            ("\r\n=1", "\"'\r\n=1\""),
            ("＝1", "\"'＝1\""),
            ("a=b", r#""a=b""#),
        ] {
            let mut csv = String::new();
            push_text(&mut csv, Some(text));
            assert_eq!(csv, cell);
        }
        let mut csv = String::new();
        push_text(&mut csv, None);
        assert_eq!(csv, "");
    }
}
