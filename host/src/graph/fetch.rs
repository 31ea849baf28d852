//! Bringing the ONNX Runtime library here, through the machine's own `pip`.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::library::{LibraryLocation, LibraryOrigin, VERSION, find, library_folder, locate};
use crate::error::{Error, Result};

/// One platform's wheel, and the library inside it.
struct Wheel {
    os: &'static str,
    arch: &'static str,
    /// As `pip download --platform` names it.
    platform: &'static str,
    member: &'static str,
    /// Of the library, not of the wheel: every Python version's wheel has the same library.
    sha256: &'static str,
}

/// Taken from the `onnxruntime` 1.31.1 wheels of the Python package index, with `pip download --platform`.
const WHEELS: [Wheel; 4] = [
    Wheel {
        os: "linux",
        arch: "x86_64",
        platform: "manylinux_2_28_x86_64",
        member: "onnxruntime/capi/libonnxruntime.so.1.31.1",
        sha256: "fc44112fbe06d7d689c57e11d3862031f64711007e4ee020f8eed5185fd2c1d3",
    },
    Wheel {
        os: "linux",
        arch: "aarch64",
        platform: "manylinux_2_28_aarch64",
        member: "onnxruntime/capi/libonnxruntime.so.1.31.1",
        sha256: "8aa3b76b28c778a2b1dd660d34161adb1d508c9ccd04ff9dc80e26eca5df8467",
    },
    Wheel {
        os: "macos",
        arch: "aarch64",
        platform: "macosx_14_0_arm64",
        member: "onnxruntime/capi/libonnxruntime.1.31.1.dylib",
        sha256: "d586cbe89effc085a09d3341b3cfbd5c322517f9d397aeb20814af21433f2b36",
    },
    Wheel {
        os: "windows",
        arch: "x86_64",
        platform: "win_amd64",
        member: "onnxruntime/capi/onnxruntime.dll",
        sha256: "e45f61e50d8650885452be538a00bb14a715e46a1bc3691000ce947e89ed0306",
    },
];

/// What may start pip, in the order tried.
const PIPS: [&[&str]; 4] = [
    &["python3", "-m", "pip"],
    &["pip3"],
    &["pip"],
    &["python", "-m", "pip"],
];

const SUBJECT: &str = "fetching ONNX Runtime";

/// Finds the library, or fetches it when no rule finds any.
///
/// # Errors
/// As [`locate`] for one that is there but unusable, else as [`fetch`].
pub fn locate_or_fetch(progress: &mut dyn FnMut(&str)) -> Result<LibraryLocation> {
    static FETCHING: Mutex<()> = Mutex::new(());
    // Tests call this from many threads, and one download is enough.
    let _one_at_a_time = FETCHING.lock().unwrap_or_else(PoisonError::into_inner);
    if find()?.is_none() {
        fetch(progress)
    } else {
        locate()
    }
}

/// Downloads ONNX Runtime 1.31.1 with the machine's own `pip`, checks it and puts it into our cache folder.
/// Answers at once when it is there. `progress` gets one line per step.
///
/// # Errors
/// `Unsupported` when there is no wheel for this platform; `Io` when `LAPIDARY_OFFLINE` is set, there is no pip,
/// pip fails, or the library is not the pinned one.
pub fn fetch(progress: &mut dyn FnMut(&str)) -> Result<LibraryLocation> {
    let wheel = wheel_for(std::env::consts::OS, std::env::consts::ARCH)?;
    let folder = library_folder()?;
    let path = folder.join(wheel.member.rsplit('/').next().unwrap_or(wheel.member));
    let is_there = fs::read(&path).is_ok_and(|bytes| sha256(&bytes) == wheel.sha256);
    if !is_there {
        check_online(std::env::var("LAPIDARY_OFFLINE").ok().as_deref())?;
        progress(&format!(
            "fetching ONNX Runtime {VERSION} ({}, about 25 MB) with pip, once",
            wheel.platform
        ));
        let scratch = Scratch::new(&folder)?;
        download(wheel, &scratch.0)?;
        place(
            &extract(wheel, &scratch.0)?,
            &scratch.0.join("library"),
            &path,
        )?;
        progress(&format!(
            "ONNX Runtime {VERSION} is in {}",
            folder.display()
        ));
    }
    // A later start compares only the length: hashing would cost it a tenth of a second.
    let length = fs::metadata(&path)
        .map_err(|cause| Error::reading(&path, cause))?
        .len();
    fs::write(stamp(&path), length.to_string()).map_err(|cause| writing(&path, cause))?;
    Ok(LibraryLocation {
        path,
        version: VERSION.into(),
        origin: LibraryOrigin::Cache,
    })
}

fn wheel_for(os: &str, arch: &str) -> Result<&'static Wheel> {
    let wheel = WHEELS
        .iter()
        .find(|wheel| wheel.os == os && wheel.arch == arch);
    let usable = wheel.filter(|_| !cfg!(target_env = "musl"));
    usable.ok_or_else(|| {
        let detail = format!(
            "there is no wheel for {os} {arch}; build ONNX Runtime {VERSION} and set ORT_DYLIB_PATH"
        );
        Error::unsupported(SUBJECT, detail)
    })
}

fn check_online(offline: Option<&str>) -> Result<()> {
    if matches!(offline, None | Some("" | "0")) {
        return Ok(());
    }
    let detail = "is forbidden by LAPIDARY_OFFLINE; unset it once, or set ORT_DYLIB_PATH to a library of version \
                  1.31 or later";
    Err(Error::io(SUBJECT, detail))
}

