//! The driver's behaviour, and its trace log as approved.

use echo_driver::{GUID_DEVINTERFACE_ECHO, IOCTL_ECHO, driver_entry};
use vbus::testing::{Bench, Loading};
use vbus::wdm::FilterStyle;
use vbus::wdm::constants::*;

#[test]
fn what_is_sent_comes_back() -> anyhow::Result<()> {
    let mut bench = Bench::start(driver_entry)?;
    bench.open(GUID_DEVINTERFACE_ECHO)?;
    let (result, output) = bench.ioctl(IOCTL_ECHO, b"hello", 8)?;
    assert_eq!((result.status, output.as_slice()), (STATUS_SUCCESS, b"hello".as_slice()));
    vbus::assert_trace_snapshot!(bench);
    Ok(())
}

#[test]
fn an_output_buffer_that_is_too_short_is_refused() -> anyhow::Result<()> {
    let mut bench = Bench::start(driver_entry)?;
    bench.open(GUID_DEVINTERFACE_ECHO)?;
    let (result, _) = bench.ioctl(IOCTL_ECHO, b"hello", 4)?;
    assert_eq!(result.status, STATUS_BUFFER_TOO_SMALL);
    vbus::assert_trace_snapshot!(bench);
    Ok(())
}

#[test]
fn a_filter_above_changes_nothing_for_the_driver() -> anyhow::Result<()> {
    let alone = {
        let mut bench = Bench::start(driver_entry)?;
        bench.open(GUID_DEVINTERFACE_ECHO)?;
        bench.ioctl(IOCTL_ECHO, b"hello", 8)?;
        bench.take_trace()
    };
    let mut bench = Loading::default().upper_filter("policy", FilterStyle::Copy).start(driver_entry)?;
    bench.open(GUID_DEVINTERFACE_ECHO)?;
    bench.ioctl(IOCTL_ECHO, b"hello", 8)?;
    assert_eq!(bench.take_trace(), alone);
    Ok(())
}
