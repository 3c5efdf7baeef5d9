//! Warnings within the lengths that the API server asks for: 120 characters each, 4,096 in all.
//! It drops what comes after those by itself, without a word; so here it is cut, and counted.

use crate::rewrite::Warning;
use crate::rewrite::text::InLine;

/// Who says it: kubectl shows the warnings of all webhooks together.
pub const SPEAKER: &str = "app-health: ";

const LONGEST: usize = 120;
const LONGEST_ALL: usize = 4096;

/// Room for the line that counts what was left out.
const LONGEST_COUNT: usize = 60;

/// The texts to send.
pub(super) fn cut(warnings: &[Warning]) -> Vec<String> {
    let told = warnings.iter().filter(|warning| warning.is_told());
    let line = |warning: &Warning| format!("{SPEAKER}{}", InLine(&warning.to_string()));
    let mut texts: Vec<_> = told.map(|warning| cut_one(&line(warning))).collect();
    let lengths = || texts.iter().map(|text| text.chars().count());
    if lengths().sum::<usize>() <= LONGEST_ALL {
        return texts;
    }
    let mut all = LONGEST_COUNT;
    let fit = lengths()
        .take_while(|length| {
            all += length;
            all <= LONGEST_ALL
        })
        .count();
    let left_out = texts.len() - fit;
    texts.truncate(fit);
    texts.push(format!("{SPEAKER}{left_out} more warnings are left out"));
    texts
}

fn cut_one(text: &str) -> String {
    let length = text.chars().count();
    if length <= LONGEST {
        return text.to_owned();
    }
    // The count has as many digits as the text's length, or fewer.
    let room = LONGEST - format!("… ({length} more)").chars().count();
    let kept: String = text.chars().take(room).collect();
    format!("{kept}… ({} more)", length - room)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rewrite::Cause;

    fn warning(length: usize) -> Warning {
        let reason = "é".repeat(length - SPEAKER.len());
        Warning { probe: None, cause: Cause::Host, reason }
    }

    fn characters(text: &str) -> usize {
        text.chars().count()
    }

    #[test]
    fn one_is_cut_and_counts_what_is_left_out() {
        for (length, end) in [
            (120, "ééé"),
            (121, "é… (13 more)"),
            (131, "é… (23 more)"),
            (1000, "é… (893 more)"),
            (100_000, "é… (99895 more)"),
        ] {
            let text = cut(&[warning(length)]).remove(0);
            assert!(characters(&text) <= 120, "{length}: {text}");
            assert!(text.ends_with(end), "{length}: {text}");
        }
    }

    /// Whatever a pod's texts hold.
    #[test]
    fn one_is_a_line() {
        let reason = "a\u{85}b\nc\u{7f}".to_owned();
        let text = cut(&[Warning { probe: None, cause: Cause::Variable, reason }]).remove(0);
        assert_eq!(text, r"app-health: a\u{85}b\nc\u{7f}");
    }

    #[test]
    fn all_together_have_their_limit_too() {
        let fits: Vec<_> = std::iter::repeat_n(warning(128 - 8), 34).collect();
        assert_eq!(cut(&fits).len(), 34, "4,080 characters");
        let many: Vec<_> = std::iter::repeat_n(warning(120), 1000).collect();
        let texts = cut(&many);
        assert!(texts.iter().map(|text| characters(text)).sum::<usize>() <= 4096);
        assert_eq!(texts.len(), 34);
        assert_eq!(texts[33], "app-health: 967 more warnings are left out");
    }
}
