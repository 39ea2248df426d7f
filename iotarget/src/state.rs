//! What sending adds to a request.

use vbus_wdf::layer::{Fx, Parts};
use vbus_wdf::{Memory, Request};
use vbus_wdm::{Context, IoStatus, IoctlCode, Machine, Span, Timer};

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
    /// Information: bytes of output.
    pub output_length: u64,
}

/// The IRP's buffer fields as they were before a format call.
#[derive(Clone, Copy)]
pub(crate) struct Formatting {
    pub(crate) system_buffer: Option<Span>,
    pub(crate) mdl: Option<Span>,
    pub(crate) user_buffer: Option<Span>,
    pub(crate) flags: u32,
    /// The system buffer that the framework made for METHOD_BUFFERED, and where its output belongs.
    pub(crate) buffered: Option<(Span, Option<Span>)>,
    /// The requests whose memories it uses.
    pub(crate) borrowed: [Option<Request>; 2],
}

/// A request's part in being sent.
#[derive(Default)]
pub(crate) struct SendState {
    /// Whose state this is, as the request's word: a place outlives its requests.
    owner: Context,
    pub(crate) target: Option<IoTarget>,
    pub(crate) routine: Option<(CompletionRoutine, Context)>,
    pub(crate) formatted: bool,
    pub(crate) formatting: Option<Formatting>,
    pub(crate) params: CompletionParams,
    /// Who still has to come back before the request is complete: its completion, a cancel in progress.
    pub(crate) references: u32,
    /// How often a queue had touched the request when it was sent.
    pub(crate) moves: u32,
    /// WdfRequestCancelSentRequest was called for it; only reuse clears this.
    pub(crate) cancelled: bool,
    /// It waits for its target to be started.
    pub(crate) pended: bool,
    /// It was sent whatever the target's state was.
    pub(crate) ignores_state: bool,
    pub(crate) timer: Option<Timer>,
    /// Its timer cancelled it: a cancelled status is a time-out.
    pub(crate) timed_out: bool,
}

/// The request with its send state; a new request's is empty.
#[inline]
pub(crate) fn parts<'m>(fx: &'m mut Fx<'_>, request: Request) -> Parts<'m, SendState> {
    let parts = fx.parts::<SendState>(request);
    let owner = request.to_context();
    if parts.state.owner != owner {
        *parts.state = SendState { owner, ..SendState::default() };
    }
    parts
}
