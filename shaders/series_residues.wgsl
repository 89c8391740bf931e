// P, Q, B and T of stretches of a hypergeometric series, modulo many odd numbers: one invocation takes one stretch and one
// modulus, term after term, in Montgomery's form.
//
// The polynomials go from one index to the next by differences, which costs as many additions as their degree. The
// CPU twin is `residues::series_residues` of crates/compute; docs/kernels.md has the mathematics.
//!include shared/word64.wgsl
//!include shared/montgomery.wgsl
//!include shared/modulus.wgsl

// How many coefficients each polynomial has; 0 stands for the polynomial that is 1, which costs nothing.
override P_COEFFICIENTS: u32 = 9u;
override Q_COEFFICIENTS: u32 = 9u;
override A_COEFFICIENTS: u32 = 9u;
override B_COEFFICIENTS: u32 = 9u;

const COEFFICIENTS_MAX: u32 = 9u;

struct Stretch {
    // The index of the first term.
    first: vec2<u32>,
    // Terms for each modulus.
    terms: u32,
    terms_per_invocation: u32,
    // Invocations for each modulus.
    pieces: u32,
    moduli: u32,
    // For each modulus: itself, its inverse and the square of R modulo it; then the coefficients of p, q, a and b in
    // Montgomery's form, the constant one first.
    pairs: array<vec2<u32>>,
}

struct Sum {
    p: vec2<u32>,
    q: vec2<u32>,
    b: vec2<u32>,
    t: vec2<u32>,
}

@group(0) @binding(0) var<storage, read> stretch: Stretch;
// For each modulus, for each piece.
@group(0) @binding(1) var<storage, read_write> sums: array<Sum>;

// The value of a polynomial and its differences.
struct Ladder {
    rung0: Word,
    rung1: Word,
    rung2: Word,
    rung3: Word,
    rung4: Word,
    rung5: Word,
    rung6: Word,
    rung7: Word,
    rung8: Word,
}

// On to the next index. `count` is fixed when the pipeline is made, so what is not needed costs nothing.
fn climbed(a: Ladder, count: u32, m: Modulus) -> Ladder {
    var next = a;
    if count > 1u {
        next.rung0 = add_modulo(a.rung0, a.rung1, m);
    }
    if count > 2u {
        next.rung1 = add_modulo(a.rung1, a.rung2, m);
    }
    if count > 3u {
        next.rung2 = add_modulo(a.rung2, a.rung3, m);
    }
    if count > 4u {
        next.rung3 = add_modulo(a.rung3, a.rung4, m);
    }
    if count > 5u {
        next.rung4 = add_modulo(a.rung4, a.rung5, m);
    }
    if count > 6u {
        next.rung5 = add_modulo(a.rung5, a.rung6, m);
    }
    if count > 7u {
        next.rung6 = add_modulo(a.rung6, a.rung7, m);
    }
    if count > 8u {
        next.rung7 = add_modulo(a.rung7, a.rung8, m);
    }
    return next;
}

// The ladder of the polynomial whose coefficients begin at `place`, at the index `first`.
fn ladder_at(place: u32, count: u32, first: Word, m: Modulus) -> Ladder {
    var values: array<Word, COEFFICIENTS_MAX>;
    for (var index = 0u; index < count; index += 1u) {
        let k = enter(word_add(first, word(index, 0u)), m);
        var value = word(0u, 0u);
        for (var left = count; left > 0u; left -= 1u) {
            value = add_modulo(product_modulo(value, k, m), from_pair(stretch.pairs[place + left - 1u]), m);
        }
        values[index] = value;
    }
    for (var level = 1u; level < count; level += 1u) {
        for (var index = count - 1u; index >= level; index -= 1u) {
            values[index] = subtract_modulo(values[index], values[index - 1u], m);
        }
    }
    return Ladder(
        values[0],
        values[1],
        values[2],
        values[3],
        values[4],
        values[5],
        values[6],
        values[7],
        values[8],
    );
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= arrayLength(&sums) {
        return;
    }
    let piece = id.x % stretch.pieces;
    let row = 3u + P_COEFFICIENTS + Q_COEFFICIENTS + A_COEFFICIENTS + B_COEFFICIENTS;
    let place = (id.x / stretch.pieces) * row;
    let m = Modulus(
        from_pair(stretch.pairs[place]),
        from_pair(stretch.pairs[place + 1u]),
        from_pair(stretch.pairs[place + 2u]),
    );
    // The host sees to it that the product stays within 32 bits.
    let begin = min(piece * stretch.terms_per_invocation, stretch.terms);
    let end = min(begin + stretch.terms_per_invocation, stretch.terms);
    let first = word_add(from_pair(stretch.first), word(begin, 0u));
    let p_place = place + 3u;
    let q_place = p_place + P_COEFFICIENTS;
    let a_place = q_place + Q_COEFFICIENTS;
    let b_place = a_place + A_COEFFICIENTS;
    var p_ladder = ladder_at(p_place, P_COEFFICIENTS, first, m);
    var q_ladder = ladder_at(q_place, Q_COEFFICIENTS, first, m);
    var a_ladder = ladder_at(a_place, A_COEFFICIENTS, first, m);
    var b_ladder = ladder_at(b_place, B_COEFFICIENTS, first, m);
    var p = form_of_one(m);
    var q = p;
    var b = p;
    var t = word(0u, 0u);
    for (var index = begin; index < end; index += 1u) {
        if P_COEFFICIENTS > 0u {
            p = product_modulo(p, p_ladder.rung0, m);
            p_ladder = climbed(p_ladder, P_COEFFICIENTS, m);
        }
        // T <- T q b + a B P, with the B of the terms before.
        var addend = p;
        if B_COEFFICIENTS > 0u {
            addend = product_modulo(addend, b, m);
            t = product_modulo(t, b_ladder.rung0, m);
            b = product_modulo(b, b_ladder.rung0, m);
            b_ladder = climbed(b_ladder, B_COEFFICIENTS, m);
        }
        if A_COEFFICIENTS > 0u {
            addend = product_modulo(addend, a_ladder.rung0, m);
            a_ladder = climbed(a_ladder, A_COEFFICIENTS, m);
        }
        if Q_COEFFICIENTS > 0u {
            t = product_modulo(t, q_ladder.rung0, m);
            q = product_modulo(q, q_ladder.rung0, m);
            q_ladder = climbed(q_ladder, Q_COEFFICIENTS, m);
        }
        t = add_modulo(t, addend, m);
    }
    sums[id.x] = Sum(to_pair(leave(p, m)), to_pair(leave(q, m)), to_pair(leave(b, m)), to_pair(leave(t, m)));
}
