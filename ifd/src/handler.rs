//! What pcscd asks, for each reader that it was told of.
//!
//! Source: pcsc-lite, ifdhandler.h and its documentation; ifdwrapper.c for what it makes of the answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use crate::events::{Event, Events};
use crate::link::{Link, Place};
use crate::message::{Ask, ResponseCode};

const TAG_IFD_ATR: u64 = 0x0303;
const TAG_IFD_SLOT_THREAD_SAFE: u64 = 0x0FAC;
const TAG_IFD_THREAD_SAFE: u64 = 0x0FAD;
const TAG_IFD_SLOTS_NUMBER: u64 = 0x0FAE;
const TAG_IFD_SIMULTANEOUS_ACCESS: u64 = 0x0FAF;
const SCARD_ATTR_ATR_STRING: u64 = 0x0009_0303;
/// Below this are pcscd's own tags, from here on the attributes of PC/SC.
const ATTRIBUTES: u64 = 0x0001_0000;

const IFD_POWER_UP: u64 = 500;
const IFD_POWER_DOWN: u64 = 501;
const IFD_RESET: u64 = 502;

/// A reader.
struct Channel {
    asked: Mutex<Asked>,
    events: Events,
    absence: Mutex<Absence>,
}

/// What is asked of a reader goes here, one question at a time.
struct Asked {
    link: Link,
    atr: Vec<u8>,
}

/// A card that was pulled out, as long as pcscd has not seen it: another one may be in long before pcscd looks.
#[derive(Default)]
struct Absence {
    unseen: bool,
    /// The thread that waits for what happens, and looks then. Others look as well, and tell nobody what they see.
    looks: Option<ThreadId>,
}

/// The readers by their LUN. pcscd asks for different readers from different threads, and for one at a time; only its
/// waiting for what happens goes on beside that.
static CHANNELS: Mutex<BTreeMap<u64, Arc<Channel>>> = Mutex::new(BTreeMap::new());

/// What was locked while a thread panicked is as good as before: nothing here changes in two steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a function gives back: its code, and bytes.
type Given = Result<Vec<u8>, ResponseCode>;

/// IFDHCreateChannelByName. Nobody has to be there yet.
pub(crate) fn create(lun: u64, name: &str) -> ResponseCode {
    let Some(place) = Place::parse(name) else { return ResponseCode::COMMUNICATION_ERROR };
    let Ok(events) = Events::new(place.clone()) else { return ResponseCode::COMMUNICATION_ERROR };
    let asked = Mutex::new(Asked { link: Link::new(place), atr: Vec::new() });
    lock(&CHANNELS).insert(lun, Arc::new(Channel { asked, events, absence: Mutex::default() }));
    ResponseCode::SUCCESS
}

/// IFDHCloseChannel.
pub(crate) fn close(lun: u64) -> ResponseCode {
    match lock(&CHANNELS).remove(&lun) {
        Some(_) => ResponseCode::SUCCESS,
        None => ResponseCode::NO_SUCH_DEVICE,
    }
}

fn channel(lun: u64) -> Result<Arc<Channel>, ResponseCode> {
    lock(&CHANNELS).get(&lun).cloned().ok_or(ResponseCode::NO_SUCH_DEVICE)
}

/// Asks for a reader. One without anybody behind it does not exist at the moment.
fn ask<R>(lun: u64, ask: Ask<'_>, use_it: impl FnOnce(&[u8], &mut Vec<u8>) -> R) -> Result<R, ResponseCode> {
    let channel = channel(lun)?;
    let Asked { link, atr } = &mut *lock(&channel.asked);
    match link.ask(ask) {
        Ok(answer) if answer.code == ResponseCode::SUCCESS => Ok(use_it(answer.data, atr)),
        Ok(answer) => Err(answer.code),
        Err(_) => Err(ResponseCode::NO_SUCH_DEVICE),
    }
}

/// IFDHICCPresence.
pub(crate) fn presence(lun: u64) -> ResponseCode {
    if let Ok(channel) = channel(lun) {
        let mut absence = lock(&channel.absence);
        if absence.unseen {
            absence.unseen = absence.looks != Some(thread::current().id());
            return ResponseCode::ICC_NOT_PRESENT;
        }
    }
    match ask(lun, Ask::Presence, |_, _| ()) {
        Ok(()) => ResponseCode::ICC_PRESENT,
        Err(code) => code,
    }
}

