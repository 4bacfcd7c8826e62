//! Cookies: of browsers that are signed in, and of those that are about to be.
//!
//! Where the gateway is reached by HTTPS their names begin with `__Host-`: such a cookie was set by this very host, over
//! HTTPS. Plain HTTP is for this machine alone, and browsers take no such names there.

use axum::http::{HeaderMap, HeaderValue, header};
use chrono::TimeDelta;
use cookie::{Cookie, SameSite};

/// The cookie of a browser that is signed in.
pub const SESSION: &str = "entente";
/// The cookie of a browser that is at the provider.
pub const SIGN_IN: &str = "entente-sign-in";

fn is_secure(base_url: &str) -> bool {
    base_url.starts_with("https://")
}

fn full_name(name: &str, base_url: &str) -> String {
    if is_secure(base_url) { format!("__Host-{name}") } else { name.to_owned() }
}

/// What a request has in a cookie.
pub fn read(headers: &HeaderMap, name: &str, base_url: &str) -> Option<String> {
    let name = full_name(name, base_url);
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut cookies = lines.flat_map(Cookie::split_parse).filter_map(Result::ok);
    cookies.find(|cookie| cookie.name() == name && !cookie.value().is_empty()).map(|cookie| cookie.value().to_owned())
}

/// Sets a cookie for a time. No script reads it, and pages of others send it with nothing but links.
pub fn set(name: &str, value: &str, lasts: TimeDelta, base_url: &str) -> Option<HeaderValue> {
    let lasts = cookie::time::Duration::seconds(lasts.num_seconds());
    let cookie = Cookie::build((full_name(name, base_url), value.to_owned())).path("/").http_only(true);
    let cookie = cookie.secure(is_secure(base_url)).same_site(SameSite::Lax).max_age(lasts).build();
    let mut value = HeaderValue::try_from(cookie.to_string()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Takes a cookie away.
pub fn remove(name: &str, base_url: &str) -> Option<HeaderValue> {
    set(name, "", TimeDelta::zero(), base_url)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn cookies_are_for_this_host_and_no_script() {
        let set = |base_url| set(SESSION, "es_x", TimeDelta::hours(12), base_url).unwrap().to_str().unwrap().to_owned();
        let by_https = set("https://entente.example");
        assert_eq!(by_https, "__Host-entente=es_x; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=43200");
        let on_this_machine = set("http://127.0.0.1:8080");
        assert_eq!(on_this_machine, "entente=es_x; HttpOnly; SameSite=Lax; Path=/; Max-Age=43200");
        let removed = remove(SESSION, "https://entente.example").unwrap();
        assert_eq!(removed, "__Host-entente=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0");
    }

    #[test]
    fn a_cookie_counts_under_its_full_name() {
        let found = |base_url, lines: &[&str]| {
            let lines = lines.iter().map(|line| (header::COOKIE, line.parse().unwrap()));
            read(&lines.collect(), SESSION, base_url)
        };
        for (base_url, lines, expected) in [
            ("https://entente.example", &["a=b; __Host-entente=es_x"][..], Some("es_x")),
            ("https://entente.example", &["a=b", "__Host-entente=es_x"], Some("es_x")),
            ("https://entente.example", &["entente=es_x"], None),
            ("https://entente.example", &["__host-entente=es_x"], None),
            ("http://127.0.0.1:8080", &["entente=es_x; entente=es_y"], Some("es_x")),
            ("http://127.0.0.1:8080", &["entente=; =; ;;"], None),
            ("http://127.0.0.1:8080", &[], None),
        ] {
            assert_eq!(found(base_url, lines).as_deref(), expected, "{lines:?}");
        }
    }
}
