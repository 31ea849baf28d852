//! Signing, packing and sharing a plugin.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::registry::{Habits, Registry};
use crate::{lapidary, refused, run, text};

/// A plugin's folder with a component in it, as after `lapidary plugin build`.
struct Share {
    folder: PathBuf,
}

impl Share {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("share")
            .join(name);
        // Of an earlier run.
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(folder.join("build")).unwrap();
        let manifest =
            "name = \"sum\"\nversion = \"1.2.3\"\nworld = \"tool\"\nlanguage = \"rust\"\n";
        fs::write(folder.join("plugin.toml"), manifest).unwrap();
        fs::write(
            folder.join("build/sum.wasm"),
            lapidary_guests::TOOL_CALCULATOR,
        )
        .unwrap();
        Self { folder }
    }

    fn path(&self, file: &str) -> String {
        self.folder.join(file).to_str().unwrap().to_owned()
    }

    fn sign(&self) -> String {
        let key = self.path("key.pem");
        let signer = passed(&run(&["plugin", "key", &key]));
        let file = self.path("build/sum.wasm");
        assert_eq!(
            passed(&run(&["plugin", "sign", "--key", &key, &file])),
            signer
        );
        signer.trim_end().to_owned()
    }

    fn pack(&self) -> String {
        passed(&run(&["plugin", "pack", &self.path("")]))
    }

    fn pull(&self, reference: &str, flags: &[&str]) -> Output {
        let (out, lock) = (self.path("pulled.wasm"), self.path("lapidary.lock"));
        let arguments = ["plugin", "pull", reference, "--out", &out, "--lock", &lock];
        run(&[&arguments, flags].concat())
    }
}

