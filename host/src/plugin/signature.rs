//! Who stands behind a component: an Ed25519 signature in a custom section at its end.
//!
//! The section is `lapidary:signature`: a version byte, the public key, the signature. What is signed is the
//! SHA-256 of everything before it, which is also the component's digest, so that a signature changes neither the
//! digest nor the cached code. Bytes behind the section, or a changed one before it, break the signature.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};

use super::subject;
use crate::error::{Error, Result};

/// The section's header: a custom section, its length, and its name with a length.
const HEADER: &[u8; 21] = b"\x00\x74\x12lapidary:signature";
const VERSION: u8 = 1;
const KEY_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;
const SECTION_BYTES: usize = HEADER.len() + 1 + KEY_BYTES + SIGNATURE_BYTES;
/// Before the digest in what is signed, so that a signature means nothing elsewhere.
const PURPOSE: &[u8] = b"lapidary plugin 1\n";

/// A public key, as whoever trusts it writes it: `ed25519:` and 32 bytes in base64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Signer {
    key: [u8; KEY_BYTES],
}

/// A private key.
///
/// ```
/// use lapidary::{PluginKey, inspect};
///
/// let key = PluginKey::generate()?;
/// let signed = key.sign("calculator", lapidary_guests::TOOL_CALCULATOR)?;
/// assert_eq!(inspect("calculator", &signed)?.signer, Some(key.signer()));
/// # Ok::<(), lapidary::Error>(())
/// ```
pub struct PluginKey {
    key: SigningKey,
}

impl PluginKey {
    /// A new key, of the system's random numbers.
    ///
    /// # Errors
    /// `Io` when the system has none.
    pub fn generate() -> Result<Self> {
        let mut seed = [0; KEY_BYTES];
        SysRng.try_fill_bytes(&mut seed).map_err(|source| {
            Error::io("key", "the system gives no random numbers").with_source(source)
        })?;
        let key = SigningKey::from_bytes(&seed);
        Ok(Self { key })
    }

    /// Reads a key as PKCS #8 in PEM, as `openssl genpkey -algorithm ed25519` writes it too.
    ///
    /// # Errors
    /// `Invalid` for anything else.
    pub fn from_pem(text: &str) -> Result<Self> {
        let key = SigningKey::from_pkcs8_pem(text).map_err(|source| {
            let detail = "expected an Ed25519 key as PKCS #8 in PEM, found something else";
            Error::invalid("key", format!("{detail}: {source}"))
        })?;
        Ok(Self { key })
    }

    /// The key as [`PluginKey::from_pem`] reads it.
    ///
    /// # Errors
    /// None that is known; the encoder's are passed on as `Invalid`.
    pub fn to_pem(&self) -> Result<String> {
        let text = self.key.to_pkcs8_pem(LineEnding::LF);
        let text = text.map_err(|source| Error::invalid("key", source.to_string()))?;
        Ok(text.to_string())
    }

    /// Its public half.
    pub fn signer(&self) -> Signer {
        let key = self.key.verifying_key().to_bytes();
        Signer { key }
    }

    /// `component` with a signature, in place of one it had.
    ///
    /// # Errors
    /// `Invalid` and the like for what [`inspect`](crate::inspect) refuses: a signature would say nothing.
    pub fn sign(&self, name: &str, component: &[u8]) -> Result<Vec<u8>> {
        let (content, _) = split(component);
        super::info::inspect(name, content)?;
        let signature = self.key.sign(&message(content));
        let parts: [&[u8]; 5] = [
            content,
            HEADER,
            &[VERSION],
            &self.signer().key,
            &signature.to_bytes(),
        ];
        Ok(parts.concat())
    }
}

impl fmt::Debug for PluginKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PluginKey({})", self.signer())
    }
}

impl fmt::Display for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ed25519:{}", STANDARD.encode(self.key))
    }
}

impl FromStr for Signer {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bytes = text
            .strip_prefix("ed25519:")
            .and_then(|key| STANDARD.decode(key).ok());
        let key = bytes.and_then(|bytes| bytes.try_into().ok());
        key.map(|key| Self { key }).ok_or_else(|| {
            let detail = "expected ed25519: and 32 bytes in base64";
            Error::invalid(format!("signer {text:?}"), detail)
        })
    }
}

