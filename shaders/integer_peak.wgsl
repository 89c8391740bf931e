// Nothing but 32-bit integer multiplications with additions, as many chains side by side as hide the latency of one:
// what an adapter issues at most, against which the other kernels are measured. Its CPU twin is `integer_peak`.

struct Work {
    // Rounds of 32 operations (16 multiplications, 16 additions) for each invocation.
    rounds: u32,
    multiplier: u32,
}

@group(0) @binding(0) var<storage, read> work: Work;
// One for each invocation.
@group(0) @binding(1) var<storage, read_write> results: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= arrayLength(&results) {
        return;
    }
    let multiplier = vec4<u32>(work.multiplier);
    let seed = vec4<u32>(id.x, id.x + 1u, id.x + 2u, id.x + 3u);
    var a = seed;
    var b = seed + 4u;
    var c = seed + 8u;
    var d = seed + 12u;
    for (var round = 0u; round < work.rounds; round += 1u) {
        a = a * multiplier + b;
        b = b * multiplier + c;
        c = c * multiplier + d;
        d = d * multiplier + a;
    }
    let mixed = a ^ b ^ c ^ d;
    results[id.x] = mixed.x ^ mixed.y ^ mixed.z ^ mixed.w;
}
