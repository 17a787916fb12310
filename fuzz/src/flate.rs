//! DEFLATE by a plain reading of RFC 1951: the judge of what sansock inflates. It decodes bit by bit
//! and from the start each time, and shares no code with zlib.

/// What comes out of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inflated {
    /// The output so far.
    pub output: Vec<u8>,
    /// Why it stopped.
    pub stop: Stop,
}

/// Why decoding stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// All bits are used up, inside a block.
    NeedsBits,
    /// All bits are used up, and the last block has ended with a byte.
    Between,
    /// A final block has ended; the bytes that it and those before it took.
    Final(usize),
    /// The bits are wrong.
    Wrong,
}

/// Decodes a stream from its start, up to a final block or the end of the bytes. No more than `most`
/// bytes and one copy come out.
pub fn inflate(bytes: &[u8], most: usize) -> Inflated {
    let mut decoder = Decoder { bits: Bits { bytes, at: 0 }, output: Vec::new(), most };
    let stop = loop {
        if decoder.bits.at == bytes.len() * 8 {
            break Stop::Between;
        }
        match decoder.block() {
            Ok(false) => {}
            Ok(true) => break Stop::Final(decoder.bits.at.div_ceil(8)),
            Err(stop) => break stop,
        }
    };
    Inflated { output: decoder.output, stop }
}

struct Bits<'b> {
    bytes: &'b [u8],
    /// In bits.
    at: usize,
}

impl Bits<'_> {
    fn bit(&mut self) -> Result<usize, Stop> {
        let byte = *self.bytes.get(self.at / 8).ok_or(Stop::NeedsBits)?;
        let bit = byte >> (self.at % 8) & 1;
        self.at += 1;
        Ok(bit.into())
    }

    /// A number, its lowest bit first.
    fn number(&mut self, width: usize) -> Result<usize, Stop> {
        (0..width).try_fold(0, |sum, i| Ok(sum | self.bit()? << i))
    }
}

/// A Huffman code (3.2.2): how many symbols have each length, and the symbols, ordered by length.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    /// From the length of each symbol, 0 if it is not used. What zlib takes beside complete codes:
    /// none at all, and one symbol of one bit, where the other bit is an error when it comes.
    fn new(lengths: &[usize], may_lack: bool) -> Result<Self, Stop> {
        let mut counts = [0; 16];
        let mut symbols: Vec<usize> = (0..lengths.len()).filter(|it| lengths[*it] > 0).collect();
        symbols.sort_by_key(|symbol| lengths[*symbol]);
        for symbol in &symbols {
            counts[lengths[*symbol]] += 1;
        }
        let taken: usize = (1..16).map(|length| counts[length] << (15 - length)).sum();
        let longest = (1..16).rev().find(|length| counts[*length] > 0).unwrap_or(0);
        let allowed = longest == 0 || (may_lack && longest == 1);
        if taken > 1 << 15 || (taken < 1 << 15 && !allowed) {
            return Err(Stop::Wrong);
        }
        Ok(Self { counts, symbols })
    }

    fn symbol(&self, bits: &mut Bits<'_>) -> Result<usize, Stop> {
        // The code so far, the first code of its length, and the symbols that are shorter.
        let (mut code, mut first, mut shorter) = (0, 0, 0);
        for count in &self.counts[1..] {
            code = code << 1 | bits.bit()?;
            first <<= 1;
            if code < first + count {
                return Ok(self.symbols[shorter + code - first]);
            }
            (first, shorter) = (first + count, shorter + count);
            // No code is longer, so no more bits are looked at.
            if shorter == self.symbols.len() {
                break;
            }
        }
        Err(Stop::Wrong)
    }
}

struct Decoder<'b> {
    bits: Bits<'b>,
    output: Vec<u8>,
    most: usize,
}

