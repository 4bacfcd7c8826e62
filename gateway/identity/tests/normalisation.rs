//! Normalisation against what ad platforms and standards publish, and the documented table against the code.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use entente_identity::normalise::{Form, Region, Take, identity, normalise};
use sha2::{Digest, Sha256};

const fn phone_in(region: Region) -> Form {
    Form::HashedPhone { region: Some(region) }
}

/// Whether a digest stands in the document, or was computed from the text that stands there (by `sha256sum`).
#[derive(Debug)]
enum Sha {
    Quoted(&'static str),
    Computed(&'static str),
}
use Sha::{Computed, Quoted};

const META: &str = "Meta, Conversions API: Customer Information Parameters";
const UID2: &str = "Unified ID 2.0: Normalization and Encoding";
const GOOGLE: &str = "Google, Data Manager API: Format user data";
const PAIR: &str = "IAB Tech Lab, PAIR: Canonical representation of common match keys";
const X: &str = "X, Ads API: Custom Audiences User Data";

/// Examples that the documents give: where it stands, what goes in, the text that is hashed, and its SHA-256.
const PUBLISHED: [(&str, Form, &str, &str, Sha); 18] = [
    (
        META,
        Form::HashedEmail,
        "John_Smith@gmail.com",
        "john_smith@gmail.com",
        Quoted("62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"),
    ),
    // The digest stands in PAIR's table without its text, which is the one of Unified ID 2.0.
    (
        PAIR,
        Form::HashedEmail,
        "user@example.com",
        "user@example.com",
        Quoted("b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514"),
    ),
    (
        UID2,
        Form::HashedEmail,
        "user@example.com",
        "user@example.com",
        Quoted("b4c9a289323b21a01c3e940f150eb9b8c542587f1abfd8f0e1cc1ffc5e475514"),
    ),
    (
        UID2,
        Form::HashedEmail,
        "MyEmail@example.com",
        "myemail@example.com",
        Quoted("16c18d336f0b250f0e2d907452ceb9658a74ecdae8bc94864c23122a72cc27a5"),
    ),
    (
        UID2,
        Form::HashedEmail,
        "MYEMAIL@example.com",
        "myemail@example.com",
        Quoted("16c18d336f0b250f0e2d907452ceb9658a74ecdae8bc94864c23122a72cc27a5"),
    ),
    (
        UID2,
        Form::HashedEmail,
        "My.Email@example.com",
        "my.email@example.com",
        Quoted("e22b53bc6f871274f3a62ab37a3caed7214fc14d676215a96a242fcfada1c81f"),
    ),
    (
        UID2,
        Form::HashedEmail,
        "JANESAOIRSE@example.com",
        "janesaoirse@example.com",
        Quoted("d6670e7a92007f1b5ff785f1fc81e53aa6d3d7bd06bdf5c473cdc7286c284b6d"),
    ),
    (
        UID2,
        Form::HashedEmail,
        "JaneSaoirse@example.com",
        "janesaoirse@example.com",
        Quoted("d6670e7a92007f1b5ff785f1fc81e53aa6d3d7bd06bdf5c473cdc7286c284b6d"),
    ),
    (
        UID2,
        Form::HashedEmail,
        "Jane.Saoirse@example.com",
        "jane.saoirse@example.com",
        Quoted("b196432c7b989a2ca91c83799957c515da53e6c13abf20b78fea94f117e90bf8"),
    ),
    (
        UID2,
        Form::HashedEmail,
        "JaneSaoirse+Work@example.com",
        "janesaoirse+work@example.com",
        Quoted("28aaee4815230cd3b4ebd88c515226550666e91ac019929e3adac3f66c288180"),
    ),
    (
        UID2,
        Form::HashedEmail,
        "JANESaoirse@gmail.com",
        "janesaoirse@gmail.com",
        Quoted("92ee26057ed9dea2535d6c8b141d48373932476599196e00352254896db5888f"),
    ),
    (
        GOOGLE,
        Form::HashedEmail,
        "user.name+NYC@Example.com",
        "user.name+nyc@example.com",
        Computed("f109a2a632fbcea5fc82049f50beed3d8621bf9034399f437fb622222acccdac"),
    ),
    (
        UID2,
        phone_in(Region::US),
        "1 (234) 567-8901",
        "+12345678901",
        Quoted("10e6f0b47054a83359477dcb35231db6de5c69fb1816e1a6b98e192de9e5b9ee"),
    ),
    (
        UID2,
        phone_in(Region::AU),
        "(02) 1234 5678",
        "+61212345678",
        Computed("276e0b16ec33813e4496c8ccc1ca84e344bc56d52859714266092af8f0d20fe7"),
    ),
    (
        GOOGLE,
        phone_in(Region::US),
        "(800)555-0100",
        "+18005550100",
        Computed("fb4f73a6ec5fdb7077d564cdd22c3554b43ce49168550c3b12c547b78c517b30"),
    ),
    // Meta hashes the same number without its plus sign: see the documents that differ.
    (
        META,
        phone_in(Region::US),
        "(650)555-1212",
        "+16505551212",
        Computed("1e231c66011e7a2d867a9cfae267a6aff103cf4913640b6e71a99850fc0ffbc8"),
    ),
    (
        X,
        Form::Idfa,
        "4b61639e-47cc-4056-a16a-c8217e029462",
        "4b61639e-47cc-4056-a16a-c8217e029462",
        Computed("225859d35b46df63b4fb381eb3f815b2ef4620bec0a79f2115a6a3eb71a5fa1a"),
    ),
    (
        X,
        Form::Idfa,
        "4B61639E-47CC-4056-A16A-C8217E029462",
        "4b61639e-47cc-4056-a16a-c8217e029462",
        Computed("225859d35b46df63b4fb381eb3f815b2ef4620bec0a79f2115a6a3eb71a5fa1a"),
    ),
];

/// Whose document, what goes in, our text, theirs, and the SHA-256 of theirs where they give it.
type Otherwise = (&'static str, Form, &'static str, &'static str, &'static str, Option<&'static str>);

/// Examples whose documents want another text than ours.
const OTHERWISE: [Otherwise; 5] = [
    (
        UID2,
        Form::HashedEmail,
        "JANE.SAOIRSE@gmail.com",
        "jane.saoirse@gmail.com",
        "janesaoirse@gmail.com",
        Some("92ee26057ed9dea2535d6c8b141d48373932476599196e00352254896db5888f"),
    ),
    (
        UID2,
        Form::HashedEmail,
        "JaneSaoirse+Work@gmail.com",
        "janesaoirse+work@gmail.com",
        "janesaoirse@gmail.com",
        Some("92ee26057ed9dea2535d6c8b141d48373932476599196e00352254896db5888f"),
    ),
    (UID2, Form::HashedEmail, "janedoe+home@gmail.com", "janedoe+home@gmail.com", "janedoe@gmail.com", None),
    (
        GOOGLE,
        Form::HashedEmail,
        "cloudy.sanfrancisco+shopping@gmail.com",
        "cloudy.sanfrancisco+shopping@gmail.com",
        "cloudysanfrancisco@gmail.com",
        None,
    ),
    (
        META,
        phone_in(Region::US),
        "(650)555-1212",
        "+16505551212",
        "16505551212",
        Some("e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"),
    ),
];

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

#[test]
fn published_examples_come_out_as_published() {
    for (document, form, value, text, sha) in PUBLISHED {
        let (Quoted(digest) | Computed(digest)) = sha;
        assert_eq!(normalise(form, value).as_deref(), Ok(text), "{document}: {value}");
        let found = identity(form, Take::Transform, value.as_bytes()).unwrap().unwrap();
        assert_eq!(hex::encode(found.0), digest, "{document}: {value} ({sha:?})");
        // Who hashes by the document's rule and who lets the gateway do it are matched.
        for written in [digest.to_owned(), digest.to_uppercase()] {
            assert_eq!(identity(form, Take::AsHashed, written.as_bytes()), Ok(Some(found)), "{document}: {value}");
        }
    }
}

#[test]
fn where_a_platform_differs_it_differs_as_documented() {
    for (document, form, value, ours, theirs, sha) in OTHERWISE {
        assert_eq!(normalise(form, value).as_deref(), Ok(ours), "{document}: {value}");
        assert_ne!(ours, theirs);
        assert!(sha.is_none_or(|sha| sha == sha256(theirs)), "{document}: {theirs}");
    }
    // A made-up number of Unified ID 2.0, which nobody can dial.
    assert!(normalise(phone_in(Region::SG), "65 1243 5678").is_err());
}

/// The tables of a Markdown file, each row as the texts of its cells. A cell in backticks is what stands between them.
fn tables(markdown: &str) -> Vec<Vec<Vec<String>>> {
    let cell = |cell: &str| {
        let cell = cell.strip_prefix(' ').unwrap_or(cell);
        let cell = cell.strip_suffix(' ').unwrap_or(cell);
        cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`')).unwrap_or(cell).to_owned()
    };
    let mut tables: Vec<Vec<Vec<String>>> = vec![vec![]];
    for line in markdown.lines() {
        match line.strip_prefix('|').and_then(|line| line.strip_suffix('|')) {
            Some(row) => tables.last_mut().unwrap().push(row.split('|').map(cell).collect()),
            None if !tables.last().unwrap().is_empty() => tables.push(vec![]),
            None => {}
        }
    }
    tables
}

/// The rows of the table with this header.
fn table(header: &[&str]) -> Vec<Vec<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/normalisation.md");
    let found = tables(&std::fs::read_to_string(path).unwrap())
        .into_iter()
        .find(|table| table.first().is_some_and(|first| first.iter().map(String::as_str).eq(header.iter().copied())));
    // Its header, the line below, and its rows.
    let rows = found.unwrap().split_off(2);
    assert!(rows.iter().all(|row| row.len() == header.len()), "{header:?}");
    rows
}

/// A form by the name of its match key, with the region for phone numbers: `HASHED_PHONE (GB)`.
fn form(name: &str) -> Form {
    match name {
        "HASHED_EMAIL" => Form::HashedEmail,
        "HASHED_IPV4" => Form::HashedIpv4,
        "IDFA" => Form::Idfa,
        "GAID" => Form::Gaid,
        "ECID" => Form::Ecid,
        "CRM_ID" => Form::CrmId,
        "LOYALTY_ID" => Form::LoyaltyId,
        "PARTNER_ID" => Form::PartnerId,
        "HASHED_PHONE" => Form::HashedPhone { region: None },
        phone => {
            let region = phone.strip_prefix("HASHED_PHONE (").and_then(|rest| rest.strip_suffix(')')).unwrap();
            phone_in(Region::from_code(region).unwrap())
        }
    }
}

#[test]
fn the_documented_examples_are_true() {
    let rows = table(&["match key", "in the file", "is hashed as", "or refused as"]);
    assert!(rows.len() >= 30);
    for row in &rows {
        let (form, value) = (form(&row[0]), row[1].as_str());
        let found = normalise(form, value);
        match (row[2].as_str(), row[3].as_str()) {
            ("", reason) => assert_eq!(found.map_err(|fault| fault.name()), Err(reason), "{row:?}"),
            ("(no value)", "") => assert_eq!(found.as_deref(), Ok(""), "{row:?}"),
            (text, "") => assert_eq!(found.as_deref(), Ok(text), "{row:?}"),
            _ => unreachable!("a value is hashed or refused: {row:?}"),
        }
    }
    for key in
        ["HASHED_EMAIL", "HASHED_PHONE", "HASHED_IPV4", "IDFA", "GAID", "ECID", "CRM_ID", "LOYALTY_ID", "PARTNER_ID"]
    {
        assert!(rows.iter().any(|row| row[0].starts_with(key)), "{key} has no example");
    }
}

#[test]
fn the_documented_digests_are_true() {
    let rows = table(&["match key", "in the file", "taken as"]);
    assert!(!rows.is_empty());
    for row in rows {
        let found = identity(form(&row[0]), Take::AsHashed, row[1].as_bytes());
        let found = found.map_or_else(|fault| fault.name().to_owned(), |found| hex::encode(found.unwrap().0));
        assert_eq!(found, row[2], "{}", row[1]);
    }
}

/// Google's rule, and that of Unified ID 2.0 with one domain less.
fn without_dots_and_tags(value: &str, domains: &[&str]) -> String {
    let lower = value.trim().to_lowercase();
    match lower.split_once('@') {
        Some((name, domain)) if domains.contains(&domain) => {
            let name = name.split('+').next().unwrap_or(name).replace('.', "");
            format!("{name}@{domain}")
        }
        _ => lower,
    }
}

#[test]
fn the_documented_comparison_is_true() {
    let rows = table(&["in the file", "Entente, Meta, PAIR", "Google", "Unified ID 2.0"]);
    assert!(rows.len() >= 4);
    for row in rows {
        let value = row[0].as_str();
        assert_eq!(normalise(Form::HashedEmail, value).as_deref(), Ok(row[1].as_str()), "{value}");
        assert_eq!(row[1], value.trim().to_lowercase());
        assert_eq!(row[2], without_dots_and_tags(value, &["gmail.com", "googlemail.com"]), "Google: {value}");
        assert_eq!(row[3], without_dots_and_tags(value, &["gmail.com"]), "Unified ID 2.0: {value}");
    }
    let rows = table(&["number in the file", "Entente, Google, Unified ID 2.0, PAIR", "Meta"]);
    assert!(!rows.is_empty());
    for row in rows {
        assert_eq!(normalise(phone_in(Region::US), &row[0]).as_deref(), Ok(row[1].as_str()));
        assert_eq!(row[1].strip_prefix('+'), Some(row[2].as_str()));
    }
}

#[test]
fn every_published_document_is_named_where_people_look() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/normalisation.md");
    let documented = std::fs::read_to_string(path).unwrap();
    for document in [META, UID2, GOOGLE, PAIR, X] {
        assert!(documented.contains(document), "{document}");
    }
}
