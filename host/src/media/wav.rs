//! WAV files to mono samples. The only file that names `hound`.

use std::io::Cursor;

use hound::{SampleFormat, WavReader};

use super::sound::{Recording, check_rate, check_seconds, mono, without_samples};
use crate::error::{Error, Result};
use crate::limits::Limits;

type Reader<'a> = WavReader<Cursor<&'a [u8]>>;

/// Decodes a WAV file: 8, 16, 24 or 32 bits, or 32-bit float.
///
/// # Errors
/// `Limit` for too many seconds, checked in the header; `Unsupported` for compressed WAV;
/// `Invalid` for no WAV, no samples, fewer samples than promised, an impossible rate.
pub(super) fn read(bytes: &[u8], subject: &str, limits: &Limits) -> Result<Recording> {
    let reader = WavReader::new(Cursor::new(bytes)).map_err(|error| no_wav(subject, error))?;
    check_header(&reader, bytes.len(), subject, limits)?;
    let spec = reader.spec();
    let samples = mono_samples(reader).map_err(|error| match error {
        hound::Error::IoError(_) => cut_off(subject).with_source(error),
        error => no_wav(subject, error),
    })?;
    Ok(Recording {
        samples,
        rate_hz: spec.sample_rate,
        channel_count: spec.channels.into(),
    })
}

fn check_header(
    reader: &Reader<'_>,
    file_bytes: usize,
    subject: &str,
    limits: &Limits,
) -> Result<()> {
    let spec = reader.spec();
    check_rate(spec.sample_rate, subject)?;
    if reader.duration() == 0 {
        return Err(without_samples(subject));
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

fn no_wav(subject: &str, error: hound::Error) -> Error {
    if matches!(error, hound::Error::Unsupported | hound::Error::TooWide) {
        let detail = "expected WAV of at most 32 bits, not compressed, found another kind; convert it to 16-bit PCM";
        return Error::unsupported(subject, detail).with_source(error);
    }
    let detail = "expected a whole WAV recording, found a damaged one";
    Error::invalid(subject, detail).with_source(error)
}

/// Whether the first bytes are those of a WAV file.
pub(super) fn is_wav(bytes: &[u8]) -> bool {
    bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WAVE")
}

/// The mean of the channels, each sample scaled to 32-bit float first, as the reference does.
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
    Ok(mono(samples, channel_count))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::sound;
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
        sound::read(&wav(file), "audio 1", &Limits::default())
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
            let error = sound::read(&wav(&file), "audio 1", &Limits::default()).unwrap_err();
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
        let error = sound::read(&wav(&file), "audio 1", &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }
}
