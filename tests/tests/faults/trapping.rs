//! The shipped `.wasm`, with a way to trap.

use std::fs;

use app_health_tests::wasm;
use wasmparser::{FunctionBody, Parser, Payload};

/// A callback that is told of so many headers traps. No probe has as many.
pub const HEADERS: u8 = 60;

/// The callbacks that trap, and which of their parameters is the number of headers.
const CALLBACKS: [(&str, u8); 3] = [
    ("proxy_on_request_headers", 1),
    ("proxy_on_response_headers", 1),
    ("proxy_on_http_call_response", 2),
];

/// A module in which `if parameter >= HEADERS { unreachable }` stands before the code of these callbacks.
///
/// # Panics
/// Where the shipped module lacks one of them.
pub fn module() -> Vec<u8> {
    let shipped = fs::read(wasm::filter()).expect("the .wasm");
    let (mut imported, mut parameters) = (0, Vec::new());
    let (mut bodies, mut end, mut code) = (Vec::new(), 8, None);
    for payload in Parser::new(0).parse_all(&shipped) {
        let payload = payload.expect("a module");
        match &payload {
            // Nothing but functions, whose numbers come before those of the code.
            Payload::ImportSection(section) => imported = section.count(),
            Payload::ExportSection(section) => {
                for export in section.clone().into_iter().map(|export| export.expect("an export")) {
                    let callback = CALLBACKS.iter().find(|(name, _)| *name == export.name);
                    parameters.extend(callback.map(|(_, at)| (export.index - imported, *at)));
                }
            }
            Payload::CodeSectionStart { range, .. } => code = Some((end, range.end)),
            Payload::CodeSectionEntry(body) => {
                let number = bodies.len() as u32;
                let parameter = parameters.iter().find(|(function, _)| *function == number);
                bodies.push(of_function(body, parameter.map(|(_, at)| *at)));
            }
            _ => {}
        }
        end = payload.as_section().map_or(end, |(_, range)| range.end);
    }
    assert_eq!(parameters.len(), CALLBACKS.len(), "{parameters:?}");
    let (start, end) = code.expect("code");
    let code = with_length(bodies.len(), bodies.concat());
    [&shipped[..start], &[CODE_SECTION], &with_length(code.len(), code), &shipped[end..]].concat()
}

const CODE_SECTION: u8 = 10;

fn of_function(body: &FunctionBody, parameter: Option<u8>) -> Vec<u8> {
    let instructions = body.get_binary_reader_for_operators().expect("code");
    let (locals, code) =
        body.as_bytes().split_at(instructions.original_position() - body.range().start);
    let trap = parameter.map(trap);
    let all = [locals, trap.as_ref().map_or(&[], |trap| trap), code].concat();
    with_length(all.len(), all)
}

/// local.get, i32.const, i32.ge_u, if, unreachable, end
fn trap(parameter: u8) -> [u8; 9] {
    const { assert!(HEADERS < 64, "the most that one byte can say of a number with a sign") };
    [0x20, parameter, 0x41, HEADERS, 0x4f, 0x04, 0x40, 0x00, 0x0b]
}

fn with_length(length: usize, bytes: Vec<u8>) -> Vec<u8> {
    [leb128(length), bytes].concat()
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}
