//! What the debugger's other commands print: the numbers that a log does not have.

use crate::dress::{causes, of, told};

const LINE: &str = "\
180: FxRequestBase::ValidateTarget - Cannot reallocate PIRP for WDFREQUEST 0000307E6A7ED198 using WDFIOTARGET 0000307E7136DC48, 0xc00000d0(STATUS_REQUEST_NOT_ACCEPTED)
";

const TARGET: &str = "\
0: kd> !wdfkd.wdfiotarget 0x0000307E7136DC48

# WDFIOTARGET ffffe000d2c9a3b0
=========================
WDFDEVICE: 0x0000307E7136D0A8
Target Device:  !devobj 0xffffe000d2b2e8c0
Target PDO: !devobj 0xffffe000d2b2d060

Type: Remote target
State:  WdfIoTargetStarted

Requests waiting: 0

Requests sent: 0

Requests sent with ignore-target-state: 0
";

const STACK: &str = "\
0: kd> !devstack ffffe000`d2b2e8c0
  !DevObj           !DrvObj            !DevExt           ObjectName
> ffffe000d2b2e8c0  \\Driver\\scfilter   ffffe000d2b2ea10
  ffffe000d2b2e060  \\Driver\\vreader    ffffe000d2b2d010
  ffffe000d2b2d060  \\Driver\\vbus       ffffe000d2b2d1b0  0000005a
!DevNode ffffe000d2b2c010 :
  DeviceInst is \"VBUS\\READER\\1&79f5d87&0&07\"
  ServiceName is \"vreader\"
";

const SIZE: &str = "\
0: kd> dt nt!_DEVICE_OBJECT ffffe000d2b2e8c0 StackSize
   +0x04c StackSize : 4 ''
";

const IRP: &str = "\
0: kd> !irp ffffe000d2c3f010
Irp is active with 2 stacks 2 is current (= 0xffffe000d2c3f128)
 No Mdl: System buffer=ffffe000d0123450: Thread ffffe000d2c4a080:  Irp stack trace.  
     cmd  flg cl Device   File     Completion-Context
 [N/A(0), N/A(0)]
            0  0 00000000 00000000 00000000-00000000    

\t\t\tArgs: 00000000 00000000 00000000 00000000
>[IRP_MJ_DEVICE_CONTROL(e), N/A(0)]
            5  1 ffffe000d2a1b060 ffffe000d0123450 00000000-00000000    pending
\t       \\Driver\\vbus
\t\t\tArgs: 00000010 00000004 0x55ff9c0e 00000000
";

#[test]
fn the_whole_session_gives_need_and_have() {
    let text = [LINE, TARGET, STACK, SIZE, IRP].concat();
    assert_eq!(of(&text).input.unknown_lines, 0);
    approve_explanation!("explain_session", told(&text));
}

#[test]
fn each_missing_number_comes_with_the_command_that_gives_it() {
    let asked = |text: &str| -> Vec<String> {
        let explanation = of(text);
        let numbers = explanation.failures[0].locations.as_ref().unwrap();
        numbers.missing.iter().map(|missing| format!("{}: {}", missing.what, missing.commands.join("; "))).collect()
    };
    let have = "the request's CurrentLocation: !wdfkd.wdfrequest 0x307e6a7ed198; !irp <its IRP>";
    let need = "the target's stack size: ";
    let size = "dt nt!_DEVICE_OBJECT 0xffffe000d2b2e8c0 StackSize";
    let unknown = "dt nt!_DEVICE_OBJECT <its Target Device> StackSize";
    assert_eq!(asked(LINE), [&format!("{need}!wdfkd.wdfiotarget 0x307e7136dc48; {unknown}"), have]);
    assert_eq!(asked(&[LINE, TARGET].concat()), [&format!("{need}{size}"), have]);
    assert_eq!(asked(&[LINE, TARGET, SIZE].concat()), [have]);
    assert_eq!(asked(&[LINE, TARGET, SIZE, IRP].concat()), [""; 0]);
    let request = "0: kd> !wdfkd.wdfrequest 0x307E6A7ED198\n   !IRP 0xffffe000d2c3f010\n   !WDFQUEUE 0x307e7136d0a8\n";
    let asks_for_the_irp = [LINE, TARGET, SIZE, request].concat();
    assert_eq!(asked(&asks_for_the_irp), ["the request's CurrentLocation: !irp 0xffffe000d2c3f010"]);
}

