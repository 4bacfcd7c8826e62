//! The GraphiQL page, its script and its styles.

use std::sync::LazyLock;

use axum::Router;
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use sha2::{Digest, Sha256};

/// Whether the build bundled the page. If not, it loads its libraries from a public CDN.
pub const BUNDLED: bool = cfg!(graphiql_bundled);

/// Where the page sends queries and mutations, and opens its WebSocket for subscriptions.
const GRAPHQL_PATH: &str = "/graphql";

/// What the query editor shows on a first visit.
const DEFAULT_QUERY: &str = r#"# 1. In Headers, below, put your key after Bearer:
#      { "Authorization": "Bearer <key>" }
# 2. Run this with Ctrl-Enter.
# The book on the left has the documentation.

query {
  viewer {
    accounts(first: 10) {
      nodes {
        id
        name
        role
      }
    }
  }
}
"#;

const TEMPLATE: &str = include_str!("../../graphiql/page.html");

#[cfg(graphiql_bundled)]
mod assets {
    pub const LIBRARIES: &str = "";
    pub const SCRIPT: &str = include_str!(concat!(env!("OUT_DIR"), "/graphiql/dist/app.js"));
    pub const STYLES: &str = include_str!(concat!(env!("OUT_DIR"), "/graphiql/dist/app.css"));
}

#[cfg(not(graphiql_bundled))]
mod assets {
    pub const LIBRARIES: &str = include_str!("../../graphiql/cdn.html");
    pub const SCRIPT: &str = include_str!("../../graphiql/page.js");
    pub const STYLES: &str = include_str!("../../graphiql/page.css");
}

static PAGE: LazyLock<String> = LazyLock::new(|| {
    let version = Sha256::new().chain_update(assets::SCRIPT).chain_update(assets::STYLES).finalize();
    TEMPLATE
        .replace("{{libraries}}", assets::LIBRARIES)
        .replace("{{version}}", &hex::encode(&version[..8]))
        .replace("{{graphql path}}", GRAPHQL_PATH)
        .replace("{{default query}}", &attribute(DEFAULT_QUERY))
});

static POLICY: LazyLock<String> = LazyLock::new(|| content_security_policy(assets::LIBRARIES));

/// `/graphiql`, `/graphiql/app.js` and `/graphiql/app.css`.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/graphiql", get(page))
        .route("/graphiql/app.js", get(script))
        .route("/graphiql/app.css", get(styles))
}

async fn page() -> impl IntoResponse {
    (
        [
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ],
        Html(PAGE.as_str()),
    )
}

async fn script() -> impl IntoResponse {
    asset("text/javascript; charset=utf-8", assets::SCRIPT)
}

async fn styles() -> impl IntoResponse {
    asset("text/css; charset=utf-8", assets::STYLES)
}

/// The page asks for a script or style by the hash of what it holds, so an answer never goes stale.
fn asset(content_type: &'static str, body: &'static str) -> impl IntoResponse {
    (
        [
            (header::CONTENT_TYPE, content_type),
            (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ],
        body,
    )
}

/// Scripts and styles come from the gateway and from the very files that `libraries` names; the page
/// talks to nobody but the gateway. (GraphiQL's dialogs try to add one inline style, which only stops
/// the page behind them from scrolling: the page does not scroll, and the policy refuses it.)
fn content_security_policy(libraries: &str) -> String {
    let mut scripts = "'self'".to_owned();
    let mut styles = "'self'".to_owned();
    for tag in libraries.lines() {
        let (sources, link) =
            if tag.starts_with("<script") { (&mut scripts, "src=\"") } else { (&mut styles, "href=\"") };
        if let Some((url, _)) = tag.split_once(link).and_then(|(_, rest)| rest.split_once('"')) {
            sources.push(' ');
            sources.push_str(url);
        }
    }
    format!(
        "default-src 'none'; script-src {scripts}; style-src {styles}; font-src data:; img-src 'self' data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// `text` as the value of an HTML attribute in double quotes.
fn attribute(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt;

    const CDN: &str = include_str!("../../graphiql/cdn.html");

    #[tokio::test]
    async fn serves_the_page_and_what_it_asks_for() {
        let (start, _) = PAGE.split_once("<body>").unwrap();
        let own = start.split('"').filter(|part| part.starts_with("/graphiql/"));
        let mut types = Vec::new();
        for path in own.chain(["/graphiql"]) {
            let request = Request::get(path).body(Body::empty()).unwrap();
            let response = routes::<()>().oneshot(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            types.push(response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned());
        }
        assert_eq!(types, ["text/css; charset=utf-8", "text/javascript; charset=utf-8", "text/html; charset=utf-8"]);
    }

    #[test]
    fn fills_every_place_of_the_template() {
        assert!(!PAGE.contains("{{"), "{}", *PAGE);
        assert!(PAGE.contains(r#"{ &quot;Authorization&quot;: &quot;Bearer &lt;key>&quot; }"#));
    }

    #[test]
    fn every_cdn_file_is_pinned_and_allowed_by_name() {
        let package: serde_json::Value = serde_json::from_str(include_str!("../../graphiql/package.json")).unwrap();
        let policy = content_security_policy(CDN);
        for tag in CDN.lines() {
            let (_, rest) = tag.split_once("https://cdn.jsdelivr.net/npm/").unwrap();
            let (file, _) = rest.split_once('"').unwrap();
            let (name, version) = file.split_once('/').unwrap().0.split_once('@').unwrap();
            assert_eq!(package["dependencies"][name], version, "{tag}");
            assert!(tag.contains(r#"integrity="sha384-"#), "{tag}");
            assert!(policy.contains(&format!(" https://cdn.jsdelivr.net/npm/{file}")), "{policy}");
        }
        assert_eq!(CDN.lines().count(), 5);
    }

    #[test]
    fn the_bundled_page_trusts_only_the_gateway() {
        assert!(!content_security_policy("").contains("http"));
        assert!(!content_security_policy("").contains("unsafe"));
    }
}
