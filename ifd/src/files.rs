//! Files that go along with a message, to a process that has them too from then on.
//!
//! Source: Linux, unix(7), SCM_RIGHTS.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

/// How many go with one message.
const FILES: usize = 2;

/// Sends a short message with files.
///
/// # Errors
/// The other side is gone, or reads nothing.
pub fn send_with_files(stream: &UnixStream, message: &[u8], files: [BorrowedFd<'_>; FILES]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES))];
    let mut along = SendAncillaryBuffer::new(&mut space);
    along.push(SendAncillaryMessage::ScmRights(&files));
    let sent = sendmsg(stream, &[IoSlice::new(message)], &mut along, SendFlags::empty())?;
    if sent == message.len() { Ok(()) } else { Err(ErrorKind::WriteZero.into()) }
}

/// Reads, and takes the files that come along.
pub(crate) struct WithFiles<'a> {
    pub(crate) stream: &'a UnixStream,
    pub(crate) files: &'a mut Vec<OwnedFd>,
}

impl Read for WithFiles<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES))];
        let mut along = RecvAncillaryBuffer::new(&mut space);
        let came = recvmsg(self.stream, &mut [IoSliceMut::new(bytes)], &mut along, RecvFlags::CMSG_CLOEXEC)?;
        for message in along.drain() {
            if let RecvAncillaryMessage::ScmRights(files) = message {
                self.files.extend(files);
            }
        }
        Ok(came.bytes)
    }
}
