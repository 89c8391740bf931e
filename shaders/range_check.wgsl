// The body of `for n in A..=B: …`, compiled to a small program for an accumulator and a stack, at every n of a dispatch.
//
// Values are integers of 64 WORDS bits. A value that has no room, or an operation that this kernel lacks, leaves its n to
// the CPU: it adds nothing here, is counted, and the first few of a workgroup are listed. What a workgroup's other
// values add is summed modulo 2^128, so the sum does not depend on the order in which invocations come. The CPU twin is the module
// `range_check` of crates/compute; docs/kernels.md has the definitions.
//!include shared/word64.wgsl
//!include shared/montgomery.wgsl
//!include shared/integer.wgsl
//!include shared/integer_division.wgsl

// Whether the program divides by what is no constant, or has gcd, powmod or is_prime: what costs registers and time
// to compile.
override NUMBER_THEORY: bool = true;

const WORKGROUP: u32 = 64u;
const STACK: u32 = 8u;
const LISTED: u32 = 10u;

const LOAD: u32 = 0u;
const ADD: u32 = 1u;
const SUBTRACT: u32 = 2u;
const MULTIPLY: u32 = 3u;
const DIVIDE: u32 = 4u;
const FLOOR_DIVIDE: u32 = 5u;
const MODULO: u32 = 6u;
const POWER: u32 = 7u;
const GCD: u32 = 8u;
const DIVIDE_BY: u32 = 9u;
const FLOOR_DIVIDE_BY: u32 = 10u;
const MODULO_BY: u32 = 11u;
const POWER_MODULO_BY: u32 = 12u;
const POWER_MODULO: u32 = 13u;
const NEGATE: u32 = 14u;
const ABSOLUTE: u32 = 15u;
const SIDE: u32 = 16u;
const COMPARE: u32 = 17u;
const IS_PRIME: u32 = 18u;
const NOT: u32 = 19u;
const AND: u32 = 20u;
const OR: u32 = 21u;
const SKIP_IF_FALSE: u32 = 22u;
const SKIP_IF_TRUE: u32 = 23u;

const FROM_STACK: u32 = 0u;
const FROM_CONSTANTS: u32 = 1u;
const FROM_VARIABLE: u32 = 2u;

struct Work {
    // The first n, 128 bits in two's complement.
    first: vec4<u32>,
    // Of this dispatch.
    values: u32,
    values_per_invocation: u32,
    // How many instructions `code` begins with; constants of 8 words each follow.
    instructions: u32,
    unused: u32,
    // An instruction is (operation | source << 8 | keep << 16, argument).
    code: array<u32>,
}

struct Found {
    sum: vec4<u32>,
    // The place in the dispatch of the first false n; all ones for none.
    first_false: u32,
    // How many n are left to the CPU.
    left: u32,
    // The places of the first few of them that came.
    listed: array<u32, LISTED>,
}

@group(0) @binding(0) var<storage, read> work: Work;
// One for each workgroup.
@group(0) @binding(1) var<storage, read_write> found: array<Found>;

var<workgroup> sums: array<vec4<u32>, WORKGROUP>;
// All ones minus the place, so that the zero that workgroup memory begins with means none.
var<workgroup> false_from_top: atomic<u32>;
var<workgroup> left_count: atomic<u32>;
var<workgroup> left_places: array<u32, LISTED>;

var<private> stack: array<Integer, STACK>;

// What one n came to.
struct Answer {
    // Of the checksum.
    hash: Word,
    is_true: bool,
    is_settled: bool,
}

fn from_pair(low: u32, high: u32) -> Word {
    return word(low, high);
}

fn rotated_by_32(a: Word) -> Word {
    return word(word_high(a), word_low(a));
}

// The finalizer of SplitMix64.
fn mixed(a: Word) -> Word {
    var state = a ^ word_shift_right(a, 30u);
    state = word_multiply_low(state, word(0x1ce4e5b9u, 0xbf58476du));
    state = state ^ word_shift_right(state, 27u);
    state = word_multiply_low(state, word(0x133111ebu, 0x94d049bbu));
    return state ^ word_shift_right(state, 31u);
}

// The state after a value of 128 bits.
fn taken_in(hash: Word, low: Word, high: Word) -> Word {
    let golden = word(0x7f4a7c15u, 0x9e3779b9u);
    return word_add(mixed(hash ^ low ^ rotated_by_32(word_multiply_low(high, golden))), golden);
}

// A value modulo 2^128.
fn side_taken_in(hash: Word, a: Integer) -> Word {
    var high = select(word(0u, 0u), word(0xffffffffu, 0xffffffffu), integer_is_negative(a));
    if WORDS > 1u {
        high = a.w1;
    }
    return taken_in(hash, a.w0, high);
}

fn code_word(place: u32) -> Word {
    return word(work.code[place], work.code[place + 1u]);
}

