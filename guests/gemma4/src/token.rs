//! The control tokens of Gemma 4, as its tokenizer spells them.

pub const BOS: &str = "<bos>";
pub const EOS: &str = "<eos>";
pub const PAD: &str = "<pad>";
pub const THINK: &str = "<|think|>";
pub const CHANNEL_OPEN: &str = "<|channel>";
pub const CHANNEL_CLOSE: &str = "<channel|>";
pub const TURN_OPEN: &str = "<|turn>";
pub const TURN_CLOSE: &str = "<turn|>";
pub const TOOL_OPEN: &str = "<|tool>";
pub const TOOL_CLOSE: &str = "<tool|>";
pub const CALL_OPEN: &str = "<|tool_call>";
pub const CALL_CLOSE: &str = "<tool_call|>";
pub const RESPONSE_OPEN: &str = "<|tool_response>";
pub const RESPONSE_CLOSE: &str = "<tool_response|>";
/// Opens and closes every string inside a declaration, a call or a response.
pub const QUOTE: &str = "<|\"|>";

/// Everything that the template writes or the parser understands.
pub const ALL: &[&str] = &[
    PAD,
    EOS,
    BOS,
    "<unk>",
    "<mask>",
    TOOL_OPEN,
    TOOL_CLOSE,
    CALL_OPEN,
    CALL_CLOSE,
    RESPONSE_OPEN,
    RESPONSE_CLOSE,
    QUOTE,
    THINK,
    CHANNEL_OPEN,
    CHANNEL_CLOSE,
    TURN_OPEN,
    TURN_CLOSE,
    "<|image>",
    "<|image|>",
    "<image|>",
    "<|audio>",
    "<|audio|>",
    "<audio|>",
    "<|video|>",
];

/// What ends a generation. The model opens a tool response when it waits for results.
pub const STOPS: &[&str] = &[TURN_CLOSE, RESPONSE_OPEN, EOS];
