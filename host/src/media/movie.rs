//! Movies in files: told by their first bytes, read through `ffmpeg`.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::ffmpeg::{Input, stopped};
use super::image::{Pixels, check_size};
use super::sound::{Recording, check_levels, check_rate, mono};
use super::video::Clip;
use super::{check_bytes, ppm};
use crate::error::{Error, Result};
use crate::limits::Limits;

/// An encoded movie in a file.
pub(super) struct Movie<'a> {
    input: Input<'a>,
    is_temporary: bool,
    limits: &'a Limits,
}

impl<'a> Movie<'a> {
    /// The movie at `path`; none when it begins like no movie.
    ///
    /// # Errors
    /// `Io` when it cannot be read; `Limit("media_bytes_max")`.
    pub(super) fn at(path: &Path, subject: &'a str, limits: &'a Limits) -> Result<Option<Self>> {
        let unread = |error| Error::reading(path, error);
        let file = File::open(path).map_err(unread)?;
        let size_bytes = file.metadata().map_err(unread)?.len();
        let mut opening = Vec::new();
        file.take(16).read_to_end(&mut opening).map_err(unread)?;
        let Some(demuxer) = demuxer_of(&opening) else {
            return Ok(None);
        };
        check_bytes(size_bytes, subject, limits)?;
        let input = Input {
            path: path.to_owned(),
            demuxer,
            subject,
            ms_max: limits.movie_ms_max,
        };
        Ok(Some(Self {
            input,
            is_temporary: false,
            limits,
        }))
    }

    /// The movie in `bytes`, put in a file until it is dropped; none when they begin like no movie.
    ///
    /// # Errors
    /// `Io` when the file cannot be written.
    pub(super) fn of(bytes: &[u8], subject: &'a str, limits: &'a Limits) -> Result<Option<Self>> {
        let Some(demuxer) = demuxer_of(bytes) else {
            return Ok(None);
        };
        let path = temporary_path();
        let unwritten = |error: io::Error| {
            let detail = format!("cannot be put in {}: {error}", path.display());
            Error::io(subject, detail).with_source(error)
        };
        let mut file = create_private(&path).map_err(unwritten)?;
        let input = Input {
            path: path.clone(),
            demuxer,
            subject,
            ms_max: limits.movie_ms_max,
        };
        let movie = Self {
            input,
            is_temporary: true,
            limits,
        };
        file.write_all(bytes).map_err(unwritten)?;
        Ok(Some(movie))
    }

    /// Counts frames, which reads the whole file but decodes nothing.
    ///
    /// # Errors
    /// `Io` without `ffprobe`; `Invalid` for damage and for no video track; `Limit("image_pixels_max")`,
    /// `Limit("movie_ms_max")`.
    pub(super) fn clip(&self) -> Result<Clip> {
        let entries = "stream=width,height,avg_frame_rate,nb_read_packets";
        let told = self
            .input
            .probe(&["-select_streams", "v:0", "-count_packets"], entries)?;
        let (width, height) = (number(&told, "width"), number(&told, "height"));
        let (Some(width), Some(height)) = (width, height) else {
            return Err(Error::invalid(
                self.input.subject,
                "expected a video track, found none",
            ));
        };
        check_size(width, height, self.input.subject, self.limits)?;
        let frame_count = number(&told, "nb_read_packets").unwrap_or(0) as usize;
        Ok(Clip {
            frame_count,
            frames_per_second: value(&told, "avg_frame_rate").and_then(ratio),
        })
    }

    /// Hands `wanted` frames to `each`: of the `total`, number `index * total / wanted`.
    ///
    /// # Errors
    /// `Io` without `ffmpeg`; `Invalid` for damage; `Limit("movie_ms_max")`; those of `each`.
    pub(super) fn pick(
        &self,
        wanted: usize,
        total: usize,
        mut each: impl FnMut(Pixels) -> Result<()>,
    ) -> Result<()> {
        // Frame n is one of them when a multiple of total / wanted lies in n..n + 1.
        let select = format!("select=lt(ceil(n*{wanted}/{total})*{total}\\,(n+1)*{wanted})");
        let picked = ["-map", "0:v:0", "-vf", &select, "-fps_mode", "passthrough"];
        let written = [
            "-f",
            "image2pipe",
            "-c:v",
            "ppm",
            "-pix_fmt",
            "rgb24",
            "pipe:1",
        ];
        let mut running = self.input.start(&[&picked[..], &written].concat())?;
        loop {
            let picture = ppm::read(&mut running.output, self.input.subject, self.limits);
            match picture.map_err(|error| running.blame(error))? {
                Some(picture) => each(picture)?,
                None => return running.finish(),
            }
        }
    }

