//! The lists of engines in files that cannot ask `fastgo engines`: each has every row of the table, at its usual port.

use std::path::Path;
use std::process::Command;

use fastgo::engine::{ENGINES, Engine};

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_command_lists_every_engine() {
    let output = Command::new(env!("CARGO_BIN_EXE_fastgo")).arg("engines").output().expect("fastgo");
    let row = |engine: &Engine| format!("{} {}", engine.kind.name(), engine.kind.default_port());
    let expected: Vec<String> = ENGINES.iter().map(row).collect();
    assert!(String::from_utf8_lossy(&output.stdout).lines().eq(expected), "{output:?}");
}

#[test]
fn other_lists_are_complete() {
    for engine in ENGINES {
        let (name, port) = (engine.kind.name(), engine.kind.default_port());
        for (file, entry) in [
            ("static/js/peers.js", format!(r#"{{ server_type: "{name}", port: {port} }}"#)),
            ("static/js/looks.js", name.to_owned()),
            ("loadtest/lib/target.js", format!("'{name}'")),
            ("packaging/prometheus/fastgo.yml", format!("raspberrypi.local:{port} # {name}\n")),
            (format!("packaging/env/{name}.env").as_str(), format!("#PORT={port}\n")),
            ("packaging/deb/postinst", name.to_owned()),
            ("packaging/deb/description", format!(" * {name}: ")),
            ("README.md", format!("`{name}`")),
        ] {
            assert!(read(file).contains(&entry), "{file} lacks {entry:?}");
        }
    }
}
