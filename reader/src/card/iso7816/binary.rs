//! READ, UPDATE, WRITE and ERASE BINARY.
//!
//! Source: ISO/IEC 7816-4, transparent structure: commands for handling data units.

use super::files::{Content, FileRef};
use super::{DATA_LEN_MAX, Iso7816Card, Outcome, tlv};
use crate::apdu::{Command, StatusWord};

/// What UPDATE and WRITE do to bytes that are there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Writing {
    Replace,
    /// Write-or, as the data coding byte says.
    Or,
}

/// The offset data object of the odd instruction codes, and the discretionary data.
const TAG_OFFSET: u32 = 0x54;
const TAG_DATA: u32 = 0x53;

impl Iso7816Card {
    /// READ BINARY. Past the end it gives what there is and 6282; an Le of zero asks for what there is and gets 9000.
    pub(super) fn read_binary(&mut self, command: &Command, response: &mut Vec<u8>) -> Outcome {
        if !command.data.is_empty() {
            return Err(StatusWord::WRONG_LENGTH);
        }
        let (file, offset) = self.binary_target(command)?;
        let rest = self.readable(file, offset)?;
        let available = rest.len().min(DATA_LEN_MAX);
        let ne = command.expected.ok_or(StatusWord::wrong_le(available))? as usize;
        response.extend_from_slice(&rest[..ne.min(available)]);
        let ended_early = ne > rest.len() && !command.expects_all();
        self.make_current(file);
        Ok(if ended_early { StatusWord::END_OF_FILE } else { StatusWord::OK })
    }

    /// READ BINARY with the odd instruction code: the offset is in the data, and the answer is a data object.
    pub(super) fn read_binary_odd(&mut self, command: &Command, response: &mut Vec<u8>) -> Outcome {
        let file = self.odd_target(command)?;
        let (offset, rest) = offset_object(command.data)?;
        if !rest.is_empty() {
            return Err(StatusWord::WRONG_DATA);
        }
        let rest = self.readable(file, offset)?;
        let ne = command.expected.ok_or(StatusWord::WRONG_LENGTH)? as usize;
        let room = ne.min(DATA_LEN_MAX);
        let mut length = rest.len().min(room);
        while length > 0 && tlv::header_length(TAG_DATA, length) + length > room {
            length -= 1;
        }
        if length == 0 {
            return Err(StatusWord::WRONG_LENGTH);
        }
        tlv::write_header(TAG_DATA, length, response);
        response.extend_from_slice(&rest[..length]);
        self.make_current(file);
        Ok(StatusWord::OK)
    }

    /// UPDATE and WRITE BINARY. Neither enlarges an EF: data past the end gets 6700.
    pub(super) fn update_binary(&mut self, command: &Command, writing: Writing) -> Outcome {
        if command.data.is_empty() {
            return Err(StatusWord::WRONG_LENGTH);
        }
        let (file, offset) = self.binary_target(command)?;
        self.put_binary(file, offset, command.data, writing)
    }

    /// UPDATE BINARY with the odd instruction code: offset and data are data objects.
    pub(super) fn update_binary_odd(&mut self, command: &Command) -> Outcome {
        let file = self.odd_target(command)?;
        let (offset, rest) = offset_object(command.data)?;
        match tlv::first(rest) {
            Some(object) if object.tag == TAG_DATA && object.rest.is_empty() && !object.value.is_empty() => {
                self.put_binary(file, offset, object.value, Writing::Replace)
            }
            _ => Err(StatusWord::WRONG_DATA),
        }
    }

    /// ERASE BINARY: zeroes from the offset to the end, or to the offset in the data.
    pub(super) fn erase_binary(&mut self, command: &Command) -> Outcome {
        let (file, offset) = self.binary_target(command)?;
        let bytes = self.writable(file)?;
        let end = match *command.data {
            [] => bytes.len(),
            [high, low] => u16::from_be_bytes([high, low]).into(),
            _ => return Err(StatusWord::WRONG_LENGTH),
        };
        bytes.get_mut(offset..end).filter(|range| !range.is_empty()).ok_or(StatusWord::WRONG_OFFSET)?.fill(0);
        self.dirty = true;
        self.make_current(file);
        Ok(StatusWord::OK)
    }

