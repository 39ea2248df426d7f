//! What sending adds to a request.

use vbus_wdf::layer::{self, Fx, Parts};
use vbus_wdf::{Handle, Memory, Request};
use vbus_wdm::{Context, IoStatus, IoctlCode, Machine, NtStatus, Span, Timer};

use crate::target::IoTarget;

/// EvtRequestCompletionRoutine.
pub type CompletionRoutine = fn(&mut Machine, Request, IoTarget, &CompletionParams, Context);

/// What a completed request was formatted as.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SentKind {
    /// Not by a format call of a target (WdfRequestTypeNoFormat).
    #[default]
    NoFormat,
    /// A read.
    Read,
    /// A write.
    Write,
    /// An I/O control.
    Ioctl(IoctlCode),
    /// An internal I/O control.
    InternalIoctl(IoctlCode),
    /// An internal I/O control with three arguments of its own (WdfRequestTypeOther).
    Other,
}

/// WDF_REQUEST_COMPLETION_PARAMS.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct CompletionParams {
    /// What the request was formatted as.
    pub kind: SentKind,
    /// How it ended.
    pub io_status: IoStatus,
    /// The input memory it was formatted with.
    pub input: Option<Memory>,
    /// Where in it the input begins, in bytes.
    pub input_offset: u32,
    /// The output memory it was formatted with.
    pub output: Option<Memory>,
    /// Where in it the output begins, in bytes.
    pub output_offset: u32,
    /// Information: bytes of output, or of a read or write. 0 for a request that no target formatted.
    pub output_length: u64,
    /// The memories of [`SentKind::Other`]: the first, second and fourth argument.
    pub others: [Option<Memory>; 3],
}

/// The IRP's buffer fields as they were before a format call.
#[derive(Clone, Copy)]
pub(crate) struct Restore {
    pub(crate) system_buffer: Option<Span>,
    pub(crate) mdl: Option<Span>,
    pub(crate) user_buffer: Option<Span>,
    pub(crate) flags: u32,
}

/// FX_REQUEST_CONTEXT_TYPE: a context serves the formattings of its own type only.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ContextKind {
    /// FxIoContext: reads, writes, and I/O controls with an input and an output.
    #[default]
    Io,
    /// FxInternalIoctlOthersContext.
    Others,
}

/// What a format call leaves beside the request: FxRequestContext. It stays, emptied, when the formatting ends.
///
/// Source: S/core/fxrequestcontext.cpp, S/inc/private/km/fxiotargetkm.hpp.
#[derive(Clone, Copy, Default)]
pub(crate) struct FormatContext {
    pub(crate) kind: ContextKind,
    pub(crate) restore: Option<Restore>,
    /// The memories that the request uses, referenced: input and output, or three arguments.
    pub(crate) memories: [Option<Memory>; 3],
    /// The system buffer that the framework made for METHOD_BUFFERED. It is kept for the next formatting, as it is, and
    /// used again if it is long enough.
    pub(crate) buffer: Option<Span>,
    /// Information bytes of it belong into UserBuffer. Only a copy and the next formatting with a system buffer change
    /// this: what a formatting that was never sent wanted back is brought to whatever the next one has there.
    pub(crate) copies_back: bool,
    pub(crate) heard: Heard,
}

/// What completion parameters say besides the memories.
#[derive(Clone, Copy, Default)]
pub(crate) struct Heard {
    pub(crate) kind: SentKind,
    /// Where the data begins in the input and in the output.
    pub(crate) offsets: [u32; 2],
    pub(crate) io_status: IoStatus,
    pub(crate) output_length: u64,
}

