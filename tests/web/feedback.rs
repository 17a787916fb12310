//! "Feedback from the protocol": what the four events are fired for.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::thread;
use std::time::{Duration, Instant};

use sansock::handshake::{Answer, ResponseError};
use sansock::web::{Event, WebSocket};
use sansock::{CloseCode, Config, Limits, Timeout, Timeouts, net};

use super::server::{TIMEOUT, all, echo, raw, serve, silent, watch};

#[test]
fn established_changes_the_state_then_fires_open_then_come_messages_then_close() {
    let (url, _) = serve(|incoming| {
        let mut socket = incoming.accept()?;
        socket.send("Hello")?;
        socket.send("")?;
        socket.send([0, 255])?;
        socket.close(CloseCode::NORMAL, "bye")
    });
    let socket = WebSocket::new(&url).unwrap();
    let events = watch(&socket);
    let expected =
        ["1 open", "1 text Hello", "1 text ", "1 binary [0, 255]", "3 close true 1000 bye"];
    assert_eq!(all(&events), expected);
}

#[test]
fn many_messages_come_in_their_order() {
    let (url, _) = serve(|incoming| {
        let mut socket = incoming.accept()?;
        for number in 0..10_000 {
            socket.queue(format!("{number}"))?;
        }
        socket.close(None, "")
    });
    let socket = WebSocket::new(&url).unwrap();
    let events = watch(&socket);
    let mut expected = vec!["1 open".to_owned()];
    expected.extend((0..10_000).map(|number| format!("1 text {number}")));
    expected.push("3 close true 1005".into());
    assert_eq!(all(&events), expected);
}

#[test]
fn established_sets_protocol_and_extensions() {
    let (url, _) = serve(|incoming| {
        let mut socket = incoming.accept_with(&Answer::new().subprotocol("protocolTwo"))?;
        while socket.next_event()?.is_some() {}
        Ok(())
    });
    let socket = WebSocket::with_protocols(&url, ["protocolOne", "protocolTwo"]).unwrap();
    assert!(matches!(socket.events().recv(), Some(Event::Open(_))));
    assert_eq!((&*socket.protocol(), &*socket.extensions()), ("protocolTwo", ""));
    socket.close();
    socket.wait();
    assert_eq!(&*socket.protocol(), "protocolTwo");
}

#[cfg(feature = "deflate")]
#[test]
fn established_sets_the_extensions_in_use() {
    use sansock::deflate::DeflateConfig;

    let server = net::Server::bind("127.0.0.1:0").unwrap().deflate(DeflateConfig::server());
    let url = format!("ws://{}/", server.local_addr());
    thread::spawn(|| {
        server.run(|incoming| {
            let mut socket = incoming.accept()?;
            while let Some((event, outgoing)) = socket.exchange()? {
                if let sansock::Event::Message(message) = event {
                    outgoing.queue(message)?;
                }
            }
            Ok(())
        })
    });
    let builder = WebSocket::builder(&url).unwrap();
    let offer = |client: net::Client| client.deflate(DeflateConfig::client());
    let socket = builder.client(offer).open().unwrap();
    let events = socket.events();
    assert!(matches!(events.recv(), Some(Event::Open(_))));
    assert!(socket.extensions().contains("permessage-deflate"), "{}", socket.extensions());
    let text = "again and again ".repeat(100_000);
    socket.send(&text).unwrap();
    let Some(Event::Message(event)) = events.recv() else { panic!("no echo") };
    assert!(event.data.as_text() == Some(&text));
    assert_eq!(socket.buffered_amount(), 0);
}

#[test]
fn a_server_that_acknowledges_no_subprotocol_fails_the_connection() {
    let url = echo();
    let socket = WebSocket::with_protocols(&url, ["protocolOne"]).unwrap();
    let events = watch(&socket);
    assert_eq!(
        all(&events),
        ["3 error the server chose none of the subprotocols offered", "3 close false 1006"]
    );
}

#[test]
fn a_handshake_that_fails_fires_error_with_the_reason_and_then_close() {
    for (answer, message) in [
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "403 Forbidden"),
        ("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n", "302 Found"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200 OK"),
        ("SSH-2.0-OpenSSH\r\n", "the first line is not one of HTTP/1.1"),
        ("", "the connection ended before the handshake was complete"),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: AAAA\r\n\r\n",
            "Sec-WebSocket-Accept",
        ),
    ] {
        let (url, _) = raw(move |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let socket = WebSocket::new(&url).unwrap();
        let events = all(&watch(&socket));
        assert_eq!(events.len(), 2, "{events:?}");
        assert!(events[0].starts_with("3 error ") && events[0].contains(message), "{events:?}");
        assert_eq!(events[1], "3 close false 1006");
    }
}

