//! The page of the chat.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use crate::driver::{Browser, Device, Window};
use crate::server::{Over, Server};

pub(crate) const ENTER: &str = "\u{e007}";
/// What the second of two of this name is called.
const SECOND: &str = "Anna2";

/// Signs in with the keyboard alone: the field has the focus.
pub(crate) async fn join<'b>(window: Window<'b>, name: &str, called: &str) -> Window<'b> {
    window.shows("#state", "connected").await;
    window.types(&format!("{name}{ENTER}")).await;
    window.shows("#state", &format!("connected as {called}")).await;
    window
}

async fn two_windows_chat(over: Over) {
    let server = Server::start("chat", over);
    let browser = Browser::start(Device::Desk).await;
    let anna = join(browser.window(&server.url).await, "Anna", "Anna").await;
    let other = join(browser.another_window(&server.url).await, "Anna", SECOND).await;

    // The names collide.
    other.shows("#log .notice", "That name is taken: you are Anna2").await;
    anna.shows("#log .notice", "Anna2 signed in").await;
    anna.shows_all("#users li", &["Anna (you)", "Anna2"]).await;
    other.shows_all("#users li", &["Anna", "Anna2 (you)"]).await;

    // They chat, and the focus is where it belongs.
    let said = [
        "Hello",
        "<script>document.title = 'owned'</script>",
        "<img src=x onerror=\"document.title = 'owned'\">",
        "&lt;b&gt; w\u{f6}rld \u{2713}",
    ];
    for (number, text) in said.iter().enumerate() {
        let from = if number % 2 == 0 { &anna } else { &other };
        from.types(&format!("{text}{ENTER}")).await;
        for window in [&anna, &other] {
            window.shows_all("#log .mine .text, #log .theirs .text", &said[..=number]).await;
        }
    }
    for window in [&anna, &other] {
        assert_eq!(window.script("return document.title").await, "sansock chat");
        let elements = "return document.querySelectorAll('#log img, #log script, #log b').length";
        assert_eq!(window.script(elements).await, 0);
    }
    assert_eq!(anna.texts("#log .theirs .name").await, ["Anna2", "Anna2"]);
    // Nothing of the page itself is against its own policy.
    assert_eq!(browser.console().await, [""; 0]);

    other.closes().await;
    anna.shows_all("#users li", &["Anna (you)"]).await;
    anna.shows("#log .notice", "Anna2 left").await;
    assert_eq!(browser.console().await, [""; 0]);
    browser.end().await;
}

#[tokio::test]
async fn two_windows_chat_with_each_other_over_ws() {
    two_windows_chat(Over::Http).await;
}

#[tokio::test]
async fn two_windows_chat_with_each_other_over_wss() {
    two_windows_chat(Over::Https).await;
}

#[tokio::test]
async fn the_policy_of_the_page_stops_foreign_scripts_and_connections() {
    let server = Server::start("chat", Over::Http);
    let browser = Browser::start(Device::Desk).await;
    let window = browser.window(&server.url).await;
    window.shows("#state", "connected").await;
    assert_eq!(browser.console().await, [""; 0]);
    for (script, directive) in [
        (
            "const s = document.createElement('script'); s.textContent = 'document.title = \"owned\"'; \
             document.body.append(s)",
            "script-src",
        ),
        (
            "document.body.insertAdjacentHTML('beforeend', \
             '<button id=x onclick=\"document.title = `owned`\">x</button>'); \
             document.getElementById('x').click()",
            "script-src",
        ),
        ("try { new WebSocket('ws://127.0.0.1:9/') } catch {}", "connect-src"),
    ] {
        window.script(script).await;
        let console = browser.console().await;
        assert!(console.iter().any(|line| line.contains(directive)), "{directive}: {console:?}");
    }
    assert_eq!(window.script("return document.title").await, "sansock chat");
    browser.end().await;
}

#[tokio::test]
async fn the_page_comes_back_when_the_server_does_and_says_so_meanwhile() {
    let server = Server::start("chat", Over::Http);
    let browser = Browser::start(Device::Desk).await;
    let anna = join(browser.window(&server.url).await, "Anna", "Anna").await;
    let address = server.address().to_owned();
    server.interrupt();
    anna.shows("#state", "disconnected, next attempt in").await;
    anna.shows_all("#users li", &[]).await;
    assert_eq!(anna.script("return document.getElementById('text').disabled").await, true);
    let _again = Server::start_at("chat", Over::Http, &address);
    anna.shows("#state", "connected as Anna").await;
    anna.types(&format!("back{ENTER}")).await;
    anna.shows("#log .mine .text", "back").await;
    browser.end().await;
}

