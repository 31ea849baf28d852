//! Python's habits where the template's text shows them: truth, `str`, `repr`, `upper`, `strip`.

use serde_json::{Map, Number, Value};

/// `value[key]`; None is Jinja's undefined.
pub fn get<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.as_object()?.get(key)
}

/// `value[key]` where that is neither undefined nor false.
pub fn get_true<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    get(value, key).filter(|value| is_true(value))
}

/// Whether Python takes the value for true.
pub fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// `value | upper`, undefined as nothing.
pub fn upper(value: Option<&Value>) -> String {
    value
        .map(|value| text(value).to_uppercase())
        .unwrap_or_default()
}

/// `str(value)`.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => repr(other),
    }
}

fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(value) => number(value),
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(repr).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let entry =
                |(key, value): (&String, &Value)| format!("{}: {}", quoted(key), repr(value));
            let entries: Vec<String> = map.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// A number as Python prints what its JSON reader made of it: whole numbers in full, floats shortest.
pub fn number(number: &Number) -> String {
    let text = number.as_str();
    if text.contains(['.', 'e', 'E']) {
        return float(text.parse().unwrap_or(f64::NAN));
    }
    // The integer -0 is 0.
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

fn float(value: f64) -> String {
    if !value.is_finite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = shortest(value.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let minus = if value.is_sign_negative() { "-" } else { "" };
    if (-4..16).contains(&exponent) {
        return format!("{minus}{}", plain(&mantissa.replace('.', ""), exponent));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{minus}{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

/// As many digits as it takes to tell the float from its neighbours. Of two decimals that are equally
/// near, Python takes the even one, and Rust's shortest form may take the other.
fn shortest(value: f64) -> String {
    let scientific = format!("{value:e}");
    let digits = scientific
        .bytes()
        .take_while(|byte| *byte != b'e')
        .filter(u8::is_ascii_digit);
    let exact = format!("{value:.*e}", digits.count().saturating_sub(1));
    if exact.parse() == Ok(value) {
        exact
    } else {
        scientific
    }
}

/// Digits with the point where it belongs.
fn plain(digits: &str, exponent: i32) -> String {
    let Ok(whole) = usize::try_from(exponent) else {
        let zeros = exponent.unsigned_abs() as usize - 1;
        return format!("0.{}{digits}", "0".repeat(zeros));
    };
    match digits.split_at_checked(whole + 1) {
        Some((whole, fraction)) if !fraction.is_empty() => format!("{whole}.{fraction}"),
        _ => format!("{digits}{}.0", "0".repeat(whole + 1 - digits.len())),
    }
}

/// `repr` of a string: single quotes, unless that would need escapes and double ones would not.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if is_printable(c) => out.push(c),
            c => out.push_str(&escaped(c)),
        }
    }
    out.push(quote);
    out
}

fn escaped(c: char) -> String {
    match u32::from(c) {
        code @ 0..=0xff => format!("\\x{code:02x}"),
        code @ 0x100..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

/// Nearly `str.isprintable`: unassigned code points count as printable here.
fn is_printable(c: char) -> bool {
    let invisible = matches!(c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{f0000}'..);
    c == ' ' || !(c.is_control() || c.is_whitespace() || invisible)
}

/// `dictsort`: by key, letter case aside, equal keys in their own order.
pub fn sorted(map: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by_cached_key(|(key, _)| key.to_lowercase());
    entries
}

/// What `for item in value` goes over; None where Python refuses.
pub fn elements(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(items) => Some(items.iter().map(text).collect()),
        Value::String(text) => Some(text.chars().map(String::from).collect()),
        Value::Object(map) => Some(map.keys().cloned().collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// What `str.strip` takes away: Unicode's whitespace and the four separators of ASCII.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

/// `strip`.
pub fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `rstrip`.
pub fn trim_end(text: &str) -> &str {
    text.trim_end_matches(is_space)
}

#[cfg(test)]
mod tests {
    use super::{number, text, trim};
    use serde_json::Value;

    fn parse(json: &str) -> Value {
        serde_json::from_str(json).expect(json)
    }

    #[test]
    fn numbers_print_as_python_prints_them() {
        for (json, shown) in [
            ("1", "1"),
            ("-0", "0"),
            ("-0.0", "-0.0"),
            ("1.0", "1.0"),
            ("1e22", "1e+22"),
            ("1E2", "100.0"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("1e16", "1e+16"),
            ("123456789012345680.0", "1.2345678901234568e+17"),
            ("9999999999999998.0", "9999999999999998.0"),
            ("73899629645811.625", "73899629645811.62"),
            ("-40280155478.673004", "-40280155478.673004"),
            ("0.001", "0.001"),
            ("120.5", "120.5"),
            ("1e400", "inf"),
            (
                "123456789012345678901234567890",
                "123456789012345678901234567890",
            ),
        ] {
            let Value::Number(value) = parse(json) else {
                panic!("{json}")
            };
            assert_eq!(number(&value), shown);
        }
    }

    #[test]
    fn values_print_as_python_prints_them() {
        for (json, shown) in [
            (r#"["string","null"]"#, "['string', 'null']"),
            (r#"{"a":[true,null,1.5]}"#, "{'a': [True, None, 1.5]}"),
            (
                r#"["it's","\"","'\"","\n\u0007é\u200b"]"#,
                r#"["it's", '"', '\'"', '\n\x07é\u200b']"#,
            ),
        ] {
            assert_eq!(text(&parse(json)), shown);
        }
    }

    #[test]
    fn strip_takes_what_python_takes() {
        assert_eq!(trim("\u{1f}\u{a0}\u{3000} a \u{85}\n"), "a");
        assert_eq!(trim("\u{200b}a"), "\u{200b}a");
    }
}
