//! Signing, packing and sharing a plugin.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::registry::Registry;
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
    let (share, registry) = (Share::new("pushed"), Registry::new(false));
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
    let (share, registry) = (Share::new("account"), Registry::new(true));
    let digest = share.pack();
    let reference = format!("{}/me/x:1.2.3", registry.host);
    let arguments = ["plugin", "push", &share.path("build/oci"), &reference];
    refused(&run(&arguments), 1, "set LAPIDARY_REGISTRY_USER");
    let mut command = lapidary(&arguments);
    command
        .env("LAPIDARY_REGISTRY_USER", "me")
        .env("LAPIDARY_REGISTRY_PASSWORD", "secret");
    assert_eq!(passed(&command.output().unwrap()), digest);
}
