//! Requests that the driver takes out of a queue, and looks for.
//!
//! Source: S/irphandlers/io/fxioqueue.cpp:905-1370 (get, peek).

use vbus_wdm::constants::*;
use vbus_wdm::{FileObject, Machine, Major, NtStatus, Parameters};

use super::{Dispatch, PowerState, Queue};
use crate::compliance::{Act, comply};
use crate::framework::{take_fx, trace};
use crate::request::Request;
use crate::trace::sites;
use crate::verifier::debug_break;

/// Which waiting request is wanted.
#[derive(Clone, Copy, PartialEq)]
enum Wanted {
    Next,
    OfFile(FileObject),
    Found(Request),
}

impl Queue {
    /// `WdfIoQueueRetrieveNextRequest`: the oldest waiting request is the driver's from now on.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_STATE for a parallel queue, STATUS_WDF_PAUSED for one that is stopped or whose device is
    /// not in D0, STATUS_NO_MORE_ENTRIES for an empty one.
    pub fn retrieve_next(self, m: &mut Machine) -> Result<Request, NtStatus> {
        m.boundary("WdfIoQueueRetrieveNextRequest");
        self.retrieve(m, Wanted::Next)
    }

    /// `WdfIoQueueRetrieveRequestByFileObject`: the oldest of this file.
    ///
    /// # Errors
    /// As [`Queue::retrieve_next`].
    pub fn retrieve_by_file(self, m: &mut Machine, file: FileObject) -> Result<Request, NtStatus> {
        m.boundary("WdfIoQueueRetrieveRequestByFileObject");
        self.retrieve(m, Wanted::OfFile(file))
    }

    /// `WdfIoQueueRetrieveFoundRequest`: this one, which [`Queue::find`] found.
    ///
    /// # Errors
    /// As [`Queue::retrieve_next`], and STATUS_NOT_FOUND for a request that waits here no longer; under the verifier
    /// STATUS_INVALID_DEVICE_REQUEST for a queue that is not manual.
    pub fn retrieve_found(self, m: &mut Machine, found: Request) -> Result<Request, NtStatus> {
        const DDI: &str = "WdfIoQueueRetrieveFoundRequest";
        m.boundary(DDI);
        if !found.was_found(m) {
            let driver = self.body(m).header.driver();
            comply(m, driver, Act::RetrieveUnfound, DDI);
        }
        self.retrieve(m, Wanted::Found(found))
    }

    /// Takes the request that was just queued, which may have been cancelled.
    pub(crate) fn retrieve_found_or_next(self, m: &mut Machine, request: Request) -> Result<Request, NtStatus> {
        self.retrieve(m, Wanted::Found(request))
    }

    fn retrieve(self, m: &mut Machine, wanted: Wanted) -> Result<Request, NtStatus> {
        let body = self.body(m);
        let (driver, dispatch, count) = (body.header.driver(), body.dispatch, body.driver_count);
        let handle = self.0.handle();
        let line = |m: &mut Machine, site, status: NtStatus| {
            trace(m, driver, site, [handle, status.0.into()]);
            status
        };
        if driver.verifier_on(m) {
            if matches!(wanted, Wanted::Found(_)) && dispatch != Dispatch::Manual {
                let status = line(m, &sites::QUEUE_FOUND_NOT_MANUAL, STATUS_INVALID_DEVICE_REQUEST);
                debug_break(m, driver);
                return Err(status);
            }
            if dispatch == Dispatch::Sequential && count == 0 {
                // A race in the driver, and allowed.
                trace(m, driver, &sites::QUEUE_RETRIEVE_RACE, [handle]);
                debug_break(m, driver);
            }
        }
        if dispatch == Dispatch::Parallel {
            return Err(line(m, &sites::QUEUE_RETRIEVE_PARALLEL, STATUS_INVALID_DEVICE_STATE));
        }
        let body = self.body(m);
        if body.power == PowerState::Off {
            return Err(line(m, &sites::QUEUE_RETRIEVE_POWERED_OFF, STATUS_WDF_PAUSED));
        }
        if !body.dispatching {
            return Err(line(m, &sites::QUEUE_RETRIEVE_STOPPED, STATUS_WDF_PAUSED));
        }
        loop {
            let request = self.take_waiting(m, wanted)?;
            if !self.completes_by_itself(m, request) {
                let body = self.body(m);
                body.own(request);
                request.back_to_driver(m);
                take_fx(m).request(request).presented();
                return Ok(request);
            }
            trace(m, driver, &sites::QUEUE_RETRIEVE_ZERO_LENGTH, [request.0.handle(), handle]);
            request.complete_by_framework(m, STATUS_SUCCESS);
        }
    }

