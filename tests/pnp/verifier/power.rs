//! Power IRPs.

use super::*;

pub const RULES: &[Rule] = &[
    Rule {
        code: 0x219,
        what: "the filter refuses a sleep and passes the query down",
        wrong: |m| {
            set(m, Who::Filter, Major::Power, |m, device, irp| match is(m, irp, PowerMinor::QueryPower as u8) {
                true => with_status(m, device, irp, STATUS_DEVICE_BUSY),
                false => original(m, device, irp),
            });
        },
        repaired: |m| {
            set(m, Who::Filter, Major::Power, |m, device, irp| match is(m, irp, PowerMinor::QueryPower as u8) {
                true => irp.complete_with(m, STATUS_DEVICE_BUSY, 0),
                false => original(m, device, irp),
            });
        },
        then: sleeps,
    },
    Rule {
        code: 0x21A,
        what: "the function driver takes back the status that the filter set",
        wrong: |m| {
            set(m, Who::Filter, Major::Power, |m, device, irp| with_status(m, device, irp, STATUS_SUCCESS));
            set(m, Who::Function, Major::Power, |m, device, irp| with_status(m, device, irp, STATUS_NOT_SUPPORTED));
        },
        repaired: |m| {
            set(m, Who::Filter, Major::Power, |m, device, irp| with_status(m, device, irp, STATUS_SUCCESS));
            set(m, Who::Function, Major::Power, bench::pass_down);
        },
        then: sleeps,
    },
    Rule {
        code: 0x21F,
        what: "the function driver has no routine for power IRPs",
        wrong: |m| {
            let empty = m.create_driver("empty");
            let none = empty.major(m, Major::Power);
            set(m, Who::Function, Major::Power, none);
        },
        repaired: |_| {},
        then: sleeps,
    },
    Rule {
        code: 0x230,
        what: "the filter completes a power IRP that it does not know",
        wrong: |m| {
            set(m, Who::Filter, Major::Power, |m, device, irp| match is(m, irp, UNKNOWN) {
                true => irp.complete_with(m, STATUS_NOT_SUPPORTED, 0),
                false => original(m, device, irp),
            });
        },
        repaired: |m| set(m, Who::Bus, Major::Power, leaves_unknown),
        then: sends_unknown_power,
    },
    Rule {
        code: 0x23B,
        what: "the bus driver says that an unknown power IRP succeeded",
        wrong: |m| {
            set(m, Who::Bus, Major::Power, |m, device, irp| match is_pdo(m, device) && is(m, irp, UNKNOWN) {
                true => irp.complete_with(m, STATUS_SUCCESS, 0),
                false => original(m, device, irp),
            });
        },
        repaired: |m| set(m, Who::Bus, Major::Power, leaves_unknown),
        then: sends_unknown_power,
    },
    Rule {
        code: 0x247,
        what: "the filter fails a sleep that was asked for before",
        wrong: |m| {
            set(m, Who::Filter, Major::Power, |m, device, irp| match is(m, irp, PowerMinor::SetPower as u8) {
                true => irp.complete_with(m, STATUS_UNSUCCESSFUL, 0),
                false => original(m, device, irp),
            });
        },
        repaired: |_| {},
        then: sleeps,
    },
];

/// A PDO's driver that completes what it does not know as it came.
fn leaves_unknown(m: &mut Machine, device: DeviceObject, irp: Irp) -> NtStatus {
    if is_pdo(m, device) && is(m, irp, UNKNOWN) {
        let status = m[irp].io_status.status;
        return irp.complete_with(m, status, 0);
    }
    original(m, device, irp)
}
