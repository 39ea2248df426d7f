//! The steps' actions.

use toml::Spanned;
use vbus_bus::{ReaderId, Service, target_of};
use vbus_iotarget::{IoTarget, OpenParams, SentIo};
use vbus_reader::Slot;
use vbus_reader::ioctl::GUID_SMARTCARD_READER;
use vbus_wdf::{Handle, Queue};
use vbus_wdm::constants::*;
use vbus_wdm::{
    Access, FileObject, IoStatus, Machine, NtStatus, OpenOptions, Overlapped, Stop, SystemPowerState, Ticks,
    attach_filter, create_filter,
};

use super::stage::{Out, Stage};
use crate::scenario::program::{ForwardParameters, IoctlParameters, OpenParameters, Rights};
use crate::scenario::reader::Function;
use crate::scenario::step::{self, Action, OnDevice, OnReader, Step};
use crate::scenario::target::{self, OpenTargetParameters, OpenType};
use crate::scenario::value::{Bytes, Status};

/// What an action came to.
#[derive(Default)]
pub(super) struct Done {
    pub(super) status: Option<Status>,
    pub(super) information: Option<u64>,
    pub(super) output: Option<Bytes>,
}

impl From<NtStatus> for Done {
    fn from(status: NtStatus) -> Done {
        Done { status: Some(Status(status)), ..Done::default() }
    }
}

impl From<Result<(), NtStatus>> for Done {
    fn from(result: Result<(), NtStatus>) -> Done {
        NtStatus::from(result).into()
    }
}

/// A program's request has as many bytes of output as Information says, and as its buffer can hold.
fn finished(io: IoStatus, mut output: Vec<u8>) -> Done {
    output.truncate(usize::try_from(io.information).unwrap_or(usize::MAX));
    let output = (!io.status.is_error()).then_some(Bytes(output));
    Done { status: Some(Status(io.status)), information: Some(io.information), output }
}

/// A program's request after it was sent.
enum Sent {
    /// It is done, and this is the output buffer.
    Finished(IoStatus, Vec<u8>),
    /// It is out, or was refused at once.
    Out(Result<Overlapped, NtStatus>),
}

type Acted = Result<Done, Stop>;

