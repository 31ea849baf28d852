//! The product: conversations in, events out. The only module that knows all the others.

mod build;
mod cancel;
mod chat;
mod collect;
mod constraint;
mod generate;
mod generation;
mod inference;
mod loop_bounds;
mod media;
mod price;
mod processors;
mod prompt;
mod reload;
mod tools;
mod turn;

pub use build::RuntimeBuilder;
pub use cancel::Cancel;
pub use generate::{GenerateRequest, Generated};
pub use generation::{Generation, Reply};
pub use price::PromptPrice;
pub use prompt::RenderedPrompt;

use std::ops::Deref;
use std::sync::Arc;

use media::Purpose;
use reload::Shared;

use crate::chat::{ChatOptions, Conversation, ToolSpec};
use crate::constrain::Grammars;
use crate::engine::{Engine, EngineInfo};
use crate::error::Result;
use crate::limits::Limits;
use crate::media::Resizer;
use crate::model::{Bundle, BundleConfig, KvLayer};
use crate::plugin::{Engines, Format, Interrupt};
use crate::text::Tokenizer;

/// A loaded model with its chat format and tools. Cheap to clone; any thread may use it.
///
/// ```
/// # lapidary::onnxruntime::locate_or_fetch(&mut |_| {})?;
/// use lapidary::{ChatOptions, Event, Runtime};
///
/// let runtime = Runtime::builder().build()?;
/// let options = ChatOptions { max_tokens: Some(16), ..ChatOptions::default() };
/// for event in runtime.chat("Hello!", options)? {
///     if let Event::Text { text } = event? {
///         print!("{text}");
///     }
/// }
/// # Ok::<(), lapidary::Error>(())
/// ```
#[derive(Clone)]
pub struct Runtime {
    shared: Arc<Shared>,
}

/// What stays while plugins come and go.
struct Base {
    bundle: Bundle,
    tokenizer: Tokenizer,
    engine: Engine,
    info: EngineInfo,
    limits: Limits,
    resizer: Resizer,
    grammars: Grammars,
    engines: Engines,
    /// What stands in for a format that rests.
    fallback: Option<Format>,
}

/// What one chat runs with, from its start to its end.
#[derive(Clone)]
struct Inner {
    base: Arc<Base>,
    format: Format,
    /// The format that `format` stands in for.
    resting: Option<String>,
    tools: tools::Toolbox,
    processors: processors::Processors,
}

impl Deref for Inner {
    type Target = Base;

    fn deref(&self) -> &Base {
        &self.base
    }
}

impl Runtime {
    /// Starts from the embedded model and chat format, on the CPU.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::default()
    }

    /// Answers a conversation. The answer begins at once, on a thread of its own; dropping the
    /// [`Generation`] stops it.
    ///
    /// # Errors
    /// `Limit` when the conversation is larger than [`Limits`] allows; `Invalid` for sampling settings out of
    /// range; `Io` when no thread can be had.
    /// What goes wrong later arrives as the last item.
    pub fn chat(
        &self,
        conversation: impl Into<Conversation>,
        options: ChatOptions,
    ) -> Result<Generation> {
        let inner = self.shared.of_new_chat()?;
        generation::checked_start(inner, conversation.into(), options, Cancel::new(), None)
    }

    /// Generates from final ids or raw text, with no chat format around it. Waits for the end.
    ///
    /// # Errors
    /// `Limit` when the prompt is longer than the context; whatever the graphs say.
    pub fn generate(&self, request: GenerateRequest) -> Result<Generated> {
        generate::run(&self.shared.current(), request)
    }

    /// The prompt that a chat would run.
    ///
    /// # Errors
    /// As [`Runtime::chat`], and what the format says.
    pub fn render(
        &self,
        conversation: &Conversation,
        options: &ChatOptions,
    ) -> Result<RenderedPrompt> {
        let inner = self.shared.of_new_chat()?;
        prompt::check_size(conversation, &inner.limits)?;
        let given = prompt::Given::new(&inner, conversation, options, Purpose::Run)?;
        prompt::render(&inner, conversation, options, &given, &Interrupt::new())
    }

    /// What the prompt of a chat costs. Nothing runs: of pictures only headers are read, recordings are decoded to
    /// find where they are cut, and only videos are looked at whole.
    ///
    /// ```
    /// # lapidary::onnxruntime::locate_or_fetch(&mut |_| {})?;
    /// use lapidary::{ChatOptions, Runtime};
    /// let price = Runtime::builder().build()?.price(&"Hello!".into(), &ChatOptions::default())?;
    /// assert!(price.media.is_empty() && price.tokens < price.left_tokens);
    /// # Ok::<(), lapidary::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Runtime::render`].
    pub fn price(&self, conversation: &Conversation, options: &ChatOptions) -> Result<PromptPrice> {
        price::of(&*self.shared.of_new_chat()?, conversation, options)
    }

    /// What the bundle's configuration says.
    pub fn config(&self) -> &BundleConfig {
        self.shared.base.bundle.config()
    }

    /// The bundle's tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.shared.base.tokenizer
    }

    /// The tools that plugins offer now.
    pub fn tools(&self) -> Vec<ToolSpec> {
        self.shared.current().tools.specs().to_vec()
    }

    /// What the plugins run in: load an [`AgentPlugin`](crate::AgentPlugin) with it, and it drives this model.
    pub fn engines(&self) -> &Engines {
        &self.shared.base.engines
    }

    /// What runs the decoder: `cpu`, `cuda:0`.
    pub fn provider(&self) -> &str {
        &self.shared.base.info.provider
    }

    /// The keys and values that each decoder layer owns.
    pub fn kv_layers(&self) -> &[KvLayer] {
        &self.shared.base.info.kv_layers
    }

    /// The bounds in force.
    pub fn limits(&self) -> &Limits {
        &self.shared.base.limits
    }
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime")
            .field("bundle", &self.shared.base.bundle.location())
            .field("provider", &self.shared.base.info.provider)
            .finish_non_exhaustive()
    }
}
