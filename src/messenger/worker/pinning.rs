//! Which core a thread runs on.

/// Has the calling thread run on this core alone.
#[cfg(target_os = "linux")]
pub(super) fn pin_to(core: usize) -> Result<(), String> {
    if core >= rustix::thread::CpuSet::MAX_CPU {
        return Err(format!("a set of cores ends before {}", rustix::thread::CpuSet::MAX_CPU));
    }
    let mut set = rustix::thread::CpuSet::new();
    set.set(core);
    rustix::thread::sched_setaffinity(None, &set).map_err(|error| error.to_string())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn pin_to(_core: usize) -> Result<(), String> {
    Err("threads are pinned on Linux only".to_owned())
}
