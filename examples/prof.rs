//! temp
use vbus::Setup;
use vbus::bus::{IOCTL_VBUS_EXCHANGE, ReaderId};
fn main() {
    let n: u32 = std::env::args().nth(1).unwrap().parse().unwrap();
    let mut vbus = Setup::default().bus_extra_stack(3).reader(7).build().unwrap();
    let service = vbus.service().unwrap();
    let mut out = [0; 16];
    for _ in 0..n {
        let r = service
            .control(&mut vbus.machine, ReaderId(7), IOCTL_VBUS_EXCHANGE, &[0, 0x84, 0, 0, 8], &mut out)
            .unwrap();
        assert_eq!(r.information, 10);
    }
}
