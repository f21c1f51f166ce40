//! The files of the project, for tests about the text of its source and its README.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Returns the folder that contains `Cargo.toml`.
pub fn project_folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns every Rust file below `folder`, a path within the project, with its text.
pub fn rust_files(folder: &str) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![project_folder().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.insert(path, text);
            }
        }
    }
    found
}

/// Returns the indented block of the README whose first line begins with `start`.
pub fn readme_block(start: &str) -> String {
    let readme = fs::read_to_string(project_folder().join("README.md")).unwrap();
    let lines = readme.lines().map(|line| line.strip_prefix("    "));
    let block: Vec<_> = lines
        .skip_while(|line| !line.is_some_and(|line| line.starts_with(start)))
        .map_while(|line| line)
        .collect();
    assert!(!block.is_empty(), "the README has no block {start:?}");
    block.join("\n")
}
