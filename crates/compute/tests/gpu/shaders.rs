//! Level 1, without an adapter: every shader is valid in every variant, computes without floats, and lays its data out
//! as the Rust side does.

use compute::engine::gpu::{Shader, Variant, WORKGROUP_INVOCATIONS};
use naga::{
    AddressSpace, Module, ScalarKind, TypeInner,
    valid::{Capabilities, ValidationFlags, Validator},
};

fn parsed(shader: Shader, variant: Variant) -> Module {
    let source = shader.source(variant);
    assert!(!source.contains("//!include"), "{}: an include that nothing answers", shader.name());
    naga::front::wgsl::parse_str(&source)
        .unwrap_or_else(|error| panic!("{} ({variant}): {}", shader.name(), error.emit_to_string(&source)))
}

fn all() -> impl Iterator<Item = (Shader, Variant)> {
    Shader::ALL.into_iter().flat_map(|shader| Variant::ALL.map(|variant| (shader, variant)))
}

#[test]
fn every_shader_is_valid_with_nothing_but_what_its_variant_asks_for() {
    for (shader, variant) in all() {
        let capabilities = match variant {
            Variant::Base => Capabilities::empty(),
            Variant::Native => Capabilities::SHADER_INT64,
        };
        let module = parsed(shader, variant);
        let validated = Validator::new(ValidationFlags::all(), capabilities).validate(&module);
        assert!(validated.is_ok(), "{} ({variant}): {:?}", shader.name(), validated.err());
    }
}

#[test]
fn no_shader_has_a_float_in_any_type() {
    for (shader, variant) in all() {
        for (_, kind) in parsed(shader, variant).types.iter() {
            let scalar = kind.inner.scalar().map(|scalar| scalar.kind);
            let is_float = matches!(scalar, Some(ScalarKind::Float | ScalarKind::AbstractFloat))
                || matches!(kind.inner, TypeInner::Matrix { .. });
            assert!(!is_float, "{} ({variant}): {:?}", shader.name(), kind.inner);
        }
    }
}

#[test]
fn every_kernel_has_the_workgroup_and_the_bindings_that_the_engine_uses() {
    for (shader, variant) in all() {
        let module = parsed(shader, variant);
        let [entry] = &module.entry_points[..] else { panic!("{}: one entry point", shader.name()) };
        assert_eq!(entry.name, "main");
        assert_eq!(entry.workgroup_size, [WORKGROUP_INVOCATIONS, 1, 1], "{}", shader.name());
        let mut bindings: Vec<(u32, u32, bool)> = Vec::new();
        for (_, variable) in module.global_variables.iter() {
            let Some(binding) = variable.binding else { continue };
            let AddressSpace::Storage { access } = variable.space else {
                panic!("{}: a binding that is no storage buffer", shader.name())
            };
            bindings.push((binding.group, binding.binding, access.contains(naga::StorageAccess::STORE)));
        }
        bindings.sort_unstable();
        assert_eq!(bindings, [(0, 0, false), (0, 1, true)], "{} ({variant})", shader.name());
    }
}

/// The size of a struct and the offsets of its members, in bytes.
fn layout(module: &Module, name: &str) -> (u32, Vec<(String, u32)>) {
    let found = module.types.iter().find_map(|(_, kind)| match &kind.inner {
        TypeInner::Struct { members, span } if kind.name.as_deref() == Some(name) => {
            let offsets =
                members.iter().map(|member| (member.name.clone().unwrap_or_default(), member.offset));
            Some((*span, offsets.collect()))
        }
        _ => None,
    });
    found.unwrap_or_else(|| panic!("no struct {name}"))
}

fn offsets(members: &[(&str, u32)]) -> Vec<(String, u32)> {
    members.iter().map(|(name, offset)| ((*name).to_owned(), *offset)).collect()
}

#[test]
fn structs_lie_in_memory_as_the_engine_writes_and_reads_them() {
    for variant in Variant::ALL {
        let digits = parsed(Shader::DigitExtraction, variant);
        let stretch = [
            ("base", 0),
            ("exponent", 8),
            ("step", 16),
            ("bits_per_term", 20),
            ("power", 24),
            ("alternates", 28),
            ("parity", 32),
            ("terms", 36),
            ("terms_per_invocation", 40),
            ("exponent_bits", 44),
        ];
        assert_eq!(layout(&digits, "Stretch"), (48, offsets(&stretch)));
        assert_eq!(layout(&digits, "Sum"), (32, offsets(&[("limbs", 0)])));
        let words = parsed(Shader::WordArithmetic, variant);
        let operands =
            [("a", 0), ("b", 8), ("modulus", 16), ("c", 24), ("d", 32), ("exponent", 40), ("unused", 44)];
        assert_eq!(layout(&words, "Operands"), (48, offsets(&operands)));
        assert_eq!(layout(&words, "Results").0, 128);
        let residues = parsed(Shader::Residues, variant);
        let batch = [
            ("programs", 0),
            ("moduli", 4),
            ("programs_at", 8),
            ("steps_at", 12),
            ("words_at", 16),
            ("unused", 20),
            ("pairs", 24),
        ];
        assert_eq!(layout(&residues, "Batch").1, offsets(&batch));
        let series = parsed(Shader::SeriesResidues, variant);
        let stretch = [
            ("first", 0),
            ("terms", 8),
            ("terms_per_invocation", 12),
            ("pieces", 16),
            ("moduli", 20),
            ("pairs", 24),
        ];
        assert_eq!(layout(&series, "Stretch").1, offsets(&stretch));
        assert_eq!(layout(&series, "Sum"), (32, offsets(&[("p", 0), ("q", 8), ("b", 16), ("t", 24)])));
        let peak = parsed(Shader::IntegerPeak, variant);
        assert_eq!(layout(&peak, "Work"), (8, offsets(&[("rounds", 0), ("multiplier", 4)])));
    }
}
