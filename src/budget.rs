//! Stack locations, computed from the topology alone: what each forwarding edge has and needs, without running anything.

use serde::Serialize;

use crate::scenario::Scenario;
use crate::scenario::bus::{Bus, SentRequest};
use crate::scenario::driver::{Call, DriverCode};
use crate::scenario::filter::Filter;
use crate::scenario::reader::Reader;
use vbus_wdm::FilterStyle;

/// The kinds of a program's requests that a bus forwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestKind {
    /// A control request.
    Control,
    /// ReadFile.
    Read,
    /// WriteFile.
    Write,
}

/// The way of a program's request from a bus to one of its readers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Edge {
    /// The bus.
    pub bus: String,
    /// The reader's id.
    pub reader: u32,
    /// What kind of request it is.
    pub request: RequestKind,
    /// StackSize of the bus's function device.
    pub bus_stack_size: i32,
    /// StackCount of a program's IRP: StackSize of the top of the bus's stack.
    pub irp_stack_count: i32,
    /// CurrentLocation when the driver is given the request.
    pub current_location: i32,
    /// Locations left for lower drivers.
    pub have: i32,
    /// StackSize of the top of the reader's stack, which the bus's target caches.
    pub need: i32,
    /// Whether the framework replaces the IRP by one that is deep enough.
    pub own_request: bool,
    /// Whether the format call accepts the request.
    pub fits: bool,
    /// The smallest StackSize of the bus's function device that does; none where the reader's stack grows with it, because
    /// its PDO forwards to the bus.
    pub minimum: Option<i32>,
    /// Locations of every IRP that nobody needs.
    pub spare: i32,
}

/// Every forwarding edge of a scenario, as the stacks are when everything has started.
///
/// A program's IRP has as many locations as the top of the bus's stack has StackSize. Each filter above the bus that does
/// not skip uses one, as do a preprocess callback that copies, which sees control requests only, and a remove lock for I/O;
/// the format call then asks whether
/// CurrentLocation - 1 is at least the target's stack size.
///
/// Source: S/core/fxrequestbase.cpp (FxRequestBase::ValidateTarget); S/core/fxdevice.cpp:479-508.
pub fn edges(scenario: &Scenario) -> Vec<Edge> {
    let kinds = [RequestKind::Control, RequestKind::Read, RequestKind::Write];
    let of_bus = |bus| {
        let forwarded = kinds.into_iter().filter(move |&kind| formats(bus, kind));
        forwarded.flat_map(move |kind| bus.reader.iter().map(move |reader| edge(bus, reader, kind)))
    };
    scenario.bus.iter().flat_map(of_bus).collect()
}

/// What a driver whose calls are spelled out does with a kind of request.
fn calls(code: &DriverCode, kind: RequestKind) -> &[Call] {
    match kind {
        RequestKind::Control => &code.forward,
        RequestKind::Read => code.read.as_deref().unwrap_or_default(),
        RequestKind::Write => code.write.as_deref().unwrap_or_default(),
    }
}

/// A driver that formats nothing has no edge.
fn formats(bus: &Bus, kind: RequestKind) -> bool {
    match &bus.driver {
        None => kind == RequestKind::Control,
        Some(code) => calls(code, kind).contains(&Call::Format),
    }
}

/// Whether the request that goes to a reader is one that the driver creates.
fn sends_own(bus: &Bus, kind: RequestKind) -> bool {
    let creates = |call: &Call| matches!(call, Call::CreateRequest | Call::CreateRequestWithoutTarget);
    match &bus.driver {
        None => bus.sender == SentRequest::DriverCreated,
        Some(code) => calls(code, kind).iter().take_while(|call| **call != Call::Format).any(creates),
    }
}

fn edge(bus: &Bus, reader: &Reader, request: RequestKind) -> Edge {
    let config = bus.config();
    let bus_stack_size = stack_size(&bus.lower_filters, config.added_locations(), &[]);
    let irp_stack_count = bus_stack_size + bus.upper_filters.len() as i32;
    let used_above = bus.upper_filters.iter().filter(|filter| filter.style() == FilterStyle::Copy).count() as i32;
    let used_by_options = match request {
        RequestKind::Control => config.used_locations(),
        RequestKind::Read | RequestKind::Write => i32::from(bus.remove_lock),
    };
    let current_location = irp_stack_count - used_above - used_by_options;
    let have = current_location - 1;
    let extra = reader.added_locations() + bus.locations_of_children();
    let need = stack_size(&reader.lower_filters, extra, &reader.upper_filters);
    let own_request = sends_own(bus, request);
    let missing = if own_request { 0 } else { (need - have).max(0) };
    Edge {
        bus: bus.name().to_owned(),
        reader: *reader.id.get_ref(),
        request,
        bus_stack_size,
        irp_stack_count,
        current_location,
        have,
        need,
        own_request,
        fits: missing == 0,
        minimum: (missing == 0 || bus.locations_of_children() == 0).then_some(bus_stack_size + missing),
        spare: if own_request { have.max(0) } else { (have - need).max(0) },
    }
}

/// StackSize at the top: the PDO has 1, and everything that attaches adds 1.
fn stack_size(lower: &[Filter], extra: i32, upper: &[Filter]) -> i32 {
    2 + extra + (lower.len() + upper.len()) as i32
}
