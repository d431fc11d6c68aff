//! Measures how much room the machine has. A control group (a container, a service with a
//! limit) is a smaller machine: its limits count, and those of the groups above it.
//!
//! Only Linux reports pressure and groups; elsewhere only memory and load are known.

use std::fs;
use std::path::{Path, PathBuf};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use regatta_core::fleet::MachineLoad;

/// Blocks for some file reads.
pub fn measure() -> MachineLoad {
    let linux = LinuxMachine { proc: "/proc".into(), groups: "/sys/fs/cgroup".into() };
    let processors =
        std::thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(1));
    if cfg!(target_os = "linux") { linux.measure(processors) } else { elsewhere(processors) }
}

/// Returns the resident memory of the processes and all their descendants, in bytes.
pub fn resident_memory(roots: &[u32]) -> u64 {
    let Ok(mut system) = System::new() else { return 0 };
    let what = ProcessRefreshKind::nothing().with_memory().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
    let descends = |pid: &Pid| {
        let parents = std::iter::successors(Some(*pid), |pid| system.process(*pid)?.parent());
        // Bounded: a table that changes while it is read could show a loop of parents.
        parents.take(64).any(|pid| roots.contains(&pid.as_u32()))
    };
    let descendants = system.processes().iter().filter(|(pid, _)| descends(pid));
    descendants.map(|(_, process)| process.memory()).sum()
}

fn elsewhere(processors: u32) -> MachineLoad {
    let free_memory = System::new().ok().map(|mut system| {
        system.refresh_memory();
        system.available_memory()
    });
    let load = System::load_average().ok().map(|load| load.one / f64::from(processors));
    MachineLoad { free_memory, load, memory_pressure: None, processors }
}

struct LinuxMachine {
    proc: PathBuf,
    groups: PathBuf,
}

impl LinuxMachine {
    fn measure(&self, processors: u32) -> MachineLoad {
        let places = self.memory_groups();
        let free_of_groups = places.iter().filter_map(|place| place.free());
        let free_memory = self.available().into_iter().chain(free_of_groups).min();
        let load =
            read(&self.proc.join("loadavg")).and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
        let own = places.first().and_then(|place| pressure(&place.folder.join("memory.pressure")));
        MachineLoad {
            free_memory,
            load: load.map(|load| load / f64::from(processors.max(1))),
            memory_pressure: own.or_else(|| pressure(&self.proc.join("pressure/memory"))),
            processors,
        }
    }

    fn available(&self) -> Option<u64> {
        let text = read(&self.proc.join("meminfo"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
    }

    /// The groups of this process, the innermost first.
    fn memory_groups(&self) -> Vec<ControlGroup> {
        let text = read(&self.proc.join("self/cgroup")).unwrap_or_default();
        let mut found = Vec::new();
        for line in text.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
            let unified = controllers.is_empty();
            let root = match unified {
                true => self.groups.clone(),
                false if controllers.split(',').any(|name| name == "memory") => self.groups.join("memory"),
                false => continue,
            };
            // In a container the path may be that of the host, which is not there.
            let path = Path::new(path.trim_start_matches('/'));
            let own = path.ancestors().map(|path| root.join(path)).filter(|folder| folder.is_dir());
            found.extend(own.map(|folder| ControlGroup { folder, unified }));
        }
        found
    }
}

struct ControlGroup {
    folder: PathBuf,
    unified: bool,
}

impl ControlGroup {
    /// Returns `None` without a limit. Cached memory counts as free.
    fn free(&self) -> Option<u64> {
        let (limit, used, cached) = match self.unified {
            true => ("memory.max", "memory.current", "inactive_file "),
            false => ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "),
        };
        let number = |name: &str| read(&self.folder.join(name))?.trim().parse::<u64>().ok();
        // `max`, or in version 1 a number beyond any memory.
        let limit = number(limit).filter(|limit| *limit < 1 << 60)?;
        let stat = read(&self.folder.join("memory.stat")).unwrap_or_default();
        let cached = stat.lines().find_map(|line| line.strip_prefix(cached)?.trim().parse::<u64>().ok());
        Some(limit.saturating_sub(number(used)?.saturating_sub(cached.unwrap_or(0))))
    }
}

/// `some avg10=1.23 avg60=…`
fn pressure(path: &Path) -> Option<f64> {
    let text = read(path)?;
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    some.split(' ').find_map(|part| part.strip_prefix("avg10=")?.parse().ok())
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine of files: `NAME CONTENT`, below `proc` and `groups`.
    fn machine(files: &[(&str, &str)]) -> MachineLoad {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        LinuxMachine { proc: folder.path().join("proc"), groups: folder.path().join("groups") }.measure(2)
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    4096 kB\n");

    #[test]
    fn a_machine_without_groups_is_told_by_proc() {
        let measured = machine(&[
            MEMINFO,
            ("proc/loadavg", "3.00 2.00 1.00 1/100 4711\n"),
            ("proc/pressure/memory", "some avg10=12.50 avg60=0.00 avg300=0.00 total=0\nfull avg10=1.00\n"),
        ]);
        let expected = MachineLoad {
            free_memory: Some(4 << 20),
            load: Some(1.5),
            memory_pressure: Some(12.5),
            processors: 2,
        };
        assert_eq!(measured, expected);
    }

    #[test]
    fn the_smallest_limit_of_the_groups_counts_and_cache_is_free() {
        let unified = [
            MEMINFO,
            ("proc/self/cgroup", "0::/a/b\n"),
            ("groups/a/b/memory.max", "max\n"),
            ("groups/a/b/memory.current", "1000\n"),
            ("groups/a/b/memory.pressure", "some avg10=3.00 avg60=0.00\n"),
            ("groups/a/memory.max", "2000000\n"),
            ("groups/a/memory.current", "1500000\n"),
            ("groups/a/memory.stat", "anon 1\ninactive_file 200000\n"),
        ];
        assert_eq!(machine(&unified).free_memory, Some(700_000));
        assert_eq!(machine(&unified).memory_pressure, Some(3.0));
    }

    #[test]
    fn the_older_groups_count_too() {
        let older = [
            MEMINFO,
            ("proc/self/cgroup", "5:cpu,cpuacct:/x\n4:memory:/docker/none-of-this-container\n"),
            ("groups/memory/memory.limit_in_bytes", "1000000\n"),
            ("groups/memory/memory.usage_in_bytes", "400000\n"),
            ("groups/memory/memory.stat", "total_inactive_file 100000\n"),
        ];
        assert_eq!(machine(&older).free_memory, Some(700_000));
        let unlimited = ("groups/memory/memory.limit_in_bytes", "9223372036854771712\n");
        let files: Vec<_> =
            older.into_iter().filter(|file| file.0 != unlimited.0).chain([unlimited]).collect();
        assert_eq!(machine(&files).free_memory, Some(4 << 20));
    }

    #[test]
    fn a_system_that_tells_nothing_holds_nothing_up() {
        assert_eq!(machine(&[]), MachineLoad { processors: 2, ..MachineLoad::default() });
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_is_measured() {
        let measured = measure();
        assert!(measured.free_memory.is_some_and(|free| free > 1 << 20), "{measured:?}");
        assert!(measured.load.is_some() && measured.processors > 0, "{measured:?}");
    }
}