impl FormatContext {
    /// The completion parameters as they are now. A call that sends and waits tells nobody its memories.
    pub(crate) fn params(&self) -> CompletionParams {
        let Heard { kind, offsets: [input_offset, output_offset], io_status, output_length } = self.heard;
        let params = CompletionParams { kind, io_status, output_length, ..CompletionParams::default() };
        let [first, second, _] = self.memories;
        match kind {
            SentKind::NoFormat => params,
            SentKind::Read => CompletionParams { output: first, output_offset, ..params },
            SentKind::Write => CompletionParams { input: first, input_offset, ..params },
            SentKind::Ioctl(_) | SentKind::InternalIoctl(_) => {
                CompletionParams { input: first, input_offset, output: second, output_offset, ..params }
            }
            SentKind::Other => CompletionParams { others: self.memories, ..params },
        }
    }
}

/// Whom a completed request is handed to.
#[derive(Clone, Copy, Default)]
pub(crate) enum Routine {
    #[default]
    None,
    Driver(CompletionRoutine, Context),
    /// A call of the framework that waits for the request.
    Waiter,
}

/// What a call that waits for its request keeps on its stack.
#[derive(Clone, Copy, Default)]
pub(crate) struct Waiter {
    /// What was set before, if that is called as well.
    pub(crate) original: Routine,
    /// How the request ended.
    pub(crate) status: Option<NtStatus>,
}

/// A request's part in being sent.
#[derive(Default)]
pub(crate) struct SendState {
    /// Whose state this is, as the request's word: a place outlives its requests.
    owner: Context,
    /// The target that it was sent to last.
    pub(crate) target: Option<IoTarget>,
    pub(crate) routine: Routine,
    /// The innermost call that waits for it, as long as it does and no driver's routine runs.
    pub(crate) waiter: Option<Waiter>,
    /// It has no handle: it lies on the stack of a call that sends and waits.
    pub(crate) on_stack: bool,
    /// What the verifier asks before a send.
    pub(crate) formatted: bool,
    /// What stands in the next location was copied there by a call without a target.
    pub(crate) next_is_formatted: bool,
    pub(crate) context: Option<FormatContext>,
    /// Who still has to come back before the request is complete: its completion, a cancel in progress.
    pub(crate) references: u32,
    /// How often a queue had touched the request when it was sent.
    pub(crate) moves: u32,
    /// WdfRequestCancelSentRequest was called for it; only reuse clears this.
    pub(crate) cancelled: bool,
    /// The lower driver is done with it, or it never got there.
    pub(crate) completed: bool,
    /// It was sent whatever the target's state was.
    pub(crate) ignores_state: bool,
    pub(crate) timer: Option<Timer>,
    /// Its timer cancelled it: a cancelled status is a time-out.
    pub(crate) timed_out: bool,
}

impl SendState {
    /// What the log prints for the request: its handle, or where it lies.
    #[inline]
    pub(crate) fn shown(&self, request: Request) -> u64 {
        let object = request.object();
        if self.on_stack { object.address() } else { object.handle() }
    }

    /// The state of a new request in this place. Field by field: a whole new state would be copied for each request.
    fn begin_anew(&mut self, owner: Context) {
        self.owner = owner;
        self.target = None;
        self.routine = Routine::None;
        self.waiter = None;
        self.on_stack = false;
        self.formatted = false;
        self.next_is_formatted = false;
        self.context = None;
        self.references = 0;
        self.moves = 0;
        self.cancelled = false;
        self.completed = false;
        self.ignores_state = false;
        self.timer = None;
        self.timed_out = false;
    }

    /// Whether somebody still has to come back.
    pub(crate) fn is_out(&self) -> bool {
        self.references > 0
    }
}

/// The request with its send state; a new request's is empty.
#[inline]
pub(crate) fn parts<'m>(fx: &'m mut Fx<'_>, request: Request) -> Parts<'m, SendState> {
    of_owner(fx.parts(request), request)
}

/// The same, where nothing else is looked at.
#[inline]
pub(crate) fn parts_of(m: &mut Machine, request: Request) -> Parts<'_, SendState> {
    of_owner(layer::parts_of(m, request), request)
}

#[inline]
fn of_owner(parts: Parts<'_, SendState>, request: Request) -> Parts<'_, SendState> {
    let owner = request.to_context();
    if parts.state.owner != owner {
        parts.state.begin_anew(owner);
    }
    parts
}
