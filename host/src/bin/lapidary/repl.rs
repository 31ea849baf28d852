//! A conversation on the terminal.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use lapidary::{ChatOptions, Conversation, Media, Role, Runtime};
use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use crate::answer::{View, answer};
use crate::chat::AskArgs;
use crate::mcp::Servers;
use crate::message::image;
use crate::model::{PluginArgs, read};
use crate::screen;
use crate::transcript::Transcript;
use crate::watch::Watch;

const HELP: &str = "\
/image FILE     send a picture with the next message
/audio FILE     send a recording with the next message
/video FILE     send a video with the next message
/think on|off   think before answering, or not; a number: with at most so many tokens
/tools          the tools the model may call
/save FILE      write the conversation as JSON
/load FILE      read it again
/undo           take back the last message and its answer
/stats          how long the conversation is
/help           this
Ctrl-C stops an answer, Ctrl-D ends the conversation.
";

/// The state of a conversation.
struct Repl<'a> {
    runtime: &'a Runtime,
    ask: AskArgs,
    plugins: &'a PluginArgs,
    watch: Watch,
    servers: &'a mut Servers,
    conversation: Conversation,
    media: Vec<Media>,
}

/// Talks until the end of input.
///
/// `plugins` may change while it goes on.
pub fn run(
    runtime: &Runtime,
    ask: AskArgs,
    plugins: &PluginArgs,
    servers: &mut Servers,
) -> anyhow::Result<ExitCode> {
    let mut editor = DefaultEditor::new()?;
    let (conversation, media) = (ask.message.instructions(), ask.message.media()?);
    let mut repl = Repl {
        runtime,
        ask,
        plugins,
        watch: plugins.watch(),
        servers,
        conversation,
        media,
    };
    screen::progress("/help lists the commands");
    loop {
        match editor.readline("> ") {
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => {
                editor.add_history_entry(&line)?;
                // A mistake must not end the conversation.
                if let Err(error) = repl.take(line.trim()) {
                    screen::report(&error);
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => return Ok(ExitCode::SUCCESS),
            Err(error) => return Err(error.into()),
        }
    }
}

impl Repl<'_> {
    fn take(&mut self, line: &str) -> anyhow::Result<()> {
        let Some(command) = line.strip_prefix('/') else {
            return self.say(line);
        };
        let (name, argument) = command.split_once(' ').unwrap_or((command, ""));
        let path = Path::new(argument.trim());
        match name {
            "image" => self.media.push(image(path, self.ask.message.image_budget)?),
            "audio" => self.media.push(Media::audio(read(path)?)),
            "video" => self.media.push(Media::video(read(path)?)),
            "think" => {
                let budget = argument.trim();
                self.ask.constraint.think = (budget != "off").then(|| budget.parse().ok());
            }
            "tools" => self.list_tools()?,
            "save" => std::fs::write(path, format!("{:#}\n", self.conversation.to_json()))
                .with_context(|| format!("{}: cannot be written", path.display()))?,
            "load" => {
                self.conversation = Conversation::from_json(&serde_json::from_slice(&read(path)?)?)?
            }
            "undo" => self.undo(),
            "stats" => self.show_stats()?,
            "help" => screen::result(HELP)?,
            other => anyhow::bail!("there is no command /{other}; /help lists them"),
        }
        Ok(())
    }

    /// Loads plugins again whose files changed. What cannot be loaded is told, and stays as it was.
    fn refresh(&mut self) {
        for path in self.watch.changed() {
            if let Err(error) = self.plugins.reload(&path, self.runtime) {
                screen::kept(&path, &error);
            }
        }
    }

    fn say(&mut self, text: &str) -> anyhow::Result<()> {
        self.refresh();
        let asked = self
            .conversation
            .clone()
            .user_with(std::mem::take(&mut self.media), text);
        let options = self.ask.options(self.runtime)?;
        let view = View::Terminal(Transcript::new());
        let (_, messages) = answer(self.runtime, asked.clone(), options, self.servers, view)?;
        // Only an answered question becomes part of the conversation.
        self.conversation = asked;
        self.conversation.messages.extend(messages);
        Ok(())
    }

    fn options(&self) -> anyhow::Result<ChatOptions> {
        Ok(ChatOptions {
            tools: self.servers.specs(),
            ..self.ask.options(self.runtime)?
        })
    }

    fn undo(&mut self) {
        let messages = &mut self.conversation.messages;
        if let Some(last) = messages
            .iter()
            .rposition(|message| message.role == Role::User)
        {
            messages.truncate(last);
        }
    }

    fn list_tools(&mut self) -> anyhow::Result<()> {
        self.servers.refresh(self.runtime);
        for tool in self.runtime.tools().into_iter().chain(self.servers.specs()) {
            screen::result(&format!("{}: {}\n", tool.name, tool.description))?;
        }
        Ok(())
    }

    fn show_stats(&self) -> anyhow::Result<()> {
        let rendered = self.runtime.render(&self.conversation, &self.options()?)?;
        let (tokens, context) = (
            rendered.prompt.ids.len(),
            self.runtime.config().context_tokens,
        );
        let messages = self.conversation.messages.len();
        screen::result(&format!(
            "{messages} messages, {tokens} of {context} tokens\n"
        ))?;
        Ok(())
    }
}
