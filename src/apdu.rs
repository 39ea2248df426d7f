//! `vbus apdu`: sends APDUs through the whole stack, without any service.

use std::fmt;
use std::str::FromStr;

use clap::Args;
use serde::Serialize;
use thiserror::Error;
use vbus_bus::{IOCTL_VBUS_EXCHANGE, OpenError, ReaderId, Service};
use vbus_reader::apdu::Masked;
use vbus_wdm::Stop;
use vbus_wdm::constants::STATUS_SUCCESS;

use crate::readers::{self, ReaderArgument, ReadersError};
use crate::run::{RunError, Stage};
use crate::setup::SetupError;

/// The longest response APDU.
const RESPONSE_MAX: usize = 65_538;

/// What `vbus apdu` takes.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// A scenario, a card's profile or script, or built-in
    #[arg(value_name = "FILE")]
    file: ReaderArgument,
    /// Command APDUs in hexadecimal; blanks and colons do not count
    #[arg(value_name = "APDU", required = true)]
    commands: Vec<Apdu>,
    /// The reader, where the scenario has more than one
    #[arg(long)]
    reader: Option<u32>,
    /// Show what each command leaves in the trace log
    #[arg(long)]
    trace: bool,
}

/// Bytes of a command line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Apdu(pub Vec<u8>);

/// Why a text is no APDU.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ApduError {
    /// A character that is no digit.
    #[error("{0:?} is no hexadecimal digit")]
    Digit(char),
    /// An odd number of digits.
    #[error("{0} hexadecimal digits: bytes have two each")]
    Odd(usize),
    /// No command.
    #[error("{0} bytes: a command APDU begins with CLA INS P1 P2")]
    Short(usize),
}

impl FromStr for Apdu {
    type Err = ApduError;

    fn from_str(text: &str) -> Result<Apdu, ApduError> {
        let digits = text.chars().filter(|c| !c.is_whitespace() && *c != ':');
        let digits = digits.map(|c| c.to_digit(16).map(|digit| digit as u8).ok_or(ApduError::Digit(c)));
        let digits = digits.collect::<Result<Vec<u8>, _>>()?;
        if digits.len() % 2 == 1 {
            return Err(ApduError::Odd(digits.len()));
        }
        let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
        if bytes.len() < 4 { Err(ApduError::Short(bytes.len())) } else { Ok(Apdu(bytes)) }
    }
}

/// Why APDUs cannot be sent.
#[derive(Debug, Error)]
pub enum ApdusError {
    /// There are no such readers.
    #[error(transparent)]
    Readers(#[from] ReadersError),
    /// The stacks cannot be built.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The stacks cannot be started.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The bus cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The machine is stopped.
    #[error(transparent)]
    Stopped(#[from] Stop),
    /// It is not said which reader.
    #[error("the scenario has {found} readers: say which with --reader")]
    Reader {
        /// How many there are.
        found: usize,
    },
}

/// What became of the commands.
#[derive(Clone, Debug, Serialize)]
pub struct Session {
    /// The card's answer to reset, in hexadecimal.
    pub atr: Option<String>,
    /// Each command.
    pub exchanges: Vec<Exchange>,
}

/// What became of a command.
#[derive(Clone, Debug, Serialize)]
pub struct Exchange {
    /// The command in hexadecimal, without what it says of a PIN.
    pub command: String,
    /// What the request ended with.
    pub status: String,
    /// The response APDU in hexadecimal.
    pub response: Option<String>,
    /// What it left in the drivers' logs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
}

impl Session {
    /// Whether there was an answer to every command, whatever it says.
    pub fn is_answered(&self) -> bool {
        self.exchanges.iter().all(|exchange| exchange.response.is_some())
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(atr) = &self.atr {
            writeln!(f, "ATR {atr}")?;
        }
        for Exchange { command, status, response, log } in &self.exchanges {
            writeln!(f, "\x1b[1m> {command}\x1b[0m")?;
            for line in log {
                writeln!(f, "  \x1b[2m{line}\x1b[0m")?;
            }
            match response {
                Some(response) => writeln!(f, "< {response}")?,
                None => writeln!(f, "\x1b[31m! {status}\x1b[0m")?,
            }
        }
        Ok(())
    }
}

/// Sends the commands.
///
/// # Errors
/// [`ApdusError`]; a command without an answer is not one.
pub fn run(options: &Options) -> Result<Session, ApdusError> {
    let scenario = readers::scenario(std::slice::from_ref(&options.file), None, false)?;
    let readers = &scenario.bus.first().map_or(&[][..], |bus| &bus.reader);
    let reader = match (options.reader, readers) {
        (Some(number), _) => ReaderId(number),
        (None, [only]) => ReaderId(*only.id.get_ref()),
        (None, readers) => return Err(ApdusError::Reader { found: readers.len() }),
    };
    let mut stage = Stage::load(&scenario)?;
    stage.start()?;
    let service = Service::open(&mut stage.m, 0)?;
    let mut output = vec![0; RESPONSE_MAX];
    let mut ask = |command: &[u8]| -> Result<Exchange, Stop> {
        let marks = stage.log_marks();
        let result = service.control(&mut stage.m, reader, IOCTL_VBUS_EXCHANGE, command, &mut output)?;
        let log = if options.trace { stage.log_since(&marks) } else { Vec::new() };
        let response = (result.status == STATUS_SUCCESS).then(|| hex(&output[..result.information as usize]));
        Ok(Exchange {
            command: Masked(command).to_string(),
            status: result.status.to_string(),
            response,
            log: log.into_iter().map(|(driver, line)| format!("{driver:<8}{line}")).collect(),
        })
    };
    // No command asks for the ATR.
    let atr = ask(&[])?.response;
    let exchanges = options.commands.iter().map(|command| ask(&command.0)).collect::<Result<_, _>>()?;
    Ok(Session { atr, exchanges })
}

fn hex(bytes: &[u8]) -> String {
    vbus_reader::apdu::Hex(bytes).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_apdu_is_hexadecimal_in_any_of_the_usual_spellings() {
        for (text, expected) in [
            ("00B0810000", Ok(Apdu(vec![0x00, 0xB0, 0x81, 0x00, 0x00]))),
            ("00 b0 81 00 00", Ok(Apdu(vec![0x00, 0xB0, 0x81, 0x00, 0x00]))),
            ("00:B0:81:00", Ok(Apdu(vec![0x00, 0xB0, 0x81, 0x00]))),
            ("00B08100 0", Err(ApduError::Odd(9))),
            ("00x0", Err(ApduError::Digit('x'))),
            ("00B081", Err(ApduError::Short(3))),
            ("", Err(ApduError::Short(0))),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
    }
}