impl serde::Serialize for Signer {
    fn serialize<S: serde::Serializer>(
        &self,
        serializer: S,
    ) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Who signed a component; `None` where nobody did.
pub(super) fn signer(name: &str, component: &[u8]) -> Result<Option<Signer>> {
    let (content, Some(section)) = split(component) else {
        return Ok(None);
    };
    match read(content, section) {
        Some(signer) => Ok(Some(signer)),
        None => {
            let detail = "expected a signature that fits, found one that does not: it was changed after it was signed";
            Err(Error::invalid(subject(name), detail))
        }
    }
}

/// The component without its signature.
pub(super) fn content(component: &[u8]) -> &[u8] {
    split(component).0
}

/// What was signed, and the payload of the section.
fn split(component: &[u8]) -> (&[u8], Option<&[u8]>) {
    let at = component.len().saturating_sub(SECTION_BYTES);
    let (content, section) = component.split_at(at);
    match section.strip_prefix(HEADER) {
        Some(payload) => (content, Some(payload)),
        None => (component, None),
    }
}

/// The signer of `content`, if the section's signature is theirs.
fn read(content: &[u8], section: &[u8]) -> Option<Signer> {
    let (version, rest) = section.split_first()?;
    let (key, signature) = rest.split_at_checked(KEY_BYTES)?;
    let key: [u8; KEY_BYTES] = key.try_into().ok().filter(|_| *version == VERSION)?;
    let signature = Signature::from_slice(signature).ok()?;
    let verifier = VerifyingKey::from_bytes(&key).ok()?;
    // Strictly: no key that fits many messages.
    verifier.verify_strict(&message(content), &signature).ok()?;
    Some(Signer { key })
}

fn message(content: &[u8]) -> Vec<u8> {
    [PURPOSE, &Sha256::digest(content)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty component is enough to look at signatures.
    fn signed() -> (PluginKey, Vec<u8>) {
        let key = PluginKey::generate().expect("a key");
        let signature = key.key.sign(&message(b"content"));
        let parts: [&[u8]; 5] = [
            b"content",
            HEADER,
            &[VERSION],
            &key.signer().key,
            &signature.to_bytes(),
        ];
        (key, parts.concat())
    }

    #[test]
    fn a_signature_names_its_signer() {
        let (key, bytes) = signed();
        assert_eq!(signer("x", &bytes).expect("it fits"), Some(key.signer()));
        assert_eq!(content(&bytes), b"content");
        assert_eq!(signer("x", b"content").expect("nothing"), None);
        assert_eq!(usize::from(HEADER[1]), SECTION_BYTES - 2);
    }

    #[test]
    fn every_changed_byte_breaks_it_or_unsigns() {
        let (key, bytes) = signed();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let found = signer("x", &changed);
            assert_ne!(found.ok().flatten(), Some(key.signer()), "byte {at}");
        }
        for appended in [&b"\0"[..], &bytes[7..]] {
            let longer = [&bytes, appended].concat();
            let found = signer("x", &longer).ok().flatten();
            assert_ne!(found, Some(key.signer()));
        }
    }

    #[test]
    fn keys_and_signers_are_read_as_they_are_written() {
        let (key, _) = signed();
        let again = PluginKey::from_pem(&key.to_pem().expect("PEM")).expect("a key");
        assert_eq!(again.signer(), key.signer());
        let text = key.signer().to_string();
        assert_eq!(text.parse::<Signer>().expect("a signer"), key.signer());
        for wrong in ["", "ed25519:", "ed25519:AAAA", &text[8..]] {
            assert!(wrong.parse::<Signer>().is_err(), "{wrong}");
        }
        // `openssl genpkey -algorithm ed25519`
        let openssl = "-----BEGIN PRIVATE KEY-----\n\
            MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
            -----END PRIVATE KEY-----\n";
        assert!(PluginKey::from_pem(openssl).is_ok());
        assert!(PluginKey::from_pem("key").is_err());
    }
}
