//! The preview world `streaming-tool-provider`.

use std::pin::Pin;
use std::task::{Context, Poll};

use async_channel::{Receiver, Sender};
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Accessor, Component, HasSelf, Linker, Source, StreamConsumer, StreamResult,
};

use super::streaming_world::exports::lapidary::plugin::streaming_tools::Piece;
use super::streaming_world::lapidary::plugin::concurrent_http;
use super::streaming_world::{StreamingToolProvider, StreamingToolProviderPre};
use super::tool_provider::lapidary::plugin::http::{Request, Response};
use super::{convert, imports, tools, wit};
use crate::chat::{Content, ToolCall, ToolResult, ToolSpec};
use crate::error::Error;
use crate::plugin::abi::ToolsAbi;
use crate::plugin::bounds::Stop;
use crate::plugin::interrupt::Interrupt;
use crate::plugin::store::{Sandbox, State};

/// Linked tools with streamed results of contract 0.1.
pub(in crate::plugin) struct StreamingV01 {
    guest: StreamingToolProviderPre<State>,
}

impl StreamingV01 {
    /// Whether `component`, a tool provider, is one of these.
    pub(in crate::plugin) fn is_of(component: &Component) -> bool {
        component
            .get_export_index(None, "lapidary:plugin/streaming-tools@0.1.0")
            .is_some()
    }

    pub(in crate::plugin) fn link(sandbox: &Sandbox, component: &Component) -> Result<Self, Error> {
        let mut linker = Linker::new(component.engine());
        let guest = imports::add(&mut linker)
            .and_then(|()| requests(&mut linker))
            .and_then(|()| linker.instantiate_pre(component))
            .and_then(StreamingToolProviderPre::new);
        Ok(Self {
            guest: guest.map_err(|error| sandbox.mismatch(error))?,
        })
    }
}

impl ToolsAbi for StreamingV01 {
    fn definitions(&self, sandbox: &Sandbox) -> Result<Vec<ToolSpec>, Error> {
        let mut store = sandbox.store(&Interrupt::new());
        let definitions = sandbox.enter_waiting(&mut store, 0, async |store| {
            let guest = self.guest.instantiate_async(&mut *store).await?;
            let tools = guest.lapidary_plugin_streaming_tools();
            tools.call_definitions(store).await
        })?;
        tools::specs(sandbox, definitions)
    }

    fn call(
        &self,
        sandbox: &Sandbox,
        call: &ToolCall,
        interrupt: &Interrupt,
        progress: &mut dyn FnMut(&str),
    ) -> Result<ToolResult, Error> {
        let asked =
            convert::tool_call(call).map_err(|reason| Error::invalid("tool call", reason))?;
        let bytes_max = sandbox.allowance().copy_bytes_max;
        let mut store = sandbox.store(interrupt);
        let output = sandbox.enter_waiting(&mut store, asked.arguments.len(), async |store| {
            let guest = self.guest.instantiate_async(&mut *store).await?;
            store
                .run_concurrent(async |store| run(store, &guest, asked, bytes_max, progress).await)
                .await?
        })?;
        let output = output.map_err(|error| convert::failure(sandbox, error))?;
        Ok(ToolResult {
            id: call.id.clone(),
            name: call.name.clone(),
            content: Content::Text(output.text),
            is_error: output.is_error,
        })
    }
}

fn requests(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut options = concurrent_http::LinkOptions::default();
    options.streaming(true);
    concurrent_http::add_to_linker::<State, HasSelf<State>>(linker, &options, |state| state)
}

/// What came of a result.
#[derive(Default)]
struct Output {
    text: String,
    is_error: bool,
}

async fn run(
    store: &Accessor<State>,
    guest: &StreamingToolProvider,
    call: wit::ToolCall,
    bytes_max: usize,
    progress: &mut dyn FnMut(&str),
) -> wasmtime::Result<Result<Output, wit::Error>> {
    let tools = guest.lapidary_plugin_streaming_tools();
    let stream = match tools.call_call(store, call).await? {
        Ok(stream) => stream,
        Err(error) => return Ok(Err(error)),
    };
    let (taken, pieces) = async_channel::unbounded();
    let taker = Taker {
        taken,
        bytes_left: bytes_max,
    };
    store.with(|store| stream.pipe(store, taker))?;
    Ok(Ok(gather(&pieces, progress).await))
}

async fn gather(pieces: &Receiver<Piece>, progress: &mut dyn FnMut(&str)) -> Output {
    let mut output = Output::default();
    while let Ok(piece) = pieces.recv().await {
        let text = match piece {
            Piece::Text(text) => text,
            Piece::Failed(text) => {
                output.is_error = true;
                text
            }
        };
        progress(&text);
        output.text.push_str(&text);
        if output.is_error {
            break;
        }
    }
    output
}

/// Takes every piece at once, up to so many bytes for the whole call.
struct Taker {
    taken: Sender<Piece>,
    bytes_left: usize,
}

impl Taker {
    /// `false` when nobody wants more.
    fn take(&mut self, piece: Piece) -> Result<bool, Stop> {
        let left = self.bytes_left.checked_sub(cost(&piece));
        self.bytes_left = left.ok_or(Stop::Copied)?;
        Ok(self.taken.try_send(piece).is_ok())
    }
}

/// What a piece counts, so that empty ones count too.
fn cost(piece: &Piece) -> usize {
    let (Piece::Text(text) | Piece::Failed(text)) = piece;
    text.len() + 32
}

impl StreamConsumer<State> for Taker {
    type Item = Piece;

    fn poll_consume(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut store: StoreContextMut<'_, State>,
        mut source: Source<'_, Piece>,
        _: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let mut pieces = Vec::with_capacity(source.remaining(&mut store));
        source.read(store, &mut pieces)?;
        for piece in pieces {
            if !self.take(piece)? {
                return Poll::Ready(Ok(StreamResult::Dropped));
            }
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

impl concurrent_http::Host for State {}

impl<T: Send> concurrent_http::HostWithStore<T> for HasSelf<State> {
    async fn send(
        store: &Accessor<T, Self>,
        request: Request,
    ) -> wasmtime::Result<Result<Response, wit::Error>> {
        let sending = store.with(|mut store| store.get().sending(request))?;
        let outcome = sending.await?;
        store.with(|mut store| store.get().answer(outcome))
    }
}
