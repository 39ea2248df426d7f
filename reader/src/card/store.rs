//! Files that are replaced whole: whatever happens, there is the old content or the new one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::document::DescriptionError;

/// Why a card cannot be kept in a file.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Reading or writing failed.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file holds no profile.
    #[error(transparent)]
    Profile(#[from] DescriptionError),
}

/// The file's text, if there is a file.
pub(super) fn read(path: &Path) -> Result<Option<String>, StoreError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StoreError::Io { path: path.to_owned(), error }),
    }
}

/// For whom a file has to be there.
pub(super) fn not_found(path: &Path) -> StoreError {
    StoreError::Io { path: path.to_owned(), error: io::ErrorKind::NotFound.into() }
}

/// Replaces the file's content. When this returns, the new content is there whatever happens; when it does not, there is
/// the old one or the new one, whole.
pub(super) fn replace(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    replace_whole(path, content).map_err(|error| StoreError::Io { path: path.to_owned(), error })
}

/// The new content goes to a file beside it and to the disk; renaming is the one moment in which it takes the old one's
/// place; and the name is on the disk when the directory is.
fn replace_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut file = File::create(&beside)?;
    file.write_all(content)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&beside, path)?;
    sync_directory(path)
}

#[cfg(unix)]
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

/// Elsewhere a directory cannot be opened as a file, and renaming is journalled by the file system.
#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}
