//! Arithmetic by recursive descent, deepest bindings last:
//! sum = product {(+|-) product}; product = factor {(*|/|%) factor}; factor = (+|-) factor | power;
//! power = atom [^ factor]; atom = number | name | name(sum, …) | (sum).

/// Parentheses, signs and powers may nest this deep: the guest's stack is small.
const DEPTH_MAX: u32 = 64;

/// The value of one expression; the error is a sentence for the model.
pub fn evaluate(text: &str) -> Result<f64, String> {
    let mut reader = Reader {
        text,
        at: 0,
        depth: 0,
    };
    let value = reader.sum()?;
    match reader.peek() {
        None => finite(value),
        Some(found) => Err(reader.unexpected("an operator or the end", found)),
    }
}

fn finite(value: f64) -> Result<f64, String> {
    if value.is_nan() {
        return Err("expression: expected a real number, the result is undefined".into());
    }
    if value.is_infinite() {
        return Err("expression: expected a finite number, the result is too large".into());
    }
    Ok(value)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

impl Reader<'_> {
    fn sum(&mut self) -> Result<f64, String> {
        let mut value = self.product()?;
        loop {
            value = match self.take_any(&["+", "-", "−"]) {
                Some("+") => value + self.product()?,
                Some(_) => value - self.product()?,
                None => return Ok(value),
            };
        }
    }

    fn product(&mut self) -> Result<f64, String> {
        let mut value = self.factor()?;
        loop {
            // A second star is a power, not a product.
            let operator = self.take_any(&["*", "×", "·", "/", "÷", "%"]);
            value = match operator {
                Some("*" | "×" | "·") => value * self.factor()?,
                Some("%") => value % self.divisor()?,
                Some(_) => value / self.divisor()?,
                None => return Ok(value),
            };
        }
    }

    fn divisor(&mut self) -> Result<f64, String> {
        match self.factor()? {
            0.0 => Err("expression: division by zero".into()),
            value => Ok(value),
        }
    }

    fn factor(&mut self) -> Result<f64, String> {
        self.deeper(|reader| match reader.take_any(&["+", "-", "−"]) {
            Some("+") => reader.factor(),
            Some(_) => Ok(-reader.factor()?),
            None => reader.power(),
        })
    }

    fn power(&mut self) -> Result<f64, String> {
        let base = self.atom()?;
        if self.take_any(&["**", "^"]).is_none() {
            return Ok(base);
        }
        let exponent = self.factor()?;
        Ok(base.powf(exponent))
    }

    fn atom(&mut self) -> Result<f64, String> {
        match self.peek() {
            Some('(') => self.group(),
            Some(first) if first.is_ascii_digit() || first == '.' => self.number(),
            Some(first) if first.is_alphabetic() => self.name(),
            Some(found) => Err(self.unexpected("a number, a name or (", found)),
            None => Err("expression: expected a number, found the end".into()),
        }
    }

    fn group(&mut self) -> Result<f64, String> {
        self.expect('(')?;
        let value = self.sum()?;
        self.expect(')')?;
        Ok(value)
    }

    fn number(&mut self) -> Result<f64, String> {
        let rest = &self.text[self.at..];
        let length = number_length(rest);
        let digits = rest[..length].replace('_', "");
        self.at += length;
        digits
            .parse()
            .map_err(|_| format!("expression: expected a number, found \"{digits}\""))
    }

    fn name(&mut self) -> Result<f64, String> {
        let rest = &self.text[self.at..];
        let length = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        let name = rest[..length].to_lowercase();
        self.at += length;
        if self.peek() == Some('(') {
            let arguments = self.arguments()?;
            return apply(&name, &arguments);
        }
        match name.as_str() {
            "pi" | "π" => Ok(std::f64::consts::PI),
            "e" => Ok(std::f64::consts::E),
            _ => Err(format!("expression: unknown name \"{name}\"")),
        }
    }

    fn arguments(&mut self) -> Result<Vec<f64>, String> {
        self.expect('(')?;
        let mut arguments = vec![self.sum()?];
        while self.take_any(&[","]).is_some() {
            arguments.push(self.sum()?);
        }
        self.expect(')')?;
        Ok(arguments)
    }

    fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, String>,
    ) -> Result<T, String> {
        if self.depth == DEPTH_MAX {
            return Err(format!(
                "expression: expected at most {DEPTH_MAX} levels of nesting"
            ));
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn peek(&mut self) -> Option<char> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        self.text[self.at..].chars().next()
    }

    fn take_any(&mut self, operators: &[&'static str]) -> Option<&'static str> {
        self.peek();
        let rest = &self.text[self.at..];
        let found = operators
            .iter()
            .find(|operator| rest.starts_with(**operator))?;
        self.at += found.len();
        Some(found)
    }

    fn expect(&mut self, wanted: char) -> Result<(), String> {
        match self.peek() {
            Some(found) if found == wanted => {
                self.at += found.len_utf8();
                Ok(())
            }
            Some(found) => Err(self.unexpected(&wanted.to_string(), found)),
            None => Err(format!("expression: expected {wanted}, found the end")),
        }
    }

    fn unexpected(&self, expected: &str, found: char) -> String {
        let column = self.text[..self.at].chars().count() + 1;
        format!("expression: expected {expected}, found \"{found}\" at column {column}")
    }
}

/// The bytes of a number: digits, one fraction, one exponent.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        while at < bytes.len() && (bytes[at].is_ascii_digit() || bytes[at] == b'_') {
            at += 1;
        }
        at
    };
    let mut end = digits(0);
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if !matches!(bytes.get(end), Some(b'e' | b'E')) {
        return end;
    }
    let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
    let exponent = digits(end + 1 + sign);
    // `2e` is two times nothing, not a broken exponent.
    if exponent > end + 1 + sign {
        exponent
    } else {
        end
    }
}

