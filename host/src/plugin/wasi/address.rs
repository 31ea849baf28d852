//! The parts of a request's address, bounded: WASI's own functions keep texts of any length.

use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types::{HostOutgoingRequest as _, Method};
use wasmtime_wasi_http::p2::types::HostOutgoingRequest;

use crate::plugin::store::State;

/// The version in `wasmtime_wasi_http`'s contract; with another one these functions would stand beside its own.
const TYPES: &str = "wasi:http/types@0.2.12";

type Request = Resource<HostOutgoingRequest>;
/// What WASI answers: no reason, only that it cannot be.
type Set = wasmtime::Result<(Result<(), ()>,)>;

/// Puts bounded functions in the place of those that set texts.
pub(super) fn add(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut types = linker.instance(TYPES)?;
    types.func_wrap("[method]outgoing-request.set-method", set_method)?;
    types.func_wrap(
        "[method]outgoing-request.set-authority",
        |mut store: StoreContextMut<'_, State>,
         (request, text): (Request, Option<String>)|
         -> Set {
            match fits(&store, text.as_deref()) {
                true => Ok((store.data_mut().http().set_authority(request, text)?,)),
                false => Ok((Err(()),)),
            }
        },
    )?;
    types.func_wrap(
        "[method]outgoing-request.set-path-with-query",
        |mut store: StoreContextMut<'_, State>,
         (request, text): (Request, Option<String>)|
         -> Set {
            match fits(&store, text.as_deref()) {
                true => Ok((store.data_mut().http().set_path_with_query(request, text)?,)),
                false => Ok((Err(()),)),
            }
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

fn set_method(mut store: StoreContextMut<'_, State>, (request, method): (Request, Method)) -> Set {
    let other = match &method {
        Method::Other(text) => Some(text.as_str()),
        _ => None,
    };
    match fits(&store, other) {
        true => Ok((store.data_mut().http().set_method(request, method)?,)),
        false => Ok((Err(()),)),
    }
}

fn fits(store: &StoreContextMut<'_, State>, text: Option<&str>) -> bool {
    let max = store
        .data()
        .shared
        .engines()
        .limits()
        .http_headers_bytes_max;
    text.is_none_or(|text| text.len() <= max)
}
