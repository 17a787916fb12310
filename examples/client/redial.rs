//! The options `--follow` and `--reconnect`.

use std::error::Error;

use sansock::net::Client;

use crate::Mode;

#[cfg(feature = "redirects")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature it fails")]
pub(crate) fn follow(client: Client, limit: usize) -> Result<Client, Box<dyn Error>> {
    Ok(client.redirects(sansock::dial::redirect::RedirectPolicy::new(limit)))
}

#[cfg(not(feature = "redirects"))]
pub(crate) fn follow(_: Client, limit: usize) -> Result<Client, Box<dyn Error>> {
    Err(format!("--follow {limit}: build with --features redirects").into())
}

/// Connects again until the user or the policy ends it.
#[cfg(feature = "reconnect")]
pub(crate) fn reconnect(client: Client, mode: &Mode) -> Result<(), Box<dyn Error>> {
    use std::time::Duration;

    use sansock::dial::reconnect::ReconnectPolicy;

    use crate::interactive::Terminal;

    let policy = ReconnectPolicy::new().first_delay(Duration::from_secs(1));
    let mut connections = client.reconnecting(policy).on_retry(|retry| eprintln!("{retry}"));
    if let Mode::Echo = mode {
        let mut ended = Ok(());
        while let Some(mut connection) = connections.next()? {
            ended = crate::echo(&mut connection);
        }
        return Ok(ended?);
    }
    let terminal = Terminal::start(true)?;
    let mut ended = Ok(None);
    while connections.next()?.is_some() {
        let Some(socket) = connections.take() else { break };
        ended = terminal.show(socket);
        if terminal.has_ended() {
            break;
        }
        // Lines wait for the next connection.
        terminal.set_writer(None);
        match &ended {
            Ok(Some(outcome)) => connections.ended(outcome),
            Ok(None) => {}
            Err(error) => connections.ended(error),
        }
    }
    Ok(ended.map(drop)?)
}

#[cfg(not(feature = "reconnect"))]
pub(crate) fn reconnect(_: Client, _: &Mode) -> Result<(), Box<dyn Error>> {
    Err("--reconnect: build with --features reconnect".into())
}
