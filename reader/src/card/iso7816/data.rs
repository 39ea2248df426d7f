//! GET DATA and PUT DATA.
//!
//! Source: ISO/IEC 7816-4, data object handling.

use super::security::Access;
use super::{Iso7816Card, Outcome, tlv};
use crate::apdu::{Command, StatusWord};

/// A data object of the card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataObject {
    pub(crate) tag: u32,
    pub(crate) value: Vec<u8>,
    /// Most bytes that PUT DATA may store.
    pub(crate) size_max: usize,
    pub(crate) read: Access,
    pub(crate) update: Access,
}

/// The tag list.
const TAG_LIST: u32 = 0x5C;

impl Iso7816Card {
    /// GET DATA with the even instruction code: the value of the object that P1 and P2 name.
    pub(super) fn get_data(&mut self, command: &Command, response: &mut Vec<u8>) -> Outcome {
        if !command.data.is_empty() {
            return Err(StatusWord::WRONG_LENGTH);
        }
        let at = self.readable_object(tag_of(command))?;
        self.pending.extend_from_slice(&self.image.objects[at].value);
        self.hand_out(command, response)
    }

    /// GET DATA with the odd instruction code: the objects of the tag list in the data, whole.
    pub(super) fn get_data_odd(&mut self, command: &Command, response: &mut Vec<u8>) -> Outcome {
        let list = tlv::first(command.data).filter(|list| list.tag == TAG_LIST && list.rest.is_empty());
        let mut tags = list.ok_or(StatusWord::WRONG_DATA)?.value;
        while !tags.is_empty() {
            let (tag, rest) = tlv::take_tag(tags).ok_or(StatusWord::WRONG_DATA)?;
            let at = self.readable_object(tag)?;
            let value = &self.image.objects[at].value;
            tlv::write_header(tag, value.len(), &mut self.pending);
            self.pending.extend_from_slice(value);
            tags = rest;
        }
        self.hand_out(command, response)
    }

    /// PUT DATA with the even instruction code: a new value for the object that P1 and P2 name.
    pub(super) fn put_data(&mut self, command: &Command) -> Outcome {
        self.store(tag_of(command), command.data)
    }

    /// PUT DATA with the odd instruction code: the objects in the data.
    pub(super) fn put_data_odd(&mut self, command: &Command) -> Outcome {
        let mut objects = command.data;
        if objects.is_empty() {
            return Err(StatusWord::WRONG_LENGTH);
        }
        while !objects.is_empty() {
            let object = tlv::first(objects).ok_or(StatusWord::WRONG_DATA)?;
            self.store(object.tag, object.value)?;
            objects = object.rest;
        }
        Ok(StatusWord::OK)
    }

    fn object(&self, tag: u32) -> Result<usize, StatusWord> {
        self.image.objects.iter().position(|object| object.tag == tag).ok_or(StatusWord::REFERENCE_NOT_FOUND)
    }

    fn readable_object(&self, tag: u32) -> Result<usize, StatusWord> {
        let at = self.object(tag)?;
        self.permit(self.image.objects[at].read)?;
        Ok(at)
    }

    fn store(&mut self, tag: u32, value: &[u8]) -> Outcome {
        let at = self.object(tag)?;
        self.permit(self.image.objects[at].update)?;
        let object = &mut self.image.objects[at];
        if value.len() > object.size_max {
            return Err(StatusWord::NOT_ENOUGH_SPACE);
        }
        object.value.clear();
        object.value.extend_from_slice(value);
        self.dirty = true;
        Ok(StatusWord::OK)
    }
}

/// The tag in P1 and P2: one byte in P2 where P1 is zero.
fn tag_of(command: &Command) -> u32 {
    u32::from_be_bytes([0, 0, command.p1, command.p2])
}
