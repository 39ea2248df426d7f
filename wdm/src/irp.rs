//! IRPs and their stack locations, kept exactly as the I/O manager keeps them.

use std::ops::{Index, IndexMut};

use smallvec::SmallVec;

use crate::address::Pool;
use crate::cancel::CancelRoutine;
use crate::device::DeviceObject;
use crate::file::FileObject;
use crate::ioctl::IoctlCode;
use crate::machine::Machine;
use crate::memory::Span;
use crate::observe::Step;
use crate::pnp::{PnpAnswer, PnpParameters};
use crate::power::PowerParameters;
use crate::schedule::{Context, Irql};
use crate::slab::Id;
use crate::status::{NtStatus, constants::*};
use crate::user::UserRequest;

/// A major function code.
///
/// Source: wdm.h; `wdm-io` facts, "Major codes".
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
#[allow(missing_docs)] // The names are the IRP_MJ_ codes'.
pub enum Major {
    #[default]
    Create = 0x00,
    CreateNamedPipe = 0x01,
    Close = 0x02,
    Read = 0x03,
    Write = 0x04,
    QueryInformation = 0x05,
    FlushBuffers = 0x09,
    DeviceControl = 0x0E,
    InternalDeviceControl = 0x0F,
    Shutdown = 0x10,
    Cleanup = 0x12,
    Power = 0x16,
    SystemControl = 0x17,
    Pnp = 0x1B,
}

impl Major {
    /// The size of a driver's `MajorFunction` table: IRP_MJ_MAXIMUM_FUNCTION + 1.
    pub const COUNT: usize = 0x1C;

    /// The code's name, as logs print it.
    pub const fn name(self) -> &'static str {
        match self {
            Major::Create => "IRP_MJ_CREATE",
            Major::CreateNamedPipe => "IRP_MJ_CREATE_NAMED_PIPE",
            Major::Close => "IRP_MJ_CLOSE",
            Major::Read => "IRP_MJ_READ",
            Major::Write => "IRP_MJ_WRITE",
            Major::QueryInformation => "IRP_MJ_QUERY_INFORMATION",
            Major::FlushBuffers => "IRP_MJ_FLUSH_BUFFERS",
            Major::DeviceControl => "IRP_MJ_DEVICE_CONTROL",
            Major::InternalDeviceControl => "IRP_MJ_INTERNAL_DEVICE_CONTROL",
            Major::Shutdown => "IRP_MJ_SHUTDOWN",
            Major::Cleanup => "IRP_MJ_CLEANUP",
            Major::Power => "IRP_MJ_POWER",
            Major::SystemControl => "IRP_MJ_SYSTEM_CONTROL",
            Major::Pnp => "IRP_MJ_PNP",
        }
    }
}

/// A stack location's `Parameters`: what the major function needs to know.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum Parameters {
    /// All words zero.
    #[default]
    None,
    /// `Parameters.DeviceIoControl`.
    DeviceIoControl {
        /// Bytes the caller can take.
        output_length: u32,
        /// Bytes the caller gives.
        input_length: u32,
        /// The control code.
        code: IoctlCode,
        /// `Type3InputBuffer`: the caller's own pointer, METHOD_NEITHER only.
        type3_input: Option<Span>,
    },
    /// `Parameters.Others` of an internal control request whose sender and receiver agree on three pointers. The control
    /// code lies where the third argument does, as for every control request.
    Others {
        /// `Argument1`.
        argument1: Option<Span>,
        /// `Argument2`.
        argument2: Option<Span>,
        /// The control code, in the place of `Argument3`.
        code: IoctlCode,
        /// `Argument4`.
        argument4: Option<Span>,
    },
    /// `Parameters.Read` and `Parameters.Write`.
    Transfer {
        /// Bytes to move.
        length: u32,
        /// `ByteOffset`.
        offset: i64,
    },
    /// The parameters of a PnP minor function.
    Pnp(PnpParameters),
    /// The parameters of a power minor function.
    Power(PowerParameters),
}

/// The `Control` byte of a stack location.
///
/// Source: wdm.h, SL_ constants.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Control(pub u8);

impl Control {
    /// SL_PENDING_RETURNED.
    pub const PENDING_RETURNED: Control = Control(0x01);
    /// SL_ERROR_RETURNED: a debugging aid.
    pub const ERROR_RETURNED: Control = Control(0x02);
    /// SL_INVOKE_ON_CANCEL.
    pub const INVOKE_ON_CANCEL: Control = Control(0x20);
    /// SL_INVOKE_ON_SUCCESS.
    pub const INVOKE_ON_SUCCESS: Control = Control(0x40);
    /// SL_INVOKE_ON_ERROR.
    pub const INVOKE_ON_ERROR: Control = Control(0x80);
    /// The three invoke bits together.
    pub const INVOKE_ALWAYS: Control = Control(0xE0);

