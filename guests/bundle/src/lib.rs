//! Lapidary's own plugins as bytes.
//!
//! They are compiled from source whenever the host is; nothing binary is kept in the repository.

/// Gemma 4's chat format: template and streaming parser. World `chat-format`, imports no function.
pub const GEMMA4_FORMAT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/gemma4_format.wasm"));

/// A checkpoint's own chat template, handed in with each request. World `chat-format`, imports no function.
pub const JINJA_FORMAT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/jinja_format.wasm"));

/// The calculator. World `tool-provider`, imports no function.
pub const TOOL_CALCULATOR: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/tool_calculator.wasm"));

/// The current time. World `tool-provider`, imports the clock.
pub const TOOL_CLOCK: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tool_clock.wasm"));

/// The weather of some cities, made up. World `tool-provider`, imports no function.
pub const TOOL_WEATHER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tool_weather.wasm"));

/// Pages fetched side by side. The preview world `streaming-tool-provider`, imports requests.
#[cfg(feature = "preview")]
pub const TOOL_STREAM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tool_stream.wasm"));

/// Every plugin of a stable world with its name.
#[must_use]
pub fn all() -> &'static [(&'static str, &'static [u8])] {
    &[
        ("gemma4-format", GEMMA4_FORMAT),
        ("jinja-format", JINJA_FORMAT),
        ("tool-calculator", TOOL_CALCULATOR),
        ("tool-clock", TOOL_CLOCK),
        ("tool-weather", TOOL_WEATHER),
    ]
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_plugin_is_a_component() {
        for (name, bytes) in super::all() {
            // "\0asm", then version 13 of layer 1: a component and not a core module.
            assert_eq!(&bytes[..8], b"\0asm\x0d\0\x01\0", "{name}");
        }
    }
}