fn constant_at(index: u32) -> Integer {
    let place = 2u * work.instructions + 8u * index;
    var constant = integer_of_word(code_word(place));
    if WORDS > 1u {
        constant.w1 = code_word(place + 2u);
    }
    if WORDS > 2u {
        constant.w2 = code_word(place + 4u);
        constant.w3 = code_word(place + 6u);
    }
    return constant;
}

// Normal divisor, reciprocal, shift.
fn divisor_at(index: u32) -> Divisor {
    let place = 2u * work.instructions + 8u * index;
    return Divisor(code_word(place), code_word(place + 2u), work.code[place + 4u]);
}

// n, sign-extended.
fn variable_at(place: u32) -> Integer {
    let low = word_add_carry(word(work.first.x, work.first.y), word(place, 0u), false);
    let high = word_add_carry(word(work.first.z, work.first.w), word(0u, 0u), low.carry).value;
    var variable = integer_of_word(low.value);
    if WORDS > 1u {
        variable.w1 = high;
    }
    if WORDS > 2u {
        let fill = select(word(0u, 0u), word(0xffffffffu, 0xffffffffu), (word_high(high) >> 31u) == 1u);
        variable.w2 = fill;
        variable.w3 = fill;
    }
    return variable;
}

// A quotient that must be whole, one rounded down, or a remainder with the sign of the divisor.
fn divided(operation: u32, a: Integer, divisor: Divisor, divisor_is_negative: bool) -> Checked {
    let parts = integer_floor_divide(a, divisor, divisor_is_negative);
    if operation == MODULO {
        return integer_signed(integer_of_word(parts.remainder), divisor_is_negative);
    }
    let exact = parts.quotient.exact && (operation == FLOOR_DIVIDE || word_is_zero(parts.remainder));
    return Checked(parts.quotient.value, exact);
}

fn arithmetic(operation: u32, left: Integer, right: Integer) -> Checked {
    switch operation {
        case ADD: {
            return integer_add(left, right);
        }
        case SUBTRACT: {
            return integer_subtract(left, right);
        }
        case MULTIPLY: {
            return integer_multiply(left, right);
        }
        case POWER: {
            let is_short = integer_is_word(right) && word_high(right.w0) == 0u;
            let power = integer_power(left, word_low(right.w0));
            return Checked(power.value, power.exact && is_short);
        }
        case LOAD: {
            return Checked(right, true);
        }
        default: {
            break;
        }
    }
    if NUMBER_THEORY {
        let magnitude = integer_magnitude(right);
        if operation == GCD {
            return integer_signed(magnitude_gcd(integer_magnitude(left), magnitude), false);
        }
        if !integer_is_word(magnitude) || integer_is_zero(magnitude) {
            return Checked(left, false);
        }
        return divided(operation, left, divisor_of(magnitude.w0), integer_is_negative(right));
    }
    return Checked(left, false);
}

// powmod with a modulus from 1 to 2^63 - 1 and an exponent from 0 to 2^64 - 1.
fn residue_of_power(base: Integer, exponent: Integer, modulus: Integer) -> Checked {
    let is_narrow = integer_is_word(modulus) && word_high(modulus.w0) >> 31u == 0u && !integer_is_zero(modulus);
    if !is_narrow || integer_is_negative(exponent) || !integer_is_word(exponent) {
        return Checked(base, false);
    }
    let divisor = divisor_of(modulus.w0);
    let residue = integer_floor_divide(base, divisor, false).remainder;
    return Checked(integer_of_word(power_modulo(residue, exponent.w0, divisor)), true);
}

// Bit 0, 1 or 2 of `accepted` for less, equal and greater.
fn compared(left: Integer, right: Integer, accepted: u32) -> u32 {
    let order = select(select(2u, 0u, integer_less(left, right)), 1u, integer_equal(left, right));
    return (accepted >> order) & 1u;
}

