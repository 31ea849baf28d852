//! Compiled code on disk, so that a component is compiled once per machine.
//!
//! An entry is named by the component's digest, the engine's settings and the target, so that whatever
//! changes makes a miss. It begins with the SHA-256 of the rest: a damaged entry is a miss too. Entries are
//! native code; only a folder that nobody else can write is used. Those that were not read for longest are removed
//! where all together grow too large.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::Check;

const CHECKSUM_BYTES: usize = 32;
/// All entries together, about: some twenty plugins in Python, or a thousand in Rust.
const CODE_BYTES_MAX: u64 = 2 << 30;

pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The cache in `folder`, made if it is not there. `None` where it cannot be trusted or made.
    pub(super) fn open(folder: PathBuf) -> Option<Self> {
        let opened = create_private(&folder).and_then(|()| check_private(&folder));
        match opened {
            Ok(()) => Some(Self { folder }),
            Err(reason) => {
                tracing::warn!(folder = %folder.display(), %reason, "compiled plugins are not cached");
                None
            }
        }
    }

    /// The component whose bytes have `digest`, if its code for `engine` is here and whole.
    pub(super) fn load(&self, engine: &Engine, digest: &str) -> Option<Component> {
        let entry = read(&self.path(engine, digest)).ok()?;
        let (checksum, code) = entry.split_at_checked(CHECKSUM_BYTES)?;
        if Sha256::digest(code)[..] != *checksum {
            return None;
        }
        deserialize(engine, code)
    }

    /// Whether there is an entry; only loading tells whether it is whole.
    pub(super) fn has(&self, engine: &Engine, digest: &str) -> bool {
        self.path(engine, digest).exists()
    }

    /// Keeps `component`'s code. A failure costs the next start a compilation, nothing else.
    pub(super) fn store(&self, engine: &Engine, digest: &str, component: &Component) {
        let stored = component
            .serialize()
            .map_err(|error| error.to_string())
            .and_then(|code| {
                self.write(&self.path(engine, digest), &code)
                    .and_then(|()| self.trim(CODE_BYTES_MAX))
                    .map_err(|error| error.to_string())
            });
        if let Err(reason) = stored {
            tracing::debug!(folder = %self.folder.display(), %reason, "a compiled plugin was not cached");
        }
    }

    fn path(&self, engine: &Engine, digest: &str) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let (arch, os) = (std::env::consts::ARCH, std::env::consts::OS);
        self.folder.join(format!(
            "{digest}-{:016x}-{arch}-{os}.code",
            hasher.finish()
        ))
    }

    /// Readers see the old entry or the new one, never half of one.
    fn write(&self, path: &Path, code: &[u8]) -> std::io::Result<()> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let partial = path.with_extension(format!("{}-{count}.partial", std::process::id()));
        let written = write_new(&partial, code).and_then(|()| fs::rename(&partial, path));
        if written.is_err() {
            // Best effort: the error that matters is the first one.
            let _ = fs::remove_file(&partial);
        }
        written
    }

    /// Removes what was not read for longest, beyond `bytes_max`; the newest stays. What a crash left half written
    /// goes the same way.
    fn trim(&self, bytes_max: u64) -> std::io::Result<()> {
        let mut entries: Vec<_> = fs::read_dir(&self.folder)?.filter_map(entry).collect();
        entries.sort_unstable_by_key(|(read_at, ..)| std::cmp::Reverse(*read_at));
        let mut sum = 0;
        for (index, (_, bytes, path)) in entries.into_iter().enumerate() {
            sum += bytes;
            if index > 0 && sum > bytes_max {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// When it was last read, its length and where it is. Other things than entries are nobody's here to remove.
fn entry(found: std::io::Result<fs::DirEntry>) -> Option<(SystemTime, u64, PathBuf)> {
    let path = found.ok()?.path();
    let is_ours = path
        .extension()
        .is_some_and(|extension| extension == "code" || extension == "partial");
    let meta = fs::symlink_metadata(&path).ok()?;
    let read_at = meta.modified().ok()?;
    (is_ours && meta.is_file()).then_some((read_at, meta.len(), path))
}

/// The whole of an entry, which counts as new again.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut entry = Vec::new();
    file.read_to_end(&mut entry)?;
    // Best effort: an entry that looks old is compiled again some day.
    let _ = file.set_modified(SystemTime::now());
    Ok(entry)
}

fn write_new(path: &Path, code: &[u8]) -> std::io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(&Sha256::digest(code))?;
    file.write_all(code)
}

#[allow(
    unsafe_code,
    reason = "wasmtime cannot check that precompiled code is its own; `Cache` does"
)]
fn deserialize(engine: &Engine, code: &[u8]) -> Option<Component> {
    // SAFETY: the bytes must come from `Component::serialize`. They were read from a folder, and below
    // folders, that only this user (or root) can write (`check_private`), where only `Cache::store` writes
    // entries, and the checksum says that they are as written. wasmtime refuses other versions' and other
    // settings' code by itself.
    unsafe { Component::deserialize(engine, code) }.ok()
}

