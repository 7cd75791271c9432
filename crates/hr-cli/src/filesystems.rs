//! Which file systems tell of all changes.

use std::collections::HashMap;
use std::path::Path;

/// Magic numbers (`linux/magic.h`, `statfs(2)`) of local file systems whose files change only through this kernel's VFS,
/// which makes the events. Others may be changed elsewhere: by a server (NFS, CIFS, 9p, virtiofs), by a program (FUSE),
/// or by an administrator's command (snapshots of ZFS that are rolled back). An overlay is told of what is done to the
/// overlay; to change its layers underneath is not allowed.
const TELLING: [u64; 9] = [
    0xEF53,      // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683E, // Btrfs
    0x0102_1994, // tmpfs
    0x8584_58F6, // ramfs
    0xF2F5_2010, // F2FS
    0x794C_7630, // overlayfs
    0x7371_7368, // SquashFS, read-only
    0xE0F5_E1E2, // EROFS, read-only
];

/// Those whose files others commonly change behind this kernel's back, and what people call them.
const REMOTE: [(u64, &str); 14] = [
    (0x6969, "NFS"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB"),
    (0x517B, "SMB"),
    (0x0102_1997, "9p"),   // drives of Windows under WSL 2, and shares of virtual machines
    (0x6573_5546, "FUSE"), // sshfs, virtiofs, Docker Desktop
    (0x5346_4846, "DrvFs"),
    (0x786F_4256, "vboxsf"),
    (0xBACB_ACBC, "vmhgfs"),
    (0x7C7C_6673, "prl_fs"),
    (0x5346_414F, "AFS"),
    (0x00C3_6400, "Ceph"),
    (0x0BD0_0BD0, "Lustre"),
    (0x7375_7245, "Coda"),
];

/// What is known of the file systems met so far, by device number. Valid until the mount table changes.
#[derive(Debug, Default)]
pub(crate) struct FileSystems {
    known: HashMap<u64, bool>,
}

impl FileSystems {
    /// Whether the file system with number `device`, to which `path` belongs, tells of all changes.
    pub(crate) fn tell(&mut self, device: u64, path: &Path) -> bool {
        *self.known.entry(device).or_insert_with(|| kind(path).is_some_and(|kind| TELLING.contains(&kind)))
    }
}

/// The name of the file system to which `path` belongs, if changes made elsewhere cause no events here.
pub(crate) fn changed_elsewhere(path: &Path) -> Option<&'static str> {
    let kind = kind(path)?;
    REMOTE.iter().find_map(|(number, name)| (*number == kind).then_some(*name))
}

fn kind(path: &Path) -> Option<u64> {
    let status = rustix::fs::statfs(path).ok()?;
    // The field has another type on each architecture, and 32 bits that matter.
    #[expect(clippy::cast_sign_loss, reason = "a number without a sign")]
    Some(status.f_type as u64 & 0xFFFF_FFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_on_disk_tells_nothing() {
        assert!(!FileSystems::default().tell(1, Path::new("/proc/self")));
        assert!(!FileSystems::default().tell(1, Path::new("/nowhere")));
    }
}
