//! Videos to frames with time stamps: the reference's video processor (transformers 5.23.0,
//! `models/gemma4/video_processing_gemma4.py`, `processing_gemma4.py`, `video_utils.py`).

use std::path::{Path, PathBuf};

use super::animation::Animation;
use super::frames;
use super::image::Pixels;
use super::movie::Movie;
use super::patches::{ImageBudget, ImageFeatures, frame_features};
use super::resample::resample;
use super::sampling::{FrameSampling, check_rate, stamp};
use super::split::{AudioPiece, pieces_of};
use crate::error::{Error, Result};
use crate::limits::Limits;

/// What the reference takes for an unknown frame rate (`processing_gemma4.py`).
const FRAMES_PER_SECOND_UNKNOWN: f64 = 24.0;

/// How a video is looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoOptions {
    /// Which frames.
    pub sampling: FrameSampling,
    /// Soft tokens a frame may cost; 70 by default, as in the reference.
    pub budget: ImageBudget,
    /// Frames a second of a folder of pictures, which cannot tell it; 1 by default.
    pub folder_frames_per_second: f64,
}

impl Default for VideoOptions {
    fn default() -> Self {
        Self {
            sampling: FrameSampling::default(),
            budget: ImageBudget::VIDEO_FRAME,
            folder_frames_per_second: 1.0,
        }
    }
}

/// Where a video is.
#[derive(Clone, Copy, Debug)]
pub enum VideoSource<'a> {
    /// An encoded animation or movie. A movie is put in a temporary file for `ffmpeg`.
    Bytes(&'a [u8]),
    /// A file of an animation or movie, or a folder of pictures.
    Path(&'a Path),
}

/// One frame that the model will see.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoFrame {
    /// Its number in the video, from 0.
    pub index: usize,
    /// Its time as the prompt tells it: `MM:SS`, minutes beyond 59 included.
    pub stamp: String,
    /// As for an image, but for the values: 8-bit levels divided by 255.
    pub image: ImageFeatures,
}

/// The frames that the model will see, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct VideoFeatures {
    /// At least one.
    pub frames: Vec<VideoFrame>,
    /// Frames of the whole video.
    pub frame_count: usize,
    /// Frames a second of the video; 24 where it does not tell.
    pub frames_per_second: f64,
}

impl VideoFeatures {
    /// Soft tokens of all frames together.
    pub fn soft_tokens(&self) -> usize {
        self.frames
            .iter()
            .map(|frame| frame.image.soft_tokens)
            .sum()
    }
}

/// A video's frames, as many as its source has, and their rate where it tells one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Clip {
    pub(super) frame_count: usize,
    pub(super) frames_per_second: Option<f64>,
}

/// Features of a video: animated GIF, WebP or PNG, a folder of pictures; MP4, WebM, MOV and AVI where
/// `ffmpeg` and `ffprobe` are installed.
///
/// # Errors
/// `Io` when `ffmpeg` is needed and missing; `Limit` for too many bytes, pixels or frames, and for too
/// long a run of `ffmpeg`; `Invalid` for anything that is no whole video, is too long for its sampling, or has too few frames for it.
pub fn video_features(
    source: VideoSource<'_>,
    options: &VideoOptions,
    subject: &str,
    limits: &Limits,
) -> Result<VideoFeatures> {
    Opened::with(source, subject, limits, |opened| {
        let clip = opened.clip(options, subject)?;
        let frames_per_second = clip.frames_per_second.unwrap_or(FRAMES_PER_SECOND_UNKNOWN);
        let indices = options
            .sampling
            .indices(clip.frame_count, frames_per_second, subject)?;
        check_count(indices.len(), subject, limits)?;
        let mut frames = Vec::with_capacity(indices.len());
        opened.pick(clip, &indices, subject, limits, |picture| {
            let index = indices[frames.len()];
            let stamp = stamp(index as f64 / frames_per_second);
            let image = frame_features(picture, options.budget)?;
            frames.push(VideoFrame {
                index,
                stamp,
                image,
            });
            Ok(())
        })?;
        check_found(frames.len(), indices.len(), subject)?;
        Ok(VideoFeatures {
            frames,
            frame_count: clip.frame_count,
            frames_per_second,
        })
    })
}

/// The sound of a movie, in pieces of at most 30 s; none for a video without sound.
///
/// # Errors
/// As for [`video_features`]; `Limit("audio_seconds_max")` for more sound than allowed.
pub fn video_audio(
    source: VideoSource<'_>,
    subject: &str,
    limits: &Limits,
) -> Result<Vec<AudioPiece>> {
    Opened::with(source, subject, limits, |opened| match opened {
        Opened::Movie(movie) => match movie.sound()? {
            Some(sound) => {
                let samples = resample(sound.samples, sound.rate_hz, subject)?;
                pieces_of(&samples, subject, limits)
            }
            None => Ok(Vec::new()),
        },
        Opened::Animation(_) | Opened::Folder(_) => Ok(Vec::new()),
    })
}

