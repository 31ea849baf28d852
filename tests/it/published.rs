//! Components as they were published, byte for byte: they have to load for as long as their contract is
//! spoken. A folder for each contract version in `tests/published`; files are added, never replaced.

use std::path::{Path, PathBuf};

use lapidary::{
    Conversation, Engines, Grants, Interrupt, Limits, Piece, Plugin, RenderRequest, StopReason,
    TokenPiece, ToolCall,
};

fn published() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/published");
    let folders = std::fs::read_dir(root).unwrap();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn published_components_still_work() {
    let engines = Engines::new(&Limits::default(), None).unwrap();
    let mut worlds = Vec::new();
    for path in published() {
        let bytes = std::fs::read(&path).unwrap();
        let name = path.display().to_string();
        let grants = Grants::clock();
        match Plugin::load(&name, &bytes, &grants, &engines).unwrap() {
            Plugin::Format(format) => {
                let conversation = Conversation::from("Hello!");
                let request = RenderRequest::new(&conversation, &[]);
                let rendered = format.render(&request, &Interrupt::new()).unwrap();
                assert!(
                    rendered.pieces.contains(&Piece::Data("Hello!".into())),
                    "{name}"
                );
                let mut parser = format.parser(&[], &[], &Interrupt::new()).unwrap();
                parser.push(&[TokenPiece::Data("text".into())]).unwrap();
                parser.finish(StopReason::EndOfTurn).unwrap();
                worlds.push("format");
            }
            Plugin::Tools(tools) => {
                let call = ToolCall {
                    id: "1".into(),
                    name: tools.specs()[0].name.clone(),
                    arguments: serde_json::json!({}),
                };
                assert!(
                    !tools.call(&call, &Interrupt::new()).unwrap().is_error,
                    "{name}"
                );
                worlds.push("tools");
            }
            other => panic!("{name}: write down what it must do: {other:?}"),
        }
    }
    assert_eq!(worlds, ["format", "tools"]);
}
