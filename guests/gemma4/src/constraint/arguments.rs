//! Calls and their arguments in Gemma's notation.

use super::fault::{bad, refuse};
use super::lark::{Lark, literal};
use super::schema::Schemas;
use crate::parser::is_callable;
use crate::token;
use lapidary_guest::{Error, ToolDefinition};
use serde_json::Value;

/// One call of any of these tools, behind its opening marker. Unless strict, arguments are any object.
pub fn calls(lark: &mut Lark, tools: &[&ToolDefinition], strict: bool) -> Result<String, Error> {
    let mut calls = Vec::with_capacity(tools.len());
    for (index, tool) in tools.iter().enumerate() {
        if !is_callable(&tool.name) {
            let message = format!(
                "tools: expected names that a call can spell, found {:?}",
                tool.name
            );
            return Err(refuse("bad-tool-name", &message));
        }
        let arguments = arguments(lark, tool, index, strict)?;
        let head = literal(&format!("call:{}", tool.name));
        calls.push(format!("{head} {arguments}"));
    }
    let call = lark.rule(&calls.join(" | "));
    Ok(format!("{call} {}", token::CALL_CLOSE))
}

fn arguments(
    lark: &mut Lark,
    tool: &ToolDefinition,
    index: usize,
    strict: bool,
) -> Result<String, Error> {
    let at = format!("/tools/{index}/parameters");
    if !strict {
        return Schemas::new(lark, &Value::Null).any_object();
    }
    let parameters: Value = serde_json::from_str(&tool.parameters)
        .map_err(|error| bad(&format!("expected a JSON Schema: {error}"), &at))?;
    Schemas::new(lark, &parameters).arguments(&at)
}