fn apply(name: &str, arguments: &[f64]) -> Result<f64, String> {
    match (name, arguments) {
        ("min", all) => Ok(all.iter().copied().fold(f64::INFINITY, f64::min)),
        ("max", all) => Ok(all.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
        ("round", &[value, places]) => round_to(value, places),
        ("pow", &[base, exponent]) => Ok(base.powf(exponent)),
        ("sqrt", &[value]) if value < 0.0 => {
            Err("expression: the square root of a negative number is not real".into())
        }
        ("ln" | "log" | "log10" | "log2", &[value]) if value <= 0.0 => {
            Err(format!("expression: {name} expects a positive number"))
        }
        (_, &[value]) => unary(name, value),
        _ => Err(format!(
            "expression: {name} does not take {} arguments",
            arguments.len()
        )),
    }
}

fn unary(name: &str, value: f64) -> Result<f64, String> {
    Ok(match name {
        "sqrt" => value.sqrt(),
        "abs" => value.abs(),
        "round" => value.round(),
        "floor" => value.floor(),
        "ceil" => value.ceil(),
        "exp" => value.exp(),
        "ln" | "log" => value.ln(),
        "log10" => value.log10(),
        "log2" => value.log2(),
        "sin" => value.sin(),
        "cos" => value.cos(),
        "tan" => value.tan(),
        _ => return Err(format!("expression: unknown function \"{name}\"")),
    })
}

fn round_to(value: f64, places: f64) -> Result<f64, String> {
    if places.fract() != 0.0 || !(-15.0..=15.0).contains(&places) {
        return Err("expression: round expects between -15 and 15 whole decimal places".into());
    }
    let scale = 10f64.powf(places);
    Ok((value * scale).round() / scale)
}

#[cfg(test)]
mod tests {
    use super::evaluate;

    #[test]
    fn precedence_is_that_of_a_textbook() {
        for (text, value) in [
            ("1 + 2 * 3", 7.0),
            ("(1 + 2) * 3", 9.0),
            ("2 ^ 3 ^ 2", 512.0),
            ("2 ** 3", 8.0),
            ("-2 ^ 2", -4.0),
            ("2 ^ -1", 0.5),
            ("10 % 4", 2.0),
            ("7 / 2 / 2", 1.75),
            ("1 - 2 - 3", -4.0),
            ("--3", 3.0),
            (".5 + 1.5e1", 15.5),
            ("1_000 * 3", 3000.0),
            ("6 × 7 ÷ 2 − 1", 20.0),
        ] {
            assert_eq!(evaluate(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn functions_take_the_arguments_they_need() {
        assert_eq!(evaluate("sqrt(16) + abs(-3)"), Ok(7.0));
        assert_eq!(evaluate("min(3, 1, 2) + max(4)"), Ok(5.0));
        assert_eq!(evaluate("round(2.345, 1)"), Ok(2.3));
        assert_eq!(evaluate("floor(pi)"), Ok(3.0));
        assert!(evaluate("sqrt(1, 2)").is_err());
    }

    #[test]
    fn what_has_no_value_is_a_sentence_for_the_model() {
        for (text, part) in [
            ("1 / 0", "division by zero"),
            ("1 % (2 - 2)", "division by zero"),
            ("sqrt(-1)", "not real"),
            ("10 ^ 400", "too large"),
            ("(-8) ^ 0.5", "undefined"),
            ("", "found the end"),
            ("2 +", "found the end"),
            ("2 $ 3", "found \"$\" at column 3"),
            ("foo(1)", "unknown function \"foo\""),
            ("x + 1", "unknown name \"x\""),
        ] {
            let message = evaluate(text).expect_err(text);
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_not_a_stack_overflow() {
        let text = "(".repeat(100_000);
        assert!(
            evaluate(&text)
                .expect_err("deep")
                .contains("levels of nesting")
        );
    }
}
