use vbus::Setup;
use vbus::bus::*;
#[test]
fn go() {
    for extra in 0..5 {
    let mut v = Setup::default().bus_extra_stack(extra).reader(7).build().unwrap();
    for d in v.bus_stack(0).into_iter().chain(v.reader_stack(0,0)) { println!("{} {}", d.driver_name(&v.machine), v.machine[d].stack_size); }
    let s = v.service().unwrap();
    let mut out=[0;64];
    let seq = v.bus_driver.log_sequence(&v.machine);
    v.machine.watch_irps();
    let r = s.control(&mut v.machine, ReaderId(7), IOCTL_VBUS_EXCHANGE, &[0,0xb0,0x81,0,0], &mut out).unwrap();
    println!("{r:?} {:?}", String::from_utf8_lossy(&out[..r.information as usize]));
    for l in v.bus_driver.log_after(&v.machine, seq) { println!("{l}"); }
    for o in v.machine.take_observations() { println!("{o:?}"); }
    assert!(s.unplug(&mut v.machine, ReaderId(7)).unwrap().is_success());
    if extra==0 { for l in v.bus_driver.log(&v.machine) { println!("{l}"); } 
     for l in v.reader_driver.log(&v.machine) { println!("{l}"); }
    println!("nodes {}", v.machine.devnode_count());}
    }
}
