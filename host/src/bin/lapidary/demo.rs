//! `lapidary demo`: what the embedded model can do, each with the command that does it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args as ClapArgs, Parser};
use lapidary::{ChatOptions, Event, Media, Runtime};

use crate::chat::AskArgs;
use crate::message::MessageArgs;
use crate::model::{PluginArgs, code_cache, find_library};
use crate::screen;
use crate::transcript::Transcript;

/// Think, call tools, see, hear and watch, on the embedded model.
#[derive(ClapArgs)]
#[command(after_help = "Example:\n  lapidary demo --save media")]
pub struct Args {
    /// Write the picture, the recording and the video to this folder, so that the commands work from anywhere.
    #[arg(long, value_name = "FOLDER")]
    save: Option<PathBuf>,
}

/// Where the media are in the repository.
const MEDIA: &str = "models/tiny/demo";

/// More than any answer here has, so that a model in training ends as well.
const TOKENS_MAX: usize = 256;

/// What follows `lapidary chat`; a file is named without its folder.
const SCENES: [&[&str]; 5] = [
    &["--think", "--plugin", "calculator", "What is 17 times 23?"],
    &[
        "--plugin",
        "weather",
        "--plugin",
        "calculator",
        "What is the weather in Oslo? And: What is 12 plus 30?",
    ],
    &["--image", "circle.png", "Describe the picture."],
    &["--audio", "digits.flac", "Transcribe this."],
    &["--video", "square.gif", "Describe the video."],
];

/// The part of `chat` that the scenes use, read as the command line reads it.
#[derive(Parser)]
struct Scene {
    prompt: String,
    #[command(flatten)]
    plugins: PluginArgs,
    #[command(flatten)]
    ask: AskArgs,
}

pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let folder = args.save.as_deref().unwrap_or(Path::new(MEDIA));
    if let Some(folder) = &args.save {
        save(folder)?;
    }
    find_library()?;
    for (index, line) in SCENES.iter().enumerate() {
        let gap = if index > 0 { "\n" } else { "" };
        screen::result(&format!("{gap}$ {}\n", spelled(line, folder)))?;
        play(&Scene::try_parse_from(
            ["chat", "--greedy"].iter().chain(*line),
        )?)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn save(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("{}: cannot be made", folder.display()))?;
    for (name, bytes) in lapidary_tiny::demo() {
        let path = folder.join(name);
        std::fs::write(&path, bytes)
            .with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    Ok(())
}

/// The command as a person types it.
fn spelled(line: &[&str], folder: &Path) -> String {
    let word = |word: &&str| match word {
        word if embedded(Path::new(word)).is_some() => folder.join(word).display().to_string(),
        word if word.contains(' ') => format!("\"{word}\""),
        word => (*word).to_owned(),
    };
    let words: Vec<String> = line.iter().map(word).collect();
    format!("lapidary chat --greedy {}", words.join(" "))
}

fn embedded(file: &Path) -> Option<&'static [u8]> {
    let mut files = lapidary_tiny::demo().iter();
    files
        .find(|(name, _)| Path::new(name) == file)
        .map(|(_, bytes)| *bytes)
}

/// Answers as `chat` does, without its closing line.
fn play(scene: &Scene) -> anyhow::Result<()> {
    let runtime = runtime(&scene.plugins)?;
    let media = media(&scene.ask.message)?;
    let conversation = scene
        .ask
        .message
        .instructions()
        .user_with(media, &scene.prompt);
    let options = ChatOptions {
        max_tokens: Some(TOKENS_MAX),
        ..scene.ask.options(&runtime)?
    };
    let mut transcript = Transcript::new();
    for event in runtime.chat(conversation, options)? {
        match event? {
            Event::Finished { .. } => screen::result("\n")?,
            event => transcript.show(&event)?,
        }
    }
    Ok(())
}

/// The embedded model, whatever the environment names.
fn runtime(plugins: &PluginArgs) -> anyhow::Result<Runtime> {
    let mut builder = Runtime::builder();
    if let Some(folder) = code_cache() {
        builder = builder.code_cache(folder);
    }
    Ok(plugins.add_to(builder)?.build()?)
}

fn media(given: &MessageArgs) -> anyhow::Result<Vec<Media>> {
    type Make = fn(&'static [u8]) -> Media;
    let kinds: [(&[PathBuf], Make); 3] = [
        (&given.image, Media::image),
        (&given.audio, Media::audio),
        (&given.video, Media::video),
    ];
    let files = kinds
        .iter()
        .flat_map(|(files, make)| files.iter().map(move |file| (file, make)));
    files
        .map(|(file, make)| {
            let bytes =
                embedded(file).with_context(|| format!("{}: is not embedded", file.display()));
            Ok(make(bytes?))
        })
        .collect()
}
