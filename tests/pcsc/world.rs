//! A `vbus serve` and a pcscd with its readers, and programs that use them.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// pcscd's socket.
const PCSCD_SOCKET: &str = "/run/pcscd/pcscd.comm";
/// How long anything may take on a machine that has other things to do.
const SOON: Duration = Duration::from_secs(30);

const PROGRAMS: &[(&str, &str)] = &[
    ("/usr/sbin/pcscd", "pcscd"),
    ("/usr/bin/opensc-tool", "opensc"),
    ("/usr/bin/pcsc_scan", "pcsc-tools"),
    ("/usr/bin/scriptor", "pcsc-tools"),
    ("/usr/lib/gnupg/scdaemon", "scdaemon"),
    ("/usr/lib/python3/dist-packages/smartcard", "python3-pyscard"),
    ("/usr/bin/vicc", "vsmartcard-vpicc"),
    ("/usr/lib/pcsc/drivers/serial/libifdvpcd.so", "vsmartcard-vpcd"),
];

/// What of all that this needs is not here.
pub fn missing() -> Option<String> {
    let missing: Vec<&str> =
        PROGRAMS.iter().filter(|(path, _)| !Path::new(path).exists()).map(|(_, name)| *name).collect();
    if !missing.is_empty() {
        return Some(format!("not on this machine: {}", missing.join(", ")));
    }
    (!python().join("Crypto").is_dir()).then(|| "vicc's module Crypto is not on this machine".to_owned())
}

pub fn another_pcscd_runs() -> bool {
    UnixStream::connect(PCSCD_SOCKET).is_ok()
}

/// Where `tests/pcsc/setup` puts vicc's module.
pub fn python() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("pcsc-python")
}

/// A file beside this one.
pub fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pcsc").join(name)
}

/// A process that ends with the test, whatever becomes of that.
pub struct Process(pub Child);

impl Process {
    pub fn start(command: &mut Command) -> Process {
        Process(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// Sends a signal to this process alone.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status();
        assert!(status.is_ok_and(|status| status.success()), "the process is there");
    }

    pub fn wait(&mut self) -> Option<i32> {
        let begun = Instant::now();
        loop {
            match self.0.try_wait() {
                Ok(Some(status)) => return status.code(),
                Ok(None) if begun.elapsed() < SOON => thread::sleep(Duration::from_millis(10)),
                other => panic!("it does not end: {other:?}"),
            }
        }
    }

    pub fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.0.id())).map_or(0, Iterator::count)
    }

    pub fn threads(&self) -> usize {
        fs::read_dir(format!("/proc/{}/task", self.0.id())).map_or(0, Iterator::count)
    }

    /// Memory that is its own, in KiB.
    pub fn memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// A pyscard script that says something, is told something, and so on.
pub struct Talk {
    client: Process,
    says: Lines<BufReader<ChildStdout>>,
    hears: ChildStdin,
}

impl Talk {
    pub fn start(script: &str, arguments: &[&str]) -> Talk {
        let mut command = Command::new("/usr/bin/python3");
        command.arg(file(script)).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut client = Process::start(&mut command);
        let says = BufReader::new(client.0.stdout.take().expect("it is a pipe")).lines();
        let hears = client.0.stdin.take().expect("it is a pipe");
        Talk { client, says, hears }
    }

    /// Says something to it.
    pub fn tell(&mut self, line: &str) {
        writeln!(self.hears, "{line}").expect("it listens");
    }

    /// Hears this line next.
    pub fn expect(&mut self, line: &str) {
        assert_eq!(self.says.next().and_then(Result::ok).as_deref(), Some(line));
    }

    /// Ends it, as it should end.
    pub fn end(mut self) {
        drop(self.hears);
        assert_eq!(self.client.wait(), Some(0));
    }
}

/// A running `vbus serve`.
pub struct Serve {
    pub process: Process,
    console: ChildStdin,
    said: Receiver<String>,
}

impl Serve {
    pub fn start(directory: &Path, arguments: &[&str]) -> Serve {
        Serve::start_and_listen(directory, arguments).0
    }

