//! In which numbers a bundle's graphs are stored, and which of them to load.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::Value;

use super::role::GraphRole;
use crate::error::{Error, Result};

/// The dtypes of onnx-community bundles and their file suffixes (transformers.js 4.3, `dtypes.js`).
pub(super) const SUFFIXES: [(&str, &str); 12] = [
    ("fp32", ""),
    ("fp16", "_fp16"),
    ("q8", "_quantized"),
    ("int8", "_int8"),
    ("uint8", "_uint8"),
    ("q4", "_q4"),
    ("q4f16", "_q4f16"),
    ("q2", "_q2"),
    ("q2f16", "_q2f16"),
    ("q1", "_q1"),
    ("q1f16", "_q1f16"),
    ("bnb4", "_bnb4"),
];

/// The order in which a dtype is chosen when nobody names one: exact first, then small.
pub(super) const PREFERRED: [&str; 12] = [
    "fp32", "q4", "q4f16", "q8", "fp16", "int8", "uint8", "q2f16", "q2", "q1f16", "q1", "bnb4",
];

/// Which dtype to load: one for all graphs, or one for each.
///
/// ```
/// use lapidary::DtypeChoice;
/// let choice: DtypeChoice = "embed=q4,decoder=q4f16".parse()?;
/// assert!("q5".parse::<DtypeChoice>().is_err());
/// # Ok::<(), lapidary::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DtypeChoice {
    all: Option<&'static str>,
    by_role: BTreeMap<GraphRole, &'static str>,
}

impl FromStr for DtypeChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut choice = Self::default();
        for item in text.split(',').map(str::trim) {
            match item.split_once('=') {
                None => choice.all = Some(dtype(item)?),
                Some((role, name)) => {
                    choice.by_role.insert(role_named(role)?, dtype(name)?);
                }
            }
        }
        Ok(choice)
    }
}

impl DtypeChoice {
    /// `transformers.js_config.dtype` of a bundle.
    pub(super) fn from_config(value: &Value) -> Self {
        let known = |value: &Value| value.as_str().and_then(|name| dtype(name).ok());
        let by_role = GraphRole::ALL.into_iter();
        let by_role = by_role.filter_map(|role| Some((role, known(value.get(role.file_stem())?)?)));
        Self {
            all: known(value),
            by_role: by_role.collect(),
        }
    }

    pub(super) fn of(&self, role: GraphRole) -> Option<&'static str> {
        self.by_role.get(&role).copied().or(self.all)
    }
}

fn dtype(name: &str) -> Result<&'static str> {
    SUFFIXES
        .iter()
        .map(|(known, _)| *known)
        .find(|known| *known == name)
        .ok_or_else(|| {
            let known: Vec<&str> = SUFFIXES.iter().map(|(known, _)| *known).collect();
            Error::invalid(
                "dtype",
                format!("expected one of {}, found {name:?}", known.join(", ")),
            )
        })
}

fn role_named(name: &str) -> Result<GraphRole> {
    let by_name = |role: &GraphRole| role.to_string() == name || role.file_stem() == name;
    GraphRole::ALL.into_iter().find(by_name).ok_or_else(|| {
        Error::invalid(
            "dtype",
            format!("expected embed, decoder, vision or audio, found {name:?}"),
        )
    })
}
