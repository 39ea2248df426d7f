//! For tests of a driver: a machine with it on a device of its own, and its trace log as a text that stays the same.
//!
//! `docs/testing-your-driver.md` walks through it, `examples/echo-driver` is a project that does.

use thiserror::Error;
use vbus_wdf::{Driver, DriverConfig, LogLine};
use vbus_wdm::{
    DevNode, FileObject, FilterStyle, Guid, Installation, IoStatus, IoctlCode, Machine, NodeState, NtStatus,
    OpenOptions, Stop, create_filter,
};

use crate::diff::Names;

/// The hardware id of the device that the driver under test gets.
pub const HARDWARE_ID: &str = "ROOT\\BENCH";

/// How a [`Bench`] is made. Both logs and the verifier are on until something else is said: a test wants to see all.
pub struct Loading {
    config: DriverConfig,
    upper: Vec<(String, FilterStyle)>,
    lower: Vec<(String, FilterStyle)>,
}

/// A machine with a driver under test on a root-enumerated device.
pub struct Bench {
    /// The machine.
    pub machine: Machine,
    /// The driver under test.
    pub driver: Driver,
    /// Its device.
    pub device: DevNode,
    file: Option<FileObject>,
    mark: u32,
    names: Names,
}

/// Why the bench cannot go on.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum BenchError {
    /// The device did not start.
    #[error("the device did not start: it is {state:?}; the driver's log says\n{log}")]
    NotStarted {
        /// Where it is.
        state: Option<NodeState>,
        /// The driver's log.
        log: String,
    },
    /// Nothing that could be opened.
    #[error("the driver has enabled no device interface of class {0}")]
    NoInterface(Guid),
    /// The create was refused.
    #[error("opening {path} failed with {status}")]
    Open {
        /// What was to be opened.
        path: String,
        /// The create's status.
        status: NtStatus,
    },
    /// A request was sent before anything was opened.
    #[error("nothing is open: call open first")]
    NotOpen,
    /// The machine is stopped: a bug check, a wait without an end, or undefined behaviour.
    #[error(transparent)]
    Stopped(#[from] Stop),
}

impl Default for Loading {
    fn default() -> Loading {
        let config = DriverConfig { verbose: true, verifier: true, log_pages: 16, ..DriverConfig::default() };
        Loading { config, upper: Vec::new(), lower: Vec::new() }
    }
}

impl Loading {
    /// VerifierOn.
    pub fn verifier(mut self, on: bool) -> Loading {
        self.config.verifier = on;
        self
    }

    /// VerboseOn.
    pub fn verbose(mut self, on: bool) -> Loading {
        self.config.verbose = on;
        self
    }

    /// A filter above the driver's device, above those that were named before.
    pub fn upper_filter(mut self, name: &str, style: FilterStyle) -> Loading {
        self.upper.push((name.to_owned(), style));
        self
    }

    /// A filter below it, above those that were named before.
    pub fn lower_filter(mut self, name: &str, style: FilterStyle) -> Loading {
        self.lower.push((name.to_owned(), style));
        self
    }

    /// Loads the driver with `driver_entry`, which is given what the registry says of it, and starts its device.
    ///
    /// # Errors
    /// [`BenchError::NotStarted`], [`BenchError::Stopped`].
    pub fn start(self, driver_entry: impl FnOnce(&mut Machine, DriverConfig) -> Driver) -> Result<Bench, BenchError> {
        let mut machine = Machine::new();
        let m = &mut machine;
        let driver = m.run(|m| driver_entry(m, self.config))?;
        let filters = |m: &mut Machine, filters: &[(String, FilterStyle)]| {
            filters.iter().map(|(name, style)| create_filter(m, name, *style)).collect()
        };
        let installation = Installation {
            hardware_id: HARDWARE_ID.to_owned(),
            function: Some(driver.driver_object(m)),
            upper_filters: filters(m, &self.upper),
            lower_filters: filters(m, &self.lower),
            ..Installation::default()
        };
        m.install(installation);
        let device = m.add_root_device(HARDWARE_ID)?;
        let state = device.state(m);
        let mut bench = Bench { machine, driver, device, file: None, mark: 0, names: Names::default() };
        let log = bench.take_trace();
        // Names begin anew, so that they do not depend on how the device came up.
        bench.names = Names::default();
        match state {
            Some(NodeState::Started) => Ok(bench),
            state => Err(BenchError::NotStarted { state, log }),
        }
    }
}

