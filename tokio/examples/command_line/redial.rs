//! The options `--follow` and `--reconnect` of a client.

use std::error::Error;

use sansock_tokio::Client;

#[cfg(feature = "redirects")]
#[expect(clippy::unnecessary_wraps, reason = "without the feature it fails")]
pub(crate) fn follow(client: Client, limit: usize) -> Result<Client, Box<dyn Error>> {
    Ok(client.redirects(sansock_tokio::dial::redirect::RedirectPolicy::new(limit)))
}

#[cfg(not(feature = "redirects"))]
pub(crate) fn follow(_: Client, limit: usize) -> Result<Client, Box<dyn Error>> {
    Err(format!("--follow {limit}: build with --features redirects").into())
}

/// Connects again until the user or the policy ends it.
#[cfg(feature = "reconnect")]
pub(crate) async fn reconnect(client: Client, echo: bool) -> Result<(), Box<dyn Error>> {
    use std::time::Duration;

    use sansock_tokio::dial::reconnect::ReconnectPolicy;
    use tokio::io::{AsyncBufReadExt as _, BufReader};

    let policy = ReconnectPolicy::new().first_delay(Duration::from_secs(1));
    let mut connections = client.reconnecting(policy).on_retry(|retry| eprintln!("{retry}"));
    if echo {
        let mut ended = Ok(());
        while let Some(mut connection) = connections.next().await? {
            ended = crate::echo(&mut connection).await;
        }
        return Ok(ended?);
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut ended = Ok(());
    loop {
        let connection = tokio::select! {
            connection = connections.next() => connection?,
            _ = tokio::signal::ctrl_c() => return Ok(ended?),
        };
        let Some(connection) = connection else { return Ok(ended?) };
        ended = talk(connection, &mut lines).await;
    }
}

/// Sends typed lines and shows what arrives, until the end of the connection. What the last one has
/// not written goes first.
#[cfg(feature = "reconnect")]
async fn talk(
    mut connection: sansock_tokio::Connected<'_>,
    lines: &mut tokio::io::Lines<impl tokio::io::AsyncBufRead + Unpin>,
) -> Result<(), sansock_tokio::Error> {
    use sansock_tokio::CloseCode;

    connection.send_unsent().await?;
    println!("open");
    loop {
        let is_open = !connection.is_closing();
        tokio::select! {
            event = connection.recv() => match event? {
                Some(event) => crate::show::show(event, &mut std::io::stdout())?,
                None => return Ok(()),
            },
            line = lines.next_line(), if is_open => match line? {
                Some(line) => connection.send(line).await?,
                None => connection.start_close(CloseCode::NORMAL, "").await?,
            },
            _ = tokio::signal::ctrl_c(), if is_open => {
                connection.start_close(CloseCode::NORMAL, "").await?;
            }
        }
    }
}

#[cfg(not(feature = "reconnect"))]
#[expect(clippy::unused_async, reason = "with the feature it waits")]
pub(crate) async fn reconnect(_: Client, _: bool) -> Result<(), Box<dyn Error>> {
    Err("--reconnect: build with --features reconnect".into())
}
