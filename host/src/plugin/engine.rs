//! The two wasmtime engines, their clock, and compilation.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::task::Waker;

use serde_json::Value;
use wasmtime::component::Component;
use wasmtime::{Config, Engine, PoolingAllocationConfig, WasmBacktraceDetails};

use super::cache::Cache;
#[cfg(feature = "http")]
use super::capability::Io;
use super::capability::{KeyValue, Refusal};
use super::inference::Inference;
use super::record::Recorder;
use super::ticker::Ticker;
use super::world::{PREVIEW, World};
use crate::error::{Error, Result};
use crate::limits::Limits;

/// Room for the host's functions on a guest's fiber, beside the guest's own stack.
const HOST_STACK_BYTES: usize = 2 << 20;

/// Compiles and runs plugins. Cheap to clone; everything loaded through it keeps it alive.
///
/// Chat formats and tools have an engine each: formats are called for every token and get preallocated
/// slots, tools may be large and wait for the outside: each call of theirs runs on a fiber, which sleeps while
/// the host answers.
#[derive(Clone)]
pub struct Engines {
    inner: Arc<Inner>,
}

struct Inner {
    pure: Engine,
    tools: Engine,
    limits: Limits,
    cache: Option<Cache>,
    ticker: Ticker,
    /// By plugin: a new version goes on where the old one stopped.
    key_values: Mutex<BTreeMap<String, Arc<KeyValue>>>,
    model: OnceLock<Weak<dyn Inference>>,
    recorder: OnceLock<Recorder>,
    /// From the first plugin on that may send requests.
    #[cfg(feature = "http")]
    io: OnceLock<Io>,
}

