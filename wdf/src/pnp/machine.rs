//! What the PnP, power and power policy machines of a device have in common: a table of states, and a queue of events.
//!
//! An event that is posted at PASSIVE_LEVEL is looked at by whoever posts it, unless the machine is at work already: then
//! that one looks at it. One that is posted above PASSIVE_LEVEL waits for a work item. A state that is not open leaves
//! everything in the queue but the priority events, which go to its head.
//!
//! Source: S/irphandlers/pnp/eventqueue.cpp:30-420; pnpstatemachine.cpp:805-1180 (the other two have the same code).

use std::collections::VecDeque;

use vbus_wdm::{Context, Irql, Machine};

use super::PnpData;
use crate::device::Device;
use crate::framework::{fx_mut, trace};
use crate::object::Handle;
use crate::trace::sites;

/// What a device does on entering a state. The answer is the state that it goes on to at once, or `None` where it waits
/// for an event.
pub(super) type Enter<S> = fn(&mut Machine, Device) -> Option<S>;

/// A row of a machine's table.
pub(super) struct Row<S: 'static, E: 'static> {
    pub(super) enter: Option<Enter<S>>,
    /// Where events lead.
    pub(super) on: &'static [(E, S)],
    /// Whether all events are looked at, or only priority events.
    pub(super) open: bool,
    /// Events that may be dropped here without a warning.
    pub(super) known: &'static [E],
}

impl<S, E> Row<S, E> {
    /// A state that a device only passes through.
    pub(super) const fn passing(enter: Enter<S>) -> Row<S, E> {
        Row { enter: Some(enter), on: &[], open: false, known: &[] }
    }

    /// A state that is left only by a priority event.
    pub(super) const fn locked(enter: Enter<S>, on: &'static [(E, S)]) -> Row<S, E> {
        Row { enter: Some(enter), on, open: false, known: &[] }
    }

    /// A state in which every event is looked at.
    pub(super) const fn open(on: &'static [(E, S)]) -> Row<S, E> {
        Row { enter: None, on, open: true, known: &[] }
    }

    /// What is done on entering it.
    pub(super) const fn entering(self, enter: Enter<S>) -> Row<S, E> {
        Row { enter: Some(enter), ..self }
    }

    /// Events that may be dropped here without a warning.
    pub(super) const fn dropping(self, known: &'static [E]) -> Row<S, E> {
        Row { known, ..self }
    }
}

/// The events that wait for a machine.
pub(super) struct EventQueue<E> {
    events: VecDeque<E>,
    at_work: bool,
    /// A work item will look at the queue, or does.
    work_item: bool,
    working: bool,
    blocked: bool,
    /// The device goes: nothing is taken any more.
    closed: bool,
}

impl<E> Default for EventQueue<E> {
    fn default() -> Self {
        EventQueue {
            events: VecDeque::new(),
            at_work: false,
            work_item: false,
            working: false,
            blocked: false,
            closed: false,
        }
    }
}

impl<E> EventQueue<E> {
    /// SetFinished: nothing is taken any more. Returns whether no work item is at it, or will be.
    pub(super) fn close(&mut self) -> bool {
        self.closed = true;
        self.is_idle()
    }

    pub(super) fn is_idle(&self) -> bool {
        !self.work_item && !self.working
    }
}

/// One of a device's machines.
pub(super) trait StateMachine: 'static {
    type State: Copy + 'static;
    type Event: Copy + PartialEq + 'static;

    fn queue(data: &mut PnpData) -> &mut EventQueue<Self::Event>;
    fn state(m: &mut Machine, device: Device) -> Self::State;
    fn row(state: Self::State) -> Row<Self::State, Self::Event>;
    /// Whether an event goes before all others, even where the state is not open.
    fn is_priority(event: Self::Event) -> bool;
    /// Whether one such event in the queue is enough.
    fn is_singular(event: Self::Event) -> bool;
    /// Takes the new state in, and says so in the log.
    fn set_state(m: &mut Machine, device: Device, state: Self::State);
    /// The state has no use for this event: the lines, and what the event's sender waits for.
    fn drop_event(m: &mut Machine, device: Device, event: Self::Event, known: &[Self::Event]);
    /// The line of a queue that is closed, or has a singular event already.
    fn refuse(m: &mut Machine, device: Device, event: Self::Event, closed: bool);
    /// The machine is done with what there was to do, and its queue is empty.
    fn at_rest(m: &mut Machine, device: Device);
    /// After that, when nobody holds the machine any more.
    fn post_process(m: &mut Machine, device: Device);
}

