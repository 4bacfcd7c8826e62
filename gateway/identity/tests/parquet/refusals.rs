//! Files that lie, each with its refusal.

use crate::files::{emails, refused, sourced, sourced_csv};
use crate::handmade::{Handmade, Page, Struct, element, gzip, plain, varint};
use entente_identity::source::{ParquetFault, SourceFault};

const EMAILS: [&str; 4] = ["ada@example.com", "bob@example.com", "", "nobody"];

fn sound() -> Handmade {
    Handmade::of(&EMAILS)
}

/// The list of packed lengths that claims this many values, and then `more`.
fn lengths(values: u64, more: &[u8]) -> Vec<u8> {
    [varint(128), varint(4), varint(values), varint(0), more.to_vec()].concat()
}

#[test]
fn what_is_sound_is_read_whatever_its_compression() {
    let expected =
        sourced_csv(&emails(), &format!("email,note\n{}", EMAILS.map(|email| format!("{email},\n")).concat()));
    let body = plain(&EMAILS);
    let repeated = [varint(8), vec![0]].concat();
    let packed = |codec: i64, body: Vec<u8>| {
        let mut file = sound();
        file.codec = codec;
        file.pages[0].compressed = body.len() as i64;
        file.pages[0].body = body;
        file
    };
    let files = [
        sound(),
        packed(1, snap::raw::Encoder::new().compress_vec(&body).unwrap()),
        packed(2, gzip(&body)),
        packed(6, zstd::bulk::compress(&body, 3).unwrap()),
        // An index page and a page without values are passed over.
        Handmade::pages(4, vec![Page { kind: 1, ..Page::data(9, 0, vec![9; 9]) }, sound().pages.remove(0)]),
    ];
    for (number, file) in files.into_iter().enumerate() {
        let (found, run) = sourced(&emails(), file.bytes()).unwrap();
        assert_eq!((found.rows, found.accepted_rows), (4, 2), "{number}");
        assert_eq!(found.faults.counts, expected.0.faults.counts, "{number}");
        assert!(run == expected.1, "{number}");
    }
    let dictionary = Handmade::pages(
        4,
        vec![Page::dictionary(1, plain(&EMAILS[..1])), Page::data(4, 8, [vec![1], repeated].concat())],
    );
    assert_eq!(sourced(&emails(), dictionary.bytes()).unwrap().0.accepted_rows, 4);
}

