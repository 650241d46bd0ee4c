//! The most memory that this process had at once from some moment on. What is left when all is over would not show
//! what was held for a moment and given back.

/// A moment, and how much there was at most until then.
pub(crate) struct Since {
    before_kb: Option<u64>,
    /// What was before the moment is forgotten. Where the system does not do that, only what goes beyond the most that
    /// there ever was is seen.
    pub(crate) is_reset: bool,
}

impl Since {
    /// From now on.
    pub(crate) fn now() -> Self {
        // By proc(5), 5 makes what is resident now the most that there was.
        let is_reset = std::fs::write("/proc/self/clear_refs", "5").is_ok();
        if !is_reset {
            eprintln!("  /proc/self/clear_refs cannot be written: of memory only a new peak is seen");
        }
        Since {
            before_kb: peak_kb(),
            is_reset,
        }
    }

    /// By how much there was more at some time since, in kB; nothing where the system does not tell.
    pub(crate) fn grown_kb(&self) -> Option<u64> {
        Some(peak_kb()?.saturating_sub(self.before_kb?))
    }
}

/// The most that was ever resident, or since that was reset.
fn peak_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line?.trim().strip_suffix(" kB")?.parse().ok()
}
