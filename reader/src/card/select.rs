//! SELECT: what its parameters ask for, and which file that is.
//!
//! Source: ISO/IEC 7816-4, SELECT.

use super::apdu::{Command, StatusWord};
use super::files::{FileRef, FileTree, MF_ID, Occurrence};

/// Most bytes a DF name (AID) has.
const NAME_LEN_MAX: usize = 16;

/// The current DF and, if one is selected, the current EF in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Selection {
    pub(super) df: FileRef,
    pub(super) ef: Option<FileRef>,
}

impl Selection {
    /// The state after reset.
    pub(super) const MF: Selection = Selection { df: FileRef::MF, ef: None };

    /// The state after `file` was selected.
    pub(super) fn of(files: &FileTree, file: FileRef) -> Selection {
        if files.is_df(file) {
            Selection { df: file, ef: None }
        } else {
            Selection { df: files.parent(file), ef: Some(file) }
        }
    }
}

/// The tag of the template the response should contain, if any.
///
/// # Errors
/// 6A86 for reserved bits of P2, and for FMD, which this card does not keep.
pub(super) fn template_tag(p2: u8) -> Result<Option<u8>, StatusWord> {
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
/// 6700 for data of impossible length, 6A82 when there is no such file, 6A86
/// for a P1 without meaning and for an occurrence where names are not used.
pub(super) fn find(files: &FileTree, at: Selection, command: &Command) -> Result<FileRef, StatusWord> {
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

/// The standard leaves the id of the MF out of such a path. Clients often put
/// it in, and it cannot mean anything else there.
fn path_from_mf(data: &[u8]) -> Result<&[u8], StatusWord> {
    let path = path(data)?;
    Ok(path.strip_prefix(&MF_ID.to_be_bytes()).unwrap_or(path))
}
