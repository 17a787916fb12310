//! The page, as far as it can be seen without a browser.

use crate::Chat;

#[test]
fn the_page_carries_its_own_script_and_no_other_may_run() {
    let chat = Chat::start(&[]);
    let (head, page) = chat.get("/");
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let nonce = head.split("script-src 'nonce-").nth(1).and_then(|rest| rest.split('\'').next());
    let nonce = nonce.unwrap();
    for word in ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "nosniff"] {
        assert!(head.contains(word), "{head}");
    }
    for tag in ["script", "style"] {
        assert_eq!(page.matches(&format!("<{tag}")).count(), 1, "{tag}");
        assert!(page.contains(&format!("<{tag} nonce=\"{nonce}\">")), "{tag}");
    }
    for foreign in ["src=", "href=", "innerHTML", "{nonce}", "{script}", "{style}", "{max_"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert_ne!(chat.get("/").1, page, "the nonce is fresh");
    assert!(chat.get("/favicon.ico").0.starts_with("HTTP/1.1 204 "));
    assert!(chat.get("/nothing").0.starts_with("HTTP/1.1 404 "));
}