fn queue_of<M: StateMachine>(m: &mut Machine, device: Device) -> Option<&mut EventQueue<M::Event>> {
    fx_mut(m).devices.get_mut(device.0.id).map(|body| M::queue(&mut body.pnp))
}

/// Posts an event.
pub(super) fn post<M: StateMachine>(m: &mut Machine, device: Device, event: M::Event) {
    let Some(queue) = queue_of::<M>(m, device) else { return };
    let doubled = M::is_singular(event) && queue.events.contains(&event);
    if doubled || queue.closed {
        let closed = queue.closed;
        return M::refuse(m, device, event, closed && !doubled);
    }
    if M::is_priority(event) {
        queue.events.push_front(event);
    } else {
        queue.events.push_back(event);
    }
    if !queue.at_work && m.irql() == Irql::Passive {
        return process::<M>(m, device);
    }
    queue_to_thread::<M>(m, device);
}

fn queue_to_thread<M: StateMachine>(m: &mut Machine, device: Device) {
    let Some(queue) = queue_of::<M>(m, device) else { return };
    if queue.events.is_empty() {
        let driver = device.driver(m);
        let device_object = device.device_object(m).address();
        trace(m, driver, &sites::EVENT_QUEUE_EMPTY, [device.object().handle(), device_object]);
    } else if !std::mem::replace(&mut queue.work_item, true) {
        m.queue_work_item(work::<M>, Context(device.0.id.to_word()));
    }
}

fn work<M: StateMachine>(m: &mut Machine, context: Context) {
    let Some(device) = Device::from_word(context.0) else { return };
    let Some(queue) = queue_of::<M>(m, device) else { return };
    (queue.work_item, queue.working) = (false, true);
    if queue.at_work {
        // The thread waits until whoever is at work is done.
        queue.blocked = true;
        return;
    }
    process::<M>(m, device);
    let Some(body) = fx_mut(m).devices.get_mut(device.0.id) else { return };
    if body.pnp.removal_processed {
        // Whoever waits for the removal goes on before this thread is out of the machine.
        m.queue_work_item(worked::<M>, context);
    } else {
        M::queue(&mut body.pnp).working = false;
    }
}

fn worked<M: StateMachine>(m: &mut Machine, context: Context) {
    if let Some(queue) = Device::from_word(context.0).and_then(|device| queue_of::<M>(m, device)) {
        queue.working = false;
    }
}

fn process<M: StateMachine>(m: &mut Machine, device: Device) {
    let Some(queue) = queue_of::<M>(m, device) else { return };
    queue.at_work = true;
    while let Some(event) = next_event::<M>(m, device) {
        let state = M::state(m, device);
        let row = M::row(state);
        match row.on.iter().find(|(known, _)| *known == event) {
            Some(&(_, next)) => enter::<M>(m, device, next),
            None => M::drop_event(m, device, event, row.known),
        }
    }
    if queue_of::<M>(m, device).is_some_and(|queue| queue.events.is_empty()) {
        M::at_rest(m, device);
    }
    if let Some(queue) = queue_of::<M>(m, device) {
        queue.at_work = false;
        if std::mem::take(&mut queue.blocked) {
            m.queue_work_item(work::<M>, Context(device.0.id.to_word()));
        }
        M::post_process(m, device);
    }
}

/// The next event that the machine looks at in the state that it is in.
fn next_event<M: StateMachine>(m: &mut Machine, device: Device) -> Option<M::Event> {
    queue_of::<M>(m, device)?;
    let state = M::state(m, device);
    let open = M::row(state).open;
    let queue = queue_of::<M>(m, device)?;
    let event = *queue.events.front()?;
    if !open && !M::is_priority(event) {
        return None;
    }
    queue.events.pop_front()
}

/// Enters a state, and those that follow from it.
pub(super) fn enter<M: StateMachine>(m: &mut Machine, device: Device, state: M::State) {
    let mut next = Some(state);
    while let Some(state) = next {
        M::set_state(m, device, state);
        next = M::row(state).enter.and_then(|enter| enter(m, device));
    }
}
