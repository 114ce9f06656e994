//! What README and the guides say against the repository and the binary: links, paths, commands, options, settings.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fastgo::config::{PEERS_VARIABLE, SETTINGS};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// README and every guide, as paths from the repository's top and their texts.
fn pages() -> Vec<(PathBuf, String)> {
    let guides = fs::read_dir(repository().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let guides = guides.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let pages: Vec<_> = guides
        .chain([repository().join("README.md"), repository().join("packaging/README.md")])
        .map(|path| (path.strip_prefix(repository()).unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    assert!(pages.len() >= 5, "{pages:?}");
    pages
}

fn help(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fastgo"));
    let output = command.args(arguments).arg("--help").env_clear().output().unwrap();
    assert!(output.status.success(), "fastgo {arguments:?} --help");
    String::from_utf8(output.stdout).unwrap()
}

/// The lines of fenced blocks, `\` at their ends joined, without what a `#` comments out.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let mut inside = false;
    let mut lines = Vec::new();
    for line in joined.lines().map(str::trim) {
        if line.starts_with("```") {
            inside = !inside;
        } else if inside {
            lines.push(line.split(" #").next().unwrap_or(line).trim().to_owned());
        }
    }
    lines
}

/// The id that a heading gets: lower case, spaces as hyphens, other punctuation left out.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn links_lead_somewhere() {
    let mut bad = Vec::new();
    for (page, text) in pages() {
        let directory = repository().join(&page).parent().unwrap().to_owned();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") {
                continue;
            }
            let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
            let path = if file.is_empty() { repository().join(&page) } else { directory.join(file) };
            if !path.exists() {
                bad.push(format!("{}: {target}", page.display()));
            } else if !fragment.is_empty() {
                let headings = fs::read_to_string(&path).unwrap();
                let mut headings = headings.lines().filter(|line| line.starts_with('#'));
                if !headings.any(|line| anchor(line.trim_start_matches('#').trim()) == fragment) {
                    bad.push(format!("{}: no heading for {target}", page.display()));
                }
            }
        }
    }
    assert_eq!(bad, [""; 0]);
}

#[test]
fn options_in_commands_are_options_of_those_commands() {
    let top = help(&[]);
    let mut bad = Vec::new();
    let mut seen = 0;
    for (page, text) in pages() {
        for line in commands(&text) {
            // A list of commands has what they do after some spaces.
            let line = line.split("  ").next().unwrap_or_default();
            // `sudo fastgo …`, `WORK=none fastgo …`, `target/release/fastgo …`, up to the end of that command.
            let Some(start) = line.split(' ').position(|word| word == "fastgo" || word.ends_with("/fastgo")) else {
                continue;
            };
            let words: Vec<_> = line
                .split_whitespace()
                .skip(start + 1)
                .take_while(|word| !["|", "&&", "||", ";"].contains(word))
                .collect();
            let known = match words.first() {
                Some(word) if word.starts_with(|c: char| c.is_ascii_lowercase()) => {
                    if !top.lines().any(|line| line.trim_start().starts_with(word)) {
                        bad.push(format!("{}: no command {word:?} in {line:?}", page.display()));
                        continue;
                    }
                    // A command of commands lists none of their options.
                    match words.get(1).filter(|_| *word == "registrations") {
                        Some(action) => help(&[word, action]),
                        None => help(&[word]),
                    }
                }
                _ => top.clone(),
            };
            for option in words.iter().filter(|word| word.starts_with('-')) {
                let name = option.trim_matches(['[', ']']).split('=').next().unwrap();
                let listed = known.split([' ', ',', '\n', '[', '=']).any(|word| word == name);
                if !listed {
                    bad.push(format!("{}: no option {name} in {line:?}", page.display()));
                }
            }
            seen += 1;
        }
    }
    assert_eq!(bad, [""; 0]);
    assert!(seen >= 8, "only {seen} commands found");
}

/// The environment variables that `fastgo serve` names.
fn variables() -> BTreeSet<String> {
    let help = help(&["serve"]);
    let variables = help.split("[env: ").skip(1).filter_map(|rest| rest.split(['=', ']']).next());
    let variables: BTreeSet<_> = variables.map(str::to_owned).collect();
    assert!(variables.len() >= 10, "{help}");
    variables
}

