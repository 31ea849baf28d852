//! Gemma 4 in your program: ONNX graphs through ONNX Runtime, the chat format and the tools as
//! sandboxed WebAssembly plugins.
//!
//! A conversation goes to a chat format, a component without any capability, which renders it into
//! pieces that are either *control* or *data*. The host encodes data with special tokens switched off,
//! so no user can forge a turn marker. The graphs run on one engine thread; the format's parser turns
//! what they write into typed [`Event`]s; tool calls run in the sandbox, and their results go back.
//!
//! ```
//! use lapidary::{ChatOptions, Conversation, Event, Runtime};
//!
//! // The library never downloads by itself: this is the explicit step that finds ONNX Runtime.
//! lapidary::onnxruntime::locate_or_fetch(&mut |line| eprintln!("{line}"))?;
//!
//! let runtime = Runtime::builder().builtin_tools().build()?;
//! let conversation = Conversation::new().user("What is 17 times 23?");
//! let options = ChatOptions { max_tokens: Some(32), ..ChatOptions::default() };
//! for event in runtime.chat(conversation, options)? {
//!     match event? {
//!         Event::Text { text } => print!("{text}"),
//!         Event::ToolCall(call) => eprintln!("[{} {}]", call.name, call.arguments),
//!         Event::Finished { reason, usage } => eprintln!("{reason:?}, {} tokens", usage.output_tokens),
//!         _ => {}
//!     }
//! }
//! # Ok::<(), lapidary::Error>(())
//! ```
//!
//! | to | look at |
//! |---|---|
//! | chat | [`Runtime::chat`], [`Conversation`], [`ChatOptions`], [`Event`] |
//! | know what a prompt costs | [`Runtime::price`], [`image_soft_tokens`] |
//! | have speech written down or translated | [`Conversation::transcribe`], [`Conversation::translate`] |
//! | decide what the model may write | [`ResponseFormat`], [`ToolChoice`], [`Thinking`], [`GrammarProbe`] |
//! | stop a chat | [`Generation::cancel_handle`], or drop the [`Generation`] |
//! | load another model | [`Bundle::open`], [`RuntimeBuilder::bundle`], [`DtypeChoice`] |
//! | fetch one from a hub (feature `hub`) | `fetch`, `FetchRequest` |
//! | sign plugins, and see who did | [`PluginKey`], [`PluginInfo`] |
//! | keep them in a registry (feature `hub`) | `Artefact`, `push`, `pull` |
//! | add tools | [`RuntimeBuilder::tool`], [`Grants`] |
//! | lean on the choice of tokens | [`RuntimeBuilder::logits_processor`] |
//! | let a plugin drive the model | [`AgentPlugin`] |
//! | replace the chat format | [`RuntimeBuilder::format`] |
//! | record what plugins did, and do it again | [`Engines::record`], [`Plugin::replay`] |
//! | bound everything | [`Limits`] |
//! | choose CPU, CUDA or CoreML | [`Providers`] |
//! | handle a failure | [`Error`], [`ErrorKind`], [`printable`] |

mod chat;
mod constrain;
mod engine;
mod error;
mod graph;
#[cfg(feature = "hub")]
mod hub;
mod limits;
mod media;
mod model;
mod plugin;
mod runtime;
mod sample;
mod tensor;
mod text;

pub use chat::{
    Approval, ChatOptions, Content, Conversation, Event, Fallback, FinishReason, Logprob, Media,
    MediaKind, Message, Part, PromptStyle, ResponseFormat, Role, Sampling, Thinking, TokenLogprob,
    ToolCall, ToolChoice, ToolResult, ToolSpec, ToolTraits, Usage, VideoView,
};
pub use constrain::GrammarProbe;
pub use error::{Error, ErrorKind, Result, printable};
pub use graph::library as onnxruntime;
pub use graph::{Dtype, Provider, Providers, available as available_providers};
#[cfg(feature = "hub")]
pub use hub::{
    Artefact, FetchProgress, FetchRequest, HubId, Login, Reference, cached, fetch, pull, push,
    read_layout, write_layout,
};
pub use limits::{Limits, PluginLimits};
pub use media::{
    AudioFeatures, AudioPiece, FrameSampling, ImageBudget, ImageFeatures, Resizer, VideoFeatures,
    VideoFrame, VideoOptions, VideoSource, audio_features, audio_features_raw_16k, audio_pieces,
    audio_soft_tokens, features_of_samples, image_features, image_features_as, image_soft_tokens,
    soft_tokens_of, soft_tokens_of_samples, split_quiet, video_audio, video_features,
};
pub use model::{
    Bundle, BundleConfig, BundleReport, ChatTemplate, DtypeChoice, GraphReport, GraphRole, KvLayer,
    MemoryEstimate, Prompt,
};
pub use plugin::{
    Access, AgentPlugin, Engines, Format, FormatDescription, Grant, Grants, Inference,
    InferenceGrant, InferenceReply, InferenceRequest, Interrupt, LogitsPlugin, LogitsSession,
    OnFailure, ParsedEvent, Parser, Piece, Plugin, PluginCheck, PluginInfo, PluginKey,
    PluginMetrics, Reach, RenderRequest, Rendered, Signer, StopReason, TokenBudget, ToolPlugin,
    World, check, function_imports, inspect,
};
pub use runtime::{
    Cancel, GenerateRequest, Generated, Generation, PromptPrice, RenderedPrompt, Reply, Runtime,
    RuntimeBuilder,
};
pub use tensor::Tensor;
pub use text::{ControlScanner, Segment, TokenPiece, Tokenizer};
