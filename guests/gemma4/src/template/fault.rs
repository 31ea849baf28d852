//! What the template refuses: the same as transformers, as data with stable codes.

use lapidary_guest::{Error, ErrorKind};
use serde_json::Value;

/// A failure of the caller's input; `code` without its `template.` in front.
pub fn invalid(code: &str, message: impl Into<String>) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        &format!("template.{code}"),
        message,
    )
}

/// A JSON text of the request.
///
/// # Errors
/// `template.bad-json`, pointing to `at`.
pub fn parse_json(text: &str, at: String) -> Result<Value, Error> {
    serde_json::from_str(text)
        .map_err(|error| invalid("bad-json", format!("{at}: expected JSON, {error}")).at(at))
}

/// Gemma 4 has no settings of its own: a setting that is not understood must not be ignored.
pub fn refuse_extra(extra: Option<&str>) -> Result<(), Error> {
    let Some(text) = extra else { return Ok(()) };
    match parse_json(text, "/extra".to_owned())? {
        Value::Null => Ok(()),
        Value::Object(settings) => match settings.keys().next() {
            None => Ok(()),
            Some(key) => Err(unknown_setting(key)),
        },
        _ => Err(invalid("bad-json", "extra: expected an object").at("/extra")),
    }
}

fn unknown_setting(key: &str) -> Error {
    let message = format!("extra: expected no settings, found \"{key}\"");
    Error::new(ErrorKind::Unsupported, "template.unknown-setting", message).at("/extra")
}
