// Integer expressions modulo many odd numbers: one invocation runs one program over a stack, modulo one number, in
// Montgomery's form. Neighbours run the same program.
//
// The CPU twin is `residues::residues` of crates/compute; docs/kernels.md has the mathematics.
//!include shared/word64.wgsl
//!include shared/montgomery.wgsl
//!include shared/modulus.wgsl

// Most values on a stack; the host leaves deeper programs to the twin.
const DEPTH_MAX: u32 = 32u;

const CONSTANT: u32 = 0u;
const ADD: u32 = 1u;
const SUBTRACT: u32 = 2u;
const MULTIPLY: u32 = 3u;
const NEGATE: u32 = 4u;
const POWER: u32 = 5u;

struct Batch {
    programs: u32,
    moduli: u32,
    // Where in `pairs` these begin; the moduli begin at 0.
    programs_at: u32,
    steps_at: u32,
    words_at: u32,
    unused: u32,
    // For each modulus: itself, its inverse and the square of R modulo it. For each program: its first step, and past its last.
    // For each step: what, and 1 where a constant is negative; its first word, and past its last, the highest first.
    // Then the words.
    pairs: array<vec2<u32>>,
}

@group(0) @binding(0) var<storage, read> batch: Batch;
// For each program, for each modulus.
@group(0) @binding(1) var<storage, read_write> residues: array<vec2<u32>>;

// v R + word for each word, where a product with R^2 mod m is one with R.
fn constant(words: vec2<u32>, m: Modulus) -> Word {
    var form = word(0u, 0u);
    for (var index = words.x; index < words.y; index += 1u) {
        let next = enter(from_pair(batch.pairs[batch.words_at + index]), m);
        form = add_modulo(enter(form, m), next, m);
    }
    return form;
}

// Square and multiply, from the highest bit.
fn power(base: Word, words: vec2<u32>, m: Modulus) -> Word {
    var result = form_of_one(m);
    for (var index = words.x; index < words.y; index += 1u) {
        let pair = batch.pairs[batch.words_at + index];
        // A squared 1 is 1: what stands before the highest bit changes nothing.
        for (var bit = 64u; bit > 0u; bit -= 1u) {
            let limb = select(pair.x, pair.y, bit > 32u);
            result = montgomery_square(result, m.value, m.inverse);
            if ((limb >> ((bit - 1u) & 31u)) & 1u) == 1u {
                result = product_modulo(result, base, m);
            }
        }
    }
    return result;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= arrayLength(&residues) {
        return;
    }
    let place = (id.x % batch.moduli) * 3u;
    let m = Modulus(
        from_pair(batch.pairs[place]),
        from_pair(batch.pairs[place + 1u]),
        from_pair(batch.pairs[place + 2u]),
    );
    let steps = batch.pairs[batch.programs_at + id.x / batch.moduli];
    var stack: array<Word, DEPTH_MAX>;
    // How many values stand below the topmost, which is `top`.
    var below = 0u;
    var top = word(0u, 0u);
    for (var index = steps.x; index < steps.y; index += 1u) {
        let step = batch.pairs[batch.steps_at + 2u * index];
        let words = batch.pairs[batch.steps_at + 2u * index + 1u];
        switch step.x {
            case CONSTANT: {
                stack[min(below, DEPTH_MAX - 1u)] = top;
                below += 1u;
                top = constant(words, m);
                if step.y == 1u {
                    top = subtract_modulo(word(0u, 0u), top, m);
                }
            }
            case NEGATE: {
                top = subtract_modulo(word(0u, 0u), top, m);
            }
            case POWER: {
                top = power(top, words, m);
            }
            default: {
                // A checked program finds its operands.
                below = max(below, 1u) - 1u;
                let left = stack[min(below, DEPTH_MAX - 1u)];
                if step.x == ADD {
                    top = add_modulo(left, top, m);
                } else if step.x == SUBTRACT {
                    top = subtract_modulo(left, top, m);
                } else {
                    top = product_modulo(left, top, m);
                }
            }
        }
    }
    residues[id.x] = to_pair(leave(top, m));
}
