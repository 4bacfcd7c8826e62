//! Against folders of this machine.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use futures::StreamExt;
use serde_json::json;
use tempfile::TempDir;

use super::*;

/// A root with the folder `luma` in it, and one beside it that nobody may read.
fn place() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    for folder in ["root/luma/2026", "beside"] {
        fs::create_dir_all(place.path().join(folder)).unwrap();
    }
    fs::write(place.path().join("beside/secret.csv"), "email\n").unwrap();
    place
}

fn folder(place: &Path, below: &str) -> Result<Box<dyn Source>, SourceError> {
    let operator = Operator { roots: vec![place.join("root")], ..Operator::default() };
    let settings = json!({"folder": format!("{}/{below}", place.display())});
    SourceType::find("local_folder").unwrap().open(&settings, &operator)
}

#[test]
fn files_are_listed_and_read() {
    let place = place();
    let luma = place.path().join("root/luma");
    fs::write(luma.join("2026/b.csv"), long(3_000_000)).unwrap();
    fs::write(luma.join("a.csv.zst"), zstd::bulk::compress(b"email\nada@example.com\n", 1).unwrap()).unwrap();
    fs::write(luma.join("empty.csv"), "").unwrap();
    fs::write(luma.join(".hidden.csv"), "email\n").unwrap();
    let source = folder(place.path(), "root/luma").unwrap();
    assert_eq!(check(&*source), "-");
    let listed = list(&*source);
    assert_eq!(names(&*source), ["2026/b.csv", "a.csv.zst"]);
    assert!(read(&*source, &listed[0]).unwrap() == long(3_000_000));
    assert_eq!(read_plain(&*source, &listed[1]).unwrap(), b"email\nada@example.com\n");
    let pieces: Vec<_> = now(async { source.open(&listed[0], 8..24).await?.try_collect().await }).unwrap();
    assert_eq!(pieces.concat(), long(24)[8..]);
    assert_eq!(now(source.list(1)).unwrap_err(), SourceError::TooManyParts(1));
    assert_eq!(now(source.list(2)).unwrap().len(), 2);
}

#[test]
fn nothing_leads_out_of_the_folder() {
    let place = place();
    let luma = place.path().join("root/luma");
    symlink(place.path().join("beside/secret.csv"), luma.join("link.csv")).unwrap();
    symlink(place.path().join("beside"), luma.join("folder")).unwrap();
    symlink(place.path().join("beside"), place.path().join("root/away")).unwrap();
    symlink("..", luma.join("up")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, luma.join("pipe.csv"), rustix::fs::Mode::RUSR).unwrap();
    let source = folder(place.path(), "root/luma").unwrap();
    assert_eq!(check(&*source), "NO_PARTS");
    assert_eq!(check(&*folder(place.path(), "root/away").unwrap()), "NO_SUCH_PLACE");
    assert_eq!(check(&*folder(place.path(), "root/luma/folder").unwrap()), "NO_SUCH_PLACE");
    for below in ["beside", "root/../beside", "root/luma/../../beside", ""] {
        assert_eq!(folder(place.path(), below).err().unwrap().kind(), "SETTINGS", "{below}");
    }
    // Nor does a name that was never listed.
    fs::write(luma.join("a.csv"), "email\n").unwrap();
    let part = list(&*source).remove(0);
    for name in ["../../beside/secret.csv", "/etc/hostname", "folder/secret.csv", "link.csv", "pipe.csv", "", "."] {
        let asked = Part { name: name.to_owned(), ..part.clone() };
        assert!(["NAME", "CHANGED_WHILE_READ"].contains(&read(&*source, &asked).unwrap_err().kind()), "{name}");
    }
    assert!(SourceType::find("local_folder").unwrap().open(&json!({"folder": "/"}), &Operator::default()).is_err());
}

