//! The rules that I/O verification checks, as a table.
//!
//! Source: Windows debugger documentation, bug check 0xC9.

/// How bad a broken rule is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// It costs time. The verifier only says so.
    Warning,
    /// The request is done wrong.
    NonFatal,
    /// The system cannot be relied on any more.
    Fatal,
}

/// One rule.
pub(super) struct Rule {
    /// The first parameter of bug check 0xC9.
    pub(super) code: u32,
    pub(super) severity: Severity,
    /// What was done wrong.
    pub(super) cause: &'static str,
}

/// The code from which on a rule is a "WDM driver error", which a debugger's user may ignore.
pub(super) const LEVEL_2: u32 = 0x200;

const fn rule(code: u32, severity: Severity, cause: &'static str) -> Rule {
    Rule { code, severity, cause }
}

use Severity::{Fatal, NonFatal, Warning};

pub(super) const RULES: &[Rule] = &[
    rule(0x01, Fatal, "what is freed as an IRP is none: it was freed already"),
    rule(0x02, Fatal, "an IRP is freed while it is in the list of the thread it was built in"),
    rule(0x03, Fatal, "what is sent as an IRP is none: it was freed"),
    rule(0x04, Fatal, "an IRP is sent to a device object that is deleted"),
    rule(0x05, Fatal, "a dispatch routine returned at another IRQL than it was called at"),
    rule(0x06, Fatal, "an IRP is completed with STATUS_PENDING or -1"),
    rule(0x07, Fatal, "an IRP is completed while a cancel routine is set"),
    rule(0x08, Fatal, "IoBuildAsynchronousFsdRequest was given a bad buffer"),
    rule(0x09, Fatal, "IoBuildDeviceIoControlRequest was given a bad buffer"),
    rule(0x0E, Fatal, "IoCompleteRequest was called above DISPATCH_LEVEL"),
    rule(0x10, Fatal, "IoCallDriver was called above DISPATCH_LEVEL"),
    rule(0x201, Fatal, "a device is deleted while it is attached to another"),
    rule(0x202, Fatal, "a device is detached that is attached to nothing"),
    rule(0x203, Fatal, "an IRP is sent while a cancel routine is set"),
    rule(0x205, Fatal, "a driver sends an IRP that is still with a driver below it"),
    rule(0x206, Fatal, "the next location's Control was not cleared before the IRP was sent"),
    rule(0x207, Fatal, "the completion routine of the driver above was copied along with its location"),
    rule(0x208, Fatal, "the IRP has no location left for the driver that it is sent to; it may be from another stack"),
    rule(0x209, Fatal, "a driver completes an IRP that is still with a driver below it"),
    rule(0x20B, Fatal, "an IRP is freed that a driver still has"),
    rule(0x20E, NonFatal, "a PnP IRP begins with another status than STATUS_NOT_SUPPORTED"),
    rule(0x20F, NonFatal, "a power IRP begins with another status than STATUS_NOT_SUPPORTED"),
    rule(0x210, NonFatal, "a WMI IRP begins with another status than STATUS_NOT_SUPPORTED"),
    rule(0x211, NonFatal, "an IRP is sent past a device of the stack, to one below it"),
    rule(0x212, NonFatal, "the stack location of a PnP, power or WMI IRP was not copied, or was changed"),
    rule(0x213, NonFatal, "the status of a PnP IRP that no driver understands was changed"),
    rule(0x214, NonFatal, "the information of an IRP that no driver understands was changed"),
    rule(0x215, NonFatal, "a failed PnP IRP is sent down instead of completed"),
    rule(0x216, NonFatal, "the status of a PnP IRP was set back to STATUS_NOT_SUPPORTED"),
    rule(0x219, NonFatal, "a failed power IRP is sent down instead of completed"),
    rule(0x21A, NonFatal, "the status of a power IRP was set back to STATUS_NOT_SUPPORTED"),
    rule(0x21C, Warning, "a location was copied for no completion routine: skipping would do"),
    rule(0x21D, Fatal, "a device is still attached after its IRP_MN_REMOVE_DEVICE"),
    rule(0x21E, Fatal, "a device is not deleted after its IRP_MN_REMOVE_DEVICE"),
    rule(0x21F, NonFatal, "a driver has no dispatch routine for a major function that every PnP driver needs"),
    rule(0x221, Fatal, "a PDO is deleted in its IRP_MN_REMOVE_DEVICE while its bus still reports it"),
    rule(0x224, Fatal, "a dispatch routine returned another status than it completed the IRP with"),
    rule(0x225, NonFatal, "a dispatch routine returned -1"),
    rule(0x226, Fatal, "a dispatch routine neither completed the IRP, nor passed it down, nor returned STATUS_PENDING"),
    rule(0x228, NonFatal, "a completion routine lost the mark of an IRP that pended"),
    rule(0x229, Fatal, "a cancel routine is set in an IRP that is with a driver below"),
    rule(0x22A, NonFatal, "the driver of a PDO did not answer a PnP IRP that it has to"),
    rule(0x22B, NonFatal, "the driver of a PDO did not fill in the TargetDeviceRelation"),
    rule(0x22D, NonFatal, "a PnP IRP that no driver understands is completed above the bottom of its stack"),
    rule(0x22E, NonFatal, "a PnP IRP that succeeds is completed above the bottom of its stack"),
    rule(0x22F, NonFatal, "a PnP IRP that nobody touched is completed above the bottom of its stack"),
    rule(0x230, NonFatal, "a power IRP that no driver understands is completed above the bottom of its stack"),
    rule(0x231, Fatal, "a power IRP that succeeds is completed above the bottom of its stack"),
    rule(0x232, NonFatal, "a power IRP that nobody touched is completed above the bottom of its stack"),
    rule(0x237, Fatal, "a driver sent an IRP that only the system sends"),
    rule(0x239, Warning, "an IRP is completed that was never sent to a driver"),
    rule(0x23A, Fatal, "an IRP is sent at an IRQL that its major function does not allow"),
    rule(0x23B, NonFatal, "the status of a power IRP that no driver understands was changed"),
    rule(0x23D, NonFatal, "a dispatch routine returned STATUS_PENDING without IoMarkIrpPending"),
    rule(0x23E, NonFatal, "a dispatch routine called IoMarkIrpPending without returning STATUS_PENDING"),
    rule(0x23F, Fatal, "DO_POWER_PAGABLE of the device below was not taken over"),
    rule(0x240, Fatal, "a device is deleted twice"),
    rule(0x241, Fatal, "a device is detached in its IRP_MN_SURPRISE_REMOVAL"),
    rule(0x242, Fatal, "a device is deleted in its IRP_MN_SURPRISE_REMOVAL"),
    rule(0x243, Fatal, "DO_DEVICE_INITIALIZING is still set after AddDevice"),
    rule(0x244, Fatal, "DO_BUFFERED_IO or DO_DIRECT_IO of the device below was not taken over"),
    rule(0x247, Fatal, "an IRP that must not fail was failed"),
    rule(0x248, Fatal, "relations name a device that is no PDO"),
    rule(0x249, NonFatal, "two devices of a bus have the same ids"),
    rule(0x24A, Fatal, "a file is opened or closed above PASSIVE_LEVEL"),
    rule(0x24B, Fatal, "a TargetDeviceRelation that is not filled in succeeds above the bottom of its stack"),
    rule(0x24D, Fatal, "a device object that is no PDO was passed to a function that needs one"),
    rule(0x302, NonFatal, "an IRP of a thread is sent at APC_LEVEL or above: its completion cannot reach the thread"),
    rule(0x306, NonFatal, "IRP_MN_REMOVE_DEVICE is completed with an error"),
    rule(0x307, NonFatal, "the event of a request that pended was signalled before it was sent"),
    rule(0x310, NonFatal, "an IRP is reused while a driver has it"),
    rule(0x311, NonFatal, "an IRP is reused that IoAllocateIrp did not make"),
    rule(0x312, NonFatal, "IoStatus.Information is more than the output part of the system buffer"),
];

/// The rule with this code.
pub(super) fn find(code: u32) -> &'static Rule {
    // Every check names its rule by a code of the table; the test below holds them together.
    let at = RULES.binary_search_by_key(&code, |rule| rule.code).expect("a check's code is in the table");
    &RULES[at]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_every_rule_is_found() {
        assert!(RULES.is_sorted_by_key(|rule| rule.code));
        for rule in RULES {
            assert_eq!(find(rule.code).code, rule.code);
        }
    }
}
