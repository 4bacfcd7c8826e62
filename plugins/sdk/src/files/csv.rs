//! A batch as comma-separated values, as RFC 4180 has them.

use super::Files;
use super::encoder::COLUMNS;
use crate::rows::Rows;

/// Characters of a row beside those of its identity, roughly.
const OTHER_CHARACTERS: usize = 32;

/// The bytes of a file with `rows`.
pub(super) fn encode(files: &Files, rows: &Rows<'_>) -> Vec<u8> {
    let identities = files.identifier_encoding;
    let mut text = String::with_capacity((rows.len() + 1) * (identities.characters() + OTHER_CHARACTERS));
    text.push_str(&COLUMNS.join(","));
    text.push_str("\r\n");
    // Most rows have the match key of the row before.
    let (mut last, mut field) = (None, String::new());
    for row in rows.iter() {
        if last != Some(row.match_key) {
            last = Some(row.match_key);
            field.clear();
            push_field(&mut field, files.name_of(row.match_key));
        }
        text.push_str(&field);
        text.push(',');
        identities.push(row.identity, &mut text);
        text.push(',');
        text.push_str(row.change.as_str());
        text.push_str("\r\n");
    }
    text.into_bytes()
}

/// One field, quoted where RFC 4180 asks for it.
fn push_field(text: &mut String, field: &str) {
    if !field.contains([',', '"', '\r', '\n']) {
        text.push_str(field);
        return;
    }
    text.push('"');
    text.push_str(&field.replace('"', "\"\""));
    text.push('"');
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::collections::BTreeMap;

    use crate::IdentityFormat;
    use crate::files::{Files, Format};
    use crate::rows::{Change, Row, Rows, batch};

    #[test]
    fn csv_is_as_rfc_4180_has_it() {
        let names = [("idfa", "device, \"IDFA\""), ("hashed_email", "EMAIL")];
        let names = BTreeMap::from(names.map(|(key, name)| (key.to_owned(), name.to_owned())));
        let files = Files::new(Format::Csv, IdentityFormat::Base64, names).unwrap();
        let batch = batch([
            Row { match_key: "hashed_email", identity: &[0; 32], change: Change::Added },
            Row { match_key: "idfa", identity: &[255; 32], change: Change::Removed },
        ]);
        let bytes = files.encode(&Rows::read(&batch.unwrap()).unwrap()).unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "match_key,identity,change\r\n\
             EMAIL,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,added\r\n\
             \"device, \"\"IDFA\"\"\",//////////////////////////////////////////8=,removed\r\n"
        );
    }
}
