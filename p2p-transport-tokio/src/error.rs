//! The operating system's errors, restated in the vocabulary of machines.

use p2p_core::IoError;
use std::io::{Error, ErrorKind};

/// What an error of the operating system is called in [`IoError`].
#[must_use]
pub fn io_error(error: &Error) -> IoError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::AddrNotAvailable => IoError::NotFound,
        ErrorKind::PermissionDenied => IoError::Denied,
        ErrorKind::ConnectionRefused => IoError::Refused,
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::NotConnected
        | ErrorKind::BrokenPipe => IoError::Reset,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            IoError::Unreachable
        }
        ErrorKind::AddrInUse => IoError::InUse,
        ErrorKind::TimedOut => IoError::TimedOut,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => IoError::NoSpace,
        ErrorKind::UnexpectedEof => IoError::Short,
        ErrorKind::AlreadyExists => IoError::Exists,
        ErrorKind::NotADirectory | ErrorKind::IsADirectory => IoError::NotAFile,
        ErrorKind::ReadOnlyFilesystem => IoError::ReadOnly,
        ErrorKind::Unsupported => IoError::Unsupported,
        _ => match error.raw_os_error() {
            // EIO, the same number on every Unix.
            Some(5) if cfg!(unix) => IoError::Device,
            _ => IoError::Other,
        },
    }
}
