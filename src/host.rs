//! The edge where threads are: one machine on a thread of its own, any number of services that talk to it.
//!
//! Requests come in over a channel and every answer goes out over its caller's own. The machine issues each of them
//! overlapped, so one that waits for its card holds nobody else up. Virtual time passes only while every request that
//! is out waits for it.

use std::collections::BTreeMap;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use thiserror::Error;
use vbus_wdm::constants::*;
use vbus_wdm::{FileObject, IoStatus, IoctlCode, Machine, NtStatus, OpenOptions, Overlapped, Stop};

/// Why a call to a hosted machine failed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum HostError {
    /// The machine is stopped.
    #[error(transparent)]
    Stopped(#[from] Stop),
    /// The open was refused.
    #[error("opening {path} failed with {status}")]
    Open {
        /// What was to be opened.
        path: String,
        /// The create's status.
        status: NtStatus,
    },
    /// The host was shut down, or its thread ended.
    #[error("the machine's thread has ended")]
    Gone,
}

/// A file that a client opened on the hosted machine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RemoteFile(FileObject);

/// A finished request: what DeviceIoControl returned and what is in the output buffer.
type Finished = Result<(IoStatus, Vec<u8>), HostError>;

/// Code that is run on the machine's thread.
type Job = Box<dyn FnOnce(&mut Machine) + Send>;

enum Call {
    Open { path: String, reply: Sender<Result<FileObject, HostError>> },
    Control { file: FileObject, code: IoctlCode, input: Vec<u8>, output: Vec<u8>, reply: Sender<Finished> },
    Close { file: FileObject, reply: Sender<Result<NtStatus, HostError>> },
    Run(Job),
    ShutDown,
}

/// A service's way to the machine. Clone it for every thread.
#[derive(Clone)]
pub struct Client {
    calls: Sender<Call>,
}

/// A machine on a thread of its own.
pub struct Host {
    client: Client,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    /// Starts the thread. The machine is made there: it never crosses threads.
    pub fn start<T>(build: impl FnOnce() -> (Machine, T) + Send + 'static) -> (Host, T)
    where
        T: Send + 'static,
    {
        let (calls, received) = unbounded();
        let (built, wait_built) = bounded(1);
        let thread = thread::spawn(move || {
            let (machine, made) = build();
            // The caller waits for exactly this.
            _ = built.send(made);
            Server { machine, calls: received, waiting: BTreeMap::new() }.serve();
        });
        // If the build panics, so does this: there is no machine to host.
        let made = wait_built.recv().expect("the machine was built");
        (Host { client: Client { calls }, thread: Some(thread) }, made)
    }

    /// A way to the machine.
    pub fn client(&self) -> Client {
        self.client.clone()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // A thread that has ended already needs no telling.
        _ = self.client.calls.send(Call::ShutDown);
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}

impl Client {
    /// Opens a device by its interface or symbolic link.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn open(&self, path: &str) -> Result<RemoteFile, HostError> {
        self.call(|reply| Call::Open { path: path.to_owned(), reply })?.map(RemoteFile)
    }

    /// `DeviceIoControl`: waits for the answer, while other clients' requests go on.
    ///
    /// `output` is the caller's buffer; what the device wrote is in it afterwards.
    ///
    /// # Errors
    /// [`HostError`]; a request that fails is not one.
    pub fn control(
        &self,
        file: RemoteFile,
        code: IoctlCode,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<IoStatus, HostError> {
        let buffer = output.to_vec();
        let call = |reply| Call::Control { file: file.0, code, input: input.to_vec(), output: buffer, reply };
        let (status, written) = self.call(call)??;
        output.copy_from_slice(&written);
        Ok(status)
    }

    /// `CloseHandle`.
    ///
    /// # Errors
    /// [`HostError`].
    pub fn close(&self, file: RemoteFile) -> Result<NtStatus, HostError> {
        self.call(|reply| Call::Close { file: file.0, reply })?
    }

    /// Runs code on the machine's thread and returns what it made: for whoever watches the machine.
    ///
    /// # Errors
    /// [`HostError::Gone`].
    pub fn run<R: Send + 'static>(
        &self,
        code: impl FnOnce(&mut Machine) -> R + Send + 'static,
    ) -> Result<R, HostError> {
        self.call(|reply: Sender<R>| {
            // The caller waits for exactly this.
            Call::Run(Box::new(move |machine| _ = reply.send(code(machine))))
        })
    }

    fn call<R>(&self, call: impl FnOnce(Sender<R>) -> Call) -> Result<R, HostError> {
        let (reply, answer) = bounded(1);
        self.calls.send(call(reply)).map_err(|_| HostError::Gone)?;
        answer.recv().map_err(|_| HostError::Gone)
    }
}

/// The machine's thread.
struct Server {
    machine: Machine,
    calls: Receiver<Call>,
    /// Requests that are out, with the buffer that their answer goes into.
    waiting: BTreeMap<Overlapped, (Vec<u8>, Sender<Finished>)>,
}

impl Server {
    fn serve(mut self) {
        loop {
            // With requests out, whoever calls now comes first; only then does time pass for those that wait.
            let call = if self.waiting.is_empty() {
                self.calls.recv().ok()
            } else {
                match self.calls.try_recv() {
                    Ok(call) => Some(call),
                    Err(_) if self.pass_time() => continue,
                    Err(_) => self.calls.recv().ok(),
                }
            };
            match call {
                None | Some(Call::ShutDown) => return,
                Some(call) => self.take(call),
            }
            self.answer_finished();
        }
    }

