//! What a file is, by its first bytes.

use super::fault::{FileKind, SourceFault};

const MAGIC: &[(&[u8], FileKind)] = &[
    (b"\x1f\x8b", FileKind::Gzip),
    (b"PK\x03\x04", FileKind::Zip),
    (b"PK\x05\x06", FileKind::Zip),
    (b"PAR1", FileKind::Parquet),
    (b"\x28\xb5\x2f\xfd", FileKind::Zstd),
    (b"BZh", FileKind::Bzip2),
    (b"\xfd7zXZ\x00", FileKind::Xz),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FileKind::Excel),
    (b"%PDF-", FileKind::Pdf),
];

const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";

/// Refuses what cannot be UTF-8 text, and gives the number of bytes to skip (a byte order mark of UTF-8).
pub(super) fn inspect(first: &[u8]) -> Result<usize, SourceFault> {
    if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| first.starts_with(magic)) {
        return Err(SourceFault::NotCsv(*kind));
    }
    if first.starts_with(b"\xff\xfe") || first.starts_with(b"\xfe\xff") || looks_like_utf16(first) {
        return Err(SourceFault::Utf16);
    }
    Ok(if first.starts_with(UTF8_BOM) { UTF8_BOM.len() } else { 0 })
}

/// Mostly-Latin text in UTF-16 has a NUL in every other byte, always on the same side.
fn looks_like_utf16(first: &[u8]) -> bool {
    let sample = &first[..first.len().min(4096) & !1];
    let nuls = |side: usize| sample.iter().skip(side).step_by(2).filter(|b| **b == 0).count();
    let (even, odd) = (nuls(0), nuls(1));
    let most = sample.len() / 2 * 7 / 10;
    sample.len() >= 4 && (even > most && odd * 8 < even || odd > most && even * 8 < odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_kinds_are_named() {
        for (bytes, kind) in MAGIC {
            assert!(matches!(inspect(bytes), Err(SourceFault::NotCsv(found)) if found == *kind));
        }
    }

    #[test]
    fn utf16_is_seen_with_and_without_its_mark() {
        let le: Vec<u8> = "email,audience\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> = "email,audience\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for text in [le.clone(), be, [b"\xff\xfe".to_vec(), le].concat()] {
            assert!(matches!(inspect(&text), Err(SourceFault::Utf16)));
        }
        assert!(matches!(inspect(b"email\0,audience\n"), Ok(0)));
    }

    #[test]
    fn the_mark_of_utf8_is_skipped() {
        assert!(matches!(inspect(b"\xef\xbb\xbfemail"), Ok(3)));
        assert!(matches!(inspect(b"email"), Ok(0)));
        assert!(matches!(inspect(b""), Ok(0)));
    }
}
