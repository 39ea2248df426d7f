//! A wrong driver, its repaired twin, and how the two are told apart.

use std::fmt::Write;

use vbus::wdf::{Driver, Level};
use vbus::wdm::{DevNode, Machine, NtStatus, Overlapped, Stop, SystemPowerState};

use crate::common::bench::with_names;
use crate::framework::Framework;
use crate::plain::Plain;

/// A driver that does one thing wrong.
pub struct WrongDriver {
    /// The published rules that it breaks.
    pub rules: &'static [&'static str],
    /// What Windows does then.
    pub windows: &'static str,
    pub wrong: Party,
    pub repaired: Party,
}

/// The driver, with what is below it and what the program above it does.
pub enum Party {
    Framework(Framework),
    Plain(Plain),
}

/// What the program does with the device.
#[derive(Clone, Copy)]
pub enum Program {
    /// Sends a request and waits for its answer.
    Waits,
    /// Sends a request, cancels it and waits a minute for its end.
    Cancels,
    /// Sends a request and does not wait; the PnP manager stops the device to rebalance resources.
    IsInterrupted,
    /// Sends a request and does not wait; the user puts the system to sleep and wakes it.
    SleepsOn,
}

/// What the program sends, and gets when all is well.
pub const PING: &[u8] = b"ping";
pub const PONG: &[u8] = b"pong";

/// How it went.
#[derive(PartialEq)]
pub struct Outcome {
    /// What the program saw, or what stopped the machine.
    end: String,
    /// What the framework logged of level warning or worse.
    lines: Vec<String>,
    breaks: usize,
    /// Nothing stopped the machine, and the program got an answer.
    well: bool,
}

impl Outcome {
    pub fn stopped(stop: Stop) -> Outcome {
        let end = match stop {
            Stop::BugCheck(check) => {
                let shown = check.parameters.map(|word| match word {
                    0..0x1_0000 => format!("{word:#x}"),
                    _ => "?".to_owned(),
                });
                format!("bug check {:#x} {} ({}) in {}", check.code, check.name(), shown.join(", "), check.ddi)
            }
            other => other.to_string(),
        };
        Outcome { end, lines: Vec::new(), breaks: 0, well: false }
    }

    pub fn answered(status: NtStatus, output: &[u8]) -> Outcome {
        let status = status.name().unwrap_or("?");
        let end = format!("the program gets {status} and {:?}", String::from_utf8_lossy(output));
        Outcome { end, lines: Vec::new(), breaks: 0, well: true }
    }

    pub fn waits() -> Outcome {
        let end = "the program waits for ever".to_owned();
        Outcome { end, lines: Vec::new(), breaks: 0, well: false }
    }

    /// Adds what somebody else missed.
    pub fn but(mut self, what: &str) -> Outcome {
        write!(self.end, "; {what}").expect("a string takes everything");
        self.well = false;
        self
    }

    /// Adds what the framework said meanwhile.
    pub fn with_log_of(mut self, m: &Machine, driver: Driver) -> Outcome {
        let lines = driver.log(m);
        // The verifier counts what is left at unload, in a line of this level, even where nothing is.
        let nothing_left = "FxPoolDump: NonPagedBytes 0, PagedBytes 0,";
        let worse = lines.iter().filter(|line| line.level <= Level::Error && !line.message.contains(nothing_left));
        self.lines = worse
            .map(|line| format!("{:?} {} - {}", line.level, line.function, with_names(line.message.trim_end(), &[])))
            .collect();
        self.breaks = driver.debugger_breaks(m).len();
        self
    }

    fn is_clean(&self) -> bool {
        self.well && self.lines.is_empty() && self.breaks == 0
    }

    fn write(&self, text: &mut String, who: &str) {
        writeln!(text, "{who:<9} {}", self.end).expect("a string takes everything");
        for line in &self.lines {
            writeln!(text, "{:<9} {line}", "").expect("a string takes everything");
        }
        if self.breaks > 0 {
            writeln!(text, "{:<9} breaks into the debugger: {}", "", self.breaks).expect("a string takes everything");
        }
    }
}

