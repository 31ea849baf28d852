//! Uncompressed pictures (PPM, kind `P6`), which `ffmpeg` writes one after the other.

use std::io::{self, BufRead, Read};

use super::image::{Pixels, check_size};
use crate::error::{Error, Result};
use crate::limits::Limits;

/// The next picture of `stream`; none at its end.
///
/// # Errors
/// `Limit("image_pixels_max")` before anything is allocated; `Invalid` for anything that is no PPM.
pub(super) fn read(
    stream: &mut impl BufRead,
    subject: &str,
    limits: &Limits,
) -> Result<Option<Pixels>> {
    let broken = |error: io::Error| {
        let detail = "expected frames from ffmpeg, found something else";
        Error::invalid(subject, detail).with_source(error)
    };
    let Some((width, height)) = read_header(stream).map_err(broken)? else {
        return Ok(None);
    };
    check_size(width, height, subject, limits)?;
    let (width, height) = (width as usize, height as usize);
    let mut rgb = vec![0; 3 * width * height];
    stream.read_exact(&mut rgb).map_err(broken)?;
    Ok(Some(Pixels { width, height, rgb }))
}

/// Width and height.
fn read_header(stream: &mut impl BufRead) -> io::Result<Option<(u32, u32)>> {
    let magic = read_word(stream)?;
    if magic.is_empty() {
        return Ok(None);
    }
    let mut number = || read_word(stream)?.parse().map_err(io::Error::other);
    let (width, height, level_max): (u32, u32, u32) = (number()?, number()?, number()?);
    if magic != "P6" || level_max != 255 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    Ok(Some((width, height)))
}

/// What stands before the next white space; at most 16 bytes.
fn read_word(stream: &mut impl BufRead) -> io::Result<String> {
    let mut word = String::new();
    for byte in stream.take(16).bytes() {
        match byte? {
            byte if byte.is_ascii_whitespace() => break,
            byte => word.push(char::from(byte)),
        }
    }
    Ok(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_pictures_follow_each_other() {
        let mut stream = &b"P6\n1 2\n255\nabcdefP6\n1 1\n255\nxyz"[..];
        let mut next = || read(&mut stream, "video 1", &Limits::default()).unwrap();
        let first = next().unwrap();
        assert_eq!(
            (first.width, first.height, first.rgb),
            (1, 2, b"abcdef".to_vec())
        );
        assert_eq!(next().unwrap().rgb, b"xyz");
        assert_eq!(next(), None);
    }

    #[test]
    fn half_a_picture_is_refused() {
        for stream in [
            &b"P6\n1 2\n255\nabc"[..],
            b"P6\n",
            b"P5\n1 1\n255\na",
            b"some text",
        ] {
            assert!(read(&mut &stream[..], "video 1", &Limits::default()).is_err());
        }
    }
}
