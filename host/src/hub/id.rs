//! Names of repositories on a hub.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// A repository on a hub: `owner/name`, or `owner/name@revision`.
///
/// ```
/// use lapidary::HubId;
/// let id: HubId = "onnx-community/gemma-4-E2B-it-ONNX".parse()?;
/// assert_eq!(id.revision(), "main");
/// assert!("../secrets".parse::<HubId>().is_err());
/// # Ok::<(), lapidary::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubId {
    owner: String,
    name: String,
    revision: String,
}

impl HubId {
    /// A branch, a tag or a commit; `main` unless one was named.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The same repository at another revision.
    ///
    /// # Errors
    /// `Invalid` for what cannot be a revision's name.
    pub fn at(mut self, revision: &str) -> Result<Self> {
        check(&format!("{self}"), revision, &['/'])?;
        self.revision = revision.to_owned();
        Ok(self)
    }

    /// `owner/name`.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }
}

impl FromStr for HubId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (path, revision) = text.split_once('@').unwrap_or((text, "main"));
        let Some((owner, name)) = path.split_once('/') else {
            return Err(no_id(text));
        };
        check(text, owner, &[])?;
        check(text, name, &[])?;
        let (owner, name) = (owner.to_owned(), name.to_owned());
        let id = Self {
            owner,
            name,
            revision: String::new(),
        };
        id.at(revision)
    }
}

/// Refuses a part of `whole` that could name another place, in a path or in an address.
fn check(whole: &str, part: &str, also: &[char]) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c) || also.contains(&c);
    let climbs = part
        .split('/')
        .any(|word| word.is_empty() || word.starts_with('.'));
    match part.chars().all(plain) && !climbs && part.len() <= 200 {
        true => Ok(()),
        false => Err(no_id(whole)),
    }
}

fn no_id(text: &str) -> Error {
    let detail =
        "expected owner/name as on the hub, such as onnx-community/gemma-4-E2B-it-ONNX, found none";
    Error::invalid(format!("hub id {text:?}"), detail)
}

/// Prints `owner/name`, with `@revision` unless that is `main`.
impl fmt::Display for HubId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)?;
        match self.revision.as_str() {
            "main" | "" => Ok(()),
            revision => write!(f, "@{revision}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_owner_name_and_revision() {
        let id: HubId = "a/b.c-d@refs/pr/3".parse().unwrap();
        assert_eq!(
            (id.path().as_str(), id.revision()),
            ("a/b.c-d", "refs/pr/3")
        );
        assert_eq!(id.to_string(), "a/b.c-d@refs/pr/3");
    }

    #[test]
    fn what_could_leave_the_cache_or_the_address_is_no_id() {
        for text in [
            "",
            "a",
            "a/",
            "/b",
            "a/..",
            "../b",
            "a/b/c",
            "a/b?c",
            "a/b@../../c",
            "a/b@",
            "a b/c",
        ] {
            assert!(text.parse::<HubId>().is_err(), "{text}");
        }
    }
}
