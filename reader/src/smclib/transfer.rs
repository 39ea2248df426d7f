//! The Request and Reply pairs: between the caller's buffers and those that a driver sends and receives with.
//!
//! Source: Windows driver documentation, SmartcardT0Request, SmartcardT0Reply, SmartcardT1Request, SmartcardT1Reply,
//! SmartcardRawRequest, SmartcardRawReply.

use vbus_wdm::constants::*;
use vbus_wdm::{Machine, NtStatus};

use super::{IO_REQUEST, IoRequest, Smartcard, SmartcardExtension};
use crate::transmission::t1::{Incoming, Progress};

impl Smartcard {
    /// Copies the data of the request that runs, which is what follows its SCARD_IO_REQUEST, out of the caller's buffer:
    /// with METHOD_BUFFERED the answer goes to where the command is. Returns the extension, as all callers need it next.
    fn take_command(self, m: &mut Machine) -> Result<&mut SmartcardExtension, NtStatus> {
        let extension = self.extension(m);
        let IoRequest { request, header, .. } = extension.io_request;
        let data = request.and_then(|request| {
            let length = request.len().checked_sub(header)?;
            request.part(header, length).filter(|data| !data.is_empty())
        });
        // pscrcb.c answers so for a header that leaves no data.
        let data = data.ok_or(STATUS_INSUFFICIENT_RESOURCES)?;
        let mut command = std::mem::take(&mut extension.command);
        command.clear();
        command.extend_from_slice(m.bytes(data));
        let extension = self.extension(m);
        extension.command = command;
        Ok(extension)
    }

    /// `SmartcardT0Request`: puts the command behind the bytes that the driver left in the request buffer for its own
    /// header. A command of four bytes gets a fifth.
    ///
    /// # Errors
    /// STATUS_BUFFER_OVERFLOW if it does not fit the buffer; STATUS_INSUFFICIENT_RESOURCES for fewer than four bytes.
    pub fn t0_request(self, m: &mut Machine) -> Result<(), NtStatus> {
        let extension = self.take_command(m)?;
        let length = extension.command.len();
        if length < 4 {
            return Err(STATUS_INSUFFICIENT_RESOURCES);
        }
        let p3 = extension.command.get(4).copied().unwrap_or(0);
        extension.t0.lc = if length > 5 { p3.into() } else { 0 };
        extension.t0.le = match length {
            4 => 0,
            5 if p3 == 0 => 256,
            5 => p3.into(),
            _ => 0,
        };
        let buffer = &mut extension.smartcard_request;
        if buffer.bytes.len() + length.max(5) > buffer.size {
            return Err(STATUS_BUFFER_OVERFLOW);
        }
        buffer.bytes.extend_from_slice(&extension.command);
        if length == 4 {
            buffer.bytes.push(0);
        }
        Ok(())
    }

    /// `SmartcardT0Reply`: gives the caller what the driver received.
    ///
    /// # Errors
    /// STATUS_DEVICE_PROTOCOL_ERROR for an answer without a status word, STATUS_BUFFER_TOO_SMALL if it does not fit.
    pub fn t0_reply(self, m: &mut Machine) -> Result<(), NtStatus> {
        if self.extension(m).smartcard_reply.bytes.len() < 2 {
            return Err(STATUS_DEVICE_PROTOCOL_ERROR);
        }
        self.raw_reply(m)
    }

    /// `SmartcardRawRequest`: a plain copy, behind what the driver left in the buffer.
    ///
    /// # Errors
    /// As [`Smartcard::t0_request`].
    pub fn raw_request(self, m: &mut Machine) -> Result<(), NtStatus> {
        let SmartcardExtension { smartcard_request: buffer, command, .. } = self.take_command(m)?;
        if buffer.bytes.len() + command.len() > buffer.size {
            return Err(STATUS_BUFFER_OVERFLOW);
        }
        buffer.bytes.extend_from_slice(command);
        Ok(())
    }

