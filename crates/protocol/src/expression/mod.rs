//! The language of expressions.
