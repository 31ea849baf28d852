//! The plug-in through the extism crate.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use extism::{CompiledPlugin, Manifest, Plugin, PluginBuilder, Wasm};

use crate::table::Outcome;

/// 64 MiB, as Lapidary's default.
const PAGES_MAX: u32 = 1_024;

/// The plug-in in `guest`, compiled.
pub struct Extism {
    bytes: Vec<u8>,
    /// Where its machine code is kept.
    cache: PathBuf,
    compiled: CompiledPlugin,
}

/// One that lives.
pub struct Instance(Plugin);

impl Extism {
    /// Builds the plug-in, and keeps its machine code below `folder`.
    pub fn build(folder: &Path) -> Outcome<Self> {
        let bytes = build_guest()?;
        std::fs::create_dir_all(folder)?;
        let cache = folder.join("extism.toml");
        let directory = folder.join("theirs");
        std::fs::write(&cache, format!("[cache]\ndirectory = {directory:?}\n"))?;
        let compiled = CompiledPlugin::new(builder(&bytes, &cache))?;
        Ok(Self {
            bytes,
            cache,
            compiled,
        })
    }

    /// From bytes to a plug-in.
    pub fn load(&self) -> Outcome<Plugin> {
        Ok(builder(&self.bytes, &self.cache).build()?)
    }

    /// An instance of the plug-in that is compiled.
    pub fn instance(&self) -> Outcome<Instance> {
        Ok(Instance(Plugin::new_from_compiled(&self.compiled)?))
    }
}

impl Instance {
    /// Calls a function, and reads what it says.
    pub fn call(&mut self, function: &str, input: &str) -> Outcome<()> {
        self.0.call::<_, String>(function, input)?;
        Ok(())
    }

    /// As [`Instance::call`], and sees that it says `expected`.
    pub fn answer(&mut self, function: &str, input: &str, expected: &str) -> Outcome<()> {
        let said = self.0.call::<_, String>(function, input)?;
        assert_eq!(said, expected);
        Ok(())
    }
}

/// With a deadline and a bound on memory, as ours have.
fn builder<'a>(bytes: &[u8], cache: &Path) -> PluginBuilder<'a> {
    let manifest = Manifest::new([Wasm::data(bytes.to_vec())])
        .with_timeout(Duration::from_secs(60))
        .with_memory_max(PAGES_MAX);
    PluginBuilder::new(manifest)
        .with_wasi(false)
        .with_cache_config(cache)
}

fn build_guest() -> Outcome<Vec<u8>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = here.join("target");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(target, PathBuf::from);
    let wasm = "wasm32-unknown-unknown";
    let built = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()))
        .args([
            "build",
            "--package",
            "extism-guest",
            "--profile",
            "guest",
            "--target",
            wasm,
        ])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(here)
        .status()?;
    if !built.success() {
        return Err("extism-guest cannot be compiled".into());
    }
    Ok(std::fs::read(
        target.join(wasm).join("guest/extism_guest.wasm"),
    )?)
}
