//! References of images: `[host[:port]/]path[:tag][@digest]`.

use regex_lite::Regex;

/// The usual grammar, as github.com/distribution/reference has it.
const REFERENCE: &str = r"(?x)^
    ( (?: (?: \[ [0-9a-fA-F:]+ \] | LABEL (?: \. LABEL )* ) (?: : [0-9]{1,5} )? / )?
    COMPONENT (?: / COMPONENT )* )
    (?: : [A-Za-z0-9_] [A-Za-z0-9_.-]{0,127} )?
    (?: @ (?: sha256: [0-9a-f]{64} | sha512: [0-9a-f]{128} ) )?
$";
const LABEL: &str = "[A-Za-z0-9] (?: [A-Za-z0-9-]* [A-Za-z0-9] )?";
const COMPONENT: &str = "[a-z0-9]+ (?: (?: \\. | __? | -+ ) [a-z0-9]+ )*";

/// Characters of host and path.
const LONGEST_NAME: usize = 255;

/// A reference, or nothing at all.
///
/// # Errors
/// It is no reference: a container runtime would find out in every pod.
pub fn parse(text: &str) -> Result<String, &'static str> {
    let grammar = REFERENCE.replace("LABEL", LABEL).replace("COMPONENT", COMPONENT);
    let is_reference = Regex::new(&grammar).is_ok_and(|grammar| {
        let name = grammar.captures(text).and_then(|captures| captures.get(1));
        name.is_some_and(|name| name.len() <= LONGEST_NAME)
    });
    if text.is_empty() || is_reference {
        return Ok(text.to_owned());
    }
    Err("no reference of an image, as in registry.example.org:5000/mesh/app-health-agent:TAG")
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_of_the_usual_grammar() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for text in [
            "",
            "agent",
            "agent:1",
            "mesh/app-health-agent:0.1.0-rc.1",
            "localhost/a",
            "localhost:5000/a/b__c/d--e.f:V_1.2-x",
            "Registry.example.org:443/a",
            "10.0.0.7:5000/a",
            "[::1]:5000/a",
            "[fd00::1]/a",
            &format!("a@{digest}"),
            &format!("r.example/a:1@{digest}"),
        ] {
            assert!(parse(text).is_ok(), "{text}");
        }
        for text in [
            "UPPER/!!:::x",
            "Agent",
            "an image",
            "a\n",
            "a:",
            ":1",
            "/a",
            "a/",
            "a//b",
            "-a",
            "a_",
            "a..b",
            "a___b",
            "a._b",
            "a:-1",
            "a:b:c",
            "r.example:/a",
            "r..example/a",
            "-r.example/a",
            "[::g]/a",
            "[::1/a",
            "[::1]5000/a",
            "https://r.example/a",
            "a@sha256:0a",
            "a@",
            &format!("a@{digest}@{digest}"),
            &format!("a@md5:{}", "0a".repeat(32)),
            &format!("a:{}", "1".repeat(129)),
            &"a".repeat(256),
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
