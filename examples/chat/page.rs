//! The responses to plain HTTP requests.

use sansock::handshake::{Rejection, random_nonce};

use crate::names::MAX_NAME;
use crate::place::RoomName;
use crate::protocol::MAX_TEXT;

/// The page of a room, or an error for other paths.
pub(crate) fn answer(path: &str) -> Rejection {
    match RoomName::of_path(path) {
        Ok(_) => page(),
        Err(_) if path == "/favicon.ico" => Rejection::new(204),
        Err(refused) => refused.into(),
    }
    .header("X-Content-Type-Options", "nosniff")
    .header("Referrer-Policy", "no-referrer")
}

/// Only the style and the script with this response's nonce may run, and the script may connect to
/// the page's own host only: injected code does nothing.
fn page() -> Rejection {
    let nonce = format!("{:032x}", u128::from_be_bytes(random_nonce()));
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    let page = include_str!("page.html")
        .replace("{style}", include_str!("page.css"))
        .replace("{script}", include_str!("page.js"))
        .replace("{nonce}", &nonce)
        .replace("{max_name}", &MAX_NAME.to_string())
        .replace("{max_text}", &MAX_TEXT.to_string());
    Rejection::new(200)
        .header("Content-Type", "text/html; charset=utf-8")
        .header("Content-Security-Policy", policy)
        .header("Cache-Control", "no-store")
        .body(page)
}
