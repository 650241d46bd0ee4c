//! A wire to PostgreSQL that is cut at a COMMIT.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use store::testing::VARIABLE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How often a COMMIT still passes the wire before it is cut, and whether the server hears the last one.
pub(crate) struct Cut {
    pub(crate) commits: AtomicUsize,
    pub(crate) heard: bool,
}

/// Carries one connection until the wire is cut at a COMMIT.
async fn carry(mut near: TcpStream, mut far: TcpStream, cut: Arc<Cut>) -> std::io::Result<()> {
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        tokio::select! {
            read = near.read(&mut up) => {
                let said = &up[..read?];
                let commits = said.windows(6).any(|window| window == b"COMMIT");
                if commits && cut.commits.fetch_sub(1, Ordering::SeqCst) == 1 {
                    if cut.heard {
                        far.write_all(said).await?;
                        // The server has done it when it answers; the answer gets no further.
                        assert_ne!(far.read(&mut down).await?, 0);
                    }
                    return Ok(());
                }
                if said.is_empty() { return Ok(()) }
                far.write_all(said).await?;
            }
            read = far.read(&mut down) => near.write_all(&down[..read?]).await?,
        }
    }
}

/// A wire to the server; returns the URL of its near end.
pub(crate) async fn wire(cut: Arc<Cut>) -> String {
    let url = std::env::var(VARIABLE).unwrap();
    let config: tokio_postgres::Config = url.parse().unwrap();
    let port = config.get_ports().first().copied().unwrap_or(5432);
    #[expect(clippy::disallowed_methods, reason = "the wire's near end, for a test")]
    let near = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let end = near.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = near.accept().await {
            #[expect(clippy::disallowed_methods, reason = "the wire's far end, for a test")]
            let far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            tokio::spawn(carry(near, far, Arc::clone(&cut)));
        }
    });
    let password = config
        .get_password()
        .map(|password| String::from_utf8_lossy(password).into_owned());
    format!(
        "postgres://{}:{}@{end}/{}",
        config.get_user().unwrap_or("postgres"),
        password.unwrap_or_default(),
        config.get_dbname().unwrap_or("postgres")
    )
}