    fn put_binary(&mut self, file: FileRef, offset: usize, data: &[u8], writing: Writing) -> Outcome {
        let bytes = self.writable(file)?;
        let rest = bytes.get_mut(offset..).filter(|rest| !rest.is_empty()).ok_or(StatusWord::WRONG_OFFSET)?;
        let target = rest.get_mut(..data.len()).ok_or(StatusWord::WRONG_LENGTH)?;
        match writing {
            Writing::Replace => target.copy_from_slice(data),
            Writing::Or => target.iter_mut().zip(data).for_each(|(byte, new)| *byte |= new),
        }
        self.dirty = true;
        self.make_current(file);
        Ok(StatusWord::OK)
    }

    /// What can be read of a file from an offset on.
    fn readable(&self, file: FileRef, offset: usize) -> Result<&[u8], StatusWord> {
        let ef = self.image.files.ef(file).ok_or(StatusWord::NO_CURRENT_EF)?;
        let Content::Transparent(bytes) = &ef.content else { return Err(StatusWord::WRONG_STRUCTURE) };
        self.permit(ef.read)?;
        bytes.get(offset..).filter(|rest| !rest.is_empty()).ok_or(StatusWord::WRONG_OFFSET)
    }

    fn writable(&mut self, file: FileRef) -> Result<&mut [u8], StatusWord> {
        let ef = self.image.files.ef(file).ok_or(StatusWord::NO_CURRENT_EF)?;
        if !matches!(ef.content, Content::Transparent(_)) {
            return Err(StatusWord::WRONG_STRUCTURE);
        }
        self.permit(ef.update)?;
        match self.image.files.ef_mut(file).map(|ef| &mut ef.content) {
            Some(Content::Transparent(bytes)) => Ok(bytes),
            _ => Err(StatusWord::WRONG_STRUCTURE),
        }
    }

    /// The EF and the offset P1 and P2 name: bit 8 of P1 set means an SFI in P1 and an offset of 8 bits in P2, else both
    /// are an offset of 15 bits into the current EF.
    ///
    /// Source: ISO/IEC 7816-4, READ BINARY with even instruction code.
    fn binary_target(&self, command: &Command) -> Result<(FileRef, usize), StatusWord> {
        let (p1, p2) = (command.p1, command.p2);
        if p1 & 0x80 == 0 {
            return Ok((self.current_ef()?, u16::from_be_bytes([p1, p2]).into()));
        }
        Ok((self.ef_by_sfi(p1 & 0x7F)?, p2.into()))
    }

    /// The EF that P1 and P2 of an odd instruction code name: an SFI in the low five bits where all others are zero, else
    /// a file id; 0000 is the current EF.
    fn odd_target(&self, command: &Command) -> Result<FileRef, StatusWord> {
        match u16::from_be_bytes([command.p1, command.p2]) {
            0 => self.current_ef(),
            sfi @ 1..=30 => self.ef_by_sfi(sfi as u8),
            id => self.image.files.child(self.channel().df, id).ok_or(StatusWord::NOT_FOUND),
        }
    }
}

/// The offset data object in front of the data, and what follows it.
fn offset_object(data: &[u8]) -> Result<(usize, &[u8]), StatusWord> {
    let object = tlv::first(data).filter(|object| object.tag == TAG_OFFSET).ok_or(StatusWord::WRONG_DATA)?;
    if object.value.len() > 3 {
        return Err(StatusWord::WRONG_OFFSET);
    }
    let offset = object.value.iter().fold(0, |offset, &byte| offset << 8 | usize::from(byte));
    Ok((offset, object.rest))
}