    /// Whether every bit of `bits` is set.
    #[inline]
    pub const fn has(self, bits: Control) -> bool {
        self.0 & bits.0 == bits.0
    }
}

/// A completion routine. The device is the routine owner's own; `None` for an originator without a location.
///
/// Source: Windows driver documentation, IO_COMPLETION_ROUTINE.
pub type CompletionRoutine = fn(&mut Machine, Option<DeviceObject>, Irp, Context) -> NtStatus;

/// An IO_STACK_LOCATION.
#[derive(Clone, Copy, Default, Debug)]
pub struct StackLocation {
    /// The major function.
    pub major: Major,
    /// The minor function.
    pub minor: u8,
    /// `Flags`.
    pub flags: u8,
    /// `Control`.
    pub control: Control,
    /// `Parameters`.
    pub parameters: Parameters,
    /// The device that owns the location; stored by IoCallDriver.
    pub device: Option<DeviceObject>,
    /// The file object that the request is about.
    pub file: Option<FileObject>,
    /// The routine of the driver *above*, called when the owner of this location completes.
    pub completion: Option<CompletionRoutine>,
    /// That routine's context.
    pub context: Context,
    /// CurrentLocation when IoSetCompletionRoutine set the routine: one more than this location's number, unless somebody
    /// copied it. Windows has no such field; Driver Verifier finds a copied routine by it.
    pub set_at: i8,
}

impl StackLocation {
    /// Whether IoSetCompletionRoutine put the routine here for the driver whose CurrentLocation is `location`.
    pub(crate) fn routine_was_set_from(&self, location: i8) -> bool {
        self.set_at == location
    }
}

/// An IO_STATUS_BLOCK.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct IoStatus {
    /// How the request ended.
    pub status: NtStatus,
    /// Usually a number of bytes.
    pub information: u64,
}

/// Whose buffers a request carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RequestorMode {
    /// A driver's: trusted.
    #[default]
    Kernel,
    /// A program's.
    User,
}

/// Who made an IRP, and so what happens when its completion has passed the last location.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Origin {
    /// `IoAllocateIrp`: the driver's; its completion routine must take it back.
    #[default]
    Driver,
    /// The I/O manager, for a program's call.
    User(Id),
    /// A driver, in a thread whose list it is in: the I/O manager frees it.
    Thread(Id),
    /// A driver, for a part of a master IRP, which is completed with the last of them.
    Associated(Irp),
    /// The PnP or I/O manager, waiting for it in its own thread.
    System,
}

/// An IRP.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Irp(pub(crate) Id);

/// How many locations sit inside the IRP itself; deeper stacks spill to the heap. Two more are guards.
const INLINE_LOCATIONS: usize = 10;

/// What an IRP holds.
#[derive(Default, Debug)]
pub struct IrpData {
    stack_count: i8,
    current: i8,
    /// Location *k* at index *k*. Index 0 stands for the IRP's own tail, which a driver that ran out of locations
    /// writes into, and the last one for the memory behind the array.
    locations: SmallVec<[StackLocation; INLINE_LOCATIONS]>,
    /// `IoStatus`.
    pub io_status: IoStatus,
    /// `AssociatedIrp.SystemBuffer`.
    pub system_buffer: Option<Span>,
    /// `MdlAddress`: the locked pages of the caller's second buffer.
    pub mdl: Option<Span>,
    /// `UserBuffer`: the caller's own pointer.
    pub user_buffer: Option<Span>,
    /// `Flags`: IRP_PAGING_IO 0x02, IRP_BUFFERED_IO 0x10, IRP_DEALLOCATE_BUFFER 0x20, IRP_INPUT_OPERATION 0x40.
    pub flags: u32,
    /// `PendingReturned`, valid inside a completion routine.
    pub pending_returned: bool,
    /// `Cancel`.
    pub cancel: bool,
    /// `RequestorMode`.
    pub requestor_mode: RequestorMode,
    /// `Tail.Overlay.DriverContext`: the owning driver's.
    pub driver_context: [u64; 4],
    /// `CancelIrql`: the level to which a cancel routine releases the cancel spin lock.
    pub cancel_irql: Irql,
    /// `AssociatedIrp.IrpCount` of a master IRP: how many associated ones are still to come back.
    pub irp_count: u32,
    pub(crate) cancel_routine: Option<CancelRoutine>,
    pub(crate) origin: Origin,
    /// The completion walk went past the last location.
    pub(crate) completed: bool,
    /// What a PnP request answers through `Information` when that is a pointer, or brings along in its parameters.
    pub pnp_answer: PnpAnswer,
}

