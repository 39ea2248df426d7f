//! The user-mode side: what a program's DeviceIoControl does, and what it sees of the answer.

mod buffers;
mod second_stage;

pub(crate) use second_stage::{copies_back, copy_back, second_stage};

use crate::file::FileObject;
use crate::ioctl::{Access, IoctlCode};
use crate::irp::{IoStatus, Irp, Major, Origin, Parameters, RequestorMode};
use crate::machine::Machine;
use crate::memory::Span;
use crate::slab::Id;
use crate::status::{NtStatus, constants::*};
use crate::stop::Stop;
use crate::thread::Thread;

/// A program's request while the I/O manager works on it.
#[derive(Debug, Default)]
pub(crate) struct UserRequest {
    pub(crate) irp: Option<Irp>,
    file: Option<FileObject>,
    /// The program's own output buffer.
    output: Option<Span>,
    /// The program's own input buffer, where the driver sees it (METHOD_NEITHER).
    input: Option<Span>,
    /// The IO_STATUS_BLOCK, once written.
    io_status: Option<IoStatus>,
    /// The event.
    signalled: bool,
    /// Final status of a synchronous request that pended.
    final_status: NtStatus,
    /// Stage two is over and the IRP is gone.
    finished: bool,
    dispatch_returned: NtStatus,
    /// Who waits for it, and which of the thread's requests it is; nobody once the thread is gone.
    pub(crate) thread: Thread,
    pub(crate) number: u64,
    pub(crate) abandoned: bool,
    /// The program went on and has no way to ask for the result.
    forgotten: bool,
    /// It was started with an APC routine.
    apc: bool,
}

/// What a program asks for.
#[derive(Clone, Copy)]
enum Asked<'a> {
    Control { code: IoctlCode, input: &'a [u8], output: &'a [u8] },
    Read { output: &'a [u8], offset: i64 },
    Write { input: &'a [u8], offset: i64 },
}

impl Asked<'_> {
    /// The rights that the handle must have.
    fn access(self) -> Access {
        match self {
            Asked::Control { code, .. } => code.access(),
            Asked::Read { .. } => Access::READ,
            Asked::Write { .. } => Access::WRITE,
        }
    }
}

/// An overlapped request, in flight or finished and not yet collected.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Overlapped(Id);

impl Machine {
    /// `DeviceIoControl` on a synchronous handle: returns when the request is complete.
    ///
    /// The status is what the API returns. `information` is IO_STATUS_BLOCK.Information: 0 where the I/O manager
    /// leaves the block alone, as for an error that never pended.
    ///
    /// # Errors
    /// What stopped the machine; [`Stop::Hang`] if the request can never complete.
    ///
    /// Source: Windows driver documentation, DeviceIoControl and "Buffer descriptions for I/O control codes";
    /// ReactOS, IopDeviceFsIoControl.
    pub fn device_io_control(
        &mut self,
        file: FileObject,
        code: IoctlCode,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<IoStatus, Stop> {
        let asked = Asked::Control { code, input, output };
        self.run(|m| m.issue_and_wait(file, asked)).map(|answer| self.take_answer(answer, output))
    }

    /// `ReadFile` on a synchronous handle. The buffer is where the flags of the highest device of the stack say.
    ///
    /// # Errors
    /// As [`Machine::device_io_control`].
    ///
    /// Source: Windows driver documentation, ReadFile and "Methods for Accessing Data Buffers"; ReactOS, NtReadFile.
    pub fn read_file(&mut self, file: FileObject, output: &mut [u8], offset: i64) -> Result<IoStatus, Stop> {
        let asked = Asked::Read { output, offset };
        self.run(|m| m.issue_and_wait(file, asked)).map(|answer| self.take_answer(answer, output))
    }

    /// `WriteFile` on a synchronous handle.
    ///
    /// # Errors
    /// As [`Machine::device_io_control`].
    pub fn write_file(&mut self, file: FileObject, input: &[u8], offset: i64) -> Result<IoStatus, Stop> {
        let asked = Asked::Write { input, offset };
        self.run(|m| m.issue_and_wait(file, asked)).map(|answer| self.take_answer(answer, &mut []))
    }

    /// Issues a request and waits. Returns what the API returns, and the request whose buffers are still to be taken.
    fn issue_and_wait(&mut self, file: FileObject, asked: Asked<'_>) -> (IoStatus, Option<Id>) {
        let id = match self.issue(file, asked, false) {
            Ok(id) => id,
            Err(status) => return (IoStatus { status, information: 0 }, None),
        };
        if self.user_request(id).dispatch_returned == STATUS_PENDING {
            self.wait("the program's request to complete", move |m| m.requests.get(id).is_some_and(|r| r.signalled));
        } else {
            // The program's thread drops to PASSIVE_LEVEL on its way out, which lets stage two's APC in.
            self.second_stage_runs(id);
        }
        let request = self.user_request(id);
        let returned = request.dispatch_returned;
        let status = if returned == STATUS_PENDING { request.final_status } else { returned };
        let information = request.io_status.map_or(0, |block| block.information);
        if request.finished {
            return (IoStatus { status, information }, Some(id));
        }
        // A driver that said it was done still has the IRP: what that brings back reaches a program that went on.
        request.forgotten = true;
        (IoStatus { status, information }, None)
    }

    fn take_answer(&mut self, (status, request): (IoStatus, Option<Id>), output: &mut [u8]) -> IoStatus {
        if let Some(id) = request {
            self.collect(id, output);
        }
        status
    }

    /// `DeviceIoControl` on an overlapped handle. The inner result is what the API returns at once: STATUS_PENDING
    /// comes as `Ok`, as does a success or a warning; an error that a driver returned without pending has no completion
    /// to wait for. A synchronous handle is STATUS_INVALID_PARAMETER.
    ///
    /// Source: Windows driver documentation, "Completing IRPs" and DeviceIoControl (lpOverlapped).
    ///
    /// `output` is the program's buffer as it is now; the request keeps its own copy until it is collected.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn start_io_control(
        &mut self,
        file: FileObject,
        code: IoctlCode,
        input: &[u8],
        output: &[u8],
    ) -> Result<Result<Overlapped, NtStatus>, Stop> {
        self.run(|m| m.start(file, Asked::Control { code, input, output }, false))
    }

