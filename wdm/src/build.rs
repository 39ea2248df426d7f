//! IRPs that drivers build for drivers below: with a thread to go back to, without one, and as parts of a master IRP.
//!
//! Source: Windows driver documentation, "Creating IRPs for Lower-Level Drivers" and the pages of the routines; ReactOS,
//! ntoskrnl/io/iomgr/irp.c.

use crate::device::{DeviceObject, IoType};
use crate::event::Event;
use crate::ioctl::{IoctlCode, Method};
use crate::irp::{IoStatus, Irp, IrpData, Major, Origin, Parameters};
use crate::machine::Machine;
use crate::memory::Span;
use crate::schedule::Context;
use crate::slab::Id;
use crate::status::{NtStatus, constants::*};
use crate::thread::Thread;
use crate::user::{copies_back, copy_back};

/// An IO_STATUS_BLOCK of a driver, which the I/O manager fills when a request that the driver built is complete.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct IoStatusBlock(Id);

/// What IoBuildDeviceIoControlRequest is to ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ControlRequest {
    /// The control code.
    pub code: IoctlCode,
    /// `InternalDeviceIoControl`: IRP_MJ_INTERNAL_DEVICE_CONTROL.
    pub internal: bool,
    /// The driver's input.
    pub input: Option<Span>,
    /// Where the driver wants the output.
    pub output: Option<Span>,
}

/// What IoBuildSynchronousFsdRequest and IoBuildAsynchronousFsdRequest are to ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TransferRequest {
    /// Read, write, flush, shutdown, PnP or power.
    pub major: Major,
    /// The driver's buffer; `None` for anything but a read or a write.
    pub buffer: Option<Span>,
    /// `StartingOffset`.
    pub offset: i64,
}

/// A request that a driver built in a thread.
#[derive(Debug)]
pub(crate) struct BuiltRequest {
    pub(crate) irp: Irp,
    pub(crate) thread: Thread,
    pub(crate) number: u64,
    pub(crate) abandoned: bool,
    event: Option<Event>,
    block: IoStatusBlock,
}

impl Default for BuiltRequest {
    fn default() -> Self {
        let nothing = Span::null(0).block();
        BuiltRequest {
            irp: Irp(nothing),
            thread: Thread::FIRST,
            number: 0,
            abandoned: false,
            event: None,
            block: IoStatusBlock(nothing),
        }
    }
}

const BLOCK_GONE: &str = "an IO_STATUS_BLOCK is not used after the stack or pool that held it is gone";

impl Machine {
    /// An IO_STATUS_BLOCK on the caller's stack. The caller lets it go with [`IoStatusBlock::delete`].
    pub fn create_status_block(&mut self) -> IoStatusBlock {
        let (id, block) = self.status_blocks.take();
        *block = None;
        IoStatusBlock(id)
    }

    /// `IoBuildDeviceIoControlRequest`: an IRP with as many locations as `device` needs, its first one filled. It is in the
    /// current thread's list: the I/O manager frees it when it is complete, and cancels it when the thread exits. IRQL <=
    /// APC_LEVEL.
    ///
    /// When the request is complete, `event` is signalled and `block` written, in this thread. **Unless** the driver below
    /// returns an error without having pended: then neither happens, and what IoCallDriver returned is all there is.
    ///
    /// # Errors
    /// STATUS_INSUFFICIENT_RESOURCES for a direct transfer from or to what cannot be locked, and where memory is short (the
    /// DDI returns NULL). Under Driver Verifier the first is bug check 0xC9/9.
    pub fn build_device_io_control_request(
        &mut self,
        device: DeviceObject,
        request: ControlRequest,
        event: Option<Event>,
        block: IoStatusBlock,
    ) -> Result<Irp, NtStatus> {
        self.limit_irql("IoBuildDeviceIoControlRequest");
        let ControlRequest { code, internal, input, output } = request;
        let irp = self.allocate_irp(self[device].stack_size)?;
        let length = |span: Option<Span>| span.map_or(0, Span::len);
        let (method, longest) = (code.method(), length(input).max(length(output)));
        let system = match method {
            Method::Buffered if longest > 0 => Some(longest),
            Method::InDirect | Method::OutDirect => input.map(Span::len),
            Method::Buffered | Method::Neither => None,
        };
        self.give_system_buffer(irp, system, input)?;
        if matches!(method, Method::InDirect | Method::OutDirect) {
            let bad = |m: &mut Machine| {
                let parameters = [device.address(), code.0.into(), STATUS_ACCESS_VIOLATION.0.into()];
                m.verifier_stop(0x09, None, parameters, "IoBuildDeviceIoControlRequest");
            };
            self.lock_pages(irp, output, bad)?;
        }
        let data = &mut self[irp];
        if system.is_some() && method == Method::Buffered && output.is_some() {
            data.flags |= IrpData::INPUT_OPERATION;
        }
        if matches!(method, Method::Buffered | Method::Neither) {
            data.user_buffer = output;
        }
        let location = data.next_mut();
        location.major = if internal { Major::InternalDeviceControl } else { Major::DeviceControl };
        location.parameters = Parameters::DeviceIoControl {
            output_length: length(output),
            input_length: length(input),
            code,
            type3_input: input.filter(|_| method == Method::Neither),
        };
        self.queue_to_thread(irp, event, block);
        Ok(irp)
    }

