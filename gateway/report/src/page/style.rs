//! The page's style sheet, and the policy under which it is the only thing that the page may load.

use super::palette;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// As it stands between the tags of the page.
pub(super) static SHEET: LazyLock<String> =
    LazyLock::new(|| format!("\n{}{}", include_str!("../../templates/page.css"), palette::rules()));

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let digest = STANDARD.encode(Sha256::digest(SHEET.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'")
});

/// The Content-Security-Policy that the page names, and under which it may be served: its own style sheet and nothing
/// else.
#[must_use]
pub fn content_security_policy() -> &'static str {
    &POLICY
}
