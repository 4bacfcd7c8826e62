//! The hosts that a destination type says it connects to: `api.tvtube.example` is one host, `*.tvtube.example` are all hosts
//! below a domain, and `*` are those that its settings name.

/// The most hosts that a type may name.
pub const MOST: usize = 50;

/// Whether a text names hosts: lower-case, without a port.
pub fn is_sound(pattern: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let name = pattern.strip_prefix("*.").unwrap_or(pattern);
    pattern == "*" || name.len() <= 253 && name.contains('.') && name.split('.').all(label)
}

/// Whether a host, a name or an address, is among those that a pattern names.
pub fn matches(pattern: &str, host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    match pattern.strip_prefix('*') {
        Some("") => true,
        Some(domain) => host.len() > domain.len() && host.ends_with(domain),
        None => host == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_named_by_themselves_or_their_domain() {
        for (pattern, host, expected) in [
            ("api.tvtube.example", "api.tvtube.example", true),
            ("api.tvtube.example", "API.tvtube.example.", true),
            ("api.tvtube.example", "tvtube.example", false),
            ("api.tvtube.example", "my.api.tvtube.example", false),
            ("*.tvtube.example", "api.tvtube.example", true),
            ("*.tvtube.example", "eu.api.tvtube.example", true),
            ("*.tvtube.example", "tvtube.example", false),
            ("*.tvtube.example", ".tvtube.example", false),
            ("*.tvtube.example", "nottvtube.example", false),
            ("*.tvtube.example", "tvtube.example.evil.example", false),
            ("*", "anything.example", true),
            ("*", "192.0.2.1", true),
            ("api.tvtube.example", "192.0.2.1", false),
        ] {
            assert_eq!(matches(pattern, host), expected, "{pattern} {host}");
        }
    }

    #[test]
    fn what_names_no_host_is_refused() {
        for (pattern, sound) in [
            ("*", true),
            ("api.tvtube.example", true),
            ("*.tvtube.example", true),
            ("", false),
            ("*.", false),
            ("*example", false),
            ("**.tvtube.example", false),
            ("api.*.example", false),
            ("localhost", false),
            ("API.tvtube.example", false),
            ("api.tvtube.example:443", false),
            ("https://api.tvtube.example", false),
            ("a..b", false),
            ("a b.example", false),
        ] {
            assert_eq!(is_sound(pattern), sound, "{pattern}");
        }
    }
}
