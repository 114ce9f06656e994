//! `/metrics` and each sample of `/sse/metrics` as JSON.

use serde_json::{Map, Value as Json, json};

use super::reading::Reading;
use super::table::{ROWS, Value};

impl Reading<'_> {
    /// The object that the contract describes, one line.
    pub fn to_json(&self) -> String {
        let peers: Vec<Json> =
            self.second.peers.iter().map(|peer| json!({ "server_type": peer.name, "port": peer.port })).collect();
        let mut object = Map::new();
        object.insert("server_type".into(), self.engine().into());
        object.insert("version".into(), env!("CARGO_PKG_VERSION").into());
        object.insert("work".into(), self.config.live.work().to_string().into());
        object.insert("draining".into(), self.draining.into());
        object.insert("time_unix_ms".into(), (self.unix_time.as_millis() as u64).into());
        object.insert("peers".into(), peers.into());
        insert(&mut object, "store.backend", self.of_store(|_| self.config.database.backend()).into());
        insert(&mut object, "store.breaker", self.of_store(|store| store.figures.breaker.name()).into());
        let crashes =
            self.runs.map(|runs| json!({ "total": runs.crashes, "watchdog": runs.watchdog, "last": runs.last }));
        object.insert("crashes".into(), crashes.into());
        for row in ROWS.iter().filter(|row| !row.json.is_empty()) {
            insert(&mut object, row.json, number((row.read)(self)));
        }
        let mut board = serde_json::to_value(&self.second.board).unwrap_or_default();
        round(&mut board);
        object.insert("pi".into(), board);
        Json::Object(object).to_string()
    }
}

/// Three decimals are more than any of these measurements is good for, and keep samples small.
fn rounded(measure: f64) -> Json {
    ((measure * 1000.0).round() / 1000.0).into()
}

fn round(json: &mut Json) {
    match json {
        Json::Object(object) => object.values_mut().for_each(round),
        Json::Array(items) => items.iter_mut().for_each(round),
        Json::Number(number) if number.is_f64() => *json = rounded(number.as_f64().unwrap_or_default()),
        _ => {}
    }
}

fn number(value: Value) -> Json {
    match value {
        Value::Int(count) => count.into(),
        Value::Float(measure) => rounded(measure),
        Value::Missing => Json::Null,
    }
}

fn insert(object: &mut Map<String, Json>, path: &str, value: Json) {
    match path.split_once('.') {
        None => {
            object.insert(path.into(), value);
        }
        Some((first, rest)) => {
            let inner = object.entry(first).or_insert_with(|| Json::Object(Map::new()));
            if let Json::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}
