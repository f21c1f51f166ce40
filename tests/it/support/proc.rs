//! What `/proc` tells about a process: its memory, processor time, threads, descriptors and
//! mappings. Nothing else in the tests reads `/proc`.

use super::Process;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// One clock tick of `/proc/PID/stat`, which Linux always counts in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

impl Process {
    /// Resident memory, in bytes.
    pub fn memory(&self) -> u64 {
        let status = self.read("status");
        let line = status.lines().find(|line| line.starts_with("VmRSS"));
        let kibibytes = line.and_then(|line| line.split_whitespace().nth(1));
        kibibytes.unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Processor time used so far, by the process itself and by the kernel for it.
    pub fn cpu(&self) -> Duration {
        let stat = self.read("stat");
        // The command, in parentheses, may itself contain spaces.
        let (_, fields) = stat.rsplit_once(") ").unwrap();
        let user_and_system = fields.split(' ').skip(11).take(2);
        TICK * user_and_system.map(|it| it.parse::<u32>().unwrap()).sum()
    }

    /// Number of threads.
    pub fn n_threads(&self) -> usize {
        fs::read_dir(self.path("task")).unwrap().count()
    }

    /// The names of its threads, sorted.
    pub fn thread_names(&self) -> Vec<String> {
        let threads = fs::read_dir(self.path("task")).unwrap();
        let mut names: Vec<_> = threads
            .map(|thread| fs::read_to_string(thread.unwrap().path().join("comm")).unwrap())
            .map(|name| name.trim().to_owned())
            .collect();
        names.sort();
        names
    }

    /// Whether all its threads are stopped by a signal.
    pub fn is_frozen(&self) -> bool {
        let mut threads = fs::read_dir(self.path("task")).unwrap();
        threads.all(|thread| {
            let stat = fs::read_to_string(thread.unwrap().path().join("stat")).unwrap();
            // The name, in parentheses, may itself contain anything.
            let (_, fields) = stat.rsplit_once(") ").unwrap();
            fields.starts_with('T')
        })
    }

    /// Number of open descriptors.
    pub fn n_descriptors(&self) -> usize {
        fs::read_dir(self.path("fd")).unwrap().count()
    }

    /// Number of memory mappings.
    pub fn n_mappings(&self) -> usize {
        self.read("maps").lines().count()
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    fn path(&self, file: &str) -> PathBuf {
        format!("/proc/{}/{file}", self.pid()).into()
    }
}
