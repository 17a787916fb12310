//! Offers and answers (RFC 7692, 5 and 7.1).

use sansock::deflate::{
    ContextTakeover, DeflateConfig, DeflateLevel, NegotiatedDeflate, WindowBits,
};
use sansock::handshake::{
    Answer, ClientHandshake, Established, HandshakeError, HeadError, HeadLimits, Offer,
    ResponseError, ServerHandshake,
};
use sansock::{Config, ReceiveBuffer, Role, SendBuffer};
use testkit::masks::FixedKey;

const FREE: DeflateConfig = DeflateConfig::client();
const LEAN: DeflateConfig = DeflateConfig::server();

/// What a server with `config` answers to these header lines: the value of its
/// Sec-WebSocket-Extensions, and what it holds to.
fn answer(
    config: DeflateConfig,
    lines: &[&str],
) -> Result<Option<(String, NegotiatedDeflate)>, HandshakeError> {
    let mut request = String::from(
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n",
    );
    for line in lines {
        request.extend(["Sec-WebSocket-Extensions: ", line, "\r\n"]);
    }
    request.push_str("\r\n");
    let (mut input, mut output) = (ReceiveBuffer::new(), SendBuffer::new());
    input.extend_from_slice(request.as_bytes());
    let mut handshake = ServerHandshake::new(HeadLimits::new());
    let over_values = config.accept_values(lines.iter().map(|line| line.as_bytes()));
    let complete = handshake.advance(&mut input);
    assert_eq!(over_values.as_ref().map(drop), complete.as_ref().map(drop));
    assert!(complete?);
    let answer = Answer::new().deflate(config);
    let established = handshake.request().unwrap().accept(&answer, &mut output)?;
    let response = String::from_utf8(output.as_slice().to_vec()).unwrap();
    let values: Vec<_> = extensions(&response).collect();
    assert!(values.len() <= 1, "{response}");
    assert_eq!(values.is_empty(), established.deflate().is_none());
    let outcome =
        Ok(values.first().map(|value| (value.to_string(), *established.deflate().unwrap())));
    assert_eq!(outcome, over_values, "the same over plain values");
    outcome
}

/// What a client that offers `configs` makes of a response with these header lines.
fn agree(
    configs: &[DeflateConfig],
    lines: &[&str],
) -> Result<Option<NegotiatedDeflate>, HandshakeError> {
    let mut response = String::from(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n",
    );
    for line in lines {
        response.extend(["Sec-WebSocket-Extensions: ", line, "\r\n"]);
    }
    response.push_str("\r\n");
    let mut handshake = client(configs).0;
    let mut input = ReceiveBuffer::new();
    input.extend_from_slice(response.as_bytes());
    let outcome = handshake.advance(&mut input).map(|complete| {
        assert!(complete);
        handshake.established().as_ref().and_then(Established::deflate).copied()
    });
    if let [config] = configs {
        let over_values = config.agree_values(lines.iter().map(|line| line.as_bytes()));
        assert_eq!(outcome, over_values, "the same over plain values");
        assert!(extensions(&client(configs).1).eq([config.offer_value()]));
    }
    outcome
}

fn client(configs: &[DeflateConfig]) -> (ClientHandshake, String) {
    let mut offer = Offer::new("ws://example.com/".parse().unwrap());
    for config in configs {
        offer = offer.deflate(*config);
    }
    let mut output = SendBuffer::new();
    let nonce = *b"the sample nonce";
    let handshake = ClientHandshake::start(&offer, nonce, HeadLimits::new(), &mut output).unwrap();
    (handshake, String::from_utf8(output.as_slice().to_vec()).unwrap())
}

fn extensions(head: &str) -> impl Iterator<Item = &str> {
    head.split("\r\n").filter_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "))
}

fn bits(bits: u8) -> WindowBits {
    WindowBits::new(bits).unwrap()
}

/// `server_no_context_takeover`, `client_no_context_takeover`, and the windows of server and
/// client.
fn summary(negotiated: &NegotiatedDeflate) -> (bool, bool, u8, u8) {
    (
        negotiated.server_context() == ContextTakeover::Forbidden,
        negotiated.client_context() == ContextTakeover::Forbidden,
        negotiated.server_max_window_bits(),
        negotiated.client_max_window_bits(),
    )
}

