//! Disks that fail: a preloaded library that makes one call of a child process go wrong (`fault.c`), what a power cut
//! then leaves of the files, and real small disks that a test can fill up or make read-only.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

/// Which call goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Sync,
    Write,
}

/// How it goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// The disk fails.
    Eio,
    /// The disk is full.
    Enospc,
    /// The file system became read-only, as ext4 does with `errors=remount-ro`.
    Erofs,
    /// Half of a write goes through, and then the disk is full.
    Short,
    /// Half of a write goes through, or none of a sync, and then the process is killed.
    Kill,
}

/// The end of the name of the write-ahead log.
pub(crate) const LOG: &str = ".db-wal";
/// The end of the name of the main file.
pub(crate) const MAIN: &str = ".db";

/// One fault of one process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) call: Call,
    /// The end of the file's name.
    pub(crate) file: &'static str,
    /// The first call that goes wrong, from 1.
    pub(crate) at: usize,
    /// How many do.
    pub(crate) times: usize,
    pub(crate) how: How,
}

impl Fault {
    /// One call, once.
    pub(crate) fn once(call: Call, file: &'static str, at: usize, how: How) -> Self {
        Self { call, file, at, times: 1, how }
    }

    /// From one call on, for ever.
    pub(crate) fn from(call: Call, file: &'static str, at: usize, how: How) -> Self {
        Self { times: 1_000_000, ..Self::once(call, file, at, how) }
    }
}

/// A folder in memory, where a sync costs nothing: what is durable is what the library says, not what a real disk holds.
pub(crate) fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap()
}

/// The preloaded library, and what it knows of each byte.
pub(crate) struct Disk {
    /// Of the library: memory may be mounted so that nothing there can be run.
    library: TempDir,
    /// Of what it knows.
    folder: TempDir,
}

impl Disk {
    /// Builds the library.
    pub(crate) fn new() -> Self {
        let (library, folder) = (tempfile::tempdir().unwrap(), in_memory());
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/disk/fault.c");
        let built = Command::new("cc")
            .args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", source, "-ldl", "-o"])
            .arg(library.path().join("fault.so"))
            .output()
            .unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Self { library, folder }
    }

    /// Has a process meet the fault. What earlier processes left is forgotten: it is on the disk.
    pub(crate) fn meets(&self, command: &mut Command, fault: Fault) {
        for entry in fs::read_dir(self.folder.path()).unwrap().map(Result::unwrap) {
            fs::remove_file(entry.path()).unwrap();
        }
        command
            .env("LD_PRELOAD", self.library.path().join("fault.so"))
            .env("DISK_FOLDER", self.folder.path())
            .env("DISK_CALL", format!("{:?}", fault.call).to_lowercase())
            .env("DISK_FILE", fault.file)
            .env("DISK_AT", fault.at.to_string())
            .env("DISK_TIMES", fault.times.to_string())
            .env(
                "DISK_HOW",
                match fault.how {
                    How::Eio => "EIO",
                    How::Enospc => "ENOSPC",
                    How::Erofs => "EROFS",
                    How::Short => "short",
                    How::Kill => "kill",
                },
            );
    }

    /// Whether anything went wrong in the last process.
    pub(crate) fn fired(&self) -> bool {
        self.folder.path().join("fired").exists()
    }

    /// What a power cut leaves of the store: `keep` of the bytes that were not synced are there, all others are noise. The
    /// processes must be gone.
    pub(crate) fn power_cut(&self, store: &Path, keep: Keep) {
        let name = store.file_name().unwrap().to_str().unwrap();
        for file in [name.to_owned(), format!("{name}-wal")] {
            let Ok(map) = fs::read(self.folder.path().join(format!("{file}.map"))) else { continue };
            let path = store.with_file_name(&file);
            let Ok(mut bytes) = fs::read(&path) else { continue };
            let mut unsynced: Vec<usize> =
                (0..bytes.len()).filter(|at| map.get(*at).is_some_and(|m| *m != 0)).collect();
            let kept = match keep {
                Keep::Nothing => 0,
                Keep::Half => unsynced.len() / 2,
                Keep::All => unsynced.len(),
            };
            for at in unsynced.split_off(kept) {
                bytes[at] = 0xA5 ^ u8::try_from(at % 251).unwrap();
            }
            fs::write(&path, bytes).unwrap();
        }
        // Shared memory is gone with the machine.
        let _absent = fs::remove_file(store.with_file_name(format!("{name}-shm")));
    }
}

/// How much of what was not synced reached the disk anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Nothing,
    /// The first half: the last page is torn.
    Half,
    All,
}

/// A file system of a few kilobytes in memory, in a mount namespace of its own: it is gone with the process that holds
/// it, which is gone with the test.
pub(crate) struct SmallDisk {
    shell: Child,
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts it.
    pub(crate) fn of(kilobytes: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mount = r#"mount -t tmpfs -o "size=$1k,mode=0700" tmpfs "$2" && echo mounted && read -r _"#;
        let mut shell = Command::new("unshare")
            .args(["--mount", "sh", "-c", mount, "sh", &kilobytes.to_string()])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "mounted\n", "the tests mount file systems, as root, in a namespace of their own");
        Self { shell, folder }
    }

    /// Where it is, for those inside.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where it is, for the test.
    pub(crate) fn seen_from_outside(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.shell.id()));
        root.join(self.folder.path().strip_prefix("/").unwrap())
    }

    /// The same command, inside.
    pub(crate) fn inside(&self, command: &Command) -> Command {
        let mut inside = Command::new("nsenter");
        inside.args(["--mount", "--target", &self.shell.id().to_string(), "--"]);
        inside.arg(command.get_program()).args(command.get_args());
        // `nsenter` itself is looked up there; the command is named by its whole path.
        inside.env_clear().env("PATH", "/usr/bin:/bin");
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        inside.stdin(Stdio::null());
        inside
    }

    /// `ro` or `rw`.
    pub(crate) fn remount(&self, how: &str) {
        let mut mount = Command::new("mount");
        mount.args([OsStr::new("-o"), OsStr::new(&format!("remount,{how}")), self.path().as_os_str()]);
        let done = self.inside(&mount).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The shell's `read` ends, and with it the namespace.
        drop(self.shell.stdin.take());
        let _status = self.shell.wait();
    }
}
