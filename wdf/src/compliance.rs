//! Published rules for drivers that nothing in Windows looks at while a driver runs: what it does in the wrong place
//! although every call succeeds. Whoever wants to hear of them says so in [`crate::DriverConfig::compliance`].
//!
//! Source: Windows driver documentation, "Rules for KMDF Drivers", one page a rule.

use vbus_wdm::Machine;

use crate::device::DeviceKind;
use crate::driver::Driver;
use crate::framework::{fx, fx_mut};
use crate::request::Transfer;

/// A rule, by the name that its page has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// A request is sent while the driver holds a spin lock.
    ReqSendWhileSpinlock,
    /// A request is sent synchronously without a time-out.
    SyncReqSend,
    /// A queue is stopped, drained or purged in EvtDeviceSurpriseRemoval.
    EvtSurpriseRemoveNoSuspendQueue,
    /// A request is completed in EvtDeviceSurpriseRemoval.
    EvtSurpriseRemoveNoRequestComplete,
    /// A sent request is cancelled in EvtDeviceSurpriseRemoval.
    NoCancelFromEvtSurpriseRemove,
    /// A request's parameters are read in EvtIoStop.
    EvtIoStopGetParam,
    /// A request's parameters are read in EvtIoResume.
    EvtIoResumeGetParam,
    /// A memory has no parent but the driver, and stays until that is unloaded.
    ParentObjectCheck,
    /// The same of a lock.
    ParentObjectCheckLock,
    /// A request's status is read, though its last send neither failed nor waited for the answer.
    RequestGetStatusValid,
    /// A request is taken out of a queue as found that WdfIoQueueFindRequest did not find.
    WdfIoQueueRetrieveFoundRequest,
    /// A request is asked for its file by a driver that configured no file objects.
    FileObjectConfigured,
    /// EvtDriverDeviceAdd succeeds although its device could not be created.
    DeviceCreateFail,
    /// A control device that EvtDriverDeviceAdd created is not finished when it returns.
    CtlDeviceFinishInitDeviceAdd,
    /// A read is asked for its input.
    InputBufferAPI,
    /// A write is asked for its output.
    OutputBufferAPI,
}

/// A rule that a driver broke.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RuleBroken {
    /// The rule.
    pub rule: Rule,
    /// The DDI with which it was broken.
    pub ddi: &'static str,
    /// The sequence number of the driver's last log record at that moment.
    pub sequence: u32,
}

/// A callback in which some calls are wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inside {
    SurpriseRemoval,
    IoStop,
    IoResume,
}

/// What a driver does that may be wrong where it does it.
#[derive(Clone, Copy)]
pub enum Act {
    /// It sends a request.
    Send,
    /// It sends a request and waits for it, as long as it may take.
    WaitWithoutLimit,
    /// It completes a request.
    Complete,
    /// It stops, drains or purges a queue.
    SuspendQueue,
    /// It cancels a request that it sent.
    CancelSent,
    /// It reads a request's parameters.
    ReadParameters,
    /// It creates a memory without a parent.
    CreateMemory,
    /// It creates a lock without a parent.
    CreateLock,
    /// It reads the status of the request with this handle.
    ReadStatus(u64),
    /// It takes a request out of a queue that was not found there.
    RetrieveUnfound,
    /// It asks for a file although it wanted none.
    AskForFile,
    /// It succeeds in EvtDriverDeviceAdd without a device.
    AddNothing,
    /// It succeeds there, and a control device of it still initializes.
    AddUnfinished,
    /// It asks a transfer for the buffer of the other direction.
    AskWrongBuffer(Transfer),
}

/// What is known of a driver whose rules are looked at.
#[derive(Default)]
pub(crate) struct Compliance {
    pub(crate) broken: Vec<RuleBroken>,
    inside: Vec<Inside>,
    spin_locks: u32,
    /// The handles of the requests whose last send failed, or waited for the answer.
    answered: Vec<u64>,
    /// A device could not be created since EvtDriverDeviceAdd was called.
    create_failed: bool,
}