    /// The first sound track; none when there is none.
    ///
    /// # Errors
    /// `Io` without `ffmpeg`; `Invalid` for damage; `Limit("audio_seconds_max")`, `Limit("movie_ms_max")`.
    pub(super) fn sound(&self) -> Result<Option<Recording>> {
        let told = self
            .input
            .probe(&["-select_streams", "a:0"], "stream=sample_rate,channels")?;
        let (rate_hz, channel_count) = (number(&told, "sample_rate"), number(&told, "channels"));
        let (Some(rate_hz), Some(channel_count @ 1..)) = (rate_hz, channel_count) else {
            return Ok(None);
        };
        check_rate(rate_hz, self.input.subject)?;
        let channel_count = channel_count as usize;
        let mut running = self.input.start(&[
            "-map",
            "0:a:0",
            "-f",
            "f32le",
            "-c:a",
            "pcm_f32le",
            "pipe:1",
        ])?;
        let samples = self.read_samples(&mut running.output, rate_hz, channel_count);
        let samples = samples.map_err(|error| running.blame(error))?;
        running.finish()?;
        check_levels(&samples, self.input.subject)?;
        Ok(Some(Recording {
            samples,
            rate_hz,
            channel_count,
        }))
    }

    /// The mean of the channels of 32-bit samples, read no further than is allowed.
    fn read_samples(
        &self,
        output: &mut impl Read,
        rate_hz: u32,
        channel_count: usize,
    ) -> Result<Vec<f32>> {
        let seconds_max = self.limits.audio_seconds_max;
        let second_bytes = u64::from(rate_hz) * channel_count as u64 * 4;
        let bytes_max = second_bytes * u64::from(seconds_max);
        let mut bytes = Vec::new();
        let read = output.take(bytes_max + 1).read_to_end(&mut bytes);
        read.map_err(|error| stopped(self.input.subject, error.to_string()))?;
        if bytes.len() as u64 > bytes_max {
            let limit = format!("{seconds_max} s of sound");
            return Err(Error::limit(
                "audio_seconds_max",
                self.input.subject,
                limit,
                "more",
            ));
        }
        let sample = |bytes: &[u8; 4]| f32::from_le_bytes(*bytes);
        let interleaved = bytes.as_chunks().0.iter().map(sample).collect();
        Ok(mono(interleaved, channel_count))
    }
}

impl Drop for Movie<'_> {
    fn drop(&mut self) {
        if self.is_temporary {
            // Nobody is left to tell when it fails, and the system clears the folder.
            let _ = fs::remove_file(&self.input.path);
        }
    }
}

/// The demuxer for what the first bytes tell: MP4 and MOV, WebM and Matroska, AVI.
fn demuxer_of(bytes: &[u8]) -> Option<&'static str> {
    match (bytes.get(..4)?, bytes.get(4..8)?, bytes.get(8..12)?) {
        (_, b"ftyp" | b"moov" | b"mdat" | b"wide" | b"free" | b"skip", _) => Some("mov"),
        (b"\x1aE\xdf\xa3", ..) => Some("matroska"),
        (b"RIFF", _, b"AVI ") => Some("avi"),
        _ => None,
    }
}

fn temporary_path() -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let (process, number) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    std::env::temp_dir().join(format!("lapidary-{process}-{number}.movie"))
}

/// A new file that other users cannot read.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn value<'a>(told: &'a str, key: &str) -> Option<&'a str> {
    told.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
}

fn number(told: &str, key: &str) -> Option<u32> {
    value(told, key)?.trim().parse().ok()
}

/// `30000/1001`; none for 0 or nothing.
fn ratio(text: &str) -> Option<f64> {
    let (above, below) = text.trim().split_once('/')?;
    let rate = above.parse::<f64>().ok()? / below.parse::<f64>().ok()?;
    (rate.is_finite() && rate > 0.0).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn movies_are_told_by_their_first_bytes() {
        assert_eq!(demuxer_of(b"\0\0\0\x20ftypisom"), Some("mov"));
        assert_eq!(
            demuxer_of(b"\x1aE\xdf\xa3\0\0\0\0\0\0\0\0"),
            Some("matroska")
        );
        assert_eq!(demuxer_of(b"RIFF\0\0\0\0WAVE"), None);
        assert_eq!(demuxer_of(b"#EXTM3U\nfile.ts"), None);
    }

    #[test]
    fn answers_of_ffprobe_are_understood() {
        let told = "width=64\nheight=48\navg_frame_rate=30000/1001\nnb_read_packets=N/A\n";
        assert_eq!(number(told, "height"), Some(48));
        assert_eq!(number(told, "nb_read_packets"), None);
        assert_eq!(
            value(told, "avg_frame_rate").and_then(ratio),
            Some(30_000.0 / 1001.0)
        );
        assert_eq!(ratio("0/0"), None);
    }
}
