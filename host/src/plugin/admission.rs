//! What a component imports against what its world allows and the operator granted.

use super::grants::{Grant, Grants};
use super::log::printable;
use super::shape::{Extern, Shape};
use super::world::{Interface, World};
use super::{Check, subject};
use crate::error::{Error, Result};

/// Refuses a component that imports more than its world and `grants` allow.
pub(super) fn check(name: &str, world: World, grants: &Grants, shape: &Shape) -> Result<()> {
    shape.imports.iter().try_for_each(|import| {
        check_import(world, grants, import).map_err(|reason| {
            let import = printable(&import.name);
            Error::invalid(subject(name), format!("asks for {import}, {reason}"))
        })
    })
}

fn check_import(world: World, grants: &Grants, import: &Extern) -> Check<()> {
    let ours = Interface::ours(&import.name)
        .filter(|interface| interface.fits())
        .map(|interface| interface.name);
    match (world, ours) {
        (_, Some("types" | "events")) if !import.acts => Ok(()),
        (World::ChatFormat, _) => {
            Err("but a chat format only computes and may import nothing".into())
        }
        (World::LogitsProcessor, Some("logits")) => Ok(()),
        (World::LogitsProcessor, _) => {
            Err("but a logits processor only computes and may import nothing but logits".into())
        }
        (World::ToolProvider | World::Agent, Some("log")) => Ok(()),
        (World::ToolProvider | World::Agent, _) => granted(grants, import),
    }
}

fn granted(grants: &Grants, import: &Extern) -> Check<()> {
    let is_foreign = Interface::ours(&import.name).is_some_and(|interface| !interface.fits());
    match Grant::opening(&import.name).filter(|_| !is_foreign) {
        // Types alone, such as the durations of WASI's clocks in its http.
        Some(_) if !import.acts => Ok(()),
        Some(grant) => require(grants, grant),
        None => Err(absent(&import.name)),
    }
}

/// What there is in the place of the rest of WASI.
const INSTEAD: [(&str, &str); 8] = [
    ("wasi:filesystem/", "lapidary:plugin/files"),
    ("wasi:sockets/", "wasi:http/outgoing-handler"),
    ("wasi:clocks/wall-clock", "lapidary:plugin/clock"),
    ("wasi:cli/environment", "lapidary:plugin/config"),
    ("wasi:cli/std", "lapidary:plugin/log"),
    ("wasi:config/", "lapidary:plugin/config"),
    ("wasi:keyvalue/", "lapidary:plugin/key-value"),
    ("wasi:logging/", "lapidary:plugin/log"),
];

fn absent(import: &str) -> String {
    let instead = INSTEAD.iter().find(|(name, _)| import.starts_with(name));
    let has = match instead {
        Some((_, instead)) => format!("use {instead} in its place"),
        None if import.starts_with("wasi:") => "of WASI it has wasi:http, wasi:io and \
            wasi:clocks/monotonic-clock, all 0.2; build without the rest, such as with --stub-wasi"
            .to_owned(),
        None => {
            let grants = Grant::ALL.map(Grant::name).join(", ");
            format!("it has log, and with --grant {grants}")
        }
    };
    format!("which this host does not have; {has}")
}

fn require(grants: &Grants, grant: Grant) -> Check<()> {
    match grants.has(grant) {
        true => Ok(()),
        false => Err(format!(
            "which is not granted; pass --grant {}",
            grant.usage()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(world: World, import: &str, grants: &str) -> String {
        let (name, acts) = (import.to_owned(), true);
        let shape = Shape {
            imports: vec![Extern { name, acts }],
            exports: Vec::new(),
        };
        let grants: Grants = grants.parse().expect("grants");
        let outcome = check("x", world, &grants, &shape);
        outcome.map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    #[cfg(feature = "http")]
    fn of_wasi_a_tool_gets_what_its_grants_open() {
        let tool = |import, grants| refusal(World::ToolProvider, import, grants);
        for import in [
            "wasi:http/types@0.2.12",
            "wasi:http/outgoing-handler@0.2.0",
            "wasi:io/poll@0.2.3",
        ] {
            assert_eq!(tool(import, "http:a.example"), "");
            assert!(tool(import, "clock").ends_with("pass --grant http:HOST"));
        }
        let clock = "wasi:clocks/monotonic-clock@0.2.12";
        assert_eq!(tool(clock, "clock"), "");
        assert!(tool(clock, "http:a.example").ends_with("not granted; pass --grant clock"));
    }

    #[test]
    fn the_rest_of_wasi_is_refused_with_a_way_out() {
        for (import, words) in [
            (
                "wasi:filesystem/types@0.2.9",
                "use lapidary:plugin/files in its place",
            ),
            (
                "wasi:sockets/tcp@0.2.0",
                "use wasi:http/outgoing-handler in its place",
            ),
            (
                "wasi:clocks/wall-clock@0.2.0",
                "use lapidary:plugin/clock in its place",
            ),
            (
                "wasi:random/random@0.2.0",
                "build without the rest, such as with --stub-wasi",
            ),
            ("wasi:http/client@0.3.0", "all 0.2; build without the rest"),
            ("wasi:http/types@0.3.0", "all 0.2; build without the rest"),
            ("other:thing/it@1.0.0", "it has log, and with --grant clock"),
        ] {
            let all = "clock, http:a.example, files:.";
            for world in [World::ToolProvider, World::Agent] {
                let refusal = refusal(world, import, all);
                assert!(
                    refusal.contains("which this host does not have; "),
                    "{refusal}"
                );
                assert!(refusal.contains(words), "{refusal}");
            }
        }
    }

    #[test]
    fn an_import_cannot_drive_a_terminal_by_its_name() {
        let refusal = refusal(World::ToolProvider, "url=<\u{1b}[2J\n\u{202e}>", "");
        assert!(refusal.contains("asks for url=< [2J  >, "), "{refusal:?}");
    }

    #[test]
    fn what_only_computes_gets_nothing_of_wasi() {
        for world in [World::ChatFormat, World::LogitsProcessor] {
            let refusal = refusal(world, "wasi:http/types@0.2.0", "http:a.example");
            assert!(
                refusal.contains("only computes and may import nothing"),
                "{refusal}"
            );
        }
    }
}
