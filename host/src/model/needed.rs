//! Which files of a repository make a bundle, told from their names.

use super::dtype::DtypeChoice;
use super::layout::{GENAI_CONFIG, Layout};
use super::role::GraphRole;
use crate::error::{Error, Result};

/// The order in which a dtype is fetched when nobody names one: small, then exact.
const FETCHED: [&str; 12] = [
    "q4", "q4f16", "q8", "fp16", "fp32", "int8", "uint8", "q2f16", "q2", "q1f16", "q1", "bnb4",
];

/// Those of `names`, relative to the repository, that a bundle in the dtypes of `choice` needs.
///
/// # Errors
/// `Invalid` about `subject` when there is no bundle among them; `Bundle` when it lacks a dtype.
pub(crate) fn needed_files<'n>(
    names: &[&'n str],
    choice: &DtypeChoice,
    subject: &str,
) -> Result<Vec<&'n str>> {
    let contains = |name: &str| names.contains(&name);
    let has_decoder = !Layout::Suffixed
        .dtypes(&contains, GraphRole::Decoder)
        .is_empty();
    let graphs = match has_decoder {
        true => suffixed_graphs(names, choice, subject)?,
        false if contains(GENAI_CONFIG) => named_graphs(names),
        false => {
            let detail = "expected onnx/decoder_model_merged*.onnx or genai_config.json, found neither; look for a \
                          repository of ONNX graphs, or export the checkpoint";
            return Err(Error::invalid(subject, detail));
        }
    };
    let configs = names.iter().copied().filter(|name| is_config(name));
    Ok(configs.chain(graphs).collect())
}

/// Configuration, tokenizer, template and licence.
fn is_config(name: &str) -> bool {
    let is_small =
        name.ends_with(".json") || name.ends_with(".jinja") || name.starts_with("LICENSE");
    is_small && !name.contains('/') && !name.ends_with(".index.json")
}

fn suffixed_graphs<'n>(
    names: &[&'n str],
    choice: &DtypeChoice,
    subject: &str,
) -> Result<Vec<&'n str>> {
    let contains = |name: &str| names.contains(&name);
    let mut needed = Vec::new();
    for role in GraphRole::ALL {
        let there = Layout::Suffixed.dtypes(&contains, role);
        let usual = FETCHED.into_iter().find(|dtype| there.contains(dtype));
        let Some(dtype) = choice.of(role).or(usual) else {
            continue;
        };
        match Layout::Suffixed.graph_file(&contains, role, dtype) {
            Some(file) => needed.extend(names.iter().filter(|name| belongs(name, &file))),
            None if there.is_empty() && role.is_optional() => {}
            None => {
                let detail = format!(
                    "expected the {role} graph in {dtype}, found {}; choose --dtype for each graph",
                    there.join(", ")
                );
                return Err(Error::bundle(subject, detail));
            }
        }
    }
    Ok(needed)
}

/// The graph itself, and its data: `<file>_data`, `<file>_data_1`, …
fn belongs(name: &str, graph: &str) -> bool {
    let rest = name.strip_prefix(graph);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("_data") || rest == ".data")
}

/// A bundle of this layout is one build: all its graphs and their data.
fn named_graphs<'n>(names: &[&'n str]) -> Vec<&'n str> {
    let is_graph = |name: &&&str| {
        [".onnx", ".onnx.data", ".onnx_data"]
            .iter()
            .any(|end| name.ends_with(end))
    };
    names.iter().filter(is_graph).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMUNITY: [&str; 12] = [
        "config.json",
        "README.md",
        "onnx/embed_tokens_q4.onnx",
        "onnx/embed_tokens_q4.onnx_data",
        "onnx/decoder_model_merged_q4.onnx",
        "onnx/decoder_model_merged_q4.onnx_data",
        "onnx/decoder_model_merged_q4.onnx_data_1",
        "onnx/decoder_model_merged_q4f16.onnx",
        "onnx/decoder_model_merged_q4f16.onnx_data",
        "onnx/vision_encoder_fp16.onnx",
        "onnx/vision_encoder_fp16.onnx_data",
        "model.safetensors.index.json",
    ];

    fn needed(names: &[&'static str], dtype: &str) -> Result<Vec<&'static str>> {
        let choice = if dtype.is_empty() {
            Ok(DtypeChoice::default())
        } else {
            dtype.parse()
        };
        needed_files(names, &choice?, "fetching a/b")
    }

    #[test]
    fn only_the_dtype_that_was_asked_for_is_needed_all_chunks_of_it() {
        let found = needed(&COMMUNITY, "embed=q4,decoder=q4f16").unwrap();
        let expected = [0, 2, 3, 7, 8, 9, 10].map(|index| COMMUNITY[index]);
        assert_eq!(found, expected);
    }

    #[test]
    fn without_a_choice_each_graph_comes_in_the_smallest_usual_dtype() {
        let found = needed(&COMMUNITY, "").unwrap();
        let expected = [0, 2, 3, 4, 5, 6, 9, 10].map(|index| COMMUNITY[index]);
        assert_eq!(found, expected);
    }

    #[test]
    fn a_dtype_that_is_not_there_is_an_error_that_names_those_that_are() {
        let error = needed(&COMMUNITY, "q8").unwrap_err();
        assert!(
            error.to_string().contains("embed graph in q8, found q4"),
            "{error}"
        );
    }

    #[test]
    fn a_repository_without_graphs_is_refused() {
        assert!(needed(&["config.json", "model.safetensors"], "").is_err());
    }

    #[test]
    fn a_genai_bundle_is_fetched_whole() {
        let names = [
            "genai_config.json",
            "decoder/model.onnx",
            "decoder/model.onnx.data",
            "embedding/model.onnx",
            "notes/readme.txt",
        ];
        assert_eq!(needed(&names, "").unwrap(), names[..4]);
    }
}
