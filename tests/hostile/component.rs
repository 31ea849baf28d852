//! Makes components of the files beside it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve};

/// The component in `tests/hostile/<folder>/<name>.wat`.
///
/// Files in `component/` are whole. Those in other folders replace parts of the well-behaved guest of a world
/// in `base/`, and are wrapped as `wasm-component-ld` wraps a compiled guest.
pub fn component(folder: &str, name: &str) -> Vec<u8> {
    let text = read(folder, name);
    match folder {
        "format" => wrap(name, &text, "format", "chat-format"),
        "tools" | "grants" => wrap(name, &text, "tools", "tool-provider"),
        "successor" => wrap(name, &text, "tools", "tool-provider+successor"),
        "agent" => wrap(name, &text, "agent", "agent"),
        "logits" => wrap(name, &text, "logits", "logits-processor"),
        "constraint" => wrap(name, &text, "format", "constrained-chat-format"),
        "wasi" => wrap(name, &text, "wasi", "lapidary:hostile/requests"),
        _ => wat::parse_str(&text).expect("the file is WebAssembly text"),
    }
}

/// The well-behaved guest in `base/`.
pub fn decent(base: &str, world: &str) -> Vec<u8> {
    wrap(base, "", base, world)
}

/// `component` with its first module instantiated so many times more.
pub fn crowded(component: &[u8], count: usize) -> Vec<u8> {
    let mut instances = wasm_encoder::InstanceSection::new();
    for _ in 0..count {
        instances.instantiate::<_, &str>(0, []);
    }
    let mut bytes = component.to_vec();
    bytes.push(wasm_encoder::ComponentSectionId::CoreInstance.into());
    wasm_encoder::Encode::encode(&instances, &mut bytes);
    bytes
}

/// The well-behaved guest with other parts; `world` may be several, with `+` between them.
pub fn altered(base: &str, world: &str, parts: &str) -> Vec<u8> {
    wrap(base, parts, base, world)
}

/// Every hostile file, as `folder/name`.
pub fn files() -> BTreeSet<String> {
    let folders = [
        "format",
        "tools",
        "grants",
        "successor",
        "agent",
        "logits",
        "constraint",
        "wasi",
        "component",
    ]
    .into_iter();
    folders.flat_map(files_in).collect()
}

fn files_in(folder: &'static str) -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir(root().join(folder)).expect("the folder is there");
    entries.map(move |entry| {
        let path = entry.expect("the folder is readable").path();
        let stem = path.file_stem().expect("a file has a name");
        format!("{folder}/{}", stem.display())
    })
}

fn wrap(name: &str, replaced: &str, base: &str, world: &str) -> Vec<u8> {
    let text = match base {
        "wasi" => module(
            replaced,
            &[read("base", "tools"), read("base", base)].concat(),
        ),
        _ => module(replaced, &read("base", base)),
    };
    let mut parser = wat::Parser::new();
    parser.generate_dwarf(wat::GenerateDwarf::Lines);
    let path = format!("{name}.wat");
    let module = parser.parse_str(Some(Path::new(&path)), &text);
    let mut module = module.expect("a module");
    let mut resolve = Resolve::default();
    let (package, _) = resolve
        .push_dir(root().join("../../wit"))
        .expect("the contract");
    resolve
        .push_file(root().join("wasi.wit"))
        .expect("as much of WASI as is needed");
    let world = match world.contains('+') {
        false => resolve.select_world(&[package], Some(world)),
        true => {
            let package = both(&mut resolve, world);
            resolve.select_world(&[package], Some("both"))
        }
    };
    let world = world.expect("a world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("metadata");
    let encoder = ComponentEncoder::default()
        .module(&module)
        .expect("the module fits its world");
    encoder.validate(true).encode().expect("a component")
}

/// A package of an author's own, whose world `both` is made of several.
fn both(resolve: &mut Resolve, worlds: &str) -> PackageId {
    let include = |world: &str| format!("include lapidary:plugin/{world}@0.1.0;");
    let worlds: String = worlds.split('+').map(include).collect();
    let text = format!("package lapidary:author; world both {{ {worlds} }}");
    resolve.push_str("author.wit", &text).expect("a package")
}

/// Imports first, as the text format wants them; then the rest of both.
fn module(replaced: &str, base: &str) -> String {
    let parts = base.split(";; part ").skip(1);
    let kept = parts.filter(|part| {
        let name = part.lines().next().expect("a part has a name").trim();
        let defined = ["func", "memory"].map(|kind| format!("({kind} {name} "));
        !defined.iter().any(|form| replaced.contains(form))
    });
    let kept: Vec<&str> = kept
        .map(|part| part.split_once('\n').map_or("", |(_, body)| body))
        .collect();
    let (imports, bodies): (Vec<&str>, Vec<&str>) = kept
        .into_iter()
        .partition(|body| body.starts_with("(import"));
    let (own_imports, own): (Vec<&str>, Vec<&str>) = replaced
        .lines()
        .partition(|line| line.starts_with("(import"));
    let all = [imports, own_imports, bodies, own].map(|texts| texts.join("\n"));
    format!("(module {})", all.join("\n"))
}

pub fn read(folder: &str, name: &str) -> String {
    let path = root().join(folder).join(name).with_extension("wat");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/hostile")
}
