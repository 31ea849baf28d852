//! The checks of documents: what they name exists, and their Rust is compiled.

use crate::checks::ROOT;
use crate::rust::{closed, code, matches, words};

/// Paths in code spans: those that begin in one of the root's folders, and those that end in `.rs`.
pub fn stale_paths(document: &str, text: &str, exists: &dyn Fn(&str) -> bool) -> Vec<String> {
    let is_path = |span: &&str| {
        let folder = span.split_once('/').map(|(folder, _)| folder);
        let plain = !span.contains([' ', '*', '{', '<', '$']);
        plain && (folder.is_some_and(|folder| ROOT.contains(&folder)) || span.ends_with(".rs"))
    };
    let stale = spans(text)
        .into_iter()
        .filter(is_path)
        .filter(|span| !exists(span));
    stale
        .map(|span| format!("{document}: {span} does not exist"))
        .collect()
}

pub fn stale_commands(document: &str, text: &str, commands: &[String]) -> Vec<String> {
    let blocks = blocks(text);
    let lines = blocks
        .iter()
        .flat_map(|block| block.lines.iter().copied())
        .chain(spans(text));
    let mut stale = Vec::new();
    for line in lines {
        let line = line.trim_start_matches("$ ");
        let after = ["lapidary ", "cargo run -- "]
            .iter()
            .find_map(|start| line.strip_prefix(start));
        let word = after.and_then(|rest| rest.split_whitespace().next());
        let Some(word) = word.filter(|word| word.chars().all(|c| c.is_ascii_lowercase())) else {
            continue;
        };
        if !commands.iter().any(|command| command == word) {
            stale.push(format!("{document}: there is no command {word}: {line}"));
        }
    }
    stale
}

/// Limits that are no field of `Limits`.
pub fn stale_limits(document: &str, text: &str, limits: &str) -> Vec<String> {
    let is_limit = |span: &&str| span.ends_with("_max") && !span.contains(' ');
    let stale = spans(text)
        .into_iter()
        .filter(is_limit)
        .filter(|span| !limits.contains(&format!("pub {span}:")));
    stale
        .map(|span| format!("{document}: there is no limit {span}"))
        .collect()
}

/// Commands that the document leaves out.
pub fn unnamed_commands(document: &str, text: &str, commands: &[String]) -> Vec<String> {
    let spans = spans(text);
    let unnamed = commands
        .iter()
        .filter(|command| !spans.contains(&format!("lapidary {command}").as_str()));
    unnamed
        .map(|command| format!("{document}: does not name the command {command}"))
        .collect()
}

/// Rust blocks that are not, line for line, in the documentation of a place that is compiled.
pub fn uncompiled(readme: &str, places: &[String]) -> Vec<String> {
    let compiled: Vec<String> = places.iter().map(|place| documented(place)).collect();
    let rust = blocks(readme)
        .into_iter()
        .filter(|block| block.language == "rust");
    let missing = rust.filter(|block| {
        let wanted = block.lines.join("\n");
        !compiled.iter().any(|place| place.contains(&wanted))
    });
    missing
        .map(|block| {
            format!(
                "README.md: not compiled anywhere:\n{}",
                block.lines.join("\n")
            )
        })
        .collect()
}

/// The variants of `enum Command`, as they are typed.
pub fn subcommands(main: &str) -> Vec<String> {
    let code = code(main);
    let words = words(&code);
    let start = (0..words.len()).find(|at| matches(&words[*at..], &["enum", "Command", "{"]));
    let body = start.map_or(&[][..], |at| &words[at + 3..closed(&words, at + 2)]);
    let variants = body
        .windows(2)
        .filter(|pair| ["(", ",", "}"].contains(&pair[1].text));
    let named = variants.map(|pair| pair[0].text).filter(|name| {
        name.starts_with(|c: char| c.is_uppercase()) && *name != "Args" && *name != "Box"
    });
    named.map(str::to_lowercase).collect()
}

// Reading Markdown.

struct Block<'a> {
    language: &'a str,
    lines: Vec<&'a str>,
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block<'_>> = None;
    for line in text.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(language), None) => {
                open = Some(Block {
                    language,
                    lines: Vec::new(),
                })
            }
            (None, Some(mut block)) => {
                block.lines.push(line);
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    blocks
}

/// Code spans outside of blocks.
fn spans(text: &str) -> Vec<&str> {
    let mut in_block = false;
    let mut spans = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            spans.extend(line.split('`').skip(1).step_by(2));
        }
    }
    spans
}

/// What `//!` says, without the lines that documentation hides.
fn documented(source: &str) -> String {
    let lines = source.lines().filter_map(|line| line.strip_prefix("//!"));
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines
        .filter(|line| !line.starts_with("# "))
        .collect::<Vec<_>>()
        .join("\n")
}
