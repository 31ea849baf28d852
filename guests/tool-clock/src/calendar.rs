//! From seconds since 1970 to a date: the proleptic Gregorian calendar, no leap seconds.

const DAY_SECONDS: i64 = 86_400;
/// From 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;
/// Days in the 400 years after which the calendar repeats.
const ERA_DAYS: i64 = 146_097;
const WEEKDAYS: [&str; 7] = [
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
];

/// `2026-07-09T14:05:00+02:00, Thursday`.
pub fn shown(seconds: u64, offset_minutes: i32) -> String {
    let utc = i64::try_from(seconds).unwrap_or(i64::MAX - DAY_SECONDS);
    let local = utc + i64::from(offset_minutes) * 60;
    let day = local.div_euclid(DAY_SECONDS);
    let second = local.rem_euclid(DAY_SECONDS);
    let (year, month, date) = date(day);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    let zone = zone(offset_minutes);
    let weekday = weekday(day);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}{zone}, {weekday}")
}

fn zone(offset_minutes: i32) -> String {
    let sign = if offset_minutes < 0 { '-' } else { '+' };
    let minutes = offset_minutes.unsigned_abs();
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

fn weekday(day: i64) -> &'static str {
    let index = usize::try_from(day.rem_euclid(7)).unwrap_or_default();
    WEEKDAYS[index]
}

/// Year, month and day of the month. Years begin in March here, so that the leap day comes last
/// (Howard Hinnant, `chrono`-Compatible Low-Level Date Algorithms, `civil_from_days`).
fn date(day: i64) -> (i64, i64, i64) {
    let shifted = day + DAYS_TO_1970;
    let era = shifted.div_euclid(ERA_DAYS);
    let day_of_era = shifted.rem_euclid(ERA_DAYS);
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let date = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, date)
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn dates_agree_with_the_calendar() {
        // Checked with Python's datetime.
        for (seconds, offset, text) in [
            (0, 0, "1970-01-01T00:00:00+00:00, Thursday"),
            (951_782_400, 0, "2000-02-29T00:00:00+00:00, Tuesday"),
            (1_709_251_199, 0, "2024-02-29T23:59:59+00:00, Thursday"),
            (1_783_605_900, 120, "2026-07-09T16:05:00+02:00, Thursday"),
            (1_783_605_900, -330, "2026-07-09T08:35:00-05:30, Thursday"),
            (1_798_761_599, 60, "2027-01-01T00:59:59+01:00, Friday"),
            (4_107_542_400, 0, "2100-03-01T00:00:00+00:00, Monday"),
            (0, -60, "1969-12-31T23:00:00-01:00, Wednesday"),
        ] {
            assert_eq!(shown(seconds, offset), text);
        }
    }
}
