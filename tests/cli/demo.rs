//! `lapidary demo`, and the part of it that the README shows.

use std::io::Seek;

use super::{lapidary, run, text};

/// Both streams of the demo as a terminal shows them, scene by scene.
fn demo(arguments: &[&str]) -> Vec<String> {
    let mut screen = tempfile::tempfile().unwrap();
    let mut command = lapidary(&[&["demo"], arguments].concat());
    command
        .stdout(screen.try_clone().unwrap())
        .stderr(screen.try_clone().unwrap());
    assert!(command.status().unwrap().success());
    screen.rewind().unwrap();
    let shown = std::io::read_to_string(screen).unwrap();
    shown.trim_end().split("\n\n").map(str::to_owned).collect()
}

#[test]
fn demo_shows_five_commands_with_what_they_do() {
    let scenes = demo(&[]);
    assert_eq!(scenes.len(), 5, "{scenes:?}");
    for (scene, flag) in scenes
        .iter()
        .zip(["--think", "weather", "--image", "--audio", "--video"])
    {
        let (command, shown) = scene.split_once('\n').unwrap();
        assert!(
            command.starts_with("$ lapidary chat --greedy --"),
            "{command}"
        );
        assert!(command.contains(flag), "{command}");
        assert!(!shown.is_empty(), "{command}");
    }
    let calls = |scene: &str| scene.lines().filter(|line| line.starts_with("→ ")).count();
    assert_eq!((calls(&scenes[0]), calls(&scenes[1])), (1, 2));
    assert!(scenes[0].contains("\n← 391\n"), "{}", scenes[0]);
    assert!(scenes[0].ends_with("17 * 23 is 391."), "{}", scenes[0]);
}

#[test]
fn a_command_that_the_demo_shows_does_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let files = folder.path().to_str().unwrap();
    let scenes = demo(&["--save", files]);
    let (command, shown) = scenes[2].split_once('\n').unwrap();
    let (flags, prompt) = command.trim_end_matches('"').split_once(" \"").unwrap();
    let mut arguments: Vec<&str> = flags.split(' ').skip(2).collect();
    arguments.push(prompt);
    assert_eq!(text(&run(&arguments).stdout).trim_end(), shown);
}

#[test]
fn the_readme_shows_what_the_demo_does() {
    let readme = include_str!("../../README.md");
    let blocks = readme.split("```text\n").skip(1);
    let blocks = blocks.map(|block| block.split("\n```").next().unwrap());
    let shown: Vec<&str> = blocks
        .flat_map(|block| block.split("\n\n"))
        .filter(|scene| scene.starts_with("$ lapidary chat --greedy"))
        .collect();
    assert!(!shown.is_empty());
    let scenes = demo(&[]);
    for scene in shown {
        assert!(
            scenes.iter().any(|real| real == scene),
            "{scene}\n\n{scenes:#?}"
        );
    }
}
