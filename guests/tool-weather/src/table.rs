//! The weather of an imagined day.

/// What a city's sky does, and how warm it is there.
pub struct Weather {
    /// One word for the sky.
    pub condition: &'static str,
    /// In degrees Celsius.
    pub degrees: i32,
}

/// City, sky, degrees.
const TABLE: [(&str, &str, i32); 24] = [
    ("Amsterdam", "windy", 11),
    ("Athens", "sunny", 27),
    ("Berlin", "cloudy", 9),
    ("Buenos Aires", "clear", 22),
    ("Cairo", "dry", 33),
    ("Cape Town", "windy", 19),
    ("Delhi", "foggy", 24),
    ("Dublin", "rainy", 10),
    ("Helsinki", "snowy", -4),
    ("Istanbul", "cloudy", 15),
    ("Lima", "foggy", 18),
    ("Lisbon", "sunny", 23),
    ("London", "rainy", 12),
    ("Madrid", "clear", 25),
    ("Mexico City", "stormy", 20),
    ("Nairobi", "sunny", 26),
    ("New York", "clear", 14),
    ("Oslo", "snowy", -7),
    ("Paris", "cloudy", 13),
    ("Rome", "sunny", 21),
    ("Seoul", "dry", 17),
    ("Sydney", "sunny", 28),
    ("Tokyo", "rainy", 16),
    ("Vienna", "windy", 8),
];

/// The weather of a city, however its name is capitalised.
pub fn weather(city: &str) -> Option<Weather> {
    let named = |(name, ..): &&(&str, &str, i32)| name.eq_ignore_ascii_case(city.trim());
    let (_, condition, degrees) = TABLE.iter().find(named)?;
    Some(Weather {
        condition,
        degrees: *degrees,
    })
}

/// Every city of the table.
pub fn cities() -> Vec<&'static str> {
    TABLE.iter().map(|(name, ..)| *name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_and_spaces_around_do_not_matter() {
        assert_eq!(weather(" new york ").unwrap().condition, "clear");
        assert!(weather("Atlantis").is_none());
    }

    #[test]
    fn no_city_stands_twice() {
        let mut names = cities();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
    }
}
