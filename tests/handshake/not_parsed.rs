//! Without the feature `http` there is nothing to compare with.

use sansock::handshake::{
    Answer, Established, HandshakeError, Offer, Rejection, Request, UsageError,
};

pub(crate) fn same_request(_: &[u8], _: Result<Request<'_>, &HandshakeError>) {}

pub(crate) fn same_answer(_: &[u8], _: &Answer, _: &Result<Established, HandshakeError>, _: &[u8]) {
}

pub(crate) fn same_rejection(_: &[u8], _: &Rejection, _: &Result<Vec<u8>, UsageError>) {}

pub(crate) fn same_offer(_: &Offer, _: Result<&[u8], &UsageError>) {}

pub(crate) fn same_verification(_: &[u8], _: &Offer, _: &Result<Established, HandshakeError>) {}
