//! From bytes to machine code: everything that is checked before a guest runs.

use wasmtime::component::Component;

use super::engine::Engines;
use super::grants::Grants;
use super::info::{self, PluginInfo};
use super::log::printable;
use super::shape::Shape;
use super::store::Sandbox;
use super::subject;
use super::world::World;
use crate::error::{Error, Result};

/// A component that is what it should be and asks for nothing it may not have.
pub(super) struct Checked<'a> {
    pub info: PluginInfo,
    bytes: &'a [u8],
}

impl<'a> Checked<'a> {
    pub(super) fn new(
        name: &str,
        bytes: &'a [u8],
        world: World,
        grants: &Grants,
        engines: &Engines,
    ) -> Result<Self> {
        let shape = Shape::read(name, bytes, engines.limits())?;
        let info = info::describe(name, bytes, &shape)?;
        if info.world != world {
            let detail = format!("expected a {}, found a {}", world.name(), info.world.name());
            return Err(Error::unsupported(subject(name), detail));
        }
        grants.check(name, world, &shape)?;
        Ok(Self { info, bytes })
    }

    /// Its machine code and the sandbox to run it in.
    pub(super) fn compile(&self, engines: &Engines) -> Result<(Sandbox, Component)> {
        let sandbox = Sandbox::new(&self.info.name, self.info.world, engines);
        match engines.compile(self.info.world, self.bytes, &self.info.digest) {
            Ok(component) => Ok((sandbox, component)),
            Err(error) => Err(sandbox.fault(refusal(&error)).with_source(error)),
        }
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
