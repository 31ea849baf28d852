//! `declaration:NAME{description:…,parameters:{…}}`.

use super::argument::{string, strings};
use super::fault::{invalid, parse_json};
use super::python;
use super::schema;
use super::writer::Writer;
use lapidary_guest::{Error, ToolDefinition};
use serde_json::Value;

/// One tool, between its markers.
pub fn write(writer: &mut Writer, tool: &ToolDefinition, index: usize) -> Result<(), Error> {
    writer.control("declaration:");
    writer.data(&tool.name);
    writer.control("{description:");
    string(writer, &tool.description);
    let at = format!("/tools/{index}/parameters");
    let parameters = parse_json(&tool.parameters, at.clone())?;
    if python::is_true(&parameters) {
        write_parameters(writer, &parameters).map_err(|error| error.at(at))?;
    }
    if let Some(response) = &tool.response {
        let response = parse_json(response, format!("/tools/{index}/response"))?;
        write_response(writer, &response);
    }
    writer.control("}");
    Ok(())
}

/// The braces close after the type only, and every list ends in a comma: so the model was trained.
fn write_parameters(writer: &mut Writer, parameters: &Value) -> Result<(), Error> {
    writer.control(",parameters:{");
    if let Some(properties) = python::get_true(parameters, "properties") {
        let properties = properties
            .as_object()
            .ok_or_else(properties_are_an_object)?;
        writer.control("properties:{");
        schema::properties(writer, properties)?;
        writer.control("},");
    }
    if let Some(required) = python::get_true(parameters, "required") {
        writer.control("required:[");
        strings(writer, &required_names(required)?);
        writer.control("],");
    }
    if let Some(kind) = python::get_true(parameters, "type") {
        writer.control("type:");
        string(writer, &python::upper(Some(kind)));
        writer.control("}");
    }
    Ok(())
}

fn write_response(writer: &mut Writer, response: &Value) {
    writer.control(",response:{");
    if let Some(description) = python::get_true(response, "description") {
        writer.control("description:");
        string(writer, &python::text(description));
        writer.control(",");
    }
    let kind = python::upper(python::get(response, "type"));
    if kind == "OBJECT" {
        writer.control("type:");
        string(writer, &kind);
        writer.control("}");
    }
}

/// The names of a `required` list.
pub fn required_names(required: &Value) -> Result<Vec<String>, Error> {
    python::elements(required)
        .ok_or_else(|| invalid("bad-schema", "required: expected a list of names"))
}

fn properties_are_an_object() -> Error {
    invalid("bad-schema", "properties: expected an object")
}