/// TAG_IFD_POLLING_THREAD_WITH_TIMEOUT: waits for something to happen to the card. After anything but IFD_SUCCESS pcscd
/// looks again in 0.4 s.
pub(crate) fn wait_for_event(lun: u64, limit: Duration) -> ResponseCode {
    let Ok(channel) = channel(lun) else { return ResponseCode::NO_SUCH_DEVICE };
    let event = channel.events.wait(limit);
    if event.as_ref().is_ok_and(|event| *event == Event::Removed) {
        *lock(&channel.absence) = Absence { unseen: true, looks: Some(thread::current().id()) };
    }
    event.map_or(ResponseCode::NO_SUCH_DEVICE, |_| ResponseCode::SUCCESS)
}

/// TAG_IFD_STOP_POLLING_THREAD: has the above return.
pub(crate) fn stop_waiting(lun: u64) -> ResponseCode {
    match channel(lun) {
        Ok(channel) => {
            channel.events.stop();
            ResponseCode::SUCCESS
        }
        Err(code) => code,
    }
}

/// IFDHPowerICC: gives the ATR.
pub(crate) fn power(lun: u64, action: u64) -> Given {
    let question = match action {
        IFD_POWER_UP => Ask::PowerUp,
        IFD_POWER_DOWN => Ask::PowerDown,
        IFD_RESET => Ask::Reset,
        _ => return Err(ResponseCode::NOT_SUPPORTED),
    };
    ask(lun, question, |data, atr| {
        data.clone_into(atr);
        data.to_vec()
    })
}

/// IFDHSetProtocolParameters. What PPS proposes is for the reader to decide.
pub(crate) fn protocol(lun: u64, mask: u64) -> ResponseCode {
    let Ok(mask) = u32::try_from(mask) else { return ResponseCode::PROTOCOL_NOT_SUPPORTED };
    ask(lun, Ask::Protocol(mask), |_, _| ResponseCode::SUCCESS).unwrap_or_else(|code| code)
}

/// IFDHTransmitToICC: puts the response into `response`, and says how long it is.
pub(crate) fn transmit(lun: u64, t: u64, command: &[u8], response: &mut [u8]) -> Result<usize, ResponseCode> {
    let t = u32::try_from(t).map_err(|_| ResponseCode::PROTOCOL_NOT_SUPPORTED)?;
    ask(lun, Ask::Transmit { t, command }, |data, _| put(data, response))?
}

/// IFDHControl: as [`transmit`].
pub(crate) fn control(lun: u64, code: u64, data: &[u8], response: &mut [u8]) -> Result<usize, ResponseCode> {
    let code = u32::try_from(code).map_err(|_| ResponseCode::ERROR_NOT_SUPPORTED)?;
    ask(lun, Ask::Control { code, data }, |data, _| put(data, response))?
}

/// IFDHGetCapabilities.
pub(crate) fn get_capability(lun: u64, tag: u64) -> Given {
    match tag {
        TAG_IFD_ATR | SCARD_ATTR_ATR_STRING => ask_for_atr(lun),
        TAG_IFD_SLOTS_NUMBER => Ok(vec![1]),
        // Every reader has its own connection, and more of them than there can be entries in a reader.conf.
        TAG_IFD_SIMULTANEOUS_ACCESS => Ok(vec![u8::MAX]),
        TAG_IFD_THREAD_SAFE | TAG_IFD_SLOT_THREAD_SAFE => Ok(vec![1]),
        ATTRIBUTES.. => {
            let tag = u32::try_from(tag).map_err(|_| ResponseCode::ERROR_TAG)?;
            ask(lun, Ask::GetAttribute(tag), |data, _| data.to_vec())
        }
        _ => Err(ResponseCode::ERROR_TAG),
    }
}

fn ask_for_atr(lun: u64) -> Given {
    let channel = channel(lun)?;
    let atr = lock(&channel.asked).atr.clone();
    Ok(atr)
}

/// IFDHSetCapabilities.
pub(crate) fn set_capability(lun: u64, tag: u64, value: &[u8]) -> ResponseCode {
    let Some(tag) = u32::try_from(tag).ok().filter(|_| tag >= ATTRIBUTES) else { return ResponseCode::ERROR_TAG };
    ask(lun, Ask::SetAttribute { tag, value }, |_, _| ResponseCode::SUCCESS).unwrap_or_else(|code| code)
}

fn put(data: &[u8], response: &mut [u8]) -> Result<usize, ResponseCode> {
    let place = response.get_mut(..data.len()).ok_or(ResponseCode::ERROR_INSUFFICIENT_BUFFER)?;
    place.copy_from_slice(data);
    Ok(data.len())
}

#[cfg(test)]
mod tests;
