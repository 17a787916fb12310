//! What the documents say of the code is so.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sansock::Config;
use sansock::handshake::HeadLimits;

const ATTACKS: &str = include_str!("../docs/ATTACKS.md");
const HTTP: &str = include_str!("../docs/HTTP.md");
const EMBEDDING: &str = include_str!("../docs/EMBEDDING.md");
const README: &str = include_str!("../README.md");
const SECURITY: &str = include_str!("../SECURITY.md");
const DEPLOY: &str = include_str!("../docs/DEPLOY.md");
const TESTING: &str = include_str!("../docs/TESTING.md");

/// The cells of the rows of all tables, without the rules between head and rows.
fn rows(document: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = document.lines().filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'));
    lines.map(|line| line.split('|').map(str::trim).collect())
}

/// What stands between backticks.
fn code(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn each_known_attack_has_its_row() {
    let numbers = rows(ATTACKS).filter_map(|row| row.first()?.parse::<u32>().ok());
    assert!(numbers.eq(1..=35));
}

#[test]
fn each_test_that_is_named_exists() {
    let mut checked = 0;
    for row in rows(ATTACKS).filter(|row| row[0].parse::<u32>().is_ok()) {
        let [number, _, holds, tests] = row[..] else { panic!("{row:?} has not four cells") };
        assert!(code(tests).count() > 0 || holds.contains("Does not apply"), "row {number}");
        for test in code(tests) {
            assert_exists(test);
            checked += 1;
        }
    }
    assert!(checked >= 35, "only {checked}: is the table still read?");
}

/// Checks `tests/file.rs::name`.
fn assert_exists(test: &str) {
    let (file, name) = test.split_once("::").unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let source = fs::read_to_string(path).unwrap_or_else(|error| panic!("{file}: {error}"));
    // Of a case for all drivers the macro makes tests.
    if let Some((_, drivers)) = source.split_once("on_all_drivers!(") {
        let mut cases = drivers.split([',', '(', ')', '\n']).map(str::trim);
        if source.contains(&format!("fn {name}<D: Driver>()")) && cases.any(|it| it == name) {
            return;
        }
    }
    // With its attributes above it.
    let (above, _) = source.split_once(&format!("fn {name}()")).unwrap_or_default();
    let attributes = above.rsplit("\n\n").next().unwrap();
    assert!(attributes.contains("#[test]") || attributes.contains("#[tokio::test"), "{test}");
}

/// Whether it names a file of tests, or a unit test of the library.
fn is_of_tests(code: &str) -> bool {
    ["tests/", "tokio/tests/"].iter().any(|it| code.starts_with(it))
        || code.starts_with("src/") && code.contains(".rs::")
}

#[test]
fn each_promise_names_a_test_that_exists() {
    let mut checked = 0;
    for document in [SECURITY, DEPLOY, EMBEDDING, HTTP, TESTING] {
        // A line at a time: what stands between the backticks of a program is none.
        for test in document.lines().flat_map(code).filter(|it| is_of_tests(it)) {
            if test.contains("::") {
                assert_exists(test);
            }
            let file = test.split("::").next().unwrap();
            assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(file).exists(), "{file}");
            checked += 1;
        }
    }
    assert!(checked >= 60, "only {checked}");
}

/// The paragraphs, list items and rows of tables, each in one line, without programs.
fn items(document: &str) -> Vec<String> {
    let prose = document.split("\n```").step_by(2);
    let mut items = vec![String::new()];
    for line in prose.flat_map(str::lines) {
        let numbered = line.split_once(". ").is_some_and(|it| it.0.parse::<u32>().is_ok());
        if line.is_empty() || numbered || line.starts_with(['-', '|', '#']) {
            items.push(String::new());
        }
        let item = items.last_mut().unwrap();
        *item = format!("{item} {}", line.trim());
    }
    items
}

