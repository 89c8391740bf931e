//! Hexadecimal digits at any position, against what is known of them by other means.

use compute::digit_extraction::reference_sum;
use protocol::digit_extraction::{Fraction, HexConstant, HexFormula, HexWindow};

/// The window of digits as the reference gives it.
fn by_reference(constant: HexConstant, formula: HexFormula, after: u64, digits: u32) -> String {
    let series = constant.series(formula).expect("a formula of the constant");
    let window = HexWindow::new(series, after, digits, 32);
    let mut sum = Fraction::zero(window.fraction_bits());
    for index in 0..window.tasks() {
        let task = window.task(index).expect("a task");
        assert!(sum.add(&reference_sum(&task).expect("a valid task")));
    }
    window.digits(&sum).expect("settled")
}

#[test]
fn the_digits_after_0_are_the_first_after_the_point() {
    let known = [
        (HexConstant::Pi, "243F6A8885A308D313198A2E03707344"),
        (HexConstant::Ln2, "B17217F7D1CF79ABC9E3B39803F2F6AF"),
        (HexConstant::PiSquared, "DE9E64DF22EF2D256E26CD9808C1AC70"),
        (HexConstant::Catalan, "EA7CB89F409AE845215822E37D32D0C6"),
    ];
    for (constant, digits) in known {
        for formula in constant.formulas() {
            assert_eq!(by_reference(constant, *formula, 0, 32), digits, "{constant} by {formula}");
        }
    }
}
