//! Texts of any length.

/// Characters of one byte.
pub(crate) const ASCII: &str = "There is nothing here but plain words, 12,345 of them. ";
/// Characters of one to four bytes.
pub(crate) const MIXED: &str = "Grüße, Γειά σου, Привет, こんにちは, 你好, 👋🏽 and hello. ";

/// `size` bytes of whole characters of the sample, and full stops.
pub(crate) fn text(sample: &str, size: usize) -> String {
    let mut text = String::with_capacity(size);
    for character in sample.chars().cycle() {
        if text.len() + character.len_utf8() > size {
            break;
        }
        text.push(character);
    }
    let rest = size - text.len();
    text.extend(std::iter::repeat_n('.', rest));
    text
}
