//! The status page of the filter, `GET /app-health/` on port 15020, as `status` and `probe` read it.
//!
//! | module | what it decides |
//! |---|---|
//! | [`client`] | how it is asked for, how long that may take, and what is no answer |
//! | [`shape`] | what is in it |

mod client;
pub mod shape;

use clap::Args;
use hyper::Uri;
use hyper::body::Bytes;

use crate::exit::Failure;
use crate::logger::in_line;
use shape::Page;

/// Characters of a problem.
const LONGEST: usize = 300;

/// Where the page is.
#[derive(Args, Clone, Debug)]
pub struct PageArgs {
    /// The status page: of this pod, or of one whose port is forwarded to here
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:15020/app-health/",
          value_parser = url)]
    pub url: Uri,
}

fn url(text: &str) -> Result<Uri, String> {
    let url: Uri = text.parse().map_err(|error| format!("no URL: {error}"))?;
    match url.authority() {
        _ if url.scheme_str() != Some("http") => Err("no http:// URL".into()),
        Some(it) if it.as_str().contains('@') => Err("a user in the URL".into()),
        // A port that is none is passed over.
        Some(it) if it.as_str() != it.host() && it.port_u16().is_none_or(|port| port == 0) => {
            Err("no port from 1 to 65535 in the URL".into())
        }
        _ => Ok(url),
    }
}

/// The page as it is now: its text and what it says.
///
/// # Errors
/// Exit code 2 where there is no page that can be read; the message names the URL.
pub async fn fetch(args: &PageArgs) -> Result<(Bytes, Page), Failure> {
    let fetched = async {
        let text = client::get(&args.url).await?;
        let page = shape::decode(&text)?;
        Ok((text, page))
    };
    let fetched: Result<_, String> = fetched.await;
    // Some of it repeats the answer.
    let failure = |problem| Failure::unreachable(in_line(problem, LONGEST));
    fetched.map_err(|problem| failure(problem).of(&args.url.to_string()))
}
