//! What a client reads: a response, in which each error has the id of its request.

use crate::http::request_id::RequestId;
use async_graphql::{Error, Pos, Response};
use std::sync::Arc;

/// A response, and the same as JSON. Everybody who is sent the same shares both.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    response: Arc<Response>,
    json: Arc<str>,
}

impl Answer {
    /// The response as JSON.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The response, copied where others share it.
    pub fn into_response(self) -> Response {
        Arc::try_unwrap(self.response).unwrap_or_else(|shared| {
            let mut copy = Response::new(shared.data.clone());
            copy.extensions.clone_from(&shared.extensions);
            copy.errors.clone_from(&shared.errors);
            copy
        })
    }
}

/// What a client reads of a response.
pub fn answer(response: Response, id: &RequestId) -> Answer {
    let response = with_request_id(response, id);
    let json = serde_json::to_string(&response).unwrap_or_else(|_| "null".to_owned()).into();
    Answer { response: Arc::new(response), json }
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

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::value;

    #[test]
    fn everybody_reads_the_same() {
        let mut response = Response::new(value!({ "connectionEvents": { "cursor": "ZTE" } }));
        response.errors = vec![Error::new("No.").into_server_error(Pos::default())];
        let first = answer(response, &RequestId::generate());
        assert!(first.json().contains("requestId"));
        for answer in [first.clone(), first.clone(), first.clone()] {
            assert_eq!(serde_json::to_string(&answer.into_response()).ok().as_deref(), Some(first.json()));
        }
    }
}
