//! Networks that can be cut: bytes go nowhere, and neither end hears of it.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A way to `HAProxy` for some of the clients.
pub(crate) struct Wires {
    pub(crate) address: SocketAddr,
    cuts: watch::Sender<u32>,
}

impl Wires {
    pub(crate) async fn to(front: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cuts, cut) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, front, cut.clone()));
            }
        });
        Self { address, cuts }
    }

    /// Cuts all connections that there are. New ones work.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

async fn carry(mut client: TcpStream, front: SocketAddr, mut cut: watch::Receiver<u32>) {
    cut.mark_unchanged();
    let Ok(mut server) = TcpStream::connect(front).await else { return };
    let was_cut = tokio::select! {
        _ = copy_bidirectional(&mut client, &mut server) => false,
        changed = cut.changed() => changed.is_ok(),
    };
    if was_cut {
        // Both ends stay open, until the program ends.
        std::future::pending::<()>().await;
    }
}
