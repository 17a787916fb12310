//! This crate: the blocking adapter, and a loop around the core.

use sansock::handshake::Established;
use sansock::net::WebSocket;
use sansock::{Config, Connection, Event, ReceiveBuffer, Role, SendBuffer};

use super::{Peer, Run, seen};
use crate::memory::Memory;

pub(super) const BLOCKING: Peer = Peer {
    name: "sansock",
    receive: |role, transport| {
        let mut socket = blocking(role, transport);
        Box::new(move |messages| {
            (0..messages)
                .map(|_| match socket.next_event().unwrap() {
                    Some(Event::Message(message)) => seen(message.as_bytes()),
                    other => unreachable!("{other:?}"),
                })
                .sum()
        })
    },
    send: |role, transport, payload| {
        let mut socket = blocking(role, transport);
        Box::new(move |messages| {
            (0..messages).for_each(|_| socket.send(&payload).unwrap());
            messages * payload.len()
        })
    },
};

pub(super) const CORE: Peer = Peer { name: "sansock, core", receive, send };

fn blocking(role: Role, transport: Memory) -> WebSocket<Memory> {
    WebSocket::untimed(transport, connection(role), ReceiveBuffer::new(), SendBuffer::new())
}

fn connection(role: Role) -> Connection {
    Established::after_handshake(role, None).connection(&Config::new())
}

fn receive(role: Role, mut transport: Memory) -> Run {
    let mut connection = connection(role);
    let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
    let mut one = move || loop {
        match connection.next_event(&mut input, &mut output).unwrap() {
            Some(Event::Message(message)) => return seen(message.as_bytes()),
            Some(other) => unreachable!("{other:?}"),
            None => assert_ne!(input.read_from(&mut transport).unwrap(), 0),
        }
    };
    Box::new(move |messages| (0..messages).map(|_| one()).sum())
}

fn send(role: Role, mut transport: Memory, payload: Vec<u8>) -> Run {
    let mut connection = connection(role);
    let mut output = SendBuffer::new();
    Box::new(move |messages| {
        for _ in 0..messages {
            connection.send(&payload, &mut output).unwrap();
            output.write_to(&mut transport).unwrap();
        }
        messages * payload.len()
    })
}
