//! Pictures of an account: what may be stored and served to others.

use base64::{Engine, engine::general_purpose::STANDARD};
use entente_domain::Refusal;
use entente_store::Picture;

const LARGEST_LOGO: usize = 256 << 10;
/// Reading takes as long as the square of the depth.
const DEEPEST_LOGO: usize = 100;
const LARGEST_HEADER: usize = 1 << 20;

/// A sanitised SVG: no scripts, no links to elsewhere, no foreign elements.
pub fn logo(svg: &str) -> Result<String, Refusal> {
    if svg.len() > LARGEST_LOGO {
        return Err(Refusal::invalid("logo", "A logo has at most 256 KiB."));
    }
    if depth(svg) > DEEPEST_LOGO {
        return Err(Refusal::invalid("logo", "A logo nests at most 100 elements deep."));
    }
    let clean = filtered(svg).ok_or_else(|| Refusal::invalid("logo", "This is not an SVG."))?;
    // The filter takes prefixes away, and with them what says that the elements are those of an SVG.
    if filtered(&clean).is_none() {
        return Err(Refusal::invalid("logo", "Save the SVG with elements that have no prefix."));
    }
    Ok(clean)
}

/// What is left of an SVG once all that could hurt is out; `None` where it is none.
fn filtered(svg: &str) -> Option<String> {
    let mut filter = svg_hush::Filter::new();
    filter.set_data_url_filter(svg_hush::data_url_filter::allow_standard_images);
    let mut clean = Vec::new();
    filter.filter(svg.as_bytes(), &mut clean).ok()?;
    String::from_utf8(clean).ok().filter(|clean| clean.contains("<svg"))
}

/// How deep elements nest at most, guessed from tags alone: at least as deep as they do.
fn depth(svg: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    for (at, _) in svg.match_indices('<') {
        let rest = &svg[at + 1..];
        let tag = rest.split('>').next().unwrap_or(rest);
        match tag.as_bytes().first() {
            Some(b'/') => depth = depth.saturating_sub(1),
            Some(b'!' | b'?') => {}
            _ if tag.ends_with('/') => {}
            _ => depth += 1,
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// A header picture, known by its first bytes.
pub fn header(base64: &str) -> Result<Picture, Refusal> {
    let refuse = |message: &str| Err(Refusal::invalid("headerPicture", message));
    let Ok(bytes) = STANDARD.decode(base64.trim()) else { return refuse("This is not Base64.") };
    if bytes.len() > LARGEST_HEADER {
        return refuse("A header picture has at most 1 MiB.");
    }
    let content_type = match bytes.as_slice() {
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ => return refuse("A header picture is a PNG, a JPEG or a WebP."),
    };
    Ok(Picture { content_type: content_type.to_owned(), bytes })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_logo_loses_what_could_hurt() {
        let svg = r#"<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script>
            <a href="javascript:alert(1)"><rect width="9" height="9"/></a>
            <image href="https://elsewhere.example/track.png"/></svg>"#;
        let clean = logo(svg).unwrap();
        for bad in ["script", "onload", "javascript", "elsewhere"] {
            assert!(!clean.contains(bad), "{bad} in {clean}");
        }
        assert!(clean.contains("rect"));
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        assert!(logo(&"<svg>".repeat(50_000)).is_err());
        assert_eq!(depth("<?xml?><svg><!-- a --><g><rect/><g/></g><path></path></svg>"), 2);
        let prefixed = r#"<s:svg xmlns:s="http://www.w3.org/2000/svg"><s:path d="M0 0"/></s:svg>"#;
        for text in ["", "not svg", "<html></html>", "<svg", prefixed] {
            assert!(logo(text).is_err(), "{text:?}");
        }
        assert!(header("????").is_err());
        assert!(header(&STANDARD.encode(b"GIF89a")).is_err());
        assert_eq!(header(&STANDARD.encode(b"\x89PNG\r\n\x1a\n")).unwrap().content_type, "image/png");
    }
}
