//! What strangers send to the gateway itself.

mod cursors;
mod documents;
mod gateway;
mod ids;
mod request_bodies;
mod svg;
mod variables;
mod websocket_frames;

pub use cursors::cursors;
pub use documents::documents;
pub use ids::ids;
pub use request_bodies::request_bodies;
pub use svg::svg;
pub use variables::variables;
pub use websocket_frames::websocket_frames;
