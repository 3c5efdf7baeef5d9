use super::*;

fn get() -> Get {
    Get::probe("10.0.0.7:80".parse().unwrap(), "/")
}

/// What comes of these bytes, in pieces of this size, and of the end that follows.
fn read(bytes: &[u8], piece: usize) -> String {
    let get = get();
    let mut reading = Reading::of(&get);
    for piece in bytes.chunks(piece).chain([&b""[..]]) {
        match reading.feed(piece) {
            Ok(None) => {}
            Ok(Some(Read::Whole(answer))) => {
                return format!("{} {}", answer.status, answer.body.len());
            }
            Ok(Some(Read::Follow(next))) => {
                return format!("to {}", String::from_utf8_lossy(next.target()));
            }
            Err(failure) => return failure.reason.as_str().to_string(),
        }
    }
    panic!("it goes on after the end: {}", bytes.escape_ascii());
}

#[test]
fn answers() {
    let long = "x".repeat(20_000);
    let long_head = format!("HTTP/1.1 200 OK\r\nA: {long}\r\n\r\n");
    for (answer, comes) in [
        ("HTTP/1.1 200 OK\r\n\r\nto the end", "200 10"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab and more", "200 2"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "broken"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length: 2\r\n\r\nab", "200 2"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", "invalid"),
        ("HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nab", "invalid"),
        ("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nab", "invalid"),
        ("HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n", "204 0"),
        ("HTTP/1.1 304 No\r\nTransfer-Encoding: chunked\r\n\r\n", "304 0"),
        ("HTTP/1.1 100 Go\r\nA: b\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", "404 0"),
        ("HTTP/1.1 101 Switch\r\n\r\n", "101 0"),
        ("HTTP/1.0 200\n\nab", "200 2"),
        ("HTTP/9.9 200 \r\nA B: c\r\n\r\n", "200 0"),
        ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "200 0"),
        ("HTTP/1.1 200 OK\r\n c\r\n\r\n", "invalid"),
        ("HTTP/1.1 200 OK\r\nA: \x01\r\n\r\n", "invalid"),
        ("HTTP/1.1 200 OK\r\nA(: b\r\n\r\n", "invalid"),
        ("HTTP/1.1 200 OK\r\n: b\r\n\r\n", "invalid"),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "invalid"),
        ("HTTP/1.1 099 Low\r\n\r\n", "99 0"),
        ("HTTP/1.1 2000 High\r\n\r\n", "invalid"),
        ("HTTP/1.1 +20 Odd\r\n\r\nab", "20 2"),
        ("HTTP/1.1   -00 Odd\r\n\r\n", "0 0"),
        ("HTTP/1.1 -20 Odd\r\n\r\n", "invalid"),
        ("HTTP/1.1 \t200 OK\r\n\r\n", "invalid"),
        ("HTTP/1.1 0200 OK\r\n\r\n", "invalid"),
        ("HTTP/1.1 2x0 OK\r\n\r\n", "invalid"),
        ("HTTP/1.1 \r\n\r\n", "invalid"),
        ("HTTP/1 200 OK\r\n\r\n", "invalid"),
        ("SSH-2.0-x\r\n\r\n", "invalid"),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", "invalid"),
        ("HTTP/1.1 200 OK\r\nA: b\r\n", "reset"),
        ("", "reset"),
        (&long_head, "200 0"),
    ] {
        for piece in [1, 7, usize::MAX] {
            assert_eq!(read(answer.as_bytes(), piece), comes, "{answer} by {piece}");
        }
    }
}

#[test]
fn chunks() {
    let long = "x".repeat(10_240);
    let sized = |size: usize, rest: &str| format!("{size:x}\r\n{long}{rest}");
    for (body, comes) in [
        ("2\r\nab\r\n0\r\n\r\n", "200 2"),
        ("2;a=b \r\nab\r\n0\r\nA: b\r\n\r\n", "200 2"),
        ("2\r\nab\r\n", "broken"),
        ("2\r\nab\r\n0\r\n", "broken"),
        ("2\r\nabc\r\n0\r\n\r\n", "broken"),
        ("x\r\n", "broken"),
        ("\r\n", "broken"),
        ("+2\r\nab\r\n", "broken"),
        (&sized(10_240, ""), "200 10240"),
        (&sized(20_000, "x"), "200 10240"),
        (&sized(10_239, ""), "broken"),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n{body}");
        for piece in [1, 7, usize::MAX] {
            assert_eq!(read(answer.as_bytes(), piece), comes, "{body} by {piece}");
        }
    }
    for (head, comes) in [
        ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked", "200 5"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip", "invalid"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "invalid"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: chunked", "200 0"),
    ] {
        assert_eq!(read(format!("{head}\r\n\r\n0\r\n\r\n").as_bytes(), 3), comes, "{head}");
    }
}

