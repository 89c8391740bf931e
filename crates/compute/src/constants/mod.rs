//! Decimal digits of constants. (being written)