impl Decoder<'_> {
    /// A block: whether it is the final one (3.2.3).
    fn block(&mut self) -> Result<bool, Stop> {
        let last = self.bits.bit()? == 1;
        match self.bits.number(2)? {
            0 => self.stored()?,
            1 => {
                let lengths: Vec<usize> = (0..288)
                    .map(|symbol| match symbol {
                        0..144 => 8,
                        144..256 => 9,
                        256..280 => 7,
                        _ => 8,
                    })
                    .collect();
                self.compressed(&Code::new(&lengths, false)?, &Code::new(&[5; 32], false)?)?;
            }
            2 => {
                let (literals, distances) = self.codes()?;
                self.compressed(&literals, &distances)?;
            }
            _ => return Err(Stop::Wrong),
        }
        Ok(last)
    }

    /// 3.2.4
    fn stored(&mut self) -> Result<(), Stop> {
        self.bits.at = self.bits.at.next_multiple_of(8);
        let length = self.bits.number(16)?;
        let complement = self.bits.number(16)?;
        if length != complement ^ 0xffff {
            return Err(Stop::Wrong);
        }
        for _ in 0..length {
            let byte = self.bits.number(8)?;
            self.put(byte as u8)?;
        }
        Ok(())
    }

    /// 3.2.7
    fn codes(&mut self) -> Result<(Code, Code), Stop> {
        const ORDER: [usize; 19] =
            [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
        let literals = self.bits.number(5)? + 257;
        let distances = self.bits.number(5)? + 1;
        let count = self.bits.number(4)? + 4;
        if literals > 286 || distances > 30 {
            return Err(Stop::Wrong);
        }
        let mut lengths = [0; 19];
        for symbol in &ORDER[..count] {
            lengths[*symbol] = self.bits.number(3)?;
        }
        let code = Code::new(&lengths, false)?;
        let mut lengths: Vec<usize> = Vec::new();
        while lengths.len() < literals + distances {
            // zlib takes each bit for a length of 0 if there is no code, and fails for the lack of an
            // end below, when all have come.
            let symbol = if code.symbols.is_empty() {
                self.bits.bit().map(|_| 0)?
            } else {
                code.symbol(&mut self.bits)?
            };
            let (length, times) = match symbol {
                16 => (*lengths.last().ok_or(Stop::Wrong)?, 3 + self.bits.number(2)?),
                17 => (0, 3 + self.bits.number(3)?),
                18 => (0, 11 + self.bits.number(7)?),
                length => (length, 1),
            };
            lengths.extend(std::iter::repeat_n(length, times));
        }
        // Without an end of the block there is none.
        if lengths.len() > literals + distances || lengths[256] == 0 {
            return Err(Stop::Wrong);
        }
        let (literals, distances) = lengths.split_at(literals);
        Ok((Code::new(literals, true)?, Code::new(distances, true)?))
    }

    /// 3.2.5
    fn compressed(&mut self, literals: &Code, distances: &Code) -> Result<(), Stop> {
        loop {
            let symbol = literals.symbol(&mut self.bits)?;
            let length = match symbol {
                0..256 => {
                    self.put(symbol as u8)?;
                    continue;
                }
                256 => return Ok(()),
                257..265 => symbol - 254,
                265..285 => {
                    let extra = (symbol - 261) / 4;
                    let base = ((symbol - 261) % 4 + 4) << extra;
                    base + 3 + self.bits.number(extra)?
                }
                285 => 258,
                _ => return Err(Stop::Wrong),
            };
            let symbol = distances.symbol(&mut self.bits)?;
            let distance = match symbol {
                0..4 => symbol + 1,
                4..30 => {
                    let extra = symbol / 2 - 1;
                    ((symbol % 2 + 2) << extra) + 1 + self.bits.number(extra)?
                }
                _ => return Err(Stop::Wrong),
            };
            let start = self.output.len().checked_sub(distance).ok_or(Stop::Wrong)?;
            for i in 0..length {
                self.put(self.output[start + i])?;
            }
        }
    }

    fn put(&mut self, byte: u8) -> Result<(), Stop> {
        if self.output.len() > self.most {
            return Err(Stop::NeedsBits);
        }
        self.output.push(byte);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7692, 7.2.3: "Hello" in one block, with a final block, twice, stored, and in two.
    #[test]
    fn the_examples_of_rfc_7692() {
        for (bytes, output, stop) in [
            (&b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff"[..], "Hello", Stop::Between),
            (b"\xf2\x00\x11\x00\x00\x00\x00\xff\xff", "H", Stop::Wrong),
            (
                b"\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00\x00\x00\xff\xff",
                "Hello",
                Stop::Between,
            ),
            (b"\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "Hello", Stop::Final(7)),
            (b"\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", "Hello", Stop::NeedsBits),
            (
                b"\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff\xf2\x00\x11\x00\x00\x00\x00\xff\xff",
                "HelloHello",
                Stop::Between,
            ),
            (b"\x07", "", Stop::Wrong),
        ] {
            let inflated = inflate(bytes, 100);
            assert_eq!((inflated.output, inflated.stop), (output.into(), stop), "{bytes:x?}");
        }
    }
}