#[test]
fn a_stack_without_its_sizes_gives_a_lower_bound() {
    let explanation = of(&[LINE, TARGET, STACK, IRP].concat());
    let numbers = explanation.failures[0].locations.as_ref().unwrap();
    let need = numbers.need.as_ref().unwrap();
    assert_eq!((need.value, need.at_least), (3, true));
    assert_eq!(numbers.have.as_ref().unwrap().value, 1);
    assert_eq!(numbers.target_stack, ["scfilter", "vreader", "vbus"]);
    assert!(explanation.failures[0].help[0].contains("by at least 2"), "{:?}", explanation.failures[0].help);
}

#[test]
fn a_bug_check_is_read_in_every_form_that_debuggers_print() {
    let analyzed = "WDF_VIOLATION (10d)\nArguments:\nArg1: 0000000000000006, A fatal error\n\tof a request.\nArg2: 0000000000000003, ...\nArg3: 000024f58130f798, ...\nArg4: ffffdb0a7eaa3010, Reserved.\n";
    let short =
        "BugCheck 10D, {6, 3, 24f58130f798, ffffdb0a7eaa3010}\n\nProbably caused by : reader.sys ( reader+1234 )\n";
    let command = "0: kd> .bugcheck\nBugcheck code 0000010D\nArguments 00000000`00000006 00000000`00000003 000024f5`8130f798 ffffdb0a`7eaa3010\n";
    let automatic = "BUGCHECK_CODE:  10d\n\nBUGCHECK_P1: 6\n\nBUGCHECK_P2: 3\n\nBUGCHECK_P3: 24f58130f798\n\nBUGCHECK_P4: ffffdb0a7eaa3010\n";
    for text in [analyzed, short, command, &format!("0: kd> !analyze -v\n{automatic}"), &[short, analyzed].concat()] {
        let explanation = of(text);
        assert_eq!(causes(text), ["already-sent"], "{text}");
        assert_eq!(explanation.failures[0].request, Some(0x24f5_8130_f798), "{text}");
    }
    assert_eq!(of(short).failures[0].bug_check.as_ref().unwrap().image.as_deref(), Some("reader.sys"));
}

#[test]
fn a_power_irp_that_is_kept_is_told_from_a_power_change_that_waits_for_pnp() {
    let head = "DRIVER_POWER_STATE_FAILURE (9f)\nA driver has failed to complete a power IRP within a specific time.\nArguments:\n";
    let kept = format!(
        "{head}Arg1: 0000000000000003, A device object has been blocking an IRP for too long a time\nArg2: ffffe0014512e060, \
         Physical Device Object of the stack\nArg3: ffffd000c0fb8930, nt!TRIAGE_9F_POWER on Win7 and higher\nArg4: \
         ffffe0014517f740, The blocked IRP\n"
    );
    assert_eq!(causes(&kept), ["power-irp-blocked"]);
    let waits = format!(
        "{head}Arg1: 0000000000000004, The power transition timed out waiting to synchronize with the Pnp\n\tsubsystem.\nArg2: \
         0000000000000258, Timeout in seconds.\n"
    );
    assert_eq!(causes(&waits), ["power-waits-for-pnp"]);
    assert_eq!(causes("BugCheck 9F, {1, ffffe0014512e060, 0, 0}\n"), ["freed-with-power-irp"]);
}

#[test]
fn an_irp_without_locations_comes_with_what_irp_shows_of_it() {
    let text = "NO_MORE_IRP_STACK_LOCATIONS (35)\nArguments:\nArg1: ffffe000d2c3f010, Address of the IRP\nArg2: 0\n\
                0: kd> !irp ffffe000d2c3f010\nIrp is active with 1 stacks 1 is current (= 0xffffe000d2c3f0d8)\n";
    let explanation = of(text);
    let numbers = explanation.failures[0].locations.as_ref().unwrap();
    assert_eq!((explanation.failures[0].cause, numbers.stack_count), ("no-locations-left", Some(1)));
    assert_eq!(numbers.have.as_ref().unwrap().value, 0);
    assert_eq!(causes("MULTIPLE_IRP_COMPLETE_REQUESTS (44)\nArg1: ffffe000d2c3f010\n"), ["irp-completed-twice"]);
}

#[test]
fn a_bug_check_outside_the_request_path_is_named_as_such() {
    assert_eq!(causes("IRQL_NOT_LESS_OR_EQUAL (a)\nArguments:\nArg1: 0\n"), ["other-bug-check"]);
}
