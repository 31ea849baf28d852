//! Which frames of a video the model sees, and their time stamps (transformers 5.23.0,
//! `video_utils.py`, `models/gemma4/processing_gemma4.py`).

use crate::error::{Error, Result};

/// Which frames of a video are looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FrameSampling {
    /// So many frames a second, evenly spread, of a video of at most `seconds_max`.
    PerSecond {
        /// More than 0; a video with fewer gives all it has.
        frames_per_second: f64,
        /// Longer videos are refused, never cut.
        seconds_max: u32,
    },
    /// So many frames, evenly spread over a video of any length that has as many.
    Uniform {
        /// At least 1.
        frame_count: usize,
    },
}

impl FrameSampling {
    /// 32 frames: the reference's own mode.
    pub const REFERENCE: Self = Self::Uniform { frame_count: 32 };
}

impl Default for FrameSampling {
    /// One frame a second of at most 60 seconds, as Gemma 4's model card asks.
    fn default() -> Self {
        Self::PerSecond {
            frames_per_second: 1.0,
            seconds_max: 60,
        }
    }
}

impl FrameSampling {
    /// The numbers of the frames to look at, ascending (`default_sample_indices_fn`).
    pub(super) fn indices(
        self,
        total: usize,
        frames_per_second: f64,
        subject: &str,
    ) -> Result<Vec<usize>> {
        let count = match self {
            Self::PerSecond {
                frames_per_second: wanted,
                seconds_max,
            } => {
                check_rate(wanted, subject)?;
                let seconds = total as f64 / frames_per_second;
                check_seconds(seconds, seconds_max, subject)?;
                whole(seconds * wanted).clamp(1, total.max(1))
            }
            Self::Uniform { frame_count } => frame_count,
        };
        if count == 0 {
            let detail = "expected to be asked for at least 1 frame of it, found 0";
            return Err(Error::invalid(subject, detail));
        }
        if count > total {
            let detail =
                format!("expected at least {count} frames, found {total}; sample it by the second");
            return Err(Error::invalid(subject, detail));
        }
        Ok((0..count).map(|index| index * total / count).collect())
    }
}

pub(super) fn check_rate(frames_per_second: f64, subject: &str) -> Result<()> {
    if frames_per_second.is_finite() && frames_per_second > 0.0 {
        return Ok(());
    }
    let detail = format!("expected more than 0 frames a second, found {frames_per_second}");
    Err(Error::invalid(subject, detail))
}

fn check_seconds(seconds: f64, seconds_max: u32, subject: &str) -> Result<()> {
    // A last frame or two beyond the second are what encoders add.
    if seconds < f64::from(seconds_max) + 1.0 {
        return Ok(());
    }
    let detail = format!(
        "expected at most {seconds_max} s, found {seconds:.1} s; cut it, or sample it uniformly"
    );
    Err(Error::invalid(subject, detail))
}

/// `MM:SS`, both rounded down; an hour is 60 minutes.
pub(super) fn stamp(seconds: f64) -> String {
    let rest = seconds % 60.0;
    let minutes = whole(((seconds - rest) / 60.0).round());
    format!("{minutes:02}:{:02}", whole(rest))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates; positive and finite"
)]
fn whole(value: f64) -> usize {
    value as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn indices(sampling: FrameSampling, total: usize, frames_per_second: f64) -> Vec<usize> {
        sampling
            .indices(total, frames_per_second, "video 1")
            .unwrap()
    }

    fn refusal(sampling: FrameSampling, total: usize) -> String {
        sampling
            .indices(total, 1.0, "video 1")
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn indices_equal_the_reference() {
        // default_sample_indices_fn of transformers 5.23.0, num_frames=32 and fps=1.
        let uniform = indices(FrameSampling::REFERENCE, 219, 30.0);
        assert_eq!(uniform[..6], [0, 6, 13, 20, 27, 34]);
        assert_eq!((uniform.len(), uniform[31]), (32, 212));
        assert_eq!(
            indices(FrameSampling::default(), 219, 30.0),
            [0, 31, 62, 93, 125, 156, 187]
        );
        assert_eq!(indices(FrameSampling::default(), 10, 24.0), [0]);
    }

    #[test]
    fn a_slow_video_gives_every_frame_once() {
        let sampling = FrameSampling::PerSecond {
            frames_per_second: 5.0,
            seconds_max: 60,
        };
        assert_eq!(indices(sampling, 4, 2.0), [0, 1, 2, 3]);
    }

    #[test]
    fn what_a_sampling_cannot_take_is_refused_and_not_cut() {
        let long = refusal(FrameSampling::default(), 61);
        assert_eq!(
            long,
            "video 1: expected at most 60 s, found 61.0 s; cut it, or sample it uniformly"
        );
        assert!(refusal(FrameSampling::REFERENCE, 31).contains("at least 32 frames, found 31"));
        assert!(refusal(FrameSampling::Uniform { frame_count: 0 }, 31).contains("at least 1 "));
        let never = FrameSampling::PerSecond {
            frames_per_second: 0.0,
            seconds_max: 60,
        };
        assert!(refusal(never, 31).contains("more than 0 frames a second"));
    }

    #[test]
    fn stamps_equal_the_reference() {
        // replace_video_token of transformers 5.23.0.
        for (seconds, text) in [
            (0.0, "00:00"),
            (59.999, "00:59"),
            (60.0, "01:00"),
            (3_608.2, "60:08"),
        ] {
            assert_eq!(stamp(seconds), text);
        }
    }
}
