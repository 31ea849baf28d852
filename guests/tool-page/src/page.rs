//! One request through `wasi:http`.

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{ErrorCode, Fields, IncomingResponse, OutgoingRequest, Scheme};
use wasip2::io::streams::StreamError;

/// Bytes that are asked for at once.
const READ_BYTES: u64 = 64 << 10;

/// What a host answered.
pub struct Page {
    pub status: u16,
    pub text: String,
}

/// The page at `url`; an error is a sentence for the model.
pub fn get(url: &str) -> Result<Page, String> {
    let refused = |code: ErrorCode| format!("{url}: {}", reason(&code));
    let waiting = handle(request(url)?, None).map_err(refused)?;
    waiting.subscribe().block();
    let answer = waiting.get().and_then(Result::ok);
    let answer = answer.ok_or_else(|| format!("{url}: no answer"))?;
    let response = answer.map_err(refused)?;
    Ok(Page {
        status: response.status(),
        text: read(&response).ok_or_else(|| format!("{url}: the answer broke off"))?,
    })
}

fn request(url: &str) -> Result<OutgoingRequest, String> {
    let malformed = || format!("url: expected one like https://example.com/page, found \"{url}\"");
    let (scheme, rest) = url.split_once("://").ok_or_else(malformed)?;
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        _ => return Err(malformed()),
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    let request = OutgoingRequest::new(Fields::new());
    let set = [
        request.set_scheme(Some(&scheme)),
        request.set_authority(Some(host)),
        request.set_path_with_query(Some(path)),
    ];
    match set.iter().all(Result::is_ok) {
        true => Ok(request),
        false => Err(malformed()),
    }
}

/// The whole body. What is no text in it is replaced.
fn read(response: &IncomingResponse) -> Option<String> {
    let body = response.consume().ok()?;
    let stream = body.stream().ok()?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ_BYTES) {
            Ok(piece) => bytes.extend(piece),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(_)) => return None,
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn reason(code: &ErrorCode) -> String {
    match code {
        ErrorCode::HttpRequestDenied => "this host was not allowed".to_owned(),
        ErrorCode::DestinationIpProhibited => "this host's address was not allowed".to_owned(),
        ErrorCode::ConnectionReadTimeout => "no answer in time".to_owned(),
        ErrorCode::InternalError(Some(message)) => message.clone(),
        other => format!("{other:?}"),
    }
}
