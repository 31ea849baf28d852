//! The current date and time for models.
//!
//! Imports the clock and nothing else: the operator grants `clock`.

mod calendar;
mod offset;

use lapidary_guest::{Arguments, Tool, ToolResult, ToolTraits, clock, export_tool};
use serde::Deserialize;

/// What the model passes.
#[derive(Debug, Deserialize)]
pub struct Place {
    /// The offset from UTC; the machine's own where it is left out.
    #[serde(default)]
    pub offset: Option<String>,
}

impl Arguments for Place {
    // By hand: deriving it would add half of this component's size.
    fn schema() -> String {
        include_str!("schema.json").trim_end().to_owned()
    }
}

/// The tool `current_time`.
pub struct Clock;

impl Tool for Clock {
    type Arguments = Place;
    const NAME: &str = "current_time";
    const DESCRIPTION: &str = "Tells the current date, time and weekday.";

    fn traits() -> ToolTraits {
        ToolTraits::READ_ONLY
    }

    fn call(place: Place) -> ToolResult {
        let asked = place.offset.as_deref().map(offset::minutes).transpose()?;
        let now = clock::now();
        let offset = asked.unwrap_or(now.utc_offset_minutes);
        Ok(calendar::shown(now.seconds, offset).into())
    }
}

export_tool!(Clock);
