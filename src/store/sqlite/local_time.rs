//! Times on this board's clock and in its time zone, which SQLite knows.

use rusqlite::Connection;

/// The time in milliseconds since 1970 that `text` means, in one of the forms that SQLite reads, such as
/// `2026-09-01 08:00` or `2026-09-01T08:00:00Z`; `None` if it is in none of them.
pub fn parse_local_time(text: &str) -> rusqlite::Result<Option<i64>> {
    let zoned = text.ends_with(['Z', 'z']) || text.get(10..).is_some_and(|time| time.contains(['+', '-']));
    let query = if zoned { "SELECT unixepoch(?)" } else { "SELECT unixepoch(?, 'utc')" };
    let seconds: Option<i64> = Connection::open_in_memory()?.query_row(query, [text], |row| row.get(0))?;
    Ok(seconds.map(|seconds| seconds * 1000))
}

/// A time in milliseconds since 1970 as this board's clock shows it.
pub fn local_time(time: i64) -> rusqlite::Result<String> {
    let query = "SELECT strftime('%Y-%m-%d %H:%M:%S', ?, 'unixepoch', 'localtime')";
    Connection::open_in_memory()?.query_row(query, [time / 1000], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_on_the_boards_clock() {
        let parse = |text| parse_local_time(text).unwrap();
        assert_eq!(parse("2026-09-01T08:00:00Z"), Some(1_788_249_600_000));
        assert_eq!(parse("2026-09-01T08:00:00+02:00"), Some(1_788_242_400_000));
        assert_eq!(parse("soon"), None);
        assert_eq!(local_time(parse("2026-09-01 08:00").unwrap()).unwrap(), "2026-09-01 08:00:00");
    }
}
