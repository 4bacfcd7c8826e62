//! The C header, made from `src/abi.rs`.

use cbindgen::{Builder, Config, DocumentationLength, DocumentationStyle, Language, Style};
use entente_destination::abi;

const SOURCE: &str = include_str!("../../src/abi.rs");

/// What the header has around what is made, which takes the place of `@BOUNDARY@`.
const FRAME: &str = include_str!("frame.h");

const NOTE: &str = "\
// Made from src/abi.rs by the test `header`: change that file, not this one. The test says how this one is made again.
//
";

/// What items of `abi.rs` are called in C.
const NAMES: [(&str, &str); 11] = [
    ("MAGIC", "ENTENTE_DESTINATION_MAGIC"),
    ("VERSION", "ENTENTE_DESTINATION_VERSION"),
    ("MAX_STATE", "ENTENTE_DESTINATION_MAX_STATE"),
    ("MAX_ANSWER", "ENTENTE_DESTINATION_MAX_ANSWER"),
    ("Status", "entente_status"),
    ("Slice", "entente_slice"),
    ("Buffer", "entente_buffer"),
    ("SessionPointer", "entente_session"),
    ("DestinationTable", "entente_destination_table"),
    ("FFI_ArrowArray", "struct ArrowArray"),
    ("FFI_ArrowSchema", "struct ArrowSchema"),
];

/// The whole header.
pub fn header() -> String {
    let about = SOURCE.lines().map_while(|line| line.strip_prefix("//!")).map(|line| format!("//{line}\n"));
    let about: String = about.collect();
    format!("{NOTE}{about}{}", FRAME.replace("@BOUNDARY@\n", &in_c(&items())))
}

/// The constants, types and functions, as cbindgen writes them.
fn items() -> String {
    let mut config = Config {
        language: Language::C,
        style: Style::Tag,
        documentation_style: DocumentationStyle::C99,
        documentation_length: DocumentationLength::Full,
        no_includes: true,
        usize_is_size_t: true,
        tab_width: 4,
        line_length: 120,
        ..Config::default()
    };
    config.export.include.push("DestinationTable".to_owned());
    config.export.rename.extend(NAMES.map(|(rust, c)| (rust.to_owned(), c.to_owned())));
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/abi.rs");
    let mut items = Vec::new();
    Builder::new().with_config(config).with_src(source).generate().unwrap().write(&mut items);
    String::from_utf8(items).unwrap()
}

/// Gives what comments refer to its name in C, statuses the names that C has for constants, and every member room.
fn in_c(items: &str) -> String {
    let magic = (abi::MAGIC.to_string(), format!("UINT64_C({:#018x})", abi::MAGIC));
    let statuses =
        items.replace("entente_status_", "ENTENTE_").replace("Status::", "ENTENTE_").replace(&magic.0, &magic.1);
    let named = NAMES.iter().fold(statuses, |text, (rust, c)| text.replace(&format!("[`{rust}`]"), &format!("`{c}`")));
    let named = named.replace("[`", "`").replace("`]", "`");
    let mut text = String::new();
    let mut before = "";
    for line in named.lines() {
        if before.ends_with(';') && line.trim_start().starts_with("//") {
            text.push('\n');
        }
        text.push_str(line);
        text.push('\n');
        before = line;
    }
    text
}
