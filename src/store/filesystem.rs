//! Properties of the file system that a folder lies on.
//!
//! On a network file system a lock may admit two holders and a rename may not be atomic. Every promise of
//! this program rests on both.

use std::path::Path;

/// The name of the network file system; `None` for a local one, and where the system does not say.
#[cfg(target_os = "linux")]
pub fn network(folder: &Path) -> Option<&'static str> {
    // As the kernel counts them; the sign is an accident of the type.
    name(rustix::fs::statfs(folder).ok()?.f_type as u32)
}

#[cfg(not(target_os = "linux"))]
pub fn network(_folder: &Path) -> Option<&'static str> {
    None
}

/// Returns whether no room is left for this user; false where the system does not say.
#[cfg(unix)]
pub fn is_full(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|room| room.f_blocks > 0 && room.f_bavail == 0)
}

#[cfg(not(unix))]
pub fn is_full(_folder: &Path) -> bool {
    false
}

/// Bytes that this user may still write; `None` where the system does not say.
#[cfg(unix)]
pub fn free(folder: &Path) -> Option<u64> {
    rustix::fs::statvfs(folder).ok().map(|room| room.f_bavail * room.f_frsize)
}

#[cfg(not(unix))]
pub fn free(_folder: &Path) -> Option<u64> {
    None
}

/// The numbers of `linux/magic.h`.
#[cfg(target_os = "linux")]
fn name(kind: u32) -> Option<&'static str> {
    Some(match kind {
        0x6969 => "NFS",
        0x517b => "SMB",
        0xff53_4d42 => "CIFS",
        0xfe53_4d42 => "SMB2",
        0x5346_414f => "AFS",
        0x0102_1997 => "9P",
        0x00c3_6400 => "Ceph",
        // Mostly a folder of another machine (sshfs, a mounted bucket), now and then a local disk.
        0x6573_5546 => "FUSE",
        _ => return None,
    })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn folders_of_other_machines_are_known_by_their_kind() {
        let kinds = [0x6969, 0xff53_4d42, 0x0102_1997, 0x6573_5546];
        assert_eq!(kinds.map(name), [Some("NFS"), Some("CIFS"), Some("9P"), Some("FUSE")]);
        // ext4, tmpfs, overlay, btrfs, xfs
        assert_eq!([0xef53, 0x0102_1994, 0x794c_7630, 0x9123_683e, 0x5846_5342].map(name), [None; 5]);
    }

    #[test]
    fn a_folder_of_proc_is_local_and_a_missing_one_unknown() {
        assert_eq!(network(Path::new("/proc")), None);
        assert_eq!(network(Path::new("/no/such/folder")), None);
    }
}
