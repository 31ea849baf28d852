//! Image files to 8-bit RGB. The only file that names the `image` crate.

use std::io::Cursor;

use ::image::metadata::Orientation;
use ::image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};

use super::alpha::{composite, high_byte};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::Limits;

/// What [`decode`] reads, and how error messages name it.
const FORMATS: [(ImageFormat, &str); 6] = [
    (ImageFormat::Png, "PNG"),
    (ImageFormat::Jpeg, "JPEG"),
    (ImageFormat::WebP, "WebP"),
    (ImageFormat::Gif, "GIF"),
    (ImageFormat::Bmp, "BMP"),
    (ImageFormat::Tiff, "TIFF"),
];

/// An opaque picture: interleaved 8-bit RGB, row by row, `3 * width * height` bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pixels {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) rgb: Vec<u8>,
}

/// Decodes a picture upright; transparency is composited on white, as the reference does
/// (transformers 5.23.0, `image_transforms.py`, `convert_to_rgb`). Of an animation, the first frame.
///
/// # Errors
/// `Limit` for too many bytes or pixels, checked before decoding; `Unsupported` for a known format
/// that is not read; `Invalid` for anything that is not a whole picture.
pub(super) fn decode(bytes: &[u8], subject: &str, limits: &Limits) -> Result<Pixels> {
    let mut header = open(bytes, subject, limits)?;
    if header.format == ImageFormat::Jpeg && !jpeg_is_whole(bytes) {
        return Err(Error::invalid(
            subject,
            "expected a whole JPEG, found one that is cut off",
        ));
    }
    // A damaged EXIF block does not make the picture unreadable.
    let orientation = header
        .decoder
        .orientation()
        .unwrap_or(Orientation::NoTransforms);
    let broken = |error| broken(header.format, subject, limits, error);
    let mut picture = DynamicImage::from_decoder(header.decoder).map_err(broken)?;
    picture.apply_orientation(orientation);
    Ok(flatten(picture))
}

/// Width and height from the header alone, before any orientation.
///
/// # Errors
/// As for [`decode`], but damage behind the header goes unseen.
pub(super) fn stored_size(bytes: &[u8], subject: &str, limits: &Limits) -> Result<(u32, u32)> {
    Ok(open(bytes, subject, limits)?.decoder.dimensions())
}

struct Header<D> {
    format: ImageFormat,
    decoder: D,
}

/// Reads the header and checks every limit on it.
fn open<'a>(
    bytes: &'a [u8],
    subject: &str,
    limits: &Limits,
) -> Result<Header<impl ImageDecoder + 'a>> {
    super::check_bytes(bytes.len() as u64, subject, limits)?;
    let format = format_of(bytes, subject)?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(decoder_limits(limits));
    let decoder = reader
        .into_decoder()
        .map_err(|error| broken(format, subject, limits, error))?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, subject, limits)?;
    Ok(Header { format, decoder })
}

/// The format that the first bytes tell.
fn format_of(bytes: &[u8], subject: &str) -> Result<ImageFormat> {
    const EXPECTED: &str = "expected PNG, JPEG, WebP, GIF, BMP or TIFF";
    let format = ::image::guess_format(bytes).map_err(|error| {
        let detail = format!("{EXPECTED}, found {}", super::opening(bytes));
        Error::invalid(subject, detail).with_source(error)
    })?;
    if FORMATS.iter().any(|(known, _)| *known == format) {
        return Ok(format);
    }
    let detail = format!("{EXPECTED}, found {}; convert it to PNG", name(format));
    Err(Error::unsupported(subject, detail))
}

/// The format as people write it.
fn name(format: ImageFormat) -> String {
    let known = FORMATS.iter().find(|(known, _)| *known == format);
    known.map_or_else(
        || format!("{format:?}").to_uppercase(),
        |(_, name)| (*name).to_owned(),
    )
}

