//! Media in prompts: what becomes one block of soft tokens, and what several.

use std::io::Cursor;

use lapidary::{ChatOptions, Content, Conversation, ErrorKind, Limits, Media, Message, Part, Role};

use crate::support::{RUNTIME, bounded, greedy, ids};

fn prompt_ids(media: Media) -> Vec<u32> {
    let conversation = Conversation::new().user_with([media], "What is it?");
    RUNTIME
        .render(&conversation, &ChatOptions::default())
        .unwrap()
        .prompt
        .ids
}

fn count(ids: &[u32], id: u32) -> usize {
    ids.iter().filter(|other| **other == id).count()
}

/// A mono recording at 16 kHz.
fn wav(samples: impl IntoIterator<Item = i16>) -> Media {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    samples
        .into_iter()
        .for_each(|sample| writer.write_sample(sample).unwrap());
    writer.finalize().unwrap();
    Media::audio(file.into_inner())
}

/// Noise with a pause every ten seconds.
fn recording(seconds: u32) -> Media {
    wav((0..seconds * 16_000).map(|index| {
        let loud = index % 160_000 > 8_000;
        let level = i16::try_from(index % 20_011 * 7_919 % 20_011).unwrap();
        if loud { level } else { 0 }
    }))
}

/// An animation of `frames` single colours, each shown for a second.
fn animation(frames: u8) -> Media {
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
    for index in 0..frames {
        let picture = image::RgbaImage::from_pixel(64, 48, image::Rgba([index * 40, 90, 200, 255]));
        let delay = image::Delay::from_numer_denom_ms(1_000, 1);
        encoder
            .encode_frame(image::Frame::from_parts(picture, 0, 0, delay))
            .unwrap();
    }
    drop(encoder);
    Media::video(bytes)
}

#[test]
fn a_recording_longer_than_the_encoder_takes_is_several_blocks() {
    let audio = RUNTIME.config().audio.unwrap();
    let (short, long) = (prompt_ids(recording(20)), prompt_ids(recording(65)));
    assert_eq!(count(&short, audio.begin), 1);
    assert!(count(&long, audio.begin) >= 3);
    // 25 soft tokens a second; each cut may cost one.
    let (placeholders, blocks) = (count(&long, audio.placeholder), count(&long, audio.begin));
    assert!(placeholders.abs_diff(65 * 25) <= blocks, "{placeholders}");
}

#[test]
fn a_video_is_frames_behind_their_time_stamps() {
    let video = RUNTIME.config().video.unwrap();
    let prompt = prompt_ids(animation(3));
    assert_eq!(count(&prompt, video.begin), 3);
    for stamp in ["00:00 ", " 00:01 ", " 00:02 "] {
        let stamp = ids(stamp);
        assert!(
            prompt.windows(stamp.len()).any(|window| window == stamp),
            "{stamp:?} in {prompt:?}"
        );
    }
    let conversation = Conversation::new().user_with([animation(3)], "What moves?");
    assert!(
        RUNTIME
            .chat(conversation, greedy(2))
            .unwrap()
            .finish()
            .is_ok()
    );
}

#[test]
fn media_that_the_format_does_not_show_are_refused_and_not_dropped() {
    let system = Message::of_parts(
        Role::System,
        vec![Part::Media(recording(1)), Part::Text("Hear!".into())],
    );
    assert!(matches!(system.content, Some(Content::Parts(_))));
    let conversation = Conversation::new().with(system).user("Hi");
    let error = RUNTIME
        .chat(conversation, greedy(1))
        .unwrap()
        .finish()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
}

#[test]
fn a_recording_too_short_for_a_soft_token_is_an_empty_place() {
    let conversation = Conversation::new().user_with([wav([0; 80])], "What?");
    assert!(
        RUNTIME
            .chat(conversation, greedy(1))
            .unwrap()
            .finish()
            .is_ok()
    );
}

#[test]
fn the_price_is_known_before_anything_runs_and_is_exact() {
    let png = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../models/tiny/reference/test.png"
    ));
    let png = png.unwrap();
    for budget in [70, 140, 280, 560, 1120] {
        let media = [
            Media::image(png.clone()).with_budget(budget),
            recording(65),
            animation(3),
        ];
        let conversation = Conversation::new().user_with(media, "What is it?");
        let options = ChatOptions::default();
        let price = RUNTIME.price(&conversation, &options).unwrap();
        let prompt = RUNTIME.render(&conversation, &options).unwrap().prompt;
        assert_eq!(price.tokens, prompt.ids.len());
        assert!((1..=budget as usize).contains(&price.media[0]), "{price:?}");
        let config = RUNTIME.config();
        let placeholders = [config.image, config.audio, config.video]
            .map(|ids| count(&prompt.ids, ids.unwrap().placeholder));
        assert_eq!(price.media, placeholders);
        assert_eq!(price.left_tokens, config.context_tokens - price.tokens);
    }
}

#[test]
fn a_video_gives_as_many_frames_as_were_asked_for() {
    let video = RUNTIME.config().video.unwrap();
    let prompt = prompt_ids(animation(6).with_frames(2));
    assert_eq!(count(&prompt, video.begin), 2);
    let stamp = ids(" 00:03 ");
    assert!(prompt.windows(stamp.len()).any(|window| window == stamp));
}

#[test]
fn a_video_of_more_frames_than_the_limit_is_refused() {
    let limits = Limits {
        video_frames_max: 2,
        ..Limits::default()
    };
    let runtime = bounded(limits);
    let frames = |count| {
        let conversation =
            Conversation::new().user_with([animation(6).with_frames(count)], "What?");
        let chat = runtime.chat(conversation, greedy(1)).unwrap();
        chat.finish()
            .map_err(|error| (error.kind(), error.to_string()))
    };
    assert!(frames(2).is_ok());
    let (kind, told) = frames(3).unwrap_err();
    assert_eq!(kind, ErrorKind::Limit("video_frames_max"));
    assert!(told.contains("3 asked for"), "{told}");
    let (kind, told) = frames(0).unwrap_err();
    assert_eq!(kind, ErrorKind::Invalid);
    assert!(
        told.contains("asked for at least 1 frame of it, found 0"),
        "{told}"
    );
}

#[test]
fn a_video_without_sound_is_its_frames_alone() {
    let config = RUNTIME.config();
    let prompt = prompt_ids(animation(2).with_sound());
    assert_eq!(count(&prompt, config.audio.unwrap().begin), 0);
    assert_eq!(count(&prompt, config.video.unwrap().begin), 2);
}
