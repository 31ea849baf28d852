//! Animated GIF, WebP and PNG, frame by frame. Beside `image.rs`, the only file that names `image`.

use std::io::Cursor;

use ::image::codecs::gif::GifDecoder;
use ::image::codecs::png::PngDecoder;
use ::image::codecs::webp::WebPDecoder;
use ::image::{AnimationDecoder, Frame, Frames, ImageDecoder, ImageFormat, ImageResult};

use super::alpha::composite;
use super::image::{Pixels, broken, check_size, decoder_limits};
use super::video::Clip;
use crate::error::{Error, Result};
use crate::limits::Limits;

/// How many times `image_pixels_max` an animation may hold in all its frames.
const PICTURES_MAX: u64 = 64;

/// An encoded animation.
pub(super) struct Animation<'a> {
    bytes: &'a [u8],
    format: ImageFormat,
    subject: &'a str,
    limits: &'a Limits,
}

impl<'a> Animation<'a> {
    /// The animation in `bytes`; none when they are no GIF, WebP or PNG.
    pub(super) fn new(bytes: &'a [u8], subject: &'a str, limits: &'a Limits) -> Option<Self> {
        let format = ::image::guess_format(bytes).ok()?;
        let known = [ImageFormat::Gif, ImageFormat::WebP, ImageFormat::Png].contains(&format);
        known.then_some(Self {
            bytes,
            format,
            subject,
            limits,
        })
    }

    /// Counts frames and adds up their durations, which decodes every frame once.
    ///
    /// # Errors
    /// `Limit("image_pixels_max")` for a frame, or frames together, of too many pixels; `Invalid`
    /// for damage and for a still picture.
    pub(super) fn clip(&self) -> Result<Clip> {
        let (mut frame_count, mut milliseconds, mut pixel_count) = (0, 0.0, 0);
        for frame in self.frames()? {
            let frame = frame.map_err(|error| self.broken(error))?;
            let (delay, unit) = frame.delay().numer_denom_ms();
            let (width, height) = frame.buffer().dimensions();
            frame_count += 1;
            milliseconds += f64::from(delay) / f64::from(unit);
            pixel_count += u64::from(width) * u64::from(height);
            self.check_pixels(pixel_count)?;
        }
        let rate = frame_count as f64 / (milliseconds / 1000.0);
        Ok(Clip {
            frame_count,
            frames_per_second: (milliseconds > 0.0).then_some(rate),
        })
    }

    /// Hands the frames of the ascending `indices` to `each`.
    ///
    /// # Errors
    /// As [`Animation::clip`], and those of `each`.
    pub(super) fn pick(
        &self,
        indices: &[usize],
        mut each: impl FnMut(Pixels) -> Result<()>,
    ) -> Result<()> {
        let mut wanted = indices.iter().copied().peekable();
        for (index, frame) in self.frames()?.enumerate() {
            let frame = frame.map_err(|error| self.broken(error))?;
            if wanted.next_if_eq(&index).is_some() {
                each(flatten(frame))?;
            }
            if wanted.peek().is_none() {
                break;
            }
        }
        Ok(())
    }

    fn frames(&self) -> Result<Frames<'a>> {
        let reader = Cursor::new(self.bytes);
        match self.format {
            ImageFormat::Gif => self
                .checked(GifDecoder::new(reader))
                .map(|it| it.into_frames()),
            ImageFormat::WebP => {
                let decoder = self.checked(WebPDecoder::new(reader))?;
                self.moving(decoder.has_animation())?;
                Ok(decoder.into_frames())
            }
            _ => {
                let decoder = self.checked(PngDecoder::new(reader))?;
                self.moving(decoder.is_apng().map_err(|error| self.broken(error))?)?;
                Ok(decoder
                    .apng()
                    .map_err(|error| self.broken(error))?
                    .into_frames())
            }
        }
    }

    /// The decoder, its header within the limits.
    fn checked<D: ImageDecoder>(&self, decoder: ImageResult<D>) -> Result<D> {
        let mut decoder = decoder.map_err(|error| self.broken(error))?;
        let (width, height) = decoder.dimensions();
        check_size(width, height, self.subject, self.limits)?;
        decoder
            .set_limits(decoder_limits(self.limits))
            .map_err(|error| self.broken(error))?;
        Ok(decoder)
    }

    fn moving(&self, is_animated: bool) -> Result<()> {
        if is_animated {
            return Ok(());
        }
        let detail = "expected an animation, found a still picture; pass it as an image";
        Err(Error::invalid(self.subject, detail))
    }

    fn check_pixels(&self, pixel_count: u64) -> Result<()> {
        let pixels_max = self.limits.image_pixels_max.saturating_mul(PICTURES_MAX);
        if pixel_count <= pixels_max {
            return Ok(());
        }
        let limit = format!("{pixels_max} pixels in all frames");
        Err(Error::limit(
            "image_pixels_max",
            self.subject,
            limit,
            "more",
        ))
    }

    fn broken(&self, error: ::image::ImageError) -> Error {
        broken(self.format, self.subject, self.limits, error)
    }
}

fn flatten(frame: Frame) -> Pixels {
    let picture = frame.into_buffer();
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    Pixels {
        width,
        height,
        rgb: composite(picture.as_raw()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use ::image::codecs::gif::GifEncoder;
    use ::image::{Delay, RgbaImage};

    use super::*;

    /// An animation of `frame_count` grey frames, each lighter than the one before.
    pub(in crate::media) fn gif(frame_count: u8, delay_ms: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = GifEncoder::new(&mut bytes);
        for index in 0..frame_count {
            let level = index.wrapping_mul(5);
            let picture = RgbaImage::from_pixel(30, 20, [level, level, level, 255].into());
            let delay = Delay::from_numer_denom_ms(delay_ms, 1);
            encoder
                .encode_frame(Frame::from_parts(picture, 0, 0, delay))
                .unwrap();
        }
        drop(encoder);
        bytes
    }

    #[test]
    fn frames_are_picked_by_number() {
        let (bytes, limits) = (gif(9, 100), Limits::default());
        let animation = Animation::new(&bytes, "video 1", &limits).unwrap();
        let mut levels = Vec::new();
        let picked = animation.pick(&[0, 4, 8], |picture| {
            levels.push(picture.rgb[0]);
            Ok(())
        });
        picked.unwrap();
        assert_eq!(levels, [0, 20, 40]);
    }

    #[test]
    fn frames_together_are_bounded() {
        let limits = Limits {
            image_pixels_max: 600,
            ..Limits::default()
        };
        let bytes = gif(65, 100);
        let error = Animation::new(&bytes, "video 1", &limits)
            .unwrap()
            .clip()
            .unwrap_err();
        assert_eq!(
            error.kind(),
            crate::error::ErrorKind::Limit("image_pixels_max")
        );
    }
}
