//! The loop of one chat: render, generate, parse, call tools, and again.

use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use async_channel::Sender;

use super::Inner;
use super::cancel::Cancel;
use super::collect::Collector;
use super::constraint::Rules;
use super::generate::{finish_reason, named_logprobs};
use super::generation::SharedMessages;
use super::loop_bounds::LoopBounds;
use super::media::Purpose;
use super::processors::Bypassed;
use super::prompt::{self, Given, RenderedPrompt};
use super::tools::not_approved;
use super::turn::Turn;
use crate::chat::{
    ChatOptions, Conversation, Event, FinishReason, Message, ToolCall, ToolResult, Usage,
};
use crate::engine::{Job, Step, Times, stopped};
use crate::error::{Error, ErrorKind, Result};
use crate::plugin::TokenBudget;
use crate::sample::Choices;

/// One chat, on its own thread.
pub(super) struct Chat {
    inner: Arc<Inner>,
    conversation: Conversation,
    options: ChatOptions,
    events: Sender<Result<Event>>,
    cancel: Cancel,
    budget: Option<TokenBudget>,
    added: SharedMessages,
    bypassed: Bypassed,
    usage: Usage,
    call_count: usize,
    /// Turns of the model that are over.
    turn_count: usize,
    bounds: LoopBounds,
}

impl Chat {
    pub fn new(
        inner: Arc<Inner>,
        conversation: Conversation,
        options: ChatOptions,
        events: Sender<Result<Event>>,
        (cancel, budget): (Cancel, Option<TokenBudget>),
        added: SharedMessages,
    ) -> Self {
        let bypassed = Bypassed::default();
        inner.resting.iter().for_each(|name| bypassed.add(name));
        let usage = Usage {
            provider: inner.info.provider.clone(),
            ..Usage::default()
        };
        // Ids stay unique over the whole conversation.
        let call_count = conversation
            .messages
            .iter()
            .map(|message| message.tool_calls.len())
            .sum();
        Self {
            inner,
            conversation,
            options,
            events,
            cancel,
            budget,
            added,
            bypassed,
            usage,
            call_count,
            turn_count: 0,
            bounds: LoopBounds::default(),
        }
    }

    /// Runs to the end; the last thing sent is `Finished` or an error.
    pub fn run(&mut self) {
        let last = match self.rounds() {
            Ok(reason) => Ok(reason),
            Err(error) if error.kind() == ErrorKind::Cancelled => Ok(FinishReason::Cancelled),
            Err(error) => Err(error),
        };
        let usage = Usage {
            bypassed: self.bypassed.names(),
            ..self.usage.clone()
        };
        // Nobody may be listening any more.
        drop(
            self.events
                .send_blocking(last.map(|reason| Event::Finished { reason, usage })),
        );
    }

    fn rounds(&mut self) -> Result<FinishReason> {
        let given = Given::new(&self.inner, &self.conversation, &self.options, Purpose::Run)?;
        for _ in 0..=self.inner.limits.tool_rounds_max {
            let (reason, turn) = self.generate(&given)?;
            let calls = turn.calls.clone();
            self.add(turn.into_messages());
            if calls.is_empty() || reason != FinishReason::EndOfTurn {
                return Ok(reason);
            }
            if !self.call_tools(&calls)? {
                return Ok(FinishReason::ToolCall);
            }
        }
        let max = self.inner.limits.tool_rounds_max;
        Err(Error::limit("tool_rounds_max", "tool calls", max, max + 1))
    }

