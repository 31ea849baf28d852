//! Finding and starting the ONNX Runtime library.
//!
//! The first of these that exists is used, and it is an error if that one does not fit: `ORT_DYLIB_PATH`, the
//! folder of the executable, our cache folder. This module never downloads by itself; [`fetch`] does when called.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use ort::environment::{Environment, EnvironmentBuilder};
use ort::logging::LogLevel;

use super::fetch::is_whole;
pub use super::fetch::{fetch, locate_or_fetch};
use crate::error::{Error, Result};

#[cfg(not(any(feature = "ort-dynamic", feature = "ort-download")))]
compile_error!(
    "ONNX Runtime has to come from somewhere: enable feature ort-dynamic or ort-download"
);

/// The version that [`fetch`] brings, which is the one that `ort` is made for.
pub const VERSION: &str = "1.31.1";

/// The oldest usable version: `ort` is built for this interface, and before 1.28 fused experts compute wrongly.
pub const VERSION_MIN: &str = "1.31";

/// Where the library is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryLocation {
    /// The shared library, or the executable that has it inside.
    pub path: PathBuf,
    /// `1.31.1`, or `1.31` when the file's name does not tell the rest.
    pub version: String,
    /// Which rule found it.
    pub origin: LibraryOrigin,
}

/// Which rule found the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LibraryOrigin {
    /// `ORT_DYLIB_PATH`.
    Variable,
    /// The folder of the executable.
    Executable,
    /// Our cache folder, filled by [`fetch`].
    Cache,
    /// It is part of the executable (feature `ort-download`).
    Linked,
}

struct Loaded {
    location: LibraryLocation,
    environment: Environment,
}

static LOADED: OnceLock<Loaded> = OnceLock::new();
static LOADING: Mutex<()> = Mutex::new(());

/// Finds the library and checks its version, without starting it.
///
/// # Errors
/// `Io` when there is none, or the one found is too old or no ONNX Runtime for this machine.
pub fn locate() -> Result<LibraryLocation> {
    let _one_at_a_time = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(loaded) = LOADED.get() {
        return Ok(loaded.location.clone());
    }
    let (path, origin) = find()?.ok_or_else(missing)?;
    let version = version(&path, origin)?;
    Ok(LibraryLocation {
        path,
        version,
        origin,
    })
}

/// Finds and starts the library; once per process, later calls answer at once. A failure is not remembered.
///
/// # Errors
/// As [`locate`], and `Graph` when the library does not start.
pub fn initialize() -> Result<&'static LibraryLocation> {
    Ok(&loaded()?.location)
}

/// Where Lapidary keeps what it can make or fetch again: `lapidary` inside `LAPIDARY_CACHE` or the platform's
/// cache folder.
///
/// # Errors
/// `Io` when the platform has no cache folder.
pub fn cache_folder() -> Result<PathBuf> {
    let set = std::env::var_os("LAPIDARY_CACHE").filter(|folder| !folder.is_empty());
    let folder = set.map(PathBuf::from).or_else(dirs::cache_dir);
    let none = || {
        Error::io(
            "cache folder",
            "this system has none; set LAPIDARY_CACHE to a folder",
        )
    };
    Ok(folder.ok_or_else(none)?.join("lapidary"))
}

/// The environment every graph lives in. Everything of `ort` that could panic without a library comes after this.
pub(super) fn environment() -> Result<&'static Environment> {
    Ok(&loaded()?.environment)
}

/// The folder that [`fetch`] fills.
pub(super) fn library_folder() -> Result<PathBuf> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    Ok(cache_folder()?.join(format!("onnxruntime-{VERSION}-{os}-{arch}")))
}

/// The library's path if any rule has one.
pub(super) fn find() -> Result<Option<(PathBuf, LibraryOrigin)>> {
    if cfg!(not(feature = "ort-dynamic")) {
        let executable = std::env::current_exe().unwrap_or_default();
        return Ok(Some((executable, LibraryOrigin::Linked)));
    }
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        return named_by_variable(Path::new(&path)).map(Some);
    }
    let in_folder = |(folder, origin): (PathBuf, _)| {
        // Loading a library that was cut short would end the process.
        let is_usable = |path: &PathBuf| origin != LibraryOrigin::Cache || is_whole(path);
        library_in(&folder)
            .filter(is_usable)
            .map(|path| (path, origin))
    };
    Ok(folders().into_iter().find_map(in_folder))
}

/// Reads the version without keeping the library.
#[cfg(feature = "ort-dynamic")]
fn version(path: &Path, origin: LibraryOrigin) -> Result<String> {
    match ort::util::probe(path) {
        Some(minor) if minor >= ort::MINOR_VERSION => Ok(full_version(path, minor)),
        // This one is known to fail, so it says why and starts nothing.
        Some(_) | None => match ort::init_from(path) {
            Err(cause) => Err(refused(path, origin, cause)),
            Ok(_) => Err(Error::io(
                subject(path),
                "changed while it was read; run it again",
            )),
        },
    }
}

#[cfg(not(feature = "ort-dynamic"))]
fn version(_: &Path, _: LibraryOrigin) -> Result<String> {
    Ok(format!("1.{}", ort::MINOR_VERSION))
}

fn loaded() -> Result<&'static Loaded> {
    if let Some(loaded) = LOADED.get() {
        return Ok(loaded);
    }
    let _one_at_a_time = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(loaded) = LOADED.get() {
        return Ok(loaded);
    }
    let (path, origin) = find()?.ok_or_else(missing)?;
    let environment = start(open(&path, origin)?)?;
    let version = version(&path, origin)?;
    let location = LibraryLocation {
        path,
        version,
        origin,
    };
    Ok(LOADED.get_or_init(|| Loaded {
        location,
        environment,
    }))
}

