//! What a plugin asks of the host during one call, and what it is told: written down, or told again.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::record::Change;
use super::store::{Shared, State};

/// The host's part of one call. Clones share it.
#[derive(Clone)]
pub(super) struct Tape(Arc<Mutex<Reel>>);

struct Reel {
    written: Vec<Asked>,
    /// What is told in place of the host; `None` while the host itself is asked.
    told: Option<VecDeque<Asked>>,
    /// The first question to which it has no answer.
    missed: Option<OffTape>,
    /// What was done to the scores of a step.
    changes: Vec<Change>,
}

/// One call of the host.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Asked {
    import: String,
    asked: Value,
    answer: Value,
}

impl Asked {
    /// Numbers, texts and the like in it.
    pub(super) fn value_count(&self) -> usize {
        value_count(&self.asked) + value_count(&self.answer)
    }
}

fn value_count(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(value_count).sum(),
        Value::Object(fields) => fields.values().map(value_count).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
    }
}

impl Tape {
    /// The host answers, and the tape remembers.
    pub(super) fn blank() -> Self {
        Self::with(None)
    }

    /// The tape answers.
    pub(super) fn told(answers: Vec<Asked>) -> Self {
        Self::with(Some(answers.into()))
    }

    fn with(told: Option<VecDeque<Asked>>) -> Self {
        Self(Arc::new(Mutex::new(Reel {
            written: Vec::new(),
            told,
            missed: None,
            changes: Vec::new(),
        })))
    }

    /// What was asked, in order.
    pub(super) fn written(&self) -> Vec<Asked> {
        self.reel().written.clone()
    }

    /// Fails when it had no answer: a guest cannot be ended in every call, and may not go on as if it had one.
    pub(super) fn check(&self) -> Result<(), OffTape> {
        self.reel().missed.clone().map_or(Ok(()), Err)
    }

    /// What was done to scores, in order.
    pub(super) fn changes(&self) -> Vec<Change> {
        self.reel().changes.clone()
    }

    pub(super) fn change(&self, change: Change) {
        self.reel().changes.push(change);
    }

    fn reel(&self) -> MutexGuard<'_, Reel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, import: &str, asked: Value, answer: Value) {
        let import = import.to_owned();
        self.reel().written.push(Asked {
            import,
            asked,
            answer,
        });
    }

    /// The next answer to this very question; `None` while the host itself is asked.
    fn answer(&self, import: &str, asked: &Value) -> Result<Option<Value>, OffTape> {
        let mut reel = self.reel();
        let Some(told) = &mut reel.told else {
            return Ok(None);
        };
        let is_it = |one: &Asked| one.import == import && one.asked == *asked;
        if let Some(found) = told.iter().position(is_it) {
            return Ok(told.remove(found).map(|one| one.answer));
        }
        let missed = OffTape(format!("{import}{asked}"));
        Err(reel.missed.get_or_insert(missed).clone())
    }
}

/// A plugin asked what it did not ask when it was recorded.
#[derive(Clone, Debug)]
pub(super) struct OffTape(String);

impl fmt::Display for OffTape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "asks {}, to which the recording has no answer; record again",
            self.0
        )
    }
}

impl std::error::Error for OffTape {}

/// A question to the host that the tape hears.
pub(super) struct Question {
    tape: Tape,
    shared: Arc<Shared>,
    import: &'static str,
    asked: Value,
}

impl Question {
    /// The tape's own answer; `None` while the host itself is asked.
    pub(super) fn told<T: DeserializeOwned>(&self) -> wasmtime::Result<Option<T>> {
        let Some(told) = self.tape.answer(self.import, &self.asked)? else {
            return Ok(None);
        };
        self.tape
            .write(self.import, self.asked.clone(), told.clone());
        Ok(Some(serde_json::from_value(told)?))
    }

    /// Writes down what the host answered.
    pub(super) fn answered<T: Serialize>(self, answer: &T) -> wasmtime::Result<()> {
        let capabilities = &self.shared.capabilities;
        let told = capabilities.without_secrets(serde_json::to_value(answer)?);
        self.tape.write(self.import, self.asked, told);
        Ok(())
    }
}

/// Answers a call of the host that waits, or lets the tape answer it. `asked` holds the arguments in order.
#[cfg(feature = "http")]
pub(super) async fn waiting<A: Serialize, T: Serialize + DeserializeOwned>(
    tape: Option<&Tape>,
    shared: &Arc<Shared>,
    import: &'static str,
    asked: A,
    answer: impl Future<Output = T>,
) -> wasmtime::Result<T> {
    let Some(question) = question(tape, shared, import, asked)? else {
        return Ok(answer.await);
    };
    if let Some(told) = question.told()? {
        return Ok(told);
    }
    let answer = answer.await;
    question.answered(&answer)?;
    Ok(answer)
}

/// What is to be asked of the host, where a tape runs.
fn question<A: Serialize>(
    tape: Option<&Tape>,
    shared: &Arc<Shared>,
    import: &'static str,
    asked: A,
) -> wasmtime::Result<Option<Question>> {
    let question = tape.map(|tape| {
        let asked = serde_json::to_value(asked)?;
        Ok(Question {
            tape: tape.clone(),
            asked: shared.capabilities.without_secrets(asked),
            shared: Arc::clone(shared),
            import,
        })
    });
    question.transpose()
}

impl State {
    /// Answers a call of the host, or lets the tape answer it.
    pub(super) fn taped<A: Serialize, T: Serialize + DeserializeOwned>(
        &mut self,
        import: &'static str,
        asked: A,
        answer: impl FnOnce(&mut Self) -> T,
    ) -> wasmtime::Result<T> {
        let question = question(self.tape.as_ref(), &self.shared, import, asked)?;
        let Some(question) = question else {
            return Ok(answer(self));
        };
        if let Some(told) = question.told()? {
            return Ok(told);
        }
        let answer = answer(self);
        question.answered(&answer)?;
        Ok(answer)
    }
}

/// Bytes that are mostly text: in JSON a text, or base64 in an object.
#[derive(Clone)]
pub(super) struct Bytes(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum BytesJson {
    Text(String),
    Base64 { base64: String },
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json = match std::str::from_utf8(&self.0) {
            Ok(text) => BytesJson::Text(text.to_owned()),
            Err(_) => BytesJson::Base64 {
                base64: STANDARD.encode(&self.0),
            },
        };
        json.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(match BytesJson::deserialize(deserializer)? {
            BytesJson::Text(text) => text.into_bytes(),
            BytesJson::Base64 { base64 } => STANDARD.decode(base64).map_err(D::Error::custom)?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_went() {
        for bytes in [b"text".to_vec(), vec![0xff, 0], Vec::new()] {
            let json = serde_json::to_string(&Bytes(bytes.clone())).expect("JSON");
            let back: Bytes = serde_json::from_str(&json).expect("bytes");
            assert_eq!(back.0, bytes, "{json}");
        }
    }

    #[test]
    fn a_tape_answers_each_question_once() {
        let tape = Tape::blank();
        tape.write("clock.now", Value::Null, 5.into());
        let told = Tape::told(tape.written());
        assert!(told.answer("clock.now", &1.into()).is_err());
        let answer = told.answer("clock.now", &Value::Null).expect("an answer");
        assert_eq!(answer, Some(5.into()));
        let error = told.answer("clock.now", &Value::Null).expect_err("no more");
        assert!(error.to_string().contains("clock.now"), "{error}");
    }
}