impl Compliance {
    fn rule(&self, act: Act) -> Option<Rule> {
        let inside = self.inside.last().copied();
        match act {
            Act::Send | Act::WaitWithoutLimit if self.spin_locks > 0 => Some(Rule::ReqSendWhileSpinlock),
            Act::WaitWithoutLimit => Some(Rule::SyncReqSend),
            Act::CreateMemory => Some(Rule::ParentObjectCheck),
            Act::CreateLock => Some(Rule::ParentObjectCheckLock),
            Act::ReadStatus(request) => (!self.answered.contains(&request)).then_some(Rule::RequestGetStatusValid),
            Act::RetrieveUnfound => Some(Rule::WdfIoQueueRetrieveFoundRequest),
            Act::AskForFile => Some(Rule::FileObjectConfigured),
            Act::AddUnfinished => Some(Rule::CtlDeviceFinishInitDeviceAdd),
            Act::AskWrongBuffer(Transfer::Input) => Some(Rule::InputBufferAPI),
            Act::AskWrongBuffer(Transfer::Output) => Some(Rule::OutputBufferAPI),
            Act::AddNothing => self.create_failed.then_some(Rule::DeviceCreateFail),
            _ => match (act, inside?) {
                (Act::SuspendQueue, Inside::SurpriseRemoval) => Some(Rule::EvtSurpriseRemoveNoSuspendQueue),
                (Act::Complete, Inside::SurpriseRemoval) => Some(Rule::EvtSurpriseRemoveNoRequestComplete),
                (Act::CancelSent, Inside::SurpriseRemoval) => Some(Rule::NoCancelFromEvtSurpriseRemove),
                (Act::ReadParameters, Inside::IoStop) => Some(Rule::EvtIoStopGetParam),
                (Act::ReadParameters, Inside::IoResume) => Some(Rule::EvtIoResumeGetParam),
                _ => None,
            },
        }
    }
}

fn of(m: &mut Machine, driver: Driver) -> Option<&mut Compliance> {
    fx_mut(m).drivers.get_mut(driver.id())?.compliance.as_deref_mut()
}

/// A driver does something. Costs a look where nobody wants to hear of rules.
#[inline]
pub fn comply(m: &mut Machine, driver: Driver, act: Act, ddi: &'static str) {
    if checks_rules(m) {
        look(m, driver, act, ddi);
    }
}

#[cold]
fn look(m: &mut Machine, driver: Driver, act: Act, ddi: &'static str) {
    let sequence = driver.log_sequence(m);
    let Some(compliance) = of(m, driver) else { return };
    if let Some(rule) = compliance.rule(act) {
        compliance.broken.push(RuleBroken { rule, ddi, sequence });
    }
}

/// Calls a driver in a callback in which some calls are wrong.
pub(crate) fn within<R>(m: &mut Machine, driver: Driver, what: Inside, call: impl FnOnce(&mut Machine) -> R) -> R {
    if !checks_rules(m) {
        return call(m);
    }
    if let Some(compliance) = of(m, driver) {
        compliance.inside.push(what);
    }
    let result = call(m);
    if let Some(compliance) = of(m, driver) {
        compliance.inside.pop();
    }
    result
}

/// A driver takes a spin lock, or gives it back.
pub(crate) fn holds_spin_lock(m: &mut Machine, driver: Driver, takes: bool) {
    if !checks_rules(m) {
        return;
    }
    if let Some(compliance) = of(m, driver) {
        let locks = compliance.spin_locks;
        compliance.spin_locks = if takes { locks + 1 } else { locks.saturating_sub(1) };
    }
}

/// Whether any driver's rules are looked at.
#[inline]
pub fn checks_rules(m: &Machine) -> bool {
    fx(m).checks_rules
}

/// A driver sends the request with this handle: its status tells what came of that once the send failed, or waited.
pub fn answered(m: &mut Machine, driver: Driver, request: u64, is_answered: bool) {
    if let Some(compliance) = of(m, driver) {
        compliance.answered.retain(|&answered| answered != request);
        if is_answered {
            compliance.answered.push(request);
        }
    }
}

/// EvtDriverDeviceAdd returned success.
pub(crate) fn added(m: &mut Machine, driver: Driver, has_device: bool) {
    if !checks_rules(m) {
        return;
    }
    if !has_device {
        look(m, driver, Act::AddNothing, "WdfDeviceCreate");
    }
    let own =
        fx(m).devices.iter().filter(|(_, body)| body.header.driver() == driver && body.kind == DeviceKind::Control);
    let unfinished = own.filter_map(|(_, body)| body.device_object).any(|object| m[object].initializing);
    if unfinished {
        look(m, driver, Act::AddUnfinished, "WdfControlFinishInitializing");
    }
}

/// EvtDriverDeviceAdd is called, or could not create its device.
pub(crate) fn creates(m: &mut Machine, driver: Driver, failed: bool) {
    if let Some(compliance) = of(m, driver) {
        compliance.create_failed = failed;
    }
}

impl Driver {
    /// The rules that the driver broke, oldest first; none for a driver whose [`crate::DriverConfig::compliance`] is not
    /// set.
    pub fn broken_rules(self, m: &Machine) -> &[RuleBroken] {
        let body = fx(m).drivers.get(self.id());
        body.and_then(|body| body.compliance.as_deref()).map_or(&[], |compliance| &compliance.broken)
    }
}