impl IrpData {
    /// IRP_PAGING_IO: the memory manager moves pages.
    pub const PAGING_IO: u32 = 0x02;
    /// IRP_BUFFERED_IO.
    pub const BUFFERED_IO: u32 = 0x10;
    /// IRP_DEALLOCATE_BUFFER.
    pub const DEALLOCATE_BUFFER: u32 = 0x20;
    /// IRP_INPUT_OPERATION: there is an output to copy back.
    pub const INPUT_OPERATION: u32 = 0x40;

    fn initialize(&mut self, stack_count: i8) {
        self.stack_count = stack_count;
        self.locations.clear();
        self.locations.resize(stack_count as usize + 2, StackLocation::default());
        self.completed = false;
        self.origin = Origin::Driver;
        self.reset();
    }

    fn reset(&mut self) {
        self.current = self.stack_count + 1;
        self.io_status = IoStatus::default();
        self.system_buffer = None;
        self.mdl = None;
        self.user_buffer = None;
        self.flags = 0;
        self.pending_returned = false;
        self.cancel = false;
        self.requestor_mode = RequestorMode::Kernel;
        self.driver_context = [0; 4];
        self.cancel_irql = Irql::Passive;
        self.irp_count = 0;
        self.cancel_routine = None;
        self.pnp_answer = PnpAnswer::None;
    }

    /// `StackCount`.
    #[inline]
    pub fn stack_count(&self) -> i8 {
        self.stack_count
    }

    /// `CurrentLocation`: StackCount + 1 when allocated, and one less at every device further down.
    #[inline]
    pub fn current_location(&self) -> i8 {
        self.current
    }

    /// Whether the IRP's completion went all the way; its owner may look at the result.
    pub fn is_completed(&self) -> bool {
        self.completed
    }

    #[inline]
    fn at(&self, location: i8) -> usize {
        location.clamp(0, self.stack_count + 1) as usize
    }

    /// `IoGetCurrentIrpStackLocation`. For an originator that owns none, the memory behind the array.
    #[inline]
    pub fn current(&self) -> &StackLocation {
        &self.locations[self.at(self.current)]
    }

    /// The current location, to change.
    #[inline]
    pub fn current_mut(&mut self) -> &mut StackLocation {
        let at = self.at(self.current);
        &mut self.locations[at]
    }

    /// `IoGetNextIrpStackLocation`: with CurrentLocation 1 that is the IRP's own tail; nothing checks.
    #[inline]
    pub fn next_mut(&mut self) -> &mut StackLocation {
        let at = self.at(self.current.wrapping_sub(1));
        &mut self.locations[at]
    }

    /// The next location, to read.
    pub fn next(&self) -> &StackLocation {
        &self.locations[self.at(self.current.wrapping_sub(1))]
    }

    /// Location `number` (1 is the lowest driver's), if the IRP has it.
    pub fn location(&self, number: i8) -> Option<&StackLocation> {
        (1..=self.stack_count).contains(&number).then(|| &self.locations[number as usize])
    }

    #[inline]
    pub(crate) fn location_mut(&mut self, number: i8) -> &mut StackLocation {
        let at = self.at(number);
        &mut self.locations[at]
    }

    /// `IoSkipCurrentIrpStackLocation`: the lower driver gets this same location.
    ///
    /// Source: Windows driver documentation, IoSkipCurrentIrpStackLocation (wdm.h: CurrentLocation + 1, unchecked).
    #[inline]
    pub fn skip_current_location(&mut self) {
        self.current = self.current.wrapping_add(1);
    }

    /// `IoSetNextIrpStackLocation`: gives the caller a location of its own. No check against running out.
    ///
    /// Source: Windows driver documentation, IoSetNextIrpStackLocation (wdm.h: CurrentLocation - 1, unchecked).
    #[inline]
    pub fn set_next_location(&mut self) {
        self.current = self.current.wrapping_sub(1);
    }

    #[inline]
    pub(crate) fn set_current(&mut self, location: i8) {
        self.current = location;
    }

    /// `IoCopyCurrentIrpStackLocationToNext`: everything but the completion routine and its context, and Control 0.
    ///
    /// Source: Windows driver documentation, IoCopyCurrentIrpStackLocationToNext.
    #[inline]
    pub fn copy_current_to_next(&mut self) {
        let current = *self.current();
        let next = self.next_mut();
        let StackLocation { completion, context, set_at, .. } = *next;
        *next = StackLocation { completion, context, set_at, control: Control(0), ..current };
    }

