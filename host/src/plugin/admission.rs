//! What a component imports against what its world allows and the operator granted.

use super::grants::{Grant, Grants};
use super::shape::{Extern, Shape};
use super::world::{Interface, World};
use super::{Check, subject};
use crate::error::{Error, Result};

/// Refuses a component that imports more than its world and `grants` allow.
pub(super) fn check(name: &str, world: World, grants: &Grants, shape: &Shape) -> Result<()> {
    shape.imports.iter().try_for_each(|import| {
        check_import(world, grants, import).map_err(|reason| {
            Error::invalid(subject(name), format!("asks for {}, {reason}", import.name))
        })
    })
}

fn check_import(world: World, grants: &Grants, import: &Extern) -> Check<()> {
    let ours = Interface::ours(&import.name)
        .filter(|interface| interface.fits())
        .map(|interface| interface.name);
    match (world, ours) {
        (_, Some("types" | "events")) if !import.acts => Ok(()),
        (World::ChatFormat, _) => {
            Err("but a chat format only computes and may import nothing".into())
        }
        (World::LogitsProcessor, Some("logits")) => Ok(()),
        (World::LogitsProcessor, _) => {
            Err("but a logits processor only computes and may import nothing but logits".into())
        }
        (World::ToolProvider | World::Agent, Some("log")) => Ok(()),
        (World::ToolProvider | World::Agent, Some(name)) => match name.parse::<Grant>() {
            Ok(grant) => require(grants, grant),
            Err(_) => Err(absent()),
        },
        (World::ToolProvider | World::Agent, None) => Err(absent()),
    }
}

fn absent() -> String {
    let grants = Grant::ALL.map(Grant::name).join(", ");
    format!("which this host does not have; it has log, and with --grant {grants}")
}

fn require(grants: &Grants, grant: Grant) -> Check<()> {
    match grants.has(grant) {
        true => Ok(()),
        false => Err(format!(
            "which is not granted; pass --grant {}",
            grant.usage()
        )),
    }
}