#[test]
fn what_a_server_answers() {
    let small = FREE.server_max_window_bits(bits(10)).client_max_window_bits(bits(11));
    for (config, offer, response, holds) in [
        // What browsers send.
        (
            LEAN,
            "; client_max_window_bits",
            "; server_no_context_takeover; client_no_context_takeover",
            (true, true, 15, 15),
        ),
        (FREE, "; client_max_window_bits", "", (false, false, 15, 15)),
        (FREE, "", "", (false, false, 15, 15)),
        // What the client asks for, the server does.
        (
            FREE,
            "; server_no_context_takeover",
            "; server_no_context_takeover",
            (true, false, 15, 15),
        ),
        (
            FREE,
            "; client_no_context_takeover",
            "; client_no_context_takeover",
            (false, true, 15, 15),
        ),
        (FREE, "; server_max_window_bits=9", "; server_max_window_bits=9", (false, false, 9, 15)),
        (
            FREE,
            "; server_max_window_bits=15",
            "; server_max_window_bits=15",
            (false, false, 15, 15),
        ),
        (
            FREE,
            "; server_max_window_bits=\"12\"",
            "; server_max_window_bits=12",
            (false, false, 12, 15),
        ),
        (
            FREE,
            "; server_max_window_bits=\"\\1\\0\"",
            "; server_max_window_bits=10",
            (false, false, 10, 15),
        ),
        // The client's window: never more than it offers; a window of 8 is no problem when
        // inflating.
        (
            FREE,
            "; client_max_window_bits=10",
            "; client_max_window_bits=10",
            (false, false, 15, 10),
        ),
        (FREE, "; client_max_window_bits=8", "; client_max_window_bits=8", (false, false, 15, 8)),
        (FREE, "; client_max_window_bits=15", "", (false, false, 15, 15)),
        // What the server wants.
        (small, "", "; server_max_window_bits=10", (false, false, 10, 15)),
        (
            small,
            "; client_max_window_bits",
            "; server_max_window_bits=10; client_max_window_bits=11",
            (false, false, 10, 11),
        ),
        (
            small,
            "; client_max_window_bits=15",
            "; server_max_window_bits=10; client_max_window_bits=11",
            (false, false, 10, 11),
        ),
        (
            small,
            "; client_max_window_bits=9; server_max_window_bits=9",
            "; server_max_window_bits=9; client_max_window_bits=9",
            (false, false, 9, 9),
        ),
        (
            small,
            "; server_max_window_bits=12",
            "; server_max_window_bits=10",
            (false, false, 10, 15),
        ),
        // All four, in any order.
        (
            FREE,
            " ;client_max_window_bits = 13;\tserver_no_context_takeover ; server_max_window_bits=\"11\"; client_no_context_takeover",
            "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=11; client_max_window_bits=13",
            (true, true, 11, 13),
        ),
    ] {
        let answered = answer(config, &[&format!("permessage-deflate{offer}")]);
        let (value, negotiated) = answered.unwrap().unwrap_or_else(|| panic!("declined{offer}"));
        assert_eq!(value, format!("permessage-deflate{response}"), "{offer}");
        assert_eq!(summary(&negotiated), holds, "{offer}");
    }
}

/// Unknown, repeated, out of range or with a value where there is none (7).
const BAD: [&str; 28] = [
    "; x",
    "; x=1",
    "; server_no_context_takeover; x",
    "; Server_No_Context_Takeover",
    "; server_no_context_takeover=1",
    "; server_no_context_takeover=true",
    "; client_no_context_takeover=\"1\"",
    "; server_no_context_takeover; server_no_context_takeover",
    "; client_no_context_takeover; client_no_context_takeover",
    "; server_max_window_bits=10; server_max_window_bits=10",
    "; server_max_window_bits=10; server_max_window_bits=11",
    "; client_max_window_bits=10; client_max_window_bits=10",
    "; client_max_window_bits=10; client_max_window_bits",
    "; server_max_window_bits",
    "; server_max_window_bits=0",
    "; server_max_window_bits=7",
    "; server_max_window_bits=16",
    "; server_max_window_bits=08",
    "; server_max_window_bits=010",
    "; server_max_window_bits=1",
    "; server_max_window_bits=100",
    "; server_max_window_bits=+9",
    "; server_max_window_bits=9.0",
    "; server_max_window_bits=ten",
    "; client_max_window_bits=7",
    "; client_max_window_bits=16",
    "; client_max_window_bits=09",
    "; client_max_window_bits=18446744073709551625",
];

