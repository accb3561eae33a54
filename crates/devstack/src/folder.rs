//! Short, private folders under the system's temporary folder.

use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use crate::DevstackError;

/// The longest path of a socket: `sockaddr_un` on Linux holds 108 bytes with the closing zero (unix(7)).
const SOCKET_PATH_BYTES: usize = 107;
/// The name that Postgres gives to its socket, with its lock file's ending.
const SOCKET_NAME: &str = "/.s.PGSQL.5432.lock";

/// Makes a new folder of mode 0700, owned by us, under the temporary folder (or `/tmp` where that is too long for sockets).
///
/// # Errors
/// The folder cannot be made.
pub fn private_folder(prefix: &str) -> Result<PathBuf, DevstackError> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut parent = std::env::temp_dir();
    if check_socket_length(&parent.join("mintmark-0000000000-00000000")).is_err() {
        parent = PathBuf::from("/tmp");
    }
    loop {
        let salt = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.subsec_nanos());
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = parent.join(format!("{prefix}-{}-{:x}", std::process::id(), salt.wrapping_add(number)));
        match std::fs::DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => return Ok(dir),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(DevstackError::io(format!("make {}", dir.display()))(e)),
        }
    }
}

/// Refuses a folder whose socket would have too long a path.
pub(crate) fn check_socket_length(dir: &Path) -> Result<(), DevstackError> {
    if dir.as_os_str().len() + SOCKET_NAME.len() > SOCKET_PATH_BYTES {
        return Err(DevstackError::SocketPath { dir: dir.to_path_buf() });
    }
    Ok(())
}
