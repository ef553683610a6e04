//! The ground that a world stands on: one temporary directory, and a caretaker that clears it away when we cannot.
//!
//! The caretaker is a shell of ten lines that waits for its standard input to end. While we live, we clean up ourselves
//! and then tell it that all is done; if we die without a word (`kill -9`, out of memory), the kernel closes the pipe
//! and the caretaker ends the Postfix masters and the daemon that were registered under this directory, and removes it. It kills
//! a process only if its working directory or its program still is ours, so a reused process ID harms nobody.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    io::Write,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use crate::demo::{Error, program};

/// A temporary directory under the system's own; removed on drop.
#[derive(Debug)]
pub struct Ground {
    path: PathBuf,
    caretaker: Option<Child>,
}

impl Ground {
    /// Takes a new directory, readable by all (Postfix's processes run as another user).
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be made.
    pub fn new() -> Result<Self, Error> {
        let template = std::env::temp_dir().join("postwarden-demo.XXXXXX");
        let path = nix::unistd::mkdtemp(&template)
            .map_err(std::io::Error::from)
            .map_err(Error::io(format!("making {}", template.display())))?;
        let mut ground = Self {
            path: path.clone(),
            caretaker: None,
        };
        open_to_all(&path)?;
        let caretaker = program("/bin/sh")
            .arg("-c")
            .arg(CARETAKER)
            .arg("postwarden-demo-caretaker")
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(Error::io("starting the caretaker"))?;
        ground.caretaker = Some(caretaker);
        Ok(ground)
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a directory in it, readable by all.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be made.
    pub fn directory(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        fs_err::create_dir_all(&path).map_err(Error::io("making a directory"))?;
        open_to_all(&path)?;
        Ok(path)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        drop(fs_err::remove_dir_all(&self.path));
        if let Some(mut caretaker) = self.caretaker.take() {
            if let Some(mut pipe) = caretaker.stdin.take() {
                drop(pipe.write_all(b"done\n"));
            }
            drop(caretaker.wait());
        }
    }
}

fn open_to_all(path: &Path) -> Result<(), Error> {
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o755))
        .map_err(Error::io("opening a directory"))
}

/// A TCP port that nobody uses on loopback just now, outside of the range that the kernel gives to outgoing connections.
///
/// # Errors
/// [`Error::Io`] when two hundred tries found none.
pub fn free_port() -> Result<u16, Error> {
    let mut last = None;
    for attempt in 0..200_u64 {
        let mut dice = RandomState::new().build_hasher();
        dice.write_u64(attempt);
        let port = u16::try_from(10_240 + dice.finish() % 22_000).unwrap_or(10_240);
        match TcpListener::bind(("127.0.0.1", port)) {
            Ok(_free) => return Ok(port),
            Err(error) => last = Some(error),
        }
    }
    let source = last.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into());
    let what = "looking for a free port".to_owned();
    Err(Error::Io { what, source })
}

/// `$1` is the directory. Registered processes: `*/queue/pid/master.pid` (Postfix) and `*.pid` (ours).
const CARETAKER: &str = r#"
trap '' INT TERM HUP
read -r word
[ "$word" = done ] && exit 0
for file in "$1"/*.pid; do
    pid=$(tr -cd 0-9 <"$file") || continue
    case $(tr '\0' ' ' <"/proc/$pid/cmdline") in *"$1"*) kill "$pid" ;; esac
done
for file in "$1"/*/queue/pid/master.pid; do
    pid=$(tr -cd 0-9 <"$file") || continue
    [ "$(readlink "/proc/$pid/cwd")" = "${file%/pid/master.pid}" ] && kill "$pid"
done
sleep 2
rm -rf "$1"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_a_ground() {
        let ground = Ground::new().unwrap();
        let path = ground.path().to_owned();
        let inner = ground.directory("inner").unwrap();
        fs_err::write(inner.join("file"), b"x").unwrap();
        drop(ground);
        assert!(!path.exists());
    }

    #[test]
    fn a_free_port_can_be_bound() {
        let port = free_port().unwrap();
        assert!(TcpListener::bind(("127.0.0.1", port)).is_ok());
    }
}
