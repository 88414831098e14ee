//! How little of a life is enough for it to fail.

use rust_messenger::__private::chance::shrink;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, set_hook, take_hook};
use std::sync::Once;

/// So many lives are spent on it.
const LIVES: usize = 200;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    /// Where this thread has panicked last, while it was quiet.
    static PLACE: Cell<Option<(&'static str, u32)>> = const { Cell::new(None) };
}

/// Where `life` panics, about which nothing is printed.
fn place_of(life: impl FnOnce()) -> Option<(&'static str, u32)> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = take_hook();
        set_hook(Box::new(move |panic| {
            if QUIET.get() {
                // Files of the source are as many as they are.
                let place = |at: &Location<'_>| (&*String::leak(at.file().to_owned()), at.line());
                PLACE.set(panic.location().map(place));
            } else {
                print(panic);
            }
        }));
    });
    PLACE.set(None);
    QUIET.set(true);
    let lived = catch_unwind(AssertUnwindSafe(life));
    QUIET.set(false);
    lived.err().and(PLACE.get())
}

/// Which of `count` parts a life needs to panic where it does with all of them. `None`: it does not.
pub fn least(count: usize, life: impl Fn(&[bool])) -> Option<Vec<bool>> {
    let whole = place_of(|| life(&vec![true; count]))?;
    Some(shrink(count, LIVES, |kept| place_of(|| life(kept)) == Some(whole)))
}
