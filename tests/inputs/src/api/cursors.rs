//! Cursors of pages and of events.

use entente::fuzzing::{arguments, cursor, event_cursor, parse_event_cursor, part_of};

/// A place in a list and an event have one cursor: what is read as one is printed the same. The input is how many items
/// are asked for from the start and from the end, a byte each, and then a cursor.
pub fn cursors(input: &[u8]) {
    let [first, last, rest @ ..] = input else { return };
    let text = String::from_utf8_lossy(rest);
    if let Some(number) = parse_event_cursor(&text) {
        assert_eq!(event_cursor(number), text);
    }
    let size = |byte: u8| (byte != 0).then_some(i32::from(byte as i8));
    let Ok(asked) = arguments(size(*first), Some(text.to_string()), size(*last), None) else { return };
    let place = asked.after.as_deref().unwrap_or_default();
    assert_eq!(cursor(place), text);
    let list = vec![format!("{place}-"), place.to_owned(), format!("{place}+")];
    let page = part_of(list.clone(), Clone::clone, &asked);
    let items: Vec<String> = page.items.into_iter().map(|(_, item)| item).collect();
    assert_eq!(items, list[2..]);
}
