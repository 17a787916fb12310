//! One message to many connections: [`sansock::hub`] for connections of this crate.
//!
//! [`Writer::subscriber`](crate::Writer::subscriber) makes the inbox of a connection. This server
//! sends what one client says to all:
//!
//! ```
//! use sansock_tokio::hub::{Budget, Hub, WhenFull};
//! use sansock_tokio::{Incoming, Server, connect};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let room = Hub::new().topic("room");
//! let server = Server::bind("127.0.0.1:0").await?;
//! let url = format!("ws://{}/", server.local_addr());
//! let handle = server.handle();
//! let running = tokio::spawn(server.run(move |incoming: Incoming| {
//!     let room = room.clone();
//!     async move {
//!         let (mut reader, writer) = incoming.accept().await?.split();
//!         // What a client that reads slowly misses is the oldest, not the connection.
//!         let budget = Budget::new(64 << 10).when_full(WhenFull::DropOldest);
//!         let _subscription = room.subscribe(&writer.subscriber(budget));
//!         writer.queue("welcome")?;
//!         while let Some(message) = reader.next_message().await? {
//!             room.publish(message);
//!         }
//!         Ok(())
//!     }
//! }));
//!
//! let (mut alice, mut bob) = (connect(&url).await?, connect(&url).await?);
//! for client in [&mut alice, &mut bob] {
//!     assert_eq!(client.next_message().await?.unwrap().as_text(), Some("welcome"));
//! }
//! alice.send("hello, everybody").await?;
//! for client in [&mut alice, &mut bob] {
//!     assert_eq!(client.next_message().await?.unwrap().as_text(), Some("hello, everybody"));
//! }
//! handle.shutdown();
//! # let (_, _) = tokio::join!(alice.next_message(), bob.next_message());
//! # running.await??;
//! # Ok(()) }
//! ```
//!
//! # Telling a slow reader what it missed
//!
//! The inbox counts what it drops. This handler looks once a second, and tells its client:
//!
//! ```
//! use std::time::Duration;
//!
//! use sansock_tokio::hub::{Budget, Topic, WhenFull};
//! use sansock_tokio::{EncodedMessage, HandlerResult, Incoming};
//!
//! async fn serve(incoming: Incoming, news: Topic) -> HandlerResult {
//!     let (mut reader, writer) = incoming.accept().await?.split();
//!     let budget = Budget::new(64 << 10).when_full(WhenFull::DropOldest);
//!     let subscriber = writer.subscriber(budget);
//!     let _subscription = news.subscribe(&subscriber);
//!     let (mut second, mut known) = (tokio::time::interval(Duration::from_secs(1)), 0);
//!     loop {
//!         tokio::select! {
//!             message = reader.next_message() => if message?.is_none() { return Ok(()) },
//!             _ = second.tick() => {
//!                 let dropped = subscriber.counts().dropped;
//!                 if dropped > known {
//!                     known = dropped;
//!                     // It may be dropped too. Then it counts, and the next one has the total.
//!                     subscriber.send(&EncodedMessage::new(format!("{dropped} dropped so far")));
//!                 }
//!             }
//!         }
//!     }
//! }
//! ```

pub use sansock::hub::*;

/// How many connections a task writes to before it lets others run: some 100 microseconds.
const TURN: usize = 32;

/// Writes a message to the connections that [`Topic::post`] has found, some dozens at a time, and
/// lets other tasks run in between. [`Topic::publish`] writes to all of them at once, which blocks
/// the thread for some 25 milliseconds if they are ten thousand.
///
/// The message lies in all inboxes already, so messages keep their order, whichever is written
/// first. If the future is dropped, it writes to all connections that are left.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use sansock_tokio::EncodedMessage;
/// use sansock_tokio::hub::{self, Hub};
///
/// let topic = Hub::new().topic("news");
/// let published = hub::deliver(topic.post(None, &EncodedMessage::new("extra, extra"))).await;
/// assert_eq!(published.accepted, 0);
/// # }
/// ```
pub async fn deliver(mut deliveries: Deliveries) -> Published {
    while deliveries.deliver(TURN) > 0 {
        tokio::task::yield_now().await;
    }
    deliveries.published()
}
