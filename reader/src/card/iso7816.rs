//! A deterministic card after ISO/IEC 7816-4.

use super::apdu::{Command, StatusWord};
use super::content;
use super::files::{Access, FileRef, FileTree};
use super::pin::Pin;
use super::select::{self, Selection};
use super::{Card, Mute};
use crate::atr::{Atr, AtrParts};

pub use super::content::{APPLICATION_AID, PATTERN_AID};

/// The PIN every card is made with: "1234", padded to eight bytes with FF.
pub const DEFAULT_PIN: [u8; 8] = *b"1234\xFF\xFF\xFF\xFF";

/// Most bytes of data in one response, whatever Ne allows.
const DATA_LEN_MAX: usize = 256;
/// Room for a response that waits for GET RESPONSE; a template has up to 32.
const PENDING_LEN_MAX: usize = 64;

const INS_VERIFY: u8 = 0x20;
const INS_GET_CHALLENGE: u8 = 0x84;
const INS_SELECT: u8 = 0xA4;
const INS_READ_BINARY: u8 = 0xB0;
const INS_GET_RESPONSE: u8 = 0xC0;
const INS_UPDATE_BINARY: u8 = 0xD6;

/// `Ok`: the response holds what is to be sent, a warning included. `Err`: the
/// response carries no data and the card's state is as before.
type Outcome = Result<StatusWord, StatusWord>;

/// A card with a small file system, a PIN and a challenge generator.
///
/// | file | id | SFI | bytes | read | update |
/// |---|---|---|---|---|---|
/// | MF | 3F00 | | | | |
/// | EF.DIR | 2F00 | 30 | AIDs and labels of both applications | always | never |
/// | EF.ATR/INFO | 2F01 | none | card capabilities, length limits | always | never |
/// | EF | 2F02 | 1 | ASCII `vbus card 00000007`, the serial in decimal | always | never |
/// | DF [`APPLICATION_AID`] | DF01 | | | | |
/// | EF | 0101 | 1 | ASCII `vbus application` | always | never |
/// | EF | 0102 | 2 | 64 × 00 | always | always |
/// | EF | 0103 | 3 | ASCII `vbus secret 00000007` | PIN | PIN |
/// | EF | 0104 | 4 | 32 × FF | always | PIN |
/// | DF [`PATTERN_AID`] | DF02 | | | | |
/// | EF | 0201 | 1 | 1024 bytes, each high plus low byte of its offset | always | never |
///
/// Commands: SELECT, READ BINARY, UPDATE BINARY, VERIFY, GET CHALLENGE and
/// GET RESPONSE, in class 00 (basic channel, no chaining, no secure
/// messaging). Lengths may be short or extended; a response has at most 256
/// bytes of data. An Le field on a command that returns nothing is ignored, as
/// T=0 cannot tell it from its absence.
///
/// The PIN is global, [`DEFAULT_PIN`], with reference 01 in P2 (or 00: none
/// given). It may be presented without its padding. Three tries.
///
/// Where the standard leaves a choice:
/// - READ BINARY past the end gives what there is and 6282; an Le of zero asks
///   for what there is and gets 9000. Without Le field it gets 6Cxx.
/// - SELECT with an Le too small for the template gets 6Cxx and selects
///   nothing; without Le field it selects and gets 61xx, under any protocol.
/// - UPDATE BINARY never enlarges an EF: data past the end gets 6700.
///
/// EF contents and the tries counter are non-volatile; the current file, the
/// verified state and a waiting response are lost by either reset.
pub struct Iso7816Card {
    atr: Atr,
    files: FileTree,
    selected: Selection,
    pin: Pin,
    challenge: SplitMix64,
    /// What GET RESPONSE returns. Filled only within its first capacity.
    pending: Vec<u8>,
    powered: bool,
}

