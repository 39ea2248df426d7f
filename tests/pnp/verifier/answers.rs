//! PnP IRPs: how they are passed on and answered.

use super::*;

pub const RULES: &[Rule] = &[
    Rule {
        code: 0x212,
        what: "the filter sends a query on in a location that it did not fill",
        wrong: |m| {
            set(m, Who::Filter, Major::Pnp, |m, device, irp| match is_pnp(m, irp, PnpMinor::QueryCapabilities) {
                true => {
                    let lower = device.lower_device(m).unwrap();
                    irp.call_driver(m, lower)
                }
                false => original(m, device, irp),
            });
        },
        repaired: |m| {
            set(m, Who::Filter, Major::Pnp, |m, device, irp| match is_pnp(m, irp, PnpMinor::QueryCapabilities) {
                true => {
                    m[irp].copy_current_to_next();
                    m[irp].set_completion_routine(goes_on, Context(0), Control::INVOKE_ALWAYS);
                    let lower = device.lower_device(m).unwrap();
                    irp.call_driver(m, lower)
                }
                false => original(m, device, irp),
            });
        },
        then: asks_for_capabilities,
    },
    Rule {
        code: 0x213,
        what: "the filter says that an unknown PnP IRP succeeded",
        wrong: |m| {
            set(m, Who::Filter, Major::Pnp, |m, device, irp| match is(m, irp, UNKNOWN) {
                true => with_status(m, device, irp, STATUS_SUCCESS),
                false => original(m, device, irp),
            });
        },
        repaired: |_| {},
        then: sends_unknown_pnp,
    },
    Rule {
        code: 0x214,
        what: "the filter sets the information of an unknown PnP IRP",
        wrong: |m| {
            set(m, Who::Filter, Major::Pnp, |m, device, irp| match is(m, irp, UNKNOWN) {
                true => {
                    m[irp].io_status.information = 1;
                    bench::pass_down(m, device, irp)
                }
                false => original(m, device, irp),
            });
        },
        repaired: |_| {},
        then: sends_unknown_pnp,
    },
    Rule {
        code: 0x22A,
        what: "the bus driver does not answer what a child can do",
        wrong: |m| {
            set(m, Who::Bus, Major::Pnp, |m, device, irp| {
                if is_pdo(m, device) && is_pnp(m, irp, PnpMinor::QueryCapabilities) {
                    return irp.complete_with(m, STATUS_NOT_SUPPORTED, 0);
                }
                original(m, device, irp)
            });
        },
        repaired: |_| {},
        then: nothing,
    },
    Rule {
        code: 0x22B,
        what: "the bus driver says that it named a child's PDO, and did not",
        wrong: |m| {
            set(m, Who::Bus, Major::Pnp, |m, device, irp| {
                if is_pdo(m, device) && is_pnp(m, irp, PnpMinor::QueryDeviceRelations) {
                    return irp.complete_with(m, STATUS_SUCCESS, 0);
                }
                original(m, device, irp)
            });
        },
        repaired: |_| {},
        then: asks_for_the_target,
    },
    Rule {
        code: 0x22D,
        what: "the filter completes a PnP IRP that it does not know",
        wrong: |m| {
            set(m, Who::Filter, Major::Pnp, |m, device, irp| match is(m, irp, UNKNOWN) {
                true => irp.complete_with(m, STATUS_NOT_SUPPORTED, 0),
                false => original(m, device, irp),
            });
        },
        repaired: |_| {},
        then: sends_unknown_pnp,
    },
    Rule {
        code: 0x247,
        what: "the function driver fails SURPRISE_REMOVAL",
        wrong: |m| {
            set(m, Who::Function, Major::Pnp, |m, device, irp| match is_pnp(m, irp, PnpMinor::SurpriseRemoval) {
                true => irp.complete_with(m, STATUS_UNSUCCESSFUL, 0),
                false => original(m, device, irp),
            });
        },
        repaired: |_| {},
        then: unplugs,
    },
    Rule {
        code: 0x248,
        what: "the bus driver names its own FDO as a child",
        wrong: |m| {
            set(m, Who::Bus, Major::Pnp, |m, device, irp| {
                if !is_pdo(m, device) && is_pnp(m, irp, PnpMinor::QueryDeviceRelations) {
                    m[irp].pnp_answer = PnpAnswer::Relations(vec![device]);
                    return with_status(m, device, irp, STATUS_SUCCESS);
                }
                original(m, device, irp)
            });
        },
        repaired: |_| {},
        then: nothing,
    },
    Rule {
        code: 0x24B,
        what: "the function driver answers for a PDO that it does not name",
        wrong: |m| {
            set(m, Who::Function, Major::Pnp, |m, device, irp| {
                match is_pnp(m, irp, PnpMinor::QueryDeviceRelations) && m[irp].current().parameters != BUS_RELATIONS {
                    true => irp.complete_with(m, STATUS_SUCCESS, 0),
                    false => original(m, device, irp),
                }
            });
        },
        repaired: |_| {},
        then: asks_for_the_target,
    },
    Rule {
        code: 0x306,
        what: "the function driver fails REMOVE_DEVICE",
        wrong: |m| {
            set(m, Who::Function, Major::Pnp, |m, device, irp| match is_pnp(m, irp, PnpMinor::RemoveDevice) {
                true => irp.complete_with(m, STATUS_DEVICE_BUSY, 0),
                false => original(m, device, irp),
            });
        },
        repaired: |_| {},
        then: removes,
    },
];

const BUS_RELATIONS: Parameters = Parameters::Pnp(PnpParameters::Relations(RelationType::Bus));