impl Engines {
    /// Engines whose guests are bounded by `limits`.
    ///
    /// Compiled code is kept in `cache` and read back from there, unless the folder is one that other users
    /// can write: then, and with `None`, each load compiles.
    ///
    /// # Errors
    /// `Io` when the machine refuses the address space or the thread.
    pub fn new(limits: &Limits, cache: Option<PathBuf>) -> Result<Self> {
        let pure = engine(&pure_config(limits))?;
        let tools = engine(&tools_config(limits))?;
        let ticker = Ticker::start(vec![pure.clone(), tools.clone()])?;
        let cache = cache.and_then(Cache::open);
        let inner = Inner {
            pure,
            tools,
            limits: limits.clone(),
            cache,
            ticker,
            key_values: Mutex::default(),
            model: OnceLock::new(),
            recorder: OnceLock::new(),
            #[cfg(feature = "http")]
            io: OnceLock::new(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Ticks since the start: about one a millisecond.
    pub fn ticks(&self) -> u64 {
        self.inner.ticker.count()
    }

    /// The threads that wait for the network.
    #[cfg(feature = "http")]
    pub(super) fn io(&self) -> Result<&Io> {
        if let Some(io) = self.inner.io.get() {
            return Ok(io);
        }
        let io = Io::start()?;
        Ok(self.inner.io.get_or_init(|| io))
    }

    /// The same where they run already.
    #[cfg(feature = "http")]
    pub(super) fn started_io(&self) -> Option<&Io> {
        self.inner.io.get()
    }

    pub(super) fn wake_at_tick(&self, waker: &Waker) {
        self.inner.ticker.wake(waker);
    }

    /// Gives plugins with the grant `inference` a model. The first one stays; it is not kept alive.
    pub fn provide(&self, model: &Arc<dyn Inference>) {
        // A second model is not an error: several hosts may share engines, and the first answers.
        let _ = self.inner.model.set(Arc::downgrade(model));
    }

    /// Gives `take` a line, a JSON object, of each use of a plugin from now on. The first one stays.
    /// [`Plugin::replay`](super::Plugin::replay) does it again.
    ///
    /// A line has `plugin`, its name; what it was asked, under the name of what was asked; `host`, what it asked the
    /// host and was told; and `outcome`, or in it `error`. Secrets are blanked, media have no bytes. Asked are, of a
    /// tool plugin `definitions` where it is loaded and `call`; of a chat format `describe` where it is loaded,
    /// `render`, `constrain` and `parse`; of an agent `run`; of a tool plugin or an agent that takes over from an older
    /// version `adopt`; of a logits processor `session`, one generation, whose `host` and `outcome` have an entry for
    /// each step.
    pub fn record(&self, take: impl Fn(Value) + Send + Sync + 'static) {
        self.record_with(Recorder::new(take));
    }

    pub(crate) fn record_with(&self, recorder: Recorder) {
        // As with models, the first stays.
        let _ = self.inner.recorder.set(recorder);
    }

    pub(super) fn recorder(&self) -> Option<&Recorder> {
        self.inner.recorder.get()
    }

    pub(super) fn model(&self) -> Option<Arc<dyn Inference>> {
        self.inner.model.get()?.upgrade()
    }

    /// The store of the plugin called `name`.
    pub(super) fn key_value(&self, name: &str, file: Option<&Path>) -> Result<Arc<KeyValue>> {
        let stores = self.inner.key_values.lock();
        let mut stores = stores.unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = stores.get(name) {
            return Ok(Arc::clone(store));
        }
        let store = KeyValue::open(file, self.limits().key_value_bytes_max)?;
        let store = Arc::new(store);
        stores.insert(name.to_owned(), Arc::clone(&store));
        Ok(store)
    }

    /// Makes `store` that of the plugin called `name`. What it had before is kept nowhere from now on.
    pub(super) fn keep(
        &self,
        name: &str,
        store: &Arc<KeyValue>,
    ) -> std::result::Result<(), Refusal> {
        let stores = self.inner.key_values.lock();
        let mut stores = stores.unwrap_or_else(PoisonError::into_inner);
        let before = stores.insert(name.to_owned(), Arc::clone(store));
        match before.filter(|before| !Arc::ptr_eq(before, store)) {
            Some(before) => store.replace(&before).inspect_err(|_| {
                stores.insert(name.to_owned(), before);
            }),
            None => Ok(()),
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.inner.limits
    }

    pub(super) fn of(&self, world: World) -> &Engine {
        match world {
            World::ChatFormat | World::LogitsProcessor => &self.inner.pure,
            World::ToolProvider | World::Agent => &self.inner.tools,
        }
    }

    /// Whether the cache has machine code for a component with `digest`.
    pub(super) fn has_code(&self, world: World, digest: &str) -> bool {
        let cache = self.inner.cache.as_ref();
        cache.is_some_and(|cache| cache.has(self.of(world), digest))
    }

    /// Machine code for checked `bytes`, from the cache where it has them.
    pub(super) fn compile(
        &self,
        world: World,
        bytes: &[u8],
        digest: &str,
    ) -> wasmtime::Result<Component> {
        let engine = self.of(world);
        let Some(cache) = &self.inner.cache else {
            return Component::new(engine, bytes);
        };
        if let Some(component) = cache.load(engine, digest) {
            return Ok(component);
        }
        let component = Component::new(engine, bytes)?;
        cache.store(engine, digest, &component);
        Ok(component)
    }
}

impl fmt::Debug for Engines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engines")
            .field("ticks", &self.ticks())
            .finish_non_exhaustive()
    }
}

fn engine(config: &Config) -> Result<Engine> {
    Engine::new(config).map_err(|source| {
        Error::io("plugin engine", "cannot be started on this machine").with_source(source)
    })
}

fn common_config(limits: &Limits) -> Config {
    let mut config = Config::new();
    config.epoch_interruption(true);
    config.consume_fuel(limits.plugin_fuel_max.is_some());
    config.wasm_backtrace_details(WasmBacktraceDetails::Enable);
    // Costs a third of a microsecond per call, and nothing here needs it.
    config.concurrency_support(false);
    config.max_wasm_stack(limits.plugin_stack_bytes_max);
    config.memory_init_cow(true);
    config.wasm_memory64(false);
    // Its results may differ between machines.
    config.wasm_relaxed_simd(false);
    // The handler thread of mach ports does not survive a fork, and hosts fork.
    config.macos_use_mach_ports(false);
    config
}

/// For guests that only compute: preallocated, and the same bits everywhere.
fn pure_config(limits: &Limits) -> Config {
    let count = limits.plugin_instances_max;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(count)
        .total_core_instances(count.saturating_mul(4))
        .total_memories(count)
        .total_tables(count.saturating_mul(4))
        // They never wait.
        .total_stacks(0)
        .max_memory_size(limits.plugin_memory_bytes_max)
        .table_elements(limits.plugin_table_elements_max);
    let mut config = common_config(limits);
    config.allocation_strategy(pool);
    config.cranelift_nan_canonicalization(true);
    config
}

/// For guests that wait.
fn tools_config(limits: &Limits) -> Config {
    let mut config = common_config(limits);
    let stack = limits.plugin_stack_bytes_max;
    config.async_stack_size(stack.saturating_add(HOST_STACK_BYTES));
    config.concurrency_support(PREVIEW);
    config
}
