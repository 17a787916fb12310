//! A chat: a page with a WebSocket. Each message goes to all visitors.
//!
//! ```sh
//! cargo run -p sansock-axum --example axum_chat
//! ```
//!
//! Open <http://127.0.0.1:3000/> in two tabs. Ctrl-C closes each connection with 1001, and the pages
//! say so.

use std::io;

use axum::Router;
use axum::extract::State;
use axum::response::{Html, Response};
use axum::routing::{any, get};
use sansock_axum::{ByteString, CloseCode, Error, Message, WebSocket, WebSocketUpgrade};
use tokio::net::TcpListener;
use tokio::sync::broadcast::{self, error::RecvError};

/// How many lines a slow reader may be behind.
const BACKLOG: usize = 100;

/// The lines of the chat. A clone of a `ByteString` shares its memory.
type Lines = broadcast::Sender<ByteString>;

#[tokio::main]
async fn main() -> io::Result<()> {
    let app = Router::new()
        .route("/", get(Html(include_str!("page.html"))))
        .route("/ws", any(enter))
        .with_state(Lines::new(BACKLOG));
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    sansock_axum::serve(listener, app)
        .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
        .await
}

/// Accepts a visitor. Pages of other sites are refused.
async fn enter(State(lines): State<Lines>, ws: WebSocketUpgrade) -> Response {
    ws.max_message_size(4096).on_upgrade(async move |socket| {
        if let Err(error) = stay(socket, &lines).await {
            eprintln!("a visitor has left: {error}");
        }
    })
}

/// Serves one visitor until it leaves.
async fn stay(mut socket: WebSocket, lines: &Lines) -> Result<(), Error> {
    let mut spoken = lines.subscribe();
    loop {
        // Both futures can be dropped at any time without losing anything.
        tokio::select! {
            message = socket.next_message() => match message? {
                // Cannot fail: this visitor listens.
                Some(Message::Text(line)) => drop(lines.send(line)),
                Some(Message::Binary(_)) => {
                    socket.close(CloseCode::UNSUPPORTED_DATA, "this chat is for text").await?;
                }
                None => return Ok(()),
            },
            line = spoken.recv() => match line {
                Ok(line) => socket.send(Message::Text(line)).await?,
                Err(RecvError::Lagged(_)) => {
                    socket.close(CloseCode::TRY_AGAIN_LATER, "you read too slowly").await?;
                }
                Err(RecvError::Closed) => return Ok(()),
            },
        }
    }
}
