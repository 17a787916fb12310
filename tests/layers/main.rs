//! Which file imports from which: no circle between files, the order of the layers, and adapters
//! that see what every program sees.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod graph;
mod made_up;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::graph::Graph;

/// The modules of the crate, the lowest layer first: a file imports from its own layer and from
/// those before it.
const LAYERS: &[&[&str]] = &[
    &[
        "close",
        "config",
        "mask",
        "utf8",
        "pace",
        "timeouts",
        "timer",
        "uri",
        "deflate",
        "proxy_protocol",
    ],
    &["error", "message", "event"],
    &["frame", "buffer"],
    &["closing"],
    &["receiver", "sender"],
    &["connection", "split", "hub"],
    &["handshake"],
    &["dial", "drain", "counts"],
    &["net"],
    &["web"],
];

/// The modules that use the core as any other program does: through the public root of the crate.
const ADAPTERS: &[&str] = &["net", "web"];

/// Files of the adapters that still import from private modules of the core. To be empty.
const BEHIND_THE_DOORS: &[&str] = &[];

/// Where the features of the core are switched: the root, and what stands in for `deflate`.
const SWITCHES: &[&str] = &["lib.rs", "deflate/stub.rs"];

/// The features of the core. The others are those of adapters, of which the core knows nothing.
const CORE_FEATURES: &[&str] =
    &["rand", "deflate", "http", "proxy", "proxy-env", "reconnect", "redirects", "hub"];

/// Files that still stand in a circle of imports, or between two. To be empty.
const IN_A_CIRCLE: &[&str] = &[];

/// Files that stand beside the folder of their children. To be empty.
const BESIDE_CHILDREN: &[&str] = &[];

/// Files with paths that go up twice. To be empty.
const UP_TWICE: &[&str] = &[];

fn layer(module: &str) -> usize {
    LAYERS
        .iter()
        .position(|modules| modules.contains(&module))
        .unwrap_or_else(|| panic!("{module} is in no layer: see LAYERS"))
}

/// All Rust files below `directory`, by their paths below `src`.
fn read(directory: &Path, name: &str, texts: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{name}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            read(&path, &format!("{name}/"), texts);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts.insert(name, fs::read_to_string(path).unwrap());
        }
    }
}

/// The files of the crate.
fn crate_texts() -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut texts);
    texts
}

fn crate_graph() -> Graph {
    Graph::new(&crate_texts())
}

/// The files that break a rule are those that are on its list.
fn check<'f>(rule: &str, found: impl Iterator<Item = &'f str>, list: &[&str]) {
    let found: BTreeSet<&str> = found.collect();
    let list: BTreeSet<&str> = list.iter().copied().collect();
    let new: Vec<_> = found.difference(&list).collect();
    assert!(new.is_empty(), "{rule}: {new:#?}");
    let old: Vec<_> = list.difference(&found).collect();
    assert!(old.is_empty(), "take them off the list: {old:#?}");
}

#[test]
fn files_import_in_no_circle() {
    let circles = crate_graph().circles();
    let listed: BTreeMap<_, _> =
        circles.iter().filter(|(file, _)| !IN_A_CIRCLE.contains(&file.as_str())).collect();
    let rule = format!("in a circle of imports, or between two: {listed:#?}");
    check(&rule, circles.keys().map(String::as_str), IN_A_CIRCLE);
}

#[test]
fn a_file_imports_only_from_its_own_layer_and_lower_ones() {
    let graph = crate_graph();
    let mut checked = 0;
    for file in graph.files() {
        let own = layer(graph.top(file));
        for import in graph.imports(file) {
            let other = layer(graph.top(&import));
            assert!(other <= own, "{file} (layer {own}) imports from {import} (layer {other})");
            checked += 1;
        }
    }
    assert!(checked > 200, "only {checked} imports found: does the search still work?");
}

#[test]
fn the_guide_for_contributors_lists_the_layers() {
    let layers: Vec<_> = LAYERS.iter().map(|modules| modules.join(", ")).collect();
    let guide = include_str!("../../CONTRIBUTING.md");
    let words: Vec<_> = guide.split_whitespace().collect();
    assert!(words.join(" ").contains(&format!(": {}.", layers.join("; "))));
}

#[test]
fn adapters_see_the_public_root_alone() {
    let graph = crate_graph();
    let adapters = graph.files().filter(|file| ADAPTERS.contains(&graph.top(file)));
    let found = adapters.filter(|file| !graph.private_doors(file).is_empty());
    check("crate::Name, and not crate::module::Name", found, BEHIND_THE_DOORS);
}

#[test]
fn modules_have_one_layout() {
    let graph = crate_graph();
    let found = graph.files().filter(|file| graph.stands_beside_its_children(file));
    check("x/mod.rs, and not x.rs beside x/", found, BESIDE_CHILDREN);
}

#[test]
fn no_path_goes_up_twice() {
    let graph = crate_graph();
    let found = graph.files().filter(|file| graph.goes_up_twice(file));
    check("crate::module, and not super::super", found, UP_TWICE);
}

/// A feature adds what it is for and never changes what the crate does without it, so the core has few
/// places to look at.
#[test]
fn a_core_file_has_at_most_one_line_for_a_feature_and_none_for_an_adapter() {
    let texts = crate_texts();
    let is_core = |file: &str| {
        let top = file.split('/').next().unwrap_or_default();
        !ADAPTERS.contains(&top) && !SWITCHES.contains(&file)
    };
    let mut found = 0;
    for (file, text) in texts.iter().filter(|(file, _)| is_core(file)) {
        let code = text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
        let lines: Vec<_> = code.filter(|line| line.contains("feature = \"")).collect();
        assert!(lines.len() <= 1, "{file}: {lines:#?}");
        for line in &lines {
            let is_for = |feature: &&str| line.contains(&format!("feature = \"{feature}\""));
            assert_eq!(line.matches("feature = ").count(), 1, "{file}: {line}");
            assert!(CORE_FEATURES.iter().any(is_for), "{file}: {line}");
        }
        found += lines.len();
    }
    assert!(found > 3, "only {found} lines found: does the search still work?");
}
