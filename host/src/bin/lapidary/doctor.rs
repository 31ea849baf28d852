//! `lapidary doctor`: whether this machine can run the product, each problem with its cure.

use std::process::ExitCode;

use clap::Args as ClapArgs;
use lapidary::{GenerateRequest, Result, Runtime, Sampling, available_providers, onnxruntime};

use crate::{model, screen};

/// Check this machine, each problem with its cure.
#[derive(ClapArgs)]
#[command(after_help = "Example:\n  lapidary doctor")]
pub struct Args {}

/// What was looked at, and what was found.
struct Finding {
    subject: &'static str,
    outcome: std::result::Result<String, String>,
    /// Without it nothing runs.
    vital: bool,
}

pub fn run(_: &Args) -> anyhow::Result<ExitCode> {
    let mut findings = vec![library()];
    if findings[0].outcome.is_ok() {
        findings.extend(providers());
        findings.push(self_check());
    }
    findings.extend([processor(), caches()]);
    for finding in &findings {
        screen::result(&format!("{}\n", line(finding)))?;
    }
    let broken = findings
        .iter()
        .any(|finding| finding.vital && finding.outcome.is_err());
    Ok(ExitCode::from(u8::from(broken)))
}

fn line(finding: &Finding) -> String {
    let (mark, text) = match &finding.outcome {
        Ok(text) => ("ok  ", text),
        Err(text) if finding.vital => ("FAIL", text),
        Err(text) => ("no  ", text),
    };
    format!("{mark}  {:<18} {text}", finding.subject)
}

fn library() -> Finding {
    let found = onnxruntime::locate_or_fetch(&mut |text: &str| screen::progress(text));
    let started = found.and_then(|location| {
        let info = onnxruntime::initialize()?;
        Ok(format!(
            "{} at {} ({:?})",
            info.version,
            location.path.display(),
            location.origin
        ))
    });
    Finding {
        subject: "ONNX Runtime",
        outcome: in_words(started),
        vital: true,
    }
}

fn providers() -> Vec<Finding> {
    let finding = |(provider, started): (lapidary::Provider, Result<()>)| Finding {
        subject: match provider {
            lapidary::Provider::Cpu => "provider cpu",
            lapidary::Provider::Cuda { .. } => "provider cuda",
            lapidary::Provider::CoreMl => "provider coreml",
        },
        vital: provider == lapidary::Provider::Cpu,
        outcome: in_words(started.map(|()| "starts".to_owned())),
    };
    available_providers().into_iter().map(finding).collect()
}

/// The embedded model against the ids and logits that PyTorch gave for it.
fn self_check() -> Finding {
    let outcome = in_words(check_logits()).and_then(|difference| match difference {
        difference if difference <= LOGIT_DIFFERENCE_MAX => {
            Ok(format!("the embedded model's logits differ from PyTorch's by {difference:.1e} at most"))
        }
        difference => Err(format!(
            "expected logits within {LOGIT_DIFFERENCE_MAX:.0e} of PyTorch's, found {difference:.1e}; \
             this ONNX Runtime computes wrongly here, try the fetched one"
        )),
    });
    Finding {
        subject: "self-check",
        outcome,
        vital: true,
    }
}

/// What f32 graphs may differ by in another order of summation.
const LOGIT_DIFFERENCE_MAX: f32 = 2e-3;

fn check_logits() -> anyhow::Result<f32> {
    let mut builder = Runtime::builder();
    if let Some(folder) = model::code_cache() {
        builder = builder.code_cache(folder);
    }
    let (ids, last_logits) = known_logits()?;
    let generated = builder.build()?.generate(GenerateRequest {
        ids,
        sampling: Some(Sampling::greedy()),
        max_tokens: Some(1),
        logits: true,
        ..GenerateRequest::default()
    })?;
    let logits = generated
        .logits_prefill
        .map(|logits| logits.row(logits.row_count() - 1).to_vec());
    difference(&logits.unwrap_or_default(), &last_logits)
}

/// The greatest one; infinite where a number is none.
fn difference(found: &[f32], expected: &[f32]) -> anyhow::Result<f32> {
    let (count, wanted) = (found.len(), expected.len());
    anyhow::ensure!(
        count == wanted,
        "expected {wanted} logits, found {count}; this ONNX Runtime computes wrongly here, try the fetched one"
    );
    let pairs = found.iter().zip(expected);
    let differences = pairs.map(|(found, expected)| (found - expected).abs());
    // `f32::max` would pass over what is no number.
    Ok(differences.fold(0.0, |most, one| match one.is_nan() {
        true => f32::INFINITY,
        false => most.max(one),
    }))
}

/// The ids of the text case and the logits of its last token.
fn known_logits() -> anyhow::Result<(Vec<u32>, Vec<f32>)> {
    let (json, tensors) = lapidary_tiny::reference();
    let json: serde_json::Value = serde_json::from_slice(json)?;
    let ids = serde_json::from_value(json["cases"]["text"]["input_ids"].clone())?;
    let tensors = safetensors::SafeTensors::deserialize(tensors)?;
    let bytes = tensors.tensor("text.prefill_last")?.data();
    let numbers = bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes));
    Ok((ids, numbers.collect()))
}

fn processor() -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let features = processor_features().join(" ");
    let text = format!(
        "{} with {cores} threads; {features}",
        std::env::consts::ARCH
    );
    Finding {
        subject: "processor",
        outcome: Ok(text),
        vital: false,
    }
}

#[cfg(target_arch = "x86_64")]
fn processor_features() -> Vec<&'static str> {
    let known = [
        ("avx2", std::is_x86_feature_detected!("avx2")),
        ("fma", std::is_x86_feature_detected!("fma")),
        ("avx512f", std::is_x86_feature_detected!("avx512f")),
        ("avx512vnni", std::is_x86_feature_detected!("avx512vnni")),
    ];
    known
        .into_iter()
        .filter(|(_, there)| *there)
        .map(|(name, _)| name)
        .collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn processor_features() -> Vec<&'static str> {
    Vec::new()
}

fn caches() -> Finding {
    let outcome = onnxruntime::cache_folder()
        .map_err(anyhow::Error::from)
        .and_then(|folder| {
            let probe = folder.join(format!("doctor-{}", std::process::id()));
            std::fs::create_dir_all(&folder)?;
            std::fs::write(&probe, "")?;
            std::fs::remove_file(&probe)?;
            Ok(folder.display().to_string())
        });
    let outcome = in_words(outcome).map_err(|error| {
        format!(
            "cannot be written, so plugins are compiled at each start: {error}; set LAPIDARY_CACHE"
        )
    });
    Finding {
        subject: "cache folder",
        outcome,
        vital: false,
    }
}

/// On one line, causes included.
fn in_words<T, E: std::fmt::Display>(
    result: std::result::Result<T, E>,
) -> std::result::Result<T, String> {
    result.map_err(|error| format!("{error:#}").replace("\n  because", "; because"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_differs() {
        let expected = [1.0, 2.0, 3.0];
        let most = difference(&[1.0, 2.5, 3.0], &expected).expect("as many");
        assert_eq!(most, 0.5);
        for wrong in [f32::NAN, f32::INFINITY] {
            for at in 0..3 {
                let mut found = expected;
                found[at] = wrong;
                assert_eq!(
                    difference(&found, &expected).expect("as many"),
                    f32::INFINITY
                );
            }
        }
        for count in 0..3 {
            assert!(
                difference(&expected[..count], &expected).is_err(),
                "{count}"
            );
        }
    }
}
