//! From bytes to machine code: everything that is checked before a guest runs.

use serde_json::Value;
use wasmtime::component::Component;

use super::abi;
use super::admission;
use super::capability::Capabilities;
use super::engine::Engines;
use super::grants::Grants;
use super::info::{self, PluginInfo};
use super::log::printable;
use super::policy;
use super::record;
use super::shape::Shape;
use super::store::Sandbox;
use super::subject;
use super::world::World;
use crate::error::{Error, Result};

/// A component that was looked at and not yet let in.
pub(super) struct Candidate<'a> {
    pub info: PluginInfo,
    bytes: &'a [u8],
    shape: Shape,
}

impl<'a> Candidate<'a> {
    /// Reads its surface.
    pub(super) fn read(name: &str, bytes: &'a [u8], engines: &Engines) -> Result<Self> {
        let shape = Shape::read(name, bytes, engines.limits())?;
        let info = info::describe(name, bytes, &shape)?;
        Ok(Self { info, bytes, shape })
    }

    /// Refuses it unless it is of `world`.
    pub(super) fn expect(self, world: World) -> Result<Self> {
        let found = self.info.world;
        if found != world {
            let detail = format!(
                "expected the world {}, found {}",
                world.name(),
                found.name()
            );
            return Err(Error::unsupported(subject(&self.info.name), detail));
        }
        Ok(self)
    }

    /// Its machine code and the sandbox to run it in, if it asks for nothing that was not granted.
    pub(super) fn admit(&self, grants: &Grants, engines: &Engines) -> Result<(Sandbox, Component)> {
        self.admit_after(None, grants, engines)
    }

    /// The same, once it took over what `old`, a version before it, kept: on a copy, which is its own alone until
    /// [`Sandbox::keep`]. One that takes over nothing goes on with what is there.
    pub(super) fn admit_after(
        &self,
        old: Option<&PluginInfo>,
        grants: &Grants,
        engines: &Engines,
    ) -> Result<(Sandbox, Component)> {
        let old = old.filter(|old| self.info.adopts && old.digest != self.info.digest);
        let (name, world) = (&self.info.name, self.info.world);
        admission::check(name, world, grants, &self.shape)?;
        policy::check(name, world, grants, engines.limits())?;
        let capabilities = Capabilities::open(name, grants, engines)?;
        let capabilities = match old {
            Some(_) => capabilities.apart(),
            None => capabilities,
        };
        let sandbox = Sandbox::new(name, world, grants, capabilities, engines);
        let component = engines
            .compile(world, self.bytes, &self.info.digest)
            .map_err(|error| sandbox.fault(refusal(&error)).with_source(error))?;
        if let Some(old) = old {
            let ask = |sandbox: &Sandbox| abi::adopt(sandbox, &component, &old.digest);
            sandbox.recorded(|| record::adopt(&old.digest), ask, |()| Value::Null)?;
        }
        Ok((sandbox, component))
    }
}

/// Why the compiler did not take it.
fn refusal(error: &wasmtime::Error) -> String {
    let cause = printable(&error.root_cause().to_string());
    let too_large = format!("{error:#}").contains("pooling allocator");
    match too_large {
        true => format!(
            "needs more to begin with than plugin_memory_bytes_max and plugin_table_elements_max \
             allow: {cause}"
        ),
        false => format!("cannot be compiled: {cause}"),
    }
}