    /// One prompt and what the model makes of it.
    fn generate(&mut self, given: &Given) -> Result<(FinishReason, Collector)> {
        let rendered = prompt::render(
            &self.inner,
            &self.conversation,
            &self.options,
            given,
            &self.cancel.plugins,
        )?;
        let prompt_tokens = rendered.prompt.ids.len();
        let room = self.room(prompt_tokens)?;
        self.usage.prompt_tokens = prompt_tokens;
        let rules = Rules::of_turn(
            &self.inner,
            &self.options,
            &given.specs,
            &rendered.prefix,
            (self.turn_count, &self.usage),
            &self.cancel.plugins,
        )?;
        let parser =
            self.inner
                .format
                .parser(&rendered.prefix, &given.specs, &self.cancel.plugins)?;
        let stops = &self.options.stop;
        let mut turn = Turn::new(parser, stops, self.call_count, rules.thought.clone());
        let steps = self.submit(rendered, rules, room)?;
        let followed = self.follow(&steps, &mut turn);
        if let Some(budget) = &self.budget {
            budget.spent(prompt_tokens, self.usage.output_tokens);
        }
        let reason = followed?;
        self.turn_count += 1;
        let rest = turn.finish(reason)?;
        self.send(rest)?;
        self.call_count = turn.call_count();
        self.usage.thought_tokens += turn.thought_tokens();
        Ok((reason, turn.into_collected()))
    }

    /// Tokens that may follow a prompt of so many.
    fn room(&self, prompt_tokens: usize) -> Result<usize> {
        let of_context = self.inner.bundle.config().context_tokens - prompt_tokens;
        let written = self.usage.output_tokens;
        let budget = self.budget.as_ref();
        let of_budget = budget.map(|budget| budget.admit(prompt_tokens, written));
        let of_budget = of_budget.transpose()?.unwrap_or(of_context);
        Ok(of_context.min(of_budget).min(self.tokens_left()))
    }

    fn submit(
        &self,
        rendered: RenderedPrompt,
        rules: Rules,
        tokens_max: usize,
    ) -> Result<Receiver<Result<Step>>> {
        let (steps, receiver) = mpsc::channel();
        let config = self.inner.bundle.config();
        let suppressed_ids = [
            config.suppressed_ids.clone(),
            config.media_ids(),
            rules.banned_ids,
        ]
        .concat();
        let processors = &self.inner.processors;
        self.inner.engine.submit(Job {
            prompt: rendered.prompt,
            sampling: self.options.sampling.unwrap_or(config.sampling),
            choices: Choices {
                suppressed_ids,
                logit_bias: self.options.logit_bias.clone(),
                replay_ids: self.replay_ids(),
            },
            thought: rules.thought,
            processor: processors.start(&self.cancel.plugins, &self.bypassed)?,
            constraint: rules.enforcer,
            stop_ids: self.stop_ids(),
            tokens_max,
            wants_logits: false,
            logprobs: self.options.logprobs,
            control: self.cancel.graphs.clone(),
            steps,
        })?;
        Ok(receiver)
    }

    fn replay_ids(&self) -> Vec<u32> {
        let turns = &self.options.replay;
        turns.get(self.turn_count).cloned().unwrap_or_default()
    }

    fn stop_ids(&self) -> Vec<u32> {
        let description = self.inner.format.describe();
        let of_format = description.stop_tokens.iter();
        let of_format = of_format.filter_map(|token| self.inner.tokenizer.control_id(token));
        self.inner
            .bundle
            .config()
            .eos_ids
            .iter()
            .copied()
            .chain(of_format)
            .collect()
    }

    fn tokens_left(&self) -> usize {
        let max = self
            .options
            .max_tokens
            .unwrap_or(self.inner.limits.new_tokens_max);
        max.saturating_sub(self.usage.output_tokens)
    }

