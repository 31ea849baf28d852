//! Where an artefact is: registry, repository, tag and digest.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// An artefact in a registry: `ghcr.io/me/count-words:0.1.0`, or with `@sha256:…` exactly that one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The registry's host, and its port where there is one.
    pub registry: String,
    /// Where in the registry.
    pub repository: String,
    /// `latest` where it is left out.
    pub tag: String,
    /// The manifest that it has to be.
    pub digest: Option<String>,
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(text).ok_or_else(|| {
            let detail =
                "expected a registry, a repository and a tag, such as ghcr.io/me/count-words:0.1.0";
            Error::invalid(format!("reference {text:?}"), detail)
        })
    }
}

fn is_part(part: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bounds = part.bytes().next().zip(part.bytes().next_back());
    bounds.is_some_and(|(first, last)| is_name(first) && is_name(last))
        && part
            .bytes()
            .all(|byte| is_name(byte) || b"._-".contains(&byte))
}

fn parse(text: &str) -> Option<Reference> {
    let (text, digest) = match text.split_once('@') {
        Some((text, digest)) => (text, Some(digest.to_ascii_lowercase())),
        None => (text, None),
    };
    let (registry, path) = text.split_once('/')?;
    let is_host = registry == "localhost" || registry.contains(['.', ':']);
    let (repository, tag) = path.split_once(':').unwrap_or((path, "latest"));
    let is_tag = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let is_hex = |digest: &String| {
        let hex = digest.strip_prefix("sha256:");
        hex.is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let fits = is_host
        && repository.split('/').all(is_part)
        && !tag.is_empty()
        && tag.bytes().all(is_tag)
        && digest.as_ref().is_none_or(is_hex);
    fits.then(|| Reference {
        registry: registry.to_owned(),
        repository: repository.to_owned(),
        tag: tag.to_owned(),
        digest,
    })
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.registry, self.repository, self.tag)?;
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_they_are_written() {
        let digest = format!("localhost:5000/a/b:1@sha256:{}", "0a".repeat(32));
        for text in [
            "ghcr.io/me/count-words:0.1.0",
            "localhost:5000/x:latest",
            &digest,
        ] {
            assert_eq!(
                text.parse::<Reference>().expect("a reference").to_string(),
                text
            );
        }
        let short: Reference = "ghcr.io/me/x".parse().expect("a reference");
        assert_eq!(short.tag, "latest");
        let shouted = digest.replace("0a", "0A").parse::<Reference>();
        assert_eq!(shouted.expect("a reference").to_string(), digest);
    }

    #[test]
    fn what_is_no_reference_is_refused() {
        for text in [
            "",
            "count-words",
            "me/count-words",
            "ghcr.io/",
            "ghcr.io/A",
            "ghcr.io/a/../b",
            "ghcr.io/a:",
            "ghcr.io/a@sha256:1",
        ] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }
}