#[test]
fn the_table_of_settings_is_that_of_the_binary() {
    let readme = read("README.md");
    let table = readme.split("\n## Settings\n").nth(1).expect("a heading Settings");
    let table = table.split("\n## ").next().unwrap();
    for variable in variables() {
        assert!(table.contains(&format!("`{variable}`")), "{variable} is not in the README's table of settings");
    }
    let help = help(&["serve"]);
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `--"));
    for flag in rows.map(|row| row.split('`').next().unwrap()) {
        assert!(help.contains(&format!("--{flag}")), "--{flag} is in the README, not in the binary");
    }
}

#[test]
fn the_packaged_settings_are_those_of_the_binary() {
    // `fastgo all` alone sets its engines' peers.
    let known = SETTINGS.iter().map(|row| row.env.to_owned()).filter(|name| name != PEERS_VARIABLE);
    let known: BTreeSet<_> = known.collect();
    for engine in crate::common::ENGINES.iter().copied() {
        let text = read(&format!("packaging/env/{engine}.env"));
        let assigned: BTreeSet<_> = text
            .lines()
            .filter_map(|line| line.trim_start_matches('#').split_once('='))
            .map(|(name, _)| name.to_owned())
            .filter(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
            .collect();
        let unknown: Vec<_> = assigned.difference(&known).collect();
        assert_eq!(unknown, [""; 0], "{engine}.env");
        if engine == "worker-pool" {
            // The others leave out what only its pool has.
            let missing: Vec<_> = known.difference(&assigned).collect();
            assert_eq!(missing, [""; 0], "not in {engine}.env");
        }
    }
}

#[test]
fn files_of_the_package_are_where_the_guides_say() {
    let manifest = read("Cargo.toml");
    let installed: Vec<_> = manifest
        .lines()
        .filter_map(|line| line.trim().strip_prefix("[\"")?.split("\", \"").nth(1).map(|to| format!("/{to}")))
        .collect();
    assert!(installed.len() > 10, "{installed:?}");
    // Made by postinst, by people or by other packages.
    let other = ["/etc/fastgo", "/usr/share/doc/fastgo/changelog", "/usr/share/common-licenses"];
    let mut bad = Vec::new();
    for (page, text) in pages() {
        let paths = text.split(|c: char| c.is_whitespace() || "`'\"()|,;".contains(c));
        for path in paths
            .filter(|path| path.contains("fastgo") && (path.starts_with("/usr/") || path.starts_with("/etc/fastgo")))
        {
            let path = path.trim_end_matches(['.', ':', '/']);
            let known = other.iter().any(|prefix| path.starts_with(prefix))
                || installed.iter().any(|file| file.starts_with(path) || path.starts_with(file.as_str()));
            if !known {
                bad.push(format!("{}: {path}", page.display()));
            }
        }
    }
    assert_eq!(bad, [""; 0]);
}

#[test]
fn files_of_the_repository_are_where_the_guides_say() {
    let mut bad = Vec::new();
    for (page, text) in pages() {
        let words = text.split(|c: char| c.is_whitespace() || "`'\"()|,;".contains(c));
        let tops = ["packaging/", "loadtest/", "src/", "tests/", "docs/", ".ci/", "static/"];
        for word in words.filter(|word| tops.iter().any(|top| word.starts_with(top))) {
            let path = word.trim_end_matches(['.', ':']).split('#').next().unwrap_or_default();
            // Patterns, and what a run leaves behind.
            if path.contains(['*', '<', '{', '$']) || path.starts_with("loadtest/results") {
                continue;
            }
            if !repository().join(path).exists() {
                bad.push(format!("{}: {path}", page.display()));
            }
        }
    }
    assert_eq!(bad, [""; 0]);
}

#[test]
fn every_command_block_says_how_it_is_run() {
    let runs = ["run", "run, exit code 0 or 1", "run beside fastgo", "run until it serves", "run for a moment"];
    let mut bad = Vec::new();
    let mut seen = 0;
    for (page, text) in pages() {
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for (place, line) in lines.iter().enumerate().filter(|(_, line)| **line == "```sh") {
            let before = place.checked_sub(1).map_or("", |before| lines[before]);
            let how = before.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->")).unwrap_or_default();
            let reason = how.strip_prefix("not run: ").unwrap_or_default();
            if !runs.contains(&how) && reason.len() < 8 {
                bad.push(format!("{}: {line} before {:?}", page.display(), lines.get(place + 1)));
            }
            seen += 1;
        }
    }
    assert_eq!(bad, [""; 0], "see .ci/guides");
    assert!(seen >= 40, "only {seen} blocks found");
}