/// Whether it says how much or how long: a number with its unit.
fn has_an_amount(item: &str) -> bool {
    const UNITS: [&str; 14] = [
        "ns", "ms", "s", "second", "seconds", "minutes", "bytes", "kB", "KB", "KiB", "MiB", "GiB",
        "Pings", "times",
    ];
    let words: Vec<_> =
        item.split(' ').map(|it| it.trim_matches(['(', ')', ',', '.', ':', ';'])).collect();
    words.windows(2).any(|pair| {
        let number = pair[0].replace(',', "").parse::<f64>().is_ok() || pair[0] == "a";
        number && UNITS.contains(&pair[1])
    })
}

#[test]
fn each_amount_names_its_test() {
    for item in [SECURITY, DEPLOY, EMBEDDING].into_iter().flat_map(items) {
        let is_tested = item.contains("tests/") || item.contains("cargo bench");
        assert!(!has_an_amount(&item) || is_tested, "which test shows it?{item}");
    }
}

/// Also those of the rules of embedding, which are numbered.
#[test]
fn each_rule_of_embedding_names_its_test() {
    let rules: Vec<_> = items(EMBEDDING)
        .into_iter()
        .filter(|it| it.trim().split_once(". **").is_some_and(|it| it.0.parse::<u32>().is_ok()))
        .collect();
    assert_eq!(rules.len(), 22, "two lists of eleven");
    for rule in rules {
        assert!(code(&rule).any(is_of_tests), "which test shows it?{rule}");
    }
}

/// What happens at each limit of the README stands beside its test.
#[test]
fn each_limit_of_the_readme_has_its_test() {
    let tested: Vec<_> =
        rows(TESTING).filter(|row| row.len() == 2).flat_map(|row| code(row[0])).collect();
    let limits = table(1);
    assert!(limits.len() >= 18);
    for limit in limits.keys() {
        assert!(tested.contains(&limit.as_str()), "{limit}");
    }
}

#[test]
fn each_rule_of_http_has_its_test() {
    let is_rule = |row: &Vec<&str>| row[0].starts_with(|c: char| c.is_ascii_digit());
    let rules: Vec<_> = rows(HTTP).filter(is_rule).collect();
    assert!(rules.len() >= 90, "only {}: is the table still read?", rules.len());
    for row in rules {
        let [_, _, _, tests] = row[..] else { panic!("{row:?} has not four cells") };
        assert!(code(tests).count() > 0, "{row:?}");
        code(tests).for_each(assert_exists);
    }
}

/// And no test says that it is for a row that does not know of it.
#[test]
fn each_test_for_a_row_is_in_the_table() {
    fn visit(directory: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                visit(&path, found);
            } else if path.extension().is_some_and(|it| it == "rs") {
                let source = fs::read_to_string(&path).unwrap();
                let names = source.lines().filter_map(|line| line.trim().strip_prefix("fn row_"));
                // The helpers have no number.
                let names = names.filter(|name| name.starts_with(|c: char| c.is_ascii_digit()));
                found.extend(names.map(|name| name.split('(').next().unwrap().to_owned()));
            }
        }
    }
    let mut found = Vec::new();
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"), &mut found);
    assert!(found.len() >= 30);
    for name in found {
        let number = name.split('_').next().unwrap().parse::<u32>().unwrap().to_string();
        let mut rows = rows(ATTACKS).filter(|row| row[0] == number);
        let row = rows.next().unwrap_or_else(|| panic!("row_{name}"));
        assert!(row[3].contains(&format!("::row_{name}`")), "row_{name}");
    }
}

/// The fields of a flat struct and their values, from its `Debug` output: none can be left out.
fn fields(debug: &str) -> BTreeMap<String, String> {
    let (name, fields) = debug.trim_end_matches(" }").split_once(" { ").unwrap();
    let fields = fields.split(", ").map(|field| field.split_once(": ").unwrap());
    fields.map(|(field, value)| (format!("{name}::{field}"), value.to_owned())).collect()
}

/// A value of the table as `Debug` writes it.
fn value(cell: &str) -> String {
    let plain = cell.replace(',', "");
    let scaled = |unit: &str, shift: u32| {
        let number = plain.strip_suffix(unit)?.trim().parse::<u64>().ok()?;
        Some((number << shift).to_string())
    };
    match plain.strip_suffix(" s") {
        Some(seconds) => format!("Some({seconds}s)"),
        None if plain == "off" => "None".into(),
        None => scaled("KiB", 10).or_else(|| scaled("MiB", 20)).unwrap_or(plain),
    }
}