#[test]
fn what_is_not_there_or_not_allowed_is_told_apart() {
    let place = place();
    let luma = place.path().join("root/luma");
    fs::write(luma.join("a.csv"), "email\n").unwrap();
    let source = folder(place.path(), "root/luma").unwrap();
    let part = list(&*source).remove(0);
    assert_eq!(check(&*folder(place.path(), "root/nowhere").unwrap()), "NO_SUCH_PLACE");
    assert_eq!(check(&*folder(place.path(), "root/luma/a.csv").unwrap()), "NO_SUCH_PLACE");
    assert_eq!(check(&*folder(place.path(), "root/luma/2026").unwrap()), "NO_PARTS");
    // The folder may be read, its file may not; then neither.
    let allow = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    allow(place.path(), 0o755);
    allow(&luma.join("a.csv"), 0o000);
    let told = without_privileges(|| (check(&*source), list(&*source).len(), read(&*source, &part).unwrap_err()));
    assert_eq!((told.0, told.1, told.2.kind()), ("NO_PERMISSION", 1, "NO_PERMISSION"));
    assert!(!told.2.to_string().contains("a.csv"));
    allow(&luma, 0o000);
    assert_eq!(without_privileges(|| check(&*source)), "NO_PERMISSION");
    allow(&luma, 0o755);
}

/// Does something on a thread that may do no more than others on this machine: root may read everything.
fn without_privileges<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    use rustix::thread::{Uid, set_thread_res_uid};
    let is_root = rustix::process::geteuid().is_root();
    let nobody = Uid::from_raw(65_534);
    std::thread::scope(|scope| {
        let working = scope.spawn(|| {
            if is_root {
                set_thread_res_uid(nobody, nobody, nobody).unwrap();
            }
            work()
        });
        working.join().unwrap()
    })
}

#[test]
fn a_file_is_of_one_version_or_not_read() {
    let place = place();
    let file = place.path().join("root/luma/a.csv");
    let source = folder(place.path(), "root/luma").unwrap();
    let changes: [fn(&Path); 4] = [
        |file| fs::write(file, vec![7; 4_000_000]).unwrap(),
        |file| fs::write(file, "email\n").unwrap(),
        |file| fs::File::options().append(true).open(file).map(|file| file.set_len(5_000_000)).unwrap().unwrap(),
        |file| fs::remove_file(file).unwrap(),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        fs::write(&file, long(4_000_000)).unwrap();
        // Clocks of file systems tick now and then only.
        std::thread::sleep(Duration::from_millis(20));
        let part = list(&*source).remove(0);
        let read = now(async {
            let mut content = source.open(&part, 0..part.size).await?;
            let first = content.next().await.unwrap()?;
            change(&file);
            let rest: Vec<_> = content.try_collect().await?;
            Ok::<_, SourceError>((first, rest))
        });
        assert_eq!(read.unwrap_err(), SourceError::ChangedWhileRead, "{number}");
        assert_eq!(super::read(&*source, &part).unwrap_err(), SourceError::ChangedWhileRead, "{number}");
    }
}

#[test]
fn hostile_names_are_read_or_left_out() {
    use std::os::unix::ffi::OsStrExt;
    let place = place();
    let luma = place.path().join("root/luma");
    let longest = "a".repeat(255);
    // Slashes and NULs no file system has.
    for (name, is_read) in [
        (&b"a\nb.csv"[..], false),
        (b"a\x7fb.csv", false),
        (b"\xff.csv", false),
        (b"_SUCCESS", false),
        (b".a.csv", false),
        (b"...", false),
        ("Fr\u{fc}hling %2e%2e.csv".as_bytes(), true),
        ("\u{1f9d8}\u{202e}vsc.a".as_bytes(), true),
        (b"-rf *.csv", true),
        (b"a..b.csv", true),
        (b"%00.csv", true),
        (b"a\\b.csv", true),
        (b"secret_access_key=s3cret", true),
        (longest.as_bytes(), true),
    ] {
        let file = luma.join(std::ffi::OsStr::from_bytes(name));
        fs::write(&file, "email\n").unwrap();
        let source = folder(place.path(), "root/luma").unwrap();
        let listed = list(&*source);
        assert_eq!(listed.len(), usize::from(is_read), "{file:?}");
        for part in listed {
            assert_eq!(read(&*source, &part).unwrap(), b"email\n");
            assert!(!format!("{part:?}").contains(&part.name));
        }
        fs::remove_file(file).unwrap();
    }
    let deep = (0..20).fold(luma.clone(), |folder, _| folder.join("d"));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("a.csv"), "email\n").unwrap();
    assert!(list(&*folder(place.path(), "root/luma").unwrap()).is_empty(), "too deep");
}