#[test]
fn what_a_server_declines() {
    for parameters in BAD {
        let offer = format!("permessage-deflate{parameters}");
        assert_eq!(answer(FREE, &[&offer]), Ok(None), "{offer}");
    }
    for offer in
        ["x", "Permessage-Deflate", "permessage-bzip2", "x-webkit-deflate-frame", "deflate-frame"]
    {
        assert_eq!(answer(FREE, &[offer]), Ok(None), "{offer}");
    }
    assert_eq!(answer(FREE, &[]), Ok(None));
}

#[test]
fn the_first_offer_that_will_do_is_taken() {
    for (lines, response) in [
        (
            &["permessage-deflate; server_max_window_bits=10, permessage-deflate"][..],
            "; server_max_window_bits=10",
        ),
        (&["permessage-deflate; x, permessage-deflate"], ""),
        (
            &[
                "permessage-deflate; server_max_window_bits=7",
                "foo",
                "permessage-deflate; server_max_window_bits=9",
            ],
            "; server_max_window_bits=9",
        ),
        (
            &["foo; bar, permessage-deflate; client_no_context_takeover"],
            "; client_no_context_takeover",
        ),
        (
            &[
                "permessage-deflate; x=\"y\", permessage-deflate; client_max_window_bits=20",
                "permessage-deflate",
            ],
            "",
        ),
    ] {
        let (value, _) = answer(FREE, lines).unwrap().unwrap();
        assert_eq!(value, format!("permessage-deflate{response}"), "{lines:?}");
    }
}

#[test]
fn a_malformed_list_is_refused_whatever_is_in_it() {
    for line in [
        "permessage-deflate; ",
        "permessage-deflate; server_max_window_bits=",
        "permessage-deflate; a=\"b c\", permessage-deflate",
    ] {
        assert_eq!(
            answer(FREE, &[line]),
            Err(HandshakeError::Head(HeadError::InvalidHeader("Sec-WebSocket-Extensions")))
        );
    }
}

/// zlib cannot compress with a window of 256 bytes.
#[test]
fn a_window_of_8_bits_is_declined_by_a_server_and_never_used_by_a_client() {
    assert_eq!(WindowBits::new(8), None);
    assert_eq!(answer(FREE, &["permessage-deflate; server_max_window_bits=8"]), Ok(None));
    let (value, _) =
        answer(FREE, &["permessage-deflate; server_max_window_bits=8, permessage-deflate"])
            .unwrap()
            .unwrap();
    assert_eq!(value, "permessage-deflate");
    let negotiated =
        agree(&[FREE], &["permessage-deflate; client_max_window_bits=8"]).unwrap().unwrap();
    assert_eq!(negotiated.client_max_window_bits(), 8);
    let negotiated =
        agree(&[FREE], &["permessage-deflate; server_max_window_bits=8"]).unwrap().unwrap();
    assert_eq!(negotiated.server_max_window_bits(), 8);
}

#[test]
fn window_bits_are_9_to_15() {
    for it in 0..=255 {
        assert_eq!(WindowBits::new(it).map(WindowBits::get), (9..=15).contains(&it).then_some(it));
    }
}