    /// `IoBuildSynchronousFsdRequest`: as [`Machine::build_asynchronous_fsd_request`], in the current thread's list: see
    /// [`Machine::build_device_io_control_request`] for what that means. IRQL <= APC_LEVEL.
    ///
    /// # Errors
    /// As [`Machine::build_asynchronous_fsd_request`].
    pub fn build_synchronous_fsd_request(
        &mut self,
        device: DeviceObject,
        request: TransferRequest,
        event: Option<Event>,
        block: IoStatusBlock,
    ) -> Result<Irp, NtStatus> {
        self.limit_irql("IoBuildSynchronousFsdRequest");
        let irp = self.build_transfer(device, request)?;
        self.queue_to_thread(irp, event, block);
        Ok(irp)
    }

    /// `IoBuildAsynchronousFsdRequest`: an IRP with as many locations as `device` needs, its first one filled, the buffer
    /// where the device's flags say. It is in no thread's list: the driver sets a completion routine that returns
    /// STATUS_MORE_PROCESSING_REQUIRED, and frees the system buffer, if there is one, and the IRP. IRQL <= APC_LEVEL.
    ///
    /// # Errors
    /// STATUS_INSUFFICIENT_RESOURCES for a direct transfer from or to what cannot be locked, and where memory is short (the
    /// DDI returns NULL). Under Driver Verifier the first is bug check 0xC9/8.
    pub fn build_asynchronous_fsd_request(
        &mut self,
        device: DeviceObject,
        request: TransferRequest,
    ) -> Result<Irp, NtStatus> {
        self.limit_irql("IoBuildAsynchronousFsdRequest");
        self.build_transfer(device, request)
    }

    fn build_transfer(&mut self, device: DeviceObject, request: TransferRequest) -> Result<Irp, NtStatus> {
        let TransferRequest { major, buffer, offset } = request;
        let irp = self.allocate_irp(self[device].stack_size)?;
        self[irp].next_mut().major = major;
        if matches!(major, Major::FlushBuffers | Major::Shutdown | Major::Pnp | Major::Power) {
            return Ok(irp);
        }
        let length = buffer.map_or(0, Span::len);
        match self[device].io_type {
            IoType::Buffered => {
                let writes = major == Major::Write;
                self.give_system_buffer(irp, Some(length), buffer.filter(|_| writes))?;
                if !writes {
                    self[irp].flags |= IrpData::INPUT_OPERATION;
                    self[irp].user_buffer = buffer;
                }
            }
            IoType::Direct => {
                let bad = |m: &mut Machine| {
                    let parameters = [device.address(), major as u64, STATUS_ACCESS_VIOLATION.0.into()];
                    m.verifier_stop(0x08, None, parameters, "IoBuildAsynchronousFsdRequest");
                };
                self.lock_pages(irp, buffer, bad)?;
            }
            IoType::Neither => self[irp].user_buffer = buffer,
        }
        if matches!(major, Major::Read | Major::Write) {
            self[irp].next_mut().parameters = Parameters::Transfer { length, offset };
        }
        Ok(irp)
    }

    /// A system buffer of `length` bytes that begins with `input`. The IRP is gone if there is none to be had.
    fn give_system_buffer(&mut self, irp: Irp, length: Option<u32>, input: Option<Span>) -> Result<(), NtStatus> {
        let Some(length) = length else { return Ok(()) };
        let buffer = self.allocate_pool(&[], length).inspect_err(|_| irp.free(self))?;
        if let Some(input) = input {
            self.copy_bytes(input, buffer);
        }
        let data = &mut self[irp];
        data.system_buffer = Some(buffer);
        data.flags = IrpData::BUFFERED_IO | IrpData::DEALLOCATE_BUFFER;
        Ok(())
    }

    /// MmProbeAndLockPages for the IRP's MDL. What is no memory cannot be locked: the IRP is gone.
    fn lock_pages(&mut self, irp: Irp, span: Option<Span>, bad: impl FnOnce(&mut Machine)) -> Result<(), NtStatus> {
        let Some(span) = span else { return Ok(()) };
        if span.is_null() {
            bad(self);
            if let Some(buffer) = self[irp].system_buffer.take() {
                self.free_block(buffer);
            }
            irp.free(self);
            return Err(STATUS_INSUFFICIENT_RESOURCES);
        }
        self[irp].mdl = Some(span);
        Ok(())
    }

    fn queue_to_thread(&mut self, irp: Irp, event: Option<Event>, block: IoStatusBlock) {
        let (thread, number) = self.next_of_thread();
        let (id, request) = self.built.take();
        *request = BuiltRequest { irp, thread, number, abandoned: false, event, block };
        self[irp].origin = Origin::Thread(id);
    }

