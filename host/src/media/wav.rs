//! WAV files to mono samples. The only file that names `hound`.

use std::io::Cursor;

use hound::{SampleFormat, WavReader, WavSpec};

use super::audio::{check_levels, check_seconds};
use crate::error::{Error, Result};
use crate::limits::Limits;

/// Rates that are taken for sound, in Hz. Outside of them a header is damaged, or lies.
const RATES_HZ: std::ops::RangeInclusive<u32> = 1_000..=768_000;

/// A recording with its channels averaged.
#[derive(Debug)]
pub(super) struct Recording {
    /// In -1..=1; a float file may go beyond.
    pub(super) samples: Vec<f32>,
    pub(super) rate_hz: u32,
    /// Channels before averaging.
    pub(super) channel_count: u16,
}

type Reader<'a> = WavReader<Cursor<&'a [u8]>>;

/// Decodes a WAV file: 8, 16, 24 or 32 bits, or 32-bit float.
///
/// # Errors
/// `Limit` for too many bytes or seconds, checked in the header; `Unsupported` for compressed WAV;
/// `Invalid` for no WAV, no samples, fewer samples than promised, an impossible rate or level.
pub(super) fn read(bytes: &[u8], subject: &str, limits: &Limits) -> Result<Recording> {
    super::check_bytes(bytes, subject, limits)?;
    let reader =
        WavReader::new(Cursor::new(bytes)).map_err(|error| no_wav(bytes, subject, error))?;
    check_header(&reader, bytes.len(), subject, limits)?;
    let WavSpec {
        sample_rate,
        channels,
        ..
    } = reader.spec();
    let samples = mono_samples(reader).map_err(|error| cut_off(subject).with_source(error))?;
    check_levels(&samples, subject)?;
    Ok(Recording {
        samples,
        rate_hz: sample_rate,
        channel_count: channels,
    })
}

fn check_header(
    reader: &Reader<'_>,
    file_bytes: usize,
    subject: &str,
    limits: &Limits,
) -> Result<()> {
    let spec = reader.spec();
    if !RATES_HZ.contains(&spec.sample_rate) {
        let (low, high) = (RATES_HZ.start(), RATES_HZ.end());
        let detail = format!(
            "expected a sample rate of {low} to {high} Hz, found {}",
            spec.sample_rate
        );
        return Err(Error::invalid(subject, detail));
    }
    if reader.duration() == 0 {
        return Err(Error::invalid(
            subject,
            "expected a recording, found one without samples",
        ));
    }
    let promised_bytes = u64::from(reader.len()) * u64::from(spec.bits_per_sample / 8);
    if promised_bytes > file_bytes as u64 {
        return Err(cut_off(subject));
    }
    check_seconds(
        u64::from(reader.duration()),
        spec.sample_rate,
        subject,
        limits,
    )
}

fn cut_off(subject: &str) -> Error {
    Error::invalid(
        subject,
        "expected a whole WAV recording, found fewer samples than its header promises",
    )
}

fn no_wav(bytes: &[u8], subject: &str, error: hound::Error) -> Error {
    match error {
        hound::Error::Unsupported => {
            let detail = "expected an uncompressed WAV recording, found a compressed one; convert it to 16-bit PCM";
            Error::unsupported(subject, detail).with_source(error)
        }
        error if bytes.starts_with(b"RIFF") => Error::invalid(
            subject,
            "expected a whole WAV recording, found a damaged one",
        )
        .with_source(error),
        error => {
            let detail = format!("expected a WAV recording, found {}", super::opening(bytes));
            Error::invalid(subject, detail).with_source(error)
        }
    }
}

