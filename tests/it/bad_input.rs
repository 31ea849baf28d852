//! Bad input: one clear error of the right kind, and the next request works.

use std::fs;

use lapidary::{
    ChatOptions, Conversation, DtypeChoice, ErrorKind, GenerateRequest, Media, Provider, Providers,
    Runtime, Sampling, inspect,
};

use crate::support::{RUNTIME, builder, bundle_on_disk, greedy, ids, load};

/// The error of a bundle that `harm` was done to, from loading it or from the first picture.
fn harmed(harm: impl Fn(&std::path::Path)) -> lapidary::Error {
    let folder = bundle_on_disk();
    harm(folder.path());
    let asked = |runtime: Runtime| {
        let picture = Media::image(fs::read(picture()).unwrap());
        runtime
            .chat(
                Conversation::new().user_with([picture], "What is it?"),
                greedy(1),
            )?
            .finish()
    };
    load(&folder).and_then(asked).expect_err("the harm shows")
}

fn picture() -> &'static str {
    concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../models/tiny/reference/test.png"
    )
}

fn assert_bundle(error: &lapidary::Error, names: &str) {
    assert_eq!(error.kind(), ErrorKind::Bundle, "{error:#}");
    assert_eq!(error.kind().exit_code(), 5);
    assert!(format!("{error:#}").contains(names), "{error:#}");
    assert!(RUNTIME.chat("Hello!", greedy(1)).unwrap().finish().is_ok());
}