/// A video whose kind is known.
enum Opened<'a> {
    Folder(Vec<PathBuf>),
    Animation(Animation<'a>),
    Movie(Movie<'a>),
}

impl Opened<'_> {
    /// Opens `source` for the time of `work`.
    fn with<T>(
        source: VideoSource<'_>,
        subject: &str,
        limits: &Limits,
        work: impl FnOnce(&Opened<'_>) -> Result<T>,
    ) -> Result<T> {
        match source {
            VideoSource::Path(path) if path.is_dir() => {
                work(&Opened::Folder(frames::list(path, subject)?))
            }
            VideoSource::Path(path) => match Movie::at(path, subject, limits)? {
                Some(movie) => work(&Opened::Movie(movie)),
                None => Self::with_bytes(
                    &super::read_file(path, subject, limits)?,
                    subject,
                    limits,
                    work,
                ),
            },
            VideoSource::Bytes(bytes) => Self::with_bytes(bytes, subject, limits, work),
        }
    }

    fn with_bytes<T>(
        bytes: &[u8],
        subject: &str,
        limits: &Limits,
        work: impl FnOnce(&Opened<'_>) -> Result<T>,
    ) -> Result<T> {
        super::check_bytes(bytes.len() as u64, subject, limits)?;
        if let Some(animation) = Animation::new(bytes, subject, limits) {
            return work(&Opened::Animation(animation));
        }
        if let Some(movie) = Movie::of(bytes, subject, limits)? {
            return work(&Opened::Movie(movie));
        }
        let found = super::opening(bytes);
        let detail =
            format!("expected MP4, WebM, MOV, AVI, animated GIF, WebP or PNG, found {found}");
        Err(Error::invalid(subject, detail))
    }

    fn clip(&self, options: &VideoOptions, subject: &str) -> Result<Clip> {
        match self {
            Self::Folder(paths) => {
                let rate = options.folder_frames_per_second;
                check_rate(rate, subject)?;
                Ok(Clip {
                    frame_count: paths.len(),
                    frames_per_second: Some(rate),
                })
            }
            Self::Animation(animation) => animation.clip(),
            Self::Movie(movie) => movie.clip(),
        }
    }

    fn pick(
        &self,
        clip: Clip,
        indices: &[usize],
        subject: &str,
        limits: &Limits,
        mut each: impl FnMut(Pixels) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Folder(paths) => indices
                .iter()
                .try_for_each(|index| each(frames::read(&paths[*index], subject, limits)?)),
            Self::Animation(animation) => animation.pick(indices, each),
            Self::Movie(movie) => movie.pick(indices.len(), clip.frame_count, each),
        }
    }
}

fn check_count(count: usize, subject: &str, limits: &Limits) -> Result<()> {
    let max = limits.video_frames_max;
    if count <= max {
        return Ok(());
    }
    let (max, found) = (format!("{max} frames"), format!("{count} asked for"));
    Err(Error::limit("video_frames_max", subject, max, found))
}

fn check_found(found: usize, wanted: usize, subject: &str) -> Result<()> {
    if found == wanted {
        return Ok(());
    }
    let detail =
        format!("expected {wanted} frames, found {found}; the video is cut off or damaged");
    Err(Error::invalid(subject, detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::animation::tests::gif;

    fn features(source: VideoSource<'_>, sampling: FrameSampling) -> Result<VideoFeatures> {
        let options = VideoOptions {
            sampling,
            ..VideoOptions::default()
        };
        video_features(source, &options, "video 1", &Limits::default())
    }

    #[test]
    fn an_animation_is_a_video() {
        // 40 frames of 100 ms.
        let bytes = gif(40, 100);
        let video = features(VideoSource::Bytes(&bytes), FrameSampling::default()).unwrap();
        let stamps: Vec<&str> = video
            .frames
            .iter()
            .map(|frame| frame.stamp.as_str())
            .collect();
        assert_eq!(stamps, ["00:00", "00:01", "00:02", "00:03"]);
        assert_eq!((video.frame_count, video.frames_per_second), (40, 10.0));
        assert_eq!(video.soft_tokens(), 4 * video.frames[0].image.soft_tokens);
        let uniform = features(VideoSource::Bytes(&bytes), FrameSampling::REFERENCE).unwrap();
        assert_eq!((uniform.frames.len(), uniform.frames[31].index), (32, 38));
    }

    #[test]
    fn values_are_quotients_by_255() {
        let video = features(VideoSource::Bytes(&gif(1, 100)), FrameSampling::default()).unwrap();
        let values = video.frames[0].image.pixel_values.data();
        assert!(
            values
                .iter()
                .all(|value| (value * 255.0).round() / 255.0 == *value)
        );
    }

    #[test]
    fn half_an_animation_is_refused() {
        let bytes = gif(40, 100);
        let half = VideoSource::Bytes(&bytes[..bytes.len() / 2]);
        let error = features(half, FrameSampling::default()).unwrap_err();
        assert!(error.to_string().contains("found one that is"), "{error}");
    }

    #[test]
    fn what_is_no_video_is_refused_in_words() {
        let error = features(VideoSource::Bytes(b"#EXTM3U"), FrameSampling::default()).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("found 7 bytes that begin with \"#EXTM3U\""),
            "{error}"
        );
    }

    #[test]
    fn an_animation_has_no_sound() {
        let sound = video_audio(
            VideoSource::Bytes(&gif(2, 100)),
            "video 1",
            &Limits::default(),
        );
        assert!(sound.unwrap().is_empty());
    }
}
