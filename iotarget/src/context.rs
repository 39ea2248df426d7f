//! What a format call leaves beside the request, and how it is undone.
//!
//! Source: S/core/fxrequestcontext.cpp; S/inc/private/km/fxiotargetkm.hpp:26-150; S/inc/private/common/fxiotarget.hpp:
//! 120-220.

use vbus_wdf::layer::Parts;
use vbus_wdf::{Memory, Ownership, Request};
use vbus_wdm::{Irp, Machine, Span};

use crate::state::{ContextKind, FormatContext, Heard, Restore, parts_of};

/// A formatting begins: what it changes is remembered, and what it uses is referenced. A context of another type goes.
/// From here on nothing refuses the request, which is formatted now. Returns whose its IRP is.
#[inline]
pub(crate) fn begin(
    m: &mut Machine,
    request: Request,
    irp: Irp,
    kind: ContextKind,
    memories: [Option<Memory>; 3],
    heard: Heard,
) -> Ownership {
    memories.into_iter().flatten().for_each(|memory| memory.reference(m));
    let data = &m[irp];
    let restore = (kind == ContextKind::Io).then_some(Restore {
        system_buffer: data.system_buffer,
        mdl: data.mdl,
        user_buffer: data.user_buffer,
        flags: data.flags,
    });
    let Parts { release: on_release, discard: on_discard, ownership, state, .. } = parts_of(m, request);
    let unfit = state.context.take_if(|context| context.kind != kind);
    match &mut state.context {
        Some(context) => (context.restore, context.memories, context.heard) = (restore, memories, heard),
        none => *none = Some(FormatContext { kind, restore, memories, buffer: None, copies_back: false, heard }),
    }
    state.formatted = true;
    *on_release = Some(release);
    // A dispatched request goes when it is completed, and its context with it: only a buffer has to be looked after.
    if ownership != Ownership::FromIo {
        *on_discard = Some(discard);
    }
    if let Some(FormatContext { buffer: Some(buffer), .. }) = unfit {
        m.free_block(buffer);
    }
    ownership
}

/// METHOD_BUFFERED between drivers: a system buffer as long as the longer of the two, the input copied in. One that a
/// former formatting left is used again if it is long enough. None for no bytes at all.
pub(crate) fn system_buffer(
    m: &mut Machine,
    request: Request,
    input: Option<Span>,
    output: Option<Span>,
) -> Option<Span> {
    let length = |span: Option<Span>| span.map_or(0, Span::len);
    let needed = length(input).max(length(output));
    if needed == 0 {
        return None;
    }
    let kept = parts_of(m, request).state.context.as_ref().and_then(|context| context.buffer);
    let buffer = match kept.filter(|kept| kept.len() >= needed) {
        Some(kept) => kept,
        None => {
            let buffer = m.allocate_block(&[], needed);
            kept.into_iter().for_each(|kept| m.free_block(kept));
            buffer
        }
    };
    let Parts { discard: on_discard, state, .. } = parts_of(m, request);
    *on_discard = Some(discard);
    let context = state.context.get_or_insert_default();
    (context.buffer, context.copies_back) = (Some(buffer), length(output) > 0);
    if let Some(input) = input.filter(|input| !input.is_null()) {
        m.copy_bytes(input, buffer);
    }
    buffer.part(0, needed)
}

/// ReleaseAndRestore: the IRP's buffers are what they were, and the memories are given back. A request that is out at
/// this moment comes back as one that was never formatted.
fn release(m: &mut Machine, request: Request) {
    let Parts { irp, state, .. } = parts_of(m, request);
    let Some(context) = &mut state.context else { return };
    let (restore, memories) = (context.restore.take(), std::mem::take(&mut context.memories));
    context.heard = Heard::default();
    if let (Some(irp), Some(restore)) = (irp, restore) {
        let data = &mut m[irp];
        data.system_buffer = restore.system_buffer;
        data.mdl = restore.mdl;
        data.user_buffer = restore.user_buffer;
        data.flags = restore.flags;
    }
    let [first, second, third] = memories;
    [second, third, first].into_iter().flatten().for_each(|memory| memory.dereference(m));
}

/// The context goes, with the buffer that it kept.
pub(crate) fn discard(m: &mut Machine, request: Request) {
    let context = parts_of(m, request).state.context.take();
    if let Some(FormatContext { buffer: Some(buffer), .. }) = context {
        m.free_block(buffer);
    }
}
