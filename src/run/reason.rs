//! Why a request was refused, in numbers.

use vbus_wdm::constants::STATUS_REQUEST_NOT_ACCEPTED;

use super::outcome::{StepOutcome, TravelStep};
use super::stage::Stage;
use crate::explain::Shortfall;
use crate::scenario::step::Action;

/// The reason for a forwarded request's end in the format call, where that is what happened.
pub(super) fn of(stage: &mut Stage<'_>, action: Action<'_>, step: &StepOutcome) -> Option<String> {
    let Action::Forward(forward) = action else { return None };
    let refused = step.log.iter().find(|line| {
        line.function == "FxRequestBase::ValidateTarget" && line.message.starts_with("Cannot reallocate PIRP")
    })?;
    let bus = stage.scenario.bus_index(forward.bus.as_ref().map(|name| name.get_ref().as_str()))?;
    let reader = *forward.reader.get_ref();
    let arrival = step
        .irps
        .iter()
        .find(|travel| travel.step == TravelStep::Call && travel.driver.as_deref() == Some(refused.driver.as_str()))?;
    let fdo = stage.bus_fdo(bus)?;
    let stack_size = stage.m[fdo].stack_size;
    let needs = stage.target(bus, reader)?.stack_size(&mut stage.m);
    let config = stage.scenario.bus[bus].config();
    // Options of the driver's own device use locations before the driver sees the request.
    let at = arrival.current_location - config.used_locations() as i8;
    let chain = stage.node(bus, Some(reader))?.pdo(&stage.m)?.stack(&stage.m);
    let chain: Vec<&str> = chain.iter().map(|device| device.driver_name(&stage.m)).collect();
    let shortfall = Shortfall {
        status: STATUS_REQUEST_NOT_ACCEPTED,
        call: stage.scenario.bus[bus].format_call(),
        driver: refused.driver.clone(),
        stack_size,
        irp_stack_count: arrival.stack_count,
        current_location: at,
        target: format!("reader {reader} ({})", chain.join(" <- ")),
        target_stack_size: needs,
        minimum: stack_size + needs - (at - 1),
    };
    Some(shortfall.to_string())
}