/// Refuses no pixels, and too many.
pub(super) fn check_size(width: u32, height: u32, subject: &str, limits: &Limits) -> Result<()> {
    if width == 0 || height == 0 {
        let detail = format!("expected at least one pixel, found {width}x{height}");
        return Err(Error::invalid(subject, detail));
    }
    if u64::from(width) * u64::from(height) > limits.image_pixels_max {
        let limit = format!("{} pixels", limits.image_pixels_max);
        let found = format!("{width}x{height}");
        return Err(Error::limit("image_pixels_max", subject, limit, found));
    }
    Ok(())
}

/// Whether an end marker follows the picture's data; the decoder would paint what is missing grey.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    const SCAN: u8 = 0xda;
    let mut at = 2;
    // Segments before the data are skipped by their length: a thumbnail in one has its own end marker.
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4).and_then(<[u8]>::first_chunk)
    {
        if marker == SCAN {
            break;
        }
        at += if marker == 0xff {
            1
        } else {
            2 + usize::from(u16::from_be_bytes([high, low]))
        };
    }
    bytes
        .get(at..)
        .is_some_and(|data| data.windows(2).any(|pair| pair == [0xff, 0xd9]))
}

/// The decoder's own bound on memory: 16-bit RGBA for every allowed pixel, and room for tables.
pub(super) fn decoder_limits(limits: &Limits) -> ::image::Limits {
    let mut bounds = ::image::Limits::no_limits();
    let pixels_bytes = limits.image_pixels_max.saturating_mul(8);
    bounds.max_alloc = Some(pixels_bytes.saturating_add(16 << 20));
    bounds
}

/// Tells a limit, a missing feature and a damaged file apart.
pub(super) fn broken(
    format: ImageFormat,
    subject: &str,
    limits: &Limits,
    error: ImageError,
) -> Error {
    let found = match &error {
        ImageError::Limits(_) => {
            let limit = format!("{} pixels", limits.image_pixels_max);
            let found = "a picture that needs more memory than they take";
            return Error::limit("image_pixels_max", subject, limit, found).with_source(error);
        }
        ImageError::Unsupported(_) => {
            let detail = format!(
                "expected a usual kind of {}, found one that is not read; convert it to PNG",
                name(format)
            );
            return Error::new(ErrorKind::Unsupported, subject, detail).with_source(error);
        }
        ImageError::IoError(_) => "one that is cut off",
        ImageError::Decoding(_) | ImageError::Encoding(_) | ImageError::Parameter(_) => {
            "one that is damaged"
        }
    };
    let detail = format!("expected a whole {}, found {found}", name(format));
    Error::invalid(subject, detail).with_source(error)
}

fn flatten(picture: DynamicImage) -> Pixels {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let rgb = if picture.color().has_alpha() {
        on_white(picture)
    } else {
        opaque(picture)
    };
    Pixels { width, height, rgb }
}

fn opaque(picture: DynamicImage) -> Vec<u8> {
    match picture {
        DynamicImage::ImageLuma16(gray) => gray
            .into_raw()
            .into_iter()
            .flat_map(|level| [high_byte(level); 3])
            .collect(),
        DynamicImage::ImageRgb16(rgb) => rgb.into_raw().into_iter().map(high_byte).collect(),
        other => other.into_rgb8().into_raw(),
    }
}

