//! WASI 0.2, as far as grants open it: `wasi:http` for requests, `wasi:io` to wait for them and to read, and
//! `wasi:clocks/monotonic-clock`. Guests that were built with a standard library's client need nothing else.
//!
//! Every request goes through the same guarded client as those of our own `http`. What a guest makes the host hold is
//! bounded: resources in number, headers and parts of addresses in bytes, bodies by the client. Every call counts
//! against `plugin_host_calls_max`; one too many ends the guest at the next tick.

mod address;
mod clock;
mod outgoing;
mod pieces;

use std::time::Instant;

use wasmtime::component::{HasData, Linker, ResourceTable, ResourceTableError};
use wasmtime_wasi::p2::bindings::io;
use wasmtime_wasi_http::{FieldMapError, WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

pub(super) use self::outgoing::Outgoing;
use super::store::State;
use crate::limits::Limits;

/// What one store holds of WASI.
pub(super) struct Wasi {
    table: ResourceTable,
    http: WasiHttpCtx,
    outgoing: Outgoing,
    started: Instant,
}

impl Wasi {
    pub(super) fn new(limits: &Limits, outgoing: Outgoing) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.plugin_resources_max);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(limits.http_headers_bytes_max);
        Self {
            table,
            http,
            outgoing,
            started: Instant::now(),
        }
    }
}

/// The resources, as `wasi:io` sees them.
struct Table;

impl HasData for Table {
    type Data<'a> = &'a mut ResourceTable;
}

impl State {
    fn resources(&mut self) -> &mut ResourceTable {
        self.count_call();
        &mut self.wasi.table
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.count_call();
        let wasi = &mut self.wasi;
        WasiHttpCtxView {
            hooks: &mut wasi.outgoing,
            table: &mut wasi.table,
            ctx: &mut wasi.http,
        }
    }
}

/// Offers it. Whether a plugin may import it was checked before it was compiled.
pub(super) fn add(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    io::error::add_to_linker::<State, Table>(linker, State::resources)?;
    io::poll::add_to_linker::<State, Table>(linker, State::resources)?;
    io::streams::add_to_linker::<State, Table>(linker, State::resources)?;
    clock::add(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    address::add(linker)
}

/// What an end at one of WASI's own bounds means to the operator.
pub(super) fn overrun(error: &wasmtime::Error, limits: &Limits) -> Option<String> {
    use FieldMapError::{TooManyFields, TotalSizeTooBig};
    if let Some(ResourceTableError::Full) = error.downcast_ref() {
        let max = limits.plugin_resources_max;
        return Some(format!(
            "expected at most {max} resources of WASI, found one more; raise plugin_resources_max"
        ));
    }
    if let Some(TooManyFields | TotalSizeTooBig) = error.downcast_ref() {
        let max = limits.http_headers_bytes_max;
        return Some(format!(
            "expected at most {max} bytes of headers, found more; raise http_headers_bytes_max"
        ));
    }
    None
}
