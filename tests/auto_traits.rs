//! The auto traits of the public types: they can be shared between threads and used after a caught
//! panic.

use std::panic::{RefUnwindSafe, UnwindSafe};

use sansock::buffer::{BufferPool, Buffers, Unwritten};
use sansock::frame::{EncodedHeader, FrameHeader, Opcode};
use sansock::handshake::{
    Answer, ClientHandshake, Established, HandshakeError, HeadError, HeadLimits, Headers,
    Incomplete, InvalidOrigin, Offer, Origin, OriginPolicy, Rejection, Request, RequestError,
    Response, ResponseError, ServerHandshake, UsageError,
};
use sansock::mask::Mask;
use sansock::split::{Progress, Receiver, SendQueue, Sender};
use sansock::uri::{Scheme, Uri, UriError};
use sansock::{
    Close, CloseCode, Compression, Config, Connection, Deadline, Delivery, EncodedMessage, Event,
    InvalidCloseCode, Keepalive, Limits, Message, MessageKind, Outcome, OutgoingMessage,
    OwnedMessage, ProtocolError, ReceiveBuffer, Role, SendBuffer, SendError, State, Teardown,
    Timeout, Timeouts,
};

/// Any thread may own it, any thread may share it, and it is consistent after a panic.
fn is_free<T: Send + Sync + UnwindSafe + RefUnwindSafe>() {}

/// For types that hold functions of the program, which a panic may leave inconsistent.
fn is_shared<T: Send + Sync>() {}

macro_rules! all {
    ($check:ident: $($type:ty),* $(,)?) => {$($check::<$type>();)*};
}

#[test]
fn the_core_is_free() {
    all!(is_free: Connection, Receiver, Sender, ReceiveBuffer, SendBuffer, Mask, EncodedMessage);
    all!(is_free: Event<'_>, Message<'_>, OutgoingMessage<'_>, Close<'_>, MessageKind, Compression);
    all!(is_free: Config, Limits, Delivery, Role, Timeouts, Keepalive, Timeout, Deadline);
    all!(is_free: CloseCode, InvalidCloseCode, FrameHeader, EncodedHeader, Opcode);
    all!(is_free: State, Outcome, Teardown, Progress, ProtocolError, SendError);
    all!(is_free: SendQueue, Buffers, BufferPool, OwnedMessage);
    // It borrows its buffer exclusively, and so is not unwind safe.
    all!(is_shared: Unwritten<'_>);
    #[cfg(feature = "rand")]
    all!(is_free: sansock::mask::RandomMasks);
}

#[test]
fn dialling_is_free() {
    #[cfg(feature = "redirects")]
    {
        use sansock::dial::redirect::{RedirectError, RedirectPolicy, RedirectProblem, Redirects};
        all!(is_free: RedirectError, RedirectPolicy, RedirectProblem, Redirects);
    }
    #[cfg(feature = "reconnect")]
    {
        use sansock::dial::reconnect::{Cause, GiveUp, Reconnect, ReconnectPolicy, Unsent};
        all!(is_free: Cause, GiveUp, Reconnect, ReconnectPolicy, Unsent<OwnedMessage>);
    }
}

#[test]
fn the_handshake_is_free() {
    all!(is_free: ClientHandshake, ServerHandshake, Established, HandshakeError, HeadLimits);
    all!(is_free: HeadError, RequestError, ResponseError, UsageError, Incomplete);
    all!(is_free: Request<'_>, Response, Headers<'_>, Offer, Answer, Rejection);
    all!(is_free: Origin, OriginPolicy, InvalidOrigin, Uri, UriError, Scheme);
    #[cfg(feature = "deflate")]
    all!(
        is_free: sansock::deflate::DeflateConfig, sansock::deflate::NegotiatedDeflate, sansock::deflate::ContextTakeover,
        sansock::deflate::DeflateLevel, sansock::deflate::WindowBits,
    );
}

#[cfg(feature = "proxy")]
#[test]
fn the_way_through_a_proxy_is_free() {
    use sansock::dial::{
        InvalidProxy, InvalidProxyVariable, Proxies, Proxy, ProxyScheme, SocksRefusal, Tunnel,
        TunnelError,
    };
    all!(is_free: Proxy, ProxyScheme, Tunnel, TunnelError, SocksRefusal);
    all!(is_free: InvalidProxy, InvalidProxyVariable);
    all!(is_shared: Proxies);
}

#[cfg(feature = "net")]
#[test]
fn the_blocking_adapters_can_be_shared() {
    use sansock::net::{
        CancelConnect, Client, ConnectError, Error, Incoming, Outgoing, Reader, Server,
        ServerError, ServerHandle, Stream, WebSocket, Writer,
    };
    all!(is_shared: Client, Error, Incoming, Reader, Server, ServerHandle, Stream, WebSocket, Writer);
    #[cfg(feature = "proxy")]
    all!(is_shared: sansock::net::ProxyCause, sansock::net::ProxyError);
    all!(is_shared: CancelConnect, ConnectError, ServerError, Outgoing<Stream>);
    #[cfg(feature = "rustls")]
    {
        use sansock::net::TlsError;
        use sansock::net::tls::{
            Acceptor, AcceptorBuilder, Connector, ConnectorBuilder, NegotiatedTls,
        };
        all!(is_shared: Acceptor, AcceptorBuilder, Connector, ConnectorBuilder, TlsError);
        all!(is_free: NegotiatedTls);
    }
}

#[cfg(feature = "web")]
#[test]
fn the_object_of_browsers_can_be_shared() {
    use sansock::web::{Builder, CloseEvent, Data, Error, ErrorEvent, Event, Events, WebSocket};
    all!(is_shared: WebSocket, Builder, Events, Event, CloseEvent, ErrorEvent, Data, Error);
}

/// A source of masking keys is a type of its own or a function.
#[test]
fn a_function_gives_masking_keys() {
    let mut number = 0;
    let mut sender = Sender::client(&Config::new(), move || {
        number += 1;
        [number; 4]
    });
    for key in 1..=2 {
        let mut buffer = SendBuffer::new();
        sender.send("a", &mut buffer).unwrap();
        assert_eq!(buffer.as_slice(), [0x81, 0x81, key, key, key, key, b'a' ^ key]);
    }
}

#[cfg(feature = "hub")]
#[test]
fn hubs_are_shared() {
    use sansock::hub::{
        Budget, Deliveries, Due, Hub, HubCounts, Mail, Published, Ready, Subscriber,
        SubscriberCounts, Subscription, Topic, WhenFull,
    };
    all!(is_free: Budget, WhenFull, Due, Mail, HubCounts, Published, SubscriberCounts);
    all!(is_shared: Deliveries, Hub, Ready<u32>, Subscriber, Subscription, Topic);
}
