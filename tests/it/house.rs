//! The shape of the source: which way its files may depend on each other. `src/lib.rs` says why.

use crate::support::{project_folder, rust_files};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What the code of each part of the library must not contain. `main.rs` may use everything.
const NEVER: [(&str, &[&str]); 14] = [
    ("arguments", &["crate::"]),
    ("logging", &["crate::"]),
    ("faults", &["crate::"]),
    ("signals", &["crate::"]),
    (
        "protocol",
        &[
            "crate::net",
            "crate::room",
            "crate::server",
            "crate::client",
            "crate::join",
            "crate::bots",
            "crate::crowd",
            "crate::watch",
            "std::net",
            "std::thread",
            "std::time",
            "socket2",
            "log::",
        ],
    ),
    (
        "net",
        &[
            "crate::protocol",
            "crate::room",
            "crate::server",
            "crate::client",
            "crate::join",
            "crate::bots",
            "crate::crowd",
            "crate::watch",
        ],
    ),
    (
        "room",
        &[
            "crate::net",
            "crate::server",
            "crate::client",
            "crate::join",
            "crate::bots",
            "crate::crowd",
            "crate::watch",
            "std::net",
            "Instant",
            "SystemTime",
            "socket2",
            "log::",
        ],
    ),
    (
        "server",
        &[
            "crate::client",
            "crate::join",
            "crate::bots",
            "crate::crowd",
            "crate::watch",
        ],
    ),
    (
        "client",
        &[
            "crate::server",
            "crate::join",
            "crate::bots",
            "crate::crowd",
            "crate::watch",
        ],
    ),
    (
        "join",
        &[
            "crate::server",
            "crate::room",
            "crate::bots",
            "crate::crowd",
            "crate::watch",
        ],
    ),
    (
        "watch",
        &[
            "crate::server",
            "crate::join",
            "crate::bots",
            "crate::crowd",
        ],
    ),
    ("kick", &["crate::server", "crate::room"]),
    ("bots", &["crate::server", "crate::join", "crate::crowd"]),
    ("crowd", &["crate::server", "crate::join", "crate::bots"]),
];

/// Returns the source files below `src`, and their text without the unit tests.
fn sources() -> BTreeMap<PathBuf, String> {
    let without_tests = |text: String| text.split("#[cfg(test)]").next().unwrap().to_owned();
    let files = rust_files("src").into_iter();
    files
        .map(|(path, text)| (path, without_tests(text)))
        .collect()
}

/// Returns the module of a file: `src/room/outbox.rs` is `room::outbox`.
fn module(path: &Path) -> String {
    let path = path
        .strip_prefix(project_folder().join("src"))
        .unwrap()
        .with_extension("");
    path.to_str().unwrap().replace('/', "::")
}

fn code_lines(code: &str) -> impl Iterator<Item = &str> {
    let lines = code.lines().map(str::trim_start);
    lines.filter(|line| !line.starts_with("//"))
}

#[test]
fn no_part_of_the_source_uses_what_it_must_not_know() {
    let sources = sources();
    for (part, forbidden) in NEVER {
        let mut n_files = 0;
        for (path, code) in &sources {
            let module = module(path);
            if module != part && !module.starts_with(&format!("{part}::")) {
                continue;
            }
            n_files += 1;
            for line in code_lines(code) {
                let found = forbidden.iter().find(|word| line.contains(*word));
                assert_eq!(found, None, "{module} must not know this: {line}");
            }
        }
        assert!(n_files > 0, "there is no {part}");
    }
}

/// Returns the modules that the `use` lines of `module` name, if they are files of ours. Each item
/// counts for the deepest file on its path.
fn imports(module: &str, code: &str, files: &BTreeSet<String>) -> BTreeSet<String> {
    let mut paths = Vec::new();
    let mut lines = code_lines(code);
    while let Some(line) = lines.next() {
        let Some(path) = line.strip_prefix("use ") else {
            continue;
        };
        let mut path = path.to_owned();
        while !path.ends_with(';') {
            path += lines.next().unwrap();
        }
        paths.push(path.trim_end_matches(';').to_owned());
    }
    paths
        .iter()
        .flat_map(|path| expand(path))
        .filter_map(|path| {
            let path = absolute(module, &path, files)?;
            let mut parts: Vec<&str> = path.split("::").collect();
            while !parts.is_empty() && !files.contains(&parts.join("::")) {
                parts.pop();
            }
            (!parts.is_empty()).then(|| parts.join("::"))
        })
        .filter(|import| import != module)
        .collect()
}

/// Expands a path: `a::{b, c::{d, e}}` is `a::b`, `a::c::d` and `a::c::e`.
fn expand(path: &str) -> Vec<String> {
    let Some((stem, rest)) = path.split_once('{') else {
        return vec![path.trim().to_owned()];
    };
    let inner = rest.trim_end().strip_suffix('}').unwrap();
    let mut items = vec![String::new()];
    let mut depth = 0;
    for character in inner.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(String::new());
                continue;
            }
            _ => {}
        }
        items.last_mut().unwrap().push(character);
    }
    let items = items.iter().filter(|item| !item.trim().is_empty());
    items
        .flat_map(|item| expand(item))
        .map(|item| format!("{}{item}", stem.trim()))
        .collect()
}

/// Returns a path from the root of the library, or none if it leads out of it.
fn absolute(module: &str, path: &str, files: &BTreeSet<String>) -> Option<String> {
    let mut here: Vec<&str> = module.split("::").collect();
    if let Some(path) = path
        .strip_prefix("crate::")
        .or(path.strip_prefix("trio_chat::"))
    {
        return Some(path.to_owned());
    }
    let mut path = path;
    if path.starts_with("super::") {
        while let Some(rest) = path.strip_prefix("super::") {
            here.pop();
            path = rest;
        }
    } else {
        let child = format!("{module}::{}", path.split("::").next()?);
        return files.contains(&child).then(|| format!("{module}::{path}"));
    }
    here.push(path);
    Some(here.join("::"))
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let sources = sources();
    let files: BTreeSet<String> = sources.keys().map(|path| module(path)).collect();
    let mut uses: BTreeMap<String, BTreeSet<String>> = sources
        .iter()
        .map(|(path, code)| (module(path), imports(&module(path), code, &files)))
        .collect();
    assert!(uses["room"].contains("room::outbox") && uses["server"].contains("net::listener"));
    // Remove the files that use none of the remaining ones, until none remain or only circles do.
    while !uses.is_empty() {
        let ready: Vec<String> = uses
            .iter()
            .filter(|(_, used)| used.iter().all(|file| !uses.contains_key(file)))
            .map(|(file, _)| file.clone())
            .collect();
        assert!(!ready.is_empty(), "these use each other: {uses:#?}");
        for file in ready {
            uses.remove(&file);
        }
    }
}
