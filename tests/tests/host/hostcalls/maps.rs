//! Header maps, buffers and properties.

use wasmtime::Linker;

use crate::host::abi::{BufferType, HostcallResult, MapType, Status, encode_pairs};
use crate::host::guest::{Guest, Slice, link_functions};
use crate::host::headers::Headers;
use crate::host::state::HostState;
use crate::host::stream::Stream;

pub fn link_all(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    link_functions!(linker, "env":
        proxy_get_header_map_pairs(map, pairs_at, size_at),
        proxy_set_header_map_pairs(map, (pairs_at, size)),
        proxy_replace_header_map_value(map, (name_at, name_length), (value_at, value_length)),
        proxy_remove_header_map_value(map, (name_at, name_length)),
        proxy_get_header_map_value(map, (name_at, name_length), value_at, size_at),
        proxy_get_buffer_bytes(buffer, start, length, bytes_at, size_at),
        proxy_set_buffer_bytes(buffer, start, length, (bytes_at, size)),
        proxy_get_property((path_at, path_length), value_at, size_at),
        proxy_set_property((path_at, path_length), (value_at, value_length)),
    );
    Ok(())
}

/// The headers of a map, if the filter can see them in this callback.
fn visible(state: &mut HostState, map: MapType) -> Option<&Headers> {
    match map {
        MapType::CallHeaders => return state.callout_response.as_ref()?.headers.as_ref(),
        MapType::CallTrailers => return state.callout_response.as_ref()?.trailers.as_ref(),
        _ => {}
    }
    let stream = state.stream()?;
    match map {
        MapType::RequestHeaders if stream.logged.is_some() => Some(&stream.request),
        MapType::ResponseHeaders if stream.logged.is_some() => stream.logged.as_ref(),
        _ => changeable(stream, map).map(|headers| &*headers),
    }
}

/// The headers of a map that has arrived and has not been let go.
fn changeable(stream: &mut Stream, map: MapType) -> Option<&mut Headers> {
    match map {
        MapType::RequestHeaders => stream.request_in_sight.then_some(&mut stream.request),
        MapType::ResponseHeaders => stream.response_headers.as_mut(),
        MapType::ResponseTrailers => stream.trailers.as_mut(),
        _ => None,
    }
}

/// A map that the filter cannot see is an empty one, though to look up a single value in it fails.
fn proxy_get_header_map_pairs(
    guest: &mut Guest,
    map: u32,
    pairs_at: u32,
    size_at: u32,
) -> HostcallResult {
    let pairs = match visible(guest.state(), MapType::of(map)?) {
        Some(headers) if !headers.pairs().is_empty() => encode_pairs(headers.pairs()),
        _ => Vec::new(),
    };
    guest.give(&pairs, pairs_at, size_at)
}

fn proxy_get_header_map_value(
    guest: &mut Guest,
    map: u32,
    name: Slice,
    value_at: u32,
    size_at: u32,
) -> HostcallResult {
    let name = guest.read(name)?;
    let headers = visible(guest.state(), MapType::of(map)?).ok_or(Status::BadArgument)?;
    let value = headers.first(&name).ok_or(Status::NotFound)?.to_vec();
    guest.give(&value, value_at, size_at)
}

fn proxy_set_header_map_pairs(guest: &mut Guest, map: u32, pairs: Slice) -> HostcallResult {
    let pairs = guest.pairs(pairs)?;
    change(guest, map, |headers| *headers = Headers::of(pairs))
}

fn proxy_replace_header_map_value(
    guest: &mut Guest,
    map: u32,
    name: Slice,
    value: Slice,
) -> HostcallResult {
    let (name, value) = (guest.read(name)?, guest.read(value)?);
    change(guest, map, |headers| headers.set(&name, &value))
}

fn proxy_remove_header_map_value(guest: &mut Guest, map: u32, name: Slice) -> HostcallResult {
    let name = guest.read(name)?;
    change(guest, map, |headers| headers.remove(&name))
}

fn change(guest: &mut Guest, map: u32, change: impl FnOnce(&mut Headers)) -> HostcallResult {
    let map = MapType::of(map)?;
    let state = guest.state();
    let headers = state.stream().and_then(|stream| changeable(stream, map));
    let headers = headers.ok_or(Status::BadArgument)?;
    change(headers);
    for line in headers.broken_lines() {
        state.violation(format!("a header that breaks the message: {line}"));
    }
    Ok(())
}

/// The bytes of a buffer, if there is such a buffer in this callback. Most are always there, and empty.
fn contents(state: &mut HostState, buffer: BufferType) -> Option<Vec<u8>> {
    let body_of = |is_http: bool| {
        let response = state.callout_response.as_ref()?;
        (response.headers.is_some() == is_http).then(|| response.body.clone())
    };
    match buffer {
        BufferType::PluginConfiguration => state.configuring.then(|| state.plugin_config.clone()),
        BufferType::CallBody => body_of(true),
        BufferType::GrpcMessage => Some(body_of(false).unwrap_or_default()),
        BufferType::ResponseBody => {
            Some(state.stream().and_then(|s| s.buffered_body.clone()).unwrap_or_default())
        }
        BufferType::RequestBody | BufferType::VmConfiguration => Some(Vec::new()),
    }
}

fn proxy_get_buffer_bytes(
    guest: &mut Guest,
    buffer: u32,
    start: u32,
    length: u32,
    bytes_at: u32,
    size_at: u32,
) -> HostcallResult {
    let bytes = contents(guest.state(), BufferType::of(buffer)?).ok_or(Status::NotFound)?;
    let end = start.checked_add(length).ok_or(Status::BadArgument)? as usize;
    let part = bytes.get(start as usize..end.min(bytes.len())).unwrap_or_default().to_vec();
    guest.give(&part, bytes_at, size_at)
}

fn proxy_set_buffer_bytes(
    guest: &mut Guest,
    buffer: u32,
    start: u32,
    length: u32,
    bytes: Slice,
) -> HostcallResult {
    let buffer = BufferType::of(buffer)?;
    contents(guest.state(), buffer).ok_or(Status::NotFound)?;
    let new = guest.read(bytes)?;
    let (start, length) = (start as usize, length as usize);
    let stream = guest.state().stream().filter(|_| buffer == BufferType::ResponseBody);
    match stream.and_then(|stream| stream.buffered_body.as_mut()) {
        Some(body) if start == 0 => drop(body.splice(..length.min(body.len()), new)),
        Some(body) if start >= body.len() => body.extend(new),
        _ => return Err(Status::BadArgument),
    }
    Ok(())
}

/// Joins a property's path with dots; the filter divides its parts by NUL.
fn property_path(guest: &mut Guest, path: Slice) -> HostcallResult<String> {
    Ok(guest.text(path)?.replace('\0', "."))
}

fn proxy_get_property(
    guest: &mut Guest,
    path: Slice,
    value_at: u32,
    size_at: u32,
) -> HostcallResult {
    let path = property_path(guest, path)?;
    let stream = guest.state().stream().ok_or(Status::NotFound)?;
    let value = stream.set_properties.get(&path).or_else(|| stream.properties.get(&path));
    let value = value.ok_or(Status::NotFound)?.clone();
    guest.give(&value, value_at, size_at)
}

fn proxy_set_property(guest: &mut Guest, path: Slice, value: Slice) -> HostcallResult {
    let path = property_path(guest, path)?;
    let value = guest.read(value)?;
    let stream = guest.state().stream().ok_or(Status::NotFound)?;
    stream.set_properties.insert(path, value);
    Ok(())
}
