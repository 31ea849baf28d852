//! Pages of the web for models.
//!
//! Imports `wasi:http` and what it waits and reads with, and nothing else: the operator grants `http:HOST`.

mod page;

use lapidary_guest::{Arguments, Tool, ToolResult, ToolTraits, export_tool};
use serde::Deserialize;

/// What the model passes.
#[derive(Debug, Deserialize)]
pub struct Address {
    /// Absolute, over HTTP or TLS.
    pub url: String,
}

impl Arguments for Address {
    // By hand: deriving it would add half of this component's size.
    fn schema() -> String {
        include_str!("schema.json").trim_end().to_owned()
    }
}

/// The tool `read_page`.
pub struct Pages;

impl Tool for Pages {
    type Arguments = Address;
    const NAME: &str = "read_page";
    const DESCRIPTION: &str = "Reads a page of the web, as text.";

    fn traits() -> ToolTraits {
        ToolTraits::READ_ONLY
    }

    fn call(address: Address) -> ToolResult {
        let page = page::get(&address.url)?;
        match page.status {
            200..=299 => Ok(page.text.into()),
            status => {
                Err(format!("{}: the host answered with status {status}", address.url).into())
            }
        }
    }
}

export_tool!(Pages);
