//! A shutdown while clients exchange messages.

use std::thread;
use std::time::Duration;

use sansock::net::{Client, Next};
use sansock::{CloseCode, Event, Outcome};

use crate::common::{Fallible, ensure, join, ms};
use crate::server::Server;

pub(crate) const CLIENTS: usize = 50;

/// The counts of one client.
struct Exchanged {
    sent: u64,
    echoed: u64,
}

/// Each client sends numbered messages and reads the echoes, until the server says 1001.
pub(crate) fn under_load(mut server: Server) -> Fallible<String> {
    let url = [server.url("/"), server.url("/split")];
    let url = &url;
    let (exchanged, ledger) = thread::scope(|scope| {
        let clients: Vec<_> =
            (0..CLIENTS).map(|n| scope.spawn(move || exchange(&url[n % 2]))).collect();
        thread::sleep(ms(1000));
        let told = server.tell_to_stop();
        let exchanged: Vec<_> = clients.into_iter().map(join).collect();
        (exchanged, told.and_then(|()| server.ended()))
    });
    let exchanged = exchanged.into_iter().collect::<Fallible<Vec<_>>>()?;
    let ledger = ledger?;
    let sent: u64 = exchanged.iter().map(|it| it.sent).sum();
    let echoed: u64 = exchanged.iter().map(|it| it.echoed).sum();
    ensure(ledger.unsent == 0, || format!("{} bytes were not sent", ledger.unsent))?;
    ensure(ledger.failed == 0, || format!("{} connections failed", ledger.failed))?;
    // The server also counts the echo of the warm-up.
    let accepted = ledger.accepted - Server::WARM_UP;
    ensure(accepted == echoed, || {
        format!("the server accepted {accepted} messages for sending, {echoed} arrived")
    })?;
    Ok(format!(
        "Close 1001 × {CLIENTS}; {sent} messages sent, {accepted} accepted for the way back, {echoed} \
         arrived whole and in order"
    ))
}

fn exchange(url: &str) -> Fallible<Exchanged> {
    let mut socket = Client::new(url)?.connect()?;
    let (mut sent, mut echoed) = (0u64, 0u64);
    let message = |n: u64| n.to_be_bytes().repeat(1 + usize::try_from(n % 700).unwrap_or(0));
    let mut going = true;
    loop {
        // A few are always on their way.
        while going && sent < echoed + 8 {
            going = socket.queue(message(sent)).is_ok();
            sent += u64::from(going);
        }
        match socket.next_event_timeout(Duration::from_secs(10))? {
            Next::Event(Event::Message(echo)) => {
                ensure(echo.as_bytes() == message(echoed), || format!("echo {echoed} is wrong"))?;
                echoed += 1;
            }
            Next::Event(Event::Close(close)) => {
                ensure(close.code == Some(CloseCode::GOING_AWAY), || format!("{close:?}"))?;
                going = false;
            }
            Next::Event(_) => {}
            Next::Ended => break,
            Next::TimedOut => return Err("no answer, and no end".into()),
        }
    }
    let clean = Outcome::Clean { code: Some(CloseCode::GOING_AWAY), reason: "".into() };
    ensure(socket.outcome() == Some(&clean), || format!("{:?}", socket.outcome()))?;
    Ok(Exchanged { sent, echoed })
}
