//! A deterministic card after ISO/IEC 7816-4, described by a profile.

mod binary;
mod built_in;
mod channel;
mod data;
pub(super) mod files;
mod record;
pub(super) mod security;
mod select;
mod tlv;

use std::path::PathBuf;
use std::sync::LazyLock;

use binary::Writing;
pub use built_in::BuiltInCard;
pub(super) use channel::CHANNELS_MAX;
use channel::{Channel, channel_of};
pub(super) use data::DataObject;
use files::{FileRef, FileTree};
pub(super) use security::{Pin, PinSet};

use super::profile::{Document, Profile};
use super::store::{self, StoreError};
use super::{Card, Delivery, Reset};
use crate::apdu::{Command, StatusWord};
use crate::atr::Atr;
use crate::random::SplitMix64;

/// Most bytes of data in one response, whatever Ne allows.
const DATA_LEN_MAX: usize = 256;
/// Room for a response that waits for GET RESPONSE; a template has up to 40.
const PENDING_LEN_MAX: usize = 64;

const INS_ERASE_BINARY: u8 = 0x0E;
const INS_VERIFY: u8 = 0x20;
const INS_CHANGE_REFERENCE_DATA: u8 = 0x24;
const INS_DISABLE_VERIFICATION: u8 = 0x26;
const INS_ENABLE_VERIFICATION: u8 = 0x28;
const INS_RESET_RETRY_COUNTER: u8 = 0x2C;
const INS_MANAGE_CHANNEL: u8 = 0x70;
const INS_GET_CHALLENGE: u8 = 0x84;
const INS_SEARCH_RECORD: u8 = 0xA2;
const INS_SELECT: u8 = 0xA4;
const INS_READ_BINARY: u8 = 0xB0;
const INS_READ_BINARY_ODD: u8 = 0xB1;
const INS_READ_RECORD: u8 = 0xB2;
const INS_GET_RESPONSE: u8 = 0xC0;
const INS_GET_DATA: u8 = 0xCA;
const INS_GET_DATA_ODD: u8 = 0xCB;
const INS_WRITE_BINARY: u8 = 0xD0;
const INS_WRITE_RECORD: u8 = 0xD2;
const INS_UPDATE_BINARY: u8 = 0xD6;
const INS_UPDATE_BINARY_ODD: u8 = 0xD7;
const INS_PUT_DATA: u8 = 0xDA;
const INS_PUT_DATA_ODD: u8 = 0xDB;
const INS_UPDATE_RECORD: u8 = 0xDC;
const INS_APPEND_RECORD: u8 = 0xE2;

/// `Ok`: the response holds what is to be sent, a warning included. `Err`: the response carries no data and the card's
/// files are as before.
type Outcome = Result<StatusWord, StatusWord>;

/// What a card keeps without power.
#[derive(Debug, Clone)]
pub(super) struct Image {
    pub(super) title: Option<String>,
    pub(super) atr: Atr,
    pub(super) channels: usize,
    pub(super) files: FileTree,
    pub(super) pins: Vec<Pin>,
    pub(super) objects: Vec<DataObject>,
}

/// A card with a file system, PINs, data objects, logical channels and a challenge generator: what its profile says.
///
/// Commands: SELECT; READ, UPDATE, WRITE and ERASE BINARY, the first two with odd instruction codes as well; READ, UPDATE,
/// WRITE, APPEND and SEARCH RECORD; GET and PUT DATA; VERIFY, CHANGE REFERENCE DATA, RESET RETRY COUNTER, DISABLE and
/// ENABLE VERIFICATION REQUIREMENT; GET CHALLENGE; MANAGE CHANNEL; GET RESPONSE. No chaining and no secure messaging.
/// Lengths may be short or extended; a response has at most 256 bytes of data. An Le field on a command that returns
/// nothing is ignored, as T=0 cannot tell it from its absence.
///
/// Where the standard leaves a choice:
/// - READ BINARY past the end gives what there is and 6282; an Le of zero asks for what there is and gets 9000. Without
///   Le field it gets 6Cxx.
/// - SELECT with an Le too small for the template gets 6Cxx and selects nothing; without Le field it selects and gets
///   61xx, under any protocol.
/// - No command enlarges an EF: data past the end gets 6700.
/// - A record is read whole; another Le than its length or zero gets 6Cxx.
///
/// Contents, values and tries are non-volatile; the current files, the channels, the verified states and a waiting
/// response are lost by either reset.
pub struct Iso7816Card {
    image: Image,
    channels: Vec<Option<Channel>>,
    current_channel: usize,
    /// PINs of the whole card that were presented.
    verified: PinSet,
    challenge: SplitMix64,
    /// What GET RESPONSE returns. Filled only within its first capacity.
    pending: Vec<u8>,
    powered: bool,
    /// Something non-volatile was changed.
    dirty: bool,
    store: Option<Store>,
}

/// Where a card's image is kept.
struct Store {
    path: PathBuf,
    /// What the file holds.
    saved: Image,
}