fn passed(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

fn check(file: &str) -> Value {
    let output = run(&["plugin", "check", "--json", file]);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_signature_names_its_signer_and_keeps_the_digest() {
    let share = Share::new("signed");
    let file = share.path("build/sum.wasm");
    let before = check(&file);
    refused(&run(&["plugin", "verify", &file]), 2, "is not signed");
    let signer = share.sign();
    let after = check(&file);
    assert_eq!(
        (&before["signer"], &before["digest"]),
        (&Value::Null, &after["digest"])
    );
    assert_eq!(
        (&after["signer"], &after["verdict"]),
        (&signer.clone().into(), &"fits".into())
    );
    assert_eq!(
        passed(&run(&["plugin", "verify", "--signer", &signer, &file])).trim_end(),
        signer
    );
    let other = "ed25519:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    refused(
        &run(&["plugin", "verify", "--signer", other, &file]),
        2,
        "none of the signers asked for",
    );
    // Signing again replaces the signature.
    let key = share.path("key.pem");
    let signed = fs::read(&file).unwrap();
    passed(&run(&["plugin", "sign", "--key", &key, &file]));
    assert_eq!(fs::read(&file).unwrap(), signed);
    refused(&run(&["plugin", "key", &key]), 1, "cannot be made");
}

#[test]
fn a_signed_component_that_was_changed_is_refused_everywhere() {
    let share = Share::new("changed");
    let signer = share.sign();
    let signed = fs::read(share.path("build/sum.wasm")).unwrap();
    let changed = share.path("changed.wasm");
    for at in [
        signed.len() / 2,
        signed.len() - 200,
        signed.len() - 90,
        signed.len() - 1,
    ] {
        let mut bytes = signed.clone();
        bytes[at] ^= 1;
        fs::write(&changed, bytes).unwrap();
        for arguments in [
            &["plugin", "verify", "--signer", &signer, &changed][..],
            &["inspect", &changed],
        ] {
            assert_eq!(run(arguments).status.code(), Some(2), "byte {at}");
        }
        assert_eq!(check(&changed)["verdict"], "refused", "byte {at}");
    }
    // A section put behind the signature: valid, and not signed by anybody.
    fs::write(&changed, [&signed[..], b"\0\x02\x01x"].concat()).unwrap();
    refused(
        &run(&["plugin", "verify", &changed]),
        2,
        "something was put behind its signature",
    );
    assert_eq!(check(&changed)["signer"], Value::Null);
}

#[test]
fn a_packed_plugin_comes_out_as_it_went_in_and_is_pinned() {
    let share = Share::new("packed");
    let signer = share.sign();
    let digest = share.pack();
    let reference = format!("oci:{}:1.2.3", share.path("build/oci"));
    assert_eq!(passed(&share.pull(&reference, &[])), digest);
    assert_eq!(
        fs::read(share.path("pulled.wasm")).unwrap(),
        fs::read(share.path("build/sum.wasm")).unwrap()
    );
    let lock = fs::read_to_string(share.path("lapidary.lock")).unwrap();
    for part in [digest.trim_end(), &signer, &reference] {
        assert!(lock.contains(part), "{lock}");
    }
    // The tag moves on; what is pinned does not.
    fs::write(share.path("build/sum.wasm"), lapidary_guests::TOOL_WEATHER).unwrap();
    let next = share.pack();
    assert_eq!(passed(&share.pull(&reference, &[])), digest);
    assert_eq!(passed(&share.pull(&reference, &["--update"])), next);
}

#[test]
fn a_pin_is_brought_whatever_a_layout_says() {
    let share = Share::new("forged");
    let pinned = share.pack();
    let reference = format!("oci:{}:1.2.3", share.path("build/oci"));
    passed(&share.pull(&reference, &[]));
    fs::write(share.path("build/sum.wasm"), lapidary_guests::TOOL_WEATHER).unwrap();
    share.pack();
    // The new one's tag is the old one's digest.
    let index = share.path("build/oci/index.json");
    let text = fs::read_to_string(&index).unwrap();
    let forged = text.replace("1.2.3", pinned.trim_end());
    assert_ne!(forged, text);
    fs::write(&index, forged).unwrap();
    assert_eq!(passed(&share.pull(&reference, &[])), pinned);
    assert_eq!(
        fs::read(share.path("pulled.wasm")).unwrap(),
        lapidary_guests::TOOL_CALCULATOR
    );
    // A pin that is no digest pins nothing, and nothing comes.
    fs::write(&index, text).unwrap();
    let lock = share.path("lapidary.lock");
    let pins = fs::read_to_string(&lock).unwrap();
    fs::write(&lock, pins.replace(pinned.trim_end(), "1.2.3")).unwrap();
    refused(&share.pull(&reference, &[]), 2, "to 1.2.3, found sha256:");
}

#[cfg(unix)]
#[test]
fn a_lock_file_that_leads_nowhere_is_no_empty_one() {
    let share = Share::new("lock");
    share.pack();
    std::os::unix::fs::symlink("/nowhere/lock", share.path("lapidary.lock")).unwrap();
    let reference = format!("oci:{}", share.path("build/oci"));
    refused(
        &share.pull(&reference, &[]),
        1,
        "lapidary.lock: cannot be read",
    );
    assert!(!Path::new(&share.path("pulled.wasm")).exists());
}

#[test]
fn the_lock_file_is_written_before_the_component() {
    let share = Share::new("order");
    share.pack();
    let reference = format!("oci:{}", share.path("build/oci"));
    let (out, lock) = (
        share.path("pulled.wasm"),
        share.path("nowhere/lapidary.lock"),
    );
    let pull = ["plugin", "pull", &reference, "--out", &out, "--lock", &lock];
    refused(&run(&pull), 1, "lapidary.lock: cannot be written");
    assert!(!Path::new(&out).exists());
}

#[cfg(unix)]
#[test]
fn a_layout_is_read_within_bounds() {
    let share = Share::new("endless");
    let digest = share.pack();
    let reference = format!("oci:{}", share.path("build/oci"));
    let hex = digest.trim_end().replace("sha256:", "");
    let manifest = share.path(&format!("build/oci/blobs/sha256/{hex}"));
    let endless = |path: &str, cause: &str| {
        let kept = fs::read(path).unwrap();
        fs::remove_file(path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path).unwrap();
        refused(&share.pull(&reference, &[]), 2, "expected a file");
        fs::remove_file(path).unwrap();
        fs::write(path, [&kept[..], &vec![b' '; 1 << 20]].concat()).unwrap();
        refused(&share.pull(&reference, &[]), 2, cause);
        fs::write(path, kept).unwrap();
    };
    endless(
        &share.path("build/oci/index.json"),
        "expected at most 1048576 bytes",
    );
    endless(&manifest, "expected at most 1048576 bytes");
    let component = share.path("build/sum.wasm");
    let size = fs::metadata(&component).unwrap().len();
    let blobs = fs::read_dir(share.path("build/oci/blobs/sha256")).unwrap();
    let mut blobs = blobs.map(|blob| blob.unwrap().path());
    let blob = blobs
        .find(|blob| fs::metadata(blob).unwrap().len() == size)
        .unwrap();
    let cause = format!("expected at most {size} bytes");
    endless(blob.to_str().unwrap(), &cause);
    passed(&share.pull(&reference, &[]));
}

#[test]
fn damage_in_a_layout_is_found() {
    let share = Share::new("damaged");
    share.pack();
    let reference = format!("oci:{}", share.path("build/oci"));
    let blobs = fs::read_dir(share.path("build/oci/blobs/sha256")).unwrap();
    let mut count = 0;
    for blob in blobs {
        let path = blob.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let mut damaged = bytes.clone();
        damaged[bytes.len() / 2] ^= 1;
        fs::write(&path, damaged).unwrap();
        refused(
            &share.pull(&reference, &[]),
            2,
            "it was changed or is damaged",
        );
        fs::write(&path, bytes).unwrap();
        count += 1;
    }
    assert_eq!(count, 3, "a manifest, a config and a component");
    refused(
        &share.pull("oci:nowhere", &[]),
        1,
        "index.json: cannot be read",
    );
    refused(
        &share.pull("nowhere", &[]),
        2,
        "expected a registry, a repository and a tag",
    );
}

#[test]
fn a_plugin_goes_through_a_registry() {
    let (share, registry) = (Share::new("pushed"), Registry::new(Habits::default()));
    let digest = share.pack();
    let reference = format!("{}/me/x:1.2.3", registry.host);
    let layout = share.path("build/oci");
    assert_eq!(
        passed(&run(&["plugin", "push", &layout, &reference])),
        digest
    );
    assert_eq!(passed(&share.pull(&reference, &[])), digest);
    assert_eq!(
        fs::read(share.path("pulled.wasm")).unwrap(),
        lapidary_guests::TOOL_CALCULATOR
    );
    // The tag moves on; the pinned one still comes.
    fs::write(share.path("build/sum.wasm"), lapidary_guests::TOOL_WEATHER).unwrap();
    let next = share.pack();
    passed(&run(&["plugin", "push", &layout, &reference]));
    assert_eq!(passed(&share.pull(&reference, &[])), digest);
    assert_eq!(passed(&share.pull(&reference, &["--update"])), next);
    registry.replace(next.trim_end(), b"{}");
    refused(
        &share.pull(&reference, &[]),
        2,
        "it was changed or is damaged",
    );
    let missing = format!("{}/me/x:none", registry.host);
    refused(
        &share.pull(&missing, &[]),
        1,
        "check registry, repository and tag",
    );
}

#[test]
fn a_registry_may_want_an_account() {
    let (share, registry) = (Share::new("account"), guarded(None));
    let digest = share.pack();
    let reference = format!("{}/me/x:1.2.3", registry.host);
    let arguments = ["plugin", "push", &share.path("build/oci"), &reference];
    let cure = format!("set LAPIDARY_REGISTRY to {},", registry.host);
    refused(&run(&arguments), 1, &cure);
    assert_eq!(passed(&with_account(&registry.host, &arguments)), digest);
}

/// A registry that wants an account; `realm` is what it calls this machine.
fn guarded(realm: Option<&'static str>) -> Registry {
    Registry::new(Habits {
        needs_account: true,
        realm,
        uploads: None,
    })
}

/// With an account for `registry` in the environment.
fn with_account(registry: &str, arguments: &[&str]) -> Output {
    let mut command = lapidary(arguments);
    command
        .env("LAPIDARY_REGISTRY", registry)
        .env("LAPIDARY_REGISTRY_USER", "me")
        .env("LAPIDARY_REGISTRY_PASSWORD", "secret");
    command.output().unwrap()
}

#[test]
fn an_account_is_told_to_its_registry_alone() {
    let share = Share::new("strangers");
    share.pack();
    let layout = share.path("build/oci");
    let push = |to: &Registry, account: &str| {
        let reference = format!("{}/me/x:1.2.3", to.host);
        with_account(account, &["plugin", "push", &layout, &reference])
    };
    let stranger = guarded(None);
    refused(&push(&stranger, "ghcr.io"), 1, "answered 401");
    assert!(!stranger.was_told(), "another registry than the account's");
    let in_the_clear = guarded(Some("0.0.0.0"));
    let refusal = push(&in_the_clear, &in_the_clear.host);
    refused(&refusal, 1, "expected an https:// address");
    assert!(!in_the_clear.was_told(), "tokens in the clear");
    let own = Registry::new(Habits {
        uploads: Some(stranger.host.clone()),
        ..Habits::default()
    });
    refused(&push(&own, &own.host), 1, "answered 401");
    assert!(!stranger.was_told(), "where uploads are sent");
}
