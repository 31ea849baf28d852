//! What a logits processor asks and does, step by step.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Request;
use crate::plugin::tape::{Asked, Tape};

/// One generation as a processor meets it.
#[derive(Clone, Serialize, Deserialize)]
pub(in crate::plugin) struct Session {
    pub config: Value,
    /// For each step the token before it; none at the start.
    pub last: Vec<Option<u32>>,
    /// There were more steps than the recording had room for.
    #[serde(default)]
    is_cut: bool,
}

/// A generation that is being written down.
pub(in crate::plugin) struct Steps {
    session: Session,
    host: Vec<Vec<Asked>>,
    changes: Vec<Vec<Change>>,
    values_left: usize,
}

impl Steps {
    /// Room for `values_max` ids and scores.
    pub(in crate::plugin) fn new(config: Value, values_max: usize) -> Self {
        let session = Session {
            config,
            last: Vec::new(),
            is_cut: false,
        };
        Self {
            session,
            host: Vec::new(),
            changes: Vec::new(),
            values_left: values_max,
        }
    }

    /// The steps of a recording once more.
    pub(in crate::plugin) fn again(session: &Session) -> Self {
        let mut steps = Self::new(session.config.clone(), usize::MAX);
        steps.session.is_cut = session.is_cut;
        steps
    }

    /// Writes a step down, unless there is no room for it; then no later one either.
    pub(in crate::plugin) fn write(&mut self, last: Option<u32>, tape: &Tape) {
        let (host, changes) = (tape.written(), tape.changes());
        let asked: usize = host.iter().map(Asked::value_count).sum();
        let changed: usize = changes.iter().map(Change::value_count).sum();
        let left = self.values_left.checked_sub(asked + changed + 1);
        let Some(left) = left.filter(|_| !self.is_full()) else {
            self.values_left = 0;
            self.session.is_cut = true;
            return;
        };
        self.values_left = left;
        self.session.last.push(last);
        self.host.push(host);
        self.changes.push(changes);
    }

    fn is_full(&self) -> bool {
        self.values_left == 0
    }

    pub(in crate::plugin) fn request(&self) -> Request {
        Request("session", json!(self.session))
    }

    /// What it asked at each step, and was told.
    pub(in crate::plugin) fn host(&self) -> Value {
        json!(self.host)
    }

    /// What it did to the scores at each step.
    pub(in crate::plugin) fn outcome(&self) -> Value {
        json!({"changes": self.changes})
    }
}

/// What a processor does to scores. Of a long one the digest tells whether it is the same.
#[derive(Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::plugin) enum Change {
    Add(Vec<(u32, Score)>),
    Ban(Vec<u32>),
    AddMany { count: usize, sha256: String },
    BanMany { count: usize, sha256: String },
}

/// Ids of a change that are written out.
const WRITTEN_MAX: usize = 1_024;

impl Change {
    pub(in crate::plugin) fn add(bias: &[(u32, f32)]) -> Self {
        if bias.len() <= WRITTEN_MAX {
            let written = bias.iter().map(|(id, score)| (*id, Score(*score)));
            return Self::Add(written.collect());
        }
        let bytes = bias
            .iter()
            .flat_map(|(id, score)| [id.to_le_bytes(), score.to_le_bytes()]);
        Self::AddMany {
            count: bias.len(),
            sha256: digest(bytes),
        }
    }

    pub(in crate::plugin) fn ban(ids: &[u32]) -> Self {
        if ids.len() <= WRITTEN_MAX {
            return Self::Ban(ids.to_vec());
        }
        Self::BanMany {
            count: ids.len(),
            sha256: digest(ids.iter().map(|id| id.to_le_bytes())),
        }
    }

    fn value_count(&self) -> usize {
        match self {
            Self::Add(bias) => 2 * bias.len(),
            Self::Ban(ids) => ids.len(),
            Self::AddMany { .. } | Self::BanMany { .. } => 2,
        }
    }
}

fn digest(bytes: impl Iterator<Item = [u8; 4]>) -> String {
    let mut hash = Sha256::new();
    bytes.for_each(|four| hash.update(four));
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A score, also where JSON has no number for it: `"-inf"`.
#[derive(Clone, Copy)]
pub(in crate::plugin) struct Score(pub f32);

impl Serialize for Score {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.is_finite() {
            true => serializer.serialize_f32(self.0),
            false => serializer.collect_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f32),
            Text(String),
        }
        Ok(Self(match Written::deserialize(deserializer)? {
            Written::Number(number) => number,
            Written::Text(text) => text.parse().map_err(D::Error::custom)?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(steps: &mut Steps, changes: Vec<Change>) {
        let tape = Tape::blank();
        changes.into_iter().for_each(|change| tape.change(change));
        steps.write(None, &tape);
    }

    #[test]
    fn a_score_comes_back_as_it_went() {
        for score in [0.1, -0.0, f32::MAX, f32::INFINITY, f32::NEG_INFINITY] {
            let json = serde_json::to_value(Score(score)).expect("JSON");
            let Score(back) = serde_json::from_value(json).expect("a score");
            assert_eq!(back.to_bits(), score.to_bits());
        }
    }

    #[test]
    fn a_generation_is_written_down_as_far_as_there_is_room() {
        let mut steps = Steps::new(json!({}), 5);
        step(&mut steps, vec![Change::ban(&[1])]);
        step(&mut steps, vec![Change::ban(&[1, 2, 3])]);
        step(&mut steps, Vec::new());
        let Request(_, session) = steps.request();
        assert_eq!(
            session,
            json!({"config": {}, "last": [null], "is_cut": true})
        );
        assert_eq!(steps.outcome(), json!({"changes": [[{"ban": [1]}]]}));
    }

    #[test]
    fn of_a_change_to_many_scores_the_digest_is_kept() {
        let many: Vec<(u32, f32)> = (0..2_000).map(|id| (id, 1.5)).collect();
        let mut other = many.clone();
        other[7].1 = 1.25;
        let [one, same, other] = [&many, &many, &other].map(|bias| json!(Change::add(bias)));
        assert_eq!(one, same);
        assert_ne!(one, other);
        assert_eq!(one["add-many"]["count"], 2_000);
    }
}
