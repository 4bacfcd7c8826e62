#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::digest::IndexSecret;
use crate::key_name::KeyName;
use crate::normalise::{Fault, Form, Take};
use crate::random_access::RandomAccess;

fn plan() -> SourcePlan {
    let email = |column: &str| Mapping {
        column: column.to_owned(),
        key: KeyName::new("hashed_email").unwrap(),
        form: Form::HashedEmail,
        take: Take::Transform,
    };
    SourcePlan {
        delimiter: b',',
        mappings: vec![email("email")],
        audience: AudienceFrom::Column("audience".to_owned()),
        memory: DEFAULT_MEMORY,
    }
}

fn source(dir: &Path, plan: &SourcePlan, mut file: impl Read) -> Result<Sourced, SourceFault> {
    let secret = IndexSecret::new([7; 16]);
    source_csv(&mut file, plan, dir, &secret, &dir.join("run"), &mut |_| Control::Continue)
}

/// Sources a file that must be refused, and sees that nothing of it is left.
fn refusal(plan: &SourcePlan, file: impl Read) -> SourceFault {
    let dir = tempfile::tempdir().unwrap();
    let fault = source(dir.path(), plan, file).unwrap_err();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "{fault}");
    fault
}

fn accepted(plan: &SourcePlan, file: &str) -> Sourced {
    let dir = tempfile::tempdir().unwrap();
    let sourced = source(dir.path(), plan, file.as_bytes()).unwrap();
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["run"]);
    sourced
}

#[test]
fn each_bad_file_has_its_refusal() {
    let header = "email,audience\n";
    let utf16: Vec<u8> = "email,audience\na@b.cd,Runners\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nothing", b"".to_vec(), "FILE_EMPTY"),
        ("a byte order mark", b"\xef\xbb\xbf".to_vec(), "FILE_EMPTY"),
        ("blank lines", b"\r\n\r\n".to_vec(), "FILE_EMPTY"),
        ("a header", header.into(), "NO_ROWS"),
        ("a header without a line end", b"email,audience".to_vec(), "NO_ROWS"),
        ("a header twice", b"email,audience, email \na@b.cd,x,y\n".to_vec(), "DUPLICATE_HEADER"),
        ("no e-mail", b"mail,audience\na@b.cd,x\n".to_vec(), "MISSING_COLUMN"),
        ("semicolons", b"email;audience\na@b.cd;x\n".to_vec(), "WRONG_DELIMITER"),
        ("tabs", b"email\taudience\tnote,s\na@b.cd\tx\ty\n".to_vec(), "WRONG_DELIMITER"),
        ("UTF-16", utf16, "UTF_16"),
        ("a NUL", b"email,audience\na@b.cd,x\0\n".to_vec(), "NUL_BYTE"),
        ("gzip", b"\x1f\x8b\x08\0\0\0".to_vec(), "NOT_CSV"),
        ("zip", b"PK\x03\x04email,audience\n".to_vec(), "NOT_CSV"),
        ("Parquet", b"PAR1email,audience\n".to_vec(), "NOT_CSV"),
        ("an open quote", b"email,audience\n\"a@b.cd,x\n".to_vec(), "MALFORMED_QUOTING"),
        ("a quote inside", b"email,audience\na\"@b.cd,x\n".to_vec(), "MALFORMED_QUOTING"),
        ("text after a quote", b"email,audience\n\"a@b.cd\"x,x\n".to_vec(), "MALFORMED_QUOTING"),
        ("an open quote in the header", b"email,\"audience\na@b.cd,x\n".to_vec(), "MALFORMED_QUOTING"),
        ("short rows", b"email,audience\na@b.cd\nc@d.ef\n".to_vec(), "FIELD_COUNTS"),
        ("a header that is not UTF-8", b"email,audience,\xff\na@b.cd,x,\n".to_vec(), "HEADER_NOT_UTF8"),
        ("many fields", format!("{header}{}\n", ",".repeat(5_000)).into(), "TOO_MANY_FIELDS"),
    ];
    for (what, file, name) in cases {
        assert_eq!(refusal(&plan(), file.as_slice()).name(), name, "{what}");
    }
}

