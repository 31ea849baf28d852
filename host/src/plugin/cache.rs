//! Compiled code on disk, so that a component is compiled once per machine.
//!
//! An entry is named by the component's digest, the engine's settings and the target, so that whatever
//! changes makes a miss. It begins with the SHA-256 of the rest: a damaged entry is a miss too. Entries are
//! native code; only a folder that nobody else can write is used.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::Check;

const CHECKSUM_BYTES: usize = 32;

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
        let entry = fs::read(self.path(engine, digest)).ok()?;
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
    const OTHERS_WRITE: u32 = 0o022;
    const WORLD_WRITES: u32 = 0o002;
    const STICKY: u32 = 0o1000;
    let me = rustix::process::geteuid().as_raw();
    let folder = folder.canonicalize().map_err(|error| error.to_string())?;
    for (depth, ancestor) in folder.ancestors().enumerate() {
        let meta = ancestor.metadata().map_err(|error| error.to_string())?;
        let (mode, owner) = (meta.mode(), meta.uid());
        let owned = owner == me || (depth > 0 && owner == 0);
        let writable = match depth {
            0 => mode & OTHERS_WRITE != 0,
            _ => mode & WORLD_WRITES != 0 && mode & STICKY == 0,
        };
        if !owned || writable {
            return Err(format!("{} can be written by others", ancestor.display()));
        }
    }
    Ok(())
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
        fs::set_permissions(&folder.0, fs::Permissions::from_mode(0o777)).expect("ours");
        assert!(
            Cache::open(below).is_none(),
            "its parent can be renamed away"
        );
    }
}
