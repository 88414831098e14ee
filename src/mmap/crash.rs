//! Deaths for tests: a thread whose fuse has burnt down goes no further than to the next word of a region; or it stands
//! still there, while others do something.

use super::Region;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

thread_local! {
    /// How much is left of this thread's fuse, and what comes then.
    static LIT: RefCell<Option<(u64, Region, End)>> = const { RefCell::new(None) };
}

/// What comes when a fuse has burnt down.
enum End {
    /// The thread dies, and what is in the region then will be looked at.
    Death,
    /// It stands still, while this happens.
    Pause(Box<dyn FnOnce()>),
}

/// A death, and what was in memory then.
struct Burnt(Vec<u8>);

/// Runs `work` until it has touched so many words of `region`.
///
/// # Errors
///
/// It got no further: what was in the region at that moment, as a process leaves it that is killed there. What is
/// dropped on the way out of `work` comes later.
pub(crate) fn within<R>(touches: u64, region: &Region, work: impl FnOnce() -> R) -> Result<R, Vec<u8>> {
    LIT.set(Some((touches, region.clone(), End::Death)));
    let done = catch_unwind(AssertUnwindSafe(work));
    LIT.set(None);
    done.map_err(|panic| match panic.downcast::<Burnt>() {
        Ok(burnt) => burnt.0,
        Err(panic) => resume_unwind(panic),
    })
}

/// Runs `work`, which stands still where it has touched so many words of `region`, until `meanwhile` is done. Whether
/// it has come so far.
pub(crate) fn pause(touches: u64, region: &Region, meanwhile: impl FnOnce() + 'static, work: impl FnOnce()) -> bool {
    LIT.set(Some((touches, region.clone(), End::Pause(Box::new(meanwhile)))));
    work();
    LIT.take().is_none()
}

/// Counts the touch of a word of `touched`, if that is the region or a part of it.
pub(super) fn touched(touched: &Region) {
    let base = touched.mapping().as_mut_ptr();
    if LIT.with_borrow(|lit| lit.as_ref().is_some_and(|(_, region, _)| region.mapping().as_mut_ptr() == base)) {
        burn();
    }
}

/// Counts a step that touches no word.
pub(crate) fn burn() {
    let dead = LIT.with_borrow_mut(|lit| match lit {
        Some((0, ..)) => lit.take(),
        Some((left, ..)) => {
            *left -= 1;
            None
        }
        None => None,
    });
    let Some((_, region, end)) = dead else { return };
    if let End::Pause(meanwhile) = end {
        meanwhile();
    } else {
        let mut bytes = vec![0; region.len() / 8 * 8];
        region.snapshot(0, &mut bytes);
        resume_unwind(Box::new(Burnt(bytes)));
    }
}
