//! A server with S3's interface on this machine, which keeps objects as files: that of the crate `s3s`. It checks every
//! signature as Amazon does.

use std::convert::Infallible;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use async_trait::async_trait;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::path::S3Path;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3Result, s3_error};
use s3s_fs::FileSystem;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::{Files, files};

pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// The server and its one bucket, until it is dropped.
pub struct S3 {
    root: TempDir,
    address: SocketAddr,
    serving: Option<Serving>,
}

/// A server that runs. It ends with whatever it is at when its `end` is dropped.
struct Serving {
    end: oneshot::Sender<Infallible>,
    thread: JoinHandle<()>,
}

impl S3 {
    pub fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("luma")).unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let serving = Some(serve(root.path(), listener));
        Self { root, address, serving }
    }

    /// Ends it with whatever it is at. It takes no connections until it is started again.
    pub fn stop(&mut self) {
        if let Some(Serving { end, thread }) = self.serving.take() {
            drop(end);
            thread.join().unwrap();
        }
    }

    /// Starts it again where it was, with what it had.
    pub fn start_again(&mut self) {
        self.serving = Some(serve(self.root.path(), TcpListener::bind(self.address).unwrap()));
    }

    /// Where it listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn settings(&self) -> Value {
        json!({
            "url": "s3://luma/audiences/from tvtube",
            "credentials": {"type": "access_key", "access_key_id": "AKIALUMA", "secret_access_key": SECRET},
            "endpoint": self.url(),
            "allow_plain_http": true,
        })
    }

    /// Every object in the bucket.
    pub fn objects(&self) -> Files {
        files(&self.bucket())
    }

    /// Where the bucket's objects are kept.
    pub fn bucket(&self) -> PathBuf {
        self.root.path().join("luma")
    }

    /// How many pieces of unfinished uploads the server still keeps.
    pub fn pieces(&self) -> usize {
        let names = fs::read_dir(self.root.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with(".upload")).count()
    }

    /// Where an object is kept.
    pub fn file(&self, name: &str) -> PathBuf {
        self.bucket().join(name)
    }
}

fn serve(root: &Path, listener: TcpListener) -> Serving {
    let mut service = S3ServiceBuilder::new(FileSystem::new(root).unwrap());
    service.set_auth(SimpleAuth::from_single("AKIALUMA", SECRET));
    service.set_access(Buckets(root.to_owned()));
    listener.set_nonblocking(true).unwrap();
    let (end, ended) = oneshot::channel::<Infallible>();
    let (service, runtime) = (service.build(), tokio::runtime::Builder::new_current_thread().enable_all().build());
    let thread = thread::spawn(move || {
        runtime.unwrap().block_on(async {
            tokio::select! {
                _ = ended => {}
                () = accept(listener, service) => {}
            }
        });
    });
    Serving { end, thread }
}

async fn accept(listener: TcpListener, service: S3Service) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    while let Ok((stream, _)) = listener.accept().await {
        let service = service.clone();
        tokio::spawn(async move { http1::Builder::new().serve_connection(TokioIo::new(stream), service).await });
    }
}

/// `s3s-fs` makes buckets that are not there, which Amazon does not.
struct Buckets(PathBuf);

#[async_trait]
impl S3Access for Buckets {
    async fn check(&self, request: &mut S3AccessContext<'_>) -> S3Result<()> {
        match request.s3_path() {
            S3Path::Object { bucket, .. } | S3Path::Bucket { bucket } if Path::is_dir(&self.0.join(&**bucket)) => {
                Ok(())
            }
            _ => Err(s3_error!(NoSuchBucket)),
        }
    }
}
