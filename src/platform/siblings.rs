//! Where the engines that run as services listen: each writes its address to its runtime directory.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::Roots;

/// The file that holds the address, in the runtime directory that systemd makes for each engine and removes with it.
const FILE: &str = "address";

/// Finds other engines, whatever their settings.
#[derive(Debug, Default)]
pub struct Siblings {
    /// `/run/fastgo`, which holds a directory for each engine; `None` where no service manager made one.
    directory: Option<PathBuf>,
}

impl Siblings {
    /// Those of the directory that holds `$RUNTIME_DIRECTORY`.
    pub fn from_env() -> Self {
        Self::beside(runtime_directory().as_deref())
    }

    /// Those that run as services of this machine.
    pub fn of_machine(roots: &Roots) -> Self {
        Self { directory: Some(roots.run.join("fastgo")) }
    }

    fn beside(own: Option<&Path>) -> Self {
        Self { directory: own.and_then(Path::parent).map(Path::to_owned) }
    }

    /// Where `engine` listens; `None` when it does not run as a service here.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn address(&self, engine: &str) -> io::Result<Option<SocketAddr>> {
        let Some(directory) = &self.directory else { return Ok(None) };
        match fs::read_to_string(directory.join(engine).join(FILE)) {
            Ok(text) => text.trim().parse().map(Some).map_err(io::Error::other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Publishes `address` to the other engines; does nothing without a runtime directory.
///
/// # Errors
/// The file cannot be written.
pub fn publish(address: SocketAddr) -> io::Result<()> {
    runtime_directory().map_or(Ok(()), |directory| publish_in(&directory, address))
}

fn publish_in(directory: &Path, address: SocketAddr) -> io::Result<()> {
    let unfinished = directory.join("address.new");
    let mut file = File::create(&unfinished)?;
    // The unit's UMask is stricter.
    file.set_permissions(Permissions::from_mode(0o644))?;
    writeln!(file, "{address}")?;
    fs::rename(unfinished, directory.join(FILE))
}

fn runtime_directory() -> Option<PathBuf> {
    std::env::var_os("RUNTIME_DIRECTORY").filter(|path| !path.is_empty()).map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_finds_those_that_run() {
        let run = tempfile::tempdir().unwrap();
        let own = run.path().join("hyper");
        fs::create_dir(&own).unwrap();
        fs::create_dir(run.path().join("may")).unwrap();
        let address = "[::]:9082".parse().unwrap();
        publish_in(&own, "[::]:8082".parse().unwrap()).unwrap();
        publish_in(&own, address).unwrap();
        let siblings = Siblings::beside(Some(&own));
        assert_eq!(siblings.address("hyper").unwrap(), Some(address));
        assert_eq!(siblings.address("may").unwrap(), None);
        assert_eq!(siblings.address("worker-pool").unwrap(), None);
        fs::write(run.path().join("may/address"), "many\n").unwrap();
        assert!(siblings.address("may").is_err());
        assert_eq!(fs::metadata(own.join(FILE)).unwrap().permissions().mode() & 0o777, 0o644);
    }

    #[test]
    fn without_a_service_manager_there_are_none() {
        assert_eq!(Siblings::beside(None).address("may").unwrap(), None);
    }
}