impl Iso7816Card {
    /// The built-in card, without power. Two cards with equal `serial` behave alike.
    ///
    /// | file | id | SFI | content | read | update |
    /// |---|---|---|---|---|---|
    /// | MF | 3F00 | | | | |
    /// | EF.DIR | 2F00 | 30 | AIDs and labels of both applications | always | never |
    /// | EF.ATR/INFO | 2F01 | none | card capabilities, length limits | always | never |
    /// | EF | 2F02 | 1 | ASCII `vbus card 00000007`, the serial in decimal | always | never |
    /// | DF F0 'vbus' 01 | DF01 | | | | |
    /// | EF | 0101 | 1 | ASCII `vbus application` | always | never |
    /// | EF | 0102 | 2 | 64 × 00 | always | always |
    /// | EF | 0103 | 3 | ASCII `vbus secret 00000007` | PIN | PIN |
    /// | EF | 0104 | 4 | 32 × FF | always | PIN |
    /// | EF | 0105 | 5 | linear, three records of 16 bytes | always | PIN |
    /// | EF | 0106 | 6 | linear, records of up to 32 bytes | always | always |
    /// | EF | 0107 | 7 | cyclic, four records of 8 bytes | always | always |
    /// | DF F0 'vbus' 02 | DF02 | | | | |
    /// | EF | 0201 | 1 | 1024 bytes, each high plus low byte of its offset | always | never |
    ///
    /// The PIN is "1234" with reference 01 (or 00: none given), padded to eight bytes with FF or not, three tries; "12345678"
    /// with reference 02 unblocks it. Data objects: 5E the serial, DF30 any text.
    pub fn new(serial: u32) -> Iso7816Card {
        static BUILT_IN: LazyLock<Profile> = LazyLock::new(|| {
            Profile::parse(include_str!("../profile/default.toml")).expect("the built-in profile is tested")
        });
        BUILT_IN.card(serial).expect("the built-in profile is tested")
    }

    pub(super) fn from_image(image: Image, serial: u32) -> Iso7816Card {
        let channels = image.channels;
        Iso7816Card {
            image,
            channels: vec![None; channels],
            current_channel: 0,
            verified: 0,
            challenge: SplitMix64 { state: serial.into() },
            pending: Vec::with_capacity(PENDING_LEN_MAX),
            powered: false,
            dirty: false,
            store: None,
        }
    }

    /// Keeps what the card changes in the file at `path`: a profile, written whole before the card answers. Where the
    /// file exists, the card begins with what it holds.
    ///
    /// # Errors
    /// [`StoreError`] if the file is there and cannot be read or is no profile, or cannot be written.
    pub fn kept_in(mut self, path: impl Into<PathBuf>) -> Result<Iso7816Card, StoreError> {
        let path = path.into();
        if let Some(text) = store::read(&path)? {
            let profile = Profile::parse(&text).map_err(|error| StoreError::Profile(error.in_file(&path)))?;
            self.image = profile.image(0).map_err(|error| StoreError::Profile(error.in_file(&path)))?;
            self.channels = vec![None; self.image.channels];
        } else {
            store::replace(&path, Document::of(&self.image).to_string().as_bytes())?;
        }
        self.store = Some(Store { path, saved: self.image.clone() });
        Ok(self)
    }

    fn clear_volatile_state(&mut self) {
        self.channels.fill(None);
        if let Some(basic) = self.channels.first_mut() {
            *basic = Some(Channel::NEW);
        }
        self.current_channel = 0;
        self.verified = 0;
        self.pending.clear();
    }

    fn execute(&mut self, command: &Command, response: &mut Vec<u8>) -> Outcome {
        let channel = channel_of(command.class)?;
        if !self.channels.get(channel).is_some_and(Option::is_some) {
            return Err(StatusWord::CHANNEL_NOT_SUPPORTED);
        }
        self.current_channel = channel;
        match command.instruction {
            INS_ERASE_BINARY => self.erase_binary(command),
            INS_VERIFY => self.verify(command),
            INS_CHANGE_REFERENCE_DATA => self.change_pin(command),
            INS_DISABLE_VERIFICATION => self.require_verification(command, false),
            INS_ENABLE_VERIFICATION => self.require_verification(command, true),
            INS_RESET_RETRY_COUNTER => self.reset_retry_counter(command),
            INS_MANAGE_CHANNEL => self.manage_channel(command, response),
            INS_GET_CHALLENGE => self.get_challenge(command, response),
            INS_SEARCH_RECORD => self.search_record(command, response),
            INS_SELECT => self.select(command, response),
            INS_READ_BINARY => self.read_binary(command, response),
            INS_READ_BINARY_ODD => self.read_binary_odd(command, response),
            INS_READ_RECORD => self.read_record(command, response),
            INS_GET_RESPONSE => self.get_response(command, response),
            INS_GET_DATA => self.get_data(command, response),
            INS_GET_DATA_ODD => self.get_data_odd(command, response),
            INS_WRITE_BINARY => self.update_binary(command, Writing::Or),
            INS_WRITE_RECORD => self.update_record(command, Writing::Or),
            INS_UPDATE_BINARY => self.update_binary(command, Writing::Replace),
            INS_UPDATE_BINARY_ODD => self.update_binary_odd(command),
            INS_PUT_DATA => self.put_data(command),
            INS_PUT_DATA_ODD => self.put_data_odd(command),
            INS_UPDATE_RECORD => self.update_record(command, Writing::Replace),
            INS_APPEND_RECORD => self.append_record(command),
            _ => Err(StatusWord::UNKNOWN_INSTRUCTION),
        }
    }