    /// The same with an APC routine (`NtDeviceIoControlFile`): the finished request comes out of [`Machine::next_apc`]. A
    /// handle with the completion port is STATUS_INVALID_PARAMETER.
    ///
    /// # Errors
    /// What stopped the machine.
    ///
    /// Source: Windows driver documentation, ZwDeviceIoControlFile; ReactOS, IopDeviceFsIoControl.
    pub fn start_io_control_with_apc(
        &mut self,
        file: FileObject,
        code: IoctlCode,
        input: &[u8],
        output: &[u8],
    ) -> Result<Result<Overlapped, NtStatus>, Stop> {
        self.run(|m| m.start(file, Asked::Control { code, input, output }, true))
    }

    /// `ReadFile` on an overlapped handle: see [`Machine::start_io_control`].
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn start_read(
        &mut self,
        file: FileObject,
        output: &[u8],
        offset: i64,
    ) -> Result<Result<Overlapped, NtStatus>, Stop> {
        self.run(|m| m.start(file, Asked::Read { output, offset }, false))
    }

    /// `WriteFile` on an overlapped handle: see [`Machine::start_io_control`].
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn start_write(
        &mut self,
        file: FileObject,
        input: &[u8],
        offset: i64,
    ) -> Result<Result<Overlapped, NtStatus>, Stop> {
        self.run(|m| m.start(file, Asked::Write { input, offset }, false))
    }

    fn start(&mut self, file: FileObject, asked: Asked<'_>, apc: bool) -> Result<Overlapped, NtStatus> {
        let data = file.data(self)?;
        // On a synchronous handle the API itself waits.
        if !data.overlapped || (apc && data.completion_port) {
            return Err(STATUS_INVALID_PARAMETER);
        }
        let id = self.issue(file, asked, apc)?;
        let returned = self.user_request(id).dispatch_returned;
        if !returned.is_error() {
            return Ok(Overlapped(id));
        }
        self.second_stage_runs(id);
        // A driver that failed a request and still has it, or marked it pending before: its completion is announced to a
        // program that was told there would be none.
        let port = self.files.get(file.0).is_some_and(|file| file.completion_port);
        let request = self.user_request(id);
        let announced = (apc || port) && (request.signalled || !request.finished);
        match (announced, request.finished) {
            (true, _) => {}
            (false, false) => request.forgotten = true,
            (false, true) => self.collect(id, &mut []),
        }
        Err(returned)
    }

    /// `GetOverlappedResult` without waiting: the IO_STATUS_BLOCK once the request is complete, its output copied to
    /// `output`. The request is then gone; asking again gives `None`, as for one that is still out.
    pub fn overlapped_result(&mut self, overlapped: Overlapped, output: &mut [u8]) -> Option<IoStatus> {
        let request = self.requests.get(overlapped.0).filter(|request| request.signalled && request.finished)?;
        let result = request.io_status;
        self.collect(overlapped.0, output);
        result
    }

    /// `GetOverlappedResult` with bWait: lets everything run, and time pass, until the request is complete, and takes
    /// its result. One that is gone already gives STATUS_INVALID_HANDLE.
    ///
    /// # Errors
    /// What stopped the machine; [`Stop::Hang`] if the request can never complete.
    pub fn wait_for(&mut self, overlapped: Overlapped, output: &mut [u8]) -> Result<IoStatus, Stop> {
        self.run(|m| {
            let finished = move |m: &Machine| m.requests.get(overlapped.0).is_none_or(|request| request.finished);
            m.wait("the program's request to complete", finished);
            m.overlapped_result(overlapped, output)
                .unwrap_or(IoStatus { status: STATUS_INVALID_HANDLE, information: 0 })
        })
    }