#[test]
fn what_a_client_offers() {
    for (config, offer) in [
        (FREE, "; client_max_window_bits"),
        (LEAN, "; server_no_context_takeover; client_no_context_takeover; client_max_window_bits"),
        (
            FREE.client_context(ContextTakeover::Forbidden),
            "; client_no_context_takeover; client_max_window_bits",
        ),
        (
            FREE.server_max_window_bits(bits(9)),
            "; server_max_window_bits=9; client_max_window_bits",
        ),
        (FREE.client_max_window_bits(bits(12)), "; client_max_window_bits=12"),
    ] {
        let (_, request) = client(&[config]);
        assert_eq!(
            extensions(&request).collect::<Vec<_>>(),
            [format!("permessage-deflate{offer}")]
        );
    }
    let (_, request) = client(&[FREE.server_max_window_bits(bits(10)), FREE]);
    assert_eq!(
        extensions(&request).collect::<Vec<_>>(),
        ["permessage-deflate; server_max_window_bits=10; client_max_window_bits, \
          permessage-deflate; client_max_window_bits"]
    );
    let (_, request) = client(&[]);
    assert_eq!(extensions(&request).count(), 0);
}

#[test]
fn what_a_client_agrees_to() {
    let small = FREE.server_max_window_bits(bits(10)).client_max_window_bits(bits(11));
    for (config, response, holds) in [
        (FREE, "", (false, false, 15, 15)),
        (FREE, "; server_no_context_takeover", (true, false, 15, 15)),
        (FREE, "; client_no_context_takeover", (false, true, 15, 15)),
        (FREE, "; server_max_window_bits=9", (false, false, 9, 15)),
        (FREE, "; client_max_window_bits=\"9\"", (false, false, 15, 9)),
        (FREE, "; client_max_window_bits=15; server_max_window_bits=15", (false, false, 15, 15)),
        // What the client does without being told.
        (small, "; server_max_window_bits=10", (false, false, 10, 11)),
        (small, "; server_max_window_bits=9; client_max_window_bits=10", (false, false, 9, 10)),
        (FREE.client_context(ContextTakeover::Forbidden), "", (false, true, 15, 15)),
        (LEAN, "; server_no_context_takeover", (true, true, 15, 15)),
    ] {
        let negotiated = agree(&[config], &[&format!("permessage-deflate{response}")]);
        assert_eq!(negotiated.map(|it| it.as_ref().map(summary)), Ok(Some(holds)), "{response}");
    }
    assert_eq!(agree(&[FREE], &[]), Ok(None), "the server declines");
}

#[test]
fn what_fails_a_client() {
    const PARAMETERS: HandshakeError = HandshakeError::Response(ResponseError::ExtensionParameters);
    const UNOFFERED: HandshakeError = HandshakeError::Response(ResponseError::UnexpectedExtension);
    let small = FREE.server_max_window_bits(bits(10)).client_max_window_bits(bits(11));
    for parameters in BAD {
        let response = format!("permessage-deflate{parameters}");
        assert_eq!(agree(&[FREE], &[&response]), Err(PARAMETERS), "{response}");
    }
    for (config, response, error) in [
        // Only an offer has it without a value (7.1.2.2).
        (FREE, "permessage-deflate; client_max_window_bits", PARAMETERS),
        // Not what was asked for.
        (small, "permessage-deflate", PARAMETERS),
        (small, "permessage-deflate; server_max_window_bits=11", PARAMETERS),
        (
            small,
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=12",
            PARAMETERS,
        ),
        (LEAN, "permessage-deflate", PARAMETERS),
        (LEAN, "permessage-deflate; client_no_context_takeover", PARAMETERS),
        // Another extension, or more than one.
        (FREE, "x", UNOFFERED),
        (FREE, "permessage-deflate, x", UNOFFERED),
        (FREE, "x, permessage-deflate", UNOFFERED),
        (FREE, "permessage-deflate, permessage-deflate", UNOFFERED),
        (
            FREE,
            "permessage-deflate;",
            HandshakeError::Head(HeadError::InvalidHeader("Sec-WebSocket-Extensions")),
        ),
    ] {
        assert_eq!(agree(&[config], &[response]), Err(error), "{response}");
    }
    assert_eq!(agree(&[FREE], &["permessage-deflate", "permessage-deflate"]), Err(UNOFFERED));
}

#[test]
fn a_response_may_answer_any_of_the_offers() {
    let offers = [FREE.server_max_window_bits(bits(10)), FREE];
    for (response, server_bits) in
        [("; server_max_window_bits=10", 10), ("", 15), ("; server_max_window_bits=12", 12)]
    {
        let negotiated =
            agree(&offers, &[&format!("permessage-deflate{response}")]).unwrap().unwrap();
        assert_eq!(negotiated.server_max_window_bits(), server_bits, "{response}");
    }
}

