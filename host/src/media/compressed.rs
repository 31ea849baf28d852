//! FLAC, MP3, OGG Vorbis, AAC and M4A to mono samples. The only file that names `symphonia`.

use std::io::{Cursor, ErrorKind as IoErrorKind};

use symphonia::core::audio::GenericAudioBufferRef;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error as Cause;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatReader, Track, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::packet::Packet;
use symphonia::default::{get_codecs, get_probe};

use super::sound::{Recording, check_rate, check_seconds, mono};
use crate::error::{Error, Result};
use crate::limits::Limits;

/// Whether the first bytes are those of a container that this file reads.
pub(super) fn is_known(bytes: &[u8]) -> bool {
    let mpeg_sync = matches!(bytes, [0xff, second, ..] if second & 0xe0 == 0xe0);
    let named = [&b"fLaC"[..], b"OggS", b"ID3"]
        .iter()
        .any(|name| bytes.starts_with(name));
    mpeg_sync || named || bytes.get(4..8) == Some(b"ftyp")
}

/// Decodes the first sound track. Samples that an encoder put before or behind the sound are left out
/// where the file says so.
///
/// # Errors
/// `Limit` for too many seconds, while decoding at the latest; `Unsupported` for a codec that is not
/// read; `Invalid` for damage, for no sound, and for less sound than the file promises.
pub(super) fn read(bytes: &[u8], subject: &str, limits: &Limits) -> Result<Recording> {
    let refused = |cause| refusal(subject, cause);
    let stream = MediaSourceStream::new(Box::new(Cursor::new(bytes)), Default::default());
    let mut file = get_probe()
        .probe(&Hint::new(), stream, Default::default(), Default::default())
        .map_err(|cause| damaged(subject, cause))?;
    let track = file
        .default_track(TrackType::Audio)
        .ok_or_else(|| no_sound(subject))?;
    let (track_id, promised) = (track.id, track.num_frames);
    let mut decoder = decoder_of(track, subject)?;
    let mut sound = Sound {
        subject,
        limits,
        rate_hz: 0,
        channel_count: 0,
        samples: Vec::new(),
    };
    while let Some(packet) = next_packet(&mut *file).map_err(refused)? {
        if packet.track_id == track_id {
            sound.push(&decoder.decode(&packet).map_err(refused)?)?;
        }
    }
    sound.finish(promised)
}

fn decoder_of(track: &Track, subject: &str) -> Result<Box<dyn AudioDecoder>> {
    let params = track
        .codec_params
        .as_ref()
        .and_then(|params| params.audio());
    let params = params.ok_or_else(|| no_sound(subject))?;
    get_codecs()
        .make_audio_decoder(params, &AudioDecoderOptions::default())
        .map_err(|cause| refusal(subject, cause))
}

/// The next packet; some containers tell their end by an end of file.
fn next_packet(file: &mut dyn FormatReader) -> std::result::Result<Option<Packet>, Cause> {
    match file.next_packet() {
        Err(Cause::IoError(error)) if error.kind() == IoErrorKind::UnexpectedEof => Ok(None),
        other => other,
    }
}

/// What was decoded so far.
struct Sound<'a> {
    subject: &'a str,
    limits: &'a Limits,
    rate_hz: u32,
    channel_count: usize,
    /// Channels averaged.
    samples: Vec<f32>,
}