#[test]
fn a_refusal_says_where_and_what() {
    let found = refusal(&plan(), b"email;audience\na@b.cd;x\n".as_slice());
    assert!(matches!(found, SourceFault::WrongDelimiter { given: ',', found: ';' }));
    let found = refusal(&plan(), b"email,audience\na@b.cd,x\nc@d.ef,\"y\" \n".as_slice());
    assert!(matches!(found, SourceFault::Quoting { row: 2, fault: QuotingFault::TextAfterQuote }));
    let found = refusal(&plan(), b"a,email,audience,b,a\n".as_slice());
    assert!(matches!(found, SourceFault::DuplicateHeader { first: 1, second: 5 }));
    // A file without a header has people in its first line: the refusal must not repeat it.
    let found = refusal(&plan(), b"alice@example.com,Runners\nbob@example.com,Runners\n".as_slice());
    assert!(!found.to_string().contains("alice"));
}

#[test]
fn a_row_of_a_gigabyte_is_refused_without_reading_it() {
    struct Endless(u64);
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += buffer.len() as u64;
            assert!(self.0 < 8 << 20, "reads on and on");
            buffer.fill(b'x');
            Ok(buffer.len())
        }
    }
    let long = |start: &'static str| refusal(&plan(), start.as_bytes().chain(Endless(0)));
    assert!(matches!(long("email,audience\na@b.cd,Runners\n"), SourceFault::RowTooLong { row: 2, quoted: false }));
    assert!(matches!(long("email,audience\n\"a@b.cd,Runners\n"), SourceFault::RowTooLong { row: 1, quoted: true }));
    assert!(matches!(long(""), SourceFault::RowTooLong { row: 0, quoted: false }));
}

#[test]
fn faulty_rows_are_counted_and_listed_by_number() {
    let file = "\u{feff}email,audience,note\r\n\
        Alice@Example.com,Runners,\"a\"\"b\r\nc\"\r\n\
        nobody,Runners,\r\n\
        \r\n\
        ,Runners,\r\n\
        bob@example.com,,\r\n\
        bob@example.com,Runners\r\n\
        bob@example.com, Swimmers ,\r\n\
        alice@example.com,Swimmers,";
    let sourced = accepted(&plan(), file);
    assert_eq!((sourced.rows, sourced.accepted_rows), (7, 3));
    let listed: Vec<_> = sourced.faults.listed.iter().map(|fault| (fault.row, fault.column, fault.fault)).collect();
    assert_eq!(
        listed,
        [
            (2, Some(0), RowFault::Value(Fault::EmailInvalid)),
            (2, None, RowFault::NoIdentity),
            (3, None, RowFault::NoIdentity),
            (4, Some(1), RowFault::AudienceMissing),
            (5, None, RowFault::FieldCount),
        ]
    );
    assert_eq!(sourced.faults.counts[&RowFault::NoIdentity], 2);
    let audiences: Vec<_> = sourced.audiences.iter().map(|a| (a.name.as_str(), a.keys[0].identities)).collect();
    assert_eq!(audiences, [("Runners", 1), ("Swimmers", 2)]);
    assert_eq!(sourced.keys[0].identities, 2);
}

#[test]
fn bytes_that_are_not_utf8_are_a_fault_of_the_row() {
    let dir = tempfile::tempdir().unwrap();
    let file = b"email,audience,note\n\xff@b.cd,x,\na@b.cd,\xff,\nc@d.ef,x,\xff\n".as_slice();
    let sourced = source(dir.path(), &plan(), file).unwrap();
    let faults: Vec<_> = sourced.faults.counts.keys().map(|fault| fault.name()).collect();
    assert_eq!(sourced.accepted_rows, 1);
    assert_eq!(faults, ["NOT_UTF8", "NO_IDENTITY", "AUDIENCE_INVALID"]);
}

#[test]
fn only_the_first_thousand_faults_are_listed() {
    let file = format!("email,audience\n{}a@b.cd,x\n", "nobody,x\n".repeat(3_000));
    let sourced = accepted(&plan(), &file);
    assert_eq!(sourced.faults.listed.len(), LISTED_FAULTS);
    assert_eq!(sourced.faults.total(), 6_000);
    assert_eq!(sourced.accepted_rows, 1);
}

#[test]
fn several_columns_feed_one_key() {
    let mut plan = plan();
    let mut second = plan.mappings[0].clone();
    second.column = "work".to_owned();
    plan.mappings.push(second);
    plan.audience = AudienceFrom::Fixed(" Runners ".to_owned());
    let sourced = accepted(&plan, "email,work\na@b.cd,a@work.cd\nA@B.cd,\nnobody,c@d.ef\n");
    assert_eq!(sourced.accepted_rows, 3);
    assert_eq!(sourced.audiences.len(), 1);
    assert_eq!(sourced.audiences[0].name, "Runners");
    assert_eq!(sourced.keys.len(), 1);
    assert_eq!(sourced.keys[0].identities, 3);
}

