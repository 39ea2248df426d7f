//! Several services on threads of their own talk to one machine at once.

mod common;

use std::thread;

use common::{READ_CARD, card_text};
use vbus::bus::{GUID_DEVINTERFACE_VBUS, IOCTL_VBUS_EXCHANGE, IOCTL_VBUS_PLUG_IN, IOCTL_VBUS_UNPLUG};
use vbus::reader::ReaderConfig;
use vbus::wdm::constants::*;
use vbus::wdm::{Stop, Ticks};
use vbus::{Client, Host, HostError, Setup};

fn hosted(response_time: Ticks) -> (Host, String) {
    Host::start(move || {
        let reader = ReaderConfig { response_time, ..ReaderConfig::default() };
        let vbus = Setup::default().bus_extra_stack(3).reader_config(reader).build().unwrap();
        let link = vbus.machine.interfaces(GUID_DEVINTERFACE_VBUS).remove(0);
        (vbus.machine, link)
    })
}

/// Plugs a reader in, asks it a few times, pulls it out.
fn work(client: Client, link: &str, reader: u32) {
    let file = client.open(link).unwrap();
    let id = reader.to_le_bytes();
    let command = [&id[..], READ_CARD].concat();
    for _ in 0..3 {
        assert_eq!(client.control(file, IOCTL_VBUS_PLUG_IN, &id, &mut []).unwrap().status, STATUS_SUCCESS);
        for _ in 0..20 {
            let mut output = [0; 64];
            let result = client.control(file, IOCTL_VBUS_EXCHANGE, &command, &mut output).unwrap();
            assert_eq!(
                (result.status, &output[..result.information as usize]),
                (STATUS_SUCCESS, &card_text(reader)[..])
            );
        }
        assert_eq!(client.control(file, IOCTL_VBUS_UNPLUG, &id, &mut []).unwrap().status, STATUS_SUCCESS);
    }
    assert_eq!(client.close(file).unwrap(), STATUS_SUCCESS);
}

#[test]
fn eight_services_share_one_bus_and_each_gets_its_own_answers() {
    for response_time in [Ticks(0), Ticks::from_millis(3)] {
        let (host, link) = hosted(response_time);
        thread::scope(|scope| {
            for reader in 0..8 {
                let (client, link) = (host.client(), &link);
                scope.spawn(move || work(client, link, reader));
            }
        });
        assert_eq!(host.client().run(|m| m.devnode_count()).unwrap(), 1, "every reader was pulled out again");
    }
}

#[test]
fn a_stopped_machine_answers_every_service_with_what_stopped_it() {
    let (host, link) = hosted(Ticks(0));
    let client = host.client();
    let file = client.open(&link).unwrap();
    let stop = client.run(|m| m.run(|m| -> () { m.bug_check(0x44, [1, 0, 0, 0], "IoCompleteRequest") })).unwrap();
    let stop = stop.unwrap_err();
    assert!(matches!(&stop, Stop::BugCheck(check) if check.code == 0x44));
    assert_eq!(client.control(file, IOCTL_VBUS_PLUG_IN, &[0; 4], &mut []), Err(HostError::Stopped(stop.clone())));
    assert_eq!(client.open(&link), Err(HostError::Stopped(stop)));
}

#[test]
fn a_service_that_outlives_its_host_is_told_so() {
    let (host, link) = hosted(Ticks(0));
    let client = host.client();
    drop(host);
    assert_eq!(client.open(&link), Err(HostError::Gone));
}
