//! Kubernetes' quantities (`100m`, `1.5Gi`, `2e3`), as far as comparing them needs it.

use serde_json::Value;

/// What a container without volumes and devices can use.
pub(super) const NAMES: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// In billionths; what is absent is 0.
pub(super) fn amount(quantity: Option<&Value>) -> Option<i128> {
    match quantity {
        None => Some(0),
        Some(Value::String(text)) => billionths(text),
        Some(Value::Number(number)) => billionths(&number.to_string()),
        _ => None,
    }
}

/// Decimal digits of the smallest part that a quantity can have.
const NANO: i32 = 9;

/// The quantity in billionths, rounded up as the API server does; `None` where it is none, or
/// larger than any that the API server keeps apart.
fn billionths(text: &str) -> Option<i128> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let mantissa = [whole, part].concat().parse::<i128>().ok()?;
    let (factor, power) = factor_and_power(suffix)?;
    let power = power.checked_add(NANO)?.checked_sub(part.len().try_into().ok()?)?;
    let scaled = mantissa.checked_mul(factor)?;
    let size = if power < 0 {
        match 10_i128.checked_pow(power.unsigned_abs()) {
            Some(divisor) => scaled / divisor + i128::from(scaled % divisor != 0),
            None => i128::from(scaled != 0),
        }
    } else {
        scaled.checked_mul(10_i128.checked_pow(power.unsigned_abs())?)?
    };
    Some(if negative { -size } else { size })
}

/// What the suffix multiplies by, and the power of ten beside it.
fn factor_and_power(suffix: &str) -> Option<(i128, i32)> {
    Some(match suffix {
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "" => (1, 0),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        exponent => (1, exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_amount_is_equal_however_it_is_written() {
        for (text, billionth) in [
            ("0", 0),
            ("0Gi", 0),
            ("1", 1_000_000_000),
            ("+1", 1_000_000_000),
            ("1.", 1_000_000_000),
            ("1.0", 1_000_000_000),
            ("1000m", 1_000_000_000),
            ("1000000u", 1_000_000_000),
            ("1e0", 1_000_000_000),
            ("10E-1", 1_000_000_000),
            ("0.001k", 1_000_000_000),
            (".5", 500_000_000),
            ("-2", -2_000_000_000),
            ("1n", 1),
            ("0.1n", 1),
            ("1e-40", 1),
            ("1.5Ki", 1_536_000_000_000),
            ("2e3", 2_000_000_000_000),
            ("1Gi", 1_073_741_824_000_000_000),
            ("1024Mi", 1_073_741_824_000_000_000),
            ("8Ei", 9_223_372_036_854_775_808_000_000_000),
            ("8E", 8_000_000_000_000_000_000_000_000_000),
        ] {
            assert_eq!(billionths(text), Some(billionth), "{text}");
        }
        for (times, suffixes) in [
            (1000, ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"].as_slice()),
            (1024, &["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]),
        ] {
            for pair in suffixes.windows(2) {
                let [less, more] =
                    [pair[0], pair[1]].map(|suffix| billionths(&format!("3{suffix}")));
                assert_eq!(less.map(|amount| amount * times), more, "{pair:?}");
            }
        }
    }

    #[test]
    fn what_is_no_quantity() {
        for text in [
            "",
            "-",
            ".",
            "m",
            "1 ",
            " 1",
            "1mm",
            "1K",
            "1ki",
            "0x1",
            "1.2.3",
            "1e",
            "1e+",
            "1e99",
            "--1",
            "1_0",
            "٣",
            "1e99999999999",
        ] {
            assert_eq!(billionths(text), None, "{text:?}");
        }
        assert_eq!(billionths(&"9".repeat(60)), None);
    }
}
