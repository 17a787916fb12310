//! Seeds, kept corpora and finds through the checks of their targets, without libFuzzer.

use std::fs;
use std::path::{Path, PathBuf};

use sansock_fuzz as fuzz;

type Check = fn(&[u8]);

const TARGETS: [(&str, Check); 13] = [
    ("connection", fuzz::connection::check),
    ("deflate_offer", fuzz::deflate_offer::check),
    ("differential", fuzz::differential::check),
    ("frame", fuzz::frame::check),
    ("inflate", fuzz::inflate::check),
    ("mask", fuzz::mask::check),
    ("offer", fuzz::offer::check),
    ("proxy_header", fuzz::proxy_header::check),
    ("receive", fuzz::receive::check),
    ("request", fuzz::request::check),
    ("response", fuzz::response::check),
    ("url", fuzz::url::check),
    ("utf8", fuzz::utf8::check),
];

/// The files of a folder; none if it is not there.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.expect("a readable folder").path()).collect()
}

#[test]
fn seeds_corpora_and_finds_pass() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (target, check) in TARGETS {
        let seeds = files(&here.join("seeds").join(target));
        assert!(!seeds.is_empty(), "{target} has no seeds");
        let others = ["corpus", "artifacts"].map(|folder| files(&here.join(folder).join(target)));
        for file in seeds.iter().chain(others.iter().flatten()) {
            // A fuzzer that runs meanwhile puts shorter files in the place of others.
            let Ok(bytes) = fs::read(file) else { continue };
            println!("{}", file.display());
            check(&bytes);
        }
    }
}

#[test]
fn every_target_is_replayed_and_has_seeds() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut targets: Vec<_> = files(&here.join("fuzz_targets"))
        .iter()
        .map(|file| file.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    targets.sort();
    assert_eq!(targets, TARGETS.map(|(name, _)| name));
}
