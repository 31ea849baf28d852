//! What formats give: descriptions, prompts and events. Checked before the host believes them.

use super::{exports, wit, wit_events};
use crate::chat::{Conversation, Media};
use crate::error::Result;
use crate::plugin::exchange::{FormatDescription, ParsedEvent, Piece, Rendered, StopReason};
use crate::plugin::log::printable;
use crate::plugin::store::Sandbox;
use crate::plugin::{Check, json};
use crate::text::TokenPiece;

/// A description whose stop tokens are control tokens.
pub(super) fn description(
    sandbox: &Sandbox,
    from: exports::format::Description,
) -> Result<FormatDescription> {
    let stray = from
        .stop_tokens
        .iter()
        .find(|stop| !from.control_tokens.contains(stop));
    if let Some(stray) = stray {
        let detail = format!(
            "expected its stop tokens among its control tokens, found {}",
            printable(stray)
        );
        return Err(sandbox.fault(detail));
    }
    Ok(FormatDescription {
        name: from.name,
        control_tokens: from.control_tokens,
        stop_tokens: from.stop_tokens,
    })
}

/// A prompt whose media are the conversation's and whose open turn lies in it.
pub(super) fn rendered(
    sandbox: &Sandbox,
    from: exports::template::Rendered,
    conversation: &Conversation,
) -> Result<Rendered> {
    let media: Vec<&Media> = conversation.media().collect();
    let pieces = from.pieces.into_iter().map(|from| piece(from, &media));
    let pieces = pieces
        .collect::<Check<Vec<Piece>>>()
        .map_err(|reason| sandbox.fault(reason))?;
    let open_turn = from.open_turn as usize;
    if open_turn > pieces.len() {
        let count = pieces.len();
        let detail =
            format!("expected an open turn within the prompt's {count} pieces, found {open_turn}");
        return Err(sandbox.fault(detail));
    }
    Ok(Rendered { pieces, open_turn })
}

fn piece(from: exports::template::Piece, media: &[&Media]) -> Check<Piece> {
    match from {
        exports::template::Piece::Control(text) => Ok(Piece::Control(text)),
        exports::template::Piece::Data(text) => Ok(Piece::Data(text)),
        exports::template::Piece::Media(item) => media_piece(item, media),
    }
}

fn media_piece(from: wit::MediaRef, media: &[&Media]) -> Check<Piece> {
    let index = from.index as usize;
    match media.get(index) {
        Some(item) if super::convert::media_kind(item.kind) == from.kind => Ok(Piece::Media(index)),
        Some(item) => Err(format!(
            "expected media {index} to be {:?}, found {:?}",
            item.kind, from.kind
        )),
        None => Err(format!(
            "expected one of {} media items, found media {index}",
            media.len()
        )),
    }
}

pub(super) fn token_pieces(from: &[TokenPiece]) -> Vec<exports::parser::TokenPiece> {
    let piece = |from: &TokenPiece| match from {
        TokenPiece::Control(text) => exports::parser::TokenPiece::Control(text.clone()),
        TokenPiece::Data(text) => exports::parser::TokenPiece::Data(text.clone()),
    };
    from.iter().map(piece).collect()
}

pub(super) fn stop_reason(from: StopReason) -> wit_events::StopReason {
    match from {
        StopReason::EndOfTurn => wit_events::StopReason::EndOfTurn,
        StopReason::Length => wit_events::StopReason::Length,
        StopReason::Stop => wit_events::StopReason::Stop,
        StopReason::Cancelled => wit_events::StopReason::Cancelled,
    }
}

/// Events whose complete calls carry objects.
pub(super) fn parsed(sandbox: &Sandbox, from: Vec<wit_events::Event>) -> Result<Vec<ParsedEvent>> {
    from.into_iter()
        .map(event)
        .collect::<Check<_>>()
        .map_err(|reason| sandbox.fault(reason))
}

fn event(from: wit_events::Event) -> Check<ParsedEvent> {
    Ok(match from {
        wit_events::Event::Text(text) => ParsedEvent::Text(text),
        wit_events::Event::Thought(text) => ParsedEvent::Thought(text),
        wit_events::Event::CallStart(call) => ParsedEvent::CallStart {
            index: call.index as usize,
            name: call.name,
        },
        wit_events::Event::CallDelta(call) => ParsedEvent::CallDelta {
            index: call.index as usize,
            json: call.json_delta,
        },
        wit_events::Event::CallEnd(call) => call_end(call)?,
        wit_events::Event::Malformed(found) => ParsedEvent::Malformed {
            raw: found.raw,
            code: found.code,
            message: found.message,
        },
    })
}

fn call_end(from: wit_events::CallEnd) -> Check<ParsedEvent> {
    let arguments = json::object(&from.arguments).map_err(|reason| {
        format!(
            "arguments of the call to {}: {reason}",
            printable(&from.name)
        )
    })?;
    Ok(ParsedEvent::CallEnd {
        index: from.index as usize,
        name: from.name,
        arguments,
    })
}
