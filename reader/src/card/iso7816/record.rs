//! READ, UPDATE, WRITE, APPEND and SEARCH RECORD.
//!
//! Source: ISO/IEC 7816-4, record structures: commands for handling records.

use super::binary::Writing;
use super::files::{Content, FileRef, Records, Structure};
use super::{Iso7816Card, Outcome};
use crate::apdu::{Command, StatusWord};

/// The low three bits of P2.
const MODE: u8 = 0x07;
const NEXT: u8 = 2;
const PREVIOUS: u8 = 3;
const THIS: u8 = 4;
const FROM_HERE: u8 = 5;
const DOWN_TO_HERE: u8 = 6;

impl Iso7816Card {
    /// READ RECORD: one record, or several one after the other.
    pub(super) fn read_record(&mut self, command: &Command, response: &mut Vec<u8>) -> Outcome {
        let file = self.record_target(command)?;
        let records = self.records(file)?;
        self.permit_read(file)?;
        let count = records.list.len();
        let mode = command.p2 & MODE;
        if matches!(mode, FROM_HERE | DOWN_TO_HERE) {
            let from = self.number(records, command.p1)?;
            for step in 0..=count - from {
                let number = if mode == FROM_HERE { from + step } else { count - step };
                self.copy_record(file, number);
            }
            self.make_current(file);
            return self.hand_out(command, response);
        }
        let number = self.find_record(records, command)?;
        let record = &records.list[number - 1];
        match command.expected {
            Some(ne) if ne as usize == record.len() || command.expects_all() => {}
            _ => return Err(StatusWord::wrong_le(record.len())),
        }
        response.extend_from_slice(record);
        self.remember(file, number, mode);
        Ok(StatusWord::OK)
    }

    /// Puts a record among what is handed out.
    fn copy_record(&mut self, file: FileRef, number: usize) {
        if let Some(Content::Records(records)) = self.image.files.ef(file).map(|ef| &ef.content) {
            self.pending.extend_from_slice(&records.list[number - 1]);
        }
    }

    /// UPDATE RECORD, and WRITE RECORD, which or-s. In a cyclic EF "previous" is the oldest record, which becomes the
    /// first.
    pub(super) fn update_record(&mut self, command: &Command, writing: Writing) -> Outcome {
        let file = self.record_target(command)?;
        let mode = command.p2 & MODE;
        if mode > THIS || (mode < THIS && command.p1 != 0) {
            return Err(StatusWord::WRONG_P1_P2);
        }
        self.permit_update(file)?;
        let records = self.records(file)?;
        check_length(records, command.data)?;
        if records.structure == Structure::Cyclic && mode == PREVIOUS && writing == Writing::Replace {
            self.push_cyclic(file, command.data)?;
            self.remember(file, 1, mode);
            return Ok(StatusWord::OK);
        }
        let number = self.find_record(records, command)?;
        let record = &mut self.records_mut(file)?.list[number - 1];
        match writing {
            Writing::Replace => {
                record.clear();
                record.extend_from_slice(command.data);
            }
            Writing::Or if record.len() != command.data.len() => return Err(StatusWord::WRONG_LENGTH),
            Writing::Or => record.iter_mut().zip(command.data).for_each(|(byte, new)| *byte |= new),
        }
        self.dirty = true;
        self.remember(file, number, mode);
        Ok(StatusWord::OK)
    }

    /// APPEND RECORD: at the end of a linear EF, as the first of a cyclic one.
    pub(super) fn append_record(&mut self, command: &Command) -> Outcome {
        if command.p1 != 0 || command.p2 & MODE != 0 {
            return Err(StatusWord::WRONG_P1_P2);
        }
        let file = self.record_target(command)?;
        self.permit_update(file)?;
        let records = self.records(file)?;
        check_length(records, command.data)?;
        if records.structure == Structure::Cyclic {
            self.push_cyclic(file, command.data)?;
            self.remember(file, 1, NEXT);
            return Ok(StatusWord::OK);
        }
        let records = self.records_mut(file)?;
        if records.list.len() >= records.capacity {
            return Err(StatusWord::NOT_ENOUGH_SPACE);
        }
        records.list.push_back(command.data.to_vec());
        let number = records.list.len();
        self.dirty = true;
        self.remember(file, number, NEXT);
        Ok(StatusWord::OK)
    }

