//! Stop texts: where an answer ends because the caller said so.

/// Lets text through until one of the stop texts appears, across any cut of the stream.
#[derive(Debug)]
pub(crate) struct StopMatcher {
    stops: Vec<String>,
    held: String,
}

/// What [`StopMatcher::push`] lets through.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    /// Text, perhaps empty, and the stream goes on.
    Text(String),
    /// The last text: a stop followed it.
    Stopped(String),
}

impl StopMatcher {
    /// A matcher for these texts; empty ones are ignored.
    pub fn new(stops: &[String]) -> Self {
        let stops = stops
            .iter()
            .filter(|stop| !stop.is_empty())
            .cloned()
            .collect();
        Self {
            stops,
            held: String::new(),
        }
    }

    /// Takes the next text.
    pub fn push(&mut self, text: &str) -> Passed {
        self.held.push_str(text);
        let first = self
            .stops
            .iter()
            .filter_map(|stop| self.held.find(stop.as_str()))
            .min();
        if let Some(at) = first {
            self.held.truncate(at);
            return Passed::Stopped(std::mem::take(&mut self.held));
        }
        let keep = self.open_tail_len();
        let rest = self.held.split_off(self.held.len() - keep);
        Passed::Text(std::mem::replace(&mut self.held, rest))
    }

    /// What was held when the stream ended.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    fn open_tail_len(&self) -> usize {
        let longest = self
            .stops
            .iter()
            .map(|stop| stop.len() - 1)
            .max()
            .unwrap_or(0);
        let first = self.held.len().saturating_sub(longest);
        (first..self.held.len())
            .filter(|&start| self.held.is_char_boundary(start))
            .find(|&start| {
                self.stops
                    .iter()
                    .any(|stop| stop.starts_with(&self.held[start..]))
            })
            .map_or(0, |start| self.held.len() - start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_text_is_found_across_a_cut() {
        let mut matcher = StopMatcher::new(&["END".into()]);
        assert_eq!(matcher.push("the E"), Passed::Text("the ".into()));
        assert_eq!(matcher.push("ND of"), Passed::Stopped(String::new()));
    }

    #[test]
    fn what_was_held_in_vain_comes_out() {
        let mut matcher = StopMatcher::new(&["END".into()]);
        assert_eq!(matcher.push("EN"), Passed::Text(String::new()));
        assert_eq!(matcher.push("ough"), Passed::Text("ENough".into()));
        assert_eq!(matcher.push("E"), Passed::Text(String::new()));
        assert_eq!(matcher.finish(), "E");
    }
}