#[cfg(feature = "ort-dynamic")]
fn open(path: &Path, origin: LibraryOrigin) -> Result<EnvironmentBuilder> {
    ort::init_from(path).map_err(|cause| refused(path, origin, cause))
}

#[cfg(not(feature = "ort-dynamic"))]
fn open(_: &Path, _: LibraryOrigin) -> Result<EnvironmentBuilder> {
    Ok(ort::init())
}

fn start(builder: EnvironmentBuilder) -> Result<Environment> {
    let environment = builder.with_name("lapidary").with_telemetry(false).build();
    let environment = environment
        .map_err(|cause| Error::graph("ONNX Runtime", "does not start").with_source(cause))?;
    // What it would print comes back as an error anyway; ORT_LOG asks for more.
    if std::env::var_os("ORT_LOG").is_none() {
        environment.set_log_level(LogLevel::Fatal);
    }
    Ok(environment)
}

fn named_by_variable(path: &Path) -> Result<(PathBuf, LibraryOrigin)> {
    if !path.is_file() {
        let detail = format!("is what ORT_DYLIB_PATH names, but there is no such file; {CURE}");
        return Err(Error::io(subject(path), detail));
    }
    // `ort` would look for a relative path beside the executable.
    let path = std::path::absolute(path).map_err(|cause| Error::reading(path, cause))?;
    Ok((path, LibraryOrigin::Variable))
}

fn folders() -> Vec<(PathBuf, LibraryOrigin)> {
    let executable = std::env::current_exe().ok();
    let beside = executable.and_then(|path| path.parent().map(Path::to_path_buf));
    let beside = beside.map(|folder| (folder, LibraryOrigin::Executable));
    let cached = library_folder()
        .ok()
        .map(|folder| (folder, LibraryOrigin::Cache));
    beside.into_iter().chain(cached).collect()
}

fn library_in(folder: &Path) -> Option<PathBuf> {
    let names: &[&str] = if cfg!(windows) {
        &["onnxruntime.dll"]
    } else if cfg!(target_os = "macos") {
        &["libonnxruntime.1.31.1.dylib", "libonnxruntime.dylib"]
    } else {
        &[
            "libonnxruntime.so.1.31.1",
            "libonnxruntime.so.1",
            "libonnxruntime.so",
        ]
    };
    names
        .iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

/// The file's name often has the part of the version that the library does not tell cheaply.
#[cfg(feature = "ort-dynamic")]
fn full_version(path: &Path, minor: u32) -> String {
    let short = format!("1.{minor}");
    let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let Some((_, patch)) = name.split_once(&format!("{short}.")) else {
        return short;
    };
    let patch: String = patch.chars().take_while(char::is_ascii_digit).collect();
    if patch.is_empty() {
        short
    } else {
        format!("{short}.{patch}")
    }
}

const CURE: &str = "unset ORT_DYLIB_PATH and run `lapidary doctor`, which fetches 1.31.1, or set it to the library \
                    inside an installed `pip install onnxruntime==1.31.1`";

fn subject(path: &Path) -> String {
    format!("ONNX Runtime library {}", path.display())
}

fn missing() -> Error {
    let folders: Vec<_> = folders()
        .iter()
        .map(|(folder, _)| folder.display().to_string())
        .collect();
    let detail = format!(
        "expected version {VERSION_MIN} or later, found none in {}; run `lapidary doctor`, which fetches {VERSION}, \
         or set ORT_DYLIB_PATH to the library inside an installed `pip install onnxruntime=={VERSION}`",
        folders.join(" or ")
    );
    Error::io("ONNX Runtime library", detail)
}

#[cfg(feature = "ort-dynamic")]
fn refused(path: &Path, origin: LibraryOrigin, cause: ort::LoadDynamicError) -> Error {
    use ort::LoadDynamicError as Cause;
    let found = match &cause {
        Cause::BadVersion { version_str, .. } => format!("version {version_str}"),
        Cause::MissingApi { .. } => "a library that is not ONNX Runtime".into(),
        Cause::InvalidVersionString => "an unreadable version".into(),
        Cause::Dlopen { .. } => "a file that this machine does not load as a library".into(),
    };
    let cure = match origin {
        LibraryOrigin::Variable | LibraryOrigin::Linked => CURE,
        LibraryOrigin::Executable => "remove it from beside the executable",
        LibraryOrigin::Cache => "delete it and run `lapidary doctor`, which fetches it again",
    };
    let detail = format!("expected version {VERSION_MIN} or later, found {found}; {cure}");
    let error = Error::io(subject(path), detail);
    match cause {
        // What the loader said is one level deeper, and `ort` leaves it out.
        Cause::Dlopen { error: cause, .. } => error.with_source(cause),
        cause => error.with_source(cause),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "ort-dynamic")]
    fn the_version_comes_from_the_file_name_where_it_agrees() {
        assert_eq!(
            full_version(Path::new("/x/libonnxruntime.so.1.31.1"), 31),
            "1.31.1"
        );
        assert_eq!(
            full_version(Path::new("/x/libonnxruntime.1.32.10.dylib"), 32),
            "1.32.10"
        );
        assert_eq!(full_version(Path::new("/x/onnxruntime.dll"), 31), "1.31");
        assert_eq!(
            full_version(Path::new("/x/libonnxruntime.so.1.30.0"), 31),
            "1.31"
        );
    }

    #[test]
    fn a_missing_library_says_where_it_was_looked_for_and_what_to_type() {
        let text = missing().to_string();
        for part in [
            "1.31 or later",
            "onnxruntime-1.31.1-",
            "lapidary doctor",
            "ORT_DYLIB_PATH",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }
}
