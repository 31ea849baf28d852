//! How a result is written.

/// A number as a person writes it: no exponent below 10^15, no noise of binary fractions.
pub fn shown(value: f64) -> String {
    let rounded = significant(value);
    let magnitude = rounded.abs();
    if rounded != 0.0 && !(1e-6..1e15).contains(&magnitude) {
        return format!("{rounded:e}");
    }
    // Adding zero turns minus zero into zero.
    format!("{}", rounded + 0.0)
}

/// Fifteen significant digits: every decimal of that length survives a trip through binary, so
/// `0.1 + 0.2` reads `0.3`.
fn significant(value: f64) -> f64 {
    format!("{value:.14e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn results_read_like_people_write_them() {
        for (value, text) in [
            (0.1 + 0.2, "0.3"),
            (4.0, "4"),
            (-0.0, "0"),
            (1e20, "1e20"),
            (1.0 / 3.0, "0.333333333333333"),
            (123_456_789_012.0, "123456789012"),
        ] {
            assert_eq!(shown(value), text);
        }
    }
}