    /// `IoMakeAssociatedIrp`: an IRP for a part of what `master` asks for. The driver sets the master's `irp_count` to how
    /// many it made, marks the master pending and sends them: the I/O manager frees each when it is complete, and completes
    /// the master with the last. Only the highest driver of a stack may do that, and not for a buffered request, whose
    /// system buffer and count are one field of the IRP.
    ///
    /// # Errors
    /// As [`Machine::allocate_irp`].
    ///
    /// Source: Windows driver documentation, IoMakeAssociatedIrp and "Creating IRPs for Lower-Level Drivers".
    pub fn make_associated_irp(&mut self, master: Irp, stack_size: i8) -> Result<Irp, NtStatus> {
        const DDI: &str = "IoMakeAssociatedIrp";
        self.limit_irql(DDI);
        if matches!(self[master].origin, Origin::Associated(_)) {
            self.undefined(DDI, "a master IRP is not itself an associated one");
        }
        if self[master].system_buffer.is_some() {
            self.undefined(DDI, "the IRP of a buffered request is no master: SystemBuffer and IrpCount are one field");
        }
        let irp = self.allocate_irp(stack_size)?;
        self[irp].origin = Origin::Associated(master);
        Ok(irp)
    }

    /// The thread that waited for an IRP is gone.
    pub(crate) fn abandon(&mut self, irp: Irp) {
        match self[irp].origin {
            Origin::User(id) => self.user_request(id).abandoned = true,
            Origin::Thread(id) => {
                if let Some(request) = self.built.get_mut(id) {
                    request.abandoned = true;
                }
            }
            Origin::Driver | Origin::System | Origin::Associated(_) => {}
        }
    }
}

impl IoStatusBlock {
    /// What the I/O manager wrote; `None` as long as it wrote nothing.
    pub fn read(self, m: &Machine) -> Option<IoStatus> {
        match m.status_blocks.get(self.0) {
            Some(&block) => block,
            None => m.undefined("IO_STATUS_BLOCK", BLOCK_GONE),
        }
    }

    fn write(self, m: &mut Machine, status: IoStatus) {
        let exit = m.exit();
        match m.status_blocks.get_mut(self.0) {
            Some(block) => *block = Some(status),
            None => exit.undefined("IO_STATUS_BLOCK", BLOCK_GONE),
        }
    }

    /// The memory that held it is gone.
    pub fn delete(self, m: &mut Machine) {
        if !m.status_blocks.release(self.0) {
            m.undefined("IO_STATUS_BLOCK", BLOCK_GONE);
        }
    }
}

impl Irp {
    /// The walk of an IRP with a thread is over: the rest happens there.
    pub(crate) fn finish_built(self, m: &mut Machine, request: Id) {
        // The request goes with its IRP.
        let thread = m.built.get(request).map_or(Thread::FIRST, |request| request.thread);
        m.queue_apc(thread, second_stage, Context(request.to_word()));
    }

    #[cold]
    pub(crate) fn is_in_threads_list(self, m: &Machine) -> bool {
        m.irps.get(self.0).is_some_and(|irp| matches!(irp.origin, Origin::Thread(_)))
    }

    /// Whether the event that whoever built the IRP waits for is signalled.
    pub(crate) fn has_signalled_event(self, m: &Machine) -> bool {
        let Origin::Thread(id) = m[self].origin else { return false };
        let event = m.built.get(id).and_then(|request| request.event);
        event.is_some_and(|event| event.is_signalled(m))
    }

    /// The walk of a part is over.
    pub(crate) fn finish_associated(self, m: &mut Machine, master: Irp) {
        self.free(m);
        let count = &mut m[master].irp_count;
        *count = count.wrapping_sub(1);
        if *count == 0 {
            master.complete(m);
        }
    }
}

/// Stage two for an IRP that a driver built, in the thread that built it.
///
/// Source: ReactOS, IopCompleteRequest.
fn second_stage(m: &mut Machine, context: Context) {
    let Some(id) = Id::from_word(context.0) else { return };
    let Some(request) = m.built.get(id) else { return };
    let &BuiltRequest { irp, event, block, abandoned, .. } = request;
    let data = &m[irp];
    let (status, pended, buffer) = (data.io_status, data.pending_returned, data.system_buffer);
    let buffered = data.flags & IrpData::BUFFERED_IO != 0;
    let copies = copies_back(data);
    if copies && !abandoned {
        copy_back(m, irp, status.information);
    }
    if let Some(buffer) = buffer.filter(|_| buffered) {
        m.free_block(buffer);
    }
    m[irp].origin = Origin::System;
    irp.free(m);
    m.built.release(id);
    if !abandoned && (pended || !status.status.is_error()) {
        block.write(m, status);
        if let Some(event) = event {
            event.set(m);
        }
    }
}
