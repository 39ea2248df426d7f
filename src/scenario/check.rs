//! Whether everything that a scenario names is there.

use std::collections::BTreeSet;

use toml::Spanned;

use super::Scenario;
use super::source::{Place, ScenarioError};
use super::step::{Action, Step};
use super::target::OpenType;

/// What earlier steps gave names to.
#[derive(Default)]
struct Known<'s> {
    handles: BTreeSet<&'s str>,
    requests: BTreeSet<&'s str>,
    threads: BTreeSet<&'s str>,
    /// Threads that ended.
    exited: BTreeSet<&'s str>,
}

impl Scenario {
    /// Checks what the file's grammar cannot say. [`Scenario::load`] does; a scenario that was put together by hand may.
    ///
    /// # Errors
    /// [`ScenarioError`].
    pub fn check(&self) -> Result<(), ScenarioError> {
        self.check_buses()?;
        let mut known = Known::default();
        for step in &self.step {
            let place = or_nowhere(step.place.as_ref());
            let mut actions = step.actions();
            let Some(action) = actions.next() else {
                let help = format!("an action is one of {}", Step::ACTIONS.join(", "));
                return Err(place.error_with_help("the step has no action", help));
            };
            if let Some(second) = actions.next() {
                let (first, second) = (action.key(), second.key());
                return Err(
                    place.error(format!("the step has two actions, `{first}` and `{second}`: make two steps of it"))
                );
            }
            if let Some(thread) = &step.thread {
                if known.exited.contains(thread.as_str()) {
                    return Err(place.error(format!("the thread `{thread}` has ended before this step")));
                }
                known.threads.insert(thread);
            }
            self.check_action(&place, action, &mut known)?;
            for expected in &step.expect.target {
                self.reader(&place, &expected.bus, Some(&expected.reader))?;
            }
        }
        Ok(())
    }

