//! `strftime_now`: the date, by the clock that the host handed in.

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use minijinja::{Error, ErrorKind};

/// The time `now`, seconds since 1970 by the clock on the wall, as `format` says.
pub fn strftime_now(now: Option<i64>, format: &str) -> Result<String, Error> {
    let seconds = now.ok_or_else(|| failed("the host handed in no time as \"now\" in extra"))?;
    let time = Timestamp::from_second(seconds).map_err(|error| failed(&error.to_string()))?;
    let time = time.to_zoned(TimeZone::UTC);
    strtime::format(format, &time).map_err(|error| failed(&error.to_string()))
}

fn failed(detail: &str) -> Error {
    Error::new(
        ErrorKind::InvalidOperation,
        format!("strftime_now: {detail}"),
    )
}

#[cfg(test)]
mod tests {
    use super::strftime_now;

    #[test]
    fn dates_are_written_as_templates_ask() {
        let now = Some(1_790_000_000);
        assert_eq!(strftime_now(now, "%Y-%m-%d").expect("a date"), "2026-09-21");
        assert_eq!(
            strftime_now(now, "%d %b %Y").expect("a date"),
            "21 Sep 2026"
        );
        assert!(strftime_now(None, "%Y").is_err());
        assert!(strftime_now(now, "%").is_err());
    }
}
