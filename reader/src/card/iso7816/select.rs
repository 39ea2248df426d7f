//! SELECT: what its parameters ask for, and which file that is.
//!
//! Source: ISO/IEC 7816-4, SELECT.

use super::channel::Channel;
use super::files::{FileRef, FileTree, MF_ID, NAME_LEN_MAX, Occurrence};
use super::{Iso7816Card, Outcome, PENDING_LEN_MAX};
use crate::apdu::{Command, StatusWord};

impl Iso7816Card {
    /// SELECT. With an Le too small for the template it selects nothing; without Le field it selects, and the template
    /// waits for GET RESPONSE.
    pub(super) fn select(&mut self, command: &Command, response: &mut Vec<u8>) -> Outcome {
        let template_tag = template_tag(command.p2)?;
        let file = find(&self.image.files, self.channel(), command)?;
        let mut status = StatusWord::OK;
        if let Some(tag) = template_tag {
            self.image.files.write_template(file, tag, response);
            let available = response.len();
            debug_assert!(available <= PENDING_LEN_MAX);
            match command.expected {
                Some(ne) if (ne as usize) < available => return Err(StatusWord::wrong_le(available)),
                Some(_) => {}
                None => {
                    self.pending.append(response);
                    status = StatusWord::more_data(available);
                }
            }
        }
        self.enter(file);
        Ok(status)
    }

    /// Makes a file the current one of the channel. PINs of a DF that is left are forgotten.
    fn enter(&mut self, file: FileRef) {
        let files = &self.image.files;
        let (df, ef) = if files.is_df(file) { (file, None) } else { (files.parent(file), Some(file)) };
        let left = |of: FileRef| !files.is_within(df, of);
        let forgotten = self.image.pins.iter().enumerate().filter(|(_, pin)| pin.df.is_some_and(left));
        let forgotten = forgotten.fold(0, |bits, (at, _)| bits | 1 << at);
        let channel = self.channel_mut();
        *channel = Channel { df, ef, record: 0, verified: channel.verified & !forgotten };
    }
}

/// The tag of the template the response should contain, if any.
///
/// # Errors
/// 6A86 for reserved bits of P2, and for FMD, which this card does not keep.
fn template_tag(p2: u8) -> Result<Option<u8>, StatusWord> {
    match p2 & !0x03 {
        0x00 => Ok(Some(0x6F)), // FCI
        0x04 => Ok(Some(0x62)), // FCP
        0x0C => Ok(None),
        _ => Err(StatusWord::WRONG_P1_P2),
    }
}

/// The file `command` asks for, as seen from `at`.
///
/// # Errors
/// 6700 for data of impossible length, 6A82 when there is no such file, 6A86 for a P1 without meaning and for an
/// occurrence where names are not used.
fn find(files: &FileTree, at: &Channel, command: &Command) -> Result<FileRef, StatusWord> {
    let data = command.data;
    let occurrence = occurrence(command.p2);
    if command.p1 != 0x04 && occurrence != Occurrence::First {
        return Err(StatusWord::WRONG_P1_P2);
    }
    let found = match command.p1 {
        0x00 if data.is_empty() => Some(FileRef::MF),
        0x00 => files.by_id(at.df, file_id(data)?),
        0x01 => files.child(at.df, file_id(data)?).filter(|&file| files.is_df(file)),
        0x02 => files.child(at.df, file_id(data)?).filter(|&file| !files.is_df(file)),
        0x03 if !data.is_empty() => return Err(StatusWord::WRONG_LENGTH),
        0x03 => Some(files.parent(at.df)).filter(|_| at.df != FileRef::MF),
        0x04 if !(1..=NAME_LEN_MAX).contains(&data.len()) => return Err(StatusWord::WRONG_LENGTH),
        0x04 => files.by_name(data, occurrence, at.df),
        0x08 => files.by_path(FileRef::MF, path_from_mf(data)?),
        0x09 => files.by_path(at.df, path(data)?),
        _ => return Err(StatusWord::WRONG_P1_P2),
    };
    found.ok_or(StatusWord::NOT_FOUND)
}

fn occurrence(p2: u8) -> Occurrence {
    match p2 & 0x03 {
        0x00 => Occurrence::First,
        0x01 => Occurrence::Last,
        0x02 => Occurrence::Next,
        _ => Occurrence::Previous,
    }
}

fn file_id(data: &[u8]) -> Result<u16, StatusWord> {
    let id = data.try_into().map_err(|_| StatusWord::WRONG_LENGTH)?;
    Ok(u16::from_be_bytes(id))
}

fn path(data: &[u8]) -> Result<&[u8], StatusWord> {
    let whole = !data.is_empty() && data.len().is_multiple_of(2);
    whole.then_some(data).ok_or(StatusWord::WRONG_LENGTH)
}

/// The standard leaves the id of the MF out of such a path. Clients often put it in, and it cannot mean anything else
/// there.
fn path_from_mf(data: &[u8]) -> Result<&[u8], StatusWord> {
    let path = path(data)?;
    Ok(path.strip_prefix(&MF_ID.to_be_bytes()).unwrap_or(path))
}
