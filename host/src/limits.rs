//! Every bound, in one place. The only file with policy numbers.

/// Bounds on what one request and one plugin may use.
///
/// Each field is checked where its comment says. Input that goes over one is
/// [`ErrorKind::Limit`](crate::ErrorKind::Limit) with the field's name; a plugin that does is
/// [`ErrorKind::Plugin`](crate::ErrorKind::Plugin), and the message names the field.
///
/// ```
/// let limits = lapidary::Limits { tool_rounds_max: 2, ..lapidary::Limits::default() };
/// assert!(limits.plugin_memory_bytes_max > 0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages in one conversation. Default 10,000: far over what a context holds. Checked in `runtime`.
    pub messages_max: usize,
    /// Bytes of text in one conversation. Default 16 MiB: 256K tokens are about 1 MiB. Checked in `runtime`.
    pub text_bytes_max: usize,
    /// Bytes of all that a chat format makes of one answer. Default 64 MiB: some of an answer comes twice, and each
    /// event takes some of its own. Checked in `plugin`.
    pub parsed_bytes_max: usize,
    /// Images, recordings and videos in one conversation. Default 64. Checked in `runtime`.
    pub media_count_max: usize,
    /// Bytes of one media file. Default 256 MiB. Checked in `media`.
    pub media_bytes_max: usize,
    /// Pixels of one decoded image, checked in its header before decoding. Default 64 Mi. Checked in `media`.
    pub image_pixels_max: u64,
    /// Seconds of one recording. Default 600; longer than 30 it is split at quiet points, which the audio
    /// encoder needs. Checked in `media`.
    pub audio_seconds_max: u32,
    /// Frames of one video that are looked at. Default 256, half a gigabyte of them. Checked in `media`.
    pub video_frames_max: usize,
    /// Milliseconds of one run of `ffmpeg` or `ffprobe`, of which a movie takes up to four. Default 300,000. Checked in
    /// `media`.
    pub movie_ms_max: u64,
    /// Tokens of one prompt, soft tokens included; the model's own context also bounds it.
    /// Default 262,144. Checked in `runtime`.
    pub prompt_tokens_max: usize,
    /// Tokens of one prefill run; a longer prompt takes several, with the same result. It bounds the memory of
    /// activations. An image is never cut. Default 512. Checked in `model`.
    pub prefill_tokens_max: usize,
    /// Tokens of one generation when the request names no number. Default 4,096. Checked in `engine`.
    pub new_tokens_max: usize,
    /// Chats that may generate at the same time; further ones wait. Default 8. Checked in `engine`.
    pub sequences_max: usize,
    /// Times a tool's results may go back to the model in one chat. Default 16. Checked in `runtime`.
    pub tool_rounds_max: usize,
    /// Calls of tools in one turn of the model; they run side by side. Default 32. Checked in `runtime`.
    pub tool_calls_max: usize,
    /// Rounds in a row whose calls are the same. Default 3: a model that goes round in circles. Checked in
    /// `runtime`.
    pub tool_repeats_max: usize,
    /// Milliseconds that all tools of one chat may take together. Default 600,000. Checked in `runtime`.
    pub tool_total_ms_max: u64,
    /// Bytes that all tools of one chat may return together. Default 8 MiB. Checked in `runtime`.
    pub tool_total_bytes_max: usize,
    /// Bytes of a constraint's grammar. Default 256 KiB: a hundred tools are about a fifth of it. Checked in `constrain`.
    pub constraint_bytes_max: usize,
    /// Milliseconds that compiling a grammar may take. Default 5,000. Checked in `constrain`.
    pub constraint_compile_ms_max: u64,
    /// Milliseconds that a token may wait for its mask. Default 1,000: most take a tenth of one. Checked in
    /// `constrain`.
    pub constraint_mask_ms_max: u64,
    /// Bytes of one component. Default 64 MiB: a Python guest has 40. Checked in `plugin`.
    pub component_bytes_max: usize,
    /// Bytes of memory one plugin instance may hold. Default 64 MiB. Checked in `plugin`.
    pub plugin_memory_bytes_max: usize,
    /// Elements of one plugin table. Default 100,000. Checked in `plugin`.
    pub plugin_table_elements_max: usize,
    /// Instances of chat formats that may live at one time: one for each sequence that is parsed, one for
    /// each prompt that is rendered. Default 1,000; costs address space, not memory. Checked in `plugin`.
    pub plugin_instances_max: u32,
    /// Core instances, memories and tables, of each at most this many in one plugin instance. Default 128:
    /// a Python guest has 33 instances. Checked in `plugin`.
    pub plugin_parts_max: usize,
    /// Bytes of call stack of a plugin. Default 512 KiB. Checked in `plugin`.
    pub plugin_stack_bytes_max: usize,
    /// Milliseconds of one call of a chat format. Default 5,000: a usual call takes microseconds, but the official
    /// template of July 2026, run as Jinja, looks at every pair of messages, and a thousand take it a second. Checked
    /// in `plugin`.
    pub format_call_ms_max: u64,
    /// Milliseconds of one tool call. Default 10,000. Checked in `plugin`.
    pub tool_call_ms_max: u64,
    /// Bytes that one plugin call may copy to or from the host. It stops a small guest that returns one
    /// buffer under many names. Default 4 MiB; a longer conversation raises it by itself. Checked in `plugin`.
    pub plugin_copy_bytes_max: usize,
    /// Milliseconds of one run of an agent, without the time that the model takes for it. Default 60,000. Checked in
    /// `plugin`.
    pub agent_call_ms_max: u64,
    /// Units of fuel of one plugin call, about one for each instruction: the same call ends at the same place on every
    /// machine. Default none: metering costs a fifth of the speed. Checked in `plugin`.
    pub plugin_fuel_max: Option<u64>,
    /// Calls of one tool plugin or agent that may run at the same time. Default 64. Checked in `plugin`.
    pub plugin_calls_max: usize,
    /// Times that one plugin call may call the host. Default 100,000. One call of WASI too many ends the plugin's call at
    /// the next tick. Checked in `plugin`.
    pub plugin_host_calls_max: u64,
    /// Requests, bodies, headers and other resources of WASI that one plugin call may hold. Default 1,000. Checked in
    /// `plugin`.
    pub plugin_resources_max: usize,
    /// Failures in a row after which a plugin rests: a second, and twice as long each further time, up to a minute.
    /// Default 3. Checked in `plugin`.
    pub plugin_failures_max: u32,
    /// Bytes of all that one plugin keeps under `key-value`. Default 1 MiB. Checked in `plugin`.
    pub key_value_bytes_max: usize,
    /// Bytes of one file that a plugin reads or writes. Default 4 MiB. Checked in `plugin`.
    pub file_bytes_max: usize,
    /// Bytes of the body of a plugin's request, and of the one that it gets back. Default 4 MiB. Checked in `plugin`.
    pub http_body_bytes_max: usize,
    /// Bytes of all headers of a plugin's request through `wasi:http`, of the parts of its address, and of the headers
    /// that any request gets back: of each at most this many. Default 16 KiB. Checked in `plugin`.
    pub http_headers_bytes_max: usize,
    /// Requests of one plugin that may be under way at once; further ones wait. Of answers through `wasi:http` it may
    /// hold as much as this many whole bodies. Default 32. Checked in `plugin`.
    pub http_requests_max: usize,
    /// Milliseconds of a plugin's request, from the name's resolution to the last byte. Default 10,000. Checked in
    /// `plugin`.
    pub http_ms_max: u64,
    /// Bytes of one tool's result. Default 1 MiB. Checked in `runtime`.
    pub tool_result_bytes_max: usize,
    /// Ids and scores that a recording keeps of one generation of a logits processor; later steps are left out. Default
    /// 262,144. Checked in `plugin`.
    pub recorded_values_max: usize,
    /// Bytes that one plugin may log in one call. Default 64 KiB; what is over is cut. Checked in `plugin`.
    pub plugin_log_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            messages_max: 10_000,
            text_bytes_max: 16 << 20,
            parsed_bytes_max: 64 << 20,
            media_count_max: 64,
            media_bytes_max: 256 << 20,
            image_pixels_max: 64 << 20,
            audio_seconds_max: 600,
            video_frames_max: 256,
            movie_ms_max: 300_000,
            prompt_tokens_max: 262_144,
            prefill_tokens_max: 512,
            new_tokens_max: 4_096,
            sequences_max: 8,
            tool_rounds_max: 16,
            tool_calls_max: 32,
            tool_repeats_max: 3,
            tool_total_ms_max: 600_000,
            tool_total_bytes_max: 8 << 20,
            constraint_bytes_max: 256 << 10,
            constraint_compile_ms_max: 5_000,
            constraint_mask_ms_max: 1_000,
            component_bytes_max: 64 << 20,
            plugin_memory_bytes_max: 64 << 20,
            plugin_table_elements_max: 100_000,
            plugin_instances_max: 1_000,
            plugin_parts_max: 128,
            plugin_stack_bytes_max: 512 << 10,
            format_call_ms_max: 5_000,
            tool_call_ms_max: 10_000,
            plugin_copy_bytes_max: 4 << 20,
            agent_call_ms_max: 60_000,
            plugin_fuel_max: None,
            plugin_calls_max: 64,
            plugin_host_calls_max: 100_000,
            plugin_resources_max: 1_000,
            plugin_failures_max: 3,
            key_value_bytes_max: 1 << 20,
            file_bytes_max: 4 << 20,
            http_body_bytes_max: 4 << 20,
            http_headers_bytes_max: 16 << 10,
            http_requests_max: 32,
            http_ms_max: 10_000,
            tool_result_bytes_max: 1 << 20,
            recorded_values_max: 256 << 10,
            plugin_log_bytes_max: 64 << 10,
        }
    }
}

