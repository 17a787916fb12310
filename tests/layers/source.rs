//! What a Rust source says about modules: a scanner that knows comments, literals, `mod`, `use` and
//! paths, and nothing else.

/// What matters of one file.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// Modules in files of their own.
    pub(crate) modules: Vec<Module>,
    pub(crate) uses: Vec<Use>,
    /// Paths of two segments or more, outside of `use`.
    pub(crate) paths: Vec<Vec<String>>,
    /// All other words.
    words: Vec<String>,
}

/// `mod name;`
#[derive(Debug, PartialEq)]
pub(crate) struct Module {
    pub(crate) name: String,
    pub(crate) is_public: bool,
    pub(crate) is_test: bool,
    /// `#[path = "..."]`: stands in for the file with the module's name.
    pub(crate) path: Option<String>,
}

/// One name that a `use` brings in.
#[derive(Debug, PartialEq)]
pub(crate) struct Use {
    pub(crate) name: String,
    pub(crate) path: Vec<String>,
    /// `pub`, or `pub(...)`.
    pub(crate) is_reexport: bool,
    /// `pub`.
    pub(crate) is_public: bool,
}

impl Source {
    pub(crate) fn new(text: &str) -> Self {
        let mut source = Self::default();
        Parser { tokens: tokens(text), at: 0 }.items(&mut source);
        source
    }

