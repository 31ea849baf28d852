//! Grammars to enforcers.

use std::sync::{Arc, OnceLock};

use llguidance::api::TopLevelGrammar;
use llguidance::earley::SlicedBiasComputer;
use llguidance::toktrie::InferenceCapabilities;
use llguidance::{Matcher, ParserFactory};

use super::enforcer::Enforcer;
use super::state::{State, Thought, reason};
use super::thought::ThoughtGate;
use super::vocabulary;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::sample::Mask;
use crate::text::Tokenizer;

/// What a model may write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grammar {
    /// In the Lark dialect of `llguidance` 1.9; control tokens as spelled, `<|turn>`.
    pub lark: String,
    /// Ids behind which it holds, each time anew until it is complete; none: from the start, to the end.
    pub after: Vec<u32>,
    /// Where thought stands; the grammar has its two marks only.
    pub thought: Option<ThoughtGate>,
}

/// Compiles grammars for one vocabulary, which is read when the first grammar comes.
#[derive(Default)]
pub(crate) struct Grammars {
    compiler: OnceLock<Result<Arc<Compiler>>>,
}

struct Compiler {
    factory: ParserFactory,
    /// What a thought is made of.
    text: Mask,
}

/// A set of tokens whose masks are made once: whatever is text. Strings of Gemma 4 hold any text.
const ANY_TEXT: &str = "(?s:.+)";

/// More states would be more than a hundred megabytes.
const LEXER_STATES_MAX: usize = 50_000;

impl Grammars {
    /// Compiles a grammar and starts to enforce it; its first mask is on its way.
    ///
    /// # Errors
    /// `Limit("constraint_bytes_max")`, `Limit("constraint_compile_ms_max")`; `Unsupported` for a grammar that
    /// is none, or too complex.
    pub fn enforce(
        &self,
        grammar: Grammar,
        tokenizer: &Tokenizer,
        limits: &Limits,
    ) -> Result<Enforcer> {
        let (max, found) = (limits.constraint_bytes_max, grammar.lark.len());
        if found > max {
            let found = format!("{found} bytes of grammar");
            return Err(Error::limit(
                "constraint_bytes_max",
                "constraint",
                max,
                found,
            ));
        }
        let compiler = match self.compiler.get_or_init(|| compiler(tokenizer)) {
            Ok(compiler) => compiler.clone(),
            Err(error) => return Err(Error::bundle("tokenizer.json", error.to_string())),
        };
        Enforcer::start(limits, move || compiler.compile(grammar))
    }
}

fn compiler(tokenizer: &Tokenizer) -> Result<Arc<Compiler>> {
    let (factory, text) = (factory(tokenizer)?, vocabulary::text_mask(tokenizer));
    Ok(Arc::new(Compiler { factory, text }))
}

fn factory(tokenizer: &Tokenizer) -> Result<ParserFactory> {
    let environment = vocabulary::environment(tokenizer)?;
    let capabilities = InferenceCapabilities::default();
    let mut slices = SlicedBiasComputer::general_slices();
    slices.push(ANY_TEXT.to_owned());
    let mut factory = ParserFactory::new(&environment, capabilities, &slices).map_err(|error| {
        Error::bundle(
            "tokenizer.json",
            "its tokens make no vocabulary for grammars",
        )
        .with_source(error)
    })?;
    factory.quiet();
    let limits = factory.limits_mut();
    limits.max_lexer_states = LEXER_STATES_MAX;
    limits.verbose_errors = false;
    Ok(factory)
}

impl Compiler {
    fn compile(&self, grammar: Grammar) -> Result<State> {
        let lark = TopLevelGrammar::from_lark(grammar.lark);
        let parser = self.factory.create_parser(lark).map_err(|error| {
            let detail = format!("its grammar cannot be compiled: {}", reason(&error));
            Error::unsupported("constraint", detail)
        })?;
        let thought = grammar.thought.map(|gate| Thought::new(gate, &self.text));
        Ok(State::new(Matcher::new(Ok(parser)), grammar.after, thought))
    }
}

impl std::fmt::Debug for Grammars {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ready = self.compiler.get().is_some();
        f.debug_struct("Grammars").field("ready", &ready).finish()
    }
}
