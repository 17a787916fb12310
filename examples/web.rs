//! The WebSocket object of browsers, in a dozen lines.
//!
//! ```sh
//! cargo run --release --example echo_server
//! cargo run --release --features web --example web -- ws://127.0.0.1:9001/
//! ```

use sansock::web::{Error, WebSocket};

fn main() -> Result<(), Error> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:9001/".into());
    let socket = WebSocket::new(&url)?;
    socket.on_open(|socket, _| {
        // It can be sent: the connection is open.
        let _ = socket.send("Hello");
    });
    socket.on_message(|socket, event| {
        println!("message: {:?}", event.data);
        socket.close();
    });
    socket.on_error(|_, event| println!("error: {}", event.message));
    socket.on_close(|_, event| println!("close: {} {}", event.code, event.reason));
    socket.wait();
    Ok(())
}
