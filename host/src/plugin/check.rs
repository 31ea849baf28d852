//! Whether a host would take a component, and why not, without running any of it.

use super::capability::Capabilities;
use super::engine::Engines;
use super::grants::{Grant, Grants};
use super::info::{self, digest};
use super::shape::Shape;
use super::signature::{self, Signer};
use super::world::World;
use super::{admission, policy};
use crate::error::{Error, Result};

/// What [`check`] found. A refused component is described as far as it can be read.
#[derive(Debug)]
pub struct PluginCheck {
    /// What the caller calls it.
    pub name: String,
    /// How long it is.
    pub size_bytes: usize,
    /// SHA-256 of its bytes without a signature, in hex.
    pub digest: String,
    /// What it is, where it is one of our worlds.
    pub world: Option<World>,
    /// The contract version it was built for.
    pub version: Option<String>,
    /// Everything it exports.
    pub exports: Vec<String>,
    /// The interfaces it imports functions or resources from.
    pub imports: Vec<String>,
    /// The grants it asks for, given or not.
    pub asks: Vec<Grant>,
    /// It takes over what an older version kept.
    pub adopts: bool,
    /// Who signed it.
    pub signer: Option<Signer>,
    /// Machine code for it is in the engines' cache: loading it will not compile.
    pub is_cached: bool,
    /// Why a host with these grants and limits refuses it; none where it does not.
    pub refusal: Option<Error>,
}

/// Looks at a component as a host with `grants` would before it compiles: size, kind, world, contract version,
/// imports and grants.
///
/// ```
/// use lapidary::{Engines, Grants, Limits, check};
///
/// let engines = Engines::new(&Limits::default(), None)?;
/// let found = check("clock", lapidary_guests::TOOL_CLOCK, &Grants::none(), &engines);
/// let refusal = found.refusal.expect("the clock was not granted");
/// assert!(refusal.to_string().ends_with("which is not granted; pass --grant clock"));
/// assert_eq!(found.asks, [lapidary::Grant::Clock]);
/// # Ok::<(), lapidary::Error>(())
/// ```
pub fn check(name: &str, bytes: &[u8], grants: &Grants, engines: &Engines) -> PluginCheck {
    let mut found = PluginCheck {
        name: name.to_owned(),
        size_bytes: bytes.len(),
        digest: digest(bytes),
        world: None,
        version: None,
        exports: Vec::new(),
        imports: Vec::new(),
        asks: Vec::new(),
        adopts: false,
        signer: None,
        is_cached: false,
        refusal: None,
    };
    found.refusal = found.read(bytes, grants, engines).err();
    found
}

impl PluginCheck {
    /// Fills in what is found on the way to the first reason against it.
    fn read(&mut self, bytes: &[u8], grants: &Grants, engines: &Engines) -> Result<()> {
        let shape = Shape::read(&self.name, bytes, engines.limits())?;
        self.exports.clone_from(&shape.exports);
        self.imports = info::acting(&shape);
        self.asks = Grants::named_by(&self.imports).iter().collect();
        self.signer = signature::signer(&self.name, bytes)?;
        let (world, version) = World::detect(&self.name, &shape)?;
        (self.world, self.version) = (Some(world), Some(version));
        self.adopts = world.adopts(&shape.exports);
        self.is_cached = engines.has_code(world, &self.digest);
        admission::check(&self.name, world, grants, &shape)?;
        policy::check(&self.name, world, grants, engines.limits())?;
        Capabilities::check(&self.name, grants, engines.limits())
    }
}