fn download(wheel: &Wheel, folder: &Path) -> Result<()> {
    for pip in PIPS {
        let Some(output) = run_pip(pip, wheel, folder) else {
            continue;
        };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() {
            return Ok(());
        }
        if !said.contains("No module named pip") {
            let detail = format!("`{}` failed; {}", pip.join(" "), by_hand(wheel));
            return Err(Error::io(SUBJECT, detail).with_source(last_lines(&said)));
        }
    }
    let detail = format!(
        "expected pip for Python 3, found none; install it and run this again, or {}",
        by_hand(wheel)
    );
    Err(Error::io(SUBJECT, detail))
}

fn run_pip(pip: &[&str], wheel: &Wheel, folder: &Path) -> Option<std::process::Output> {
    let (program, first) = pip.split_first()?;
    let mut command = Command::new(program);
    command.args(first).args([
        "download",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
    ]);
    command.args([
        "--no-deps",
        "--only-binary=:all:",
        "--python-version",
        "3.12",
        "--platform",
        wheel.platform,
    ]);
    command
        .arg("--dest")
        .arg(folder)
        .arg(format!("onnxruntime=={VERSION}"));
    command.stdin(Stdio::null()).output().ok()
}

fn by_hand(wheel: &Wheel) -> String {
    format!(
        "run `pip install onnxruntime=={VERSION}` where there is a network and set ORT_DYLIB_PATH to its {}",
        wheel.member
    )
}

/// pip explains itself at the end.
fn last_lines(said: &str) -> String {
    let lines: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    lines[lines.len().saturating_sub(3)..].join("; ")
}

fn extract(wheel: &Wheel, folder: &Path) -> Result<Vec<u8>> {
    let path = downloaded(folder)?;
    let file = fs::File::open(&path).map_err(|cause| Error::reading(&path, cause))?;
    let broken = |cause| Error::io(SUBJECT, "the wheel is broken; run it again").with_source(cause);
    let mut archive = zip::ZipArchive::new(file).map_err(broken)?;
    let member = archive.by_name(wheel.member).map_err(broken)?;
    let mut bytes = Vec::new();
    member
        .take(256 << 20)
        .read_to_end(&mut bytes)
        .map_err(|cause| Error::reading(&path, cause))?;
    check(&bytes, wheel)?;
    Ok(bytes)
}

fn downloaded(folder: &Path) -> Result<PathBuf> {
    let files = fs::read_dir(folder).map_err(|cause| Error::reading(folder, cause))?;
    let mut paths = files.flatten().map(|file| file.path());
    let wheel = paths.find(|path| path.extension().is_some_and(|extension| extension == "whl"));
    wheel.ok_or_else(|| Error::io(SUBJECT, "pip ended well but left no wheel; run it again"))
}

fn check(bytes: &[u8], wheel: &Wheel) -> Result<()> {
    let found = sha256(bytes);
    if found == wheel.sha256 {
        return Ok(());
    }
    let detail = format!(
        "expected a library with SHA-256 {}, found {found}; check the index that pip uses",
        wheel.sha256
    );
    Err(Error::io(SUBJECT, detail))
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Whether the library in our cache folder is as long as it was when its hash was checked.
pub(super) fn is_whole(path: &Path) -> bool {
    let length = fs::read_to_string(stamp(path))
        .ok()
        .and_then(|text| text.parse().ok());
    length.is_some() && length == fs::metadata(path).ok().map(|file| file.len())
}

fn stamp(library: &Path) -> PathBuf {
    library.with_added_extension("size")
}

/// Writes beside the goal and renames, so that a reader sees nothing or all of it, however many write at once.
fn place(bytes: &[u8], beside: &Path, goal: &Path) -> Result<()> {
    let written = fs::File::create(beside).and_then(|mut file| {
        std::io::Write::write_all(&mut file, bytes)?;
        file.sync_all()
    });
    written
        .and_then(|()| fs::rename(beside, goal))
        .map_err(|cause| writing(goal, cause))
}

fn writing(path: &Path, cause: std::io::Error) -> Error {
    let detail = format!("cannot be written: {cause}; set LAPIDARY_CACHE to a folder that can");
    Error::io(path.display().to_string(), detail).with_source(cause)
}

/// A folder of our own, gone when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(parent: &Path) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = parent.join(format!(".fetch-{}-{count}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|cause| writing(&folder, cause))?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A folder that stays behind does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn offline_forbids_fetching() {
        assert_eq!(check_online(Some("1")).unwrap_err().kind(), ErrorKind::Io);
        assert!(check_online(None).is_ok());
        assert!(check_online(Some("0")).is_ok());
    }

    #[test]
    fn a_platform_without_a_wheel_is_told_to_bring_its_own_library() {
        let error = wheel_for("plan9", "mips").err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("ORT_DYLIB_PATH"));
    }

    #[test]
    fn a_library_with_another_hash_is_refused() {
        let error = check(b"something else", &WHEELS[0]).unwrap_err();
        assert!(error.to_string().contains("fc44112f"), "{error}");
    }

    #[test]
    fn every_pinned_hash_is_a_sha256() {
        assert!(WHEELS.iter().all(|wheel| wheel.sha256.len() == 64));
    }

    #[test]
    fn only_the_end_of_what_pip_said_is_kept() {
        assert_eq!(last_lines("a\nb\n\nc\n d \n"), "b; c; d");
        assert_eq!(last_lines(""), "");
    }
}
