//! Why a request was refused, in numbers.

use toml::Spanned;
use vbus_wdm::constants::STATUS_REQUEST_NOT_ACCEPTED;

use super::outcome::{StepOutcome, TravelStep};
use super::stage::Stage;
use crate::explain::Shortfall;
use crate::scenario::Scenario;
use crate::scenario::step::Action;

/// The reader that an action's request is for, its bus, and the DDI that formats it.
fn edge(scenario: &Scenario, action: Action<'_>) -> Option<(usize, u32, &'static str)> {
    let of_handle = |handle: &Spanned<String>| {
        let mut opens = scenario.step.iter().filter_map(|step| step.open.as_ref());
        let open = opens.rfind(|open| open.name == *handle.get_ref() && open.reader.is_none())?;
        scenario.bus_index(open.bus.as_ref().map(|name| name.get_ref().as_str()))
    };
    match action {
        Action::Forward(forward) => {
            let bus = scenario.bus_index(forward.bus.as_ref().map(|name| name.get_ref().as_str()))?;
            Some((bus, *forward.reader.get_ref(), scenario.bus[bus].format_call()))
        }
        Action::Read(read) => Some((of_handle(&read.handle)?, read.offset, "WdfIoTargetFormatRequestForRead")),
        Action::Write(write) => Some((of_handle(&write.handle)?, write.offset, "WdfIoTargetFormatRequestForWrite")),
        _ => None,
    }
}

/// The reason for a request's end in the format call, where that is what happened.
pub(super) fn of(stage: &mut Stage<'_>, action: Action<'_>, step: &StepOutcome) -> Option<String> {
    let (bus, reader, call) = edge(stage.scenario, action)?;
    let refused = step.log.iter().find(|line| {
        line.function == "FxRequestBase::ValidateTarget" && line.message.starts_with("Cannot reallocate PIRP")
    })?;
    let arrival = step
        .irps
        .iter()
        .find(|travel| travel.step == TravelStep::Call && travel.driver.as_deref() == Some(refused.driver.as_str()))?;
    let fdo = stage.bus_fdo(bus)?;
    let stack_size = stage.m[fdo].stack_size;
    let needs = stage.target(bus, reader)?.stack_size(&mut stage.m);
    // Options of the driver's own device use locations before the driver sees a control request.
    let used = match action {
        Action::Forward(_) => stage.scenario.bus[bus].config().used_locations() as i8,
        _ => i8::from(stage.scenario.bus[bus].remove_lock),
    };
    let at = arrival.current_location - used;
    let pdo = stage.node(bus, Some(reader))?.pdo(&stage.m)?;
    let chain = pdo.stack(&stage.m);
    let chain: Vec<&str> = chain.iter().map(|device| device.driver_name(&stage.m)).collect();
    let shortfall = Shortfall {
        status: STATUS_REQUEST_NOT_ACCEPTED,
        call,
        driver: refused.driver.clone(),
        stack_size,
        irp_stack_count: arrival.stack_count,
        current_location: at,
        target: format!("reader {reader} ({})", chain.join(" <- ")),
        target_stack_size: needs,
        // A PDO that forwards to its parent has the parent's StackSize in its own.
        minimum: (stage.m[pdo].stack_size == 1).then_some(stack_size + needs - (at - 1)),
    };
    Some(shortfall.to_string())
}