impl Bench {
    /// The driver alone on its stack, with a verbose log and the framework verifier on.
    ///
    /// # Errors
    /// [`BenchError::NotStarted`], [`BenchError::Stopped`].
    pub fn start(driver_entry: impl FnOnce(&mut Machine, DriverConfig) -> Driver) -> Result<Bench, BenchError> {
        Loading::default().start(driver_entry)
    }

    /// Opens the driver's device interface of this class, as a program does.
    ///
    /// # Errors
    /// [`BenchError::NoInterface`], [`BenchError::Open`], [`BenchError::Stopped`].
    pub fn open(&mut self, class: Guid) -> Result<FileObject, BenchError> {
        let path = self.machine.interfaces(class).into_iter().next().ok_or(BenchError::NoInterface(class))?;
        self.open_path(&path)
    }

    /// Opens a device by a symbolic link, as a program does.
    ///
    /// # Errors
    /// [`BenchError::Open`], [`BenchError::Stopped`].
    pub fn open_path(&mut self, path: &str) -> Result<FileObject, BenchError> {
        let opened = self.machine.create_file(path, OpenOptions::READ_WRITE)?;
        let file = opened.map_err(|status| BenchError::Open { path: path.to_owned(), status })?;
        self.file = Some(file);
        Ok(file)
    }

    /// `DeviceIoControl` on what was opened last. Returns what the program sees and the bytes that came back.
    ///
    /// # Errors
    /// [`BenchError::NotOpen`], [`BenchError::Stopped`]; a request that fails is not one.
    pub fn ioctl(
        &mut self,
        code: IoctlCode,
        input: &[u8],
        output_length: usize,
    ) -> Result<(IoStatus, Vec<u8>), BenchError> {
        let file = self.file.ok_or(BenchError::NotOpen)?;
        let mut output = vec![0; output_length];
        let result = self.machine.device_io_control(file, code, input, &mut output)?;
        output.truncate(usize::try_from(result.information).unwrap_or(usize::MAX));
        Ok((result, output))
    }

    /// What the driver's log holds since the last time, or since the device started: `Function - message`, a line each.
    ///
    /// Sequence numbers are left out and every address has a name, in the order in which the log brings them up (`#1`,
    /// `#2`): the text changes when what the driver does changes, and for nothing else.
    pub fn take_trace(&mut self) -> String {
        let lines = self.driver.log_after(&self.machine, self.mark);
        self.mark = self.driver.log_sequence(&self.machine);
        let names = &mut self.names;
        let text = |line: &LogLine| format!("{} - {}\n", line.function, names.give(&line.message));
        lines.iter().map(text).collect()
    }
}

/// Compares what a [`Bench`]'s driver logged with the approved trace. The crate that uses it has `insta` as a
/// dev-dependency; `cargo insta review` shows what changed.
///
/// ```ignore
/// let mut bench = Bench::start(my_driver::driver_entry)?;
/// bench.open(MY_INTERFACE)?;
/// bench.ioctl(IOCTL_MINE, b"input", 16)?;
/// vbus::assert_trace_snapshot!(bench);
/// ```
#[macro_export]
macro_rules! assert_trace_snapshot {
    ($bench:expr) => {
        ::insta::with_settings!({ omit_expression => true }, { ::insta::assert_snapshot!($bench.take_trace()) })
    };
    ($name:expr, $bench:expr) => {
        ::insta::with_settings!({ omit_expression => true }, { ::insta::assert_snapshot!($name, $bench.take_trace()) })
    };
}
