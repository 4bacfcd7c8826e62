//! The names of hosts that hyper asks for, answered with the addresses that may be reached.

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use crate::reach::{NoAddress, Reach};

type Boxed = Box<dyn Error + Send + Sync>;

/// Finds out the addresses of names, and gives those that may be reached. It is to these that connections are made.
#[derive(Debug, Clone)]
pub(super) struct Resolver(Reach);

impl Resolver {
    pub(super) fn new(reach: Reach) -> Self {
        Self(reach)
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Boxed;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Boxed>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Boxed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let reach = self.0.clone();
        Box::pin(async move {
            // The port is hyper's to set.
            match reach.resolve(name.as_str(), 0).await {
                Ok(addresses) => Ok(addresses.into_iter()),
                Err(NoAddress::OutOfReach(error)) => Err(error.into()),
                Err(NoAddress::Unknown(error)) => Err(error.into()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::destination::Operator;
    use crate::reach::OutOfReach;

    #[tokio::test]
    async fn a_name_leads_only_where_an_address_may() {
        let localhost = || "localhost".parse::<Name>().unwrap();
        let refused = Resolver::new(Reach::of(&Operator::default())).call(localhost()).await.unwrap_err();
        assert!(refused.is::<OutOfReach>(), "{refused}");
        let networks = vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        let near = Reach::of(&Operator { networks, ..Operator::default() });
        assert!(Resolver::new(near).call(localhost()).await.unwrap().count() > 0);
    }
}