// The host sees to it that no program leaves the stack or jumps backwards.
fn answer_at(place: u32) -> Answer {
    let variable = variable_at(place);
    let zero = word(0u, 0u);
    var variable_high = word(work.first.z, work.first.w);
    variable_high = word_add_carry(
        variable_high,
        zero,
        word_add_carry(word(work.first.x, work.first.y), word(place, 0u), false).carry,
    ).value;
    var hash = taken_in(zero, variable.w0, variable_high);
    var accumulator = integer_zero();
    var top = 0u;
    // Truth values, the topmost in bit 0.
    var truths = 0u;
    var next = 0u;
    while next < work.instructions {
        let instruction = work.code[2u * next];
        let argument = work.code[2u * next + 1u];
        let operation = instruction & 0xffu;
        next += 1u;
        if ((instruction >> 16u) & 1u) == 1u {
            stack[min(top, STACK - 1u)] = accumulator;
            top += 1u;
        }
        if operation <= GCD {
            var left = accumulator;
            var right = variable;
            let source = (instruction >> 8u) & 0xffu;
            if source == FROM_CONSTANTS {
                right = constant_at(argument);
            }
            if source == FROM_STACK {
                top -= 1u;
                left = stack[min(top, STACK - 1u)];
                right = accumulator;
            }
            let result = arithmetic(operation, left, right);
            if !result.exact {
                return Answer(hash, false, false);
            }
            accumulator = result.value;
            continue;
        }
        if operation <= MODULO_BY {
            let result = divided(operation - (DIVIDE_BY - DIVIDE), accumulator, divisor_at(argument), false);
            if !result.exact {
                return Answer(hash, false, false);
            }
            accumulator = result.value;
            continue;
        }
        switch operation {
            case POWER_MODULO_BY: {
                let divisor = divisor_at(argument);
                let exponent = work.code[2u * work.instructions + 8u * argument + 5u];
                let residue = integer_floor_divide(accumulator, divisor, false).remainder;
                accumulator = integer_of_word(power_modulo(residue, word(exponent, 0u), divisor));
            }
            case NEGATE: {
                let opposite = integer_negate(accumulator);
                if !opposite.exact {
                    return Answer(hash, false, false);
                }
                accumulator = opposite.value;
            }
            case ABSOLUTE: {
                accumulator = integer_magnitude(accumulator);
                if integer_is_negative(accumulator) {
                    return Answer(hash, false, false);
                }
            }
            case SIDE: {
                hash = side_taken_in(hash, accumulator);
            }
            case COMPARE: {
                top -= 1u;
                truths = (truths << 1u) | compared(stack[min(top, STACK - 1u)], accumulator, argument);
            }
            case NOT: {
                truths ^= 1u;
            }
            case AND: {
                truths = (truths >> 1u) & (truths | 0xfffffffeu);
            }
            case OR: {
                truths = (truths >> 1u) | (truths & 1u);
            }
            case SKIP_IF_FALSE: {
                next = select(next, argument, (truths & 1u) == 0u);
            }
            case SKIP_IF_TRUE: {
                next = select(next, argument, (truths & 1u) == 1u);
            }
            default: {
                if NUMBER_THEORY && operation == POWER_MODULO {
                    top -= 2u;
                    let base = stack[min(top, STACK - 1u)];
                    let exponent = stack[min(top + 1u, STACK - 1u)];
                    let result = residue_of_power(base, exponent, accumulator);
                    if !result.exact {
                        return Answer(hash, false, false);
                    }
                    accumulator = result.value;
                } else if NUMBER_THEORY && operation == IS_PRIME {
                    let is_below = integer_is_negative(accumulator) || integer_is_zero(accumulator);
                    if !is_below && !integer_is_word(accumulator) {
                        return Answer(hash, false, false);
                    }
                    let is_prime = !is_below && word_is_prime(accumulator.w0);
                    let bit = select(0u, 1u, is_prime);
                    hash = taken_in(hash, word(bit, 0u), zero);
                    truths = (truths << 1u) | bit;
                } else {
                    return Answer(hash, false, false);
                }
            }
        }
    }
    return Answer(hash, (truths & 1u) == 1u, true);
}

// 128 bits, wraps.
fn sum_of(a: Double, b: Double) -> Double {
    let low = word_add_carry(a.low, b.low, false);
    return Double(low.value, word_add_carry(a.high, b.high, low.carry).value);
}

fn to_words(a: Double) -> vec4<u32> {
    return vec4<u32>(word_low(a.low), word_high(a.low), word_low(a.high), word_high(a.high));
}

fn from_words(a: vec4<u32>) -> Double {
    return Double(word(a.x, a.y), word(a.z, a.w));
}

@compute @workgroup_size(WORKGROUP)
fn main(@builtin(local_invocation_index) local: u32, @builtin(workgroup_id) group: vec3<u32>) {
    // The host sees to it that the places of all invocations stay within 32 bits.
    let first = group.x * WORKGROUP * work.values_per_invocation + local;
    var sum = Double(word(0u, 0u), word(0u, 0u));
    for (var turn = 0u; turn < work.values_per_invocation; turn += 1u) {
        let place = first + turn * WORKGROUP;
        if place >= work.values {
            break;
        }
        let answer = answer_at(place);
        if answer.is_settled {
            let other = answer.hash ^ word(0x1ce4e5b9u, 0xbf58476du);
            sum = sum_of(sum, word_multiply_wide(answer.hash, other));
            if !answer.is_true {
                atomicMax(&false_from_top, 0xffffffffu - place);
            }
        } else {
            let count = atomicAdd(&left_count, 1u);
            if count < LISTED {
                left_places[count] = place;
            }
        }
    }
    sums[local] = to_words(sum);
    workgroupBarrier();
    for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
        if local < half {
            sums[local] = to_words(sum_of(from_words(sums[local]), from_words(sums[local + half])));
        }
        workgroupBarrier();
    }
    if local == 0u {
        let first_false = 0xffffffffu - atomicLoad(&false_from_top);
        found[group.x] = Found(sums[0], first_false, atomicLoad(&left_count), left_places);
    }
}
