//! Mutations that know what a head is made of: lines, names, values, lists.

use crate::feed::Random;

/// Changes the head in `data[..size]` in one to three places: the new size, at most `most`. `lines`
/// are header lines to draw from. `None` if the head is better mutated byte by byte.
pub fn mutate(
    data: &mut [u8],
    size: usize,
    most: usize,
    seed: u32,
    lines: &[&str],
) -> Option<usize> {
    let mut random = Random(seed.into());
    if random.next().is_multiple_of(3) {
        return None;
    }
    let text = data.get(..size)?;
    // What follows the head stays as it is.
    let end = text.windows(4).position(|it| it == b"\r\n\r\n").map_or(size, |at| at + 2);
    let (head, behind) = text.split_at(end);
    let mut head: Vec<Vec<u8>> = split(head);
    for _ in 0..=random.next() % 3 {
        change(&mut head, &mut random, lines);
    }
    let mut changed = head.join(&b"\r\n"[..]);
    changed.extend_from_slice(b"\r\n");
    changed.extend_from_slice(behind);
    let length = changed.len();
    let place = data.get_mut(..length).filter(|_| length <= most)?;
    place.copy_from_slice(&changed);
    Some(length)
}

fn split(head: &[u8]) -> Vec<Vec<u8>> {
    let text: String = head.iter().map(|byte| char::from(*byte)).collect();
    let lines = text.trim_end_matches("\r\n").split("\r\n");
    lines.map(|line| line.chars().map(|it| it as u8).collect()).collect()
}

fn change(head: &mut Vec<Vec<u8>>, random: &mut Random, lines: &[&str]) {
    let mut draw = |n: usize| (random.next() % n.max(1) as u64) as usize;
    let (at, other) = (draw(head.len()), draw(head.len()));
    let line = lines[draw(lines.len())].as_bytes().to_vec();
    let value = |line: &[u8]| line.iter().position(|byte| *byte == b':').map_or(0, |it| it + 1);
    match draw(12) {
        // A line more, twice, elsewhere, away, instead.
        0 | 1 => head.insert(at.max(1).min(head.len()), line),
        2 => head.insert(at, head[at].clone()),
        3 => head.swap(at, other),
        4 if head.len() > 1 => drop(head.remove(at)),
        5 => head[at] = line,
        // The name of one with the value of another.
        6 => {
            let name = value(&head[at]);
            let new = [&head[at][..name], &line[value(&line)..]].concat();
            head[at] = new;
        }
        // Another element of a list, before or behind.
        7 => {
            head[at].extend(b", ");
            head[at].extend(&line[value(&line)..]);
        }
        // Another case.
        8 => {
            for byte in &mut head[at] {
                if draw(3) == 0 {
                    *byte ^= if byte.is_ascii_alphabetic() { 0x20 } else { 0 };
                }
            }
        }
        // A list on two lines.
        9 => {
            let Some(comma) = head[at].iter().position(|byte| *byte == b',') else { return };
            let name = value(&head[at]);
            let rest = head[at].split_off(comma.max(name));
            let line = [&head[at][..name], rest.get(1..).unwrap_or_default()].concat();
            head.insert(at + 1, line);
        }
        // A byte that separates, where there may be one or not.
        _ => {
            let bytes = b" \t,;:=\"\\\r\n\0/?#@[]%\x7f\x80\xff";
            let place = draw(head[at].len() + 1);
            head[at].insert(place, bytes[draw(bytes.len())]);
        }
    }
}
