//! Requests through `wasi:http`: collected, sent by the plugin's own client, and answered as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use ureq::http::request::Parts;
use ureq::http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, Result, WasiBody,
    WasiHttpHooks,
};

use super::pieces::Pieces;
use crate::plugin::capability::{
    HttpRequest, HttpResponse, Patience, Refusal, RefusalKind, is_hosts_header,
};
use crate::plugin::fiber::Watch;
use crate::plugin::log::printable;
use crate::plugin::store::Shared;
use crate::plugin::tape::{self, Tape};

/// Bytes that a guest may write ahead of what was collected, twice.
const CHUNK_BYTES: usize = 16 << 10;

/// One call's way out.
#[derive(Clone)]
pub(in crate::plugin) struct Outgoing {
    shared: Arc<Shared>,
    tape: Option<Tape>,
    watch: Watch,
    /// The operator was told of a refusal.
    told: Arc<AtomicBool>,
}

impl Outgoing {
    pub(in crate::plugin) fn new(shared: &Arc<Shared>, tape: Option<&Tape>, watch: &Watch) -> Self {
        Self {
            shared: Arc::clone(shared),
            tape: tape.cloned(),
            watch: watch.clone(),
            told: Arc::default(),
        }
    }

    async fn exchange(
        self,
        request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<Response<WasiBody>> {
        let client = self.shared.capabilities.http.clone();
        // Nobody gets here without it: who imports this was granted it.
        let client = client.ok_or(Error::HttpRequestDenied)?;
        let refused = |refusal| self.refused(refusal);
        let turn = client.turn().await.map_err(refused)?;
        let (parts, body) = request.into_parts();
        let request = plain(parts, collect(body, client.body_bytes_max()).await?)?;
        let patience = Patience {
            deadline: self.watch.deadline(),
            connect: options.connect_timeout,
            answer: options.first_byte_timeout,
        };
        let asked = request.asked();
        let sent = Arc::clone(&client).send(request, patience, turn);
        let sent = async { sent.await.map(HttpResponse::written) };
        let answer =
            tape::waiting(self.tape.as_ref(), &self.shared, "http.send", asked, sent).await;
        let answer = answer.map_err(|error| internal(error.to_string()))?;
        let (status, headers, body) = answer.map_err(refused)?;
        let held = client.hold(body.0.len()).map_err(refused)?;
        let body = Pieces::new(body.0, held).map_err(|never| match never {});
        response(status, headers, body.boxed_unsync())
    }

    /// Tells the operator in words, and the guest as far as WASI has a code for it.
    fn refused(&self, refusal: Refusal) -> Error {
        if refusal.kind == RefusalKind::Denied {
            self.shared.counters.denied();
        }
        let message = self.shared.capabilities.redacted(&refusal.message);
        // Once a call: metrics count the rest.
        if !self.told.swap(true, Ordering::Relaxed) {
            let (plugin, message) = (self.shared.name(), printable(&message));
            tracing::warn!(plugin, "wasi:http: {message}");
        }
        match refusal.code.as_ref() {
            "http.host" => Error::HttpRequestDenied,
            "http.address" => Error::DestinationIpProhibited,
            "http.late" => Error::ConnectionReadTimeout,
            "http.held" => Error::ConnectionLimitReached,
            "http.body" => Error::HttpResponseBodySize(None),
            "http.headers" => Error::HttpResponseHeaderSectionSize(None),
            _ => internal(message),
        }
    }
}

impl WasiHttpHooks for Outgoing {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        // The length is checked against the body, and the client's own is sent.
        Arc::new(|name| {
            let is_length = *name == header::CONTENT_LENGTH;
            let is_hosts = is_hosts_header(name) || DEFAULT_FORBIDDEN_HEADERS.contains(name);
            is_hosts && !is_length
        })
    }

    fn set_host_header(&mut self) -> bool {
        false
    }

    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<()>> + Send>,
    ) -> Box<dyn Future<Output = Result<(Response<WasiBody>, Worker)>> + Send> {
        let exchange = self.clone().exchange(request, options.unwrap_or_default());
        Box::new(async move {
            let worker: Worker = Box::new(std::future::ready(Ok(())));
            Ok((exchange.await?, worker))
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES
    }
}

/// What would go on after the answer began. Answers come as a whole.
type Worker = Box<dyn Future<Output = Result<()>> + Send>;

async fn collect(mut body: WasiBody, bytes_max: usize) -> Result<Vec<u8>> {
    let mut collected = Vec::new();
    while let Some(frame) = body.frame().await {
        // After the body, which the client sends as a whole, nothing can follow.
        let trailers = |_| Error::HttpRequestTrailerSectionSize(Some(0));
        let bytes: Bytes = frame?.into_data().map_err(trailers)?;
        if collected.len() + bytes.len() > bytes_max {
            return Err(Error::HttpRequestBodySize(Some(bytes_max as u64)));
        }
        collected.extend_from_slice(&bytes);
    }
    Ok(collected)
}

fn plain(parts: Parts, body: Vec<u8>) -> Result<HttpRequest> {
    let own = parts.headers.iter();
    let own = own.filter(|(name, _)| **name != header::CONTENT_LENGTH);
    let headers = own.map(|(name, value)| {
        let value = value.to_str();
        let value = value.map_err(|_| internal(format!("{name}: expected a header of text")))?;
        Ok((name.to_string(), value.to_owned()))
    });
    Ok(HttpRequest {
        method: parts.method.to_string(),
        url: parts.uri.to_string(),
        headers: headers.collect::<Result<_>>()?,
        body,
    })
}

fn response(
    status: u16,
    headers: Vec<(String, String)>,
    body: WasiBody,
) -> Result<Response<WasiBody>> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).map_err(|_| Error::HttpProtocolError)?;
    for (name, value) in headers {
        let name: HeaderName = name.parse().map_err(|_| Error::HttpProtocolError)?;
        let value = HeaderValue::from_bytes(value.as_bytes());
        let value = value.map_err(|_| Error::HttpProtocolError)?;
        let added = response.headers_mut().try_append(name, value);
        added.map_err(|_| Error::HttpProtocolError)?;
    }
    Ok(response)
}

fn internal(message: String) -> Error {
    Error::InternalError(Some(message))
}
