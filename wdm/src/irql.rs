//! The highest IRQL at which each DDI may be called, as a table.

use crate::machine::Machine;
use crate::schedule::Irql;

/// The DDIs of the model that have a limit, in the order of their names.
///
/// Source: Windows driver documentation, the IRQL line of each routine's page.
pub const IRQL_LIMITS: &[(&str, Irql)] = &[
    ("ExAllocatePool2", Irql::Dispatch),
    ("IoAcquireCancelSpinLock", Irql::Dispatch),
    ("IoAcquireRemoveLock", Irql::Dispatch),
    ("IoAllocateIrp", Irql::Dispatch),
    ("IoAttachDevice", Irql::Passive),
    ("IoAttachDeviceToDeviceStack", Irql::Dispatch),
    ("IoBuildAsynchronousFsdRequest", Irql::Apc),
    ("IoBuildDeviceIoControlRequest", Irql::Apc),
    ("IoBuildSynchronousFsdRequest", Irql::Apc),
    ("IoCallDriver", Irql::Dispatch),
    ("IoCancelIrp", Irql::Dispatch),
    ("IoCompleteRequest", Irql::Dispatch),
    ("IoCreateDevice", Irql::Apc),
    ("IoCreateSymbolicLink", Irql::Passive),
    ("IoDeleteDevice", Irql::Apc),
    ("IoDetachDevice", Irql::Passive),
    ("IoFreeIrp", Irql::Dispatch),
    ("IoInitializeRemoveLock", Irql::Passive),
    ("IoMakeAssociatedIrp", Irql::Dispatch),
    ("IoQueueWorkItem", Irql::Dispatch),
    ("IoRegisterDeviceInterface", Irql::Passive),
    ("IoReleaseRemoveLock", Irql::Dispatch),
    ("IoReleaseRemoveLockAndWait", Irql::Passive),
    ("IoReuseIrp", Irql::Dispatch),
    ("IoSetDeviceInterfaceState", Irql::Passive),
    ("KeSetEvent", Irql::Dispatch),
    ("KeSetTimer", Irql::Dispatch),
    ("KeWaitForSingleObject", Irql::Apc),
    ("ZwClose", Irql::Passive),
    ("ZwCreateFile", Irql::Passive),
];

impl Machine {
    /// Stops a DDI that is called above its limit: under Driver Verifier with its bug check, else because what Windows does
    /// then depends on what is paged out at that moment.
    #[inline]
    pub(crate) fn limit_irql(&mut self, ddi: &'static str) {
        if self.irql() > Irql::Passive {
            self.check_irql(ddi);
        }
    }

    #[cold]
    fn check_irql(&mut self, ddi: &'static str) {
        let level = self.irql();
        let limit = IRQL_LIMITS.iter().find(|(name, _)| *name == ddi).map_or(Irql::Device, |(_, limit)| *limit);
        if level <= limit {
            return;
        }
        match ddi {
            "IoCallDriver" => self.verifier_stop(0x10, None, [level as u64, 0, 0], ddi),
            "IoCompleteRequest" => self.verifier_stop(0x0E, None, [level as u64, 0, 0], ddi),
            "ZwCreateFile" | "ZwClose" => self.verifier_stop(0x24A, None, [0, 0, 0], ddi),
            "KeWaitForSingleObject" => self.verifier_violation([0x3B, level as u64, 0, 0], ddi),
            "KeSetEvent" => self.verifier_violation([0x80, level as u64, 0, 0], ddi),
            // "A call was made to a kernel API at the incorrect IRQL."
            _ => self.verifier_violation([0xE5, level as u64, 0, 0], ddi),
        }
        let rule = match limit {
            Irql::Passive => "the routine is called at PASSIVE_LEVEL",
            Irql::Apc => "the routine is called at IRQL <= APC_LEVEL",
            Irql::Dispatch | Irql::Device => "the routine is called at IRQL <= DISPATCH_LEVEL",
        };
        self.undefined(ddi, rule);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_names() {
        assert!(IRQL_LIMITS.is_sorted_by_key(|(ddi, _)| ddi));
    }
}
