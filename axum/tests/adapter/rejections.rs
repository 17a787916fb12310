//! Requests that are refused, by a router without a server.

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http::{Method, Request, Version};
use sansock_axum::WebSocketUpgrade;
use sansock_axum::handshake::{HandshakeError, HeadError, RequestError};
use sansock_axum::rejection::WebSocketUpgradeRejection;
use tower::ServiceExt as _;

use crate::common::echo;

fn request(change: impl FnOnce(&mut Request<Body>)) -> Request<Body> {
    let mut request = Request::builder()
        .uri("/ws")
        .header("host", "example.com")
        .header("upgrade", "websocket")
        .header("connection", "upgrade")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .body(Body::empty())
        .unwrap();
    change(&mut request);
    request
}

/// A request of HTTP/2.
fn http2(method: Method) -> Request<Body> {
    let mut request = Request::builder().uri("https://example.com/ws").body(Body::empty()).unwrap();
    (*request.version_mut(), *request.method_mut()) = (Version::HTTP_2, method);
    request
}

fn plain(method: Method) -> Request<Body> {
    let request = Request::builder().uri("/ws").method(method).header("host", "example.com");
    request.body(Body::from("a body")).unwrap()
}

async fn answer(app: Router, request: Request<Body>) -> Response {
    app.oneshot(request).await.unwrap()
}

async fn text(response: Response) -> String {
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 10).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn each_wrong_request_has_its_status_and_headers() {
    let without = |name: &'static str| {
        request(|it| {
            it.headers_mut().remove(name).unwrap();
        })
    };
    let version_8 = request(|it| {
        it.headers_mut().insert("sec-websocket-version", "8".parse().unwrap());
    });
    for (request, status, header) in [
        (plain(Method::GET), 426, Some(("upgrade", "websocket"))),
        (plain(Method::HEAD), 426, Some(("upgrade", "websocket"))),
        (plain(Method::POST), 405, Some(("allow", "GET, HEAD, OPTIONS"))),
        (request(|it| *it.method_mut() = Method::HEAD), 400, None),
        (request(|it| *it.version_mut() = Version::HTTP_10), 400, None),
        (without("upgrade"), 426, Some(("upgrade", "websocket"))),
        (without("connection"), 400, None),
        (without("sec-websocket-key"), 400, None),
        (without("sec-websocket-version"), 426, Some(("sec-websocket-version", "13"))),
        (version_8, 426, Some(("sec-websocket-version", "13"))),
        (without("host"), 400, None),
        // No server, so there is nothing to take over.
        (request(|_| {}), 500, None),
        (http2(Method::GET), 426, Some(("sec-websocket-version", "13"))),
        (http2(Method::CONNECT), 405, None),
    ] {
        let (shown, is_http_2) = (format!("{request:?}"), request.version() == Version::HTTP_2);
        let response = answer(Router::new().route("/ws", any(echo)), request).await;
        assert_eq!(response.status().as_u16(), status, "{shown}");
        if let Some((name, value)) = header {
            assert_eq!(response.headers()[name], value, "{shown}");
        }
        if is_http_2 {
            assert!(!response.headers().contains_key("upgrade"), "not part of HTTP/2");
        }
    }
}

#[tokio::test]
async fn a_handler_sees_what_is_wrong() {
    use HandshakeError::{Head, Request};
    async fn handler(ws: Result<WebSocketUpgrade, WebSocketUpgradeRejection>) -> String {
        match ws.map(|_| ()) {
            Err(WebSocketUpgradeRejection::Handshake(rejection)) => {
                assert_eq!(rejection.status().as_u16(), rejection.error().status());
                format!("{:?}", rejection.error())
            }
            other => format!("{other:?}"),
        }
    }
    let key = request(|it| {
        it.headers_mut().insert("sec-websocket-key", "x".parse().unwrap());
    });
    for (request, error) in [
        (plain(Method::GET), Request(RequestError::UpgradeRequired)),
        (http2(Method::GET), Request(RequestError::UpgradeRequired)),
        (key, Head(HeadError::InvalidHeader("Sec-WebSocket-Key"))),
    ] {
        let response = answer(Router::new().route("/ws", any(handler)), request).await;
        assert_eq!(text(response).await, format!("{error:?}"));
    }
    let response = answer(Router::new().route("/ws", any(handler)), request(|_| {})).await;
    assert_eq!(text(response).await, "Err(ConnectionNotUpgradable(ConnectionNotUpgradable))");
}

#[tokio::test]
async fn an_optional_extractor_leaves_plain_requests_to_the_handler() {
    async fn handler(ws: Option<WebSocketUpgrade>) -> Response {
        match ws {
            Some(ws) => ws.on_upgrade(|_| async {}),
            None => "a page".into_response(),
        }
    }
    let app = Router::new().route("/ws", any(handler));
    let other_upgrade = {
        let mut request = plain(Method::GET);
        request.headers_mut().insert("upgrade", "h2c, foo/2".parse().unwrap());
        request
    };
    for request in [
        plain(Method::GET),
        plain(Method::POST),
        plain(Method::DELETE),
        http2(Method::GET),
        other_upgrade,
    ] {
        let shown = format!("{request:?}");
        let response = answer(app.clone(), request).await;
        assert_eq!(text(response).await, "a page", "{shown}");
    }
    // axum sends no body then.
    assert_eq!(answer(app.clone(), http2(Method::CONNECT)).await.status(), 200);
    let upgrade_alone = {
        let mut request = plain(Method::GET);
        request.headers_mut().insert("upgrade", "foo, WebSocket".parse().unwrap());
        request
    };
    let wrong_key = request(|it| {
        it.headers_mut().insert("sec-websocket-key", "x".parse().unwrap());
    });
    for request in [upgrade_alone, wrong_key] {
        assert_eq!(answer(app.clone(), request).await.status(), 400);
    }
}
