//! Which world a component lives in, told from its exports.

use super::shape::Shape;
use super::subject;
use crate::error::{Error, Result};

/// The contract this host speaks.
pub(super) const CONTRACT: Version = Version { major: 0, minor: 1 };
const CONTRACT_TEXT: &str = "0.1.0";
const PACKAGE: &str = "lapidary:plugin";
const HANDOVER: &str = "handover";
/// What makes a tool provider one whose results are streams.
const STREAMING: &str = "streaming-tools";
/// Whether this host takes those.
pub(super) const PREVIEW: bool = cfg!(feature = "preview");

/// What a plugin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum World {
    /// How a family of models speaks: template and parser.
    ChatFormat,
    /// Tools that the model may call.
    ToolProvider,
    /// A program that drives the model.
    Agent,
    /// What leans on the model's choice of tokens.
    LogitsProcessor,
}

impl World {
    /// Every world this host knows.
    pub const ALL: [Self; 4] = [
        Self::ChatFormat,
        Self::ToolProvider,
        Self::Agent,
        Self::LogitsProcessor,
    ];

    /// Its name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::ChatFormat => "chat-format",
            Self::ToolProvider => "tool-provider",
            Self::Agent => "agent",
            Self::LogitsProcessor => "logits-processor",
        }
    }

    fn exports(self) -> &'static [&'static str] {
        match self {
            Self::ChatFormat => &["format", "template", "parser"],
            Self::ToolProvider => &["tools"],
            Self::Agent => &["pipeline"],
            Self::LogitsProcessor => &["processor"],
        }
    }

    /// Whether a plugin of this world that exports these takes over what its older versions kept.
    pub(super) fn adopts(self, exports: &[String]) -> bool {
        let keeps = match self {
            Self::ToolProvider | Self::Agent => true,
            Self::ChatFormat | Self::LogitsProcessor => false,
        };
        let mut ours = exports.iter().filter_map(|e| Interface::ours(e));
        keeps && ours.any(|found| found.name == HANDOVER && found.fits())
    }

    fn fits(self, ours: &[Interface<'_>]) -> bool {
        let streams = PREVIEW && self == Self::ToolProvider && has(ours, STREAMING);
        streams || self.exports().iter().all(|wanted| has(ours, wanted))
    }

    /// The world of the component called `name`, and the contract version it was built for.
    ///
    /// A version fits when it has our minor version: within one, releases only add.
    pub(super) fn detect(name: &str, shape: &Shape) -> Result<(Self, String)> {
        let ours: Vec<Interface<'_>> = shape
            .exports
            .iter()
            .filter_map(|e| Interface::ours(e))
            .collect();
        let fits = |world: &Self| world.fits(&ours);
        let mut worlds = Self::ALL.into_iter().filter(fits);
        let Some(world) = worlds.next() else {
            return Err(refusal(name, shape, &ours));
        };
        if let Some(other) = worlds.next() {
            let detail = format!(
                "is a {} and a {}; make it two components",
                world.name(),
                other.name()
            );
            return Err(Error::unsupported(subject(name), detail));
        }
        let version = ours
            .iter()
            .find(|i| i.name == world.exports()[0])
            .map_or(CONTRACT_TEXT, |i| i.version);
        Ok((world, version.to_owned()))
    }
}