/// The mean of the channels, in the reference's arithmetic: each sample scaled to 32-bit float first.
fn mono_samples(mut reader: Reader<'_>) -> hound::Result<Vec<f32>> {
    let channel_count = usize::from(reader.spec().channels);
    let samples = match reader.spec().sample_format {
        SampleFormat::Float => reader.samples::<f32>().collect::<hound::Result<Vec<_>>>()?,
        SampleFormat::Int => {
            let scale = 1.0 / (1_u64 << (reader.spec().bits_per_sample - 1)) as f32;
            let scaled = |sample: hound::Result<i32>| sample.map(|sample| sample as f32 * scale);
            reader
                .samples::<i32>()
                .map(scaled)
                .collect::<hound::Result<Vec<_>>>()?
        }
    };
    if channel_count == 1 {
        return Ok(samples);
    }
    let mean = |frame: &[f32]| frame.iter().sum::<f32>() / channel_count as f32;
    Ok(samples.chunks_exact(channel_count).map(mean).collect())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// The fields of a WAV header, right or wrong.
    pub(in crate::media) struct WavFile {
        pub(in crate::media) rate_hz: u32,
        pub(in crate::media) channel_count: u16,
        pub(in crate::media) bits: u16,
        pub(in crate::media) tag: u16,
        pub(in crate::media) data: Vec<u8>,
        pub(in crate::media) missing_bytes: u32,
    }

    impl Default for WavFile {
        /// 0.1 s of 16-bit mono at 16 kHz.
        fn default() -> Self {
            let data = vec![1; 3_200];
            Self {
                rate_hz: 16_000,
                channel_count: 1,
                bits: 16,
                tag: 1,
                data,
                missing_bytes: 0,
            }
        }
    }

    pub(in crate::media) fn wav(file: &WavFile) -> Vec<u8> {
        let frame_bytes = file.channel_count * file.bits / 8;
        let data_bytes = u32::try_from(file.data.len()).unwrap() + file.missing_bytes;
        let mut bytes = Vec::new();
        bytes.extend(b"RIFF");
        bytes.extend((36 + data_bytes).to_le_bytes());
        bytes.extend(b"WAVEfmt ");
        bytes.extend(16_u32.to_le_bytes());
        bytes.extend(file.tag.to_le_bytes());
        bytes.extend(file.channel_count.to_le_bytes());
        bytes.extend(file.rate_hz.to_le_bytes());
        bytes.extend((file.rate_hz * u32::from(frame_bytes)).to_le_bytes());
        bytes.extend(frame_bytes.to_le_bytes());
        bytes.extend(file.bits.to_le_bytes());
        bytes.extend(b"data");
        bytes.extend(data_bytes.to_le_bytes());
        bytes.extend(&file.data);
        bytes
    }

    fn samples(file: &WavFile) -> Vec<f32> {
        read(&wav(file), "audio 1", &Limits::default())
            .unwrap()
            .samples
    }

    #[test]
    fn every_sample_kind_has_the_same_scale() {
        let kinds: [(u16, u16, Vec<u8>); 5] = [
            (1, 8, vec![192]),
            (1, 16, 0x4000_i16.to_le_bytes().into()),
            (1, 24, vec![0, 0, 0x40]),
            (1, 32, 0x4000_0000_i32.to_le_bytes().into()),
            (3, 32, 0.5_f32.to_le_bytes().into()),
        ];
        for (tag, bits, data) in kinds {
            let file = WavFile {
                tag,
                bits,
                data,
                ..WavFile::default()
            };
            assert_eq!(samples(&file), [0.5], "{bits} bits");
        }
    }

    #[test]
    fn channels_are_averaged() {
        let data = [8_192_i16, 16_384, 0, -8_192, 0, -4_096]
            .map(i16::to_le_bytes)
            .concat();
        let file = WavFile {
            channel_count: 3,
            data,
            ..WavFile::default()
        };
        assert_eq!(samples(&file), [0.25, -0.125]);
    }

    #[test]
    fn what_is_no_whole_recording_is_refused_in_words() {
        let cases = [
            (
                WavFile {
                    data: vec![],
                    ..WavFile::default()
                },
                "without samples",
            ),
            (
                WavFile {
                    rate_hz: 0,
                    ..WavFile::default()
                },
                "found 0",
            ),
            (
                WavFile {
                    missing_bytes: 2,
                    ..WavFile::default()
                },
                "fewer samples",
            ),
            (
                WavFile {
                    missing_bytes: 1 << 20,
                    ..WavFile::default()
                },
                "fewer samples",
            ),
            (
                WavFile {
                    channel_count: 0,
                    ..WavFile::default()
                },
                "damaged",
            ),
            (
                WavFile {
                    tag: 3,
                    bits: 32,
                    data: f32::NAN.to_le_bytes().into(),
                    ..WavFile::default()
                },
                "NaN",
            ),
        ];
        for (file, words) in cases {
            let error = read(&wav(&file), "audio 1", &Limits::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[test]
    fn compressed_wav_is_unsupported() {
        let file = WavFile {
            tag: 7,
            bits: 8,
            ..WavFile::default()
        };
        let error = read(&wav(&file), "audio 1", &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}