fn on_white(picture: DynamicImage) -> Vec<u8> {
    match picture {
        DynamicImage::ImageLumaA8(_) | DynamicImage::ImageRgba8(_) => {
            composite(picture.into_rgba8().as_raw())
        }
        deep => {
            let rgba = deep.into_rgba16().into_raw().into_iter().map(high_byte);
            composite(&rgba.collect::<Vec<u8>>())
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    pub(in crate::media) use ::image::{ColorType, ImageFormat};

    use super::*;

    /// Level `x * 7 + y * 13 + c * 29 + x * y * c`, mod 256: what the goldens were made from.
    pub(in crate::media) fn levels(width: u32, height: u32, channel_count: u32) -> Vec<u8> {
        let level = |x: u32, y: u32, c: u32| {
            let level = (x * 7 + y * 13 + c * 29 + x * y * c) % 256;
            u8::try_from(level).unwrap()
        };
        let pixel = |x, y| (0..channel_count).map(move |c| level(x, y, c));
        (0..height)
            .flat_map(|y| (0..width).flat_map(move |x| pixel(x, y)))
            .collect()
    }

    pub(in crate::media) fn picture(width: u32, height: u32) -> Pixels {
        let rgb = levels(width, height, 3);
        Pixels {
            width: width as usize,
            height: height as usize,
            rgb,
        }
    }

    pub(in crate::media) fn encoded(
        size: (u32, u32),
        color: ColorType,
        format: ImageFormat,
    ) -> Vec<u8> {
        let data = levels(size.0, size.1, color.channel_count().into());
        let mut file = Cursor::new(Vec::new());
        ::image::write_buffer_with_format(&mut file, &data, size.0, size.1, color, format).unwrap();
        file.into_inner()
    }

    fn error_of(bytes: &[u8]) -> Error {
        decode(bytes, "image 2", &Limits::default()).unwrap_err()
    }

    #[test]
    fn lossless_formats_give_the_same_pixels() {
        use ImageFormat::{Bmp, Png, Tiff, WebP};
        for format in [Png, Bmp, Tiff, WebP] {
            let bytes = encoded((21, 9), ColorType::Rgb8, format);
            assert_eq!(
                decode(&bytes, "image 1", &Limits::default()).unwrap(),
                picture(21, 9)
            );
        }
    }

    #[test]
    fn half_a_picture_is_refused_in_every_format() {
        use ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
        for format in [Png, Jpeg, WebP, Gif, Bmp, Tiff] {
            let bytes = encoded((64, 48), ColorType::Rgb8, format);
            let error = error_of(&bytes[..bytes.len() / 2]);
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(
                error.to_string().starts_with("image 2: expected a whole "),
                "{error}"
            );
        }
    }

    #[test]
    fn a_png_that_is_none_is_refused_by_name() {
        assert_eq!(
            error_of(b"GIMME").to_string(),
            "image 2: expected PNG, JPEG, WebP, GIF, BMP or TIFF, found 5 bytes that begin with \"GIMME\"",
        );
        assert!(error_of(b"").to_string().ends_with("found an empty file"));
    }

    #[test]
    fn a_bomb_is_refused_by_its_header() {
        let mut bomb = encoded((1, 1), ColorType::Rgb8, ImageFormat::Gif);
        bomb[6..10].fill(0xff);
        assert_eq!(error_of(&bomb).kind(), ErrorKind::Limit("image_pixels_max"));
        bomb[6..10].fill(0);
        assert!(error_of(&bomb).to_string().ends_with("found 0x0"));
    }

    #[test]
    fn too_many_bytes_are_refused_unread() {
        let limits = Limits {
            media_bytes_max: 10,
            ..Limits::default()
        };
        let error = decode(&[0; 11], "image 1", &limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit("media_bytes_max"));
    }

    #[test]
    fn a_known_format_that_is_not_read_is_unsupported() {
        let error = error_of(b"\0\0\0\x20ftypavif\0\0\0\0");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn exif_turns_the_picture_upright() {
        let mut file = encoded((2, 1), ColorType::Rgb8, ImageFormat::Png);
        // An eXIf chunk that says orientation 6, put behind the 33 bytes of signature and IHDR.
        let chunk =
            b"\0\0\0\x1aeXIfMM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let check = crc32(&chunk[4..]);
        file.splice(33..33, chunk.iter().copied().chain(check.to_be_bytes()));
        let upright = decode(&file, "image 1", &Limits::default()).unwrap();
        assert_eq!((upright.width, upright.height), (1, 2));
        assert_eq!(upright.rgb, picture(2, 1).rgb);
    }

    fn crc32(bytes: &[u8]) -> u32 {
        let step = |crc: u32| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xedb8_8320
            } else {
                crc >> 1
            }
        };
        let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc));
        !bytes.iter().fold(!0, byte)
    }
}
