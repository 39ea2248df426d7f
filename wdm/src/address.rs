//! Plausible kernel addresses that depend on nothing but creation order.
//!
//! A snapshot of a log must not change from run to run, and should still look like a log. Every kind of object has
//! its own stretch of nonpaged pool, and the n-th place in the kind's lookaside list is the n-th block of it.

/// What lives at an address; each kind has its own stretch of the pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pool {
    /// DRIVER_OBJECT.
    Driver,
    /// DEVICE_OBJECT.
    Device,
    /// IRP.
    Irp,
    /// FILE_OBJECT.
    File,
    /// ETHREAD.
    Thread,
    /// A buffer.
    Memory,
    /// The framework's per-driver globals.
    Globals,
    /// A framework request object.
    FxRequest,
    /// A framework device object.
    FxDevice,
    /// A framework queue object.
    FxQueue,
    /// Any other framework object.
    FxObject,
    /// What a child list keeps of a child.
    ChildEntry,
    /// A routine of a driver.
    Code,
    /// IO_REMOVE_LOCK, in a device extension.
    RemoveLock,
    /// What is left for the debugger at a bug check.
    Triage,
}

impl Pool {
    const fn stretch(self) -> (u64, u64) {
        match self {
            Pool::Driver => (0xFFFF_CF81_8D3B_4A60, 0x190),
            Pool::Device => (0xFFFF_CF81_8E6C_1060, 0x340),
            Pool::Irp => (0xFFFF_CF81_9112_A010, 0x4F0),
            Pool::File => (0xFFFF_CF81_9004_37C0, 0x180),
            Pool::Thread => (0xFFFF_CF81_8F9D_2080, 0x900),
            Pool::Memory => (0xFFFF_CF81_A023_0000, 0x1000),
            Pool::Globals => (0xFFFF_CF81_8D71_8010, 0x1A0),
            Pool::FxRequest => (0xFFFF_CF81_9581_2E60, 0x230),
            Pool::FxDevice => (0xFFFF_CF81_8EA7_0D20, 0x2B0),
            Pool::FxQueue => (0xFFFF_CF81_8EB2_6B40, 0x2F0),
            Pool::FxObject => (0xFFFF_CF81_8EC9_1A50, 0x1E0),
            Pool::ChildEntry => (0xFFFF_CF81_9720_5C30, 0xA0),
            Pool::RemoveLock => (0xFFFF_CF81_8E6C_11D8, 0x340),
            Pool::Triage => (0xFFFF_F805_1C0F_B930, 0x40),
            Pool::Code => (0xFFFF_F805_2A41_1000, 0x140),
        }
    }

    /// The address of the kind's `index`-th place.
    #[inline]
    pub const fn address(self, index: u32) -> u64 {
        let (base, stride) = self.stretch();
        base + stride * index as u64
    }
}
