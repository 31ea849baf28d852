//! The flags that say what goes with a prompt.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use lapidary::{Conversation, Media, VideoView};

use crate::model::read;

/// What goes with the prompt.
#[derive(ClapArgs, Clone, Debug)]
pub struct MessageArgs {
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
}

impl MessageArgs {
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

    /// The instructions, and a message of the person's.
    pub fn conversation(&self, text: String) -> anyhow::Result<Conversation> {
        Ok(self.instructions().user_with(self.media()?, text))
    }

    /// A conversation that holds only the instructions.
    pub fn instructions(&self) -> Conversation {
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
