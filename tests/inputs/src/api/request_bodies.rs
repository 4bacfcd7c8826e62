//! Bodies of GraphQL requests over HTTP.

use super::gateway::ask;
use axum::http::StatusCode;
use entente::fuzzing::{from_body, from_parameters};
use serde_json::Value;

/// A body is answered or refused. One that is a request is the same once it was printed, and as parameters of an address.
pub fn request_bodies(body: &[u8]) {
    let answers = ask(body);
    let Ok(request) = from_body(body) else {
        assert!(answers.iter().all(|(status, _)| *status == StatusCode::BAD_REQUEST), "{answers:?}");
        return;
    };
    for (status, answer) in &answers {
        let answered = *status == StatusCode::OK && answer.get("data").is_some();
        assert!(answered || answer["errors"].as_array().is_some_and(|e| !e.is_empty()), "{status} {answer}");
    }
    let printed = serde_json::to_value(&request).unwrap();
    let again = from_body(printed.to_string().as_bytes()).expect("it was a request");
    assert_eq!(comparable(serde_json::to_value(again).unwrap()), comparable(printed.clone()));
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let parameters = printed.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
    let parameters = from_parameters(parameters.map(|(name, value)| (name.clone(), text(value))).collect());
    let of_parameters = serde_json::to_value(parameters.expect("it was a request")).unwrap();
    assert_eq!(comparable(of_parameters), comparable(printed));
}

/// A value without its fractions: reading one may change its last bit.
fn comparable(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => Value::Null,
        Value::Array(items) => items.into_iter().map(comparable).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, comparable(value))).collect(),
        other => other,
    }
}
