//! The request's `extra`: the template and what else the host says.

use lapidary_guest::Error;
use serde_json::Value;

use crate::fault::invalid;

/// What `extra` holds.
pub struct Settings {
    /// The template's text.
    pub template: String,
    /// Seconds since 1970 by the operator's clock on the wall, for templates that write the date.
    pub now: Option<i64>,
}

impl Settings {
    /// Reads a JSON object with `template` and, if the host likes, `now`.
    pub fn read(extra: Option<&str>) -> Result<Self, Error> {
        let value: Value = serde_json::from_str(extra.unwrap_or("{}")).map_err(|error| {
            invalid("bad-json", format!("extra: expected JSON, {error}")).at("/extra")
        })?;
        let fields = value
            .as_object()
            .ok_or_else(|| invalid("bad-json", "extra: expected an object").at("/extra"))?;
        let known = ["template", "now"];
        if let Some(key) = fields.keys().find(|key| !known.contains(&key.as_str())) {
            let message = format!("extra: expected template and now, found \"{key}\"");
            return Err(invalid("unknown-setting", message).at("/extra"));
        }
        let template = value["template"].as_str().ok_or_else(none)?.to_owned();
        let now = value["now"].as_i64();
        Ok(Self { template, now })
    }
}

fn none() -> Error {
    let message = "extra: expected the text of a chat template as \"template\"; this format has none of its own";
    invalid("none", message).at("/extra/template")
}
