//! How late an endless guest is stopped, told by the engines' own clock: whatever else the machine does, a guest
//! looks at its deadline at every tick.

use std::sync::mpsc::{self, Sender};

use lapidary::{AgentPlugin, Grant, LogitsPlugin};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::*;
use crate::support::code_cache;

const CALL_MS: u64 = 50;
const TICKS_LATE_MAX: u64 = 2;

/// On a busy machine a thread may not run for many ticks: the best of these counts.
const TRIES: usize = 20;

static TIMED: LazyLock<Engines> =
    LazyLock::new(|| Engines::new(&limits(), Some(code_cache())).expect("engines"));

fn limits() -> Limits {
    Limits {
        format_call_ms_max: CALL_MS,
        tool_call_ms_max: CALL_MS,
        agent_call_ms_max: CALL_MS,
        ..Limits::default()
    }
}

#[test]
fn every_endless_guest_is_stopped_within_two_ticks() {
    let files = component::files();
    let endless: Vec<&String> = files.iter().filter(|file| is_endless(file)).collect();
    assert!(endless.len() >= 16, "{endless:?}");
    for file in endless {
        let mut tries = (0..TRIES).map(|_| try_once(file).unwrap_or(u64::MAX));
        let mut best = u64::MAX;
        while best > TICKS_LATE_MAX {
            let late = tries.next();
            best = best.min(late.unwrap_or_else(|| panic!("{file}: {best} ticks late at best")));
        }
        eprintln!("{file}: {best} ticks late");
    }
}

fn is_endless(file: &str) -> bool {
    file.contains("/loop_in_") || file.ends_with("/constrains_forever")
}

/// Ticks from the deadline of one call to its return; `None` where nobody saw the clock at the deadline.
fn try_once(file: &str) -> Option<u64> {
    let (folder, name) = file.split_once('/').expect("a folder and a name");
    let (bytes, none, stop) = (component(folder, name), Grants::none(), Interrupt::new());
    let format = || Format::load(name, &bytes, &TIMED).expect("it misbehaves later");
    let processor =
        || LogitsPlugin::load(name, &bytes, &none, &TIMED).expect("it misbehaves later");
    let tools = || ToolPlugin::load(name, &bytes, &none, &TIMED);
    let nothing = serde_json::json!({});
    match file {
        "format/loop_in_describe" | "format/loop_in_start" => {
            late(|| Format::load(name, &bytes, &TIMED))
        }
        "format/loop_in_render" | "format/loop_in_realloc" | "format/loop_in_post_return" => {
            let format = format();
            late(|| render(&format))
        }
        "format/loop_in_open" => {
            let format = format();
            late(|| format.parser(&[], &[], &stop))
        }
        "format/loop_in_push" | "format/loop_in_drop" => {
            let mut parser = parser(&format());
            late(|| push(&mut parser))
        }
        "format/loop_in_finish" => {
            let mut parser = parser(&format());
            late(|| parser.finish(StopReason::EndOfTurn))
        }
        "tools/loop_in_definitions" => late(tools),
        "tools/loop_in_call" => {
            let tools = tools().expect("it misbehaves later");
            late(|| call(&tools))
        }
        "successor/loop_in_adopt" => {
            let grants = none.clone().with(Grant::KeyValue);
            let decent = decent("tools", "tool-provider");
            let older = ToolPlugin::load(name, &decent, &none, &TIMED).expect("decent");
            late(|| older.successor(&bytes, &grants))
        }
        "agent/loop_in_run" => {
            let agent = AgentPlugin::load(name, &bytes, &none, &TIMED);
            let agent = agent.expect("it misbehaves later");
            late(|| agent.run(&"hello".into(), &stop))
        }
        "logits/loop_in_open" => {
            let processor = processor();
            late(|| processor.session(&nothing, &stop))
        }
        "logits/loop_in_step" => {
            let mut session = processor().session(&nothing, &stop).expect("it opens");
            late(|| session.step(None, &mut vec![1.0, 2.0, 3.0]))
        }
        "constraint/constrains_forever" => Some(late_after_cancel(name, bytes)),
        other => panic!("tests/hostile/{other}.wat: which call never ends?"),
    }
}

fn late<T>(misbehave: impl FnOnce() -> Result<T>) -> Option<u64> {
    let (entered, begins) = mpsc::channel();
    std::thread::scope(|threads| {
        let seen = threads.spawn(move || {
            let begin = begins.recv().expect("the guest is called");
            last_tick_before(begin + Duration::from_millis(CALL_MS))
        });
        let outcome = tracing::subscriber::with_default(Calls(entered), misbehave);
        let ended = TIMED.ticks();
        assert!(outcome.is_err_and(|error| error.to_string().contains("within 50 ms")));
        Some(ended - seen.join().expect("it only looks")?)
    })
}

/// Tells when a guest is called: loading it takes time, too, which is not the guest's.
struct Calls(Sender<Instant>);

impl Subscriber for Calls {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.name() == "plugin"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn enter(&self, _: &Id) {
        // Whoever waits for the first call is gone at the second.
        let _ = self.0.send(Instant::now());
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn exit(&self, _: &Id) {}
}

/// The tick at `deadline`, or the one before it.
fn last_tick_before(deadline: Instant) -> Option<u64> {
    let close = deadline - Duration::from_millis(2);
    std::thread::sleep(close.saturating_duration_since(Instant::now()));
    let mut last = None;
    loop {
        let ticks = TIMED.ticks();
        if Instant::now() >= deadline {
            return last;
        }
        last = Some(ticks);
        std::thread::yield_now();
    }
}

/// Nothing but a chat asks a format what may come, and a chat does more: it is cancelled while the guest runs.
fn late_after_cancel(name: &str, bytes: Vec<u8>) -> u64 {
    let runtime = builder().format(name, bytes).build().expect("it loads");
    let strict = ChatOptions {
        response_format: ResponseFormat::Regex("a".into()),
        ..greedy(4)
    };
    let chat = runtime.chat("hello", strict).expect("it starts");
    let cancel = chat.cancel_handle();
    std::thread::sleep(Duration::from_millis(500));
    let raised = runtime.engines().ticks();
    cancel.cancel();
    let reply = chat.finish().expect("it ends");
    assert_eq!(reply.reason, FinishReason::Cancelled);
    runtime.engines().ticks() - raised
}
