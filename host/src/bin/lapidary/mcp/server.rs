//! `lapidary mcp`: tool plugins for any client of the Model Context Protocol.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use clap::Args as ClapArgs;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use lapidary::{
    Content, Engines, Error, ErrorKind, Interrupt, Limits, Part, ToolCall, ToolPlugin, ToolResult,
    ToolSpec,
};
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
    JsonObject, ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    ToolAnnotations,
};
use rmcp::service::{NotificationContext, Peer, RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService, stdio};
use rmcp::{ErrorData, ServerHandler, ServiceExt};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::{failed, told, twice};
use crate::model::{ToolArgs, code_cache};
use crate::screen;
use crate::watch::Watch;

/// Offer tool plugins to clients of the Model Context Protocol, on standard input and output.
#[derive(ClapArgs)]
#[command(after_help = "Example:\n  lapidary mcp --plugin calculator --plugin clock")]
pub struct Args {
    #[command(flatten)]
    plugins: ToolArgs,
    /// Over HTTP at this address of this machine instead, under /mcp. Every process of this machine may call the
    /// tools; web pages may not, nor other machines: for them, put a proxy in front that asks who it is.
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let engines = Engines::new(&Limits::default(), code_cache())?;
    let tools = Tools::new(args.plugins.clone(), &engines)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    match args.http {
        Some(address) => runtime.block_on(serve_http(tools, address))?,
        None => runtime.block_on(serve_stdio(tools))?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn serve_stdio(tools: Tools) -> anyhow::Result<()> {
    tokio::spawn(tools.clone().keep_looking());
    let failed = |error: &dyn std::fmt::Display| failed("mcp", error);
    let service = tools.serve(stdio()).await.map_err(|error| failed(&error))?;
    service.waiting().await.map_err(|error| failed(&error))?;
    Ok(())
}

async fn serve_http(tools: Tools, address: SocketAddr) -> anyhow::Result<()> {
    check_address(address)?;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| failed(&address.to_string(), error))?;
    tokio::spawn(tools.clone().keep_looking());
    screen::progress(&format!("http://{}/mcp", listener.local_addr()?));
    let service = StreamableHttpService::new(
        move || Ok(tools.for_another()),
        Arc::<LocalSessionManager>::default(),
        // A web page that is open on this machine is not its user.
        StreamableHttpServerConfig::default().enforce_origin_validation(),
    );
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = Arc::clone(&places).acquire_owned().await?;
        let connected = serve_connection(accept(&listener).await, service.clone());
        tokio::spawn(async move {
            connected.await;
            drop(place);
        });
    }
}

/// Nobody is asked who they are: only this machine's own may come.
fn check_address(address: SocketAddr) -> Result<(), Error> {
    if address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    let detail = format!(
        "expected an address of this machine alone, such as 127.0.0.1:8080, found {address}, at which everybody could \
         call the tools; put a proxy that asks who it is in front"
    );
    Err(Error::new(ErrorKind::Invalid, "--http", detail))
}

/// The next connection. Where there is no room for one now, there may be soon.
async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => tracing::warn!("a connection cannot be taken: {error}"),
        }
        tokio::time::sleep(ROOM).await;
    }
}

type Service = StreamableHttpService<Tools, LocalSessionManager>;

async fn serve_connection(stream: TcpStream, service: Service) {
    let mut connection = http1::Builder::new();
    // With a timer, a client that never ends its headers is sent away.
    connection.timer(TokioTimer::new());
    let service = TowerToHyperService::new(service);
    let served = connection.serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!("a connection ended: {error}");
    }
}

/// All plugins' tools as one server.
#[derive(Clone)]
struct Tools {
    shared: Arc<Mutex<Shared>>,
    /// Whether the client of this one is among those who hear.
    is_known: Arc<AtomicBool>,
}

struct Shared {
    arguments: ToolArgs,
    watch: Watch,
    plugins: Vec<ToolPlugin>,
    /// Who hears when the tools change.
    clients: Vec<Peer<RoleServer>>,
}

/// Connections at once; the next waits for one of them to end.
const CONNECTIONS_MAX: usize = 64;
/// How long to wait for room where a connection could not be taken.
const ROOM: Duration = Duration::from_millis(100);

/// How often files are looked at while nobody asks.
const LOOK: Duration = Duration::from_millis(500);

impl Tools {
    fn new(arguments: ToolArgs, engines: &Engines) -> anyhow::Result<Self> {
        let watch = arguments.watch();
        let files = arguments.files()?;
        let plugins = files.iter().map(|file| file.load(engines));
        let plugins = plugins.collect::<Result<Vec<_>, _>>()?;
        check(&plugins)?;
        let shared = Shared {
            arguments,
            watch,
            plugins,
            clients: Vec::new(),
        };
        Ok(Self {
            shared: Arc::new(Mutex::new(shared)),
            is_known: Arc::default(),
        })
    }

