//! What a constraint costs a token: the time of its mask, at Gemma 4's vocabulary of 262,144.
//!
//! ```text
//! cargo bench --bench masks
//! ```
//!
//! The vocabulary is made up: the embedded model's 2,048 tokens, and words of random syllables in four scripts.
//! What comes next is chosen among the allowed tokens by chance, control tokens often enough to get on. The time
//! of each mask is the best of three runs over the same tokens, so that what else the machine does counts less.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use lapidary::{Bundle, GrammarProbe, Limits, Tokenizer};
use serde_json::{Value, json};

const VOCAB_SIZE: usize = 262_144;
const TOKENS: usize = 4_000;
const RUNS: usize = 3;
/// A control token, such as the end of a string, is taken every so often where one may come.
const CONTROL_EVERY: usize = 12;

/// As Gemma 4's format writes them: calls with nested arguments, any call at all, and a JSON answer.
const GRAMMARS: [(&str, &str); 4] = [
    (
        "strict call",
        r#"start: (<|tool_call> call <tool_call|>)+
call: "call:book{" "city:" text ",guests:" INT (",note:" text)? ",when:{" "day:" DAY (",time:" text)? "}" "}"
text: <|"|> T? <|"|>
T: /(?s:.{1,60})/
INT: /0|-?[1-9][0-9]{0,14}/
DAY: /[0-9]{4}-[0-9]{2}-[0-9]{2}/
"#,
    ),
    (
        "any call",
        r#"start: (<|tool_call> "call:" NAME object <tool_call|>)+
object: "{" (pair ("," pair)*)? "}"
pair: KEY ":" value
value: <|"|> TEXT? <|"|> | NUMBER | "true" | "false" | "null" | object | "[" (value ("," value)*)? "]"
NAME: /[a-z_]{1,20}/
KEY: /[\p{L}_][\p{L}\p{N}_]{0,63}/
TEXT: /(?s:.+)/
NUMBER: /-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,15})?/
"#,
    ),
    (
        "JSON answer",
        r#"start: (answer <turn|>)+
answer: %json {"type":"array","minItems":40,"items":{"type":"object","properties":{"name":{"type":"string","maxLength":40},"age":{"type":"integer"},"tags":{"type":"array","items":{"type":"string"},"maxItems":3},"kind":{"enum":["a","b"]}},"required":["name","age","kind"],"additionalProperties":false},"x-guidance":{"whitespace_pattern":"[ \\n]{1,40}"}}
"#,
    ),
    (
        "any text",
        r#"start: (TEXT <turn|>)+
TEXT: /(?s:.+)/
"#,
    ),
];

fn main() -> lapidary::Result<()> {
    let started = Instant::now();
    let tokenizer = tokenizer()?;
    println!(
        "vocabulary of {} read in {:?}",
        tokenizer.vocab_size(),
        started.elapsed()
    );
    for (name, lark) in GRAMMARS {
        measure(name, lark, &tokenizer)?;
    }
    Ok(())
}

fn measure(name: &str, lark: &str, tokenizer: &Tokenizer) -> lapidary::Result<()> {
    let (start, mut best) = run(lark, tokenizer)?;
    for _ in 1..RUNS {
        let (_, times) = run(lark, tokenizer)?;
        for (best, time) in best.iter_mut().zip(times) {
            *best = time.min(*best);
        }
    }
    report(name, start, &mut best);
    Ok(())
}

/// How long the grammar took to be ready, and each mask.
fn run(lark: &str, tokenizer: &Tokenizer) -> lapidary::Result<(Duration, Vec<Duration>)> {
    let limits = Limits {
        constraint_compile_ms_max: 60_000,
        ..Limits::default()
    };
    let started = Instant::now();
    let mut probe = GrammarProbe::new(lark, tokenizer, &limits)?;
    let start = started.elapsed();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut times = Vec::with_capacity(TOKENS);
    for _ in 0..TOKENS {
        let allowed = probe.allowed()?;
        times.push(probe.mask_time());
        probe.take(choice(&allowed, tokenizer, &mut random));
    }
    Ok((start, times))
}

fn choice(allowed: &[u32], tokenizer: &Tokenizer, random: &mut Random) -> u32 {
    if random.below(CONTROL_EVERY) == 0 {
        let is_control = |id: &&u32| tokenizer.control_spelling(**id).is_some();
        let control: Vec<u32> = allowed.iter().filter(is_control).copied().collect();
        if !control.is_empty() {
            return control[random.below(control.len())];
        }
    }
    allowed[random.below(allowed.len())]
}

fn report(name: &str, start: Duration, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 1000];
    let [p50, p99, p999] = [500, 990, 999].map(at);
    let max = times[times.len() - 1];
    println!(
        "{name}: mask p50 {p50:?}, p99 {p99:?}, p99.9 {p999:?}, worst {max:?}; \
         compiled in {start:?}, the vocabulary's tries included"
    );
}

fn tokenizer() -> lapidary::Result<Tokenizer> {
    let (_, json) = lapidary_tiny::files()
        .iter()
        .find(|(name, _)| *name == "tokenizer.json")
        .expect("the embedded bundle has a tokenizer");
    let mut file: Value = serde_json::from_slice(json).expect("it is JSON");
    let vocab = file["model"]["vocab"]
        .as_object_mut()
        .expect("a vocabulary");
    let mut known: HashSet<String> = vocab.keys().cloned().collect();
    let mut random = Random(0xD1B5_4A32_D192_ED03);
    let mut id = Bundle::embedded()?.tokenizer()?.vocab_size();
    while id < VOCAB_SIZE {
        let word = word(&mut random);
        if known.insert(word.clone()) {
            vocab.insert(word, json!(id));
            id += 1;
        }
    }
    Tokenizer::from_json(file.to_string().as_bytes(), None)
}

/// A word as vocabularies hold them: with a space before it or not, in some script, or signs.
fn word(random: &mut Random) -> String {
    let mut word = String::new();
    if random.below(2) == 0 {
        word.push('▁');
    }
    let script = random.below(20);
    let (first, count) = match script {
        0 | 1 => (0x4E00, 8_000),
        2 | 3 => (0x0430, 32),
        4 => (0x0621, 26),
        5 => (0x21, 14),
        _ => (u32::from('a'), 26),
    };
    let length = if script < 2 {
        1 + random.below(3)
    } else {
        2 + random.below(9)
    };
    for index in 0..length {
        let letter = first + u32::try_from(random.below(count)).expect("small");
        let letter = char::from_u32(letter).expect("a letter");
        let is_capital = index == 0 && random.below(3) == 0;
        word.push(if is_capital {
            letter.to_ascii_uppercase()
        } else {
            letter
        });
    }
    word
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("it is below a usize")
    }
}
