//! The IFD handler of vbus: a library that pcscd loads for the readers of a running `vbus serve`.
//!
//! It knows nothing of cards. What pcscd asks of a reader becomes a message to `vbus serve`, which is the program behind the
//! reader, and the answer comes back the same way. The reader.conf that `vbus serve` writes names the socket over which the
//! two meet, and the reader; where the system can, messages then go through memory that both have.
//!
//! [`message`] is what is said; [`mailbox`] is memory for it, and [`doorbell`] what wakes who looks there; `connection` is the
//! socket with both, `link` a reader's, `events` a second one over which comes what happens to cards; `handler` is what
//! pcscd's questions mean, `abi` the C functions. `memory` is what two processes share, [`patience`] how they wait.

#[cfg(unix)]
mod abi;
#[cfg(unix)]
mod connection;
#[cfg(unix)]
pub mod doorbell;
#[cfg(unix)]
mod events;
#[cfg(unix)]
pub mod files;
#[cfg(unix)]
mod handler;
#[cfg(unix)]
mod link;
#[cfg(unix)]
pub mod mailbox;
#[cfg(unix)]
mod memory;
pub mod message;
pub mod patience;
