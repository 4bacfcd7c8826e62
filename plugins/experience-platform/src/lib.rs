//! Adobe Experience Platform: a destination type that ingests who joined an audience and who left it, as profiles of a
//! dataset, by the [Batch Ingestion API](https://experienceleague.adobe.com/en/docs/experience-platform/ingestion/batch/api-overview).
//!
//! A delivery is one batch of Adobe's, with a file for each batch of ours, which takes the place of the one before where
//! it is sent again; what is in a batch counts once the batch is complete. See [`encoder`] for what is in a file,
//! [`response`] for what may be answered, and [`batches`] for what is kept of a delivery.

pub mod batches;
pub mod config;
pub mod destination;
pub mod encoder;
pub mod response;
pub mod service;
#[cfg(test)]
mod tests;

pub use destination::ExperiencePlatform;

entente_destination::export_destination!(ExperiencePlatform);
