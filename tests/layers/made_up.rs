//! The checks on small crates that are made up: each can fail.

use std::collections::BTreeMap;

use crate::graph::Graph;

fn graph(files: &[(&str, &str)]) -> Graph {
    let texts: BTreeMap<_, _> =
        files.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
    Graph::new(&texts)
}

fn imports(graph: &Graph, file: &str) -> Vec<String> {
    graph.imports(file).into_iter().collect()
}

fn circle(graph: &Graph) -> Vec<String> {
    graph.circles().into_keys().collect()
}

#[test]
fn two_files_that_import_each_other_are_a_circle() {
    for one in ["use crate::two::B;", "use super::two;", "fn f() -> crate::two::B {}"] {
        let graph = graph(&[
            ("lib.rs", "mod one; mod two;"),
            ("one.rs", one),
            ("two.rs", "use crate::one::A;"),
        ]);
        assert_eq!(circle(&graph), ["one.rs", "two.rs"], "{one}");
    }
}

#[test]
fn a_circle_of_three_is_found_and_what_hangs_on_it_is_not_in_it() {
    let graph = graph(&[
        ("lib.rs", "mod a; mod b; mod c; mod above; mod below;"),
        ("a.rs", "use crate::b::B;"),
        ("b.rs", "use crate::c::C; use crate::below::D;"),
        ("c.rs", "use crate::a::A;"),
        ("above.rs", "use crate::a::A;"),
        ("below.rs", "use std::fmt;"),
    ]);
    assert_eq!(circle(&graph), ["a.rs", "b.rs", "c.rs"]);
}

#[test]
fn a_mod_rs_that_only_passes_on_is_in_no_circle() {
    let files = [
        ("lib.rs", "mod m; pub use m::A;"),
        ("m/a.rs", "use super::B;"),
        ("m/b.rs", "pub struct B;"),
    ];
    let passes_on = graph(&[
        files[0],
        files[1],
        files[2],
        ("m/mod.rs", "mod a; mod b; pub use a::A; pub(crate) use b::B;"),
    ]);
    assert_eq!(imports(&passes_on, "m/mod.rs"), [""; 0]);
    assert_eq!(imports(&passes_on, "m/a.rs"), ["m/b.rs"]);
    assert!(circle(&passes_on).is_empty());
    // What it defines on top of its children is another matter.
    let defines = graph(&[
        files[0],
        files[1],
        files[2],
        ("m/mod.rs", "mod a; mod b; pub use a::A; struct B(A);"),
    ]);
    assert_eq!(circle(&defines), ["m/a.rs", "m/mod.rs"]);
    let by_path =
        graph(&[files[0], files[1], files[2], ("m/mod.rs", "mod a; mod b; struct B(a::A);")]);
    assert_eq!(circle(&by_path), ["m/a.rs", "m/mod.rs"]);
}

#[test]
fn a_name_is_followed_to_the_file_that_defines_it() {
    let graph = graph(&[
        ("lib.rs", "pub mod m; mod n; pub use m::Inner as Outer;"),
        ("m/mod.rs", "mod deep; mod side; pub use deep::{Inner, help};"),
        ("m/deep/mod.rs", "mod inner; pub mod help; pub use self::inner::Inner;"),
        ("m/deep/inner.rs", "use super::super::side::Side;"),
        ("m/deep/help.rs", ""),
        ("m/side.rs", ""),
        ("n.rs", "use crate::Outer; use crate::m::help; fn f(_: crate::m::Unknown) {}"),
    ]);
    assert_eq!(imports(&graph, "n.rs"), ["m/deep/help.rs", "m/deep/inner.rs", "m/mod.rs"]);
    assert_eq!(imports(&graph, "m/deep/inner.rs"), ["m/side.rs"]);
    assert_eq!(graph.top("m/deep/inner.rs"), "m");
}

#[test]
fn a_stand_in_has_imports_and_is_imported_by_none() {
    let graph = graph(&[
        ("lib.rs", "#[cfg(a)] mod m; #[cfg(not(a))] #[path = \"no_m.rs\"] mod m; mod n;"),
        ("m.rs", ""),
        ("no_m.rs", "use super::n::N;"),
        ("n.rs", "use crate::m::M;"),
    ]);
    assert_eq!(imports(&graph, "no_m.rs"), ["n.rs"]);
    assert_eq!(imports(&graph, "n.rs"), ["m.rs"]);
    assert!(circle(&graph).is_empty());
}

#[test]
fn tests_import_what_they_like() {
    let graph = graph(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "#[cfg(test)] mod tests { use crate::b::B; }"),
        ("b.rs", "use crate::a::A; #[cfg(test)] mod tests;"),
        ("b/tests.rs", "use super::*;"),
    ]);
    assert_eq!(graph.files().collect::<Vec<_>>(), ["a.rs", "b.rs"]);
    assert!(circle(&graph).is_empty());
}

#[test]
fn a_private_module_is_a_private_door() {
    let graph = graph(&[
        ("lib.rs", "mod core; pub mod net; pub mod topic; pub use core::Core;"),
        ("core.rs", ""),
        ("topic.rs", ""),
        ("net/mod.rs", "mod good; mod bad; mod inline;"),
        ("net/good.rs", "use crate::{Core, net, topic::Topic}; fn f(_: crate::Core) {}"),
        ("net/bad.rs", "use crate::core::Core;"),
        ("net/inline.rs", "fn f(_: crate::core::Core) {}"),
    ]);
    assert!(graph.private_doors("net/good.rs").is_empty());
    for file in ["net/bad.rs", "net/inline.rs"] {
        assert!(graph.private_doors(file).contains("core"), "{file}");
    }
}

#[test]
fn the_layout_of_modules_is_seen() {
    let graph = graph(&[
        ("lib.rs", "mod old; mod new;"),
        ("old.rs", "mod child;"),
        ("old/child.rs", "use super::super::new::N;"),
        ("new/mod.rs", "mod child;"),
        ("new/child.rs", "use crate::old::O; use super::N;"),
    ]);
    let seen = |check: fn(&Graph, &str) -> bool| {
        graph.files().filter(|file| check(&graph, file)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(seen(Graph::stands_beside_its_children), ["old.rs"]);
    assert_eq!(seen(Graph::goes_up_twice), ["old/child.rs"]);
}

#[test]
#[should_panic(expected = "there is no file for mod a::b")]
fn every_module_has_its_file() {
    graph(&[("lib.rs", "mod a;"), ("a.rs", "mod b;")]);
}
