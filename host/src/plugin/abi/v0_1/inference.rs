//! The import `inference`: the host's model, asked by plugins.

use std::time::Instant;

use super::tool_provider::lapidary::plugin::inference::{self, GenerateRequest, Generated};
use super::{convert, events, wit};
use crate::chat::Thinking;
use crate::error::{Error, ErrorKind};
use crate::plugin::capability::{Refusal, RefusalKind};
use crate::plugin::inference::{InferenceReply, InferenceRequest};
use crate::plugin::store::State;

impl inference::Host for State {
    fn generate(
        &mut self,
        request: GenerateRequest,
    ) -> wasmtime::Result<Result<Generated, wit::Error>> {
        self.called()?;
        let started = Instant::now();
        let outcome = self.ask(request);
        self.excuse(started.elapsed());
        self.answer(outcome)
    }

    fn tokens_left(&mut self) -> wasmtime::Result<u32> {
        self.called()?;
        Ok(self.shared.capabilities.meter.left())
    }
}

impl State {
    fn ask(&self, request: GenerateRequest) -> Result<Generated, Refusal> {
        let meter = &self.shared.capabilities.meter;
        let depth = self.interrupt.depth();
        let tokens_max = meter.admit(request.model.as_deref(), depth, request.max_tokens)?;
        let conversation = convert::conversation(request.messages, &self.media)
            .map_err(|reason| Refusal::new(RefusalKind::Invalid, "inference.messages", reason))?;
        let Some(model) = self.shared.engines().model() else {
            let message = "the host runs no model";
            return Err(Refusal::new(
                RefusalKind::Unavailable,
                "inference.no-model",
                message,
            ));
        };
        let request = InferenceRequest {
            model: request.model,
            conversation,
            thinking: match request.thinking {
                wit::Thinking::Off => Thinking::Off,
                wit::Thinking::On => Thinking::On,
                wit::Thinking::Budget(tokens) => Thinking::Budget(tokens as usize),
            },
            tokens_max: tokens_max as usize,
            use_tools: request.use_tools,
        };
        let reply = model.generate(request, &self.interrupt.deeper());
        let reply = reply.map_err(|error| failed(&error))?;
        let generated = generated(reply);
        let tokens = generated
            .prompt_tokens
            .saturating_add(generated.output_tokens);
        meter.spend(tokens);
        self.shared.counters.inference(tokens);
        Ok(generated)
    }
}

fn generated(reply: InferenceReply) -> Generated {
    let count = |tokens: usize| u32::try_from(tokens).unwrap_or(u32::MAX);
    Generated {
        text: reply.text,
        thought: reply.thought,
        stop: events::stop_reason(reply.reason),
        prompt_tokens: count(reply.prompt_tokens),
        output_tokens: count(reply.output_tokens),
    }
}

fn failed(error: &Error) -> Refusal {
    let (kind, code) = match error.kind() {
        ErrorKind::Invalid | ErrorKind::Unsupported => (RefusalKind::Invalid, "inference.invalid"),
        ErrorKind::Limit(_) => (RefusalKind::Limit, "inference.limit"),
        ErrorKind::Cancelled => (RefusalKind::Cancelled, "inference.cancelled"),
        ErrorKind::Plugin | ErrorKind::Bundle | ErrorKind::Graph | ErrorKind::Io => {
            (RefusalKind::Unavailable, "inference.failed")
        }
    };
    Refusal::new(kind, code, error.to_string())
}