    /// Takes the wanted request out of the waiting ones.
    fn take_waiting(self, m: &mut Machine, wanted: Wanted) -> Result<Request, NtStatus> {
        let body = self.body(m);
        let request = match wanted {
            Wanted::Next => body.waiting.pop_front().ok_or(STATUS_NO_MORE_ENTRIES)?,
            Wanted::Found(found) => {
                let at = body.waiting.iter().position(|&waiting| waiting == found).ok_or(STATUS_NOT_FOUND)?;
                // Inside, as it was just found there.
                body.waiting.remove(at).ok_or(STATUS_NOT_FOUND)?
            }
            Wanted::OfFile(file) => {
                let request = self.next_waiting(m, None, Some(file))?;
                self.body(m).waiting.retain(|&waiting| waiting != request);
                request
            }
        };
        request.leave_waiting(m);
        Ok(request)
    }

    /// Whether the framework completes the request instead of giving it away: a read or write of nothing.
    fn completes_by_itself(self, m: &mut Machine, request: Request) -> bool {
        let parameters = request.location_parameters(m);
        let empty = matches!(parameters, Some((Major::Read | Major::Write, Parameters::Transfer { length: 0, .. })));
        empty && !self.body(m).allow_zero_length
    }

    /// `WdfIoQueueFindRequest`: the oldest waiting request, or the next after `after`, perhaps of one file. It goes on
    /// waiting, and may be gone when it is retrieved; the call takes a reference that the driver gives back.
    ///
    /// # Errors
    /// STATUS_INVALID_DEVICE_REQUEST for a queue that is not manual, STATUS_NOT_FOUND for an `after` that waits no
    /// longer, STATUS_NO_MORE_ENTRIES for none; under the verifier STATUS_INVALID_PARAMETER for an `after` that was
    /// not found with this call.
    pub fn find(self, m: &mut Machine, after: Option<Request>, file: Option<FileObject>) -> Result<Request, NtStatus> {
        m.boundary("WdfIoQueueFindRequest");
        let body = self.body(m);
        let (driver, dispatch) = (body.header.driver(), body.dispatch);
        if dispatch != Dispatch::Manual {
            let status = STATUS_INVALID_DEVICE_REQUEST;
            trace(m, driver, &sites::QUEUE_FIND_NOT_MANUAL, [self.0.handle(), status.0.into()]);
            debug_break(m, driver);
            return Err(status);
        }
        if let Some(after) = after {
            after.verify_was_found(m)?;
        }
        let found = self.next_waiting(m, after, file);
        match found {
            Ok(request) => {
                request.0.add_reference(m);
                request.mark_found(m);
            }
            Err(_) if after.is_none() && file.is_none() => {
                let body = self.body(m);
                body.force_no_longer_empty |= !body.waiting.is_empty();
            }
            Err(_) => {}
        }
        found
    }

    fn next_waiting(
        self,
        m: &mut Machine,
        after: Option<Request>,
        file: Option<FileObject>,
    ) -> Result<Request, NtStatus> {
        let waiting: Vec<Request> = self.body(m).waiting.iter().copied().collect();
        let from = match after {
            None => 0,
            Some(after) => waiting.iter().position(|&request| request == after).ok_or(STATUS_NOT_FOUND)? + 1,
        };
        let mut candidates = waiting[from..].iter().copied();
        match file {
            None => candidates.next(),
            Some(file) => candidates.find(|request| request.file_of_irp(m) == Some(file)),
        }
        .ok_or(STATUS_NO_MORE_ENTRIES)
    }
}