/// The examples of RFC 7692, 7.1.3, and how each end of this crate understands them.
#[test]
fn the_examples_of_section_7_1_3() {
    for (offer, response) in [
        ("permessage-deflate", "permessage-deflate"),
        (
            "permessage-deflate; client_max_window_bits; server_max_window_bits=10",
            "permessage-deflate; server_max_window_bits=10",
        ),
        (
            "permessage-deflate; client_max_window_bits; server_max_window_bits=10, \
             permessage-deflate; client_max_window_bits",
            "permessage-deflate; server_max_window_bits=10",
        ),
    ] {
        assert_eq!(answer(FREE, &[offer]).unwrap().unwrap().0, response);
    }
}

/// Row 17 of the ways in which others were broken: `max_window_bits` that was not checked.
#[test]
fn row_17_window_bits_out_of_range_are_declined_or_fail_the_handshake() {
    for side in ["server", "client"] {
        for value in
            (0..300).map(|it| it.to_string()).chain(["-9".into(), "1e1".into(), "9".repeat(400)])
        {
            let parameter = format!("permessage-deflate; {side}_max_window_bits={value}");
            let valid = matches!(value.as_str(), "9" | "10" | "11" | "12" | "13" | "14" | "15");
            let server_accepts = valid || (side == "client" && value == "8");
            assert_eq!(
                answer(FREE, &[&parameter]).unwrap().is_some(),
                server_accepts,
                "{parameter}"
            );
            let agreed = agree(&[FREE], &[&parameter]);
            assert_eq!(agreed.is_ok(), valid || value == "8", "{parameter}");
        }
    }
}

/// Row 18: a client that trusts what the server chooses.
#[test]
fn row_18_an_extension_that_was_not_offered_fails_the_handshake() {
    for response in ["permessage-deflate", "permessage-deflate; client_max_window_bits=9", "x"] {
        assert_eq!(
            agree(&[], &[response]),
            Err(HandshakeError::Response(ResponseError::UnexpectedExtension)),
            "{response}"
        );
    }
}

#[test]
fn there_are_limits_for_offers_and_parameters() {
    let offers = vec!["permessage-deflate; x"; 31].join(", ") + ", permessage-deflate";
    assert!(answer(FREE, &[&offers]).unwrap().is_some());
    let offers = format!("x, {offers}");
    assert_eq!(
        answer(FREE, &[&offers]),
        Err(HandshakeError::Head(HeadError::TooManyExtensions { limit: 32 }))
    );
    let offer = format!("permessage-deflate{}", "; x".repeat(33));
    assert_eq!(
        answer(FREE, &[&offer]),
        Err(HandshakeError::Head(HeadError::TooManyExtensions { limit: 32 }))
    );
    assert_eq!(HandshakeError::Head(HeadError::TooManyExtensions { limit: 32 }).status(), 431);
}

#[test]
fn another_answers_choice_fills_in_where_there_is_none() {
    let default = Answer::new().deflate(LEAN);
    assert_eq!(Answer::new().or_deflate_of(&default), default);
    let own = Answer::new().deflate(FREE);
    assert_eq!(own.clone().or_deflate_of(&default), own);
    assert_eq!(own.clone().or_deflate_of(&Answer::new()), own);
    // Nothing but the choice of permessage-deflate is taken over.
    let chat = default.clone().subprotocol("chat").header("X", "y");
    assert_eq!(Answer::new().or_deflate_of(&chat), default);
}

#[test]
fn what_was_set_for_compression_is_what_was_negotiated() {
    let config = DeflateConfig::server().level(DeflateLevel::Fast).threshold(77);
    let negotiated = config.as_negotiated();
    assert_eq!((negotiated.level(), negotiated.threshold()), (DeflateLevel::Fast, 77));
    let connection = Established::after_handshake(Role::Server, None)
        .with_deflate(negotiated)
        .connection_with(&Config::new(), FixedKey);
    let text = format!("{connection:?}");
    for part in ["Inflate", "takeover", "in_use: false"] {
        assert!(text.contains(part), "{text} does not have {part}");
    }
}
