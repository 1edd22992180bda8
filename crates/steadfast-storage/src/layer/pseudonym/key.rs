//! The keys that make a pseudonym of a user id.

use std::fmt;
use std::path::Path;

use blake3::Hash;

/// So many bytes have a key.
const BYTES: usize = 32;

/// A secret of 32 bytes. Whoever has it can tell whether a pseudonym is a given user's; nobody can without. It is never
/// printed.
#[derive(Clone, PartialEq, Eq)]
pub struct PseudonymKey([u8; BYTES]);

/// Why there is no key. It does not say what was there instead, which may be one but for a letter.
#[derive(Debug)]
pub enum PseudonymKeyError {
    /// The text is neither 64 hexadecimal digits nor 32 bytes in Base64.
    NotAKey,
    /// The file cannot be read.
    Unreadable(std::io::Error),
}

impl PseudonymKey {
    /// The key of these bytes, which must be chosen by chance.
    #[must_use]
    pub fn from_bytes(bytes: [u8; BYTES]) -> PseudonymKey {
        PseudonymKey(bytes)
    }

    /// Reads a key: 64 hexadecimal digits, or 32 bytes in Base64, of either alphabet, with or without `=` at its end.
    /// Blanks around it count for nothing.
    ///
    /// # Errors
    /// When it is neither.
    pub fn from_text(text: &str) -> Result<PseudonymKey, PseudonymKeyError> {
        let text = text.trim();
        let bytes = if text.len() == 2 * BYTES {
            Hash::from_hex(text).ok().map(Hash::into)
        } else {
            base64(text.strip_suffix('=').unwrap_or(text))
        };
        bytes.map(PseudonymKey).ok_or(PseudonymKeyError::NotAKey)
    }

    /// Reads a key from a file: its 32 bytes as they are, or a text as in [`from_text`](Self::from_text).
    ///
    /// # Errors
    /// When the file cannot be read, or is neither.
    pub fn from_file(path: impl AsRef<Path>) -> Result<PseudonymKey, PseudonymKeyError> {
        let content = std::fs::read(path).map_err(PseudonymKeyError::Unreadable)?;
        if let Ok(bytes) = <[u8; BYTES]>::try_from(content.as_slice()) {
            return Ok(PseudonymKey(bytes));
        }
        std::str::from_utf8(&content).map_err(|_| PseudonymKeyError::NotAKey).and_then(PseudonymKey::from_text)
    }

    /// The pseudonym of a user.
    pub(super) fn hash(&self, user: &str) -> Hash {
        blake3::keyed_hash(&self.0, user.as_bytes())
    }
}

/// The bytes of 43 digits in Base64, if they are such, and the last of them says nothing beyond the bytes.
fn base64(text: &str) -> Option<[u8; BYTES]> {
    const DIGITS: usize = (BYTES * 8).div_ceil(6);
    if text.len() != DIGITS {
        return None;
    }
    let mut bytes = [0; BYTES];
    let (mut place, mut bits, mut held) = (0, 0_u32, 0);
    for digit in text.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            *bytes.get_mut(place)? = (bits >> held) as u8;
            bits &= (1 << held) - 1;
            place += 1;
        }
    }
    (bits == 0).then_some(bytes)
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PseudonymKey(…)")
    }
}

impl fmt::Display for PseudonymKeyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PseudonymKeyError::NotAKey => formatter.write_str(
                "this is no key: give 32 bytes by chance, as 64 hexadecimal digits or in Base64, such as `openssl rand -hex 32` makes them",
            ),
            PseudonymKeyError::Unreadable(_) => {
                formatter.write_str("the file of the key cannot be read: see that it is there, and readable")
            }
        }
    }
}

impl std::error::Error for PseudonymKeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            PseudonymKeyError::NotAKey => None,
            PseudonymKeyError::Unreadable(error) => Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff";

    fn key() -> PseudonymKey {
        let mut bytes: [u8; BYTES] = std::array::from_fn(|place| place as u8);
        bytes[31] = 255;
        PseudonymKey::from_bytes(bytes)
    }

    #[test]
    fn a_key_is_read_in_every_form() {
        let base64 = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=";
        let forms = [HEX, &HEX.to_uppercase(), base64, &base64[..43], &format!("  {HEX}\r\n"), &format!("{base64}\n")];
        for form in forms {
            assert_eq!(PseudonymKey::from_text(form).unwrap(), key(), "{form}");
        }
        let slashed = PseudonymKey::from_text("//////////////////////////////////////////8=").unwrap();
        assert_eq!(PseudonymKey::from_text(&format!("{}8", "_".repeat(42))).unwrap(), slashed);
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_repeated() {
        for wrong in
            ["", "secret", &HEX[1..], &format!("g{}", &HEX[1..]), &"A".repeat(42), &format!("{}9", "_".repeat(42))]
        {
            let error = PseudonymKey::from_text(wrong).unwrap_err();
            assert!(wrong.is_empty() || !format!("{error} {error:?}").contains(wrong), "{wrong}");
        }
        assert_eq!(format!("{:?}", key()), "PseudonymKey(…)");
    }

    #[test]
    fn a_key_is_read_from_a_file() {
        let path = std::env::temp_dir().join(format!("steadfast-key-{}", std::process::id()));
        for content in [key().0.as_slice(), HEX.as_bytes(), format!("{HEX}\n").as_bytes()] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(PseudonymKey::from_file(&path).unwrap(), key());
        }
        std::fs::write(&path, [255; 31]).unwrap();
        assert!(matches!(PseudonymKey::from_file(&path), Err(PseudonymKeyError::NotAKey)));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(PseudonymKey::from_file(&path), Err(PseudonymKeyError::Unreadable(_))));
    }

    #[test]
    fn a_pseudonym_is_the_keyed_hash_of_the_id() {
        // The first of BLAKE3's own test vectors: no input, under this key.
        let key = PseudonymKey::from_bytes(*b"whats the Elvish word for friend");
        let expected = "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26";
        assert_eq!(key.hash("").to_hex().as_str(), expected);
    }
}
