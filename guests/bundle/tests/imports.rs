//! What the plugins ask for, read from their bytes.

use wasmparser::component_types::ComponentEntityType;
use wasmparser::types::Types;
use wasmparser::{Parser, Payload, ValidPayload, Validator};

/// The imports that bring functions: the capabilities a plugin asks for. `function` or
/// `interface.function`.
fn imported_functions(bytes: &[u8]) -> Vec<String> {
    let (names, types) = read(bytes);
    let functions = |name: &String| match types.as_ref().component_item_for_import(name) {
        Some(item) => functions_of(&types, name, item.ty),
        None => vec![name.clone()],
    };
    names.iter().flat_map(functions).collect()
}

fn functions_of(types: &Types, name: &str, entity: ComponentEntityType) -> Vec<String> {
    match entity {
        ComponentEntityType::Type { .. } => Vec::new(),
        ComponentEntityType::Instance(id) => {
            let types_ref = types.as_ref();
            let exports = types_ref[id].exports.iter();
            exports
                .flat_map(|(inner, item)| functions_of(types, &format!("{name}.{inner}"), item.ty))
                .collect()
        }
        _ => vec![name.to_owned()],
    }
}

/// The names of the outermost component's imports, and its types.
fn read(bytes: &[u8]) -> (Vec<String>, Types) {
    let mut validator = Validator::new();
    let (mut names, mut types, mut depth) = (Vec::new(), None, 0);
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.expect("well-formed");
        match &payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                let imports = section.clone().into_iter();
                names.extend(imports.map(|import| import.expect("import").name.name.to_owned()));
            }
            _ => {}
        }
        if let ValidPayload::End(found) = validator.payload(&payload).expect("valid") {
            types = Some(found);
        }
    }
    (names, types.expect("an end"))
}

#[test]
fn the_chat_format_can_only_compute() {
    assert_eq!(imported_functions(lapidary_guests::GEMMA4_FORMAT), [""; 0]);
}

#[test]
fn the_calculator_can_only_compute() {
    assert_eq!(
        imported_functions(lapidary_guests::TOOL_CALCULATOR),
        [""; 0]
    );
}

#[test]
fn the_weather_can_only_compute() {
    assert_eq!(imported_functions(lapidary_guests::TOOL_WEATHER), [""; 0]);
}

#[test]
fn the_clock_asks_for_the_clock_and_nothing_else() {
    let functions = imported_functions(lapidary_guests::TOOL_CLOCK);
    assert_eq!(functions, ["lapidary:plugin/clock@0.1.0.now"]);
}
