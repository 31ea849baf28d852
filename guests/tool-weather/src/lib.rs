//! The weather of some cities for models, from a table inside: a tool for demonstrations.
//!
//! Computes only: the component imports no function.

mod table;

use lapidary_guest::{Arguments, Tool, ToolResult, ToolTraits, export_tool};
use serde::Deserialize;

/// What the model passes.
#[derive(Debug, Deserialize)]
pub struct Place {
    /// The city's name.
    pub city: String,
}

impl Arguments for Place {
    // By hand: deriving it would add half of this component's size.
    fn schema() -> String {
        include_str!("schema.json").trim_end().to_owned()
    }
}

/// The tool `weather`.
pub struct WeatherOfCity;

impl Tool for WeatherOfCity {
    type Arguments = Place;
    const NAME: &str = "weather";
    const DESCRIPTION: &str = "Tells the weather of a city.";

    fn traits() -> ToolTraits {
        ToolTraits::READ_ONLY | ToolTraits::IDEMPOTENT
    }

    fn call(place: Place) -> ToolResult {
        match table::weather(&place.city) {
            Some(weather) => {
                Ok(format!("{}, {} degrees", weather.condition, weather.degrees).into())
            }
            None => {
                let known = table::cities().join(", ");
                Err(format!(
                    "the weather of {} is not known; known are {known}",
                    place.city
                )
                .into())
            }
        }
    }
}

export_tool!(WeatherOfCity);