fn cut(path: &std::path::Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

#[test]
fn a_missing_graph_is_named() {
    for graph in ["embed_tokens", "decoder_model_merged"] {
        let error =
            harmed(|folder| fs::remove_file(folder.join(format!("onnx/{graph}.onnx"))).unwrap());
        assert_bundle(&error, graph);
    }
}

#[test]
fn a_truncated_graph_is_named() {
    for graph in ["embed_tokens", "decoder_model_merged", "vision_encoder"] {
        assert_bundle(
            &harmed(|folder| cut(&folder.join(format!("onnx/{graph}.onnx")))),
            graph,
        );
    }
}

#[test]
fn a_missing_or_short_chunk_of_external_data_is_named() {
    let chunk = "onnx/decoder_model_merged.onnx_data";
    assert_bundle(
        &harmed(|folder| fs::remove_file(folder.join(chunk)).unwrap()),
        "onnx_data",
    );
    assert_bundle(&harmed(|folder| cut(&folder.join(chunk))), "onnx_data");
}

#[test]
fn a_corrupt_tokenizer_or_configuration_is_named() {
    for file in [
        "tokenizer.json",
        "config.json",
        "generation_config.json",
        "processor_config.json",
    ] {
        assert_bundle(&harmed(|folder| cut(&folder.join(file))), file);
    }
}

#[test]
fn a_model_without_eyes_refuses_a_picture_before_any_work() {
    let folder = bundle_on_disk();
    fs::remove_file(folder.path().join("onnx/vision_encoder.onnx")).unwrap();
    let runtime = load(&folder).unwrap();
    let picture = Media::image(fs::read(picture()).unwrap());
    let chat = runtime
        .chat(Conversation::new().user_with([picture], "What?"), greedy(1))
        .unwrap();
    assert_eq!(chat.finish().unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(runtime.chat("Hello!", greedy(1)).unwrap().finish().is_ok());
}

#[test]
fn a_dtype_that_is_not_there_is_refused_with_those_that_are() {
    let error = builder()
        .dtype("q4".parse::<DtypeChoice>().unwrap())
        .build()
        .unwrap_err();
    assert_bundle(&error, "fp32");
}

#[test]
fn media_that_are_none_are_refused_and_the_chat_goes_on() {
    let bad = [
        Media::image(b"not a png".to_vec()),
        Media::image(Vec::new()),
        Media::image(fs::read(picture()).unwrap()[..200].to_vec()),
        Media::audio(Vec::new()),
        Media::audio(b"RIFF\x24\0\0\0WAVE".to_vec()),
        Media::image(fs::read(picture()).unwrap()).with_budget(99),
    ];
    for media in bad {
        let conversation = Conversation::new().user_with([media.clone()], "What is it?");
        let error = RUNTIME
            .chat(conversation, greedy(1))
            .unwrap()
            .finish()
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{media:?}: {error}");
        assert!(RUNTIME.chat("Hello!", greedy(1)).unwrap().finish().is_ok());
    }
}

#[test]
fn a_prompt_longer_than_the_context_is_refused_before_any_work() {
    let context = RUNTIME.config().context_tokens;
    let error = RUNTIME
        .chat("word ".repeat(context).as_str(), greedy(1))
        .unwrap()
        .finish()
        .unwrap_err();
    assert_eq!(error.kind().exit_code(), 3, "{error}");
    assert!(error.to_string().contains(&context.to_string()), "{error}");
    let request = GenerateRequest {
        ids: vec![2; context],
        ..GenerateRequest::default()
    };
    assert_eq!(RUNTIME.generate(request).unwrap_err().kind().exit_code(), 3);
    assert!(RUNTIME.chat("Hello!", greedy(1)).unwrap().finish().is_ok());
}

#[test]
fn ids_that_the_model_does_not_have_are_refused() {
    for ids in [vec![], vec![2, 999_999]] {
        let request = GenerateRequest {
            ids,
            max_tokens: Some(1),
            ..GenerateRequest::default()
        };
        assert_eq!(
            RUNTIME.generate(request).unwrap_err().kind(),
            ErrorKind::Invalid
        );
    }
    assert!(RUNTIME.chat("Hello!", greedy(1)).unwrap().finish().is_ok());
}

#[test]
fn media_without_their_placeholders_are_refused() {
    let request = GenerateRequest {
        ids: ids("<bos>Look"),
        media: vec![Media::image(fs::read(picture()).unwrap())],
        ..GenerateRequest::default()
    };
    assert_eq!(
        RUNTIME.generate(request).unwrap_err().kind(),
        ErrorKind::Invalid
    );
}

#[test]
fn a_component_of_the_wrong_world_is_refused_by_name() {
    let error = builder()
        .format("tool-clock", lapidary_guests::TOOL_CLOCK.to_vec())
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("tool-clock"), "{error}");
    assert_eq!(
        inspect("text", b"hello").unwrap_err().kind(),
        ErrorKind::Invalid
    );
}

#[test]
fn asking_for_cuda_without_cuda_is_an_error_and_not_cpu() {
    let starts = lapidary::available_providers().into_iter();
    let cuda = starts
        .into_iter()
        .find(|(provider, _)| matches!(provider, Provider::Cuda { .. }));
    let built = builder()
        .providers("cuda:0,cpu".parse::<Providers>().unwrap())
        .build();
    match cuda {
        Some((_, Ok(()))) => assert_eq!(built.unwrap().provider(), "cuda:0,cpu"),
        _ => assert_eq!(built.unwrap_err().kind(), ErrorKind::Unsupported),
    }
}

#[test]
fn sampling_settings_out_of_range_are_refused() {
    let own = Sampling::default();
    let bad = [
        Sampling {
            temperature: f32::NAN,
            ..own
        },
        Sampling {
            temperature: -1.0,
            ..own
        },
        Sampling { top_p: 2.0, ..own },
        Sampling { min_p: -0.1, ..own },
    ];
    for sampling in bad {
        let options = ChatOptions {
            sampling: Some(sampling),
            ..greedy(1)
        };
        assert_eq!(
            RUNTIME.chat("Hello!", options).unwrap_err().kind(),
            ErrorKind::Invalid,
            "{sampling:?}"
        );
    }
}

#[test]
fn placeholders_without_media_are_refused() {
    let request = GenerateRequest {
        ids: ids("<bos><|image|>"),
        ..GenerateRequest::default()
    };
    assert_eq!(
        RUNTIME.generate(request).unwrap_err().kind(),
        ErrorKind::Invalid
    );
}

#[test]
fn more_threads_than_any_machine_has_are_refused() {
    for threads in [0, 100_000] {
        assert_eq!(
            builder().threads(threads).build().unwrap_err().kind(),
            ErrorKind::Invalid
        );
    }
}
