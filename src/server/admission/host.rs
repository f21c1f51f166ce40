//! Works out how many clients this host can carry. This happens once, at start: a process that runs
//! out of memory mappings while it starts a thread is aborted, with everyone in it.

use crate::net::limits::raise_descriptors;
use crate::room::history;
use crate::server::shared::Config;
use rustix::process;
use std::fmt;
use std::fs;
use std::path::Path;

/// Descriptors per client: one socket, shared by reader and writer.
const DESCRIPTORS_PER_CLIENT: u64 = 1;
/// Threads per client: one reader and one writer.
const THREADS_PER_CLIENT: u64 = 2;
/// Memory mappings per client. Each of its threads has a stack and a signal stack, each with a
/// guard page.
const MAPPINGS_PER_CLIENT: u64 = 8;

/// Memory that one client may take, in bytes: what is used of its stacks and buffers, one frame that
/// waits for it and one that is being written to it.
pub const MEMORY_PER_CLIENT: u64 = 288 * 1024;

/// Memory that one place in a client's queue takes, in bytes.
const MEMORY_PER_PLACE: u64 = 64;

/// The share of this host's memory for frames that slow clients have not read: a 200th.
const FRAME_MEMORY_PART: u64 = 200;
/// Minimum memory for those frames, in bytes.
const MIN_FRAME_MEMORY: u64 = 16 * 1024 * 1024;

/// Spare descriptors, threads and mappings for the log, the listeners, refused connections and the
/// libraries. The heap adds mappings as it grows.
const SPARE_DESCRIPTORS: u64 = 32;
const SPARE_THREADS: u64 = 64;
const SPARE_MAPPINGS: u64 = 1024;

/// Linux's default limits, for hosts whose limits can't be read.
const DEFAULT_THREADS: u64 = 32_768;
const DEFAULT_MAPPINGS: u64 = 65_530;
/// Memory of a host where it can't be read, in bytes.
const DEFAULT_MEMORY: u64 = 4 * 1024 * 1024 * 1024;

/// Number of clients on top of the seats. A seat is free again while its client's threads still
/// end.
const SPARE_CLIENTS: u64 = 32;

/// The number of clients that fit, and the resource that limits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// The number of clients, at least 1.
    pub n_clients: usize,
    /// The resource that runs out first.
    pub limited_by: Limit,
}

/// A resource that every client needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Open files of this process.
    Descriptors,
    /// Threads of this user, this control group or this system.
    Threads,
    /// Memory mappings of this process.
    Mappings,
    /// Memory of this host or control group.
    Memory,
}

/// A resource of which the host has a limited amount.
struct Resource {
    limit: Limit,
    allowed: u64,
    used: u64,
    /// Amount kept back for everything that is not a client.
    spare: u64,
    per_client: u64,
}

/// Raises the limit on open files as far as this process may, and returns how many clients the host
/// carries with `config`.
pub fn capacity(config: &Config) -> Capacity {
    let used = |folder| fs::read_dir(folder).map_or(0, Iterator::count) as u64;
    let mapped = fs::read_to_string("/proc/self/maps").map_or(0, |maps| maps.lines().count());
    let descriptors = Resource {
        limit: Limit::Descriptors,
        allowed: raise_descriptors(),
        used: used("/proc/self/fd"),
        spare: SPARE_DESCRIPTORS,
        per_client: DESCRIPTORS_PER_CLIENT,
    };
    let threads = Resource {
        limit: Limit::Threads,
        allowed: max_threads(),
        used: used("/proc/self/task"),
        spare: SPARE_THREADS,
        per_client: THREADS_PER_CLIENT,
    };
    let mappings = Resource {
        limit: Limit::Mappings,
        allowed: number_in("/proc/sys/vm/max_map_count").unwrap_or(DEFAULT_MAPPINGS),
        used: mapped as u64,
        spare: SPARE_MAPPINGS,
        per_client: MAPPINGS_PER_CLIENT,
    };
    let memory = Resource {
        limit: Limit::Memory,
        allowed: max_memory(),
        used: 0,
        spare: frame_memory() as u64,
        per_client: memory_per_client(config),
    };
    [threads, mappings, memory]
        .iter()
        .fold(descriptors.capacity(), |least, resource| {
            let capacity = resource.capacity();
            if capacity.n_clients < least.n_clients {
                capacity
            } else {
                least
            }
        })
}

