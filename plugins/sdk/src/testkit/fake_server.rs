//! A server for tests: it keeps what it is asked and answers by a script.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri, header};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// A request that the server was sent.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its method.
    pub method: String,
    /// Its path and query.
    pub uri: Uri,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// When it was there.
    pub at: Instant,
}

impl Recorded {
    /// The value of a header that is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// What the server answers.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
    delay: Duration,
    cut: Option<usize>,
}

impl Reply {
    /// An answer with this status and no body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), delay: Duration::ZERO, cut: None }
    }

    /// No answer: the connection is cut once the request is there.
    pub fn cut() -> Self {
        Self { cut: Some(0), ..Self::status(200) }
    }

    /// The same with a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with a body.
    #[must_use]
    pub fn body(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// The same with JSON as its body.
    #[must_use]
    pub fn json(self, body: &serde_json::Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    /// The same after some time.
    #[must_use]
    pub fn delay(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// The same, cut off after so many bytes of its body, at least one.
    #[must_use]
    pub fn cut_after(self, bytes: usize) -> Self {
        Self { cut: Some(bytes.max(1)), ..self }
    }
}

type Otherwise = Box<dyn FnMut(&Recorded) -> Reply + Send>;

struct Book {
    requests: Vec<Recorded>,
    script: VecDeque<Reply>,
    otherwise: Otherwise,
}

/// An HTTP server on a free port of this machine, on a thread of its own, so that both plain and async tests can use it.
/// Each request is kept, then answered with the script's next reply; once the script is over, by the function given to
/// [`FakeServer::otherwise`], or with 200. It ends when dropped.
pub struct FakeServer {
    address: SocketAddr,
    book: Arc<Mutex<Book>>,
    _end: oneshot::Sender<Infallible>,
}

impl FakeServer {
    /// Starts one.
    ///
    /// # Errors
    /// Those of the system, where there is no port or no thread to be had.
    pub fn start() -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let book = Book { requests: Vec::new(), script: VecDeque::new(), otherwise: Box::new(|_| Reply::status(200)) };
        let book = Arc::new(Mutex::new(book));
        let (end, ended) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let serving = book.clone();
        std::thread::Builder::new().name("fake-server".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = ended => {}
                    () = accept(listener, serving) => {}
                }
            });
        })?;
        Ok(Self { address, book, _end: end })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of `path` on it, which starts with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Adds replies to the script.
    pub fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        lock(&self.book).script.extend(replies);
    }

    /// What it answers when the script is over.
    pub fn otherwise(&self, reply: impl FnMut(&Recorded) -> Reply + Send + 'static) {
        lock(&self.book).otherwise = Box::new(reply);
    }

    /// Every request so far, in order.
    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.book).requests.clone()
    }
}

/// The book also after a test's function panicked over it: that test fails by itself.
fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: std::net::TcpListener, book: Arc<Mutex<Book>>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream, book.clone()));
    }
}

async fn serve(stream: TcpStream, book: Arc<Mutex<Book>>) {
    let service = service_fn(|request| answer(request, &book));
    // An error here is a connection that either side cut.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: Request<Incoming>, book: &Mutex<Book>) -> io::Result<Response<Script>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let recorded =
        Recorded { method: head.method.to_string(), uri: head.uri, headers: head.headers, body, at: Instant::now() };
    let reply = {
        let mut book = lock(book);
        book.requests.push(recorded.clone());
        book.script.pop_front().unwrap_or_else(|| (book.otherwise)(&recorded))
    };
    tokio::time::sleep(reply.delay).await;
    if reply.cut == Some(0) {
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    respond(reply).map_err(io::Error::other)
}

fn respond(reply: Reply) -> Result<Response<Script>, ::http::Error> {
    let mut response = Response::builder().status(StatusCode::from_u16(reply.status)?);
    for (name, value) in reply.headers {
        response = response.header(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    if reply.status != StatusCode::NO_CONTENT {
        response = response.header(header::CONTENT_LENGTH, reply.body.len());
    }
    let end = reply.cut.unwrap_or(usize::MAX).min(reply.body.len());
    let rest = reply.body.slice(..end);
    response.body(Script { rest, end: if reply.cut.is_some() { End::Flush } else { End::Whole } })
}

/// A body of one piece, which may break off after it.
struct Script {
    rest: Bytes,
    end: End,
}

/// How a body ends.
enum End {
    /// Well.
    Whole,
    /// It breaks off, once what was sent before has left.
    Flush,
    /// It breaks off.
    Break,
}

impl Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.rest)))));
        }
        match self.end {
            End::Whole => Poll::Ready(None),
            End::Flush => {
                self.end = End::Break;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            End::Break => Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into()))),
        }
    }
}
