//! A server with S3's interface on this machine, which keeps objects as files: that of the crate `s3s`. It checks every
//! signature as Amazon does.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

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

pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// The server and its one bucket, until it is dropped.
pub struct S3 {
    root: TempDir,
    address: SocketAddr,
    _end: oneshot::Sender<Infallible>,
}

impl S3 {
    pub fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("luma")).unwrap();
        let mut service = S3ServiceBuilder::new(FileSystem::new(root.path()).unwrap());
        service.set_auth(SimpleAuth::from_single("AKIALUMA", SECRET));
        service.set_access(Buckets(root.path().to_owned()));
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel::<Infallible>();
        let (service, runtime) = (service.build(), tokio::runtime::Builder::new_current_thread().enable_all().build());
        std::thread::spawn(move || {
            runtime.unwrap().block_on(async {
                tokio::select! {
                    _ = ended => {}
                    () = accept(listener, service) => {}
                }
            });
        });
        Self { root, address, _end: end }
    }

    pub fn settings(&self) -> Value {
        json!({
            "url": "s3://luma/audiences/from tvtube",
            "credentials": {"type": "access_key", "access_key_id": "AKIALUMA", "secret_access_key": SECRET},
            "endpoint": format!("http://{}", self.address),
            "allow_plain_http": true,
        })
    }

    /// Every object in the bucket.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        let (bucket, mut objects) = (self.root.path().join("luma"), BTreeMap::new());
        let mut folders = vec![bucket.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&bucket).unwrap().to_str().unwrap().to_owned();
                    objects.insert(name, fs::read(path).unwrap());
                }
            }
        }
        objects
    }

    /// How many pieces of unfinished uploads the server still keeps.
    pub fn pieces(&self) -> usize {
        let names = fs::read_dir(self.root.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with(".upload")).count()
    }

    /// Where an object is kept.
    pub fn file(&self, name: &str) -> PathBuf {
        self.root.path().join("luma").join(name)
    }
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
            S3Path::Object { bucket, .. } if Path::is_dir(&self.0.join(&**bucket)) => Ok(()),
            _ => Err(s3_error!(NoSuchBucket)),
        }
    }
}