/// Bounds of one plugin in place of the general ones: smaller for a stranger, larger for one that needs it.
/// What is `None` is as in [`Limits`].
///
/// ```
/// use lapidary::{Grants, PluginLimits};
/// let limits = PluginLimits { memory_bytes_max: Some(4 << 20), ..PluginLimits::default() };
/// let grants = Grants::none().with_limits(limits);
/// assert!(grants.iter().next().is_none());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginLimits {
    /// In place of [`Limits::plugin_memory_bytes_max`].
    pub memory_bytes_max: Option<usize>,
    /// In place of [`Limits::tool_call_ms_max`] or [`Limits::agent_call_ms_max`].
    pub call_ms_max: Option<u64>,
    /// In place of [`Limits::plugin_fuel_max`]; only where that is set, because fuel is counted by the machine code.
    pub fuel_max: Option<u64>,
    /// In place of [`Limits::plugin_copy_bytes_max`].
    pub copy_bytes_max: Option<usize>,
    /// In place of [`Limits::plugin_log_bytes_max`].
    pub log_bytes_max: Option<usize>,
    /// In place of [`Limits::plugin_calls_max`].
    pub calls_max: Option<usize>,
    /// In place of [`Limits::plugin_host_calls_max`].
    pub host_calls_max: Option<u64>,
}
