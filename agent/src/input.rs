//! Files that are read as a whole, within a bound. What is larger is refused, never cut off.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::exit::Failure;
use crate::net::reason;

/// The text of a manifest, of at most so many bytes. `-` reads stdin.
///
/// # Errors
/// No input when it cannot be read; data when it is larger, or not UTF-8. None names the file.
pub fn manifest(file: &Path, most: u64) -> Result<String, Failure> {
    let bytes = if file == Path::new("-") {
        bounded(io::stdin().lock(), 0, most)?
    } else {
        self::file(file, most)?
    };
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::data(format!("not UTF-8 (byte {at}): manifests are YAML or JSON in UTF-8"))
    })
}

/// A file of at most so many bytes.
///
/// # Errors
/// No input when it cannot be read; data when it is larger. None names the file.
pub fn file(path: &Path, most: u64) -> Result<Vec<u8>, Failure> {
    let file = File::open(path).map_err(no_input)?;
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    bounded(file, size, most)
}

fn bounded(input: impl Read, expected: u64, most: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::with_capacity(expected.min(most) as usize);
    input.take(most + 1).read_to_end(&mut bytes).map_err(no_input)?;
    if bytes.len() as u64 > most {
        return Err(Failure::data(format!("larger than {} MiB", most >> 20)));
    }
    Ok(bytes)
}

fn no_input(error: io::Error) -> Failure {
    Failure::no_input(reason(&error))
}