    /// The same, for another client.
    fn for_another(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            is_known: Arc::default(),
        }
    }

    /// The plugins as they are now. Where their tools are others than before, every client hears of it.
    async fn plugins(&self) -> Result<Vec<ToolPlugin>, ErrorData> {
        let shared = Arc::clone(&self.shared);
        // What changed is compiled, which takes a while.
        let now = tokio::task::spawn_blocking(move || {
            let mut shared = lock(&shared);
            let before = shared.specs();
            shared.refresh();
            let clients = match shared.specs() == before {
                true => Vec::new(),
                false => shared.clients.clone(),
            };
            (shared.plugins.clone(), clients)
        });
        let (plugins, clients) = now.await.map_err(internal)?;
        for client in clients {
            if let Err(error) = client.notify_tool_list_changed().await {
                tracing::debug!("a client did not hear that tools changed: {error}");
            }
        }
        Ok(plugins)
    }

    /// Looks again and again, where files are watched.
    async fn keep_looking(self) {
        while lock(&self.shared).arguments.is_watching() {
            tokio::time::sleep(LOOK).await;
            if let Err(error) = self.plugins().await {
                tracing::warn!("{}", error.message);
            }
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn specs(&self) -> Vec<ToolSpec> {
        let specs = self.plugins.iter().flat_map(ToolPlugin::specs);
        specs.cloned().collect()
    }

    /// Loads what changed. What cannot be loaded is told, and stays as it was.
    fn refresh(&mut self) {
        for path in self.watch.changed() {
            if let Err(error) = self.reload(&path) {
                screen::kept(&path, &error);
            }
        }
    }

    fn reload(&mut self, path: &Path) -> anyhow::Result<()> {
        let file = self.arguments.file(path)?;
        let is_older = |plugin: &ToolPlugin| plugin.info().name == file.name;
        let Some(place) = self.plugins.iter().position(is_older) else {
            return Ok(());
        };
        let (older, mut plugins) = (self.plugins[place].clone(), self.plugins.clone());
        plugins[place] = older.successor(&file.component, &file.grants)?;
        if let Err(error) = check(&plugins) {
            older.resume()?;
            return Err(error.into());
        }
        self.plugins = plugins;
        Ok(())
    }
}

/// Refuses no tool at all, and two of a name.
fn check(plugins: &[ToolPlugin]) -> Result<(), Error> {
    let specs = || plugins.iter().flat_map(ToolPlugin::specs);
    if specs().next().is_none() {
        let detail = "expected a plugin with a tool, found none; name one with --plugin";
        return Err(Error::new(ErrorKind::Invalid, "mcp", detail));
    }
    // What a plugin keeps, and what it was granted, goes by its name.
    twice(
        "plugin",
        plugins.iter().map(|plugin| plugin.info().name.as_str()),
    )?;
    twice("tool", specs().map(|spec| spec.name.as_str()))
}

fn internal(error: impl Display) -> ErrorData {
    ErrorData::internal_error(error.to_string(), None)
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools();
        let capabilities = match lock(&self.shared).arguments.is_watching() {
            true => capabilities.enable_tool_list_changed().build(),
            false => capabilities.build(),
        };
        let us = Implementation::new("lapidary", env!("CARGO_PKG_VERSION"));
        ServerConfig::new(capabilities).with_server_info(us)
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        let mut shared = lock(&self.shared);
        if !shared.arguments.is_watching() || self.is_known.swap(true, Ordering::Relaxed) {
            return;
        }
        shared
            .clients
            .retain(|client| !client.is_transport_closed());
        shared.clients.push(context.peer);
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let plugins = self.plugins().await?;
        let specs = plugins.iter().flat_map(ToolPlugin::specs);
        Ok(ListToolsResult::with_all_items(specs.map(tool).collect()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let owns =
            |plugin: &ToolPlugin| plugin.specs().iter().any(|spec| spec.name == request.name);
        let Some(plugin) = self.plugins().await?.into_iter().find(owns) else {
            let message = format!("there is no tool {}", request.name);
            return Err(ErrorData::invalid_params(message, None));
        };
        let call = ToolCall {
            id: "mcp".into(),
            name: request.name.into_owned(),
            arguments: Value::Object(request.arguments.unwrap_or_default()),
        };
        let interrupt = Interrupt::new();
        let stop = interrupt.clone();
        let mut running = tokio::task::spawn_blocking(move || plugin.call(&call, &interrupt));
        let outcome = tokio::select! {
            outcome = &mut running => outcome,
            () = context.ct.cancelled() => {
                stop.raise();
                running.await
            }
        };
        let outcome = outcome.map_err(internal)?;
        // A plugin that broke is for the client's model to know, and to work around.
        let broken = |error: Error| CallToolResult::error(vec![ContentBlock::text(told(&error))]);
        Ok(outcome.map_or_else(broken, answer).into())
    }
}

fn tool(spec: &ToolSpec) -> Tool {
    let traits = spec.traits;
    let hints = ToolAnnotations::new()
        .read_only(traits.read_only)
        .destructive(traits.destructive || traits.needs_approval)
        .idempotent(traits.idempotent)
        .open_world(traits.open_world);
    let (name, description) = (spec.name.clone(), spec.description.clone());
    let tool = Tool::new(name, description, object(&spec.parameters)).with_annotations(hints);
    match &spec.response {
        Some(schema) => tool.with_raw_output_schema(object(schema)),
        None => tool,
    }
}

fn object(schema: &Value) -> Arc<JsonObject> {
    Arc::new(schema.as_object().cloned().unwrap_or_default())
}

fn answer(result: ToolResult) -> CallToolResult {
    let content = match result.content {
        Content::Structured(value) if result.is_error => {
            return CallToolResult::structured_error(value);
        }
        Content::Structured(value) => return CallToolResult::structured(value),
        Content::Text(text) => vec![ContentBlock::text(text)],
        Content::Parts(parts) => parts.into_iter().filter_map(block).collect(),
    };
    match result.is_error {
        true => CallToolResult::error(content),
        false => CallToolResult::success(content),
    }
}

fn block(part: Part) -> Option<ContentBlock> {
    match part {
        Part::Text(text) => Some(ContentBlock::text(text)),
        Part::Media(_) => None,
    }
}
