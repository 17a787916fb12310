//! A second inflater, as RFC 1951 reads, that also tells how far back it was referred.

/// Codes of a Huffman tree: how many have each length, and the symbols in the order of their codes.
struct Tree {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Tree {
    fn new(lengths: &[usize]) -> Self {
        let mut counts = [0; 16];
        for length in lengths {
            counts[*length] += 1;
        }
        counts[0] = 0;
        let mut symbols: Vec<usize> = (0..lengths.len()).filter(|it| lengths[*it] > 0).collect();
        symbols.sort_by_key(|it| lengths[*it]);
        Self { counts, symbols }
    }
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> usize {
        (0..count).fold(0, |value, i| value | self.bit() << i)
    }

    fn bit(&mut self) -> usize {
        let bit = self.bytes[self.at / 8] >> (self.at % 8) & 1;
        self.at += 1;
        usize::from(bit)
    }

    fn symbol(&mut self, tree: &Tree) -> usize {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for length in 1..16 {
            code |= self.bit();
            let count = tree.counts[length];
            if code < first + count {
                return tree.symbols[index + code - first];
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        unreachable!("no such code")
    }
}

const LENGTHS: [usize; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
    163, 195, 227, 258,
];
const DISTANCES: [usize; 30] = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537,
    2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
];

/// Inflates a message's payload behind `output`, all earlier messages: the largest distance.
pub(crate) fn inflate(payload: &[u8], output: &mut Vec<u8>) -> usize {
    let bytes = [payload, &[0, 0, 0xFF, 0xFF]].concat();
    let mut bits = Bits { bytes: &bytes, at: 0 };
    let mut farthest = 0;
    while bits.at.div_ceil(8) < bytes.len() {
        assert_eq!(bits.bit(), 0, "not the final block");
        match bits.take(2) {
            0 => {
                let at = bits.at.div_ceil(8);
                let length = usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
                assert_eq!(bytes[at + 2..at + 4], [!bytes[at], !bytes[at + 1]]);
                output.extend(&bytes[at + 4..at + 4 + length]);
                bits.at = (at + 4 + length) * 8;
            }
            1 => {
                let lengths: Vec<usize> = (0..288)
                    .map(|it| match it {
                        144..=255 => 9,
                        256..=279 => 7,
                        _ => 8,
                    })
                    .collect();
                let trees = (Tree::new(&lengths), Tree::new(&[5; 30]));
                farthest = farthest.max(block(&mut bits, &trees, output));
            }
            _ => {
                let trees = dynamic(&mut bits);
                farthest = farthest.max(block(&mut bits, &trees, output));
            }
        }
    }
    farthest
}

fn dynamic(bits: &mut Bits<'_>) -> (Tree, Tree) {
    let (literals, distances, codes) = (bits.take(5) + 257, bits.take(5) + 1, bits.take(4) + 4);
    let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    let mut lengths = [0; 19];
    order.iter().take(codes).for_each(|it| lengths[*it] = bits.take(3));
    let tree = Tree::new(&lengths);
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (value, repeats) = match bits.symbol(&tree) {
            16 => (lengths[lengths.len() - 1], 3 + bits.take(2)),
            17 => (0, 3 + bits.take(3)),
            18 => (0, 11 + bits.take(7)),
            length => (length, 1),
        };
        lengths.extend(std::iter::repeat_n(value, repeats));
    }
    (Tree::new(&lengths[..literals]), Tree::new(&lengths[literals..]))
}

fn block(bits: &mut Bits<'_>, trees: &(Tree, Tree), output: &mut Vec<u8>) -> usize {
    let mut farthest = 0;
    loop {
        match bits.symbol(&trees.0) {
            literal @ 0..=255 => output.push(u8::try_from(literal).unwrap()),
            256 => return farthest,
            symbol => {
                let code = symbol - 257;
                let extra = if (8..28).contains(&code) { code / 4 - 1 } else { 0 };
                let length = LENGTHS[code] + bits.take(extra);
                let code = bits.symbol(&trees.1);
                let distance = DISTANCES[code] + bits.take((code / 2).saturating_sub(1));
                farthest = farthest.max(distance);
                (0..length).for_each(|_| output.push(output[output.len() - distance]));
            }
        }
    }
}
