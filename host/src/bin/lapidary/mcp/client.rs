//! `--mcp`: the tools of servers that run beside us, for the calls of our model.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lapidary::{
    Approval, Content, Conversation, Error, ErrorKind, Message, Role, ToolCall, ToolResult,
    ToolSpec, ToolTraits,
};
use rmcp::model::{CallToolRequestParams, CallToolResult, ContentBlock, Tool};
use rmcp::service::{ClientInitializeError, NotificationContext, RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::{ClientHandler, ServiceExt};
use serde_json::Value;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;

use super::child::{Child, ENDING};
use super::http::HttpClient;
use super::{failed, told, twice};
use crate::screen;

/// How long a server may take to say who it is; the first start of one may fetch it.
const GREETING: Duration = Duration::from_secs(60);

/// Servers that were started or are connected, until they are dropped.
pub struct Servers {
    runtime: Handle,
    /// Until the end.
    owned: Option<Runtime>,
    servers: Vec<Server>,
    /// The longest that one answer may take.
    patience: Duration,
}

struct Server {
    /// Its command line or address.
    name: String,
    service: RunningService<RoleClient, Listener>,
    /// None of a server at an address.
    child: Option<Child>,
    has_changed: Arc<AtomicBool>,
    specs: Vec<ToolSpec>,
}

/// Hears what a server says unasked.
struct Listener {
    has_changed: Arc<AtomicBool>,
}

impl ClientHandler for Listener {
    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.has_changed.store(true, Ordering::Relaxed);
    }
}

impl Servers {
    /// Starts a server for each command line, or connects to it by its address, and asks it for its tools, whose
    /// names are nobody else's.
    pub fn start(names: &[String], host: &lapidary::Runtime) -> anyhow::Result<Self> {
        // A thread of its own hears what servers say while nobody asks.
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let mut all = Self {
            runtime: runtime.handle().clone(),
            owned: Some(runtime),
            servers: Vec::new(),
            patience: Duration::from_millis(host.limits().tool_total_ms_max),
        };
        for name in names {
            let server = all.runtime.block_on(Server::start(name, all.patience))?;
            all.servers.push(server);
        }
        all.check(host)?;
        Ok(all)
    }

    fn check(&self, host: &lapidary::Runtime) -> Result<(), Error> {
        let (ours, theirs) = (host.tools(), self.specs());
        twice(
            "tool",
            ours.iter().chain(&theirs).map(|spec| spec.name.as_str()),
        )
    }

    /// What the servers offered when they were last asked.
    pub fn specs(&self) -> Vec<ToolSpec> {
        let specs = self.servers.iter().flat_map(|server| &server.specs);
        specs.cloned().collect()
    }

    /// Asks those again whose tools changed since. What cannot be taken is told, and stays as it was.
    pub fn refresh(&mut self, host: &lapidary::Runtime) {
        for index in 0..self.servers.len() {
            let has_changed = &self.servers[index].has_changed;
            if !has_changed.swap(false, Ordering::Relaxed) {
                continue;
            }
            if let Err(error) = self.renew(index, host) {
                let name = &self.servers[index].name;
                tracing::warn!("{name}: its tools changed, and those before stay: {error}");
            }
        }
    }

    fn renew(&mut self, index: usize, host: &lapidary::Runtime) -> Result<(), Error> {
        let (stop, server) = (stopped(), &mut self.servers[index]);
        let listed = unless_stopped(&stop, server.list(self.patience));
        let new = self.runtime.block_on(listed)?;
        let old = std::mem::replace(&mut server.specs, new);
        self.check(host)
            .inspect_err(|_| self.servers[index].specs = old)
    }

