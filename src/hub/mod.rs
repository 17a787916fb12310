//! One message to many connections: topics, and an inbox for each connection that a slow reader
//! cannot overfill.
//!
//! A [`Topic`] of a [`Hub`] has subscriptions. A connection has one [`Subscriber`], which may
//! subscribe to any number of topics. Publishing encodes the message once, puts it into the inbox of
//! each subscriber, and then writes it on the spot wherever the network takes it; there is no thread
//! or task for it. What the network does not take waits in the inbox. An inbox has a [`Budget`] of
//! bytes, and its [`WhenFull`] says what happens to more: the newest or the oldest message is
//! dropped, the latest of each key is kept, or the connection is closed with a code. What was
//! dropped is counted, in [`Published`] for each message and in [`SubscriberCounts`] for each
//! connection.
//!
//! The subscribers of a topic get its messages in the same order. A message that is published while
//! a connection subscribes reaches it whole, after the subscription, or not at all.
//!
//! # Blocking, and on tokio
//!
//! With `net`, `net::Writer::subscriber` makes the subscriber of a split connection, and with
//! `sansock-tokio` its `Writer::subscriber` does. A server that passes on what anybody says:
//!
//! ```no_run
//! # #[cfg(feature = "net")] fn example() -> std::io::Result<()> {
//! use sansock::Event;
//! use sansock::hub::{Budget, Hub};
//! use sansock::net::Server;
//!
//! let hub = Hub::new();
//! Server::bind("127.0.0.1:9001")?.run(move |incoming| {
//!     let room = hub.topic(incoming.request().path());
//!     let (mut reader, writer) = incoming.accept()?.split()?;
//!     // 256 KiB may wait for a slow reader; then it is closed with 1013.
//!     let _subscription = room.subscribe(&writer.subscriber(Budget::new(256 << 10)));
//!     while let Some(event) = reader.next_event()? {
//!         if let Event::Message(message) = event {
//!             room.publish(message);
//!         }
//!     }
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # Telling a slow reader what it missed
//!
//! With [`WhenFull::DropOldest`] and [`WhenFull::DropNewest`] a slow reader stays, and loses messages
//! that it does not know of, unless they are numbered. This server counts them
//! ([`Subscriber::counts`]) and tells each client once a second:
//!
//! ```no_run
//! # #[cfg(feature = "net")] fn example() -> std::io::Result<()> {
//! use std::sync::{Arc, Mutex};
//! use std::thread;
//! use std::time::Duration;
//!
//! use sansock::EncodedMessage;
//! use sansock::hub::{Budget, Hub, Subscriber, WhenFull};
//! use sansock::net::Server;
//!
//! let hub = Hub::new();
//! // Each with the number of dropped messages that its client knows of.
//! let clients: Arc<Mutex<Vec<(Subscriber, u64)>>> = Arc::default();
//!
//! let (ticks, all) = (hub.topic("ticks"), Arc::clone(&clients));
//! thread::spawn(move || {
//!     for tick in 0_u64.. {
//!         ticks.publish(format!("tick {tick}"));
//!         if tick % 100 == 0 {
//!             all.lock().unwrap().retain_mut(|(subscriber, known)| {
//!                 let dropped = subscriber.counts().dropped;
//!                 if dropped > *known {
//!                     *known = dropped;
//!                     // It may be dropped too. Then it counts, and the next one has the total.
//!                     subscriber.send(&EncodedMessage::new(format!("{dropped} dropped so far")));
//!                 }
//!                 !subscriber.is_closed()
//!             });
//!         }
//!         thread::sleep(Duration::from_millis(10));
//!     }
//! });
//!
//! Server::bind("127.0.0.1:9001")?.run(move |incoming| {
//!     let (mut reader, writer) = incoming.accept()?.split()?;
//!     let budget = Budget::new(64 << 10).when_full(WhenFull::DropOldest);
//!     let subscriber = writer.subscriber(budget);
//!     let _subscription = hub.topic("ticks").subscribe(&subscriber);
//!     clients.lock().unwrap().push((subscriber, 0));
//!     // Only the reader sees Pings, and that the client has left.
//!     while reader.next_message()?.is_some() {}
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # In an event loop
//!
//! An event loop makes its own subscribers: [`Ready`] collects which of its connections have
//! something to send.
//!
//! ```
//! use sansock::hub::{Budget, Due, Hub, Ready, WhenFull};
//! use sansock::split::Sender;
//! use sansock::{Config, SendBuffer};
//!
//! let hub = Hub::new();
//! // A real loop wakes its poll here.
//! let ready = Ready::new(|| {});
//! let budget = Budget::new(64 << 10).when_full(WhenFull::DropOldest);
//! let subscriber = ready.subscriber("connection 1", budget);
//! let subscription = hub.topic("news").subscribe(&subscriber);
//!
//! let published = hub.topic("news").publish("extra, extra");
//! assert_eq!((published.accepted, published.dropped), (1, 0));
//!
//! // The loop finds what has become ready, and fills the connection's buffer.
//! let mut tokens = Vec::new();
//! ready.take(&mut tokens);
//! assert_eq!(tokens, ["connection 1"]);
//! let (mut sender, mut output) = (Sender::server(&Config::new()), SendBuffer::new());
//! while output.is_empty()
//!     && let Some(due) = subscriber.take()
//! {
//!     match due {
//!         Due::Message(message) => sender.send_encoded(&message, &mut output)?,
//!         Due::Close(code, reason) => sender.start_close(code, reason, &mut output)?,
//!     }
//! }
//! assert_eq!(output.as_slice(), b"\x81\x0cextra, extra");
//! # drop(subscription);
//! # Ok::<(), sansock::SendError>(())
//! ```

mod budget;
mod counts;
mod inbox;
mod mail;
mod ready;
mod registry;
mod subscriber;
mod sync;
mod topic;
mod topics;

pub use budget::{Budget, WhenFull};
pub use counts::{HubCounts, Published, SubscriberCounts};
pub use mail::Mail;
pub use ready::Ready;
pub use subscriber::{Due, Subscriber};
pub use topic::{Deliveries, Subscription, Topic};
pub use topics::Hub;