/// The browser itself would wait for minutes.
#[tokio::test]
async fn the_page_gives_up_a_server_that_accepts_and_does_not_answer() {
    let server = Server::start("chat", Over::Http);
    let browser = Browser::start(Device::Desk).await;
    let anna = join(browser.window(&server.url).await, "Anna", "Anna").await;
    let address = server.address().to_owned();
    server.interrupt();
    // The operating system accepts for it.
    let mute = TcpListener::bind(&address).unwrap();
    anna.shows("#state", "connecting").await;
    anna.shows("#state", "disconnected, next attempt in").await;
    drop(mute);
    let _again = Server::start_at("chat", Over::Http, &address);
    anna.shows("#state", "connected as Anna").await;
    browser.end().await;
}

/// The page has each message once, and sends again what was not acknowledged.
#[tokio::test]
async fn the_page_resumes_after_its_connection_broke() {
    let server = Server::start("chat", Over::Http);
    let browser = Browser::start(Device::Desk).await;
    let anna = join(browser.window(&server.url).await, "Anna", "Anna").await;
    let bert = join(browser.another_window(&server.url).await, "Bert", "Bert").await;
    anna.types(&format!("first{ENTER}")).await;
    bert.shows("#log .theirs .text", "first").await;
    // What it sends last may have been stored, or not.
    let cut = "outbox.push({ text: 'again', key: 'k' }); \
               send({ type: 'message', ...outbox[0] }); socket.close()";
    bert.script(cut).await;
    bert.shows("#waiting", "1 message is not sent yet").await;
    anna.types(&format!("missed{ENTER}")).await;
    bert.shows("#state", "connected as Bert").await;
    bert.shows("#log .text", "missed").await;
    anna.types(&format!("last{ENTER}")).await;
    for window in [&anna, &bert] {
        window
            .shows_all(
                "#log .mine .text, #log .theirs .text",
                &["first", "again", "missed", "last"],
            )
            .await;
        assert_eq!(window.script("return document.querySelectorAll('.gap').length").await, 0);
    }
    assert_eq!(bert.script("return document.getElementById('waiting').hidden").await, true);
    browser.end().await;
}

#[tokio::test]
async fn the_page_fits_a_phone() {
    let server = Server::start("chat", Over::Http);
    let browser = Browser::start(Device::Phone).await;
    let anna = join(browser.window(&server.url).await, "Anna", "Anna").await;
    anna.types(&format!("{}{ENTER}", "x".repeat(500))).await;
    anna.shows("#log .mine .text", "xxx").await;
    assert_eq!(anna.script("return innerWidth").await, 360);
    let fits = "const { scrollWidth, scrollHeight } = document.documentElement; \
                return scrollWidth <= innerWidth && scrollHeight <= innerHeight";
    assert_eq!(anna.script(fits).await, true);
    for control in ["#name", "#join", "#text", "#send"] {
        let size = format!(
            "const r = document.querySelector('{control}').getBoundingClientRect(); \
             return r.height >= 44 && r.width >= 44 && r.bottom <= innerHeight && r.right <= innerWidth"
        );
        assert_eq!(anna.script(&size).await, true, "{control}");
    }
    browser.end().await;
}

/// `docs/chat.png` is a copy of what this leaves in `target/tmp/chat.png`.
#[tokio::test]
async fn a_conversation_for_the_picture_of_the_readme() {
    let server = Server::start("chat", Over::Http);
    let browser = Browser::start(Device::Desk).await;
    let anna = join(browser.window(&server.url).await, "Anna", "Anna").await;
    let bert = join(browser.another_window(&server.url).await, "Bert", "Bert").await;
    let lines = [
        "Hello Bert! This runs in a real browser.",
        "And the server is one example, page and all.",
        "What about <script>alert(1)</script>?",
        "That is just text here.",
        "1,000 of us would fit in this room.",
    ];
    for (number, line) in lines.iter().enumerate() {
        let from = if number % 2 == 0 { &anna } else { &bert };
        from.types(&format!("{line}{ENTER}")).await;
        for window in [&anna, &bert] {
            window.shows("#log .text", line).await;
        }
    }
    let picture = anna.screenshot().await;
    assert!(picture.starts_with(b"\x89PNG"));
    fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("chat.png"), picture).unwrap();
    browser.end().await;
}