#[test]
fn each_lie_has_its_refusal() {
    let with = |change: fn(&mut Handmade)| {
        let mut file = sound();
        change(&mut file);
        file.bytes()
    };
    let pages = |rows: i64, pages: Vec<Page>| Handmade::pages(rows, pages).bytes();
    let whole = sound().bytes();
    let deep = |depth: usize| {
        let mut schema = vec![element("schema", Some(1))];
        schema.extend((0..depth).map(|_| element("a", Some(1))));
        schema.push(element("email", None));
        Handmade { schema, ..sound() }.bytes()
    };
    let bomb = |codec: i64, packed: Vec<u8>| {
        let mut page = Page::data(1, 0, packed);
        page.uncompressed = 1_000;
        Handmade { codec, ..Handmade::pages(1, vec![page]) }.bytes()
    };
    let nothing = vec![0; 32 << 20];
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("the start alone", b"PAR1".to_vec(), "PARQUET_CUT_SHORT"),
        ("the end cut off", whole[..whole.len() - 1].to_vec(), "PARQUET_CUT_SHORT"),
        ("half of it", whole[..whole.len() / 2].to_vec(), "PARQUET_CUT_SHORT"),
        ("text that begins like it", b"PAR1email,audience\na@b.cd,x\n".to_vec(), "PARQUET_CUT_SHORT"),
        ("only the two marks", b"PAR1PAR1".to_vec(), "PARQUET_DAMAGED"),
        ("another end", with(|f| f.magic[1] = b"PAR2"), "PARQUET_CUT_SHORT"),
        ("an encrypted footer", with(|f| f.magic = [b"PARE", b"PARE"]), "PARQUET_ENCRYPTED"),
        ("encrypted columns", with(|f| f.more = Struct::new().raw(4, 12, &[0])), "PARQUET_ENCRYPTED"),
        ("an encrypted column", with(|f| f.chunk_more = Struct::new().raw(5, 12, &[0])), "PARQUET_ENCRYPTED"),
        ("a footer longer than the file", with(|f| f.footer_length = Some(1 << 30)), "PARQUET_DAMAGED"),
        ("a footer of 4 GiB", with(|f| f.footer_length = Some(u32::MAX)), "PARQUET_DAMAGED"),
        ("a footer of nothing", with(|f| f.footer_length = Some(0)), "PARQUET_DAMAGED"),
        ("a footer of half", with(|f| f.footer_length = Some(20)), "PARQUET_DAMAGED"),
        ("no columns", with(|f| f.schema = vec![element("schema", Some(0))]), "MISSING_COLUMN"),
        ("no schema", with(|f| f.schema.clear()), "PARQUET_DAMAGED"),
        ("children that are not there", with(|f| f.schema[0] = element("schema", Some(3))), "PARQUET_DAMAGED"),
        ("children without end", with(|f| f.schema[0] = element("schema", Some(i64::MAX))), "PARQUET_DAMAGED"),
        ("fewer than no children", with(|f| f.schema[0] = element("schema", Some(-1))), "PARQUET_DAMAGED"),
        (
            "a name that is not UTF-8",
            with(|f| f.schema[1] = Struct::new().integer(1, 6).integer(3, 0).text(4, b"\xff")),
            "HEADER_NOT_UTF8",
        ),
        ("a deep schema", deep(100_000), "MISSING_COLUMN"),
        ("structures without end", with(|f| f.more = Struct::new().raw(5, 12, &[0x1c; 1_000])), "PARQUET_DAMAGED"),
        (
            "a list of 2^60",
            with(|f| f.more = Struct::new().raw(5, 9, &[&[0xfc][..], &varint(1 << 60)].concat())),
            "PARQUET_DAMAGED",
        ),
        ("fewer than no rows", with(|f| f.rows = [-1; 3]), "PARQUET_DAMAGED"),
        ("too many rows", with(|f| f.rows = [1 << 40; 3]), "PARQUET_TOO_LARGE"),
        ("other rows than its groups", with(|f| f.rows[0] = 5), "PARQUET_DAMAGED"),
        ("other values than rows", with(|f| f.rows[2] = 5), "PARQUET_DAMAGED"),
        ("more rows than values", with(|f| f.rows = [5; 3]), "PARQUET_DAMAGED"),
        ("two billion rows", with(|f| f.rows = [1 << 31; 3]), "PARQUET_DAMAGED"),
        ("fewer rows than values", with(|f| f.rows = [3; 3]), "PARQUET_DAMAGED"),
        ("no rows", with(|f| (f.rows, f.groups) = ([0; 3], 0)), "NO_ROWS"),
        ("a chunk outside the file", with(|f| f.start = Some(1 << 40)), "PARQUET_DAMAGED"),
        ("a chunk before the file", with(|f| f.start = Some(-9)), "PARQUET_DAMAGED"),
        (
            "a chunk at the very end of numbers",
            with(|f| (f.start, f.length) = (Some(i64::MAX), Some(i64::MAX))),
            "PARQUET_DAMAGED",
        ),
        ("a chunk that reaches into the footer", with(|f| f.length = Some(200)), "PARQUET_DAMAGED"),
        ("a chunk that is too short", with(|f| f.length = Some(30)), "PARQUET_DAMAGED"),
        ("a chunk of nothing", with(|f| f.length = Some(0)), "PARQUET_DAMAGED"),
        ("one chunk for two groups", with(|f| (f.groups, f.rows[0]) = (2, 8)), "PARQUET_DAMAGED"),
        ("another column", with(|f| f.schema[1] = element("mail", None)), "MISSING_COLUMN"),
        ("LZO", with(|f| f.codec = 3), "PARQUET_CODEC"),
        ("Brotli", with(|f| f.codec = 4), "PARQUET_CODEC"),
        ("LZ4", with(|f| f.codec = 5), "PARQUET_CODEC"),
        ("an unknown codec", with(|f| f.codec = 99), "PARQUET_CODEC"),
        ("a codec that it does not have", with(|f| f.codec = 1), "PARQUET_DAMAGED"),
        ("an unknown page", with(|f| f.pages[0].kind = 7), "PARQUET_DAMAGED"),
        ("an unknown encoding", with(|f| f.pages[0].encoding = 42), "PARQUET_DAMAGED"),
        ("an encoding of other types", with(|f| f.pages[0].encoding = 5), "PARQUET_DAMAGED"),
        ("an encoding of truth values", with(|f| f.pages[0].encoding = 3), "PARQUET_DAMAGED"),
        ("a page of 2 GiB", with(|f| f.pages[0].uncompressed = i64::from(i32::MAX)), "PARQUET_TOO_LARGE"),
        ("a page of less than nothing", with(|f| f.pages[0].uncompressed = -1), "PARQUET_DAMAGED"),
        ("a page with two sizes", with(|f| f.pages[0].uncompressed = 100), "PARQUET_DAMAGED"),
        ("a page longer than its chunk", with(|f| f.pages[0].compressed = 4_000), "PARQUET_DAMAGED"),
        ("a page of more values than rows", with(|f| f.pages[0].values = 1 << 30), "PARQUET_DAMAGED"),
        ("a page of fewer than no values", with(|f| f.pages[0].values = -1), "PARQUET_DAMAGED"),
        ("a page of no values", with(|f| f.pages[0].values = 0), "PARQUET_DAMAGED"),
        (
            "a value longer than its page",
            pages(1, vec![Page::data(1, 0, vec![0xff, 0xff, 0xff, 0x7f, b'a'])]),
            "PARQUET_DAMAGED",
        ),
        ("a page without its values", pages(9, vec![Page::data(9, 0, plain(&EMAILS))]), "PARQUET_DAMAGED"),
        ("indexes without a dictionary", pages(4, vec![Page::data(4, 8, vec![1, 8, 0])]), "PARQUET_DAMAGED"),
        (
            "indexes outside the dictionary",
            pages(4, vec![Page::dictionary(1, plain(&["a@b.cd"])), Page::data(4, 8, vec![8, 8, 7])]),
            "PARQUET_DAMAGED",
        ),
        (
            "packed indexes outside the dictionary",
            pages(
                8,
                vec![Page::dictionary(1, plain(&["a@b.cd"])), Page::data(8, 8, vec![8, 3, 7, 6, 5, 4, 3, 2, 1, 0])],
            ),
            "PARQUET_DAMAGED",
        ),
        (
            "indexes of 200 bits",
            pages(4, vec![Page::dictionary(1, plain(&["a@b.cd"])), Page::data(4, 8, vec![200, 8, 7])]),
            "PARQUET_DAMAGED",
        ),
        (
            "a dictionary of billions",
            pages(4, vec![Page::dictionary(i64::from(i32::MAX), plain(&["a@b.cd"]))]),
            "PARQUET_DAMAGED",
        ),
        ("two dictionaries", pages(4, vec![Page::dictionary(1, plain(&["a@b.cd"])); 2]), "PARQUET_DAMAGED"),
        (
            "a dictionary behind data",
            pages(5, vec![sound().pages.remove(0), Page::dictionary(1, plain(&["a"]))]),
            "PARQUET_DAMAGED",
        ),
        ("billions of lengths", pages(4, vec![Page::data(4, 6, lengths(1 << 35, &[0; 9]))]), "PARQUET_DAMAGED"),
        ("billions of prefixes", pages(4, vec![Page::data(4, 7, lengths(1 << 35, &[0; 9]))]), "PARQUET_DAMAGED"),
        (
            "billions of suffixes",
            pages(4, vec![Page::data(4, 7, lengths(1, &lengths(1 << 35, &[0; 9])))]),
            "PARQUET_DAMAGED",
        ),
        (
            "a prefix of nothing",
            pages(
                1,
                vec![Page::data(1, 7, [varint(128), varint(4), varint(1), varint(2_000), lengths(1, b"")].concat())],
            ),
            "PARQUET_DAMAGED",
        ),
        ("a snappy bomb", bomb(1, snap::raw::Encoder::new().compress_vec(&nothing).unwrap()), "PARQUET_DAMAGED"),
        ("a gzip bomb", bomb(2, gzip(&nothing)), "PARQUET_DAMAGED"),
        ("a zstd bomb", bomb(6, zstd::bulk::compress(&nothing, 3).unwrap()), "PARQUET_DAMAGED"),
    ];
    for (what, file, name) in cases {
        assert_eq!(refused(&emails(), file).name(), name, "{what}");
    }
}

