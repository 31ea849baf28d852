//! What a component asks for and offers, read from its bytes without compiling them.

use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType};
use wasmparser::types::{Types, TypesRef};
use wasmparser::{Encoding, Parser, Payload, ValidPayload, Validator};

use super::subject;
use crate::error::{Error, Result};
use crate::limits::Limits;

/// A component's surface.
#[derive(Debug, Default)]
pub(super) struct Shape {
    pub imports: Vec<Extern>,
    pub exports: Vec<String>,
}

/// One import.
#[derive(Debug)]
pub(super) struct Extern {
    /// As written: `lapidary:plugin/log@0.1.0`.
    pub name: String,
    /// It brings functions or resources: something happens through it. Otherwise it only names types.
    pub acts: bool,
}

impl Shape {
    /// Reads the surface of the component called `name`. Its functions' bodies are left to the compiler.
    pub(super) fn read(name: &str, bytes: &[u8], limits: &Limits) -> Result<Self> {
        let max = limits.component_bytes_max;
        if bytes.len() > max {
            let found = format!("{} bytes", bytes.len());
            return Err(Error::limit(
                "component_bytes_max",
                subject(name),
                max,
                found,
            ));
        }
        check_kind(name, bytes)?;
        read_externs(bytes).map_err(|source| broken(name, source))
    }
}

fn broken(name: &str, source: wasmparser::BinaryReaderError) -> Error {
    let at = source.offset();
    let detail =
        format!("expected a whole WebAssembly component, found one that is broken at byte {at}");
    Error::invalid(subject(name), detail).with_source(source)
}

/// Tells apart what people hand in by mistake.
fn check_kind(name: &str, bytes: &[u8]) -> Result<()> {
    let detail = if Parser::is_component(bytes) {
        return Ok(());
    } else if Parser::is_core_wasm(bytes) {
        "expected a WebAssembly component, found a core module; link it with wasm-component-ld"
    } else if bytes.is_empty() {
        "expected a WebAssembly component, found nothing"
    } else {
        "expected a WebAssembly component, found something else"
    };
    Err(Error::invalid(subject(name), detail))
}

fn read_externs(bytes: &[u8]) -> wasmparser::Result<Shape> {
    let mut validator = Validator::new();
    let mut outermost = Names::default();
    let mut depth = 0_usize;
    let mut types = None;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        match &payload {
            Payload::Version {
                encoding: Encoding::Component | Encoding::Module,
                ..
            } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section.clone() {
                    outermost.imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section.clone() {
                    outermost.exports.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
        if let ValidPayload::End(found) = validator.payload(&payload)? {
            types = Some(found);
        }
    }
    Ok(outermost.with(types.as_ref()))
}

#[derive(Default)]
struct Names {
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Names {
    fn with(self, types: Option<&Types>) -> Shape {
        let types = types.map(Types::as_ref);
        let imports = self.imports.into_iter().map(|name| {
            let acts = types.is_none_or(|types| import_acts(types, &name));
            Extern { name, acts }
        });
        Shape {
            imports: imports.collect(),
            exports: self.exports,
        }
    }
}

fn import_acts(types: TypesRef<'_>, name: &str) -> bool {
    types
        .component_item_for_import(name)
        .is_none_or(|item| acts(types, item.ty))
}

fn acts(types: TypesRef<'_>, entity: ComponentEntityType) -> bool {
    match entity {
        ComponentEntityType::Type { created, .. } => {
            matches!(created, ComponentAnyTypeId::Resource(_))
        }
        ComponentEntityType::Instance(id) => {
            types[id].exports.values().any(|item| acts(types, item.ty))
        }
        ComponentEntityType::Module(_)
        | ComponentEntityType::Func(_)
        | ComponentEntityType::Value(_)
        | ComponentEntityType::Component(_) => true,
    }
}
