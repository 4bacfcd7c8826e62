//! What is said of a file that cannot be read.

use entente_domain::{Code, Refusal};
use entente_identity::source::SourceFault;
use std::io;

/// What is wrong with a file, as a sentence without values. `None` when the fault is not the file's: the work was
/// stopped, or the disk failed.
pub fn refusal(fault: &SourceFault) -> Option<Refusal> {
    match fault {
        SourceFault::Cancelled => None,
        // The seal of a stored chunk is broken.
        SourceFault::Io(e) if e.kind() == io::ErrorKind::InvalidData => {
            Some(Refusal::new(Code::FileRefused, "The stored upload is damaged; upload the file again."))
        }
        SourceFault::Io(_) => None,
        other => Some(Refusal::new(Code::FileRefused, sentence(&other.to_string()))),
    }
}

/// What is said of an upload whose file is gone.
pub fn gone() -> Refusal {
    Refusal::new(Code::UploadUnavailable, "The uploaded file is no longer there; upload it again.")
}

/// A fault begins small and ends without a full stop.
fn sentence(fault: &str) -> String {
    let mut letters = fault.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use entente_identity::source::{FileKind, ParquetFault};

    #[test]
    fn what_is_wrong_with_a_file_is_a_sentence() {
        for (fault, message) in [
            (SourceFault::NoRows, "The file has a header but no rows."),
            (SourceFault::NotCsv(FileKind::Zip), "The file is a zip archive or a spreadsheet, not CSV."),
            (SourceFault::WrongDelimiter { given: ',', found: ';' }, "The delimiter is ';', not ','."),
            (SourceFault::NulByte { row: 7 }, "NUL byte in row 7."),
            (SourceFault::Parquet(ParquetFault::CutShort), "The Parquet file is cut short."),
            (
                SourceFault::Io(io::ErrorKind::InvalidData.into()),
                "The stored upload is damaged; upload the file again.",
            ),
        ] {
            let refusal = refusal(&fault).unwrap();
            assert_eq!((refusal.code, refusal.message.as_str()), (Code::FileRefused, message));
        }
    }

    #[test]
    fn what_the_gateway_did_wrong_is_not_said_of_the_file() {
        assert_eq!(refusal(&SourceFault::Cancelled), None);
        assert_eq!(refusal(&SourceFault::Io(io::ErrorKind::StorageFull.into())), None);
    }
}
