//! `lapidary chat`: one answer, or a conversation.

use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args as ClapArgs;
use lapidary::{ChatOptions, Conversation, FinishReason, Media, Runtime, VideoView};

use crate::answer::{View, answer};
use crate::constraint::ConstraintArgs;
use crate::mcp::Servers;
use crate::model::{ModelArgs, PluginArgs, read};
use crate::repl;
use crate::sampling::{LogitArgs, SamplingArgs};
use crate::transcript::Transcript;

/// Answer a prompt, or talk.
#[derive(ClapArgs)]
#[command(
    after_help = "Example:\n  lapidary chat --plugin calculator --think \"What is 17 times 23?\""
)]
pub struct Args {
    /// What to ask. Without it, on a terminal a conversation begins; else standard input is read.
    prompt: Option<String>,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    plugins: PluginArgs,
    #[command(flatten)]
    ask: AskArgs,
    /// Print one event a line, as JSON.
    #[arg(long)]
    json: bool,
    /// A server of the Model Context Protocol, by its command line: it is started, and the model may call its tools.
    /// One that may change things is asked about first. May be given several times.
    #[arg(long, value_name = "COMMAND")]
    mcp: Vec<String>,
}

/// What goes with the prompt, and how the answer is chosen.
#[derive(ClapArgs, Clone, Debug)]
pub struct AskArgs {
    /// The operator's instructions.
    #[arg(long)]
    pub system: Option<String>,
    /// A picture. May be given several times.
    #[arg(long, value_name = "FILE")]
    pub image: Vec<PathBuf>,
    /// A recording. May be given several times.
    #[arg(long, value_name = "FILE")]
    pub audio: Vec<PathBuf>,
    /// A video: GIF, APNG or WebP, or a movie, which an installed ffmpeg reads. May be given several times.
    #[arg(long, value_name = "FILE")]
    pub video: Vec<PathBuf>,
    /// The most soft tokens of one picture: 70, 140, 280, 560 or 1120.
    #[arg(long, value_name = "TOKENS")]
    pub image_budget: Option<u32>,
    /// This many frames of each video, spread evenly, in place of one a second for a minute; the reference takes 32.
    #[arg(long, value_name = "COUNT")]
    pub video_frames: Option<usize>,
    /// The sound of each video too, for models that hear.
    #[arg(long)]
    pub video_sound: bool,
    #[command(flatten)]
    pub constraint: ConstraintArgs,
    /// The most tokens to generate, tool rounds included.
    #[arg(long, value_name = "TOKENS")]
    pub max_tokens: Option<usize>,
    /// A text that ends the answer. May be given several times.
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
    #[command(flatten)]
    pub sampling: SamplingArgs,
    #[command(flatten)]
    pub logits: LogitArgs,
}

impl AskArgs {
    /// The options of each chat.
    ///
    /// # Errors
    /// A schema that cannot be read.
    pub fn options(&self, runtime: &Runtime) -> anyhow::Result<ChatOptions> {
        let (tool_choice, strict, response_format) = self.constraint.constraint()?;
        Ok(ChatOptions {
            sampling: Some(self.sampling.over(runtime.config().sampling)),
            thinking: self.constraint.thinking(),
            tool_choice,
            strict,
            response_format,
            approval: Some(self.constraint.approval()),
            max_tokens: self.max_tokens,
            stop: self.stop.clone(),
            logit_bias: self.logits.logit_bias.clone(),
            logprobs: self.logits.logprobs,
            ..ChatOptions::default()
        })
    }

    /// The pictures and recordings.
    pub fn media(&self) -> anyhow::Result<Vec<Media>> {
        let images = self.image.iter().map(|path| image(path, self.image_budget));
        let recordings = self.audio.iter().map(|path| Ok(Media::audio(read(path)?)));
        let view = VideoView {
            frame_count: self.video_frames,
            sound: self.video_sound,
        };
        let videos = self.video.iter().map(|path| video(path, view));
        images.chain(recordings).chain(videos).collect()
    }

    /// A conversation that holds only the instructions.
    pub fn conversation(&self) -> Conversation {
        match &self.system {
            Some(system) => Conversation::new().system(system),
            None => Conversation::new(),
        }
    }
}

/// Reads a picture.
pub fn image(path: &Path, budget: Option<u32>) -> anyhow::Result<Media> {
    Ok(Media {
        budget,
        ..Media::image(read(path)?)
    })
}

fn video(path: &Path, view: VideoView) -> anyhow::Result<Media> {
    Ok(Media {
        video: view,
        ..Media::video(read(path)?)
    })
}

pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    run_watched(args, |_| ())
}

/// Runs it on a runtime that somebody watches.
pub fn run_watched(args: Args, watch: impl FnOnce(&Runtime)) -> anyhow::Result<ExitCode> {
    let builder = args.plugins.add_to(args.model.builder()?)?;
    let runtime = builder.build()?;
    watch(&runtime);
    let servers = Servers::start(&args.mcp, &runtime)?;
    let prompt = match args.prompt {
        Some(prompt) => prompt,
        None if std::io::stdin().is_terminal() => {
            return repl::run(&runtime, args.ask, &args.plugins.tools, &servers);
        }
        None => standard_input()?,
    };
    let conversation = args.ask.conversation().user_with(args.ask.media()?, prompt);
    let options = ChatOptions {
        tools: servers.specs(),
        ..args.ask.options(&runtime)?
    };
    let view = match args.json {
        true => View::Json,
        false => View::Terminal(Transcript::new()),
    };
    let (reason, _) = answer(&runtime, conversation, options, &servers, view)?;
    Ok(exit_code(reason))
}

/// How the process ends after an answer.
pub fn exit_code(reason: FinishReason) -> ExitCode {
    match reason {
        FinishReason::Cancelled => ExitCode::from(130),
        FinishReason::EndOfTurn
        | FinishReason::Length
        | FinishReason::ToolCall
        | FinishReason::Stop => ExitCode::SUCCESS,
    }
}

fn standard_input() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}
