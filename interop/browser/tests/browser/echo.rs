//! The page of the echo server.

use crate::driver::{Browser, Device};
use crate::server::{Over, Server};

async fn the_page_echoes(over: Over) {
    let server = Server::start("echo_server", over);
    let browser = Browser::start(Device::Desk).await;
    let window = browser.window(&server.url).await;
    window.shows("#state", "1 (OPEN)").await;
    window.types("<b>hello</b>").await;
    window.clicks("#send").await;
    window.shows("#log .message", "text, 12 characters: <b>hello</b>").await;
    window.clicks("#kind option:last-child").await;
    window.clicks("#send").await;
    window.shows("#log .message", "binary, 12 bytes: 3c 62 3e").await;
    window.clicks("#close").await;
    // The reason is the server's, which answers with the code alone.
    window.shows("#log .close", "code 1000, reason \"\", wasClean true").await;
    window.shows("#state", "3 (CLOSED)").await;
    window.clicks("#connect").await;
    window.shows("#state", "1 (OPEN)").await;
    assert_eq!(browser.console().await, [""; 0]);
    browser.end().await;
}

#[tokio::test]
async fn the_page_echoes_over_ws() {
    the_page_echoes(Over::Http).await;
}

#[tokio::test]
async fn the_page_echoes_over_wss() {
    the_page_echoes(Over::Https).await;
}
