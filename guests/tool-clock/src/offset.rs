//! Offsets from UTC, as models write them.

/// The largest offset in use is 14 hours; 18 is what ISO 8601 readers commonly accept.
const MINUTES_MAX: i32 = 18 * 60;

/// Minutes east of UTC for `UTC`, `Z`, `+02:00`, `-0530`, `UTC+2`.
pub fn minutes(text: &str) -> Result<i32, String> {
    let bare = text.trim();
    let rest = strip_name(bare);
    if rest.is_empty() && !bare.is_empty() {
        return Ok(0);
    }
    parse_signed(rest)
        .filter(|minutes| minutes.abs() <= MINUTES_MAX)
        .ok_or_else(|| format!("offset: expected UTC or one like +02:00, found \"{text}\""))
}

/// Without a leading `UTC`, `GMT` or `Z`.
fn strip_name(text: &str) -> &str {
    let named = ["utc", "gmt", "z"].into_iter().find(|name| {
        text.get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name))
    });
    named.map_or(text, |name| text[name.len()..].trim_start())
}

fn parse_signed(text: &str) -> Option<i32> {
    let (sign, digits) = match text.chars().next()? {
        '+' => (1, &text[1..]),
        '-' => (-1, &text[1..]),
        // The typographic minus is three bytes.
        '−' => (-1, &text['−'.len_utf8()..]),
        _ => return None,
    };
    Some(sign * parse_clock(digits)?)
}

/// `2`, `02`, `0230` or `02:30` as minutes.
fn parse_clock(text: &str) -> Option<i32> {
    let (hours, minutes) = match text.split_once(':') {
        Some(halves) => halves,
        None if text.len() == 4 && text.is_ascii() => text.split_at(2),
        None => (text, "0"),
    };
    let number = |digits: &str| {
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits
            .parse::<i32>()
            .ok()
            .filter(|_| plain && digits.len() <= 2)
    };
    let minutes = number(minutes).filter(|minutes| *minutes < 60)?;
    Some(number(hours)? * 60 + minutes)
}

#[cfg(test)]
mod tests {
    use super::minutes;

    #[test]
    fn offsets_are_read_the_ways_models_write_them() {
        for (text, value) in [
            ("UTC", 0),
            ("utc", 0),
            ("Z", 0),
            ("+02:00", 120),
            ("-05:30", -330),
            ("−03:00", -180),
            ("+0530", 330),
            ("UTC+2", 120),
            ("GMT -7", -420),
            (" +14 ", 840),
        ] {
            assert_eq!(minutes(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn anything_else_is_a_sentence_for_the_model() {
        for text in [
            "", "Berlin", "+25:00", "+02:75", "02:00", "+", "+ab", "+02:", "UTCé",
        ] {
            let message = minutes(text).expect_err(text);
            assert!(message.contains(&format!("found \"{text}\"")), "{message}");
        }
    }
}
