//! Giving one request to the driver.
//!
//! Source: S/irphandlers/io/fxioqueue.cpp:3135-3430 (DispatchRequestToDriver).

use vbus_wdm::constants::*;
use vbus_wdm::{Machine, Major, Parameters};

use super::config::Callbacks;
use super::{IoControl, Queue};
use crate::driver::Driver;
use crate::framework::{take_fx, trace};
use crate::request::Request;
use crate::trace::{Site, sites};
use crate::watch::{RequestStep, request_step};

/// What is known of a request that is given to the driver.
struct Delivery {
    request: Request,
    driver: Driver,
    zero_length: bool,
    /// The callback runs under the presentation lock.
    locks: bool,
}

impl Queue {
    /// Calls the callback for the request's kind. The driver holds the request from here on.
    pub(super) fn deliver(self, m: &mut Machine, request: Request) {
        let mut fx = take_fx(m);
        let body = fx.queue(self);
        let (driver, callbacks, zero_length) = (body.header.driver(), body.callbacks, body.allow_zero_length);
        let locks = body.constraints.locks_by_itself();
        let Some(irp) = fx.request(request).given_to_driver(self) else { return };
        // Under the verifier the framework holds on to the request, so that a driver which completes it and goes on
        // using it in its callback is told so.
        let held = fx.verifier_on(driver);
        if held {
            fx.request(request).header.references += 1;
        }
        request_step(m, request, |_| RequestStep::Driver(Some(self)));
        let location = m[irp].current();
        let (major, parameters) = (location.major, location.parameters);
        let delivery = Delivery { request, driver, zero_length, locks };
        self.call(m, &delivery, &callbacks, major, parameters);
        if held {
            request.release(m);
        }
    }

    fn call(self, m: &mut Machine, delivery: &Delivery, callbacks: &Callbacks, major: Major, parameters: Parameters) {
        let &Delivery { request, driver, zero_length, locks } = delivery;
        match (major, parameters) {
            (Major::Read | Major::Write, Parameters::Transfer { length, .. }) => {
                let (callback, site) = match major {
                    Major::Read => (callbacks.read, &sites::QUEUE_CALL_READ),
                    _ => (callbacks.write, &sites::QUEUE_CALL_WRITE),
                };
                if length == 0 && !zero_length && (callback.is_some() || callbacks.default.is_some()) {
                    return self.complete_empty(m, request, driver, major, callback.is_none());
                }
                if let Some(callback) = callback {
                    self.presenting(m, request, driver, site);
                    return self.under_lock(m, locks, |m| callback(m, self, request, length));
                }
            }
            (_, Parameters::DeviceIoControl { output_length, input_length, code, .. }) => {
                let (callback, site) = match major {
                    Major::DeviceControl => (callbacks.device_control, &sites::QUEUE_CALL_DEVICE_CONTROL),
                    _ => (callbacks.internal_device_control, &sites::QUEUE_CALL_INTERNAL),
                };
                if let Some(callback) = callback {
                    self.presenting(m, request, driver, site);
                    let control = IoControl { code, input_length, output_length };
                    return self.under_lock(m, locks, |m| callback(m, self, request, control));
                }
            }
            _ => {}
        }
        match callbacks.default {
            Some(callback) => {
                self.presenting(m, request, driver, &sites::QUEUE_CALL_DEFAULT);
                self.under_lock(m, locks, |m| callback(m, self, request));
            }
            None => {
                let status = STATUS_INVALID_DEVICE_REQUEST;
                // This line prints the object, not its handle.
                trace(m, driver, &sites::QUEUE_NO_CALLBACK, [major as u64, request.0.address(), status.0.into()]);
                request.complete(m, status);
            }
        }
    }

    fn presenting(self, m: &mut Machine, request: Request, driver: Driver, site: &'static Site) {
        let mut fx = take_fx(m);
        fx.trace(driver, site, [request.0.handle()]);
        fx.request(request).presented();
    }

    /// Completes a read or write of nothing. The lines come in the order that the framework's four copies of this
    /// step have.
    fn complete_empty(self, m: &mut Machine, request: Request, driver: Driver, major: Major, by_default: bool) {
        let arguments = [request.0.handle(), self.0.handle()];
        if by_default {
            trace(m, driver, &sites::QUEUE_CALL_DEFAULT, [request.0.handle()]);
        }
        if by_default && major == Major::Write {
            request.complete(m, STATUS_SUCCESS);
            return trace(m, driver, &sites::QUEUE_ZERO_LENGTH, arguments);
        }
        trace(m, driver, &sites::QUEUE_ZERO_LENGTH, arguments);
        request.complete(m, STATUS_SUCCESS);
    }
}