    fn check_buses(&self) -> Result<(), ScenarioError> {
        let mut names = BTreeSet::new();
        for bus in &self.bus {
            let place = or_nowhere(bus.place.as_ref());
            let at = |span| place.within(span);
            let name = bus.name();
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
                return Err(
                    at(bus.name.span()).error(format!("`{name}` is no driver's name: letters, digits, - and _"))
                );
            }
            if !names.insert(name.to_ascii_lowercase()) {
                return Err(at(bus.name.span()).error(format!("there are two buses `{name}`")));
            }
            let filters = bus.lower_filters.len() + bus.upper_filters.len();
            stack_size(&at(bus.name.span()), name, bus.config().added_locations(), filters)?;
            for reader in &bus.reader {
                let (place, filters) = (at(reader.id.span()), reader.lower_filters.len() + reader.upper_filters.len());
                // What is made here is thrown away: this only shows that it can be made.
                reader.card.check(&place, *reader.id.get_ref())?;
                stack_size(
                    &place,
                    &format!("reader {}", reader.id.get_ref()),
                    reader.added_locations() + bus.locations_of_children(),
                    filters,
                )?;
            }
            let mut ids = BTreeSet::new();
            if let Some(twice) = bus.reader.iter().find(|reader| !ids.insert(*reader.id.get_ref())) {
                let id = twice.id.get_ref();
                return Err(at(twice.id.span()).error(format!("`{name}` has two readers {id}")));
            }
        }
        Ok(())
    }

    fn check_action<'s>(
        &'s self,
        place: &Place,
        action: Action<'s>,
        known: &mut Known<'s>,
    ) -> Result<(), ScenarioError> {
        match action {
            Action::Plug(on) | Action::Unplug(on) | Action::Eject(on) | Action::StartTarget(on) => {
                self.reader(place, &on.bus, Some(&on.reader))
            }
            Action::CloseTarget(on) => self.reader(place, &on.bus, Some(&on.reader)),
            Action::OpenTarget(on) => {
                if let (Some(name), false) = (&on.name, on.by == OpenType::Name) {
                    let message = format!("`{name}` is for a target that is opened by name");
                    return Err(place.error_with_help(message, "say `by = \"name\"`"));
                }
                self.reader(place, &on.bus, Some(&on.reader))
            }
            Action::PurgeTarget(on) | Action::Remove(on) => self.reader(place, &on.bus, Some(&on.reader)),
            Action::Insert(on) => {
                on.card.check(place, *on.reader.get_ref())?;
                self.reader(place, &on.bus, Some(&on.reader))
            }
            Action::StopTarget(on) => self.reader(place, &on.bus, Some(&on.reader)),
            Action::StopQueue(on) | Action::StartQueue(on) | Action::PurgeQueue(on) | Action::DrainQueue(on) => {
                if let Some(reader) = &on.reader {
                    let message = "a scenario controls the queues of buses, not those of readers";
                    return Err(place.within(reader.span()).error(message));
                }
                self.reader(place, &on.bus, None)
            }
            Action::RemoveDevice(on) | Action::Disable(on) | Action::Enable(on) => {
                self.reader(place, &on.bus, on.reader.as_ref())
            }
            Action::Attach(on) => self.reader(place, &on.bus, on.reader.as_ref()),
            Action::Open(open) => {
                known.handles.insert(&open.name);
                self.reader(place, &open.bus, open.reader.as_ref())
            }
            Action::Close(on) => known_name(place, "handle", &on.handle, &known.handles),
            Action::Control(request) => {
                known_name(place, "handle", &request.handle, &known.handles)?;
                add_request(place, &request.name, known)
            }
            Action::Forward(request) => {
                if let Some(handle) = &request.handle {
                    known_name(place, "handle", handle, &known.handles)?;
                }
                self.reader(place, &request.bus, Some(&request.reader))?;
                add_request(place, &request.name, known)
            }
            Action::Read(request) => {
                known_name(place, "handle", &request.handle, &known.handles)?;
                add_request(place, &request.name, known)
            }
            Action::Write(request) => {
                known_name(place, "handle", &request.handle, &known.handles)?;
                add_request(place, &request.name, known)
            }
            Action::ExitThread(on) => {
                known_name(place, "thread", &on.thread, &known.threads)?;
                if !known.exited.insert(on.thread.get_ref()) {
                    let message = format!("the thread `{}` has ended before this step", on.thread.get_ref());
                    return Err(place.within(on.thread.span()).error(message));
                }
                Ok(())
            }
            Action::FailAllocation(on) if on.nth == 0 => {
                Err(place.error("allocations are counted from 1: the next one is `nth = 1`"))
            }
            Action::Cancel(on) | Action::Wait(on) => known_name(place, "request", &on.request, &known.requests),
            Action::Advance(_) | Action::PowerDown(_) | Action::PowerUp(_) | Action::FailAllocation(_) => Ok(()),
        }
    }

    fn bus(&self, place: &Place, named: &Option<Spanned<String>>) -> Result<usize, ScenarioError> {
        let found = self.bus_index(named.as_ref().map(|name| name.get_ref().as_str()));
        found.ok_or_else(|| match named {
            Some(name) => {
                let message = format!("there is no bus `{}`", name.get_ref());
                place.within(name.span()).unknown(message, name.get_ref(), self.bus.iter().map(|bus| bus.name()))
            }
            None if self.bus.is_empty() => place.error("the scenario has no bus: begin one with [[bus]]"),
            None => {
                let names: Vec<&str> = self.bus.iter().map(|bus| bus.name()).collect();
                place.error(format!("which bus? There are {}: say it with `bus = \"{}\"`", names.join(", "), names[0]))
            }
        })
    }

    fn reader(
        &self,
        place: &Place,
        bus: &Option<Spanned<String>>,
        reader: Option<&Spanned<u32>>,
    ) -> Result<(), ScenarioError> {
        let bus = &self.bus[self.bus(place, bus)?];
        let Some(reader) = reader else { return Ok(()) };
        if bus.reader.iter().any(|known| known.id.get_ref() == reader.get_ref()) {
            return Ok(());
        }
        let ids: Vec<String> = bus.reader.iter().map(|reader| reader.id.get_ref().to_string()).collect();
        let message = format!("`{}` has no reader {}", bus.name(), reader.get_ref());
        Err(place.within(reader.span()).unknown(message, &reader.get_ref().to_string(), ids.iter().map(String::as_str)))
    }
}

/// A StackSize is a CCHAR that wraps, and an IRP has 1 to 125 locations.
fn stack_size(place: &Place, stack: &str, extra: i32, filters: usize) -> Result<(), ScenarioError> {
    // The PDO has one location, the FDO one more, and each filter another.
    let size = 2 + extra + filters as i32;
    if (1..=125).contains(&size) {
        return Ok(());
    }
    Err(place.error(format!("the stack of {stack} would have StackSize {size}, and an IRP has 1 to 125 locations")))
}

/// A scenario that was put together by hand has no places.
fn or_nowhere(place: Option<&Place>) -> Place {
    place.cloned().unwrap_or_default()
}

fn known_name(place: &Place, what: &str, name: &Spanned<String>, known: &BTreeSet<&str>) -> Result<(), ScenarioError> {
    if known.contains(name.get_ref().as_str()) {
        return Ok(());
    }
    let message = format!("no step before this one names a {what} `{}`", name.get_ref());
    Err(place.within(name.span()).unknown(message, name.get_ref(), known.iter().copied()))
}

fn add_request<'s>(
    place: &Place,
    name: &'s Option<Spanned<String>>,
    known: &mut Known<'s>,
) -> Result<(), ScenarioError> {
    match name {
        Some(name) if !known.requests.insert(name.get_ref()) => {
            Err(place.within(name.span()).error(format!("there is a request `{}` already", name.get_ref())))
        }
        _ => Ok(()),
    }
}
