//! Closing a target, and what its deletion does to its requests.
//!
//! Source: S/targets/general/fxiotarget.cpp:100-154 (dispose event), 966-1080 (remove);
//! S/targets/general/fxiotargetremote.cpp:519-760.

use vbus_wdf::Request;
use vbus_wdf::layer::{DISPOSE_EVENT, passive_level, peek_body, sites, trace};
use vbus_wdm::constants::*;
use vbus_wdm::{DeviceObject, FileObject, Machine, NotificationEntry};

use crate::addresses;
use crate::cancel::{cancel_all, take_sent};
use crate::complete::fail_pended;
use crate::pend::drain;
use crate::remote::OpenState;
use crate::stop::wait_for_sent;
use crate::target::{IoTarget, Kind, TargetBody, TargetState};

/// Why a target is closed, by the numbers that its lines print.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CloseReason {
    QueryRemove = 1,
    Close = 2,
    Delete = 3,
}

/// Where a call that closes a target keeps what it lets go of.
fn cleared_pointers(reason: CloseReason) -> u64 {
    addresses::local(reason as u64)
}

/// Where a call that deletes a target has the event that it waits for. The call is in one more function if the target can
/// be closed.
fn dispose_event(kind: &Kind) -> u64 {
    match kind {
        Kind::Local | Kind::ToSelf(_) => DISPOSE_EVENT,
        Kind::Remote(_) => addresses::local(4),
    }
}

impl IoTarget {
    /// `WdfIoTargetClose`: completes what waits, cancels what is out, waits for it, and lets go of the device.
    pub fn close(self, m: &mut Machine) {
        m.boundary("WdfIoTargetClose");
        self.close_if_passive(m, CloseReason::Close);
    }

    /// `WdfIoTargetCloseForQueryRemove`: as [`IoTarget::close`], with the intention to open it again should the
    /// removal of its device be cancelled.
    pub fn close_for_query_remove(self, m: &mut Machine) {
        m.boundary("WdfIoTargetCloseForQueryRemove");
        self.close_if_passive(m, CloseReason::QueryRemove);
    }

    fn close_if_passive(self, m: &mut Machine, reason: CloseReason) {
        self.require_remote(m);
        let driver = self.body(m).driver;
        let site = match reason {
            CloseReason::QueryRemove => &sites::TARGET_CLOSE_QUERY_REMOVE,
            CloseReason::Close | CloseReason::Delete => &sites::TARGET_CLOSE_ENTER,
        };
        trace(m, driver, site, [self.0.handle()]);
        if passive_level(m, self) {
            self.close_for(m, reason);
        }
    }

    pub(crate) fn close_for(self, m: &mut Machine, reason: CloseReason) {
        match self.body(m).kind {
            Kind::Remote(_) => self.close_remote(m, reason),
            Kind::Local | Kind::ToSelf(_) => {
                let let_go = self.enter_removed(m, TargetState::Deleted);
                let waits = let_go.waits;
                self.finish_requests(m, let_go);
                if waits {
                    wait_for_sent(m, self, "the requests that are out at a target that is deleted");
                }
                self.wait_for_dispose(m);
            }
        }
    }

    fn close_remote(self, m: &mut Machine, reason: CloseReason) {
        let (driver, handle) = (self.body(m).driver, self.0.handle());
        trace(m, driver, &sites::REMOTE_CLOSE, [handle, reason as u64]);
        while self.require_remote(m).open_state == OpenState::Opening {
            trace(m, driver, &sites::CLOSE_WHILE_OPENING, [handle, self.0.address() + OPENED_EVENT]);
            m.wait("a target that is closed while it is opened", move |m| {
                let remote = peek_body::<TargetBody>(m, self.0).map(|body| &body.kind);
                !matches!(remote, Some(Kind::Remote(remote)) if remote.open_state == OpenState::Opening)
            });
        }
        let new_state = self.say_why(m, reason);
        self.say_what(m);
        let remote = self.require_remote(m);
        remote.closers += 1;
        let closer = remote.closers;
        remote.cleared_pointers = Some((closer, cleared_pointers(reason)));
        let let_go = self.enter_removed(m, new_state);
        if reason != CloseReason::QueryRemove {
            self.unregister(m);
        }
        let waits = let_go.waits;
        self.finish_requests(m, let_go);
        if waits {
            trace(m, driver, &sites::REMOTE_CLOSE_WAIT, [handle]);
            wait_for_sent(m, self, "the requests that are out at a target that is closed");
        }
        match reason {
            CloseReason::QueryRemove => {}
            CloseReason::Delete => self.require_remote(m).opened_by = None,
            CloseReason::Close => self.body(m).sent_event.set_to(false),
        }
        if new_state == TargetState::Deleted {
            self.wait_for_dispose(m);
        }
        self.drop_pointers(m, closer);
    }

    /// The line that says why, and the state that follows.
    fn say_why(self, m: &mut Machine, reason: CloseReason) -> TargetState {
        let driver = self.body(m).driver;
        let remote = self.require_remote(m);
        let open = remote.open_state == OpenState::Open;
        if open && reason != CloseReason::Delete {
            remote.open_state = OpenState::Closed;
        }
        let (site, new_state) = match reason {
            CloseReason::Delete => (&sites::REMOTE_CLOSE_DELETE, TargetState::Deleted),
            _ if !open => (&sites::REMOTE_CLOSE_NOT_OPEN, TargetState::Closed),
            CloseReason::QueryRemove => (&sites::REMOTE_CLOSE_QUERY_REMOVE, TargetState::ClosedForQueryRemove),
            CloseReason::Close => (&sites::REMOTE_CLOSE_CLOSE, TargetState::Closed),
        };
        trace(m, driver, site, [self.0.handle()]);
        new_state
    }