    /// Starts it, and returns what it says before it serves.
    pub fn start_and_listen(directory: &Path, arguments: &[&str]) -> (Serve, Vec<String>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vbus"));
        command.arg("serve").args(arguments).current_dir(directory);
        let mut process = Process::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let console = process.0.stdin.take().expect("it is a pipe");
        let output = process.0.stdout.take().expect("it is a pipe");
        let (sender, said) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            lines.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
        });
        let mut serve = Serve { process, console, said };
        let (_, said) = serve.hear_all("serving");
        (serve, said)
    }

    /// Waits for a line that begins so.
    pub fn hear(&mut self, beginning: &str) -> String {
        self.hear_all(beginning).0
    }

    /// The line, and those before it.
    fn hear_all(&mut self, beginning: &str) -> (String, Vec<String>) {
        let mut others = Vec::new();
        while let Ok(line) = self.said.recv_timeout(SOON) {
            if line.starts_with(beginning) {
                return (line, others);
            }
            others.push(line);
        }
        panic!("vbus serve does not say {beginning:?} but {others:?}");
    }

    /// Has several things done as fast as it can.
    pub fn tell_at_once(&mut self, what: &[&str]) -> Vec<String> {
        writeln!(self.console, "{}", what.join("\n")).expect("it reads its console");
        what.iter().map(|_| self.hear("reader")).collect()
    }

    /// Has something done to a reader.
    pub fn tell(&mut self, what: &str) -> String {
        writeln!(self.console, "{what}").expect("it reads its console");
        self.hear("reader")
    }
}

/// A pcscd with readers.
pub struct World {
    pub pcscd: Process,
    pub serve: Serve,
    pub directory: PathBuf,
}

impl World {
    /// Readers with these cards, and a pcscd that has loaded our handler for them.
    pub fn with(cards: &[&str]) -> World {
        let directory = directory();
        let arguments =
            [cards, &["--reader-conf", "conf/reader.conf", "--socket", "vbus.sock", "--trace", "trace"]].concat();
        let serve = Serve::start(&directory, &arguments);
        let pcscd = pcscd(&directory.join("conf"));
        World { pcscd, serve, directory }
    }

    pub fn trace(&self) -> String {
        fs::read_to_string(self.directory.join("trace")).expect("the trace log is written")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        end(&mut self.pcscd);
    }
}

/// A new directory.
pub fn directory() -> PathBuf {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pcsc-{}", std::process::id()));
    if directory.exists() {
        fs::remove_dir_all(&directory).expect("it is this process's own");
    }
    fs::create_dir_all(&directory).expect("the target directory can be written");
    directory
}

/// A pcscd with the readers of this directory's reader.conf.
pub fn pcscd(conf: &Path) -> Process {
    let mut command = Command::new("/usr/sbin/pcscd");
    let process = Process::start(command.args(["--foreground", "--critical", "-c"]).arg(conf));
    let begun = Instant::now();
    while !another_pcscd_runs() {
        assert!(begun.elapsed() < SOON, "pcscd listens");
        thread::sleep(Duration::from_millis(10));
    }
    process
}

/// Ends a pcscd, which takes its socket away. (With SIGINT it closes its readers as well, or waits for ever: the signal may
/// reach a thread that is not the one that waits.)
pub fn end(pcscd: &mut Process) {
    pcscd.signal("TERM");
    pcscd.wait();
}

/// Runs a program to its end.
pub fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).stdin(Stdio::null()).output().expect("it is installed")
}

/// Both of a program's outputs.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// `opensc-tool`, for a reader.
pub fn opensc(reader: usize, arguments: &[&str]) -> String {
    text(&run("opensc-tool", &[&["-r", &reader.to_string()], arguments].concat()))
}

/// APDUs by `opensc-tool`: what it prints of the answers, without blanks.
pub fn answers(reader: usize, commands: &[&str]) -> Vec<String> {
    let arguments: Vec<&str> = commands.iter().flat_map(|command| ["-s", command]).collect();
    let printed = opensc(reader, &arguments);
    let status = |line: &str| {
        let (_, words) = line.split_once("(SW1=0x")?;
        Some(format!("{}{}", &words[..2], &words.split_once("SW2=0x")?.1[..2]))
    };
    printed.lines().filter_map(status).collect()
}

/// A pyscard script beside this file. It fails with what it printed.
pub fn pyscard(script: &str, arguments: &[&str]) -> String {
    let output = run("/usr/bin/python3", &[&[file(script).to_str().expect("a path of ours")], arguments].concat());
    assert!(output.status.success(), "{script}: {}", text(&output));
    text(&output)
}

/// Waits until something holds.
pub fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < SOON, "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}
