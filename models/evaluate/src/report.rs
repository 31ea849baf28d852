//! The table: as Markdown for people, as JSON for programs.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::score::{Bar, Mark, Row};

/// Two evaluations of the same weights may differ by so many percentage points.
pub const DIFFERENCE_MAX: f64 = 0.5;

/// What a row came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Right turns; in rows that count errors, word errors.
    pub count: usize,
    /// Turns, or words.
    pub of: usize,
}

impl Tally {
    /// In percent.
    fn share(self) -> f64 {
        100.0 * self.count as f64 / self.of.max(1) as f64
    }
}

/// All marks, added up.
#[derive(Default)]
pub struct Tallies(HashMap<Row, Tally>);

impl Tallies {
    /// Adds what a turn counts for.
    pub fn add(&mut self, marks: &[Mark]) {
        for mark in marks {
            let tally = self.0.entry(mark.row).or_default();
            tally.count += mark.count;
            tally.of += mark.of;
        }
    }
}

/// One line of the table.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Which row.
    pub row: Row,
    /// What the table calls it.
    pub name: String,
    /// What it came to.
    #[serde(flatten)]
    pub tally: Tally,
    /// In percent.
    pub share: f64,
    /// What it has to reach.
    pub bar: Option<Bar>,
    /// Whether it does; nothing where there is no bar.
    pub met: Option<bool>,
    /// What the same weights came to elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Tally>,
}

/// The table.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Conversations.
    pub cases: usize,
    /// Turns of the model that were asked for.
    pub turns: usize,
    /// Rows that anything counted for, in the table's order.
    pub rows: Vec<Line>,
}

impl Report {
    /// Puts the table together.
    pub fn new(cases: usize, turns: usize, tallies: &Tallies, beside: Option<&Tallies>) -> Self {
        let line = |row: Row| {
            let tally = *tallies.0.get(&row)?;
            let share = tally.share();
            let bar = row.bar();
            Some(Line {
                row,
                name: row.name().to_owned(),
                tally,
                share,
                bar,
                met: bar.map(|bar| bar.is_met(share)),
                beside: beside.map(|beside| beside.0.get(&row).copied().unwrap_or_default()),
            })
        };
        Self {
            cases,
            turns,
            rows: Row::ALL.into_iter().filter_map(line).collect(),
        }
    }

    /// Whether every bar is met, and nothing differs too much.
    pub fn passes(&self) -> bool {
        let met = |line: &Line| line.met != Some(false);
        self.rows.iter().all(|line| met(line) && !line.differs())
    }
}

impl Line {
    fn differs(&self) -> bool {
        self.difference()
            .is_some_and(|points| points.abs() > DIFFERENCE_MAX)
    }

    fn difference(&self) -> Option<f64> {
        Some(self.beside?.share() - self.share)
    }
}

impl Bar {
    fn is_met(self, share: f64) -> bool {
        match self {
            Self::AtLeast(bar) => share >= bar,
            Self::AtMost(bar) => share <= bar,
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bar) => write!(f, "at least {bar} %"),
            Self::AtMost(bar) => write!(f, "at most {bar} %"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let compared = self.rows.iter().any(|line| line.beside.is_some());
        let beside = if compared { " PyTorch |" } else { "" };
        writeln!(f, "| | count | share |{beside} bar | |")?;
        writeln!(
            f,
            "|---|---|---|{}---|---|",
            if compared { "---|" } else { "" }
        )?;
        self.rows.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tally, share) = (self.tally, self.share);
        write!(
            f,
            "| {} | {} of {} | {share:.1} % |",
            self.name, tally.count, tally.of
        )?;
        if let (Some(beside), Some(points)) = (self.beside, self.difference()) {
            let mark = if self.differs() { " differs" } else { "" };
            write!(f, " {:.1} % ({points:+.1}{mark}) |", beside.share())?;
        }
        let bar = self.bar.map_or("–".to_owned(), |bar| bar.to_string());
        let met = match self.met {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "",
        };
        write!(f, " {bar} | {met} |")
    }
}
