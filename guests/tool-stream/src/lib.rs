//! Tools of the preview world `streaming-tool-provider`.
//!
//! `fetch_pages` waits for many pages as long as for the slowest, and tells of each as it arrives. `count_up`
//! shows what a piece of a result costs.

use futures::StreamExt;
use futures::stream::{self, FuturesUnordered};
use lapidary_guest::concurrent_http;
use lapidary_guest::http::Request;
use lapidary_guest::{
    Failure, JsonSchema, Output, StreamingTool, ToolTraits, export_streaming_tools, schemars,
};
use serde::Deserialize;

/// What the model passes to `fetch_pages`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Pages {
    /// The addresses of the pages.
    pub urls: Vec<String>,
    /// Fetch each only when the one before is there.
    #[serde(default)]
    pub one_by_one: bool,
}

/// The tool `fetch_pages`.
pub struct FetchPages;

impl StreamingTool for FetchPages {
    type Arguments = Pages;
    const NAME: &str = "fetch_pages";
    const DESCRIPTION: &str = "Fetches pages and tells the size of each.";

    fn traits() -> ToolTraits {
        ToolTraits::READ_ONLY | ToolTraits::OPEN_WORLD
    }

    async fn call(pages: Pages, output: &mut Output) -> Result<(), Failure> {
        if pages.one_by_one {
            let lines = stream::iter(pages.urls).then(line);
            return write_all(lines, output).await;
        }
        let lines: FuturesUnordered<_> = pages.urls.into_iter().map(line).collect();
        write_all(lines, output).await
    }
}

async fn write_all(
    lines: impl stream::Stream<Item = String>,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut lines = Box::pin(lines);
    while let Some(line) = lines.next().await {
        output.write(line).await;
    }
    Ok(())
}

async fn line(url: String) -> String {
    let request = Request {
        method: "GET".into(),
        url: url.clone(),
        headers: Vec::new(),
        body: None,
    };
    match concurrent_http::send(request).await {
        Ok(page) => format!("{url}: {} bytes\n", page.body.len()),
        Err(error) => format!("{url}: {}\n", error.message),
    }
}

/// What the model passes to `count_up`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Count {
    /// The last number.
    pub to: u32,
}

/// The tool `count_up`.
pub struct CountUp;

impl StreamingTool for CountUp {
    type Arguments = Count;
    const NAME: &str = "count_up";
    const DESCRIPTION: &str = "Counts from one to a number.";

    async fn call(count: Count, output: &mut Output) -> Result<(), Failure> {
        for number in 1..=count.to {
            output.write(format!("{number} ")).await;
        }
        Ok(())
    }
}

export_streaming_tools!(FetchPages, CountUp);