    /// The line with what the target has.
    fn say_what(self, m: &mut Machine) {
        let body = self.body(m);
        let (driver, file, device) = (body.driver, body.file, body.device);
        let remote = self.require_remote(m);
        let (handle, registration) = (remote.handle, remote.registration);
        let file = file.map_or(0, FileObject::address);
        let device = device.map_or(0, DeviceObject::address);
        let arguments = [
            self.0.handle(),
            file,
            device,
            handle.map_or(0, FileObject::address),
            registration.map_or(0, NotificationEntry::number),
        ];
        trace(m, driver, &sites::REMOTE_CLOSE_OBJECTS, arguments);
    }

    /// GotoRemoveState. The device is let go of at once if nothing is out, else with the last request.
    fn enter_removed(self, m: &mut Machine, new_state: TargetState) -> LetGo {
        let body = self.body(m);
        let driver = body.driver;
        if body.waiting {
            trace(m, driver, &sites::REMOVE_WHILE_STOPPING, [self.0.handle()]);
            wait_for_sent(m, self, "another thread's stop of a target that is closed");
        }
        self.body(m).state = new_state;
        let pended = drain(m, self, false);
        // Those that ignored the target's state come first, each kind from its oldest on.
        let mut sent = take_sent(m, self, |body| &body.ignored);
        sent.extend(take_sent(m, self, |body| &body.sent));
        let waits = !sent.is_empty();
        let body = self.body(m);
        body.sent_event.set_to(!waits);
        if waits {
            body.removing = true;
        } else {
            self.clear_pointers(m);
        }
        LetGo { pended, sent, waits }
    }

    /// What waits is completed before what is out is cancelled.
    fn finish_requests(self, m: &mut Machine, let_go: LetGo) {
        for request in let_go.pended {
            fail_pended(m, request, STATUS_WDF_DEVICE_REMOVED_NOT_SENT);
        }
        cancel_all(m, let_go.sent);
    }

    /// ClearTargetPointers: the target's stack size is 0 from now on.
    pub(crate) fn clear_pointers(self, m: &mut Machine) {
        let handle = self.0.handle();
        let body = self.body(m);
        let (driver, state) = (body.driver, body.state as u64);
        let (pdo, file) = (body.pdo.take(), body.file.take());
        body.device = None;
        body.stack_size = 0;
        let Some(remote) = body.remote() else { return };
        let own_handle = remote.handle.take();
        let (open_state, closer) = (remote.open_state as u64, remote.cleared_pointers.take());
        if let Some((closer, _)) = closer {
            remote.cleared = Some((closer, Cleared { pdo, file, handle: own_handle }));
        }
        let pointers = closer.map_or(0, |(_, address)| address);
        let [pdo, own_handle] = [pdo.map_or(0, DeviceObject::address), own_handle.map_or(0, FileObject::address)];
        let file = file.map_or(0, FileObject::address);
        trace(m, driver, &sites::REMOTE_CLEARED, [handle, pointers, state, open_state, pdo, file, own_handle]);
    }

    /// What a closing call let go of loses its references.
    fn drop_pointers(self, m: &mut Machine, closer: u32) {
        let (driver, handle) = (self.body(m).driver, self.0.handle());
        let cleared = self.require_remote(m).cleared.take_if(|(whose, _)| *whose == closer);
        let Some((_, Cleared { pdo, file, handle: own_handle })) = cleared else { return };
        if let Some(pdo) = pdo {
            trace(m, driver, &sites::REMOTE_DEREF_PDO, [handle, pdo.address()]);
        }
        if let Some(file) = file {
            trace(m, driver, &sites::REMOTE_DEREF_FILE, [handle, file.address()]);
        }
        if let Some(own_handle) = own_handle {
            trace(m, driver, &sites::REMOTE_CLOSE_HANDLE, [handle, own_handle.address()]);
            own_handle.close(m);
        }
    }

    /// WaitForDisposeEvent: until nothing of any request is going on. A target that is deleted by the completion routine
    /// of one of its own requests waits for ever.
    fn wait_for_dispose(self, m: &mut Machine) {
        let body = self.body(m);
        let (driver, event) = (body.driver, dispose_event(&body.kind));
        trace(m, driver, &sites::TARGET_WAIT_DISPOSE, [self.0.handle(), event]);
        self.body(m).io_count -= 1;
        m.wait("the last request of a target that is deleted to be done with", move |m| {
            peek_body::<TargetBody>(m, self.0).is_none_or(|body| body.io_count == 0)
        });
    }

    /// DecrementIoCount: everything about one request is done.
    #[inline]
    pub(crate) fn request_done(self, m: &mut Machine) {
        let body = self.body(m);
        body.io_count -= 1;
        if body.io_count == 0 {
            let (driver, event) = (body.driver, dispose_event(&body.kind));
            trace(m, driver, &sites::SETTING_DISPOSE_EVENT, [self.0.handle(), event]);
        }
    }
}

/// Where in the object the event is that somebody waits for who closes a target that is being opened.
const OPENED_EVENT: u64 = 0x160;

/// The requests of a target that is closed.
struct LetGo {
    pended: Vec<Request>,
    sent: Vec<Request>,
    /// Something is out.
    waits: bool,
}

/// FxIoTargetClearedPointers.
pub(crate) struct Cleared {
    pdo: Option<DeviceObject>,
    file: Option<FileObject>,
    handle: Option<FileObject>,
}