#[test]
fn plans_that_cannot_be_followed_are_refused() {
    let file = b"email,audience\na@b.cd,x\n".as_slice();
    let changed = |change: fn(&mut SourcePlan)| {
        let mut plan = plan();
        change(&mut plan);
        match refusal(&plan, file) {
            SourceFault::Plan(fault) => fault,
            other => panic!("{other}"),
        }
    };
    assert_eq!(changed(|plan| plan.mappings.clear()), PlanFault::NothingMapped);
    assert_eq!(changed(|plan| plan.mappings.push(plan.mappings[0].clone())), PlanFault::MappedTwice);
    assert_eq!(changed(|plan| plan.delimiter = b'"'), PlanFault::Delimiter);
    assert_eq!(changed(|plan| plan.audience = AudienceFrom::Fixed(" ".to_owned())), PlanFault::AudienceName);
}

#[test]
fn more_than_a_thousand_audiences_are_refused() {
    let rows: String = (0..=MAX_AUDIENCES).map(|i| format!("a@b.cd,a{i}\n")).collect();
    assert_eq!(refusal(&plan(), format!("email,audience\n{rows}").as_bytes()).name(), "TOO_MANY_AUDIENCES");
}

#[test]
fn cancelling_leaves_nothing() {
    let file = format!("email,audience\n{}", "a@b.cd,x\n".repeat(500_000));
    let dir = tempfile::tempdir().unwrap();
    let secret = IndexSecret::new([7; 16]);
    let mut seen = Vec::new();
    let cancelled =
        source_csv(&mut file.as_bytes(), &plan(), dir.path(), &secret, &dir.path().join("run"), &mut |progress| {
            seen.push(progress);
            if seen.len() == 3 { Control::Cancel } else { Control::Continue }
        });
    assert!(matches!(cancelled, Err(SourceFault::Cancelled)));
    assert_eq!(seen.len(), 3);
    assert!(seen.windows(2).all(|pair| pair[0].rows < pair[1].rows && pair[0].bytes <= pair[1].bytes));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_failing_read_is_passed_on() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("gone"))
        }
    }
    assert_eq!(refusal(&plan(), b"email,audience\na@b.cd,x\n".chain(Failing)).name(), "IO");
}

#[test]
fn small_memory_changes_nothing() {
    let rows: String = (0..20_000).map(|i| format!("p{}@example.com,a{}\n", i * 7 % 9_001, i % 13)).collect();
    let file = format!("email,audience\n{rows}");
    let mut small = plan();
    small.memory = 0;
    let sourced = accepted(&small, &file);
    assert_eq!(sourced, accepted(&plan(), &file));
    assert_eq!(sourced.keys[0].identities, 9_001);
}

mod previews {
    use super::*;

    #[test]
    fn identifiers_are_hidden() {
        let file = "email;audience;score;seen;customer no;empty\n\
            alice@example.com;Runners;1.5;2026-01-31;17;\n\
            bob@example.com;alice@example.com;2;2026-02-01;18;\n";
        let preview = preview_csv(&mut file.as_bytes(), None, file.len() as u64).unwrap();
        assert_eq!(preview.delimiter, Some(b';'));
        assert_eq!(preview.estimated_rows, 2);
        let types: Vec<_> = preview.columns.iter().map(|column| (column.name.as_str(), column.column_type)).collect();
        assert_eq!(
            types,
            [
                ("email", ColumnType::Email),
                ("audience", ColumnType::Text),
                ("score", ColumnType::Decimal),
                ("seen", ColumnType::Date),
                ("customer no", ColumnType::Integer),
                ("empty", ColumnType::Empty),
            ]
        );
        assert_eq!(preview.rows[0], ["***", "Runners", "1.5", "2026-01-31", "***", ""]);
        assert_eq!(preview.rows[1], ["***", "***", "2", "2026-02-01", "***", ""]);
    }

    #[test]
    fn a_header_that_is_a_person_is_hidden() {
        let file = "alice@example.com,Runners\nbob@example.com,Runners\n";
        let preview = preview_csv(&mut file.as_bytes(), None, file.len() as u64).unwrap();
        assert_eq!(preview.columns[0].name, "***");
    }

    #[test]
    fn rows_are_estimated_from_the_first_megabyte() {
        let row = "someone@example.com,\"two\nlines\"\n";
        let file = format!("email,note\n{}", row.repeat(200_000));
        let preview = preview_csv(&mut file.as_bytes(), Some(b','), file.len() as u64).unwrap();
        assert!(preview.estimated_rows.abs_diff(200_000) < 100, "{}", preview.estimated_rows);
        assert_eq!(preview.rows.len(), 10);
    }

