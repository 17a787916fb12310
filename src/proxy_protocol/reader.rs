//! Reads a header, in whatever pieces it arrives.

use super::binary::{FIXED, Fixed, SIGNATURE};
use super::error::ProxyProtocolError as Error;
use super::header::ProxyHeader;
use super::line::{self, LONGEST, PREFIX, SHORTEST};

/// Reads the header at the begin of a connection, and not a byte more: what follows is for TLS or
/// for the opening handshake.
///
/// ```
/// use sansock::proxy_protocol::HeaderReader;
/// use std::io::Read;
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut transport = &b"PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\nGET / HTTP/1.1\r\n"[..];
/// let mut reader = HeaderReader::new(4096);
/// let header = loop {
///     let mut bytes = [0; 64];
///     let most = reader.wants().min(bytes.len());
///     let n = transport.read(&mut bytes[..most])?;
///     // `n == 0` would be the end of the connection.
///     if let Some(header) = reader.read(&bytes[..n])? {
///         break header;
///     }
/// };
/// assert_eq!(header.source(), Some("192.0.2.1:56324".parse()?));
/// assert_eq!(transport, b"GET / HTTP/1.1\r\n");
/// # Ok(()) }
/// # example().unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct HeaderReader {
    bytes: Vec<u8>,
    max_header: usize,
}

impl HeaderReader {
    /// Creates a reader for one header of at most this many bytes.
    #[must_use]
    pub const fn new(max_header: usize) -> Self {
        Self { bytes: Vec::new(), max_header }
    }

    /// Returns how many bytes to read next, at most: none of them can lie behind the header.
    #[must_use]
    pub fn wants(&self) -> usize {
        let end = match &*self.bytes {
            // Both versions have as many.
            bytes if bytes.len() < SHORTEST => SHORTEST,
            bytes if is_binary(bytes) => self.binary_length().unwrap_or(FIXED),
            // The line may end with the next byte, or with the one behind it.
            bytes => {
                let missing = if bytes.ends_with(b"\r") { 1 } else { 2 };
                bytes.len().saturating_add(missing).min(LONGEST)
            }
        };
        end.saturating_sub(self.bytes.len())
    }

    /// Takes bytes that have arrived, [as many as it wants](Self::wants) or fewer. Returns the
    /// header once it is complete.
    ///
    /// # Errors
    ///
    /// [`ProxyProtocolError`](Error), as soon as the bytes that have arrived show it.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Option<ProxyHeader>, Error> {
        self.bytes.extend_from_slice(bytes);
        if is_binary(&self.bytes) {
            return self.read_binary();
        }
        let prefix = self.bytes.len().min(PREFIX.len());
        if self.bytes.get(..prefix) != PREFIX.get(..prefix) {
            return Err(Error::Missing);
        }
        match self.bytes.iter().position(|byte| *byte == b'\n') {
            Some(_) => {
                let line = self.bytes.strip_suffix(b"\r\n").ok_or(Error::Line)?;
                line::parse(line).map(Some)
            }
            None if self.bytes.len() >= LONGEST => Err(Error::LineTooLong),
            None => Ok(None),
        }
    }

    fn read_binary(&self) -> Result<Option<ProxyHeader>, Error> {
        let Some((_, fixed)) = self.bytes.split_first_chunk::<12>() else { return Ok(None) };
        let Some((fixed, rest)) = fixed.split_first_chunk() else { return Ok(None) };
        let fixed = Fixed::parse(*fixed)?;
        // Before memory is taken for it.
        if fixed.rest.saturating_add(FIXED) > self.max_header {
            return Err(Error::TooLong(self.max_header));
        }
        if rest.len() < fixed.rest {
            return Ok(None);
        }
        fixed.header(&self.bytes, rest).map(Some)
    }

    /// The length of a binary header, once it is known.
    fn binary_length(&self) -> Option<usize> {
        let (_, fixed) = self.bytes.split_first_chunk::<12>()?;
        let fixed = Fixed::parse(*fixed.first_chunk()?).ok()?;
        fixed.rest.checked_add(FIXED)
    }
}

/// Whether the bytes are those of the signature, as far as they go. No line begins so.
fn is_binary(bytes: &[u8]) -> bool {
    let known = bytes.len().min(SIGNATURE.len());
    known > 0 && bytes.get(..known) == SIGNATURE.get(..known)
}
