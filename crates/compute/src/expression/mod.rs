//! Answers to expressions. (being written)
