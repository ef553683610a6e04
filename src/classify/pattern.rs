//! Conditions on the numbers of a reply: enhanced codes and three-digit codes.

use std::ops::RangeInclusive;

use crate::mail::status_code::StatusCode;

/// A set of enhanced codes: `5.1.1`, `x.2.2` (4 or 5), `5.7.*`, `5.7.606-649`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StatusPattern {
    class: Option<u8>,
    subject: Option<u16>,
    detail: RangeInclusive<u16>,
}

impl StatusPattern {
    /// Reads it as it stands in a rule file.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        Some(Self {
            class: match class {
                "x" => None,
                "4" => Some(4),
                "5" => Some(5),
                _ => return None,
            },
            subject: match subject {
                "*" => None,
                digits => Some(number(digits)?),
            },
            detail: match detail.split_once('-') {
                _ if detail == "*" => 0..=999,
                Some((first, last)) => number(first)?..=number(last)?,
                None => number(detail)?..=number(detail)?,
            },
        })
    }

    /// Whether a code is in the set.
    pub(super) fn holds(&self, code: StatusCode) -> bool {
        self.class.is_none_or(|class| class == code.class)
            && self.subject.is_none_or(|subject| subject == code.subject)
            && self.detail.contains(&code.detail)
    }
}

fn number(digits: &str) -> Option<u16> {
    let is_number = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

/// A set of reply codes: `421`, `4xx`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CodePattern {
    first: u16,
    last: u16,
}

impl CodePattern {
    /// Reads it as it stands in a rule file.
    pub(super) fn read(text: &str) -> Option<Self> {
        match text {
            "4xx" => Some(Self {
                first: 400,
                last: 499,
            }),
            "5xx" => Some(Self {
                first: 500,
                last: 599,
            }),
            digits => {
                let code = number(digits).filter(|code| (200..600).contains(code))?;
                Some(Self {
                    first: code,
                    last: code,
                })
            }
        }
    }

    /// Whether a reply code is in the set; without one, whether the class of the enhanced code decides that it is.
    pub(super) fn holds(self, code: Option<u16>, status: Option<StatusCode>) -> bool {
        let code = code.map(|code| code..=code);
        let class = || status.map(|s| u16::from(s.class) * 100..=u16::from(s.class) * 100 + 99);
        code.or_else(class)
            .is_some_and(|codes| self.first <= *codes.start() && *codes.end() <= self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enhanced_codes_are_given_singly_in_ranges_or_by_class() {
        let holds = |pattern, code: &str| {
            StatusPattern::read(pattern).is_some_and(|p| p.holds(code.parse().unwrap()))
        };
        assert!(holds("5.1.1", "5.1.1") && !holds("5.1.1", "5.1.10"));
        assert!(holds("x.2.2", "4.2.2") && holds("x.2.2", "5.2.2"));
        assert!(holds("5.7.606-649", "5.7.620") && !holds("5.7.606-649", "5.7.650"));
        assert!(holds("4.4.*", "4.4.1") && !holds("4.4.*", "5.4.1"));
        for bad in ["5.1", "5.1.1.1", "6.1.1", "5.1.", "5.1.+1", ""] {
            assert_eq!(StatusPattern::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn without_a_reply_code_the_enhanced_code_tells_the_class() {
        let permanent = CodePattern::read("5xx").unwrap();
        assert!(permanent.holds(Some(550), None));
        assert!(permanent.holds(None, Some("5.0.0".parse().unwrap())));
        assert!(!permanent.holds(None, None));
        assert!(
            !CodePattern::read("550")
                .unwrap()
                .holds(None, Some("5.0.0".parse().unwrap()))
        );
        assert_eq!(CodePattern::read("9xx"), None);
    }
}