fn create_private(folder: &Path) -> Check<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| error.to_string())
}

/// Refuses a folder that somebody else could put code into, themselves or by renaming a parent.
#[cfg(unix)]
fn check_private(folder: &Path) -> Check<()> {
    use std::os::unix::fs::MetadataExt;
    const STICKY: u32 = 0o1000;
    let me = rustix::process::geteuid().as_raw();
    let folder = folder.canonicalize().map_err(|error| error.to_string())?;
    for (depth, ancestor) in folder.ancestors().enumerate() {
        let meta = ancestor.metadata().map_err(|error| error.to_string())?;
        let (mode, owner) = (meta.mode(), meta.uid());
        let owned = owner == me || (depth > 0 && owner == 0);
        // In a sticky folder nobody renames what is another's.
        let is_kept = depth > 0 && mode & STICKY != 0;
        let writable = others_write(mode, meta.gid(), me, depth);
        if !owned || (writable && !is_kept) {
            return Err(format!("{} can be written by others", ancestor.display()));
        }
    }
    Ok(())
}

/// Whether the group or all may write, at a depth above the folder. A user's private group, which has the user's number
/// and no other member, is the user; the folder itself is made without it, though.
#[cfg(unix)]
fn others_write(mode: u32, group: u32, me: u32, depth: usize) -> bool {
    let is_mine = depth > 0 && me != 0 && group == me;
    let others = if is_mine { 0o002 } else { 0o022 };
    mode & others != 0
}

