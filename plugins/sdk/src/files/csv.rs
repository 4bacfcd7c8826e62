//! A batch as comma-separated values, as RFC 4180 has them.

use std::io::{self, Write};

use super::Files;
use super::encoder::COLUMNS;
use crate::identity_format::MAX_CHARACTERS;
use crate::rows::Rows;

/// Bytes that are written at once, at least.
const AT_ONCE: usize = 256 * 1024;

/// Writes a file with `rows`.
///
/// # Errors
/// Those of writing.
pub(super) fn encode(files: &Files, rows: &Rows<'_>, mut out: impl Write) -> io::Result<()> {
    let (format, mut digits) = (files.identifier_encoding, [0; MAX_CHARACTERS]);
    let digits = &mut digits[..format.characters()];
    let mut text = Vec::with_capacity(AT_ONCE * 2);
    text.extend_from_slice(COLUMNS.join(",").as_bytes());
    text.extend_from_slice(b"\r\n");
    // Most rows have the match key of the row before.
    let (mut last, mut field) = (None, String::new());
    for ((match_key, identity), change) in rows.match_keys().zip(rows.identities()).zip(rows.changes()) {
        if last != Some(match_key) {
            last = Some(match_key);
            field.clear();
            push_field(&mut field, files.name_of(match_key));
            field.push(',');
        }
        text.extend_from_slice(field.as_bytes());
        format.fill(identity, digits);
        text.extend_from_slice(digits);
        text.push(b',');
        text.extend_from_slice(change.as_str().as_bytes());
        text.extend_from_slice(b"\r\n");
        if text.len() >= AT_ONCE {
            out.write_all(&text)?;
            text.clear();
        }
    }
    out.write_all(&text)
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
