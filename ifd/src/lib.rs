//! The IFD handler of vbus: a library that pcscd loads for the readers of a running `vbus serve`.
//!
//! It knows nothing of cards. What pcscd asks of a reader becomes a message over a Unix socket to `vbus serve`, which is
//! the program behind the reader, and the answer comes back the same way. The reader.conf that `vbus serve` writes names
//! the socket and the reader.
//!
//! [`message`] is what is said; `link` the connection; `handler` what pcscd's questions mean; `abi` the C functions.

#[cfg(unix)]
mod abi;
#[cfg(unix)]
mod handler;
#[cfg(unix)]
mod link;
pub mod message;
