//! Asks the system about processes: their processor time and their memory. When to ask, and what to
//! make of the answers, is left to the crowd.

use std::fs;
use std::io;
use std::time::Duration;

/// Number of fields in `/proc/PID/stat` between the name of the program and the processor time.
const N_FIELDS_BEFORE_CPU: usize = 11;

/// Returns the processor time of these processes so far, each to 10 ms.
pub fn cpu(pids: &[u32]) -> io::Result<Duration> {
    pids.iter().map(|pid| cpu_of(*pid)).sum()
}

/// Returns the resident memory of these processes, in bytes.
pub fn memory(pids: &[u32]) -> io::Result<u64> {
    pids.iter().map(|pid| memory_of(*pid)).sum()
}

fn cpu_of(pid: u32) -> io::Result<Duration> {
    let stat = read(pid, "stat")?;
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    // User and system time, in hundredths of a second.
    let ticks = fields.skip(N_FIELDS_BEFORE_CPU).take(2);
    let n_ticks: u64 = ticks.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(n_ticks * 10))
}

fn memory_of(pid: u32) -> io::Result<u64> {
    let status = read(pid, "status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    Ok(kibibytes.unwrap_or(0) * 1024)
}

fn read(pid: u32, file: &str) -> io::Result<String> {
    fs::read_to_string(format!("/proc/{pid}/{file}"))
        .map_err(|error| io::Error::other(format!("Cannot read about process {pid} ({error}).")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_known_and_several_are_added_up() {
        let pid = std::process::id();
        assert!(memory(&[pid]).unwrap() > 0 && cpu(&[pid]).is_ok());
        assert!(memory(&[pid, pid]).unwrap() > memory(&[pid]).unwrap());
        assert!(cpu(&[pid, u32::MAX]).is_err());
        assert_eq!(cpu(&[]).unwrap(), Duration::ZERO);
    }
}