    /// `SmartcardRawReply`: a plain copy, with the SCARD_IO_REQUEST in front.
    ///
    /// # Errors
    /// STATUS_BUFFER_TOO_SMALL if it does not fit.
    pub fn raw_reply(self, m: &mut Machine) -> Result<(), NtStatus> {
        self.reply_data(m, |extension| &mut extension.smartcard_reply.bytes)
    }

    /// `SmartcardT1Request`: puts the next block behind the bytes that the driver left in the request buffer. The first
    /// call of a transmission takes the command from the caller.
    ///
    /// # Errors
    /// STATUS_INSUFFICIENT_RESOURCES for a command without data, STATUS_BUFFER_OVERFLOW for a block that does not fit.
    pub fn t1_request(self, m: &mut Machine) -> Result<(), NtStatus> {
        let mut extension = self.extension(m);
        if !extension.t1.is_busy() {
            extension = self.take_command(m)?;
            let suppressed = extension.os_data.as_ref().is_some_and(|os_data| os_data.suppress_ifs);
            let ifsd = Some(extension.reader_capabilities.max_ifsd).filter(|_| !suppressed);
            extension.t1.announce_size(ifsd);
            extension.t1.start(&extension.command);
        }
        let SmartcardExtension { smartcard_request: buffer, t1, .. } = extension;
        if buffer.bytes.len() + t1.block().len() > buffer.size {
            return Err(STATUS_BUFFER_OVERFLOW);
        }
        buffer.bytes.extend_from_slice(t1.block());
        Ok(())
    }

    /// `SmartcardT1Reply`: digests what the driver received, which is nothing after a time-out.
    ///
    /// # Errors
    /// STATUS_MORE_PROCESSING_REQUIRED: call [`Smartcard::t1_request`] again. STATUS_DEVICE_PROTOCOL_ERROR after too many
    /// errors, STATUS_BUFFER_TOO_SMALL for an answer that does not fit.
    pub fn t1_reply(self, m: &mut Machine) -> Result<(), NtStatus> {
        let extension = self.extension(m);
        let SmartcardExtension { smartcard_reply: buffer, t1, answer, .. } = extension;
        let incoming = match &buffer.bytes[..] {
            [] => Incoming::Silence,
            _ if buffer.wrong_parity => Incoming::WrongParity,
            characters => Incoming::Characters(characters),
        };
        match t1.received(incoming) {
            Ok(Progress::Send) => Err(STATUS_MORE_PROCESSING_REQUIRED),
            Err(_) => Err(STATUS_DEVICE_PROTOCOL_ERROR),
            Ok(Progress::Done) => {
                answer.clear();
                answer.extend_from_slice(t1.response());
                self.reply_data(m, |extension| &mut extension.answer)
            }
        }
    }

    /// Gives the caller an answer of the extension's, with the SCARD_IO_REQUEST of the selected protocol in front where
    /// the request has one.
    fn reply_data(self, m: &mut Machine, answer: fn(&mut SmartcardExtension) -> &mut Vec<u8>) -> Result<(), NtStatus> {
        let extension = self.extension(m);
        // Taken out and put back: the caller's buffer is on the same machine.
        let data = std::mem::take(answer(extension));
        let IoRequest { reply, header, .. } = extension.io_request;
        let protocol = extension.card_capabilities.selected;
        let header = if header > 0 { IO_REQUEST } else { 0 };
        let length = data.len() as u32;
        let place = reply.and_then(|reply| reply.part(0, header.checked_add(length)?));
        if let Some(place) = place {
            let bytes = m.bytes_mut(place);
            bytes[header as usize..].copy_from_slice(&data);
            if header > 0 {
                bytes[..4].copy_from_slice(&protocol.to_le_bytes());
                bytes[4..8].copy_from_slice(&IO_REQUEST.to_le_bytes());
            }
        }
        let extension = self.extension(m);
        *answer(extension) = data;
        match place {
            Some(place) => {
                extension.io_request.information = place.len();
                Ok(())
            }
            None => Err(STATUS_BUFFER_TOO_SMALL),
        }
    }
}
