//! What the operator of the gateway allows sources.

use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

/// What the operator allows. The default allows public addresses alone.
#[derive(Clone, Debug)]
pub struct Operator {
    /// Networks that may be reached beside public addresses, by plain HTTP too.
    pub networks: Vec<IpNet>,
    /// Folders below which an account may read.
    pub roots: Vec<PathBuf>,
    /// Buckets that an account may read as the gateway itself, such as `s3://luma-audiences`.
    pub role_buckets: Vec<String>,
    /// The longest that one request takes, of which none is for more than 4 MiB.
    pub patience: Duration,
}

impl Default for Operator {
    fn default() -> Self {
        Self { networks: vec![], roots: vec![], role_buckets: vec![], patience: Duration::from_secs(60) }
    }
}