#[cfg(not(unix))]
fn check_private(_folder: &Path) -> Check<()> {
    Err("who can write the folder is only known on Unix".into())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const DIGEST: &str = "digest";

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("lapidary-cache-{name}-{}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }

        fn cache(&self) -> Cache {
            Cache::open(self.0.clone()).expect("a private folder")
        }

        fn only_entry(&self) -> PathBuf {
            let mut entries = fs::read_dir(&self.0).expect("the folder is there");
            let entry = entries.next().expect("one entry").expect("readable");
            assert!(entries.next().is_none(), "nothing else is left behind");
            entry.path()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            // A folder left in the temporary directory is no failure.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn stored(folder: &Folder, engine: &Engine) {
        let component = Component::new(engine, b"\0asm\x0d\0\x01\0").expect("an empty component");
        folder.cache().store(engine, DIGEST, &component);
    }

    #[test]
    fn stored_code_is_found_again_by_the_same_engine_only() {
        let (folder, engine) = (Folder::new("found"), Engine::default());
        stored(&folder, &engine);
        assert!(folder.cache().load(&engine, DIGEST).is_some());
        assert!(folder.cache().load(&engine, "another").is_none());
        let other =
            Engine::new(wasmtime::Config::new().epoch_interruption(true)).expect("an engine");
        assert!(folder.cache().load(&other, DIGEST).is_none());
    }

    #[test]
    fn damaged_code_is_a_miss() {
        let (folder, engine) = (Folder::new("damaged"), Engine::default());
        stored(&folder, &engine);
        let path = folder.only_entry();
        let whole = fs::read(&path).expect("readable");
        for at in [0, CHECKSUM_BYTES, whole.len() / 2, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).expect("writable");
            assert!(folder.cache().load(&engine, DIGEST).is_none(), "byte {at}");
        }
        for length in [0, 31, 32, whole.len() - 1] {
            fs::write(&path, &whole[..length]).expect("writable");
            assert!(
                folder.cache().load(&engine, DIGEST).is_none(),
                "{length} bytes"
            );
        }
        stored(&folder, &engine);
        assert!(folder.cache().load(&engine, DIGEST).is_some());
    }

    #[test]
    fn a_folder_that_others_can_write_is_no_cache() {
        let folder = Folder::new("shared");
        let below = folder.0.join("below");
        assert!(Cache::open(below.clone()).is_some());
        for mode in [0o770, 0o702] {
            fs::set_permissions(&below, fs::Permissions::from_mode(mode)).expect("ours");
            assert!(Cache::open(below.clone()).is_none(), "mode {mode:o}");
        }
        fs::set_permissions(&below, fs::Permissions::from_mode(0o700)).expect("ours");
        for mode in [0o777, 0o775, 0o2775] {
            fs::set_permissions(&folder.0, fs::Permissions::from_mode(mode)).expect("ours");
            let cache = Cache::open(below.clone());
            assert!(cache.is_none(), "its parent {mode:o} can be renamed away");
        }
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o1777)).expect("ours");
        assert!(Cache::open(below).is_some(), "its parent is sticky");
    }

    #[test]
    fn a_private_group_is_its_user() {
        assert!(!others_write(0o775, 1000, 1000, 1));
        assert!(!others_write(0o755, 50, 1000, 1));
        for (mode, group, me, depth) in [
            (0o777, 1000, 1000, 1),
            (0o775, 50, 1000, 1),
            (0o775, 0, 0, 1),
            (0o775, 1000, 1000, 0),
        ] {
            assert!(
                others_write(mode, group, me, depth),
                "{mode:o} {group} {me}"
            );
        }
    }

    #[test]
    fn what_was_not_read_for_longest_makes_room() {
        let (folder, engine) = (Folder::new("trimmed"), Engine::default());
        let cache = folder.cache();
        let component = Component::new(&engine, b"\0asm\x0d\0\x01\0").expect("an empty component");
        for digest in ["first", "second", "third"] {
            cache.store(&engine, digest, &component);
        }
        let age = |name: &str, seconds: u64| {
            let then = SystemTime::now() - std::time::Duration::from_secs(seconds);
            let file = File::open(folder.0.join(name)).expect("there");
            file.set_modified(then).expect("ours");
        };
        fs::write(folder.0.join("notes.txt"), [0; 99]).expect("writable");
        fs::write(folder.0.join("crashed.partial"), [0; 99]).expect("writable");
        age("notes.txt", 99);
        age("crashed.partial", 90);
        let path = |digest| cache.path(&engine, digest);
        for (digest, seconds) in [("first", 50), ("second", 40), ("third", 30)] {
            let path = path(digest);
            age(
                path.file_name()
                    .and_then(std::ffi::OsStr::to_str)
                    .expect("text"),
                seconds,
            );
        }
        assert!(cache.load(&engine, "first").is_some());
        let bytes = fs::metadata(path("first")).expect("there").len();
        cache.trim(2 * bytes).expect("ours");
        let left = ["first", "second", "third"].map(|digest| cache.has(&engine, digest));
        assert_eq!(left, [true, false, true]);
        assert!(!folder.0.join("crashed.partial").exists());
        assert!(folder.0.join("notes.txt").exists());
        cache.trim(0).expect("ours");
        assert!(cache.has(&engine, "first"), "the newest stays");
    }
}
