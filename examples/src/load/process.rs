//! The server's process, as Linux tells of it: [`Process`].

use crate::Failure;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A process of this machine.
#[derive(Debug)]
pub struct Process {
    folder: PathBuf,
}

impl Process {
    /// The one with this number.
    ///
    /// # Errors
    /// If there is none, or this is not Linux.
    pub fn new(pid: u32) -> Result<Self, Failure> {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let process = Self { folder };
        process.cpu()?;
        Ok(process)
    }

    fn read(&self, file: &str) -> Result<String, Failure> {
        let path = self.folder.join(file);
        fs::read_to_string(&path).map_err(|why| Failure::new(format_args!("{}: {why}", path.display())))
    }

    /// CPU time of all its threads, by the scheduler's own count (proc(5), `schedstat`): to the microsecond, where `stat`
    /// counts hundredths of a second.
    ///
    /// # Errors
    /// If it is gone.
    pub fn cpu(&self) -> Result<Duration, Failure> {
        let tasks = self.folder.join("task");
        let tasks = fs::read_dir(&tasks)
            .map_err(|why| Failure::new(format_args!("{}: {why}; is --pid right?", tasks.display())))?;
        let mut spent = Duration::ZERO;
        for task in tasks.flatten() {
            spent += scheduled(&task.path().join("schedstat"));
        }
        Ok(spent)
    }

    /// Resident bytes (`statm`).
    ///
    /// # Errors
    /// If it is gone.
    pub fn resident(&self) -> Result<u64, Failure> {
        let text = self.read("statm")?;
        let pages: u64 = text.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(pages * 4096)
    }

    /// The largest that was resident (`status`).
    ///
    /// # Errors
    /// If it is gone.
    pub fn peak(&self) -> Result<u64, Failure> {
        let text = self.read("status")?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().unwrap_or(0);
        Ok(kib * 1024)
    }
}

/// CPU time of a thread, from its `schedstat`. A thread may just have ended: none.
#[must_use]
pub fn scheduled(thread: &Path) -> Duration {
    let text = fs::read_to_string(thread).unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0))
}
