//! What a type of ours says when what is read into it breaks its rule.

use std::fmt::Display;

use serde::de;

/// Stands before the rule in the message of [`refused`]. What follows it is ours and repeats no input: edges that hide
/// messages of reading show that part.
pub const RULE_FOLLOWS: &str = "the right one: ";

/// The error of reading a value that breaks this rule. It says "expected" as serde's own errors do.
pub fn refused<E: de::Error>(rule: impl Display) -> E {
    E::custom(format_args!("invalid value: another form, expected {RULE_FOLLOWS}{rule}"))
}
