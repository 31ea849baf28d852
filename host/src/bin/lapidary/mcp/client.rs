//! `--mcp`: the tools of servers that run beside us, for the calls of our model.

use std::time::Duration;

use lapidary::{
    Approval, Content, Conversation, Error, ErrorKind, Message, Role, ToolCall, ToolResult,
    ToolSpec, ToolTraits,
};
use rmcp::ServiceExt;
use rmcp::model::{CallToolRequestParams, CallToolResult, ContentBlock, Tool};
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::TokioChildProcess;
use serde_json::Value;
use tokio::process::Command;
use tokio::runtime::{Builder, Runtime};

use super::{failed, twice};

/// Servers that were started, until they are dropped.
pub struct Servers {
    runtime: Runtime,
    servers: Vec<Server>,
    /// The longest that one call may take.
    patience: Duration,
}

struct Server {
    command: String,
    service: RunningService<RoleClient, ()>,
    specs: Vec<ToolSpec>,
}

impl Servers {
    /// Starts a server for each command line and asks it for its tools, whose names are nobody else's.
    pub fn start(commands: &[String], host: &lapidary::Runtime) -> anyhow::Result<Self> {
        let mut all = Self {
            runtime: Builder::new_current_thread().enable_all().build()?,
            servers: Vec::new(),
            patience: Duration::from_millis(host.limits().tool_total_ms_max),
        };
        for command in commands {
            let server = all.within(command, Server::start(command))?;
            all.servers.push(server);
        }
        let (ours, theirs) = (host.tools(), all.specs());
        twice(ours.iter().chain(&theirs).map(|spec| spec.name.as_str()))?;
        Ok(all)
    }

    pub fn specs(&self) -> Vec<ToolSpec> {
        let specs = self.servers.iter().flat_map(|server| &server.specs);
        specs.cloned().collect()
    }

    /// Answers the calls of the last turn that are still open. What a server refuses, and what nobody allowed,
    /// the model is told.
    pub fn results(
        &self,
        conversation: &Conversation,
        approval: Option<&Approval>,
    ) -> Vec<ToolResult> {
        let open = open_calls(&conversation.messages).into_iter();
        let result = |call: &ToolCall| {
            let (content, is_error) = self.call(call, approval).unwrap_or_else(|error| {
                let text = error.to_string();
                (Content::Text(text), true)
            });
            ToolResult {
                id: call.id.clone(),
                name: call.name.clone(),
                content,
                is_error,
            }
        };
        open.map(result).collect()
    }

    fn call(&self, call: &ToolCall, approval: Option<&Approval>) -> Result<(Content, bool), Error> {
        let subject = format!("tool {:?}", call.name);
        let offers = |server: &&Server| server.spec(&call.name).is_some();
        let Some(server) = self.servers.iter().find(offers) else {
            return Err(failed(&subject, "no server has it"));
        };
        let asks = server
            .spec(&call.name)
            .is_some_and(|spec| spec.traits.needs_approval);
        if asks && !approval.is_some_and(|approval| approval.allows(call)) {
            return Err(failed(&subject, "the user did not allow this call"));
        }
        self.within(&subject, server.call(call))
    }

    /// What `answer` comes to, unless the other side takes too long.
    fn within<T>(
        &self,
        subject: &str,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let answer = async { tokio::time::timeout(self.patience, answer).await };
        let late = |_| failed(subject, format!("no answer within {:?}", self.patience));
        self.runtime.block_on(answer).map_err(late)?
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        for server in self.servers.drain(..) {
            if let Err(error) = self.runtime.block_on(server.service.cancel()) {
                tracing::warn!("{}: {error}", server.command);
            }
        }
    }
}

impl Server {
    async fn start(command: &str) -> Result<Self, Error> {
        let told = |error: &dyn std::fmt::Display| failed(&format!("--mcp {command:?}"), error);
        let words = shlex::split(command).unwrap_or_default();
        let Some((program, arguments)) = words.split_first() else {
            let detail = "expected a command line, found an empty or unquoted one";
            return Err(Error::new(ErrorKind::Invalid, "--mcp", detail));
        };
        let mut child = Command::new(program);
        child.args(arguments);
        let child = TokioChildProcess::new(child).map_err(|error| told(&error))?;
        let service = ().serve(child).await.map_err(|error| told(&error))?;
        let tools = service
            .list_all_tools()
            .await
            .map_err(|error| told(&error))?;
        Ok(Self {
            command: command.to_owned(),
            service,
            specs: tools.into_iter().map(spec).collect(),
        })
    }

    fn spec(&self, name: &str) -> Option<&ToolSpec> {
        self.specs.iter().find(|spec| spec.name == name)
    }

    async fn call(&self, call: &ToolCall) -> Result<(Content, bool), Error> {
        let mut request = CallToolRequestParams::new(call.name.clone());
        request.arguments = call.arguments.as_object().cloned();
        let result = self.service.call_tool(request).await;
        let result = result.map_err(|error| failed(&self.command, error))?;
        let is_error = result.is_error.unwrap_or_default();
        Ok((content(result), is_error))
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

/// A tool that says nothing of itself may destroy, as the protocol has it.
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
            needs_approval: destructive,
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