    /// `CancelIoEx` for one request. Returns whether a driver had a cancel routine for it.
    ///
    /// Source: Windows driver documentation, IoCancelIrp; CancelIoEx.
    ///
    /// # Errors
    /// What stopped the machine.
    pub fn cancel_io(&mut self, overlapped: Overlapped) -> Result<bool, Stop> {
        self.run(|m| {
            m.boundary("CancelIoEx");
            match m.requests.get(overlapped.0).and_then(|request| request.irp) {
                Some(irp) => irp.cancel_now(m),
                None => false,
            }
        })
    }

    /// `CancelIoEx` for every request of a file that is out. Returns whether there was one.
    ///
    /// # Errors
    /// What stopped the machine.
    ///
    /// Source: Windows driver documentation, CancelIoEx (lpOverlapped NULL).
    pub fn cancel_file_io(&mut self, file: FileObject) -> Result<bool, Stop> {
        self.run(|m| {
            m.boundary("CancelIoEx");
            let out = m.requests.iter().filter(|(_, request)| request.file == Some(file));
            let irps: Vec<Irp> = out.filter_map(|(_, request)| request.irp).collect();
            for &irp in &irps {
                if irp.exists(m) && !m[irp].is_completed() {
                    irp.cancel_now(m);
                }
            }
            !irps.is_empty()
        })
    }

    /// `CancelIoEx` for every request of every program, as when all of them lose patience. Returns whether one was out that
    /// nobody had cancelled yet.
    pub fn cancel_all_io(&mut self) -> bool {
        let out: Vec<Irp> = self.requests.iter().filter_map(|(_, request)| request.irp).collect();
        let mut cancelled = false;
        for irp in out {
            if irp.exists(self) && !self[irp].is_completed() && !self[irp].cancel {
                irp.cancel_now(self);
                cancelled = true;
            }
        }
        cancelled
    }

    /// Lets the APC of a request run that did not pend.
    fn second_stage_runs(&mut self, id: Id) {
        if self.has_processors() {
            self.wait("the second stage of the program's request", move |m| {
                // A driver that returned too early still has the IRP: nothing is on its way then.
                let out = |request: &UserRequest| request.irp.is_some_and(|irp| !m[irp].is_completed());
                m.requests.get(id).is_none_or(|request| request.finished || out(request))
            });
        }
        self.run_ready();
    }

    /// `GetQueuedCompletionStatus` without waiting: the next finished request of a handle with the completion port.
    pub fn next_completion(&mut self) -> Option<Overlapped> {
        self.completion_port.pop_front()
    }

    /// What a program's alertable wait (`SleepEx`) delivers: the next finished request that was started with an APC.
    pub fn next_apc(&mut self) -> Option<Overlapped> {
        self.user_apcs.pop_front()
    }

    /// Steps 1 to 6 of a DeviceIoControl, a ReadFile or a WriteFile, and the call of the top driver.
    fn issue(&mut self, file: FileObject, asked: Asked<'_>, apc: bool) -> Result<Id, NtStatus> {
        let data = file.data(self)?;
        // A handle of the kernel's own is trusted.
        let mode = data.mode;
        if mode == RequestorMode::User && !data.access.grants(asked.access()) {
            return Err(STATUS_ACCESS_DENIED);
        }
        let top = file.related_device(self).ok_or(STATUS_NO_SUCH_DEVICE)?;
        if !top.exists(self) {
            return Err(STATUS_NO_SUCH_DEVICE);
        }
        let irp = self.allocate_irp_for(self[top].stack_size, Origin::System)?;
        let (thread, number) = self.next_of_thread();
        let (id, request) = self.requests.take();
        *request = UserRequest { irp: Some(irp), file: Some(file), thread, number, apc, ..UserRequest::default() };
        self[irp].origin = Origin::User(id);
        self[irp].requestor_mode = mode;
        let (major, parameters) = match asked {
            Asked::Control { code, input, output } => {
                let type3_input = self.describe_buffers(irp, id, code.method(), input, output);
                let (output_length, input_length) = (output.len() as u32, input.len() as u32);
                let parameters = Parameters::DeviceIoControl { output_length, input_length, code, type3_input };
                (Major::DeviceControl, parameters)
            }
            Asked::Read { output, offset } => {
                self.describe_transfer(irp, id, top, output, true);
                (Major::Read, Parameters::Transfer { length: output.len() as u32, offset })
            }
            Asked::Write { input, offset } => {
                self.describe_transfer(irp, id, top, input, false);
                (Major::Write, Parameters::Transfer { length: input.len() as u32, offset })
            }
        };
        let location = self[irp].next_mut();
        location.major = major;
        location.file = Some(file);
        location.parameters = parameters;
        file.add_reference(self);
        let returned = irp.call_driver(self, top);
        self.user_request(id).dispatch_returned = returned;
        Ok(id)
    }

    /// The program takes its result, and the request is over for it.
    fn collect(&mut self, id: Id, output: &mut [u8]) {
        let request = self.user_request(id);
        let (buffer, input) = (request.output.take(), request.input.take());
        if let Some(buffer) = buffer {
            let length = output.len().min(buffer.len() as usize);
            output[..length].copy_from_slice(&self.bytes(buffer)[..length]);
            self.free_block(buffer);
        }
        if let Some(input) = input {
            self.free_block(input);
        }
        self.requests.release(id);
    }
}
