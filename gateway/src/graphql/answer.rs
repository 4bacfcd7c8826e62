//! What a client reads: a response as JSON, in which each error has the id of its request.

use crate::http::request_id::RequestId;
use async_graphql::{Error, Pos, Response};
use std::sync::Arc;

/// A response as JSON; everybody who is sent the same shares it.
pub type Answer = Arc<str>;

/// A response as JSON.
pub fn answer(response: Response, id: &RequestId) -> Answer {
    serde_json::to_string(&with_request_id(response, id)).unwrap_or_else(|_| "null".to_owned()).into()
}

/// The answer that holds nothing but an error.
pub fn error_answer(error: Error, id: &RequestId) -> Answer {
    let mut error = error.into_server_error(Pos::default());
    error.locations.clear();
    answer(Response::from_errors(vec![error]), id)
}

/// Names the request in each error.
pub fn with_request_id(mut response: Response, id: &RequestId) -> Response {
    for error in &mut response.errors {
        error.extensions.get_or_insert_default().set("requestId", id.as_str());
    }
    response
}
