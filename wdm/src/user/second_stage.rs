//! What a completed request becomes for the program that sent it.

use super::Overlapped;
use crate::file::FileObject;
use crate::irp::{IoStatus, Irp, IrpData};
use crate::machine::Machine;
use crate::schedule::Context;
use crate::slab::Id;
use crate::status::constants::STATUS_VERIFY_REQUIRED;

/// Stage two of completion, in the requester's thread: copy back, write the status block, signal, free the IRP.
///
/// Source: ReactOS, IopCompleteRequest; Windows driver documentation, buffered I/O.
pub(crate) fn second_stage(m: &mut Machine, context: Context) {
    let Some(id) = Id::from_word(context.0) else { return };
    let exit = m.exit();
    let Some(request) = m.requests.get_mut(id) else { return };
    if request.forgotten {
        exit.undefined(
            "IoCompleteRequest",
            "a dispatch routine that keeps an IRP returns STATUS_PENDING: a program that was told something else has \
             gone on, and the answer is written into memory that it uses for something else",
        )
    }
    let Some(irp) = request.irp.take() else { return };
    let data = &m[irp];
    let (status, pended) = (data.io_status, data.pending_returned);
    let system_buffer = data.system_buffer;
    let buffered = data.flags & IrpData::BUFFERED_IO != 0;
    let copies = copies_back(data);
    let abandoned = m.user_request(id).abandoned;
    if copies && !abandoned {
        copy_back(m, irp, status.information);
    }
    if let Some(buffer) = system_buffer.filter(|_| buffered) {
        m.free_block(buffer);
    }
    irp.free(m);

    let file = m.user_request(id).file;
    if abandoned {
        // Nobody asks for the result.
        m.collect(id, &mut []);
    } else {
        finish(m, id, file, status, pended);
    }
    if let Some(file) = file {
        file.release_reference(m);
    }
}

/// Tells the program.
fn finish(m: &mut Machine, id: Id, file: Option<FileObject>, status: IoStatus, pended: bool) {
    let (overlapped, port) = file
        .and_then(|file| m.files.get(file.0))
        .map_or((false, false), |file| (file.overlapped, file.completion_port));
    let request = m.user_request(id);
    request.final_status = status.status;
    request.finished = true;
    if !status.status.is_error() || (pended && overlapped) {
        request.io_status = Some(status);
        request.signalled = true;
        if request.apc {
            m.user_apcs.push_back(Overlapped(id));
        } else if overlapped && port {
            m.completion_port.push_back(Overlapped(id));
        }
    } else if pended {
        request.signalled = true;
    }
}

/// Whether the system buffer is copied to the program: what it asked for is there, and the status is no error and does
/// not ask for the whole request again.
///
/// Source: ReactOS, IopCompleteRequest (STATUS_VERIFY_REQUIRED).
pub(crate) fn copies_back(data: &IrpData) -> bool {
    let wanted = data.flags & IrpData::BUFFERED_IO != 0 && data.flags & IrpData::INPUT_OPERATION != 0;
    let status = data.io_status.status;
    wanted && !status.is_error() && status != STATUS_VERIFY_REQUIRED
}

/// The buffered copy-back: as many bytes as the driver said, whatever the program's buffer can take.
pub(crate) fn copy_back(m: &mut Machine, irp: Irp, information: u64) {
    let (Some(from), Some(to)) = (m[irp].system_buffer, m[irp].user_buffer) else { return };
    let part = u32::try_from(information).ok().and_then(|length| from.part(0, length)).filter(|p| p.len() <= to.len());
    match part {
        Some(part) => _ = m.copy_bytes(part, to),
        None => m.undefined(
            "IoCompleteRequest",
            "IoStatus.Information of a buffered request is at most its output length: the I/O manager copies that many \
             bytes to the program without another look",
        ),
    }
}
