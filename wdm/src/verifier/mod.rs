//! Driver Verifier's I/O verification: what a driver does to an IRP, a device or a remove lock against the rules, at the
//! moment it does it.
//!
//! Source: Windows driver documentation, "I/O Verification", "Enhanced I/O Verification", "Force Pending I/O Requests";
//! Windows debugger documentation, bug checks 0xC9 and 0xC4. How the real verifier finds a rule broken is not documented:
//! each check here says what it looks at.

mod answers;
mod calls;
mod devices;
mod irps;
mod rules;

use std::collections::BTreeMap;
use std::fmt;

use crate::address::Pool;
use crate::device::DeviceObject;
use crate::irp::Irp;
use crate::machine::Machine;
use crate::stop::{BugCheck, Stop};

pub(crate) use calls::Call;
use irps::Track;
pub use rules::Severity;

/// What Driver Verifier is to do: `verifier /flags 0x10 /all`, and more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct VerifierOptions {
    /// `/flags 0x210`: every request returns STATUS_PENDING to the driver that sent it, and its completion comes later.
    /// Windows does that to requests at random.
    pub force_pending: bool,
    /// A kernel debugger is attached, and whoever sits at it answers every "WDM driver error" with `i`: the run goes on.
    pub ignore: bool,
}

/// A rule that was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The first parameter of bug check 0xC9.
    pub code: u32,
    /// How bad it is.
    pub severity: Severity,
    /// What was done wrong.
    pub cause: &'static str,
    /// The DDI in which it was found.
    pub ddi: &'static str,
    /// The driver that did it, where that is known.
    pub driver: Option<String>,
    /// The other three parameters. Where Windows has an address in the driver's code, this is its driver object's.
    pub parameters: [u64; 3],
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::NonFatal => "error",
            Severity::Fatal => "fatal error",
        };
        let driver = self.driver.as_deref().unwrap_or("unknown driver");
        write!(f, "{:#X} {severity} in {}, {driver}: {}", self.code, self.ddi, self.cause)
    }
}

/// What the verifier keeps.
pub(crate) struct DriverVerifier {
    options: VerifierOptions,
    findings: Vec<Finding>,
    /// The dispatch routines that run, outermost first.
    pub(crate) calls: Vec<Call>,
    irps: BTreeMap<Irp, Track>,
}

impl Machine {
    /// Turns Driver Verifier's I/O verification on for every driver. IRPs that are out already are not followed.
    pub fn verify_drivers(&mut self, options: VerifierOptions) {
        let verifier = DriverVerifier { options, findings: Vec::new(), calls: Vec::new(), irps: BTreeMap::new() };
        self.verifier = Some(Box::new(verifier));
        self.look_closer();
    }

    /// What the verifier found without stopping the machine: warnings, and errors that a debugger's user ignored.
    pub fn verifier_findings(&self) -> &[Finding] {
        self.verifier.as_ref().map_or(&[], |verifier| &verifier.findings)
    }

    /// A rule of the table was broken: bug check 0xC9, unless it is only a warning or somebody goes on.
    #[cold]
    pub(crate) fn verifier_stop(
        &mut self,
        code: u32,
        driver: Option<DeviceObject>,
        parameters: [u64; 3],
        ddi: &'static str,
    ) {
        let driver = driver.map(|device| device.driver_name(self).to_owned());
        let Some(verifier) = &mut self.verifier else { return };
        let rule = rules::find(code);
        let ignored = verifier.options.ignore && code >= rules::LEVEL_2;
        if ignored || rule.severity == Severity::Warning {
            let finding = Finding { code, severity: rule.severity, cause: rule.cause, ddi, driver, parameters };
            return verifier.findings.push(finding);
        }
        let [second, third, fourth] = parameters;
        let parameters = [code.into(), second, third, fourth];
        self.stop(Stop::BugCheck(BugCheck { code: 0xC9, parameters, ddi, driver, log: Vec::new() }));
    }

    /// Bug check 0xC4, DRIVER_VERIFIER_DETECTED_VIOLATION, if the verifier is on.
    pub(crate) fn verifier_violation(&self, parameters: [u64; 4], ddi: &'static str) {
        if self.verifier.is_some() {
            self.bug_check(0xC4, parameters, ddi);
        }
    }

    /// What stands for an address in a driver's code.
    pub(crate) fn code_of(&self, device: Option<DeviceObject>) -> u64 {
        device.and_then(|device| self.devices.get(device.0)).map_or(0, |data| data.driver.address())
    }

    /// The address of a routine, by the order in which addresses are asked for.
    pub(crate) fn routine_address(&mut self, routine: usize) -> u64 {
        let known = self.routines.iter().position(|&known| known == routine);
        let place = known.unwrap_or_else(|| {
            self.routines.push(routine);
            self.routines.len() - 1
        });
        Pool::Code.address(place as u32)
    }
}
