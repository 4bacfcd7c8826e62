//! Names that people typed, as a page can show them.

/// A name on one line, without what would reorder the text around it or is no character at all. The template escapes it.
pub(super) fn shown(name: &str) -> String {
    if name.trim().is_empty() {
        return "(without a name)".to_owned();
    }
    name.chars().map(|character| if is_hidden(character) { '\u{FFFD}' } else { character }).collect()
}

/// Control characters, marks that change the direction of writing, and what XML has no place for.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{FFFE}' | '\u{FFFF}')
}

/// The beginning of a name that is no wider than so many Latin letters, as it fits a chart.
pub(super) fn shortened(name: &str, widest: usize) -> String {
    let width = |character: char| if character < '\u{1100}' { 1 } else { 2 };
    if name.chars().map(width).sum::<usize>() <= widest {
        return name.to_owned();
    }
    let mut left = widest.saturating_sub(1);
    let fits = |character: &char| left.checked_sub(width(*character)).map(|rest| left = rest).is_some();
    let beginning: String = name.chars().take_while(fits).collect();
    format!("{}…", beginning.trim_end_matches(['\u{200D}', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_turn_the_text_around() {
        for (name, expected) in [
            ("Home", "Home"),
            ("", "(without a name)"),
            (" \n", "(without a name)"),
            ("exe.\u{202E}gnp", "exe.\u{FFFD}gnp"),
            ("a\u{2066}b\u{2069}", "a\u{FFFD}b\u{FFFD}"),
            ("a\0b\u{7F}\u{85}", "a\u{FFFD}b\u{FFFD}\u{FFFD}"),
            ("العربية", "العربية"),
            ("👩\u{200D}🚀", "👩\u{200D}🚀"),
        ] {
            assert_eq!(shown(name), expected);
        }
    }

    #[test]
    fn long_names_are_cut_where_they_no_longer_fit() {
        for (name, expected) in [
            ("Home page", "Home page"),
            ("Home pages", "Home pag…"),
            ("日本語日本語", "日本語日…"),
            ("1234567 890", "1234567…"),
            ("", ""),
        ] {
            assert_eq!(shortened(name, 9), expected);
        }
    }
}
