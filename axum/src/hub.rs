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
//!
//! A task, or the handler of another route, publishes as well. [`deliver`] lets other tasks run
//! meanwhile, and [`existing_topic`](Hub::existing_topic) makes no topic where there are no readers:
//!
//! ```
//! use std::time::Duration;
//!
//! use sansock_axum::EncodedMessage;
//! use sansock_axum::hub::{self, Hub};
//!
//! async fn tick(rooms: Hub) {
//!     let mut second = tokio::time::interval(Duration::from_secs(1));
//!     for tick in 0_u64.. {
//!         second.tick().await;
//!         if let Some(room) = rooms.existing_topic("ticks") {
//!             let message = EncodedMessage::new(format!("tick {tick}"));
//!             hub::deliver(room.post(None, &message)).await;
//!         }
//!     }
//! }
//! ```
//!
//! [`sansock_tokio::hub`] shows how to tell a slow reader what it missed.

pub use sansock_tokio::hub::*;