    /// Answers the calls of the last turn that are still open. What a server refuses, and what nobody allowed,
    /// the model is told.
    ///
    /// # Errors
    /// `Cancelled`, by Ctrl-C.
    pub fn results(
        &mut self,
        conversation: &Conversation,
        approval: Option<&Approval>,
    ) -> Result<Vec<ToolResult>, Error> {
        let stop = stopped();
        let open = open_calls(&conversation.messages).into_iter();
        let result = |call: &ToolCall| {
            let (content, is_error) = match self.call(call, approval, &stop) {
                Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
                Err(error) => (Content::Text(told(&error)), true),
                Ok(answer) => answer,
            };
            Ok(ToolResult {
                id: call.id.clone(),
                name: call.name.clone(),
                content,
                is_error,
            })
        };
        open.map(result).collect()
    }

    fn call(
        &mut self,
        call: &ToolCall,
        approval: Option<&Approval>,
        stop: &Notify,
    ) -> Result<(Content, bool), Error> {
        let subject = format!("tool {:?}", call.name);
        let offers = |server: &&mut Server| server.spec(&call.name).is_some();
        let Some(server) = self.servers.iter_mut().find(offers) else {
            return Err(failed(&subject, "no server has it"));
        };
        let asks = server
            .spec(&call.name)
            .is_some_and(|spec| spec.traits.needs_approval);
        if asks && !approval.is_some_and(|approval| approval.allows(call)) {
            return Err(failed(&subject, "the user did not allow this call"));
        }
        let answer = unless_stopped(stop, server.call(call, self.patience));
        self.runtime.block_on(answer)
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for server in self.servers.drain(..) {
            self.runtime.block_on(server.end());
        }
        // A thread may wait for a server still, which nobody does any more.
        if let Some(runtime) = self.owned.take() {
            runtime.shutdown_background();
        }
    }
}

impl Server {
    async fn start(name: &str, patience: Duration) -> Result<Self, Error> {
        let subject = format!("--mcp {name:?}");
        let has_changed = Arc::default();
        let listener = Listener {
            has_changed: Arc::clone(&has_changed),
        };
        let greeting = patience.min(GREETING);
        let (service, child) = if is_address(name) {
            let config = StreamableHttpClientTransportConfig::with_uri(name);
            let client = HttpClient::new(patience);
            let transport = StreamableHttpClientTransport::with_client(client, config);
            let served = async { listener.serve(transport).await.map_err(plain) };
            let served = within(greeting, &subject, served).await;
            (served.map_err(no_greeting)?, None)
        } else {
            let (mut child, output, input) = Child::start(name)?;
            let served = async { listener.serve((output, input)).await.map_err(plain) };
            match within(greeting, &subject, served).await {
                Ok(service) => (service, Some(child)),
                Err(error) => return Err(child.explain(&no_greeting(error)).await),
            }
        };
        let mut server = Self {
            name: name.to_owned(),
            service,
            child,
            has_changed,
            specs: Vec::new(),
        };
        server.specs = server.list(patience).await?;
        Ok(server)
    }

    /// The tools that it offers now.
    async fn list(&mut self, patience: Duration) -> Result<Vec<ToolSpec>, Error> {
        let subject = format!("--mcp {:?}", self.name);
        let listed = within(patience, &subject, self.service.list_all_tools()).await;
        let tools = self.explained(listed).await?;
        Ok(tools.into_iter().map(spec).collect())
    }

    fn spec(&self, name: &str) -> Option<&ToolSpec> {
        self.specs.iter().find(|spec| spec.name == name)
    }

    async fn call(
        &mut self,
        call: &ToolCall,
        patience: Duration,
    ) -> Result<(Content, bool), Error> {
        let mut request = CallToolRequestParams::new(call.name.clone());
        request.arguments = call.arguments.as_object().cloned();
        let called = within(patience, &self.name, self.service.call_tool(request)).await;
        let result = self.explained(called).await?;
        let is_error = result.is_error.unwrap_or_default();
        Ok((content(result), is_error))
    }

    /// An error, with how the server ended, if that is why.
    async fn explained<T>(&mut self, outcome: Result<T, Error>) -> Result<T, Error> {
        match (outcome, &mut self.child) {
            (Err(error), Some(child)) if self.service.is_transport_closed() => {
                Err(child.explain(&error).await)
            }
            (outcome, _) => outcome,
        }
    }