/// The limits of the README and a column of their values, as `Debug` writes them.
fn table(column: usize) -> BTreeMap<String, String> {
    let section = README.split("\n## ").find(|it| it.starts_with("Limits and defaults")).unwrap();
    let limits = rows(section).filter(|row| !row[column].is_empty()).flat_map(|row| {
        let value = value(row[column]);
        code(row[0]).map(move |name| (name.to_owned(), value.clone())).collect::<Vec<_>>()
    });
    limits.collect()
}

/// The fields of a config that are in the table.
fn config_fields(config: Config) -> BTreeMap<String, String> {
    let mut expected = fields(&format!("{:?}", config.limits));
    expected.extend(fields(&without_keepalive(&format!("{:?}", config.timeouts))));
    expected
}

/// Keepalive has two times, which are the same.
fn without_keepalive(debug: &str) -> String {
    debug.replace("Keepalive { interval: 20s, timeout: 20s }", "20s")
}

/// Whether it is an option of the blocking client or server, and no limit of the core.
fn is_of_net(name: &str) -> bool {
    name.starts_with("Client::") || name.starts_with("Server::")
}

#[test]
fn the_limits_of_the_readme_are_the_defaults() {
    let mut expected = config_fields(Config::new());
    expected.extend(fields(&format!("{:?}", HeadLimits::new())));
    assert_eq!(expected.len(), 12, "{expected:?}");
    let mut defaults = table(1);
    defaults.retain(|name, _| !is_of_net(name));
    assert_eq!(defaults, expected);
    assert_eq!(table(2), config_fields(Config::public_server()));
}

/// Client and server have them in their `Debug` output too.
#[cfg(feature = "net")]
#[test]
fn the_limits_of_client_and_server_are_the_defaults() {
    use sansock::net::{Client, Server};

    let server = without_keepalive(&format!("{:?}", Server::bind("127.0.0.1:0").unwrap()));
    let client = format!("{:?}", Client::new("ws://127.0.0.1/").unwrap());
    let mut checked = 0;
    for (name, value) in table(1).iter().filter(|(name, _)| is_of_net(name)) {
        let (of, option) = name.split_once("::").unwrap();
        let default = format!("{option}: {value}");
        let shown = if of == "Client" { &client } else { &server };
        assert!(shown.contains(&default), "{default} is not in {shown}");
        checked += 1;
    }
    assert_eq!(checked, 6);
}

/// Those who read the README in a terminal or beside an editor need not scroll.
#[test]
fn the_readme_is_short_and_narrow() {
    assert!(README.lines().count() <= 150);
    for line in README.lines() {
        assert!(line.chars().count() <= 110, "{line}");
    }
}

/// The lines of the function `echo`, without comments.
fn echo(document: &str) -> Vec<&str> {
    let lines = document.lines().map(|line| line.trim_start_matches("//!").trim());
    let function = lines.skip_while(|line| *line != "fn echo(").take_while(|line| *line != "```");
    function.filter(|line| !line.starts_with("//") && !line.starts_with('#')).collect()
}

#[test]
fn the_loop_of_the_readme_is_that_of_the_crates_page() {
    let page = echo(include_str!("../src/lib.rs"));
    assert!(page.len() > 20, "{page:?}");
    assert_eq!(echo(README), page);
}

/// The rows of the table of states, without the links that rustdoc needs.
fn states(document: &str) -> Vec<String> {
    let lines = document.lines().map(|line| line.trim_start_matches("///").trim());
    let table = lines.skip_while(|line| !line.starts_with("| what happened |"));
    let rows = table.take_while(|line| line.starts_with('|'));
    rows.map(|row| row.replace("](crate::Timeouts::closing)", "").replace(['[', ']'], "")).collect()
}

#[test]
fn the_states_of_embedding_are_those_of_the_connection() {
    let states_of_connection = states(include_str!("../src/connection.rs"));
    assert_eq!(states_of_connection.len(), 12);
    assert_eq!(states(EMBEDDING), states_of_connection);
}