impl Iso7816Card {
    /// A card without power. Two cards with equal `serial` behave alike.
    pub fn new(serial: u32) -> Iso7816Card {
        Iso7816Card {
            atr: answer_to_reset(),
            files: content::file_tree(serial),
            selected: Selection::MF,
            pin: Pin::new(DEFAULT_PIN),
            challenge: SplitMix64 { state: serial.into() },
            pending: Vec::with_capacity(PENDING_LEN_MAX),
            powered: false,
        }
    }

    fn clear_volatile_state(&mut self) {
        self.selected = Selection::MF;
        self.pin.forget_verification();
        self.pending.clear();
    }

    fn execute(&mut self, command: &Command, response: &mut Vec<u8>) -> Outcome {
        check_class(command.class)?;
        match command.instruction {
            INS_VERIFY => self.verify(command),
            INS_GET_CHALLENGE => self.get_challenge(command, response),
            INS_SELECT => self.select(command, response),
            INS_READ_BINARY => self.read_binary(command, response),
            INS_GET_RESPONSE => self.get_response(command, response),
            INS_UPDATE_BINARY => self.update_binary(command),
            _ => Err(StatusWord::UNKNOWN_INSTRUCTION),
        }
    }

    fn select(&mut self, command: &Command, response: &mut Vec<u8>) -> Outcome {
        let template_tag = select::template_tag(command.p2)?;
        let file = select::find(&self.files, self.selected, command)?;
        let mut status = StatusWord::OK;
        if let Some(tag) = template_tag {
            self.files.write_template(file, tag, response);
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
        self.selected = Selection::of(&self.files, file);
        Ok(status)
    }

    fn read_binary(&mut self, command: &Command, response: &mut Vec<u8>) -> Outcome {
        if !command.data.is_empty() {
            return Err(StatusWord::WRONG_LENGTH);
        }
        let (file, offset) = self.binary_target(command)?;
        let ef = self.files.ef(file).ok_or(StatusWord::NO_CURRENT_EF)?;
        self.permit(ef.read)?;
        let rest = ef.content.get(offset..).filter(|rest| !rest.is_empty()).ok_or(StatusWord::WRONG_OFFSET)?;
        let available = rest.len().min(DATA_LEN_MAX);
        let ne = command.expected.ok_or(StatusWord::wrong_le(available))? as usize;
        response.extend_from_slice(&rest[..ne.min(available)]);
        let ended_early = ne > rest.len() && !command.expects_all();
        self.selected.ef = Some(file);
        Ok(if ended_early { StatusWord::END_OF_FILE } else { StatusWord::OK })
    }

    fn update_binary(&mut self, command: &Command) -> Outcome {
        if command.data.is_empty() {
            return Err(StatusWord::WRONG_LENGTH);
        }
        let (file, offset) = self.binary_target(command)?;
        let update = self.files.ef(file).ok_or(StatusWord::NO_CURRENT_EF)?.update;
        self.permit(update)?;
        let ef = self.files.ef_mut(file).ok_or(StatusWord::NO_CURRENT_EF)?;
        let rest = ef.content.get_mut(offset..).filter(|rest| !rest.is_empty()).ok_or(StatusWord::WRONG_OFFSET)?;
        let target = rest.get_mut(..command.data.len()).ok_or(StatusWord::WRONG_LENGTH)?;
        target.copy_from_slice(command.data);
        self.selected.ef = Some(file);
        Ok(StatusWord::OK)
    }

    /// The EF and the offset P1 and P2 name: bit 8 of P1 set means an SFI in
    /// P1 and an offset of 8 bits in P2, else both are an offset of 15 bits
    /// into the current EF.
    ///
    /// Source: ISO/IEC 7816-4, READ BINARY with even instruction code.
    fn binary_target(&self, command: &Command) -> Result<(FileRef, usize), StatusWord> {
        let (p1, p2) = (command.p1, command.p2);
        if p1 & 0x80 == 0 {
            let ef = self.selected.ef.ok_or(StatusWord::NO_CURRENT_EF)?;
            return Ok((ef, u16::from_be_bytes([p1, p2]).into()));
        }
        let sfi = p1 & 0x7F;
        if !(1..=30).contains(&sfi) {
            return Err(StatusWord::WRONG_P1_P2);
        }
        let ef = self.files.by_sfi(self.selected.df, sfi).ok_or(StatusWord::NOT_FOUND)?;
        Ok((ef, p2.into()))
    }

    fn permit(&self, access: Access) -> Result<(), StatusWord> {
        match access {
            Access::Always => Ok(()),
            Access::AfterVerify if self.pin.is_verified() => Ok(()),
            Access::AfterVerify | Access::Never => Err(StatusWord::SECURITY_NOT_SATISFIED),
        }
    }

    fn verify(&mut self, command: &Command) -> Outcome {
        match (command.p1, command.p2) {
            (0, 0 | 1) => Ok(self.pin.verify(command.data)),
            (0, _) => Err(StatusWord::REFERENCE_NOT_FOUND),
            _ => Err(StatusWord::WRONG_P1_P2),
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
        response.extend(self.pending.drain(..ne.min(available)));
        match self.pending.len() {
            0 => Ok(StatusWord::OK),
            left => Ok(StatusWord::more_data(left)),
        }
    }
}

impl Card for Iso7816Card {
    fn cold_reset(&mut self) -> Result<Atr, Mute> {
        self.powered = true;
        self.warm_reset()
    }

    fn warm_reset(&mut self) -> Result<Atr, Mute> {
        self.clear_volatile_state();
        if self.powered { Ok(self.atr) } else { Err(Mute) }
    }

    fn power_down(&mut self) {
        self.powered = false;
        self.clear_volatile_state();
    }

    fn transmit(&mut self, command: &[u8], response: &mut Vec<u8>) {
        response.clear();
        if !self.powered {
            return;
        }
        // A waiting response is for the very next command or for nobody.
        if command.get(1) != Some(&INS_GET_RESPONSE) {
            self.pending.clear();
        }
        let outcome = Command::parse(command).map_err(StatusWord::from);
        let status = outcome.and_then(|command| self.execute(&command, response)).unwrap_or_else(|error| {
            response.clear();
            error
        });
        response.extend_from_slice(&status.to_bytes());
        debug_assert!(response.len() <= super::SHORT_RESPONSE_LEN_MAX);
    }
}

/// Offers T=0 and T=1 at up to F=372, D=4. The historical bytes are a category
/// indicator (80), the card capabilities and, as issuer's data, the name.
///
/// Source: ISO/IEC 7816-4, historical bytes in compact TLV.
fn answer_to_reset() -> Atr {
    let [first, second, third] = content::CAPABILITIES;
    let mut historical = [0x80, 0x73, first, second, third, 0x59, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    historical[6..].copy_from_slice(b"vbus card");
    let parts = AtrParts { ta1: Some(0x13), protocols: &[0, 1], historical: &historical };
    parts.build().expect("the parts are constants that fit")
}

/// Accepts class 00 and says what is missing for the others.
///
/// Source: ISO/IEC 7816-4, class byte: 00-1F channels 0 to 3 and 40-7F
/// channels 4 to 19; all others are reserved, proprietary or invalid.
fn check_class(class: u8) -> Result<(), StatusWord> {
    let secure_messaging = match class {
        0x00 => return Ok(()),
        0x01..=0x1F => class & 0x0C,
        0x40..=0x7F => class & 0x20,
        _ => return Err(StatusWord::UNKNOWN_CLASS),
    };
    if secure_messaging != 0 {
        Err(StatusWord::SECURE_MESSAGING_NOT_SUPPORTED)
    } else if class & 0x10 != 0 {
        Err(StatusWord::CHAINING_NOT_SUPPORTED)
    } else {
        Err(StatusWord::CHANNEL_NOT_SUPPORTED)
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

/// Sebastiano Vigna's splitmix64: every state gives a different number.
struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
