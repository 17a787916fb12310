//! One message to many connections: [`sansock_tokio::hub`].
//!
//! Everybody in a room gets what one of them says:
//!
//! ```
//! use axum::Router;
//! use axum::extract::{Path, State};
//! use axum::response::Response;
//! use axum::routing::any;
//! use sansock_axum::WebSocketUpgrade;
//! use sansock_axum::hub::{Budget, Hub, WhenFull};
//!
//! async fn handler(
//!     State(rooms): State<Hub>,
//!     Path(room): Path<String>,
//!     ws: WebSocketUpgrade,
//! ) -> Response {
//!     ws.max_message_size(4096).on_upgrade(move |socket| async move {
//!         let (mut reader, writer) = socket.split();
//!         // What a client that reads slowly misses is the oldest, not the connection.
//!         let budget = Budget::new(64 << 10).when_full(WhenFull::DropOldest);
//!         let room = rooms.topic(&room);
//!         let _subscription = room.subscribe(&writer.subscriber(budget));
//!         while let Ok(Some(message)) = reader.next_message().await {
//!             room.publish(message);
//!         }
//!     })
//! }
//!
//! let app: Router = Router::new().route("/{room}", any(handler)).with_state(Hub::new());
//! ```

pub use sansock_tokio::hub::*;
