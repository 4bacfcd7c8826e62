//! The page in a browser: in the light, in the dark, on paper and on a telephone, looked over by axe-core.

use crate::campaign;
use crate::lift;
use crate::small::named;
use entente_report::Document;
use std::path::Path;
use std::process::Command;

/// Nothing is cut off, nothing lies on something else, nothing is loaded, and nobody is kept out.
#[test]
fn a_browser_shows_the_page_to_everybody() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/browser");
    if !folder.join("node_modules").exists() {
        assert!(std::env::var_os("ENTENTE_TEST_REQUIRE").is_none(), "tests/browser/node_modules is missing");
        eprintln!("left out: tests/browser/node_modules is not on this machine; .ci/run installs it");
        return;
    }
    let name = format!("<script>alert(1)</script>\u{202E} 👟 {}", "x".repeat(70));
    let (about, report) = (campaign::about(), campaign::report(150_000).unwrap());
    let ((hostile, hostile_report), hostile_lift) = (named(&name), lift::named(&name));
    for document in [
        Document::new(&about, &report),
        Document::new(&hostile, &hostile_report),
        Document::of_lift(&about, &lift::lift()),
        Document::of_lift(&hostile, &hostile_lift),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let page = directory.path().join("report.html");
        std::fs::write(&page, document.page().unwrap()).unwrap();
        let mut browser = Command::new("node");
        let said = browser.current_dir(&folder).arg("report.mjs").arg(&page).arg(directory.path()).output().unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        for name in ["light.png", "dark.png", "narrow.png", "print.png", "print.pdf"] {
            assert!(std::fs::metadata(directory.path().join(name)).unwrap().len() > 10_000, "{name}");
        }
    }
}