    #[test]
    fn bad_files_are_refused_like_in_sourcing() {
        for (file, name) in [
            (b"".as_slice(), "FILE_EMPTY"),
            (b"email,audience\n", "NO_ROWS"),
            (b"PK\x03\x04", "NOT_CSV"),
            (b"a,a\n1,2\n", "DUPLICATE_HEADER"),
            (b"a,b\n\"1,2\n", "MALFORMED_QUOTING"),
            (b"a,b\n1,\0\n", "NUL_BYTE"),
        ] {
            assert_eq!(preview_csv(&mut &file[..], None, file.len() as u64).unwrap_err().name(), name);
        }
    }
}

fn source_parts_of(plan: &SourcePlan, parts: &[&str]) -> Result<Sourced, SourceFault> {
    let dir = tempfile::tempdir().unwrap();
    let secret = IndexSecret::new([7; 16]);
    let file = |part: &&str| Ok(Arc::new(part.as_bytes().to_vec()) as Arc<dyn RandomAccess>);
    let mut parts = parts.iter().map(file);
    source_parts(&mut parts, plan, dir.path(), &secret, &dir.path().join("run"), &mut |_| Control::Continue)
}

#[test]
fn several_files_are_read_as_one() {
    let header = "email,audience\n";
    let rows = ["a@b.cd,Runners\n", "nobody,Runners\nc@d.ef,Swimmers\n", "", "a@b.cd,Swimmers\nsomebody,x\n"];
    let whole = accepted(&plan(), &format!("{header}{}", rows.concat()));
    let parts = rows.map(|rows| format!("{header}{rows}"));
    let parts: Vec<_> = parts.iter().map(String::as_str).collect();
    assert_eq!(source_parts_of(&plan(), &parts).unwrap(), whole);
    assert_eq!(whole.faults.listed.iter().map(|fault| fault.row).collect::<Vec<_>>(), [2, 2, 5, 5]);
    assert_eq!(source_parts_of(&plan(), &[header, header]).unwrap_err().name(), "NO_ROWS");
    assert_eq!(source_parts_of(&plan(), &[]).unwrap_err().name(), "FILE_EMPTY");
}

#[test]
fn a_fault_of_several_files_says_in_which() {
    let good = "email,audience\na@b.cd,Runners\n";
    for (part, name, said) in [
        ("audience,email\nRunners,a@b.cd\n", "OTHER_COLUMNS", "file 2: its columns are not those of the first file"),
        ("email;audience\na@b.cd;x\n", "WRONG_DELIMITER", "file 2: the delimiter is ';', not ','"),
        ("email,audience\na@b.cd,x\0\n", "NUL_BYTE", "file 2: NUL byte in row 0"),
        ("PAR1", "PARQUET_CUT_SHORT", "file 2: the Parquet file is cut short"),
    ] {
        let fault = source_parts_of(&plan(), &[good, part, good]).unwrap_err();
        assert_eq!((fault.name(), fault.to_string().as_str()), (name, said));
    }
}

fn columns_of(file: &[u8]) -> Result<Vec<(String, String)>, SourceFault> {
    let file = Arc::new(file.to_vec()) as Arc<dyn RandomAccess>;
    Ok(columns(&file, &plan())?.into_iter().map(|column| (column.name, column.data_type)).collect())
}

#[test]
fn columns_are_told_whether_or_not_they_are_those_that_are_wanted() {
    let text = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), "text".to_owned())).collect::<Vec<_>>();
    for (file, names) in [
        ("email,audience\n", &["email", "audience"][..]),
        ("\u{feff} email , audience,city\na@b.cd,x,y\n", &["email", "audience", "city"]),
        ("mail,audience\n", &["mail", "audience"]),
        // Without a header no value may be taken for a name.
        ("ada@example.com,Runners,Ada\nbob@example.com,Runners,Bob\n", &["***", "***", "***"]),
        ("email,audience,+49 170 1234567,Ada\n", &["email", "audience", "***", "***"]),
    ] {
        assert_eq!(columns_of(file.as_bytes()).unwrap(), text(names), "{file}");
    }
    let long = format!("email,audience,{}\n", "x".repeat(300));
    assert_eq!(columns_of(long.as_bytes()).unwrap()[2].0.len(), 200);
    for (file, name) in [
        ("", "FILE_EMPTY"),
        ("email;audience\n", "WRONG_DELIMITER"),
        ("a,a\n", "DUPLICATE_HEADER"),
        ("PK\x03\x04", "NOT_CSV"),
    ] {
        assert_eq!(columns_of(file.as_bytes()).unwrap_err().name(), name);
    }
}