#[test]
fn what_comes_behind_the_limit_does_not_matter() {
    for (body, comes) in [(10_239, "broken"), (10_240, "200 10240"), (30_000, "200 10240")] {
        let answer =
            format!("HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n{}", "x".repeat(body));
        assert_eq!(read(answer.as_bytes(), 1000), comes, "{body}");
    }
    let endless = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(HEAD_LIMIT));
    assert_eq!(read(endless.as_bytes(), 16 << 10), "invalid");
    for head in ["Content-Length: 9", "Transfer-Encoding: chunked", "A: b"] {
        let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n");
        let read = Reading::of_answer().body_limit(0).feed(answer.as_bytes());
        assert!(matches!(read, Ok(Some(Read::Whole(_)))), "{head}");
    }
    let mut reading = Reading::of_answer().body_limit(usize::MAX);
    let answer = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(20_000));
    assert!(matches!(reading.feed(answer.as_bytes()), Ok(None)));
    let Ok(Some(Read::Whole(answer))) = reading.feed(b"") else { panic!() };
    assert_eq!(answer.body.len(), 20_000);
}

#[test]
fn redirects() {
    const HEAD: &str = "HTTP/1.1 302 Found\r\nLocation: /x\r\n";
    for (rest, comes) in [
        ("Content-Length: 5\r\n\r\nab", "to /x"),
        ("Content-Length: 2049\r\n\r\n", "to /x"),
        ("\r\nto the end", "to /x"),
        ("Location: /y\r\n\r\n", "to /x"),
        ("Transfer-Encoding: chunked\r\n\r\n2\r\n", "to /x"),
    ] {
        assert_eq!(read(format!("{HEAD}{rest}").as_bytes(), 7), comes, "{rest}");
    }
    // A long body is not waited for, a short one is.
    for (length, waits) in [(2048, true), (2049, false)] {
        let get = get();
        let read =
            Reading::of(&get).feed(format!("{HEAD}Content-Length: {length}\r\n\r\n").as_bytes());
        assert_eq!(read.unwrap().is_none(), waits, "{length}");
    }
    for (location, comes) in [("http://other/", "302 0"), ("%zz", "redirect"), ("", "302 0")] {
        let answer = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n");
        assert_eq!(read(answer.as_bytes(), 7), comes, "{location}");
    }
    let mut reading = Reading::of_answer();
    assert!(matches!(reading.feed(HEAD.as_bytes()), Ok(None)));
    assert!(matches!(reading.feed(b"Content-Length: 0\r\n\r\n"), Ok(Some(Read::Whole(_)))));
}

#[test]
fn a_break_does_not_matter_to_the_answer_to_a_hook() {
    let hook = Get::hook("10.0.0.7:80".parse().unwrap(), "/");
    for (head, is_answer) in [("", false), ("\r\n", true)] {
        let mut reading = Reading::of(&hook);
        let bytes = format!("HTTP/1.1 500 X\r\nContent-Length: 9\r\n{head}");
        assert!(matches!(reading.feed(bytes.as_bytes()), Ok(None)));
        assert_eq!(reading.broken("reset").is_ok(), is_answer, "{head:?}");
    }
}

#[test]
fn a_break_does_not_matter_to_a_redirect() {
    for (status, follows) in [(200, false), (302, true)] {
        let head = format!("HTTP/1.1 {status} X\r\nLocation: /x\r\nContent-Length: 9\r\n\r\n");
        let get = get();
        let mut reading = Reading::of(&get);
        assert!(matches!(reading.feed(head.as_bytes()), Ok(None)));
        assert_eq!(reading.broken("reset").is_ok(), follows, "{status}");
    }
}

#[test]
fn the_longest_head_and_the_longest_line_of_a_chunk() {
    const START: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: ";
    const END: &str = "\r\n\r\n";
    let head = |length: usize| {
        [START, &"x".repeat(length - START.len() - END.len()), END].concat().into_bytes()
    };
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = |line: usize| {
        [CHUNKED, "1;", &"x".repeat(line - "1;".len()), "\r\na\r\n0\r\n\r\n"].concat().into_bytes()
    };
    for (answer, comes) in [
        (head(HEAD_LIMIT), "200 0"),
        (head(HEAD_LIMIT + 1), "invalid"),
        (chunk(CHUNK_LINE_LIMIT), "200 1"),
        (chunk(CHUNK_LINE_LIMIT + 1), "broken"),
    ] {
        for piece in [1000, usize::MAX] {
            assert_eq!(read(&answer, piece), comes, "{} by {piece}", answer.len());
        }
    }
    // Before the line ends.
    for (start, limit, reason) in
        [(START, HEAD_LIMIT, Reason::Invalid), (CHUNKED, CHUNK_LINE_LIMIT, Reason::Broken)]
    {
        let get = get();
        let mut reading = Reading::of(&get);
        let body = if start == CHUNKED { start.len() } else { 0 };
        let line = "x".repeat(limit + body - start.len());
        assert!(matches!(reading.feed([start, &line].concat().as_bytes()), Ok(None)));
        assert_eq!(reading.feed(b"x").map_err(|failure| failure.reason).err(), Some(reason));
    }
}

#[test]
fn the_text_of_a_body_has_no_space_at_its_end() {
    let answer = Answer { body: b" ab\xff \r\n".to_vec(), ..Answer::default() };
    assert_eq!(answer.text(), " ab\u{fffd}");
}
