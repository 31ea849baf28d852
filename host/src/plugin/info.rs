//! What can be told of a component from its bytes alone.

use std::fmt::Write;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::shape::Shape;
use super::signature::{self, Signer};
use super::world::World;
use crate::error::Result;
use crate::limits::Limits;

/// A component, described.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PluginInfo {
    /// What the caller calls it.
    pub name: String,
    /// What it is.
    #[serde(serialize_with = "world_name")]
    pub world: World,
    /// The contract version it was built for.
    pub version: String,
    /// The interfaces it imports functions or resources from: the capabilities it asks for.
    pub imports: Vec<String>,
    /// Everything it exports.
    pub exports: Vec<String>,
    /// It takes over what an older version kept.
    pub adopts: bool,
    /// SHA-256 of its bytes without a signature, in hex: what is signed, and what the code cache goes by.
    pub digest: String,
    /// Who signed it.
    pub signer: Option<Signer>,
    /// How long it is.
    pub size_bytes: usize,
}

fn world_name<S: serde::Serializer>(
    world: &World,
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(world.name())
}

/// Describes a component without compiling or running any of it.
///
/// # Errors
/// `Invalid` for bytes that are no whole component or whose signature does not fit, `Unsupported` for one of a world or contract version
/// that this host does not know, `Limit("component_bytes_max")`.
pub fn inspect(name: &str, bytes: &[u8]) -> Result<PluginInfo> {
    let shape = Shape::read(name, bytes, &Limits::default())?;
    describe(name, bytes, &shape)
}

/// As [`inspect`], of a component whose surface is known.
pub(super) fn describe(name: &str, bytes: &[u8], shape: &Shape) -> Result<PluginInfo> {
    let (world, version) = World::detect(name, shape)?;
    Ok(PluginInfo {
        name: name.to_owned(),
        world,
        version,
        imports: acting(shape),
        exports: shape.exports.clone(),
        adopts: world.adopts(&shape.exports),
        digest: digest(bytes),
        signer: signature::signer(name, bytes)?,
        size_bytes: bytes.len(),
    })
}

/// The imports of any component through which something can happen: functions, resources, modules.
/// Interfaces that only name types are left out.
///
/// # Errors
/// `Invalid` for bytes that are no whole component, `Limit("component_bytes_max")`.
pub fn function_imports(bytes: &[u8]) -> Result<Vec<String>> {
    Ok(acting(&Shape::read(
        "component",
        bytes,
        &Limits::default(),
    )?))
}

pub(super) fn acting(shape: &Shape) -> Vec<String> {
    shape
        .imports
        .iter()
        .filter(|import| import.acts)
        .map(|import| import.name.clone())
        .collect()
}

pub(super) fn digest(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(signature::content(bytes)) {
        write!(hex, "{byte:02x}").expect("a String takes every write");
    }
    hex
}
