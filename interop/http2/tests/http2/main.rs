//! WebSocket over HTTP/2 (RFC 8441) with software of others, and behind the proxies of
//! docs/DEPLOY.md. `interop/http2/run` builds and installs what this needs.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

mod client;
mod deploy;
mod node;
mod program;
mod proxies;
mod proxy_headers;