/// A few megabytes that decompress to gigabytes, page by page, are given up at the limit and not before memory is.
#[test]
fn pages_that_grow_are_bounded_together() {
    let zeros = vec![0; 60 << 20];
    let packed = zstd::bulk::compress(&zeros, 1).unwrap();
    let page = Page { uncompressed: zeros.len() as i64, ..Page::data(1, 0, packed) };
    let file = Handmade { codec: 6, ..Handmade::pages(20, vec![page; 20]) }.bytes();
    let (found, _) = sourced(&emails(), file).unwrap();
    assert_eq!((found.rows, found.accepted_rows), (20, 0));
    let mut dictionary = Page { uncompressed: zeros.len() as i64, ..Page::dictionary(15 << 20, Vec::new()) };
    dictionary.body = zstd::bulk::compress(&zeros, 1).unwrap();
    dictionary.compressed = dictionary.body.len() as i64;
    let file = Handmade { codec: 6, ..Handmade::pages(1, vec![dictionary]) }.bytes();
    let fault = refused(&emails(), file);
    assert!(matches!(fault, SourceFault::Parquet(ParquetFault::TooLarge(_))), "{fault}");
}

/// Values that share their beginning with the one before can be long although their page is short.
#[test]
fn long_shared_beginnings_are_decoded_some_at_a_time() {
    let (long, rows) = (900_000u64, 300u64);
    // Prefixes: 0, then `long` each. One block after the other of 128 in 4 miniblocks without bits.
    let blocks = |deltas: &[i64]| {
        let block = |delta: &i64| [varint(((delta << 1) ^ (delta >> 63)) as u64), vec![0; 4]].concat();
        deltas.iter().flat_map(block).collect::<Vec<u8>>()
    };
    let prefixes = [
        [varint(128), varint(4), varint(rows), varint(0)].concat(),
        // The first difference is `long`, the others are none: miniblocks of 24 bits, of which the first has one value.
        [varint(0), vec![24, 0, 0, 0], long.to_le_bytes()[..3].to_vec(), vec![0; 93]].concat(),
        blocks(&[0, 0]),
    ];
    let suffixes = [
        [varint(128), varint(4), varint(rows), varint(long << 1)].concat(),
        // From `long` down to nothing, and none from then on.
        [varint((long << 1) - 1), vec![24; 4], vec![0; 3]].concat(),
        long.to_le_bytes()[..3].repeat(127),
        blocks(&[0, 0]),
        vec![b'x'; long as usize],
    ];
    let page = Page::data(rows as i64, 7, [prefixes.concat(), suffixes.concat()].concat());
    let (found, _) = sourced(&emails(), Handmade::pages(rows as i64, vec![page]).bytes()).unwrap();
    assert_eq!((found.rows, found.faults.total()), (rows, 2 * rows));
}

#[test]
fn a_refusal_names_what_was_asked_for_and_nothing_of_the_file() {
    let mut file = sound();
    file.codec = 4;
    let message = "column \"email\" is compressed by Brotli; what is read is uncompressed, snappy, gzip and zstd";
    assert_eq!(refused(&emails(), file.bytes()).to_string(), message);
    let mut file = sound();
    file.schema[1] = element("ada@example.com", None);
    assert!(!refused(&emails(), file.bytes()).to_string().contains("ada"));
    let mut file = sound();
    file.rows = [9; 3];
    assert!(!refused(&emails(), file.bytes()).to_string().contains("ada"));
}
