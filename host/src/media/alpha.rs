//! Transparent and deep colour to opaque 8-bit colour, in Pillow's arithmetic.

/// 8-bit RGBA over white.
pub(super) fn composite(rgba: &[u8]) -> Vec<u8> {
    rgba.chunks_exact(4)
        .flat_map(|pixel| {
            let alpha = u32::from(pixel[3]);
            [pixel[0], pixel[1], pixel[2]].map(|level| blend(u32::from(level), alpha))
        })
        .collect()
}

/// One 8-bit level over white, in Pillow's integers (Pillow 13, `AlphaComposite.c`).
fn blend(level: u32, alpha: u32) -> u8 {
    if alpha == 0 {
        return 255;
    }
    let weighted = (level * alpha + 255 * (255 - alpha)) * 128 + (128 << 7);
    let level = (((weighted >> 8) + weighted) >> 8) >> 7;
    u8::try_from(level).expect("a mean of two levels is a level")
}

/// Pillow keeps the high byte of 16-bit colour. (Its 16-bit grey saturates instead; ours does not.)
pub(super) fn high_byte(level: u16) -> u8 {
    level.to_be_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compositing_equals_pillow() {
        // Image.alpha_composite over (255, 255, 255, 255), Pillow 13.0.
        let rgba = [
            10, 200, 255, 0, 10, 200, 255, 1, 10, 200, 255, 128, 10, 200, 255, 254,
        ];
        let golden = [255, 255, 255, 254, 255, 255, 132, 227, 255, 11, 200, 255];
        assert_eq!(composite(&rgba), golden);
    }

    #[test]
    fn opaque_colour_is_kept() {
        for level in 0..=255_u8 {
            assert_eq!(blend(u32::from(level), 255), level);
            assert_eq!(high_byte(u16::from(level) * 256 + 99), level);
        }
    }
}
