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

/// What is known of the file systems met so far, by device number. Valid until the mount table changes.
#[derive(Debug, Default)]
pub(super) struct FileSystems {
    known: HashMap<u64, bool>,
}

impl FileSystems {
    /// Whether the file system with number `device`, to which `path` belongs, tells of all changes.
    pub(super) fn tell(&mut self, device: u64, path: &Path) -> bool {
        *self.known.entry(device).or_insert_with(|| {
            let status = rustix::fs::statfs(path);
            // The field has another type on each architecture, and 32 bits that matter.
            #[expect(clippy::cast_sign_loss, reason = "a number without a sign")]
            status.is_ok_and(|status| TELLING.contains(&(status.f_type as u64 & 0xFFFF_FFFF)))
        })
    }
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