    async fn end(mut self) {
        if let Err(error) = self.service.close_with_timeout(ENDING).await {
            tracing::warn!("{}: {error}", self.name);
        }
        if let Some(child) = self.child {
            child.end().await;
        }
    }
}

/// What went wrong on the way, without the names of types.
fn plain(error: ClientInitializeError) -> String {
    match error {
        ClientInitializeError::TransportError { error, .. } => error.error.to_string(),
        other => other.to_string(),
    }
}

fn is_address(name: &str) -> bool {
    let is_of = |scheme: &str| {
        let start = name.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    is_of("http://") || is_of("https://")
}

/// What goes wrong before a server says who it is.
fn no_greeting(error: Error) -> Error {
    let subject = format!("{}: ", error.subject());
    let told = error.to_string();
    let detail = told.strip_prefix(&subject).unwrap_or(&told);
    let detail = format!("{detail}; expected a server of the Model Context Protocol");
    Error::new(error.kind(), error.subject(), detail)
}

/// What `answer` comes to, unless the other side takes too long.
async fn within<T, E: std::fmt::Display>(
    patience: Duration,
    subject: &str,
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T, Error> {
    match tokio::time::timeout(patience, answer).await {
        Ok(answer) => answer.map_err(|error| failed(subject, error)),
        Err(_) => Err(failed(subject, format!("no answer within {patience:?}"))),
    }
}

/// Hears the next Ctrl-C.
fn stopped() -> Arc<Notify> {
    let stop = Arc::new(Notify::new());
    let heard = Arc::clone(&stop);
    screen::on_interrupt(move || heard.notify_one());
    stop
}

/// What `answer` comes to, unless somebody stops it.
async fn unless_stopped<T>(
    stop: &Notify,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::select! {
        answer = answer => answer,
        () = stop.notified() => Err(Error::new(ErrorKind::Cancelled, "--mcp", "cancelled")),
    }
}

/// The calls of the last turn that no message answers.
fn open_calls(messages: &[Message]) -> Vec<&ToolCall> {
    let of_model = |message: &Message| message.role == Role::Assistant;
    let Some(last) = messages.iter().rposition(of_model) else {
        return Vec::new();
    };
    let is_open = |call: &&ToolCall| {
        let answers = |message: &Message| message.tool_call_id.as_ref() == Some(&call.id);
        !messages[last..].iter().any(answers)
    };
    messages[last].tool_calls.iter().filter(is_open).collect()
}

/// A tool that says nothing of itself may destroy, as the protocol has it. Only what its server calls read-only runs
/// unasked: what merely destroys nothing may still send a mail.
fn spec(tool: Tool) -> ToolSpec {
    let hints = tool.annotations.unwrap_or_default();
    let read_only = hints.read_only_hint.unwrap_or(false);
    let destructive = !read_only && hints.destructive_hint.unwrap_or(true);
    ToolSpec {
        name: tool.name.into_owned(),
        description: tool.description.unwrap_or_default().into_owned(),
        parameters: Value::Object(tool.input_schema.as_ref().clone()),
        response: None,
        traits: ToolTraits {
            read_only,
            destructive,
            idempotent: hints.idempotent_hint.unwrap_or(false),
            open_world: hints.open_world_hint.unwrap_or(true),
            needs_approval: !read_only,
        },
    }
}

fn content(result: CallToolResult) -> Content {
    if let Some(value @ Value::Object(_)) = result.structured_content {
        return Content::Structured(value);
    }
    let text = |block: ContentBlock| match block {
        ContentBlock::Text(text) => text.text,
        _ => "(something that is no text)".to_owned(),
    };
    let texts: Vec<String> = result.content.into_iter().map(text).collect();
    Content::Text(texts.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_never_says_what_it_is_is_no_server() {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().expect("a runtime");
        let silent = Server::start("sleep 60", Duration::from_millis(100));
        let error = runtime.block_on(silent).err().expect("it says nothing");
        let told = error.to_string();
        assert!(
            told.contains("no answer within 100ms; expected a server of the Model Context"),
            "{told}"
        );
    }
}