    /// Feeds the turn until the engine, or a stop text, ends it.
    fn follow(&mut self, steps: &Receiver<Result<Step>>, turn: &mut Turn) -> Result<FinishReason> {
        loop {
            match steps.recv().map_err(|_| stopped())?? {
                Step::Prefilled { milliseconds, .. } => self.usage.prefill_ms += milliseconds,
                Step::Token { id, logprobs } => {
                    self.usage.output_tokens += 1;
                    let tokenizer = &self.inner.tokenizer;
                    let logprob = logprobs.map(|all| named_logprobs(id, all, tokenizer));
                    let events = turn.push(tokenizer, id)?;
                    self.send(logprob.map(Event::Logprob).into_iter().collect())?;
                    self.send(events)?;
                    if turn.is_stopped() {
                        self.end(steps);
                        return Ok(FinishReason::Stop);
                    }
                }
                Step::Logits(_) => {}
                Step::Ended { reason, times } => {
                    self.took(times);
                    return Ok(finish_reason(reason));
                }
            }
        }
    }

    /// Has the engine leave the step that it is in, which is for nobody, and takes the times.
    fn end(&mut self, steps: &Receiver<Result<Step>>) {
        self.cancel.graphs.cancel();
        for step in steps {
            if let Ok(Step::Ended { times, .. }) = step {
                self.took(times);
            }
        }
    }

    fn took(&mut self, times: Times) {
        self.usage.decode_ms += times.decode;
        self.usage.graph_ms += times.graphs;
        self.usage.constraint_ms += times.constraint;
    }

    /// Runs the calls and adds their results. `false` when the caller has to run some.
    fn call_tools(&mut self, calls: &[ToolCall]) -> Result<bool> {
        let is_callers =
            |call: &&ToolCall| self.options.tools.iter().any(|spec| spec.name == call.name);
        let (callers, ours): (Vec<&ToolCall>, Vec<&ToolCall>) = calls.iter().partition(is_callers);
        self.bounds.asked(calls, &self.inner.limits)?;
        let may: Vec<bool> = ours.iter().map(|call| self.may_run(call)).collect();
        // A person who thinks it over takes none of the tools' time.
        let started = Instant::now();
        let results = self.run_calls(&ours, &may)?;
        self.bounds
            .took(started.elapsed(), &results, &self.inner.limits)?;
        for result in results {
            self.add(vec![Message::tool(&result)]);
            self.send(vec![Event::ToolResult(result)])?;
        }
        Ok(callers.is_empty())
    }

    /// Whether a call needs nobody's approval, or has it.
    fn may_run(&self, call: &ToolCall) -> bool {
        let approval = self.options.approval.as_ref();
        !self.inner.tools.needs_approval(call)
            || approval.is_some_and(|approval| approval.allows(call))
    }

    /// Runs the calls that may run side by side. Results in the calls' order.
    fn run_calls(&self, calls: &[&ToolCall], may: &[bool]) -> Result<Vec<ToolResult>> {
        let allowed: Vec<&ToolCall> = calls
            .iter()
            .zip(may)
            .filter_map(|(call, may)| may.then_some(*call))
            .collect();
        let tools = &self.inner.tools;
        let (limits, interrupt) = (&self.inner.limits, &self.cancel.plugins);
        // Who reads no further finds out at the next event; a call is not broken off for it.
        let progress = |call: &ToolCall, text: &str| drop(self.send(vec![delta(call, text)]));
        let ran = tools.call_all(&allowed, limits, interrupt, &progress)?;
        let mut ran = ran.into_iter();
        let results = calls.iter().zip(may).filter_map(|(call, may)| match may {
            true => ran.next(),
            false => Some(not_approved(call)),
        });
        Ok(results.collect())
    }

    fn add(&mut self, messages: Vec<Message>) {
        let mut added = self.added.lock().unwrap_or_else(PoisonError::into_inner);
        added.extend(messages.iter().cloned());
        self.conversation.messages.extend(messages);
    }

    fn send(&self, events: Vec<Event>) -> Result<()> {
        let gone = |_| Error::cancelled("chat");
        events
            .into_iter()
            .try_for_each(|event| self.events.send_blocking(Ok(event)).map_err(gone))
    }
}

fn delta(call: &ToolCall, text: &str) -> Event {
    Event::ToolResultDelta {
        id: call.id.clone(),
        name: call.name.clone(),
        text: text.to_owned(),
    }
}
