//! The adapters that the tests run on, opened once for each test.

use compute::engine::gpu::{GpuAdapter, GpuEngine, Variant};

/// Every adapter in every variant that it has; the names are printed. None only where `QUORATE_GPU_TESTS=skip` says
/// that there may be none.
pub(crate) fn engines() -> Vec<GpuEngine> {
    let adapters = GpuAdapter::all();
    if adapters.is_empty() {
        let may_skip = std::env::var("QUORATE_GPU_TESTS").is_ok_and(|value| value == "skip");
        assert!(
            may_skip,
            "no GPU adapter: install a Vulkan driver (mesa-vulkan-drivers has a software one), or set \
             QUORATE_GPU_TESTS=skip to let the GPU tests pass without one"
        );
        println!("SKIPPED: no GPU adapter, and QUORATE_GPU_TESTS=skip");
    }
    let mut engines = Vec::new();
    for adapter in adapters {
        for variant in adapter.variants() {
            println!("adapter {}: {} ({variant})", adapter.index(), adapter.device_name());
            engines.push(GpuEngine::open_variant(&adapter, *variant).expect("the known answers"));
        }
    }
    engines
}

#[test]
fn the_base_variant_runs_on_every_adapter() {
    for adapter in GpuAdapter::all() {
        assert!(adapter.variants().contains(&Variant::Base), "{}", adapter.name());
        assert!(!adapter.device_name().is_empty() && adapter.device_name().len() <= 64);
        assert!(adapter.limits().iter().all(|(_, value)| *value > 0), "{:?}", adapter.limits());
    }
}
