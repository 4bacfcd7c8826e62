//! The page: what it says, what it loads (nothing), and what becomes of names.

use crate::campaign;
use crate::small::{about, named, own, report};
use entente_identity::measure::{CreditRules, PathReport, Steps};
use entente_report::{Document, View, content_security_policy};
use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

/// What is in a page, tag by tag.
#[derive(Debug, Default)]
pub struct Parsed {
    /// Names of elements, in order.
    pub elements: Vec<String>,
    /// Name, value and element of each attribute.
    attributes: Vec<(String, String, String)>,
    /// Text of each element, without its markup.
    pub texts: Vec<String>,
}

/// Fails where the page is not well-formed.
pub fn parse(page: &str) -> Parsed {
    let mut reader = Reader::from_str(page);
    reader.config_mut().check_comments = true;
    let (mut parsed, mut text) = (Parsed::default(), String::new());
    loop {
        match reader.read_event().unwrap_or_else(|fault| panic!("{fault} at {}", reader.error_position())) {
            Event::Eof => return parsed,
            Event::Start(element) | Event::Empty(element) => {
                text.clear();
                parsed.take(&element);
            }
            Event::End(_) => parsed.texts.push(std::mem::take(&mut text)),
            Event::Text(part) => text.push_str(&part.decode().unwrap()),
            Event::GeneralRef(reference) => text.push(match reference.resolve_char_ref().unwrap() {
                Some(character) => character,
                None => named_character(&reference.decode().unwrap()),
            }),
            Event::DocType(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn named_character(name: &str) -> char {
    match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        other => panic!("{other}"),
    }
}

impl Parsed {
    fn take(&mut self, element: &BytesStart<'_>) {
        let name = String::from_utf8(element.name().as_ref().to_vec()).unwrap();
        for attribute in element.attributes() {
            let attribute = attribute.unwrap();
            let key = String::from_utf8(attribute.key.as_ref().to_vec()).unwrap();
            let value = String::from_utf8(attribute.value.to_vec()).unwrap();
            self.attributes.push((key, value, name.clone()));
        }
        self.elements.push(name);
    }
}

/// Only these elements and attributes: no script, no link, no form, nothing that loads, no handler, no style.
pub fn assert_inert(page: &str, parsed: &Parsed) {
    const ELEMENTS: &str = "html head meta title style body header main section div p h1 h2 h3 dl dt dd ul li bdi small span \
        figure figcaption table caption thead tbody tr th td svg desc rect line polyline polygon circle text";
    const ATTRIBUTES: &str = "lang xmlns charset http-equiv content name class id role aria-labelledby tabindex scope rowspan viewBox \
        width height x y x1 y1 x2 y2 cx cy r dy points fill stroke stroke-width opacity text-anchor font-family \
        font-size font-weight font-style transform";
    for element in &parsed.elements {
        assert!(ELEMENTS.split(' ').any(|known| known == element), "<{element}>");
    }
    for (key, value, element) in &parsed.attributes {
        assert!(ATTRIBUTES.split(' ').any(|known| known == key), "{key}={value} of <{element}>");
    }
    let without_namespaces =
        page.replace("\"http://www.w3.org/2000/svg\"", "").replace("\"http://www.w3.org/1999/xhtml\"", "");
    let without_policy = without_namespaces.replace("http-equiv", "");
    assert!(!without_policy.contains("http"), "the page names an address");
    for loading in ["url(", "@import", "src=", "href="] {
        assert!(!page.contains(loading), "{loading}");
    }
}

fn page(about: &entente_report::About, report: &entente_identity::measure::Report) -> String {
    Document::new(about, report).page().unwrap()
}

#[test]
fn a_page_that_says_all() {
    let (about, report) = (about(), report());
    let page = page(&about, &report);
    assert_inert(&page, &parse(&page));
    insta::assert_snapshot!("page", page.split_once("</style>").unwrap().1);
}

#[test]
fn a_page_about_ones_own_people_says_so() {
    let (about, mut report) = (about(), own());
    report.over_time.truncate(1);
    report.cumulative_reach.clear();
    let page = page(&about, &report);
    assert_inert(&page, &parse(&page));
    for said in ["All figures are about your own people. No noise was added to any.", "No privacy budget spent"] {
        assert!(page.contains(said), "{said}");
    }
    assert!(!page.contains("Attribution"));
}

#[test]
fn the_policy_takes_the_pages_own_style_and_nothing_else() {
    use base64::Engine as _;
    use sha2::Digest as _;
    let (about, report) = (about(), report());
    let page = page(&about, &report);
    let style = page.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let digest = base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(style.as_bytes()));
    let policy = content_security_policy();
    assert!(policy.starts_with("default-src 'none'; ") && policy.contains(&format!("style-src 'sha256-{digest}'")));
    let parsed = parse(&page);
    assert!(parsed.attributes.iter().any(|(key, value, _)| key == "content" && value.replace("&#39;", "'") == policy));
}

#[test]
fn every_chart_is_named_and_has_its_table() {
    let (about, report) = (about(), report());
    let parsed = parse(&page(&about, &report));
    let count = |name: &str| parsed.elements.iter().filter(|element| *element == name).count();
    // Five models are compared in one table for each dimension, in place of the first one's in whole conversions.
    let document = Document::new(&about, &report);
    let by_dimension = document.tables().iter().filter(|table| table.dimension.is_some());
    let others = by_dimension.filter(|table| table.view != View::CreditByDimension);
    let tables = others.filter(|table| table.view != View::AttributionByDimension).count() + 3;
    assert_eq!((count("table"), count("caption")), (tables, tables));
    // Those of creatives are withheld.
    assert_eq!((count("svg"), count("desc")), ((tables - 2) * 2, (tables - 2) * 2));
    let of = |key: &str, element: &str| {
        let found = parsed.attributes.iter().filter(|(k, _, e)| k == key && e == element);
        found.map(|(_, value, _)| value.clone()).collect::<Vec<_>>()
    };
    assert!(of("role", "svg").iter().all(|role| role == "img"));
    let ids: Vec<&String> =
        parsed.attributes.iter().filter(|(key, ..)| key == "id").map(|(_, value, _)| value).collect();
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(ids.len(), once.len(), "an id is there twice");
    for label in of("aria-labelledby", "svg").iter().flat_map(|ids| ids.split(' ')) {
        assert!(ids.iter().any(|id| *id == label), "{label}");
    }
    assert_eq!(of("scope", "th").len(), count("th"));
}

#[test]
fn models_are_compared_side_by_side() {
    let (about, report) = (about(), report());
    let page = page(&about, &report);
    let parsed = parse(&page);
    // plotters writes a text on a line of its own.
    let texts = |text: &str| parsed.texts.iter().filter(|other| other.trim() == text).count();
    // In the legends and rows of two charts and three tables, by campaign, placement and creative.
    for (name, short) in [
        ("Last touch", None),
        ("Time decay, 24 h", Some("Decay 24 h")),
        ("Time decay, 168 h", Some("Decay 168 h")),
        ("Position based, 50/30", Some("Position 50/30")),
    ] {
        assert_eq!(texts(name) + short.map_or(0, texts), 2 + 6 + 2 * 3, "{name}");
        assert_eq!(short.map_or(6, texts), 6, "{name}");
    }
    assert!(page.contains("<td>4,000.25 <small>± 63.55</small></td>"));
    assert!(page.contains("5 are compared below") && page.contains("half as much to one that is 24 hours older"));
    assert_eq!((texts("View › Click"), texts("Spring shoes › Spring shoes")), (3, 3));
}

#[test]
fn one_model_is_compared_with_none() {
    let (about, mut report) = (about(), report());
    report.definition.credit.models.truncate(1);
    for event in report.attribution.iter_mut().flat_map(|attribution| &mut attribution.per_event) {
        event.models.truncate(1);
    }
    let page = page(&about, &report);
    assert!(!parse(&page).attributes.iter().any(|(_, value, _)| value == "rowgroup"));
    assert_eq!(page.matches("<h3>Conversions by placement</h3>").count(), 1);
    assert!(page.contains("<td>1,200.00 <small>"));
    assert!(page.contains("Last touch: a conversion is credited to the last exposure in the 7 days before it."));
}

/// What was made before there were models is shown as it was.
#[test]
fn a_report_without_models_has_whole_conversions() {
    let (about, mut report) = (about(), report());
    report.definition.credit = CreditRules::default();
    for event in report.attribution.iter_mut().flat_map(|attribution| &mut attribution.per_event) {
        event.models.clear();
        event.paths = vec![PathReport { over: Steps::Kinds, paths: Vec::new() }];
    }
    let page = page(&about, &report);
    let parsed = parse(&page);
    assert_inert(&page, &parsed);
    assert!(page.contains("Conversions by placement") && page.contains("<td>1,200 <small>"));
    assert!(page.contains("Last touch: a conversion is credited to the last exposure in the 7 days before it."));
    assert!(page.contains("Nothing that can be shown."));
    assert!(!parsed.attributes.iter().any(|(_, value, _)| value == "rowgroup"));
}

#[test]
fn hostile_names_stay_text() {
    let long = "x".repeat(100);
    for (name, shown) in [
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("</style></title><img src=x onerror=alert(1)>", "</style></title><img src=x onerror=alert(1)>"),
        ("\"' onload='x' &amp; ]]> <!-- ", "\"' onload='x' &amp; ]]> <!-- "),
        ("{{ name }} {% raw %}", "{{ name }} {% raw %}"),
        ("exe.\u{202E}gnp\u{0}", "exe.\u{FFFD}gnp\u{FFFD}"),
        ("👩\u{200D}🚀 العربية 日本", "👩\u{200D}🚀 العربية 日本"),
        (&long, &long),
    ] {
        let (about, report) = named(name);
        let page = page(&about, &report);
        let parsed = parse(&page);
        assert!(!parsed.attributes.iter().any(|(key, ..)| key.starts_with("on") || key == "src"), "{name}");
        assert!(!parsed.elements.iter().any(|element| element == "script" || element == "img"), "{name}");
        let times = parsed.texts.iter().filter(|text| *text == shown).count();
        assert!(times > 10, "{name} is there {times} times");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is typed, the page stays well-formed and has the same elements.
    #[test]
    fn no_name_changes_the_page(name in any::<String>()) {
        let elements = |name: &str| {
            let (about, report) = named(name);
            parse(&page(&about, &report)).elements
        };
        prop_assert_eq!(elements(&name), elements("a name"));
    }
}

#[test]
fn a_measured_report_is_written() {
    let report = campaign::report(4_000).unwrap();
    let about = campaign::about();
    let page = page(&about, &report);
    assert_inert(&page, &parse(&page));
    assert!(page.contains("Run further") && page.contains("Withheld"));
}
