//! Where MySQL's client finds the relay that stands between it and a database.

use std::{
    env, fs, io,
    os::unix::fs::DirBuilderExt,
    path::PathBuf,
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use tokio::net::{UnixListener, UnixStream};

/// Where the client finds the relay, once: a socket in a folder of its own, where nobody else can come first or listen in
/// its place.
pub(super) struct Door {
    listener: UnixListener,
    _folder: Folder,
}

/// A folder for this process's user alone, removed when it is dropped.
struct Folder(PathBuf);

impl Door {
    /// The door, and its path. To a socket the client shows its password as it is, which is what a server expects where the
    /// way to it is encrypted; where it is not, it does not come to that.
    pub(super) fn open() -> io::Result<(Self, String)> {
        static OPENED: AtomicU64 = AtomicU64::new(0);
        let folder = loop {
            let count = OPENED.fetch_add(1, Ordering::Relaxed);
            let folder = env::temp_dir().join(format!("mingcha-relay-{}-{count}", process::id()));
            match fs::DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => break Folder(folder),
                // One of a process that was killed, or somebody else's.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        };
        let path = folder.0.join("socket");
        #[expect(
            clippy::disallowed_methods,
            reason = "the driver dials nothing but this: what lies behind is dialled by ours"
        )]
        let listener = UnixListener::bind(&path)?;
        let path = path.into_os_string().into_string();
        let path = path.map_err(|_| io::ErrorKind::InvalidInput)?;
        let door = Door {
            listener,
            _folder: folder,
        };
        Ok((door, path))
    }

    /// Whoever comes, after which nobody else can.
    pub(super) async fn client(self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(client, _)| client)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