/// Returns the memory that one client may take, in bytes. It may be sent a whole history.
fn memory_per_client(config: &Config) -> u64 {
    let queue = config.queue_frames as u64 * MEMORY_PER_PLACE;
    let history = match config.room.n_history {
        0 => 0,
        _ => history::MAX_BYTES as u64,
    };
    MEMORY_PER_CLIENT + queue + history
}

impl Resource {
    fn capacity(&self) -> Capacity {
        Capacity {
            n_clients: n_clients(self.allowed, self.used, self.spare, self.per_client),
            limited_by: self.limit,
        }
    }
}

/// Returns how many clients fit into what is `allowed`. Keeps the spare back, but never more than
/// half of what is left.
fn n_clients(allowed: u64, used: u64, spare: u64, per_client: u64) -> usize {
    let left = allowed.saturating_sub(used);
    let spare = spare + SPARE_CLIENTS * per_client;
    let for_clients = left.saturating_sub(spare).max(left / 2);
    usize::try_from(for_clients / per_client)
        .unwrap_or(usize::MAX)
        .max(1)
}

fn max_threads() -> u64 {
    // The kernel does not apply this limit to root.
    let of_user = process::getrlimit(process::Resource::Nproc)
        .current
        .filter(|_| !process::geteuid().is_root());
    let of_system = ["/proc/sys/kernel/threads-max", "/proc/sys/kernel/pid_max"];
    of_system
        .into_iter()
        .map(|path| number_in(path).unwrap_or(DEFAULT_THREADS))
        .chain(of_user)
        .chain(of_control_group("pids.max"))
        .min()
        .unwrap_or(DEFAULT_THREADS)
}

/// Returns the maximum memory of all frames that slow clients have not read, in bytes.
pub fn frame_memory() -> usize {
    let part = (max_memory() / FRAME_MEMORY_PART).max(MIN_FRAME_MEMORY);
    usize::try_from(part).unwrap_or(usize::MAX)
}

/// Returns how much memory this process may use, in bytes.
fn max_memory() -> u64 {
    let host = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = host.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kibibytes = total.and_then(|total| total.trim().split(' ').next()?.parse::<u64>().ok());
    let of_host = kibibytes.map_or(DEFAULT_MEMORY, |kibibytes| kibibytes * 1024);
    of_control_group("memory.max").map_or(of_host, |of_group| of_group.min(of_host))
}

/// Returns the lowest limit of the control group that this process is in and of those around it.
fn of_control_group(limit: &str) -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let groups = Path::new(path).ancestors();
    let limit_of = |group: &Path| number_in(&format!("/sys/fs/cgroup{}/{limit}", group.display()));
    groups.filter_map(limit_of).min()
}

/// Returns the number that a file holds, or `None` if it holds `max` or can't be read.
fn number_in(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

impl fmt::Display for Limit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Descriptors => "open files",
            Self::Threads => "threads",
            Self::Mappings => "memory mappings",
            Self::Memory => "pages of memory",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_shared_among_clients() {
        assert_eq!(
            n_clients(65_530, 106, SPARE_MAPPINGS, MAPPINGS_PER_CLIENT),
            8_018
        );
        assert_eq!(
            n_clients(1_024, 8, SPARE_DESCRIPTORS, DESCRIPTORS_PER_CLIENT),
            952
        );
        assert_eq!(
            n_clients(u64::MAX, 0, 32, 1),
            usize::try_from(u64::MAX).unwrap() - 64
        );
    }

    #[test]
    fn a_tight_host_still_seats_somebody() {
        assert_eq!(n_clients(40, 8, 32, 1), 16);
        assert_eq!(n_clients(8, 8, 32, 1), 1);
        assert_eq!(n_clients(0, 8, 32, 1), 1);
    }

    #[test]
    fn this_host_carries_clients() {
        assert!(capacity(&Config::default()).n_clients > 1);
    }
}
