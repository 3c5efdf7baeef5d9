//! Names of Kubernetes objects and containers, as arguments.

/// The name of a container, a Service or a namespace: a DNS label.
pub fn label(text: &str) -> Result<String, &'static str> {
    if text.len() <= 63 && is_label(text) {
        return Ok(text.to_owned());
    }
    Err("no DNS label: lower-case letters, digits and hyphens, 63 at most")
}

/// The name of most other objects: a DNS name.
pub fn subdomain(text: &str) -> Result<String, &'static str> {
    if text.len() <= 253 && text.split('.').all(is_label) {
        return Ok(text.to_owned());
    }
    Err("no name of an object: DNS labels with dots between them, 253 at most")
}

/// As the API server has it, for which only a name as a whole is too long.
fn is_label(text: &str) -> bool {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    !text.is_empty() && !text.starts_with('-') && !text.ends_with('-') && text.bytes().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_no_dots() {
        let long = "x".repeat(64);
        for name in ["", "-a", "a-", "A", "a.b", "a b", "a_b", "é", &long] {
            assert!(label(name).is_err(), "{name:?}");
        }
        for name in ["istio-proxy", "a", "0", &long[1..]] {
            assert!(label(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn a_subdomain_is_labels_with_dots() {
        let long = format!("{}a", "a.".repeat(126));
        for name in ["a", "0.a-b", &long, &"x".repeat(64)] {
            assert!(subdomain(name).is_ok(), "{name}");
        }
        let longer = format!("{long}b");
        for name in ["", "A", "-a", "a-", "a..b", ".a", "a.", "a_b", "a/b", "é", &longer] {
            assert!(subdomain(name).is_err(), "{name}");
        }
    }
}