#[test]
fn the_error_event_carries_the_servers_answer() {
    let (url, _) = raw(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 6\r\n\r\nlog in";
        stream.write_all(answer).unwrap();
    });
    let socket = WebSocket::new(&url).unwrap();
    let Some(Event::Error(event)) = socket.events().recv() else { panic!("no error event") };
    match event.cause.as_deref() {
        Some(net::Error::Handshake(sansock::handshake::HandshakeError::Response(
            ResponseError::Status(response),
        ))) => {
            assert_eq!((response.status(), response.body()), (401, &b"log in"[..]));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_refused_tcp_connection_fires_error_and_close() {
    let (url, _) = raw(drop);
    let taken = WebSocket::new(&url).unwrap();
    taken.wait();
    // The listener is gone with its one connection.
    let socket = WebSocket::new(&url).unwrap();
    let events = all(&watch(&socket));
    assert_eq!(events.len(), 2, "{events:?}");
    assert!(events[0].starts_with("3 error ") && events[0].contains("refused"), "{events:?}");
    assert_eq!(events[1], "3 close false 1006");
}

#[test]
fn a_handshake_without_an_answer_ends_in_time() {
    let config = Config::new().timeouts(Timeouts::new().handshake(Duration::from_millis(100)));
    let socket = WebSocket::builder(&silent()).unwrap().config(config).open().unwrap();
    let events = all(&watch(&socket));
    assert_eq!(
        events,
        ["3 error the handshake took too long (Timeouts::handshake)", "3 close false 1006"]
    );
}

#[test]
fn a_transport_that_ends_without_a_close_frame_is_1006() {
    let (url, _) = serve(|incoming| {
        let mut socket = incoming.accept()?;
        socket.send("last")?;
        Ok(socket.get_ref().get_ref().shutdown(Shutdown::Both)?)
    });
    let socket = WebSocket::new(&url).unwrap();
    let expected = [
        "1 open",
        "1 text last",
        "3 error the connection ended without a closing handshake (1006)",
        "3 close false 1006",
    ];
    assert_eq!(all(&watch(&socket)), expected);
}

#[test]
fn a_server_that_breaks_the_protocol_is_told_and_fails_the_connection() {
    let (url, closes) = serve(|incoming| {
        let mut socket = incoming.accept()?;
        // A reserved bit.
        socket.get_mut().write_all(b"\xc1\x00")?;
        while socket.next_event()?.is_some() {}
        Ok(socket.outcome().unwrap().code())
    });
    let socket = WebSocket::new(&url).unwrap();
    let events = all(&watch(&socket));
    assert_eq!(events.len(), 3, "{events:?}");
    assert!(events[1].starts_with("3 error reserved bits"), "{events:?}");
    assert_eq!(events[2], "3 close false 1006");
    assert_eq!(closes.recv_timeout(TIMEOUT).unwrap().unwrap(), 1002);
}

#[test]
fn a_message_above_the_limit_fails_the_connection_and_names_the_limit() {
    let (url, closes) = serve(|incoming| {
        let mut socket = incoming.accept()?;
        socket.send("Hello")?;
        while socket.next_event()?.is_some() {}
        Ok(socket.outcome().unwrap().code())
    });
    let config = Config::new().limits(Limits::new().message(4));
    let socket = WebSocket::builder(&url).unwrap().config(config).open().unwrap();
    let events = all(&watch(&socket));
    assert!(events[1].contains("Limits::message"), "{events:?}");
    assert_eq!(closes.recv_timeout(TIMEOUT).unwrap().unwrap(), 1009);
}

#[test]
fn closing_that_is_started_by_the_server_is_clean_with_its_code_and_reason() {
    for (code, reason, seen) in [
        (Some(CloseCode::GOING_AWAY), "restart", "3 close true 1001 restart"),
        (CloseCode::new(4999), "\u{20ac}", "3 close true 4999 \u{20ac}"),
        (Some(CloseCode::INTERNAL_ERROR), "", "3 close true 1011"),
        (None, "", "3 close true 1005"),
    ] {
        let (url, _) = serve(move |incoming| incoming.accept()?.close(code, reason));
        let socket = WebSocket::new(&url).unwrap();
        assert_eq!(all(&watch(&socket)), ["1 open", seen]);
    }
}

#[test]
fn when_the_server_starts_closing_the_state_is_closing_until_the_transport_ends() {
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let ended = std::sync::Mutex::new(ended);
    let (url, _) = serve(move |incoming| {
        let mut socket = incoming.accept()?;
        socket.get_mut().write_all(b"\x88\x02\x03\xe8")?;
        let _ = ended.lock().unwrap().recv_timeout(TIMEOUT);
        Ok(())
    });
    let socket = WebSocket::new(&url).unwrap();
    super::server::until("CLOSING", || socket.ready_state() as u16 == 2);
    // Nothing is sent any more, but counted.
    socket.send("lost").unwrap();
    assert_eq!(socket.buffered_amount(), 4);
    end.send(()).unwrap();
    let close = socket.wait().unwrap();
    assert_eq!((close.was_clean, close.code), (true, 1000));
}

#[test]
fn a_server_that_does_not_answer_the_close_frame_is_waited_for_in_bounded_time() {
    let (url, _) = serve(|incoming| {
        let _socket = incoming.accept()?;
        thread::sleep(TIMEOUT);
        Ok(())
    });
    let config = Config::new().timeouts(Timeouts::new().closing(Duration::from_millis(100)));
    let socket = WebSocket::builder(&url).unwrap().config(config).open().unwrap();
    let start = Instant::now();
    let events = socket.events();
    assert!(matches!(events.recv(), Some(Event::Open(_))));
    socket.close();
    let Some(Event::Error(error)) = events.recv() else { panic!("no error event") };
    assert!(matches!(error.cause.as_deref(), Some(net::Error::Timeout(Timeout::Closing))));
    let Some(Event::Close(close)) = events.recv() else { panic!("no close event") };
    assert_eq!((close.was_clean, close.code), (false, 1006));
    assert!(events.recv().is_none());
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