    /// `IoSetCompletionRoutine`: writes the routine into the *next* location and overwrites its Control.
    ///
    /// Source: Windows driver documentation, IoSetCompletionRoutine (wdm.h).
    #[inline]
    pub fn set_completion_routine(&mut self, routine: CompletionRoutine, context: Context, invoke: Control) {
        let current = self.current;
        let next = self.next_mut();
        next.set_at = current;
        next.completion = Some(routine);
        next.context = context;
        next.control = Control(invoke.0 & Control::INVOKE_ALWAYS.0);
    }
}

impl Machine {
    /// `IoAllocateIrp`: StackCount `stack_size`, CurrentLocation `stack_size` + 1, everything zero, nobody's thread.
    ///
    /// # Errors
    /// STATUS_INSUFFICIENT_RESOURCES for a size that is not 1 to 125, and where memory is short (the DDI returns NULL).
    ///
    /// Source: Windows driver documentation, IoAllocateIrp.
    #[inline]
    pub fn allocate_irp(&mut self, stack_size: i8) -> Result<Irp, NtStatus> {
        self.allocation_point("IoAllocateIrp")?;
        self.new_irp(stack_size)
    }

    #[inline]
    fn new_irp(&mut self, stack_size: i8) -> Result<Irp, NtStatus> {
        // CurrentLocation is a CCHAR and walks to StackCount + 2 in completion.
        if !(1..=125).contains(&stack_size) {
            return Err(STATUS_INSUFFICIENT_RESOURCES);
        }
        let (id, irp) = self.irps.take();
        irp.initialize(stack_size);
        Ok(Irp(id))
    }

    /// How many IRPs are with a driver: sent, and neither complete nor back with whoever allocated them.
    pub fn irps_out(&self) -> usize {
        self.irps.iter().filter(|(_, irp)| !irp.completed && irp.current <= irp.stack_count).count()
    }

    /// An IRP of the system's own, for which memory is never made short.
    pub(crate) fn allocate_irp_for(&mut self, stack_size: i8, origin: Origin) -> Result<Irp, NtStatus> {
        let irp = self.new_irp(stack_size)?;
        self[irp].origin = origin;
        Ok(irp)
    }

    /// The user request an IRP was made for.
    pub(crate) fn user_request(&mut self, id: Id) -> &mut UserRequest {
        // A user request is freed only after its IRP, by the code that frees the IRP.
        self.requests.get_mut(id).expect("a user request lives at least as long as its IRP")
    }
}

impl Irp {
    /// `IoFreeIrp`.
    pub fn free(self, m: &mut Machine) {
        if m.watched {
            m.limit_irql("IoFreeIrp");
            self.check_free(m);
            if self.exists(m) {
                m.observe(self, Step::Free);
            }
        }
        if !m.built.is_empty() && self.is_in_threads_list(m) {
            m.undefined(
                "IoFreeIrp",
                "an IRP that was built for a thread is freed by the I/O manager, when it is complete",
            );
        }
        if !m.irps.release(self.0) {
            m.undefined("IoFreeIrp", FREED);
        }
    }

    /// `IoReuseIrp`: as new, with the same locations, and `status` in IoStatus.
    ///
    /// Source: Windows driver documentation, IoReuseIrp.
    pub fn reuse(self, m: &mut Machine, status: NtStatus) {
        if m.watched {
            m.limit_irql("IoReuseIrp");
            self.check_reuse(m);
        }
        let irp = &mut m[self];
        let count = irp.stack_count;
        irp.initialize(count);
        irp.io_status.status = status;
    }

    /// Whether the IRP still exists. Drivers have no such call: it is for whoever watches the machine.
    pub fn exists(self, m: &Machine) -> bool {
        m.irps.get(self.0).is_some()
    }

    /// The address that logs print.
    #[inline]
    pub fn address(self) -> u64 {
        Pool::Irp.address(self.0.index())
    }

    /// The handle as a context word, and back.
    pub fn to_context(self) -> Context {
        Context(self.0.to_word())
    }

    /// The IRP that [`Irp::to_context`] made a word of.
    pub fn from_context(context: Context) -> Option<Irp> {
        Id::from_word(context.0).map(Irp)
    }
}

const FREED: &str = "an IRP is not used after it was completed to its owner or freed";

impl Index<Irp> for Machine {
    type Output = IrpData;
    #[inline]
    fn index(&self, irp: Irp) -> &IrpData {
        match self.irps.get(irp.0) {
            Some(data) => data,
            None => self.undefined("IRP", FREED),
        }
    }
}

impl IndexMut<Irp> for Machine {
    #[inline]
    fn index_mut(&mut self, irp: Irp) -> &mut IrpData {
        let exit = self.exit();
        match self.irps.get_mut(irp.0) {
            Some(data) => data,
            None => exit.undefined("IRP", FREED),
        }
    }
}