/// What becomes of the program's request. `Err` where the machine stopped, `None` where it is still out.
pub type Answer = Result<Option<(NtStatus, Vec<u8>)>, Stop>;

/// The program's part, on a device that is open through `link`.
pub fn play(m: &mut Machine, program: Program, link: &str, node: Option<DevNode>) -> Answer {
    use vbus::wdm::{IoctlCode, OpenOptions, Ticks};
    const CODE: IoctlCode = IoctlCode(0x0022_2000);
    let mut output = [0; 4];
    let got = |status: NtStatus, information: u64, output: &[u8]| {
        let bytes = if status.is_error() { 0 } else { output.len().min(information as usize) };
        Ok(Some((status, output[..bytes].to_vec())))
    };
    if let Program::Waits = program {
        let file = m.create_file(link, OpenOptions::READ_WRITE)?.expect("the device opens");
        let answer = m.device_io_control(file, CODE, PING, &mut output)?;
        m.close_handle(file)?.ok().expect("a handle closes");
        // What the driver still has to do with the request, it does now.
        m.advance(Ticks::from_millis(60_000))?;
        return got(answer.status, answer.information, &output);
    }
    let file = m.create_file(link, OpenOptions::OVERLAPPED)?.expect("the device opens");
    let sent: Overlapped = match m.start_io_control(file, CODE, PING, &output)? {
        Ok(sent) => sent,
        Err(status) => return got(status, 0, &[]),
    };
    m.close_handle(file)?.ok().expect("a handle closes");
    match (program, node) {
        (Program::IsInterrupted, Some(node)) => {
            m.stop_device(node)?.expect("nobody refuses");
            m.restart_device(node)?;
        }
        (Program::SleepsOn, _) => {
            m.sleep(SystemPowerState::Sleeping3)?.expect("nobody refuses");
            m.wake()?;
        }
        _ => _ = m.cancel_io(sent)?,
    }
    m.advance(Ticks::from_millis(60_000))?;
    match m.overlapped_result(sent, &mut output) {
        Some(block) => got(block.status, block.information, &output),
        None => Ok(None),
    }
}

impl Party {
    fn outcome(&self, verifier: bool) -> Outcome {
        match self {
            Party::Framework(framework) => framework.outcome(verifier),
            Party::Plain(plain) => plain.outcome(),
        }
    }
}

impl WrongDriver {
    /// The repaired one leaves nothing to complain of, and the wrong one does something else.
    pub fn is_told_from_its_twin(&self) {
        for verifier in [false, true] {
            let repaired = self.repaired.outcome(verifier);
            let mut shown = String::new();
            repaired.write(&mut shown, "repaired");
            assert!(repaired.is_clean(), "verifier {verifier}:\n{shown}");
        }
        let told = [false, true].map(|verifier| self.wrong.outcome(verifier) != self.repaired.outcome(verifier));
        assert_ne!(told, [false, false], "nothing tells them apart");
    }

    /// What vbus says of the two.
    pub fn says(&self) -> String {
        let mut text = String::new();
        let [wrong, verified] = [false, true].map(|verifier| self.wrong.outcome(verifier));
        wrong.write(&mut text, "wrong");
        if verified != wrong {
            verified.write(&mut text, "verified");
        }
        self.repaired.outcome(false).write(&mut text, "repaired");
        text
    }
}

/// Wrong drivers of one theme.
pub struct Theme {
    pub title: &'static str,
    pub file: &'static str,
    pub drivers: &'static [(&'static str, &'static WrongDriver)],
}

/// Makes a test of every wrong driver, named by what it does.
macro_rules! wrong_drivers {
    ($title:literal $($name:ident = $driver:ident;)+) => {
        pub const THEME: $crate::rig::Theme = $crate::rig::Theme {
            title: $title,
            file: file!(),
            drivers: &[$((stringify!($name), &$driver)),+],
        };
        $(
            #[test]
            fn $name() {
                $driver.is_told_from_its_twin();
            }
        )+
    };
}
pub(crate) use wrong_drivers;
