//! Messages between processes of one machine that carry an open file.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::cmsg_space;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};

/// macOS closes on `exec` only what it is told to close afterwards.
#[cfg(not(target_vendor = "apple"))]
const CLOSED_ON_EXEC: RecvFlags = RecvFlags::CMSG_CLOEXEC;
#[cfg(target_vendor = "apple")]
const CLOSED_ON_EXEC: RecvFlags = RecvFlags::empty();

/// What was received.
#[derive(Debug)]
pub struct Received {
    /// How many bytes; 0 where the other side has hung up.
    pub length: usize,
    /// Whether the message had more than that.
    pub is_cut: bool,
    /// The open file that came with it. Of several the first; the others are closed.
    pub descriptor: Option<OwnedFd>,
}

/// Sends a message, with an open file where one is given, without waiting: whoever has the socket as well can have
/// taken `O_NONBLOCK` from it.
///
/// # Errors
/// Those of the system; `WouldBlock` where the other side has yet to read.
pub fn send(socket: impl AsFd, message: &[u8], descriptor: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors: Vec<_> = descriptor.into_iter().collect();
    if !descriptors.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(&descriptors));
    }
    let sent = sendmsg(socket, &[IoSlice::new(message)], &mut control, SendFlags::DONTWAIT)?;
    if sent == message.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

/// Receives a message, without waiting.
///
/// # Errors
/// Those of the system; `WouldBlock` where there is none.
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<Received> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | CLOSED_ON_EXEC;
    let received = recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut control, flags)?;
    let mut descriptors = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(descriptors) => Some(descriptors),
        _ => None,
    });
    let descriptor = descriptors.next().and_then(|mut descriptors| descriptors.next());
    Ok(Received { length: received.bytes, is_cut: received.flags.contains(ReturnFlags::TRUNC), descriptor })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn open_files_come_with_messages() {
        let (here, there) = UnixStream::pair().unwrap();
        let mut buffer = [0; 8];
        assert_eq!(receive(&there, &mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);

        let (mut ours, theirs) = UnixStream::pair().unwrap();
        send(&here, b"take it", Some(theirs.as_fd())).unwrap();
        drop(theirs);
        let received = receive(&there, &mut buffer).unwrap();
        assert_eq!(&buffer[..received.length], b"take it");
        ours.write_all(b"x").unwrap();
        drop(ours);
        let mut text = String::new();
        File::from(received.descriptor.unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");

        send(&here, b"nothing", None).unwrap();
        assert!(receive(&there, &mut buffer).unwrap().descriptor.is_none());
        drop(here);
        assert_eq!(receive(&there, &mut buffer).unwrap().length, 0);
    }
}
