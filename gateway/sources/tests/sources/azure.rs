//! Against Microsoft's emulator, which checks signatures.

use entente_test_servers::azurite::{Container, azurite};
use futures::{StreamExt, TryStreamExt};
use serde_json::json;

use super::*;

fn settings(container: &Container) -> Value {
    let of_destinations = container.settings();
    json!({
        "account": of_destinations["credentials"]["account"],
        "container": container.name(),
        "prefix": "audiences",
        "endpoint": of_destinations["endpoint"],
        "credentials": {"type": "account_key", "key": of_destinations["credentials"]["key"]},
    })
}

#[test]
fn blobs_are_listed_and_read() {
    let Some(azurite) = azurite() else { return };
    let container = azurite.container();
    container.put("audiences/a.csv", b"email\nada@example.com\n");
    container.put("audiences/2026/b.csv", &long(9_000_000));
    container.put("c.csv", b"email\n");
    let source = open("azure_blob", &settings(&container)).unwrap();
    assert_eq!(check(&*source), "-");
    let listed = list(&*source);
    assert_eq!(names(&*source), ["audiences/2026/b.csv", "audiences/a.csv"]);
    assert!(read(&*source, &listed[0]).unwrap() == long(9_000_000));
    assert_eq!(read_plain(&*source, &listed[1]).unwrap(), b"email\nada@example.com\n");
    container.put("audiences/a.csv", b"email\nbob@example.com\n");
    assert_eq!(read(&*source, &listed[1]).unwrap_err(), SourceError::ChangedWhileRead);
}

#[test]
fn refused_credentials_and_containers_that_are_not_there_are_told_apart() {
    let Some(azurite) = azurite() else { return };
    let container = azurite.container();
    container.put("audiences/a.csv", b"email\n");
    let told = |field: &str, value: Value| {
        let mut settings = settings(&container);
        settings[field] = value;
        check(&*open("azure_blob", &settings).unwrap())
    };
    let token = |permissions: &str| json!({"type": "sas_token", "token": Container::sas(permissions)["token"]});
    // What the emulator says of a wrong key is what Azure says of a firewall.
    assert_eq!(told("credentials", json!({"type": "account_key", "key": "czNjcmV0"})), "NO_PERMISSION");
    assert_eq!(told("container", json!("other")), "NO_SUCH_PLACE");
    // The signature is for objects: those may be read and not listed.
    assert_eq!(told("credentials", token("r")), "NO_PERMISSION");
}

#[test]
fn a_signature_that_ends_in_the_middle_is_told() {
    let Some(azurite) = azurite() else { return };
    let container = azurite.container();
    container.put("audiences/a.csv", &long(9_000_000));
    let end = chrono::Utc::now() + Duration::from_secs(5);
    let token = Container::sas_until("rl", "co", &end.format("%Y-%m-%dT%H:%M:%SZ").to_string())["token"].clone();
    let mut settings = settings(&container);
    settings["credentials"] = json!({"type": "sas_token", "token": token});
    let source = open("azure_blob", &settings).unwrap();
    let part = list(&*source).remove(0);
    let read = now(async {
        let mut content = source.open(&part, 0..part.size).await?;
        let first = content.next().await.unwrap()?;
        tokio::time::sleep(Duration::from_secs(6)).await;
        let rest: Vec<_> = content.try_collect().await?;
        Ok::<_, SourceError>((first, rest))
    });
    // The emulator says of a signature that ended what Azure says of a firewall.
    assert_eq!(read.unwrap_err().kind(), "NO_PERMISSION");
    assert_eq!(now(source.list(10)).unwrap_err().kind(), "NO_PERMISSION");
}
