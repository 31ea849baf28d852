//! The contract as files, for the tools of other languages: this host's own, and a world for one plugin.

use std::fs;
use std::path::{Path, PathBuf};

use super::manifest::{Manifest, WorldName};

/// The world that a plugin in another language than Rust is built for.
pub const WORLD: &str = "guest";

const VERSION: &str = "0.1.0";

/// The files of `wit`, as this command was built with them, less the preview's, which only Rust's tools were tried with.
const FILES: [(&str, &str); 8] = [
    ("types.wit", include_str!("../../../../../wit/types.wit")),
    ("format.wit", include_str!("../../../../../wit/format.wit")),
    (
        "constraint.wit",
        include_str!("../../../../../wit/constraint.wit"),
    ),
    ("tools.wit", include_str!("../../../../../wit/tools.wit")),
    (
        "capabilities.wit",
        include_str!("../../../../../wit/capabilities.wit"),
    ),
    ("agent.wit", include_str!("../../../../../wit/agent.wit")),
    ("logits.wit", include_str!("../../../../../wit/logits.wit")),
    (
        "handover.wit",
        include_str!("../../../../../wit/handover.wit"),
    ),
];

/// Writes the contract below `folder` and returns the folder that describes the plugin's world.
pub fn write(manifest: &Manifest, folder: &Path) -> anyhow::Result<PathBuf> {
    let wit = folder.join("wit");
    let package = wit.join("deps").join("lapidary-plugin");
    fs::create_dir_all(&package)?;
    for (name, text) in FILES {
        fs::write(package.join(name), text)?;
    }
    fs::write(wit.join("world.wit"), world(manifest))?;
    Ok(wit)
}

/// Imports what the manifest names and nothing else: a runtime that is linked into a guest would otherwise ask
/// for all that the contract's world offers.
fn world(manifest: &Manifest) -> String {
    let interface =
        |kind: &str, name: &str| format!("    {kind} lapidary:plugin/{name}@{VERSION};\n");
    let (needed, exports): (&[&str], &[&str]) = match manifest.world {
        WorldName::Tool => (&[], &["tools"]),
        WorldName::Format => (&[], &["format", "template", "parser"]),
        WorldName::Agent => (&[], &["pipeline"]),
        WorldName::Logits => (&["logits"], &["processor"]),
    };
    let wanted = manifest.imports.iter().map(String::as_str);
    let imports = needed.iter().copied().chain(wanted);
    let imports = imports.map(|name| interface("import", name));
    let handover = manifest.adopts.then_some("handover");
    let exports = exports.iter().copied().chain(handover);
    let exports = exports.map(|name| interface("export", name));
    let body: String = imports.chain(exports).collect();
    format!("package lapidary:author;\n\nworld {WORLD} {{\n{body}}}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_is_whole() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
        let mut there: Vec<String> = fs::read_dir(folder)
            .expect("the contract")
            .map(|entry| {
                entry
                    .expect("a file")
                    .file_name()
                    .to_string_lossy()
                    .into_owned()
            })
            .filter(|name| name != "streaming.wit")
            .collect();
        let mut here = FILES.map(|(name, _)| name.to_owned());
        there.sort();
        here.sort();
        assert_eq!(there, here);
    }
}
