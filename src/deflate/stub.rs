//! The types of `deflate` without the feature `deflate`: they have no values, so the code that
//! handles them is removed by the compiler.
#![expect(clippy::trivially_copy_pass_by_ref, reason = "the real ones are larger")]

use std::convert::Infallible;

use crate::config::Role;

pub(crate) const NAME: &str = "permessage-deflate";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeflateConfig {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NegotiatedDeflate {}

/// Not boxed: a box would have a size, and the compiler would not know that there is none.
pub(crate) type Boxed<T> = T;

pub(crate) const fn boxed<T>(it: T) -> Boxed<T> {
    it
}

#[derive(Debug)]
pub(crate) enum Inflate {}

#[derive(Debug)]
pub(crate) enum Deflate {}

#[derive(Clone, Debug)]
pub(crate) enum SharedDeflate {}

impl SharedDeflate {
    pub(crate) fn len(&self) -> usize {
        match *self {}
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum InvalidDeflate {}

impl InvalidDeflate {
    pub(crate) const fn made(self) -> usize {
        match self {}
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    pub(crate) taken: usize,
    pub(crate) made: usize,
}

impl DeflateConfig {
    pub(crate) fn offer(&self) -> Infallible {
        match *self {}
    }

    pub(crate) fn accept<'h, V: Iterator<Item = u8>>(
        &self,
        _: impl Iterator<Item = (&'h [u8], Option<V>)>,
    ) -> Option<(Infallible, NegotiatedDeflate)> {
        match *self {}
    }

    pub(crate) fn agree<'h, V: Iterator<Item = u8>>(
        &self,
        _: impl Iterator<Item = (&'h [u8], Option<V>)>,
    ) -> Option<NegotiatedDeflate> {
        match *self {}
    }
}

impl NegotiatedDeflate {
    pub(crate) fn inflate(&self, _: Role) -> Inflate {
        match *self {}
    }

    pub(crate) fn deflate(&self, _: Role) -> Option<Deflate> {
        match *self {}
    }
}

impl Inflate {
    pub(crate) fn inflate(
        &mut self,
        _: &[u8],
        _: bool,
        _: &mut [u8],
    ) -> Result<Progress, InvalidDeflate> {
        match *self {}
    }

    pub(crate) fn end_message(&mut self) {
        match *self {}
    }
}

impl Deflate {
    pub(crate) const EMPTY: u8 = 0;

    pub(crate) fn threshold(&self) -> usize {
        match *self {}
    }

    pub(crate) fn can_send_uncompressed(&self) -> bool {
        match *self {}
    }

    pub(crate) fn deflate(&mut self, _: &[u8], _: &mut [u8]) -> Progress {
        match *self {}
    }

    pub(crate) fn without_tail(made: &[u8]) -> usize {
        made.len()
    }

    pub(crate) fn end_message(&mut self) {
        match *self {}
    }

    pub(crate) fn shared<'m>(&mut self, _: &'m SharedDeflate) -> Option<&'m [u8]> {
        match *self {}
    }
}
