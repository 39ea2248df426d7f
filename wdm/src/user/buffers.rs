//! Where the data of a program's request is for the drivers.

use crate::device::{DeviceObject, IoType};
use crate::ioctl::Method;
use crate::irp::{Irp, IrpData};
use crate::machine::Machine;
use crate::memory::Span;
use crate::slab::Id;

impl Machine {
    /// Puts the data where the transfer method says. Returns Type3InputBuffer.
    pub(super) fn describe_buffers(
        &mut self,
        irp: Irp,
        id: Id,
        method: Method,
        input: &[u8],
        output: &[u8],
    ) -> Option<Span> {
        let output_span = (!output.is_empty()).then(|| self.allocate_block(output, 0));
        let input_span = match method {
            Method::Buffered => {
                let length = input.len().max(output.len());
                (length > 0).then(|| self.allocate_block(input, length as u32))
            }
            Method::InDirect | Method::OutDirect | Method::Neither => {
                (!input.is_empty()).then(|| self.allocate_block(input, 0))
            }
        };
        let data = &mut self[irp];
        let mut type3_input = None;
        match method {
            Method::Buffered => {
                data.system_buffer = input_span;
                data.user_buffer = output_span;
                data.flags = IrpData::BUFFERED_IO | IrpData::DEALLOCATE_BUFFER;
                if output_span.is_some() {
                    data.flags |= IrpData::INPUT_OPERATION;
                }
            }
            Method::InDirect | Method::OutDirect => {
                data.system_buffer = input_span;
                data.mdl = output_span;
                if input_span.is_some() {
                    data.flags = IrpData::BUFFERED_IO | IrpData::DEALLOCATE_BUFFER;
                }
            }
            Method::Neither => {
                type3_input = input_span;
                data.user_buffer = output_span;
            }
        }
        let request = self.user_request(id);
        request.output = output_span;
        // A system buffer belongs to the IRP and goes with it; the program's own input buffer with the request.
        request.input = type3_input;
        type3_input
    }

    /// Puts the data of a read or a write where the flags of the highest device say.
    pub(super) fn describe_transfer(&mut self, irp: Irp, id: Id, top: DeviceObject, bytes: &[u8], reads: bool) {
        let length = bytes.len() as u32;
        let io_type = self[top].io_type;
        // A buffered write needs nothing of the program's once its bytes are copied.
        let own = length > 0 && (reads || io_type != IoType::Buffered);
        let own = own.then(|| self.allocate_block(bytes, 0));
        let system = (io_type == IoType::Buffered && length > 0)
            .then(|| self.allocate_block(if reads { &[] } else { bytes }, length));
        let data = &mut self[irp];
        match io_type {
            IoType::Buffered => {
                data.system_buffer = system;
                data.flags = IrpData::BUFFERED_IO;
                if system.is_some() {
                    data.flags |= IrpData::DEALLOCATE_BUFFER;
                }
                if reads {
                    data.flags |= IrpData::INPUT_OPERATION;
                    data.user_buffer = own;
                }
            }
            IoType::Direct => data.mdl = own,
            IoType::Neither => data.user_buffer = own,
        }
        let request = self.user_request(id);
        if reads { request.output = own } else { request.input = own }
    }
}
