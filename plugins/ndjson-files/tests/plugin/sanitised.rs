//! All the other tests once more, with a plugin that watches its own memory and arithmetic.

use std::path::Path;
use std::process::Command;

use crate::{COMPILED, can_be_compiled};

const FLAGS: &str = "-g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all";

#[test]
fn nothing_is_read_or_written_that_should_not_be() {
    if std::env::var_os(COMPILED).is_some() || !can_be_compiled() {
        return;
    }
    let library = Command::new("cc").arg("-print-file-name=libasan.so").output().unwrap().stdout;
    let library = String::from_utf8(library).unwrap().trim().to_owned();
    if !Path::new(&library).is_absolute() {
        assert!(std::env::var_os("ENTENTE_TEST_REQUIRE").is_none(), "the compiler's sanitisers are missing");
        return eprintln!("left out: the compiler has no sanitisers");
    }
    let folder = tempfile::tempdir().unwrap();
    let plugin = entente_ndjson_files::compile(folder.path(), FLAGS).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--test-threads=1"])
        .env(COMPILED, plugin)
        .env("LD_PRELOAD", library)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}
