//! Reads a response: the head of one that accepts, and a part of the body of one that refuses.

use crate::buffer::ReceiveBuffer;

use super::body::BodyReader;
use super::error::HandshakeError;
use super::fields::Headers;
use super::head::{Head, HeadReader};
use super::limits::HeadLimits;
use super::response::Response;
use super::status_line::StatusLine;

/// Takes a response out of the receive buffer, after the interim responses before it.
#[derive(Clone, Debug)]
pub(crate) struct ResponseReader {
    limits: HeadLimits,
    head: HeadReader<StatusLine>,
    /// The response that refuses, while its body is being read.
    refused: Option<(Box<Response>, BodyReader)>,
}

/// A response that has arrived.
#[derive(Debug)]
pub(crate) enum Reply {
    /// What follows the head is no body.
    Accepted(Head<StatusLine>),
    /// With the body, as far as it is kept.
    Refused(Box<Response>),
}

impl ResponseReader {
    pub(crate) const fn new(limits: HeadLimits) -> Self {
        Self { limits, head: HeadReader::new(limits), refused: None }
    }

    /// Takes what has arrived. Returns `None` if more is needed. `accepts` says which statuses
    /// accept the request.
    pub(crate) fn advance(
        &mut self,
        input: &mut ReceiveBuffer,
        accepts: impl Fn(u16) -> bool,
    ) -> Result<Option<Reply>, HandshakeError> {
        while self.refused.is_none() {
            let Some(head) = self.head.advance(input)? else { return Ok(None) };
            match head.start_line.status {
                status if accepts(status) => return Ok(Some(Reply::Accepted(head))),
                // "A client MUST be able to parse one or more 1xx responses received prior to a
                // final response, even if the client does not expect one." (RFC 9110, 15.2) After
                // 101 comes another protocol, and no other response.
                100 | 102..=199 => {}
                status => {
                    let headers = Headers::new(&head.fields);
                    let body = BodyReader::new(status, headers, self.limits.body);
                    self.refused = Some((Box::new(head.into()), body));
                }
            }
        }
        let is_complete = self.refused.as_mut().is_some_and(|(_, body)| body.advance(input));
        Ok(if is_complete { self.take_refusal().map(Reply::Refused) } else { None })
    }

    /// Returns the response that refuses, with what has arrived of its body.
    pub(crate) fn take_refusal(&mut self) -> Option<Box<Response>> {
        let (mut response, mut body) = self.refused.take()?;
        response.set_body(body.take());
        Some(response)
    }
}