    fn current_ef(&self) -> Result<FileRef, StatusWord> {
        self.channel().ef.ok_or(StatusWord::NO_CURRENT_EF)
    }

    fn ef_by_sfi(&self, sfi: u8) -> Result<FileRef, StatusWord> {
        if !(1..=30).contains(&sfi) {
            return Err(StatusWord::WRONG_P1_P2);
        }
        self.image.files.by_sfi(self.channel().df, sfi).ok_or(StatusWord::NOT_FOUND)
    }

    /// Makes an EF of the current DF the current one. Another EF's record pointer does not belong to it.
    fn make_current(&mut self, file: FileRef) {
        let channel = self.channel_mut();
        if channel.ef != Some(file) {
            channel.ef = Some(file);
            channel.record = 0;
        }
    }

    fn get_challenge(&mut self, command: &Command, response: &mut Vec<u8>) -> Outcome {
        let ne = expected_without_parameters(command)?;
        for start in (0..ne.min(DATA_LEN_MAX)).step_by(8) {
            let bytes = self.challenge.next().to_le_bytes();
            response.extend_from_slice(&bytes[..(ne - start).min(8)]);
        }
        Ok(StatusWord::OK)
    }

    /// Source: ISO/IEC 7816-4, GET RESPONSE; ISO/IEC 7816-3, T=0 case 4.
    fn get_response(&mut self, command: &Command, response: &mut Vec<u8>) -> Outcome {
        let ne = expected_without_parameters(command)?;
        let available = self.pending.len();
        if available == 0 {
            return Err(StatusWord::CONDITIONS_NOT_SATISFIED);
        }
        if ne > available && !command.expects_all() {
            return Err(StatusWord::wrong_le(available));
        }
        self.hand_out(command, response)
    }

    /// Gives as much as is asked for of what waits. The rest goes on waiting, whatever the protocol.
    fn hand_out(&mut self, command: &Command, response: &mut Vec<u8>) -> Outcome {
        let available = self.pending.len();
        let ne = command.expected.ok_or(StatusWord::wrong_le(available))? as usize;
        response.extend(self.pending.drain(..ne.min(available).min(DATA_LEN_MAX)));
        match self.pending.len() {
            0 => Ok(StatusWord::OK),
            left => Ok(StatusWord::more_data(left)),
        }
    }

    /// Writes what was changed to where the card is kept, before anybody hears that it was.
    fn save(&mut self) -> Result<(), StatusWord> {
        self.dirty = false;
        let Some(store) = &mut self.store else { return Ok(()) };
        let text = Document::of(&self.image).to_string();
        if store::replace(&store.path, text.as_bytes()).is_err() {
            self.image = store.saved.clone();
            return Err(StatusWord::MEMORY_FAILURE);
        }
        store.saved = self.image.clone();
        Ok(())
    }
}

impl Card for Iso7816Card {
    fn reset(&mut self, reset: Reset, atr: &mut Vec<u8>) -> Delivery {
        atr.clear();
        self.powered |= reset == Reset::Cold;
        self.clear_volatile_state();
        if self.powered {
            atr.extend_from_slice(self.image.atr.as_bytes());
        }
        Delivery::default()
    }

    fn power_down(&mut self) {
        self.powered = false;
        self.clear_volatile_state();
    }

    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) -> Delivery {
        response.clear();
        if !self.powered {
            return Delivery::default();
        }
        // A waiting response is for the very next command or for nobody.
        if command.get(1) != Some(&INS_GET_RESPONSE) {
            self.pending.clear();
        }
        let outcome = Command::parse(command).map_err(StatusWord::from);
        let mut outcome = outcome.and_then(|command| self.execute(&command, response));
        if self.dirty {
            outcome = self.save().and(outcome);
        }
        let status = outcome.unwrap_or_else(|error| {
            response.clear();
            // What a failed command would have answered does not wait, but what waited before may be asked for again.
            if command.get(1) != Some(&INS_GET_RESPONSE) {
                self.pending.clear();
            }
            error
        });
        response.extend_from_slice(&status.to_bytes());
        debug_assert!(response.len() <= super::SHORT_RESPONSE_LEN_MAX);
        Delivery::default()
    }
}

/// Ne of a command that has no P1, P2 or data, but must have an Le field.
fn expected_without_parameters(command: &Command) -> Result<usize, StatusWord> {
    if (command.p1, command.p2) != (0, 0) {
        return Err(StatusWord::WRONG_P1_P2);
    }
    match command.expected {
        Some(ne) if command.data.is_empty() => Ok(ne as usize),
        _ => Err(StatusWord::WRONG_LENGTH),
    }
}