    /// Fires the next timer. Returns false if there is none: then only another call can move things on.
    fn pass_time(&mut self) -> bool {
        let fired = self.machine.run(|m| m.fire_next_timer());
        self.answer_finished();
        match fired {
            Ok(fired) => fired,
            Err(stop) => {
                self.fail_all(stop);
                true
            }
        }
    }

    fn take(&mut self, call: Call) {
        match call {
            Call::Open { path, reply } => {
                let opened = self.machine.create_file(&path, OpenOptions::OVERLAPPED);
                let opened = match opened {
                    Ok(opened) => opened.map_err(|status| HostError::Open { path, status }),
                    Err(stop) => Err(stop.into()),
                };
                // A client that went away waits for no answer, here and below.
                _ = reply.send(opened);
            }
            Call::Control { file, code, input, output, reply } => self.control(file, code, &input, output, reply),
            Call::Close { file, reply } => _ = reply.send(self.machine.close_handle(file).map_err(HostError::from)),
            Call::Run(job) => job(&mut self.machine),
            Call::ShutDown => {}
        }
    }

    fn control(&mut self, file: FileObject, code: IoctlCode, input: &[u8], output: Vec<u8>, reply: Sender<Finished>) {
        match self.machine.start_io_control(file, code, input, &output) {
            Ok(Ok(overlapped)) => _ = self.waiting.insert(overlapped, (output, reply)),
            Ok(Err(status)) => _ = reply.send(Ok((IoStatus { status, information: 0 }, output))),
            Err(stop) => {
                _ = reply.send(Err(stop.clone().into()));
                self.fail_all(stop);
            }
        }
    }

    fn answer_finished(&mut self) {
        while let Some(overlapped) = self.machine.next_completion() {
            let Some((mut output, reply)) = self.waiting.remove(&overlapped) else { continue };
            let status = self.machine.overlapped_result(overlapped, &mut output);
            let status = status.unwrap_or(IoStatus { status: STATUS_UNSUCCESSFUL, information: 0 });
            _ = reply.send(Ok((status, output)));
        }
    }

    /// A stopped machine answers everybody with what stopped it.
    fn fail_all(&mut self, stop: Stop) {
        for (_, (_, reply)) in std::mem::take(&mut self.waiting) {
            _ = reply.send(Err(stop.clone().into()));
        }
    }
}
