//! Device objects in the IRPs of their life.

use super::*;

pub const RULES: &[Rule] = &[
    Rule {
        code: 0x21D,
        what: "the function driver leaves its device attached after REMOVE_DEVICE",
        wrong: |m| {
            set(m, Who::Function, Major::Pnp, |m, device, irp| match is_pnp(m, irp, PnpMinor::RemoveDevice) {
                true => bench::pass_down(m, device, irp),
                false => original(m, device, irp),
            });
        },
        repaired: |_| {},
        then: removes,
    },
    Rule {
        code: 0x21E,
        what: "the function driver detaches its device after REMOVE_DEVICE and keeps it",
        wrong: |m| {
            set(m, Who::Function, Major::Pnp, |m, device, irp| match is_pnp(m, irp, PnpMinor::RemoveDevice) {
                true => {
                    let status = bench::pass_down(m, device, irp);
                    device.detach(m);
                    status
                }
                false => original(m, device, irp),
            });
        },
        repaired: |_| {},
        then: removes,
    },
    Rule {
        code: 0x221,
        what: "the bus driver deletes a PDO whose device is still on the bus",
        wrong: |m| {
            set(m, Who::Bus, Major::Pnp, |m, device, irp| {
                if is_pdo(m, device) && is_pnp(m, irp, PnpMinor::RemoveDevice) {
                    device.delete(m);
                    return irp.complete_with(m, STATUS_SUCCESS, 0);
                }
                original(m, device, irp)
            });
        },
        repaired: |_| {},
        then: removes,
    },
    Rule {
        code: 0x23F,
        what: "the filter does not take DO_POWER_PAGABLE over",
        wrong: |m| pageable(m, bench::add_device),
        repaired: |m| {
            pageable(m, |m, driver, pdo| {
                let pageable = pdo.top_of_stack(m);
                let pageable = m[pageable].power_pageable;
                let status = bench::add_device(m, driver, pdo);
                let own = pdo.top_of_stack(m);
                m[own].power_pageable = pageable;
                status
            });
        },
        then: nothing,
    },
    Rule {
        code: 0x241,
        what: "the function driver detaches its device in SURPRISE_REMOVAL",
        wrong: |m| {
            set(m, Who::Function, Major::Pnp, |m, device, irp| match is_pnp(m, irp, PnpMinor::SurpriseRemoval) {
                true => {
                    let status = bench::pass_down(m, device, irp);
                    device.detach(m);
                    status
                }
                false => original(m, device, irp),
            });
        },
        repaired: |_| {},
        then: unplugs,
    },
    Rule {
        code: 0x241,
        what: "the same, later: the filter keeps the SURPRISE_REMOVAL for a work item",
        wrong: |m| {
            m.add_extension(Kept(None));
            set(m, Who::Filter, Major::Pnp, |m, device, irp| {
                if !is_pnp(m, irp, PnpMinor::SurpriseRemoval) {
                    return original(m, device, irp);
                }
                irp.mark_pending(m);
                m.extension_mut::<Kept>().0 = Some(irp);
                let detach = |m: &mut Machine, _| {
                    let irp = m.extension::<Kept>().0.unwrap();
                    m[irp].current().device.unwrap().detach(m);
                };
                m.queue_work_item(detach, Context(0));
                STATUS_PENDING
            });
        },
        repaired: |m| {
            m.add_extension(Kept(None));
            set(m, Who::Filter, Major::Pnp, |m, device, irp| {
                if !is_pnp(m, irp, PnpMinor::SurpriseRemoval) {
                    return original(m, device, irp);
                }
                irp.mark_pending(m);
                m.extension_mut::<Kept>().0 = Some(irp);
                let pass_down = |m: &mut Machine, _| {
                    let irp = m.extension::<Kept>().0.unwrap();
                    let device = m[irp].current().device.unwrap();
                    bench::pass_down(m, device, irp);
                };
                m.queue_work_item(pass_down, Context(0));
                STATUS_PENDING
            });
        },
        then: unplugs,
    },
    Rule {
        code: 0x242,
        what: "the bus driver deletes the PDO in SURPRISE_REMOVAL",
        wrong: |m| {
            set(m, Who::Bus, Major::Pnp, |m, device, irp| {
                if is_pdo(m, device) && is_pnp(m, irp, PnpMinor::SurpriseRemoval) {
                    device.delete(m);
                    return irp.complete_with(m, STATUS_SUCCESS, 0);
                }
                original(m, device, irp)
            });
        },
        repaired: |_| {},
        then: unplugs,
    },
    Rule {
        code: 0x243,
        what: "the filter leaves DO_DEVICE_INITIALIZING set",
        wrong: |m| {
            let filter = driver(m, Who::Filter);
            filter.set_add_device(m, |m, driver, pdo| {
                let device = m.create_device(driver);
                device.attach_to_stack(m, pdo).unwrap();
                STATUS_SUCCESS
            });
        },
        repaired: |m| {
            let filter = driver(m, Who::Filter);
            filter.set_add_device(m, bench::add_device);
        },
        then: nothing,
    },
    Rule {
        code: 0x244,
        what: "the filter takes back DO_BUFFERED_IO",
        wrong: |m| {
            buffered(m, |m, driver, pdo| {
                let status = bench::add_device(m, driver, pdo);
                let own = pdo.top_of_stack(m);
                m[own].io_type = IoType::Neither;
                status
            });
        },
        repaired: |m| buffered(m, bench::add_device),
        then: nothing,
    },
    Rule {
        code: 0x249,
        what: "the bus driver gives two children the same ids",
        wrong: |m| m.extension_mut::<Bench>().twins = true,
        repaired: |_| {},
        then: |m| plug(m, &[1, 2]),
    },
    Rule {
        code: 0x24D,
        what: "the function driver invalidates the relations of its own device",
        wrong: |m| {
            set(m, Who::Function, Major::Pnp, |m, device, irp| {
                if is_pnp(m, irp, PnpMinor::StartDevice) {
                    m.invalidate_device_relations(device);
                }
                original(m, device, irp)
            });
        },
        repaired: |m| {
            set(m, Who::Function, Major::Pnp, |m, device, irp| {
                if is_pnp(m, irp, PnpMinor::StartDevice) {
                    let pdo = device.bottom_of_stack(m);
                    m.invalidate_device_relations(pdo);
                }
                original(m, device, irp)
            });
        },
        then: nothing,
    },
];

/// The function driver's devices are pageable.
fn pageable(m: &mut Machine, filter: vbus::wdm::AddDevice) {
    driver(m, Who::Filter).set_add_device(m, filter);
    driver(m, Who::Function).set_add_device(m, |m, driver, pdo| {
        let status = function::add_device(m, driver, pdo);
        let own = pdo.top_of_stack(m);
        m[own].power_pageable = true;
        status
    });
}

/// The function driver's devices do buffered I/O.
fn buffered(m: &mut Machine, filter: vbus::wdm::AddDevice) {
    driver(m, Who::Filter).set_add_device(m, filter);
    driver(m, Who::Function).set_add_device(m, |m, driver, pdo| {
        let status = function::add_device(m, driver, pdo);
        let own = pdo.top_of_stack(m);
        m[own].io_type = IoType::Buffered;
        status
    });
}
