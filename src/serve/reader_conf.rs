//! The reader.conf from which pcscd learns of our handler and of the readers.
//!
//! Source: pcsc-lite, configfile.l (the four words and what their values may consist of) and hotplug (a reader begins with
//! its name and is complete with its library and its device).

use std::fmt::Write;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// Why there can be no reader.conf.
#[derive(Debug, Error)]
pub enum ReaderConfError {
    /// The handler is not where it is looked for.
    #[error(
        "the IFD handler {HANDLER} is not beside {}: build it with `cargo build -p vbus-ifd`, or say where it is with \
         --ifd-handler", beside.display()
    )]
    NoHandler {
        /// The program.
        beside: PathBuf,
    },
    /// pcscd would not read the path.
    #[error("{}: pcscd's reader.conf takes letters, digits and = \\ / - . _ @ : in a path; use another one", path.display())]
    Character {
        /// The path.
        path: PathBuf,
    },
    /// The file cannot be written, or a path not found out.
    #[error("{}: {error}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// The handler's file name.
const HANDLER: &str = "libvbus_ifd.so";

/// The handler that belongs to this program: cargo puts both into one directory, or the library one below. Where it is in
/// both, one may be of an earlier build.
///
/// # Errors
/// [`ReaderConfError`].
pub fn handler() -> Result<PathBuf, ReaderConfError> {
    let io = |error| ReaderConfError::Io { path: "vbus".into(), error };
    let program = std::env::current_exe().map_err(io)?;
    let directory = program.parent().unwrap_or(Path::new("/"));
    let places = [directory.join(HANDLER), directory.join("deps").join(HANDLER)];
    let built = |place: &PathBuf| place.metadata().and_then(|file| file.modified()).ok();
    let newest = places.into_iter().filter(|place| place.is_file()).max_by_key(built);
    newest.ok_or(ReaderConfError::NoHandler { beside: program })
}

/// The text. Every reader is an entry of its own, as a slot of one reader would be named after that.
///
/// # Errors
/// [`ReaderConfError::Character`].
pub fn text(handler: &Path, socket: &Path, readers: &[u32]) -> Result<String, ReaderConfError> {
    let mut text = String::from("# Written by `vbus serve`: the readers are there while it runs.\n");
    let (handler, socket) = (readable(handler)?, readable(socket)?);
    for reader in readers {
        // What follows LIBPATH would belong to the next entry.
        _ = write!(
            text,
            "\nFRIENDLYNAME \"vbus reader {reader}\"\nDEVICENAME vbus:{socket}:{reader}\nLIBPATH {handler}\n"
        );
    }
    Ok(text)
}

fn readable(path: &Path) -> Result<&str, ReaderConfError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "=\\/-._@:".contains(c);
    path.to_str()
        .filter(|text| text.chars().all(allowed))
        .ok_or_else(|| ReaderConfError::Character { path: path.to_owned() })
}

/// Writes the file, with its directory if that is missing.
///
/// # Errors
/// [`ReaderConfError::Io`].
pub fn write(path: &Path, text: &str) -> Result<(), ReaderConfError> {
    let io = |error| ReaderConfError::Io { path: path.to_owned(), error };
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory).map_err(io)?;
    }
    std::fs::write(path, text).map_err(io)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_says_its_device_before_its_library() {
        let text = text(Path::new("/lib/h.so"), Path::new("/run/vbus.sock"), &[7, 8]).unwrap();
        assert_eq!(
            text,
            "# Written by `vbus serve`: the readers are there while it runs.\n\n\
             FRIENDLYNAME \"vbus reader 7\"\nDEVICENAME vbus:/run/vbus.sock:7\nLIBPATH /lib/h.so\n\n\
             FRIENDLYNAME \"vbus reader 8\"\nDEVICENAME vbus:/run/vbus.sock:8\nLIBPATH /lib/h.so\n"
        );
    }

    #[test]
    fn a_path_that_pcscd_could_not_read_is_refused() {
        let error = text(Path::new("/lib/h.so"), Path::new("/my files/vbus.sock"), &[7]).unwrap_err();
        assert!(error.to_string().starts_with("/my files/vbus.sock: pcscd's reader.conf takes"), "{error}");
    }
}