    /// Whether the file needs what the `use` names: it does not only pass it on.
    pub(crate) fn needs(&self, item: &Use) -> bool {
        let is_it = |word: &String| *word == item.name;
        !item.is_reexport
            || self.words.iter().any(is_it)
            || self.paths.iter().any(|path| path.first().is_some_and(is_it))
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    /// `::` is one of them.
    Sign(&'static str),
    Other(char),
}

/// The tokens of a file, without comments, characters and lifetimes.
fn tokens(text: &str) -> Vec<Token> {
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some((length, text)) = string(rest) {
            found.push(Token::Text(text));
            length
        } else if first == '\'' {
            character_or_lifetime(rest)
        } else if is_word(first) {
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            found.push(Token::Word(rest[..length].to_owned()));
            length
        } else if rest.starts_with("::") {
            found.push(Token::Sign("::"));
            2
        } else {
            if !first.is_whitespace() {
                found.push(Token::Other(first));
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                break;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// A string literal of any kind: its length, and what is between the quotes.
fn string(text: &str) -> Option<(usize, String)> {
    let prefix = text.find(|c| !matches!(c, 'b' | 'c' | 'r')).filter(|length| *length <= 2)?;
    let is_raw = text[..prefix].contains('r');
    let hashes = text[prefix..].find(|c| c != '#').filter(|hashes| *hashes == 0 || is_raw)?;
    let start = prefix + hashes + 1;
    let inner = text[prefix + hashes..].strip_prefix('"')?;
    let end = if is_raw {
        inner.find(&format!("\"{}", "#".repeat(hashes)))?
    } else {
        let mut is_escaped = false;
        inner.find(|c| {
            let ends = c == '"' && !is_escaped;
            is_escaped = c == '\\' && !is_escaped;
            ends
        })?
    };
    Some((start + end + 1 + hashes, inner[..end].to_owned()))
}

fn character_or_lifetime(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    let escaped = matches!(chars.next(), Some((_, '\\')));
    if escaped {
        chars.next();
        return chars.find(|(_, c)| *c == '\'').map_or(text.len(), |(at, _)| at + 1);
    }
    match chars.next() {
        Some((at, '\'')) => at + 1,
        _ => 1,
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn items(mut self, source: &mut Source) {
        let (mut is_test, mut file) = (false, None);
        let mut visibility = Visibility::Private;
        while let Some(token) = self.next() {
            match token {
                Token::Other('#') => {
                    let attribute = self.attribute();
                    is_test |= attribute.0;
                    file = attribute.1.or(file);
                    continue;
                }
                Token::Word(word) if word == "pub" => {
                    visibility = self.visibility();
                    continue;
                }
                Token::Word(word) if word == "mod" => {
                    self.module(source, visibility == Visibility::Public, is_test, file.take());
                }
                Token::Word(word) if word == "use" => {
                    let mut names = Vec::new();
                    self.tree(Vec::new(), &mut names);
                    source.uses.extend(names.into_iter().map(|(name, path)| Use {
                        name,
                        path,
                        is_reexport: visibility != Visibility::Private,
                        is_public: visibility == Visibility::Public,
                    }));
                }
                Token::Word(word) => self.path(word, source),
                _ => {}
            }
            (is_test, file, visibility) = (false, None, Visibility::Private);
        }
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn takes(&mut self, token: &Token) -> bool {
        let is_next = self.tokens.get(self.at) == Some(token);
        self.at += usize::from(is_next);
        is_next
    }

    /// Behind `#`: whether it is `cfg(test)`, and the text of `path = "..."`.
    fn attribute(&mut self) -> (bool, Option<String>) {
        self.takes(&Token::Other('!'));
        let start = self.at;
        self.takes(&Token::Other('['));
        self.skip_to_end('[', ']');
        let inner = &self.tokens[start..self.at.min(self.tokens.len())];
        let word = |at: usize| match inner.get(at) {
            Some(Token::Word(word)) => word.as_str(),
            _ => "",
        };
        let path = match inner.get(3) {
            Some(Token::Text(text)) if word(1) == "path" => Some(text.clone()),
            _ => None,
        };
        (word(1) == "cfg" && word(3) == "test", path)
    }

    fn visibility(&mut self) -> Visibility {
        if self.takes(&Token::Other('(')) {
            self.skip_to_end('(', ')');
            return Visibility::Restricted;
        }
        Visibility::Public
    }

    /// Behind an opening bracket: goes behind the closing one.
    fn skip_to_end(&mut self, open: char, close: char) {
        let mut depth = 1;
        while depth > 0
            && let Some(token) = self.next()
        {
            depth += i32::from(token == Token::Other(open));
            depth -= i32::from(token == Token::Other(close));
        }
    }

    /// Behind `mod`.
    fn module(
        &mut self,
        source: &mut Source,
        is_public: bool,
        is_test: bool,
        path: Option<String>,
    ) {
        let Some(Token::Word(name)) = self.next() else { return };
        if self.takes(&Token::Other(';')) {
            source.modules.push(Module { name, is_public, is_test, path });
        } else if self.takes(&Token::Other('{')) {
            let start = self.at;
            self.skip_to_end('{', '}');
            // Tests may import what they like.
            if !is_test {
                let tokens = self.tokens[start..self.at.min(self.tokens.len()) - 1].to_vec();
                let mut inner = Source::default();
                Parser { tokens, at: 0 }.items(&mut inner);
                let only_passes_on = inner.words.is_empty() && inner.paths.is_empty();
                assert!(only_passes_on, "mod {name} {{ .. }} is not followed: give it a file");
            }
        }
    }

    /// What `use` brings in: names and paths.
    fn tree(&mut self, mut path: Vec<String>, names: &mut Vec<(String, Vec<String>)>) {
        self.takes(&Token::Sign("::"));
        loop {
            match self.next() {
                Some(Token::Word(word)) if word == "as" => {
                    if let Some(Token::Word(name)) = self.next() {
                        names.push((name, path));
                    }
                    return;
                }
                Some(Token::Word(word)) => path.push(word),
                Some(Token::Other('*')) => path.push("*".into()),
                Some(Token::Sign("::")) => {}
                Some(Token::Other('{')) => {
                    while !self.takes(&Token::Other('}')) && self.at < self.tokens.len() {
                        self.tree(path.clone(), names);
                        self.takes(&Token::Other(','));
                    }
                    return;
                }
                _ => {
                    self.at -= 1;
                    if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
                        path.pop();
                    }
                    names.extend(path.last().cloned().map(|name| (name, path)));
                    return;
                }
            }
        }
    }

    /// Behind a word that may begin a path.
    fn path(&mut self, word: String, source: &mut Source) {
        let mut path = vec![word];
        while self.tokens.get(self.at) == Some(&Token::Sign("::"))
            && let Some(Token::Word(word)) = self.tokens.get(self.at + 1)
        {
            path.push(word.clone());
            self.at += 2;
        }
        if path.len() > 1 { source.paths.push(path) } else { source.words.append(&mut path) }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Visibility {
    Private,
    Restricted,
    Public,
}

#[test]
fn comments_and_literals_hold_no_paths() {
    let source = Source::new(
        r##"
        //! crate::no
        /* crate::no /* crate::no */ crate::no */
        const A: &str = "crate::no \" // crate::no";
        const B: &[u8] = br#"crate::no " crate::no"#;
        const C: [char; 3] = ['"', '\'', '\u{41}'];
        fn f<'a>(a: &'a crate::yes::A) {}
        "##,
    );
    assert_eq!(source.paths, [["crate", "yes", "A"]]);
}

#[test]
fn a_use_is_taken_apart() {
    let source = Source::new(
        "
        use a::b;
        pub(crate) use crate::{c::{D, E as F}, g};
        pub use super::h::{self, *};
        ",
    );
    let found: Vec<_> = source
        .uses
        .iter()
        .map(|it| (it.name.as_str(), it.path.join("::"), it.is_reexport, it.is_public))
        .collect();
    let expected = [
        ("b", "a::b", false, false),
        ("D", "crate::c::D", true, false),
        ("F", "crate::c::E", true, false),
        ("g", "crate::g", true, false),
        ("h", "super::h", true, true),
        ("*", "super::h::*", true, true),
    ];
    assert_eq!(found, expected.map(|(name, path, a, b)| (name, path.to_owned(), a, b)));
}

#[test]
fn a_name_that_is_only_passed_on_is_not_needed() {
    let source = Source::new("pub use a::{B, C, d}; use e::F; fn f(_: B) { d::g() }");
    let needed = source.uses.iter().map(|it| source.needs(it)).collect::<Vec<_>>();
    assert_eq!(needed, [true, false, true, true]);
}

#[test]
fn modules_are_declared() {
    let source = Source::new(
        r#"
        mod a;
        #[cfg(feature = "b")]
        pub mod b;
        #[cfg(not(feature = "b"))]
        #[path = "no_b.rs"]
        mod b;
        #[cfg(test)]
        mod c;
        #[cfg(test)]
        mod tests { use crate::no::A; mod inner {} }
        fn f() { crate::yes::g() }
        "#,
    );
    let module = |name: &str, is_public, is_test, path: Option<&str>| Module {
        name: name.into(),
        is_public,
        is_test,
        path: path.map(Into::into),
    };
    let expected = [
        module("a", false, false, None),
        module("b", true, false, None),
        module("b", false, false, Some("no_b.rs")),
        module("c", false, true, None),
    ];
    assert_eq!(source.modules, expected);
    assert_eq!(
        (source.uses.len(), source.paths),
        (0, vec![vec!["crate".into(), "yes".into(), "g".into()]])
    );
}

#[test]
#[should_panic(expected = "give it a file")]
fn a_module_inside_a_file_is_not_followed() {
    Source::new("mod inner { pub use crate::a; } mod other { struct A(crate::a::A); }");
}
