//! `include/entente_destination.h` says in C what `src/abi.rs` says in Rust: it is made from it.
//!
//! Where the first test fails, make the header again and commit it:
//! `ENTENTE_UPDATE_HEADER=1 cargo test --release -p entente-destination --test header`
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod generate;

use std::fs;
use std::mem::{offset_of, size_of};
use std::process::Command;

use entente_destination::abi::{Buffer, DestinationTable, Slice, Status};

const INCLUDE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/include");

#[test]
fn the_checked_in_header_is_what_is_made() {
    let path = format!("{INCLUDE}/entente_destination.h");
    let made = generate::header();
    if std::env::var_os("ENTENTE_UPDATE_HEADER").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let kept = fs::read_to_string(path).unwrap();
    assert!(made == kept, "the header is out of date: {} says how it is made again", file!());
}

#[test]
fn comments_are_about_c() {
    let header = generate::header();
    for rust in ["::", "[`", "Option", "crate", "@BOUNDARY@"] {
        assert!(!header.contains(rust), "the header says `{rust}`");
    }
}

/// Compiles a source that includes the header, as strictly as compilers can.
fn compiles(compiler: &str, standard: &str, name: &str, source: &str) {
    if Command::new(compiler).arg("--version").output().is_err() {
        assert!(std::env::var_os("ENTENTE_TEST_REQUIRE").is_none(), "{compiler} is missing");
        return eprintln!("left out: {compiler} is not on this machine; .ci/run installs it");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    fs::write(&file, format!("#include \"entente_destination.h\"\n{source}")).unwrap();
    let flags = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", "-I", INCLUDE];
    let output = Command::new(compiler).arg(standard).args(flags).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Sizes and offsets in C are those that the gateway was compiled with.
#[test]
fn c_lays_everything_out_as_rust_does() {
    macro_rules! assertions {
        ($($rust:ty, $c:literal: $($field:ident)*;)*) => {
            concat!($("_Static_assert(sizeof(", $c, ") == %, \"size\");\n",
                $("_Static_assert(offsetof(", $c, ", ", stringify!($field), ") == %, \"offset\");\n",)*)*).to_owned()
            $(.replacen('%', &size_of::<$rust>().to_string(), 1)
                $(.replacen('%', &offset_of!($rust, $field).to_string(), 1))*)*
        };
    }
    let source = assertions! {
        Status, "entente_status": ;
        Slice, "struct entente_slice": data len;
        Buffer, "struct entente_buffer": data len owner free;
        DestinationTable, "struct entente_destination_table":
            magic size version describe check open write poll finish abort close;
    };
    assert!(!source.contains('%'));
    compiles("cc", "-std=c11", "layout.c", &source);
}

#[test]
fn it_is_a_header_for_cpp_too() {
    let source = "const entente_destination_table *entente_destination_v1() { return nullptr; }";
    compiles("c++", "-std=c++11", "plugin.cpp", source);
}
