//! How many connections the system lets a process have.

/// Raises the number of descriptors that this process may open to what the system allows it at the most; that number.
#[cfg(unix)]
pub(crate) fn raise() -> usize {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return USUAL };
    if soft < hard && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() {
        return usize::try_from(hard).unwrap_or(usize::MAX);
    }
    usize::try_from(soft).unwrap_or(usize::MAX)
}

/// There is no such number here.
#[cfg(not(unix))]
pub(crate) const fn raise() -> usize {
    USUAL
}

/// What systems allow that do not say.
const USUAL: usize = 1_024;
