//! What a component imports against what the operator granted.

use std::fmt;
use std::str::FromStr;

use super::info::PluginInfo;
use super::shape::{Extern, Shape};
use super::world::{Interface, World};
use super::{Check, subject};
use crate::error::{Error, Result};

/// A capability that a tool plugin may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grant {
    /// The time, and the operator's offset from UTC.
    Clock,
}

impl Grant {
    /// Every grant there is.
    pub const ALL: [Self; 1] = [Self::Clock];

    /// As the operator writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Clock => "clock",
        }
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Grant {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|grant| grant.name() == text)
            .ok_or_else(|| {
                let known = Self::ALL.map(Self::name).join(", ");
                Error::invalid(
                    format!("grant \"{text}\""),
                    format!("expected one of: {known}"),
                )
            })
    }
}

/// What one plugin was granted. Nothing, unless said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    granted: Vec<Grant>,
}

impl Grants {
    /// No grants.
    pub fn none() -> Self {
        Self::default()
    }

    /// The clock alone.
    pub fn clock() -> Self {
        Self::none().with(Grant::Clock)
    }

    /// What a component asks for, as far as this host has it.
    pub fn asked_by(info: &PluginInfo) -> Self {
        Self::named_by(&info.imports)
    }

    /// The grants that bring these imports.
    pub(super) fn named_by(imports: &[String]) -> Self {
        let asks = |grant: &Grant| {
            let mut ours = imports.iter().filter_map(|import| Interface::ours(import));
            ours.any(|interface| interface.name == grant.name())
        };
        Grant::ALL
            .into_iter()
            .filter(asks)
            .fold(Self::none(), Self::with)
    }

    /// Each grant in it.
    pub fn iter(&self) -> impl Iterator<Item = Grant> {
        self.granted.iter().copied()
    }

    /// The same grants and one more.
    pub fn with(mut self, grant: Grant) -> Self {
        if !self.has(grant) {
            self.granted.push(grant);
        }
        self
    }

    /// Whether `grant` was given.
    pub fn has(&self, grant: Grant) -> bool {
        self.granted.contains(&grant)
    }

    /// Refuses a component that imports more than its world and these grants allow.
    pub(super) fn check(&self, name: &str, world: World, shape: &Shape) -> Result<()> {
        shape.imports.iter().try_for_each(|import| {
            self.check_import(world, import).map_err(|reason| {
                Error::invalid(subject(name), format!("asks for {}, {reason}", import.name))
            })
        })
    }

    fn check_import(&self, world: World, import: &Extern) -> Check<()> {
        let ours = Interface::ours(&import.name)
            .filter(|interface| interface.fits())
            .map(|i| i.name);
        match (world, ours) {
            (_, Some("types" | "events")) if !import.acts => Ok(()),
            (World::ToolProvider, Some("log")) => Ok(()),
            (World::ToolProvider, Some("clock")) => self.require(Grant::Clock),
            (World::ChatFormat, _) => {
                Err("but a chat format only computes and may import nothing".into())
            }
            (World::ToolProvider, _) => Err(
                "which this host does not have; it has log, and clock with --grant clock".into(),
            ),
        }
    }

    fn require(&self, grant: Grant) -> Check<()> {
        match self.has(grant) {
            true => Ok(()),
            false => Err(format!("which is not granted; pass --grant {grant}")),
        }
    }
}

/// Grants as the operator writes them: `clock`, several with commas between them, or nothing.
impl FromStr for Grants {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let names = text
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        names.map(str::parse::<Grant>).collect()
    }
}

impl FromIterator<Grant> for Grants {
    fn from_iter<I: IntoIterator<Item = Grant>>(grants: I) -> Self {
        grants.into_iter().fold(Self::none(), Self::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_are_read_from_a_list() {
        assert_eq!("".parse::<Grants>().expect("none"), Grants::none());
        assert_eq!(
            "clock, clock".parse::<Grants>().expect("one"),
            Grants::clock()
        );
        let error = "clock,root".parse::<Grants>().expect_err("no such grant");
        assert_eq!(error.to_string(), "grant \"root\": expected one of: clock");
    }
}