impl Stage<'_> {
    /// Does what a step says, in the thread that takes it.
    pub(super) fn take_step(&mut self, step: &Step, action: Action<'_>) -> Acted {
        self.place = step.place.clone().unwrap_or_default();
        let Some(name) = &step.thread else { return self.act(action) };
        let thread = self.thread(name);
        let before = self.m.switch_thread(thread);
        let acted = self.act(action);
        self.m.switch_thread(before);
        acted
    }

    fn act(&mut self, action: Action<'_>) -> Acted {
        match action {
            Action::Plug(on) => self.ask_bus(on, Service::plug_in),
            Action::Unplug(on) => self.ask_bus(on, Service::unplug),
            Action::Eject(on) => self.ask_bus(on, Service::eject),
            Action::Insert(on) => {
                let Some(slot) = self.slot(&on.bus, &on.reader) else { return Ok(STATUS_NO_SUCH_DEVICE.into()) };
                let place = self.place.clone();
                // The check of the scenario made one of it.
                let Ok(Some(card)) = on.card.make(&place, *on.reader.get_ref()) else {
                    return Ok(STATUS_NO_MEDIA.into());
                };
                let inserted = slot.insert(&mut self.m, card)?;
                Ok(inserted.map_err(|_| STATUS_DEVICE_BUSY).into())
            }
            Action::Remove(on) => {
                let Some(slot) = self.slot(&on.bus, &on.reader) else { return Ok(STATUS_NO_SUCH_DEVICE.into()) };
                let removed = slot.remove(&mut self.m)?;
                Ok(removed.map(|_| ()).ok_or(STATUS_NO_MEDIA).into())
            }
            Action::Open(open) => self.open(open),
            Action::Close(on) => self.close(on.handle.get_ref()),
            Action::Control(request) => self.control(request),
            Action::Forward(request) => self.forward(request),
            Action::Read(read) => {
                let mut output = vec![0; read.length as usize];
                let offset = read.offset.into();
                self.send(&read.handle, &read.name, read.length, |m, file, waits| match waits {
                    true => m.read_file(file, &mut output, offset).map(|io| Sent::Finished(io, output)),
                    false => m.start_read(file, &output, offset).map(Sent::Out),
                })
            }
            Action::Write(write) => {
                let (data, offset) = (&write.data.0, write.offset.into());
                self.send(&write.handle, &write.name, 0, |m, file, waits| match waits {
                    true => m.write_file(file, data, offset).map(|io| Sent::Finished(io, Vec::new())),
                    false => m.start_write(file, data, offset).map(Sent::Out),
                })
            }
            Action::Cancel(on) => self.cancel(on.request.get_ref()),
            Action::Wait(on) => self.wait(on.request.get_ref()),
            Action::ExitThread(on) => match self.threads.remove(on.thread.get_ref()) {
                Some(thread) => thread.exit(&mut self.m).map(|()| STATUS_SUCCESS.into()),
                None => Ok(STATUS_INVALID_HANDLE.into()),
            },
            Action::FailAllocation(on) => {
                self.m.fail_allocation(on.nth);
                Ok(STATUS_SUCCESS.into())
            }
            Action::Advance(span) => self.m.advance(Ticks::from_millis(span.ms)).map(|()| STATUS_SUCCESS.into()),
            Action::StopTarget(on) => {
                let sent_io = match on.sent_io {
                    target::SentIo::Cancel => SentIo::Cancel,
                    target::SentIo::Wait => SentIo::WaitForCompletion,
                    target::SentIo::Leave => SentIo::LeavePending,
                };
                self.on_target(&on.bus, &on.reader, |m, target| {
                    target.stop(m, sent_io);
                    Ok(())
                })
            }
            Action::StartTarget(on) => self.on_target(&on.bus, &on.reader, |m, target| target.start(m)),
            Action::PurgeTarget(on) => self.on_target(&on.bus, &on.reader, |m, target| {
                target.purge(m, true);
                Ok(())
            }),
            Action::CloseTarget(on) => self.on_target(&on.bus, &on.reader, |m, target| {
                match on.for_query_remove {
                    true => target.close_for_query_remove(m),
                    false => target.close(m),
                }
                Ok(())
            }),
            Action::OpenTarget(on) => self.open_target(on),
            Action::StopQueue(on) => self.on_queue(on, |m, queue| queue.stop_synchronously(m)),
            Action::StartQueue(on) => self.on_queue(on, |m, queue| queue.start(m)),
            Action::PurgeQueue(on) => self.on_queue(on, |m, queue| queue.purge_synchronously(m)),
            Action::DrainQueue(on) => self.on_queue(on, |m, queue| queue.drain_synchronously(m)),
            Action::PowerDown(down) => self.m.sleep(sleep_state(down.state)).map(Done::from),
            Action::PowerUp(_) => self.m.wake().map(|()| STATUS_SUCCESS.into()),
            Action::Attach(attach) => {
                let Some(pdo) = self.device(&attach.bus, attach.reader.as_ref()).and_then(|node| node.pdo(&self.m))
                else {
                    return Ok(STATUS_NO_SUCH_DEVICE.into());
                };
                self.m.run(|m| {
                    let driver = create_filter(m, attach.filter.name(), attach.filter.style());
                    attach_filter(m, driver, pdo).into()
                })
            }
            Action::RemoveDevice(on) => self.on_node(on, |m, node| Ok(m.remove_device(node)?.into())),
            Action::Disable(on) => self.on_node(on, |m, node| Ok(m.disable_device(node)?.into())),
            Action::Enable(on) => self.on_node(on, |m, node| {
                let started = m.enable_device(node)? == Some(vbus_wdm::NodeState::Started);
                Ok(if started { STATUS_SUCCESS } else { STATUS_DEVICE_NOT_READY }.into())
            }),
        }
    }

    /// The bus that a step means. A scenario that was checked has it.
    fn bus(&self, name: &Option<Spanned<String>>) -> usize {
        self.scenario.bus_index(name.as_ref().map(|name| name.get_ref().as_str())).unwrap_or_default()
    }

    fn device(&self, bus: &Option<Spanned<String>>, reader: Option<&Spanned<u32>>) -> Option<vbus_wdm::DevNode> {
        self.node(self.bus(bus), reader.map(|reader| *reader.get_ref()))
    }

    fn slot(&self, bus: &Option<Spanned<String>>, reader: &Spanned<u32>) -> Option<Slot> {
        Slot::of(&self.m, self.device(bus, Some(reader))?.pdo(&self.m)?)
    }

    /// The scenario's own handle to a bus; opened when it is first needed.
    fn own_handle(&mut self, bus: usize, overlapped: bool) -> Result<Result<FileObject, NtStatus>, Stop> {
        if let Some(&file) = self.own_handles.get(&(bus, overlapped)) {
            return Ok(Ok(file));
        }
        let options = if overlapped { OpenOptions::OVERLAPPED } else { OpenOptions::READ_WRITE };
        let Some(link) = self.bus_link(bus) else { return Ok(Err(STATUS_OBJECT_NAME_NOT_FOUND)) };
        let opened = self.m.create_file(&link, options)?;
        if let Ok(file) = opened {
            self.own_handles.insert((bus, overlapped), file);
        }
        Ok(opened)
    }

    fn ask_bus(
        &mut self,
        on: &OnReader,
        ask: impl FnOnce(Service, &mut Machine, ReaderId) -> Result<NtStatus, Stop>,
    ) -> Acted {
        let bus = self.bus(&on.bus);
        match self.own_handle(bus, false)? {
            Ok(file) => Ok(ask(Service::of_file(file), &mut self.m, ReaderId(*on.reader.get_ref()))?.into()),
            Err(status) => Ok(status.into()),
        }
    }

    fn open(&mut self, open: &OpenParameters) -> Acted {
        let bus = self.bus(&open.bus);
        let link = match &open.reader {
            None => self.bus_link(bus),
            Some(reader) => self.reader_link(bus, *reader.get_ref()),
        };
        let Some(link) = link else { return Ok(STATUS_OBJECT_NAME_NOT_FOUND.into()) };
        let access = match open.access {
            Rights::ReadWrite => Access::READ_WRITE,
            Rights::Read => Access::READ,
            Rights::Write => Access::WRITE,
            Rights::None => Access::ANY,
        };
        let options = if open.overlapped { OpenOptions::OVERLAPPED } else { OpenOptions::READ_WRITE };
        let options = OpenOptions { access, ..options };
        match self.m.create_file(&link, options)? {
            Ok(file) => {
                self.handles.insert(open.name.clone(), file);
                Ok(STATUS_SUCCESS.into())
            }
            Err(status) => Ok(status.into()),
        }
    }

    /// The interface link of a reader that is there; the name of its PDO, for one that registers no interface.
    fn reader_link(&self, bus: usize, id: u32) -> Option<String> {
        let reader = self.scenario.bus[bus].reader.iter().find(|reader| *reader.id.get_ref() == id)?;
        if reader.function == Function::PassDown {
            return self.m.device_name(self.reader_node(bus, id)?.pdo(&self.m)?).map(str::to_owned);
        }
        let path = self.reader_node(bus, id)?.instance_path(&self.m).replace('\\', "#").to_lowercase();
        let links = self.m.interfaces(GUID_SMARTCARD_READER);
        links.into_iter().find(|link| link.to_lowercase().contains(&path))
    }

    fn close(&mut self, name: &str) -> Acted {
        match self.handles.remove(name) {
            Some(file) => Ok(self.m.close_handle(file)?.into()),
            None => Ok(STATUS_INVALID_HANDLE.into()),
        }
    }

    fn control(&mut self, request: &IoctlParameters) -> Acted {
        let (code, input) = (request.code.0, &request.input.0);
        let mut output = vec![0; request.output_length as usize];
        self.send(&request.handle, &request.name, request.output_length, |m, file, waits| match waits {
            true => m.device_io_control(file, code, input, &mut output).map(|io| Sent::Finished(io, output)),
            false => m.start_io_control(file, code, input, &output).map(Sent::Out),
        })
    }

    fn forward(&mut self, request: &ForwardParameters) -> Acted {
        let file = match &request.handle {
            Some(handle) => self.handles.get(handle.get_ref()).copied().ok_or(STATUS_INVALID_HANDLE),
            None => self.own_handle(self.bus(&request.bus), request.name.is_some())?,
        };
        let file = match file {
            Ok(file) => file,
            Err(status) => return Ok(status.into()),
        };
        let input = [&request.reader.get_ref().to_le_bytes(), request.input.0.as_slice()].concat();
        let code = request.ioctl.0;
        let mut output = vec![0; request.output_length as usize];
        self.send_to(file, &request.name, request.output_length, |m, file, waits| match waits {
            true => m.device_io_control(file, code, &input, &mut output).map(|io| Sent::Finished(io, output)),
            false => m.start_io_control(file, code, &input, &output).map(Sent::Out),
        })
    }

    /// Sends a request on a handle that a step opened.
    fn send(
        &mut self,
        handle: &Spanned<String>,
        name: &Option<Spanned<String>>,
        output_length: u32,
        ask: impl FnOnce(&mut Machine, FileObject, bool) -> Result<Sent, Stop>,
    ) -> Acted {
        match self.handles.get(handle.get_ref()) {
            Some(&file) => self.send_to(file, name, output_length, ask),
            None => Ok(STATUS_INVALID_HANDLE.into()),
        }
    }

    /// Sends a request: without a name it waits, with one it is out afterwards.
    fn send_to(
        &mut self,
        file: FileObject,
        name: &Option<Spanned<String>>,
        output_length: u32,
        ask: impl FnOnce(&mut Machine, FileObject, bool) -> Result<Sent, Stop>,
    ) -> Acted {
        Ok(match (ask(&mut self.m, file, name.is_none())?, name) {
            (Sent::Finished(result, output), _) => finished(result, output),
            (Sent::Out(Err(status)), _) => status.into(),
            (Sent::Out(Ok(_)), None) => STATUS_PENDING.into(),
            (Sent::Out(Ok(overlapped)), Some(name)) => {
                self.requests.insert(name.get_ref().clone(), Out { overlapped, output_length });
                STATUS_PENDING.into()
            }
        })
    }

    fn cancel(&mut self, name: &str) -> Acted {
        let Some(out) = self.requests.get(name) else { return Ok(STATUS_NOT_FOUND.into()) };
        let had_routine = self.m.cancel_io(out.overlapped)?;
        Ok(if had_routine { STATUS_SUCCESS } else { STATUS_NOT_FOUND }.into())
    }

    fn wait(&mut self, name: &str) -> Acted {
        let Some(Out { overlapped, output_length }) = self.requests.remove(name) else {
            return Ok(STATUS_NOT_FOUND.into());
        };
        let mut output = vec![0; output_length as usize];
        let result = self.m.wait_for(overlapped, &mut output)?;
        Ok(finished(result, output))
    }

    /// The target of a reader that is there.
    pub(super) fn target(&mut self, bus: usize, reader: u32) -> Option<IoTarget> {
        let bus = self.bus_device(bus)?;
        if !bus.object().exists(&self.m) {
            return None;
        }
        target_of(&mut self.m, bus, ReaderId(reader))
    }

    fn on_target(
        &mut self,
        bus: &Option<Spanned<String>>,
        reader: &Spanned<u32>,
        act: impl FnOnce(&mut Machine, IoTarget) -> Result<(), NtStatus>,
    ) -> Acted {
        match self.target(self.bus(bus), *reader.get_ref()) {
            Some(target) => self.m.run(|m| act(m, target).into()),
            None => Ok(STATUS_NO_SUCH_DEVICE.into()),
        }
    }

    fn open_target(&mut self, on: &OpenTargetParameters) -> Acted {
        let pdo = self.device(&on.bus, Some(&on.reader)).and_then(|node| node.pdo(&self.m));
        let Some(pdo) = pdo else { return Ok(STATUS_NO_SUCH_DEVICE.into()) };
        let name = on.name.clone().or_else(|| self.m.device_name(pdo).map(str::to_owned)).unwrap_or_default();
        self.on_target(&on.bus, &on.reader, |m, target| {
            let params = match on.by {
                OpenType::ExistingDevice => OpenParams::existing_device(pdo.top_of_stack(m)),
                OpenType::Name => OpenParams::by_name(&name, OpenOptions::READ_WRITE),
                OpenType::Reopen => OpenParams::reopen(),
                OpenType::Undefined => OpenParams::default(),
                OpenType::LocalTargetByFile => OpenParams::local_target_by_file(),
            };
            target.open(m, params)
        })
    }

    fn on_queue(&mut self, on: &OnDevice, act: impl FnOnce(&mut Machine, Queue)) -> Acted {
        let bus = self.bus_device(self.bus(&on.bus));
        match bus.and_then(|bus| bus.default_queue(&mut self.m)) {
            Some(queue) => self.m.run(|m| {
                act(m, queue);
                STATUS_SUCCESS.into()
            }),
            None => Ok(STATUS_NO_SUCH_DEVICE.into()),
        }
    }

    fn on_node(&mut self, on: &OnDevice, act: impl FnOnce(&mut Machine, vbus_wdm::DevNode) -> Acted) -> Acted {
        match self.device(&on.bus, on.reader.as_ref()) {
            Some(node) => act(&mut self.m, node),
            None => Ok(STATUS_NO_SUCH_DEVICE.into()),
        }
    }
}

fn sleep_state(state: step::Sleep) -> SystemPowerState {
    match state {
        step::Sleep::S1 => SystemPowerState::Sleeping1,
        step::Sleep::S2 => SystemPowerState::Sleeping2,
        step::Sleep::S3 => SystemPowerState::Sleeping3,
        step::Sleep::S4 => SystemPowerState::Hibernate,
        step::Sleep::S5 => SystemPowerState::Shutdown,
    }
}
