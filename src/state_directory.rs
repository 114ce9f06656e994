//! Where state is kept on this machine.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Where the packaged services keep their state.
const PACKAGED: &str = "/var/lib/fastgo";

/// Where this process keeps what it alone uses: the first of `$STATE_DIRECTORY` as systemd sets it, else `fastgo` in the XDG
/// state directory; `None` where the environment names no directory.
pub(crate) fn of_process() -> Option<PathBuf> {
    choose(|name| env::var_os(name), None)
}

/// Where this machine's services keep what the operator works on, too: as [`of_process`], but root means the packaged
/// services when the environment names none.
pub(crate) fn of_services() -> Option<PathBuf> {
    let packaged = (rustix::process::geteuid().is_root() && Path::new(PACKAGED).is_dir()).then_some(PACKAGED);
    choose(|name| env::var_os(name), packaged)
}

fn choose(variable: impl Fn(&str) -> Option<OsString>, packaged: Option<&str>) -> Option<PathBuf> {
    // The XDG specification has relative paths ignored.
    let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    // systemd lists several directories with colons between them; the first is ours.
    variable("STATE_DIRECTORY")
        .and_then(|list| env::split_paths(&list).next())
        .filter(|path| path.is_absolute())
        .or_else(|| packaged.map(PathBuf::from))
        .or_else(|| absolute("XDG_STATE_HOME").map(|home| home.join("fastgo")))
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state/fastgo")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_where() {
        let with = |variables: &'static [(&str, &str)], packaged| {
            let find =
                |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
            choose(find, packaged)
        };
        let state = |path: &str| Some(PathBuf::from(path));
        let all = &[("STATE_DIRECTORY", "/var/lib/x:/y"), ("XDG_STATE_HOME", "/s"), ("HOME", "/h")];
        assert_eq!(with(all, Some("/p")), state("/var/lib/x"));
        assert_eq!(with(&all[1..], Some("/p")), state("/p"));
        assert_eq!(with(&all[1..], None), state("/s/fastgo"));
        assert_eq!(with(&all[2..], None), state("/h/.local/state/fastgo"));
        assert_eq!(with(&[("XDG_STATE_HOME", "s"), ("HOME", "/h")], None), state("/h/.local/state/fastgo"));
        assert_eq!(with(&[("STATE_DIRECTORY", ""), ("HOME", "")], None), None);
        assert_eq!(with(&[("XDG_STATE_HOME", "relative")], None), None);
        assert_eq!(with(&[], None), None);
    }
}