    /// SEARCH RECORD, simple: the numbers of the records that have the data somewhere in them, from P1 forwards (P2 4)
    /// or backwards (5).
    pub(super) fn search_record(&mut self, command: &Command, response: &mut Vec<u8>) -> Outcome {
        let mode = command.p2 & MODE;
        if !matches!(mode, THIS | FROM_HERE) {
            return Err(StatusWord::WRONG_P1_P2);
        }
        if command.data.is_empty() {
            return Err(StatusWord::WRONG_LENGTH);
        }
        let file = self.record_target(command)?;
        self.permit_read(file)?;
        let records = self.records(file)?;
        // Without a current record the search begins at the end that it leaves.
        let end = if mode == THIS { 1 } else { records.list.len() };
        let from = if command.p1 == 0 && self.channel().record == 0 { end } else { self.number(records, command.p1)? };
        let found = |number: &usize| {
            let record = &records.list[number - 1];
            record.windows(command.data.len()).any(|window| window == command.data)
        };
        match mode {
            THIS => response.extend((from..=records.list.len()).filter(found).map(|number| number as u8)),
            _ => response.extend((1..=from).rev().filter(found).map(|number| number as u8)),
        }
        let Some(&first) = response.first() else { return Err(StatusWord::END_OF_FILE) };
        response.truncate(command.expected.unwrap_or(0).min(256) as usize);
        self.remember(file, first.into(), NEXT);
        Ok(StatusWord::OK)
    }

    /// The EF that P2 names: an SFI in its upper five bits, or the current EF.
    fn record_target(&self, command: &Command) -> Result<FileRef, StatusWord> {
        match command.p2 >> 3 {
            0 => self.current_ef(),
            sfi => self.ef_by_sfi(sfi),
        }
    }

    fn records(&self, file: FileRef) -> Result<&Records, StatusWord> {
        let ef = self.image.files.ef(file).ok_or(StatusWord::NO_CURRENT_EF)?;
        let Content::Records(records) = &ef.content else { return Err(StatusWord::WRONG_STRUCTURE) };
        Ok(records)
    }

    fn permit_read(&self, file: FileRef) -> Result<(), StatusWord> {
        let ef = self.image.files.ef(file).ok_or(StatusWord::NO_CURRENT_EF)?;
        self.permit(ef.read)
    }

    fn permit_update(&self, file: FileRef) -> Result<(), StatusWord> {
        let ef = self.image.files.ef(file).ok_or(StatusWord::NO_CURRENT_EF)?;
        self.permit(ef.update)
    }

    fn records_mut(&mut self, file: FileRef) -> Result<&mut Records, StatusWord> {
        match self.image.files.ef_mut(file).map(|ef| &mut ef.content) {
            Some(Content::Records(records)) => Ok(records),
            _ => Err(StatusWord::WRONG_STRUCTURE),
        }
    }

    /// The record with a number; 0 is the current one.
    fn number(&self, records: &Records, p1: u8) -> Result<usize, StatusWord> {
        let number = if p1 == 0 { self.channel().record } else { p1.into() };
        (1..=records.list.len()).contains(&number).then_some(number).ok_or(StatusWord::RECORD_NOT_FOUND)
    }

    /// The record that P1 and P2 name: a number, or an identifier (the record's first byte; 0 is any) with a direction.
    fn find_record(&self, records: &Records, command: &Command) -> Result<usize, StatusWord> {
        let current = self.channel().record;
        let count = records.list.len();
        let matches = |number: &usize| command.p1 == 0 || records.list[number - 1].first() == Some(&command.p1);
        let found = match command.p2 & MODE {
            0 => (1..=count).find(matches),
            1 => (1..=count).rev().find(matches),
            NEXT => (current + 1..=count).find(matches),
            PREVIOUS if current == 0 => (1..=count).rev().find(matches),
            PREVIOUS => (1..current).rev().find(matches),
            THIS => return self.number(records, command.p1),
            _ => return Err(StatusWord::WRONG_P1_P2),
        };
        found.ok_or(StatusWord::RECORD_NOT_FOUND)
    }

    /// The newest record of a cyclic EF; the oldest one makes room for it.
    fn push_cyclic(&mut self, file: FileRef, data: &[u8]) -> Result<(), StatusWord> {
        let records = self.records_mut(file)?;
        let mut record = if records.list.len() < records.capacity {
            Vec::new()
        } else {
            records.list.pop_back().unwrap_or_default()
        };
        record.clear();
        record.extend_from_slice(data);
        records.list.push_front(record);
        self.dirty = true;
        Ok(())
    }

    /// The EF becomes the current one. A record that was named by its number does not become the current record.
    fn remember(&mut self, file: FileRef, number: usize, mode: u8) {
        self.make_current(file);
        if mode < THIS {
            self.channel_mut().record = number;
        }
    }
}

/// A record of fixed length has that length; others have at most so many bytes.
fn check_length(records: &Records, data: &[u8]) -> Result<(), StatusWord> {
    let fits = match records.structure {
        Structure::LinearVariable => !data.is_empty() && data.len() <= records.length,
        Structure::LinearFixed | Structure::Cyclic => data.len() == records.length,
    };
    if fits { Ok(()) } else { Err(StatusWord::WRONG_LENGTH) }
}