fn has(interfaces: &[Interface<'_>], wanted: &str) -> bool {
    interfaces
        .iter()
        .any(|found| found.name == wanted && found.fits())
}

/// Why no world fits: what there is, what there should be, and what to do.
fn refusal(name: &str, shape: &Shape, ours: &[Interface<'_>]) -> Error {
    let found = list(shape.exports.iter().map(String::as_str));
    let foreign = ours.iter().find(|interface| !interface.fits());
    let detail = match (foreign, nearest(ours)) {
        _ if has(ours, STREAMING) => {
            "is of the preview world streaming-tool-provider, which this host was built without; build lapidary \
             with the feature preview"
                .to_owned()
        }
        (Some(foreign), _) => format!(
            "expected contract {PACKAGE}@{CONTRACT_TEXT}, found {}; it exports {found}; {}",
            foreign.version,
            foreign.way_out()
        ),
        (None, Some((world, missing))) => {
            format!(
                "expected a {}, which also exports {missing}; it exports {found}",
                world.name()
            )
        }
        (None, None) => {
            let known = list(World::ALL.into_iter().map(World::name));
            format!(
                "expected one of the worlds {known} of {PACKAGE}@{CONTRACT_TEXT}; it exports {found}"
            )
        }
    };
    Error::unsupported(subject(name), detail)
}

/// The world of which a part is there, and the part that is not.
fn nearest(ours: &[Interface<'_>]) -> Option<(World, String)> {
    let partly = |world: &World| world.exports().iter().any(|wanted| has(ours, wanted));
    let world = World::ALL.into_iter().find(partly)?;
    let missing = world
        .exports()
        .iter()
        .copied()
        .filter(|wanted| !has(ours, wanted));
    Some((world, list(missing)))
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const NAMES_MAX: usize = 8;
    let names: Vec<&str> = names.collect();
    match names.len() {
        0 => "nothing".to_owned(),
        count if count > NAMES_MAX => format!(
            "{} and {} more",
            names[..NAMES_MAX].join(", "),
            count - NAMES_MAX
        ),
        _ => names.join(", "),
    }
}

/// One of our interfaces, by its extern name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interface<'a> {
    pub name: &'a str,
    version: &'a str,
}

impl<'a> Interface<'a> {
    /// `None` for other packages' names.
    pub(super) fn ours(extern_name: &'a str) -> Option<Self> {
        let rest = extern_name.strip_prefix(PACKAGE)?.strip_prefix('/')?;
        let (name, version) = rest.split_once('@').unwrap_or((rest, "none"));
        Some(Self { name, version })
    }

    /// Whether this host speaks its version.
    pub(super) fn fits(self) -> bool {
        Version::parse(self.version) == Some(CONTRACT)
    }

    fn way_out(self) -> &'static str {
        match Version::parse(self.version) {
            Some(version) if version > CONTRACT => "update lapidary, or build the plugin for 0.1.0",
            Some(_) | None => "build the plugin for 0.1.0",
        }
    }
}

/// What decides whether two versions of the contract fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    major: u64,
    minor: u64,
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('.');
        let mut next = || numbers.next()?.parse::<u64>().ok();
        let (major, minor, _patch) = (next()?, next()?, next()?);
        numbers.next().is_none().then_some(Self { major, minor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(exports: &[&str]) -> Result<(World, String)> {
        let exports = exports.iter().map(|&e| e.to_owned()).collect();
        World::detect(
            "x",
            &Shape {
                imports: Vec::new(),
                exports,
            },
        )
    }

    #[test]
    fn a_world_is_known_by_its_exports() {
        let (world, version) = detect(&["lapidary:plugin/tools@0.1.3"]).expect("a tool provider");
        assert_eq!((world, version.as_str()), (World::ToolProvider, "0.1.3"));
    }

    #[test]
    fn a_newer_contract_is_refused_by_version() {
        let error = detect(&["lapidary:plugin/tools@0.2.0"]).expect_err("another contract");
        assert_eq!(
            error.to_string(),
            "plugin \"x\": expected contract lapidary:plugin@0.1.0, found 0.2.0; it exports \
             lapidary:plugin/tools@0.2.0; update lapidary, or build the plugin for 0.1.0"
        );
    }

    #[cfg(not(feature = "preview"))]
    #[test]
    fn a_tool_of_the_preview_is_told_what_it_takes() {
        let error = detect(&["lapidary:plugin/streaming-tools@0.1.0"]).expect_err("a preview");
        assert!(
            error
                .to_string()
                .ends_with("build lapidary with the feature preview")
        );
    }

    #[test]
    fn half_a_format_is_told_what_is_missing() {
        let error = detect(&["lapidary:plugin/template@0.1.0"]).expect_err("half a format");
        assert!(
            error
                .to_string()
                .contains("expected a chat-format, which also exports format, parser")
        );
    }

    #[test]
    fn a_stranger_is_told_the_worlds() {
        let error = detect(&["wasi:cli/run@0.2.0"]).expect_err("a command");
        assert!(error.to_string().contains(
            "chat-format, tool-provider, agent, logits-processor of lapidary:plugin@0.1.0"
        ));
        assert!(error.to_string().contains("it exports wasi:cli/run@0.2.0"));
    }
}
