//! A network that breaks off.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
};

/// Stands before a gateway. It cuts connections off after so many bytes to the gateway each, as long as it is told to.
pub struct Proxy {
    address: SocketAddr,
    cuts: Arc<Mutex<VecDeque<u64>>>,
}

impl Proxy {
    pub async fn before(gateway: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cuts = Arc::new(Mutex::new(VecDeque::new()));
        let budgets = cuts.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(pass(client, gateway, budgets.clone()));
            }
        });
        Self { address, cuts }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next connections end after so many bytes each; those that are there already at their next byte.
    pub fn cut(&self, after: impl IntoIterator<Item = u64>) {
        self.cuts.lock().unwrap().extend(after);
    }

    /// How many cuts are still to come.
    pub fn left(&self) -> usize {
        self.cuts.lock().unwrap().len()
    }
}

async fn pass(client: TcpStream, gateway: SocketAddr, cuts: Arc<Mutex<VecDeque<u64>>>) {
    let Ok(gateway) = TcpStream::connect(gateway).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_gateway, mut to_gateway) = gateway.into_split();
    let up = async {
        let mut piece = vec![0; 16 << 10];
        let mut left: Option<u64> = None;
        while let Ok(n @ 1..) = from_client.read(&mut piece).await {
            if left.is_none() {
                left = cuts.lock().unwrap().pop_front();
            }
            let allowed = left.map_or(n, |left| n.min(left as usize));
            if to_gateway.write_all(&piece[..allowed]).await.is_err() || allowed < n {
                return;
            }
            left = left.map(|left| left - allowed as u64);
        }
    };
    tokio::select! {
        () = up => {}
        _ = copy(&mut from_gateway, &mut to_client) => {}
    }
}