impl Sound<'_> {
    fn push(&mut self, decoded: &GenericAudioBufferRef<'_>) -> Result<()> {
        let (rate_hz, channel_count) = (decoded.spec().rate(), decoded.spec().channels().count());
        if self.samples.is_empty() {
            check_rate(rate_hz, self.subject)?;
            (self.rate_hz, self.channel_count) = (rate_hz, channel_count);
        }
        if (self.rate_hz, self.channel_count) != (rate_hz, channel_count) || channel_count == 0 {
            let detail =
                "expected one sample rate and channel count, found a change; convert it to WAV";
            return Err(Error::unsupported(self.subject, detail));
        }
        let mut interleaved = vec![0.0; decoded.samples_interleaved()];
        decoded.copy_to_slice_interleaved(&mut interleaved);
        self.samples.extend(mono(interleaved, channel_count));
        check_seconds(
            self.samples.len() as u64,
            rate_hz,
            self.subject,
            self.limits,
        )
    }

    /// The recording, unless over a tenth of a second of what was promised is missing.
    fn finish(self, promised: Option<u64>) -> Result<Recording> {
        let (found, slack) = (self.samples.len() as u64, u64::from(self.rate_hz / 10));
        if let Some(promised) = promised.filter(|promised| found + slack < *promised) {
            let detail =
                format!("expected {promised} samples as its header promises, found {found}");
            return Err(Error::invalid(self.subject, detail));
        }
        let Self {
            samples,
            rate_hz,
            channel_count,
            ..
        } = self;
        Ok(Recording {
            samples,
            rate_hz,
            channel_count,
        })
    }
}

fn no_sound(subject: &str) -> Error {
    Error::invalid(
        subject,
        "expected a recording, found a file without a sound track",
    )
}

fn refusal(subject: &str, cause: Cause) -> Error {
    match cause {
        Cause::Unsupported(_) => {
            let detail = "expected FLAC, MP3, Vorbis, AAC-LC or ALAC, found another codec; convert it to WAV";
            Error::unsupported(subject, detail).with_source(cause)
        }
        Cause::ResetRequired => {
            let detail = "expected one recording, found several chained; convert it to WAV";
            Error::unsupported(subject, detail).with_source(cause)
        }
        _ => damaged(subject, cause),
    }
}

fn damaged(subject: &str, cause: Cause) -> Error {
    Error::invalid(subject, "expected a whole recording, found a damaged one").with_source(cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// 400 samples of 16 bits, 0, 10, 20 and so on, mono, 16 kHz (ffmpeg 5.1).
    #[rustfmt::skip]
    const RAMP: [u8; 233] = [
        102, 76, 97, 67, 128, 0, 0, 34, 4, 128, 4, 128, 0, 0, 191, 0, 0, 191, 3, 232, 0, 240, 0, 0,
        1, 144, 205, 188, 197, 81, 33, 79, 156, 155, 228, 114, 47, 30, 41, 145, 230, 51, 255, 248, 117, 8, 0, 1,
        143, 70, 79, 128, 0, 0, 10, 0, 40, 0, 120, 1, 64, 3, 32, 7, 128, 17, 243, 22, 192, 73, 139, 90,
        191, 110, 212, 217, 198, 221, 161, 34, 159, 110, 192, 2, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146,
        73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146,
        73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146,
        73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146,
        73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146,
        73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146,
        73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 146, 73, 36, 144, 206, 104,
    ];

    #[test]
    fn flac_gives_its_samples_exactly() {
        let recording = read(&RAMP, "audio 1", &Limits::default()).unwrap();
        let ramp: Vec<f32> = (0..400_i16)
            .map(|index| f32::from(index * 10) / 32_768.0)
            .collect();
        assert_eq!(recording.samples, ramp);
        assert_eq!((recording.rate_hz, recording.channel_count), (16_000, 1));
    }

    #[test]
    fn too_much_sound_is_refused() {
        let limits = Limits {
            audio_seconds_max: 0,
            ..Limits::default()
        };
        let error = read(&RAMP, "audio 1", &limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit("audio_seconds_max"));
    }

    #[test]
    fn half_a_recording_is_refused() {
        let cut = [
            &RAMP[..60],
            &RAMP[..20],
            b"\xff\xfbno sound",
            b"OggS",
            b"\0\0\0\x08ftyp",
        ];
        for bytes in cut {
            assert!(is_known(bytes));
            let error = read(bytes, "audio 1", &Limits::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error:#}");
        }
    }
}
