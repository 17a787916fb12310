//! Which file imports from which: paths are followed through re-exports to the file that defines.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::Source;

/// A module's path without `crate`; empty for the root.
type ModulePath = Vec<String>;

pub(crate) struct Graph {
    sources: BTreeMap<String, Source>,
    /// The module of each file.
    modules: BTreeMap<String, ModulePath>,
    /// The file of each module.
    files: BTreeMap<ModulePath, String>,
    /// All files, tests too.
    texts: BTreeSet<String>,
}

/// What a path leads to.
enum Target {
    Module(ModulePath),
    /// A file's item, or something of another crate.
    Item(Option<String>),
}

impl Graph {
    /// From the files of `src`, by their paths below it.
    pub(crate) fn new(texts: &BTreeMap<String, String>) -> Self {
        let mut graph = Self {
            sources: BTreeMap::new(),
            modules: BTreeMap::new(),
            files: BTreeMap::new(),
            texts: texts.keys().cloned().collect(),
        };
        graph.add("lib.rs", "", Vec::new(), texts);
        graph
    }

    /// Every file that is part of the crate when it is not tested, but lib.rs.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str).filter(|file| *file != "lib.rs")
    }

    /// The first segment of the file's module.
    pub(crate) fn top(&self, file: &str) -> &str {
        self.modules[file].first().map_or("", String::as_str)
    }

    /// The files that `file` imports from, and lib.rs never.
    pub(crate) fn imports(&self, file: &str) -> BTreeSet<String> {
        let source = &self.sources[file];
        let used = source.uses.iter().filter(|it| source.needs(it)).map(|it| &it.path);
        used.chain(&source.paths)
            .filter_map(|path| self.file(file, path))
            .filter(|it| it != file && it != "lib.rs")
            .collect()
    }

    /// The segments behind `crate::` that name a module which the public does not see, in any path
    /// of the file.
    pub(crate) fn private_doors(&self, file: &str) -> BTreeSet<String> {
        let (source, root) = (&self.sources[file], &self.sources["lib.rs"]);
        let is_private = |name: &String| {
            root.modules.iter().any(|it| it.name == *name)
                && !root.modules.iter().any(|it| it.name == *name && it.is_public)
        };
        source
            .uses
            .iter()
            .map(|it| &it.path)
            .chain(&source.paths)
            .filter(|path| path[0] == "crate")
            .filter_map(|path| path.get(1).filter(|name| is_private(name)).cloned())
            .collect()
    }

    /// Whether a path of the file begins with `super::super`.
    pub(crate) fn goes_up_twice(&self, file: &str) -> bool {
        let source = &self.sources[file];
        let mut paths = source.uses.iter().map(|it| &it.path).chain(&source.paths);
        paths.any(|path| path[0] == "super" && path[1] == "super")
    }

    /// Whether the file is `x.rs` and has children in `x/`, where `x/mod.rs` is the rule.
    pub(crate) fn stands_beside_its_children(&self, file: &str) -> bool {
        let directory = format!("{}/", file.trim_end_matches(".rs"));
        self.texts.iter().any(|other| other.starts_with(&directory))
    }

    /// The files that stand in a circle or between two, each with those of its imports that do.
    pub(crate) fn circles(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut left: BTreeMap<_, _> =
            self.files().map(|file| (file.to_owned(), self.imports(file))).collect();
        // A file that imports none of those that are left, or that none of them imports, goes.
        loop {
            let names: BTreeSet<String> = left.keys().cloned().collect();
            let imported: BTreeSet<String> = left.values().flatten().cloned().collect();
            for imports in left.values_mut() {
                imports.retain(|import| names.contains(import));
            }
            left.retain(|file, imports| !imports.is_empty() && imported.contains(file));
            if left.len() == names.len() {
                return left;
            }
        }
    }

    /// Adds a module's file and those of its children. `directory` is where its children are.
    fn add(
        &mut self,
        file: &str,
        directory: &str,
        module: ModulePath,
        texts: &BTreeMap<String, String>,
    ) {
        let source = Source::new(&texts[file]);
        for child in source.modules.iter().filter(|child| !child.is_test) {
            let mut path = module.clone();
            path.push(child.name.clone());
            let inner = format!("{directory}{}/", child.name);
            let (file, is_stand_in) = match &child.path {
                Some(file) => (format!("{directory}{file}"), true),
                None => (format!("{inner}mod.rs"), false),
            };
            let file = if texts.contains_key(&file) {
                file
            } else {
                format!("{directory}{}.rs", child.name)
            };
            assert!(texts.contains_key(&file), "there is no file for mod {}", path.join("::"));
            if !is_stand_in {
                self.files.insert(path.clone(), file.clone());
            }
            self.add(&file, &inner, path, texts);
        }
        self.modules.insert(file.into(), module.clone());
        self.files.entry(module).or_insert_with(|| file.into());
        self.sources.insert(file.into(), source);
    }

    /// The file that defines what a path in `file` names.
    fn file(&self, file: &str, path: &[String]) -> Option<String> {
        match self.resolve(&self.modules[file], path, 0) {
            Target::Module(module) => self.files.get(&module).cloned(),
            Target::Item(file) => file,
        }
    }

    /// Follows a path that stands in the file of `module`.
    fn resolve(&self, module: &ModulePath, path: &[String], depth: usize) -> Target {
        assert!(depth < 32, "{} goes in a circle of re-exports", path.join("::"));
        let (mut at, mut rest) = (module.clone(), path);
        match path[0].as_str() {
            "crate" => (at, rest) = (Vec::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while let Some(("super", behind)) =
                    rest.split_first().map(|(first, rest)| (first.as_str(), rest))
                {
                    at.pop();
                    rest = behind;
                }
            }
            name if self.child(&at, name).is_some() => {}
            _ => return Target::Item(None),
        }
        for name in rest {
            let Some(file) = self.files.get(&at) else { return Target::Item(None) };
            if let Some(child) = self.child(&at, name) {
                at = child;
                continue;
            }
            let found = self.sources[file].uses.iter().find(|it| it.name == *name);
            match found.filter(|it| *name != "*" && it.path != path) {
                None => return Target::Item(Some(file.clone())),
                Some(item) => match self.resolve(&at, &item.path, depth + 1) {
                    Target::Module(module) => at = module,
                    Target::Item(file) => return Target::Item(file),
                },
            }
        }
        Target::Module(at)
    }

    fn child(&self, module: &ModulePath, name: &str) -> Option<ModulePath> {
        let mut child = module.clone();
        child.push(name.into());
        self.files.contains_key(&child).then_some(child)
    }
}
