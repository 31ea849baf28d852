//! Components from C: bindings, a compiler, and the wrapping that `wasm-tools component new` does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;
use wit_bindgen_core::Files;
use wit_component::ComponentEncoder;
use wit_parser::{Resolve, WorldId};

use super::{contract, tool};
use crate::screen;

/// What an author may include beside the bindings: flat JSON objects.
const HEADER: &str = include_str!("templates/lapidary.h");

/// Builds `plugin.c` of the folder `source` for the world in `wit`.
pub fn build(source: &Path, wit: &Path, out: &Path) -> anyhow::Result<()> {
    let bindings = out.with_extension("c");
    fs::create_dir_all(&bindings)?;
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit)?;
    let world = resolve.select_world(&[package], Some(contract::WORLD))?;
    write_bindings(&mut resolve, world, &bindings)?;
    let module = out.with_extension("module.wasm");
    compile(source, &bindings, &module)?;
    fs::write(out, wrap(&fs::read(&module)?)?)?;
    Ok(())
}

/// `guest.h`, which the author includes, `guest.c`, and an object that holds the world for [`wrap`].
fn write_bindings(resolve: &mut Resolve, world: WorldId, folder: &Path) -> anyhow::Result<()> {
    let mut files = Files::default();
    let mut generator = wit_bindgen_c::Opts::default().build();
    generator.generate(resolve, world, &mut files)?;
    for (name, bytes) in files.iter() {
        fs::write(folder.join(name), bytes)?;
    }
    fs::write(folder.join("lapidary.h"), HEADER)?;
    Ok(())
}

/// A library of the C standard without a command's start: no interface of WASI is imported by what only computes.
fn compile(source: &Path, bindings: &Path, module: &Path) -> anyhow::Result<()> {
    let mut command = compiler()?;
    command.args([
        "--target=wasm32-wasi",
        "-mexec-model=reactor",
        "-Oz",
        "-Wall",
        "-I",
    ]);
    command.arg(bindings).arg("plugin.c");
    command.args(["guest.c", "guest_component_type.o"].map(|file| bindings.join(file)));
    command.args(["-Wl,--strip-debug", "-o"]);
    tool::run(&mut command, source, [module])
}

fn compiler() -> anyhow::Result<Command> {
    if let Some(kit) = std::env::var_os("WASI_SDK_PATH") {
        return Ok(Command::new(PathBuf::from(kit).join("bin").join("clang")));
    }
    // python-zig is what pip installs.
    let zig = tool::find(
        &["zig", "python-zig"],
        "pip install ziglang (or set WASI_SDK_PATH)",
    )?;
    tell_of_first_build();
    let mut command = Command::new(zig);
    command.arg("cc");
    Ok(command)
}

/// Zig compiles its C library for a target when it first meets it.
fn tell_of_first_build() {
    let named = std::env::var_os("ZIG_GLOBAL_CACHE_DIR").map(PathBuf::from);
    let cache = named.or_else(|| Some(dirs::cache_dir()?.join("zig")));
    if cache.is_some_and(|cache| !cache.exists()) {
        screen::progress("zig compiles its C library first: once, about a minute");
    }
}

/// What `wasm-tools component new` does.
fn wrap(module: &[u8]) -> anyhow::Result<Vec<u8>> {
    const MISFIT: &str = "the module does not fit its world";
    let encoder = ComponentEncoder::default().module(module).context(MISFIT)?;
    encoder.validate(true).encode().context(MISFIT)
}
