//! The values of the settings that concern the store.

use std::fmt;
use std::path::PathBuf;

use super::limits::Rate;
#[cfg(feature = "postgres")]
use super::postgres::PostgresUrl;
use crate::state_directory;

/// The name of the database file in the state directory.
const FILE: &str = "registrations.db";

/// Where registrations are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// Nowhere: the registration routes do not exist.
    None,
    /// In a SQLite file.
    Sqlite(PathBuf),
    /// On a `PostgreSQL` server.
    #[cfg(feature = "postgres")]
    Postgres(Box<PostgresUrl>),
}

impl Location {
    /// What messages call the valid values of `--database`.
    pub const EXPECTED: &'static str = if cfg!(feature = "postgres") {
        "sqlite:FILE, postgres://USER@HOST/DATABASE without TLS, or none"
    } else {
        "sqlite:FILE or none (this fastgo was built without PostgreSQL)"
    };

    /// `none`, `sqlite:FILE` or a URL that begins with `postgres:` or `postgresql:`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "none" => Some(Self::None),
            #[cfg(feature = "postgres")]
            Some(("postgres" | "postgresql", _)) => PostgresUrl::parse(text).map(|url| Self::Postgres(Box::new(url))),
            Some(("sqlite", file)) if !file.is_empty() && !file.contains('\0') => Some(Self::Sqlite(file.into())),
            _ => None,
        }
    }

    /// What keeps the registrations there: `sqlite`, `postgres`, or `none`.
    pub fn backend(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Sqlite(_) => "sqlite",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "postgres",
        }
    }

    /// `registrations.db` in the state directory; `None` without one, or where its name is not UTF-8.
    pub fn default_of_environment() -> Self {
        state_directory::of_services().map_or(Self::None, |directory| Self::Sqlite(directory.join(FILE)))
    }
}

impl fmt::Display for Location {
    /// As [`Location::parse`] reads it, but without a password.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) if path.to_str().is_some() => write!(formatter, "sqlite:{}", path.display()),
            Self::Sqlite(_) | Self::None => formatter.write_str("none"),
            #[cfg(feature = "postgres")]
            Self::Postgres(url) => url.fmt(formatter),
        }
    }
}

impl Rate {
    /// What messages call the valid values.
    pub const EXPECTED: &'static str = "a rate and a burst such as 5/s:10 or 30/m:5, or off";

    /// `RATE/s:BURST` or `RATE/m:BURST`; `Some(None)` for `off`.
    pub fn parse(text: &str) -> Option<Option<Self>> {
        if text == "off" {
            return Some(None);
        }
        let (rate, burst) = text.split_once(':')?;
        let (count, unit) = rate.split_once('/')?;
        let seconds = match unit {
            "s" => 1.0,
            "m" => 60.0,
            _ => return None,
        };
        let (count, burst) = (count.parse::<u32>().ok()?, burst.parse::<u32>().ok()?);
        let valid = (1..=1_000_000).contains(&count) && (1..=1_000_000).contains(&burst);
        valid.then(|| Some(Self { per_second: f64::from(count) / seconds, burst }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations() {
        assert_eq!(Location::parse("none"), Some(Location::None));
        assert_eq!(Location::parse("sqlite:/a/b.db"), Some(Location::Sqlite("/a/b.db".into())));
        assert_eq!(Location::parse("sqlite:b.db"), Some(Location::Sqlite("b.db".into())));
        for bad in ["", "sqlite:", "sqlite", "b.db", "mysql://x", "sqlite:a\0b"] {
            assert_eq!(Location::parse(bad), None, "{bad}");
        }
        #[cfg(feature = "postgres")]
        {
            let shown = |text| Location::parse(text).map(|location| location.to_string());
            let url = "postgres://fastgo:secret@db1:5433,db2/school?connect_timeout=3";
            assert_eq!(shown(url).as_deref(), Some("postgres://fastgo@db1:5433,db2:5432/school"));
            assert_eq!(shown("postgresql://u@%2Frun%2Fpg/x").as_deref(), Some("postgres://u@/run/pg:5432/x"));
            for bad in ["postgres:", "postgres://", "postgres://u@h:port/x", "postgres://u@h/x?sslmode=require"] {
                assert_eq!(Location::parse(bad), None, "{bad}");
            }
        }
        for text in ["none", "sqlite:/a/b.db"] {
            assert_eq!(Location::parse(text).map(|location| location.to_string()).as_deref(), Some(text));
        }
    }

    #[test]
    fn rates() {
        assert_eq!(Rate::parse("off"), Some(None));
        assert_eq!(Rate::parse("5/s:10"), Some(Some(Rate { per_second: 5.0, burst: 10 })));
        assert_eq!(Rate::parse("500/s:5000"), Some(Some(Rate { per_second: 500.0, burst: 5000 })));
        assert_eq!(Rate::parse("30/m:5"), Some(Some(Rate { per_second: 0.5, burst: 5 })));
        for bad in ["", "5", "5/s", "5:10", "0/s:1", "1/s:0", "5/h:1", "-1/s:1", "5/s:10:2", "1.5/s:2"] {
            assert_eq!(Rate::parse(bad), None, "{bad}");
        }
    }
}
