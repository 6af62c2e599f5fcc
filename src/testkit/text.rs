//! What the text forms share: words of the form `key=value`.

/// A piece of text that means nothing where it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{piece}` is not understood")]
pub struct NotUnderstood {
    /// The piece.
    pub piece: String,
}

impl NotUnderstood {
    pub(super) fn new(piece: &str) -> NotUnderstood {
        NotUnderstood { piece: piece.to_owned() }
    }
}

/// The words of `text`, cut at their `=`.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = Result<(&str, &str), NotUnderstood>> {
    text.split_whitespace().map(|word| word.split_once('=').ok_or_else(|| NotUnderstood::new(word)))
}

/// A decimal number.
pub(super) fn number(text: &str) -> Result<u64, NotUnderstood> {
    text.parse().map_err(|_| NotUnderstood::new(text))
}
