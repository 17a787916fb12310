//! Placeholder
use sansock::Event;
use sansock::net::{Incoming, Server};
fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:9001".into());
    Server::bind(address)?.run(|incoming: &mut Incoming| {
        let mut socket = incoming.accept()?;
        while let Some((event, outgoing)) = socket.exchange()? {
            if let Event::Message(message) = event {
                outgoing.queue(message)?;
            }
        }
        Ok(())
    })
}
