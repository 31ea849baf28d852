//! What becomes of a call whose plugin fails: the operator says it, and each world can do some of it.

use super::grants::Grants;
use super::world::World;
use super::{Check, subject};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;

/// What becomes of a call whose plugin fails, also where it rests or a limit was reached.
///
/// A chat format has no such policy: its chats fail, unless
/// [`RuntimeBuilder::native_fallback`](crate::RuntimeBuilder::native_fallback) names another format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// The call is an error. In a chat the model is told which, where a tool failed; where a logits processor did,
    /// the chat ends with it.
    #[default]
    Fail,
    /// It goes on without the plugin: the model is told that the tool is not available, and nothing else; a logits
    /// processor is left out for the rest of the generation, and `Usage::bypassed` names it.
    Bypass,
}

/// Refuses a policy that the world has no use for, before anybody relies on it.
pub(super) fn check(name: &str, world: World, grants: &Grants, limits: &Limits) -> Result<()> {
    let told = check_world(world, grants).and_then(|()| check_fuel(grants, limits));
    told.map_err(|reason| Error::invalid(subject(name), reason))
}

fn check_world(world: World, grants: &Grants) -> Check<()> {
    let expected = match (world, grants.on_failure, &grants.fallback) {
        (World::Agent, OnFailure::Bypass, None) => {
            "expected a fallback, which answers for an agent that is bypassed, found none"
        }
        (World::Agent, _, Some(fallback)) if fallback.said().is_none() => {
            "expected a text as an agent's fallback, found one made for tool calls; use Fallback::text"
        }
        (World::LogitsProcessor, _, Some(_)) => {
            "expected no fallback for a logits processor, which answers nothing, found one; bypass it on failure"
        }
        _ => return Ok(()),
    };
    Err(expected.to_owned())
}

/// A bound on what nobody counts bounds nothing.
fn check_fuel(grants: &Grants, limits: &Limits) -> Check<()> {
    match (grants.limits.fuel_max, limits.plugin_fuel_max) {
        (Some(_), None) => Err(
            "expected no fuel_max where plugin_fuel_max is not set, which has fuel counted, found one; bound its time \
             with call_ms_max"
                .to_owned(),
        ),
        _ => Ok(()),
    }
}

/// Whether a plugin broke, rests or reached a limit, and not the call was wrong.
pub(super) fn is_failure(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Plugin | ErrorKind::Limit(_))
}
