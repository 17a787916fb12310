//! Who imports whom: DESIGN.md's order of layers, checked on the sources.
//!
//! A module imports only from modules of layers above its own, or of its own layer, and no chain of
//! imports comes back to where it began.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the crate, the top layer first.
const LAYERS: &[&[&str]] = &[
    &["close", "config", "mask", "utf8", "timer", "uri", "deflate"],
    &["error", "event"],
    &["frame", "buffer"],
    &["receiver", "sender"],
    &["connection"],
    &["handshake"],
    &["net"],
    &["web"],
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// All Rust files below `directory`, each with the top-level module that it belongs to.
fn sources(directory: &Path, module: Option<&str>, found: &mut Vec<(String, PathBuf)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let module = module.unwrap_or(&name);
        if path.is_dir() {
            sources(&path, Some(module), found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push((module.to_owned(), path));
        }
    }
}

/// The source without its comments. No string of the crate holds `//`.
fn code(source: &str) -> String {
    source.lines().map(|line| line.split("//").next().unwrap_or_default()).fold(
        String::new(),
        |mut code, line| {
            code.push_str(line);
            code.push('\n');
            code
        },
    )
}

/// The first segments behind `crate::`, of imports and of paths alike.
fn imports(code: &str) -> BTreeSet<String> {
    let segment = |text: &str| -> String {
        let text = text.trim_start();
        text.chars().take_while(|&c| c.is_alphanumeric() || c == '_').collect()
    };
    let mut found = BTreeSet::new();
    for behind in code.split("crate::").skip(1) {
        let Some(group) = behind.trim_start().strip_prefix('{') else {
            found.insert(segment(behind));
            continue;
        };
        // `use crate::{a::{b, c}, d}`: what stands at depth 0 after the brace or a comma.
        let (mut depth, mut start) = (0, 0);
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                ',' | '}' if depth == 0 => {
                    found.insert(segment(&group[start..at]));
                    start = at + 1;
                    if c == '}' {
                        break;
                    }
                }
                _ => {}
            }
        }
    }
    found.remove("");
    found
}

/// For each module the others that it imports.
fn graph() -> BTreeMap<String, BTreeSet<String>> {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), None, &mut files);
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, path) in files {
        let mut imported = imports(&code(&fs::read_to_string(path).unwrap()));
        imported.remove(&module);
        graph.entry(module).or_default().extend(imported);
    }
    graph
}

#[test]
fn each_module_has_its_layer() {
    for module in graph().keys().filter(|module| *module != "lib") {
        assert!(layer(module).is_some(), "{module} is in no layer: see LAYERS");
    }
}

#[test]
fn a_module_imports_only_from_layers_above_it() {
    let mut checked = 0;
    for (module, imported) in graph() {
        // lib.rs only declares and re-exports.
        let Some(own) = layer(&module) else { continue };
        for import in imported {
            let above = layer(&import)
                .unwrap_or_else(|| panic!("{module} imports crate::{import}, which is no module"));
            assert!(above <= own, "{module} (layer {own}) imports {import} (layer {above})");
            checked += 1;
        }
    }
    assert!(checked > 30, "only {checked} imports found: does the search still work?");
}

#[test]
fn imports_go_in_no_circle() {
    let mut left = graph();
    // Take away whoever imports nothing that is left, until that is nobody.
    loop {
        let free: Vec<String> = left
            .iter()
            .filter(|(_, imported)| imported.iter().all(|import| !left.contains_key(import)))
            .map(|(module, _)| module.clone())
            .collect();
        if free.is_empty() {
            break;
        }
        for module in free {
            left.remove(&module);
        }
    }
    assert!(left.is_empty(), "in or above a circle: {left:?}");
}

#[test]
fn the_search_finds_what_there_is() {
    let source = "
        use crate::a::B; // use crate::not_me
        use crate::{b::{C, D}, c, d::E as F};
        fn f() -> crate::e::G {}
        pub(crate) mod g {}
    ";
    let expected = ["a", "b", "c", "d", "e"].map(String::from);
    assert_eq!(imports(&code(source)), BTreeSet::from(expected));
}
