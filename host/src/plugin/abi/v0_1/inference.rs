//! The import `inference`: the host's model, asked by plugins.

use std::time::Instant;

use serde_json::{Value, json};

use super::tool_provider::lapidary::plugin::inference::{self, GenerateRequest, Generated};
use super::{convert, events, wit};
use crate::chat::{Conversation, Thinking};
use crate::error::{Error, ErrorKind};
use crate::plugin::capability::{Refusal, RefusalKind};
use crate::plugin::inference::{
    InferenceReply, InferenceRequest, TOKENS_PER_MINUTE, TokenBudget, count,
};
use crate::plugin::record;
use crate::plugin::store::State;

impl inference::Host for State {
    fn generate(
        &mut self,
        request: GenerateRequest,
    ) -> wasmtime::Result<Result<Generated, wit::Error>> {
        self.called()?;
        let started = Instant::now();
        let outcome = match self.wanted(request) {
            Ok(wanted) => {
                let asked = [asked(&wanted)];
                self.taped("inference.generate", asked, |state| state.ask(wanted))?
            }
            Err(refusal) => Err(refusal),
        };
        self.watch.excuse(started.elapsed());
        self.answer(outcome.map(generated))
    }

    fn tokens_left(&mut self) -> wasmtime::Result<u32> {
        self.called()?;
        self.taped("inference.tokens-left", [(); 0], |state| {
            state.shared.capabilities.meter.left()
        })
    }
}

/// What a plugin wants of the model.
struct Wanted {
    model: Option<String>,
    conversation: Conversation,
    thinking: Thinking,
    use_tools: bool,
    tokens_max: Option<u32>,
}

/// It as it stands in a recording.
fn asked(wanted: &Wanted) -> Value {
    json!({
        "model": wanted.model,
        "messages": record::messages(&wanted.conversation),
        "thinking": record::thinking(wanted.thinking),
        "max_tokens": wanted.tokens_max,
        "use_tools": wanted.use_tools,
    })
}

impl State {
    fn wanted(&self, from: GenerateRequest) -> Result<Wanted, Refusal> {
        let conversation = convert::conversation(from.messages, &self.media)
            .map_err(|reason| Refusal::new(RefusalKind::Invalid, "inference.messages", reason))?;
        Ok(Wanted {
            model: from.model,
            conversation,
            thinking: match from.thinking {
                wit::Thinking::Off => Thinking::Off,
                wit::Thinking::On => Thinking::On,
                wit::Thinking::Budget(tokens) => Thinking::Budget(tokens as usize),
            },
            use_tools: from.use_tools,
            tokens_max: from.max_tokens,
        })
    }

    fn ask(&self, wanted: Wanted) -> Result<InferenceReply, Refusal> {
        let meter = &self.shared.capabilities.meter;
        let (model, depth) = (wanted.model.as_deref(), self.watch.interrupt.depth());
        let budget = TokenBudget::new(meter.open(model, depth, wanted.tokens_max)?);
        let Some(model) = self.shared.engines().model() else {
            let message = "the host runs no model";
            return Err(Refusal::new(
                RefusalKind::Unavailable,
                "inference.no-model",
                message,
            ));
        };
        let request = InferenceRequest {
            model: wanted.model,
            conversation: wanted.conversation,
            thinking: wanted.thinking,
            tokens_max: budget.tokens_max(),
            budget: budget.clone(),
            use_tools: wanted.use_tools,
        };
        let reply = model.generate(request, &self.watch.interrupt.deeper());
        let tokens = budget.settle(reply.as_ref().ok());
        self.shared.counters.inference(tokens);
        reply.map_err(|error| failed(&error))
    }
}

fn generated(reply: InferenceReply) -> Generated {
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
        ErrorKind::Limit(TOKENS_PER_MINUTE) => (RefusalKind::Limit, "inference.tokens-per-minute"),
        ErrorKind::Limit(_) => (RefusalKind::Limit, "inference.limit"),
        ErrorKind::Cancelled => (RefusalKind::Cancelled, "inference.cancelled"),
        ErrorKind::Plugin | ErrorKind::Bundle | ErrorKind::Graph | ErrorKind::Io => {
            (RefusalKind::Unavailable, "inference.failed")
        }
    };
    Refusal::new(kind, code, error.to_string())
}
