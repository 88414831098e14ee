//! Whether this process is a fork of the one that did something.
//!
//! A child that is forked has a copy of all that its parent had, its attachments to shared memory among them, which are
//! still the parent's. A page that the system wipes in every child tells them apart at the price of one load.

#[cfg(all(target_os = "linux", not(miri), not(rust_messenger_loom)))]
mod page {
    use crate::mmap::Region;
    use crate::sync::Ordering;
    use rustix::mm::{Advice, madvise};
    use std::io;

    /// The smallest page of any supported system. Where pages are larger, what is mapped is one.
    const PAGE: usize = 4096;

    /// What only the process that made it has; in children that are forked it is wiped away. A clone is the same mark.
    #[derive(Clone, Debug)]
    pub(crate) struct ForkMark {
        page: Region,
    }

    impl ForkMark {
        /// # Errors
        ///
        /// What the system says: Linux wipes pages since 4.14.
        #[allow(unsafe_code)]
        pub(crate) fn new() -> io::Result<ForkMark> {
            let page = Region::anonymous(PAGE)?;
            // SAFETY: the range is the whole of a private mapping, and this advice changes no byte of it here: children
            // that are forked find zeros, which are a word, too.
            unsafe { madvise(page.mapping().as_mut_ptr().cast(), PAGE, Advice::LinuxWipeOnFork) }?;
            page.word(0).store(1, Ordering::Relaxed);
            Ok(ForkMark { page })
        }

        /// Whether this process was forked since.
        #[inline(always)]
        #[allow(unsafe_code)]
        pub(crate) fn is_forked(&self) -> bool {
            // SAFETY: a multiple of 8, and the page has a word there.
            unsafe { self.page.place(0).word(0) }.load(Ordering::Relaxed) == 0
        }
    }
}

#[cfg(not(all(target_os = "linux", not(miri), not(rust_messenger_loom))))]
mod page {
    use std::io;

    /// Nobody forks here: models, Miri, and tests on other systems.
    #[derive(Clone, Debug)]
    pub(crate) struct ForkMark(());

    impl ForkMark {
        /// # Errors
        ///
        /// [`io::ErrorKind::Unsupported`] on other systems than Linux.
        pub(crate) fn new() -> io::Result<ForkMark> {
            let is_known = cfg!(any(miri, rust_messenger_loom, test));
            if is_known { Ok(ForkMark(())) } else { Err(io::ErrorKind::Unsupported.into()) }
        }

        pub(crate) fn is_forked(&self) -> bool {
            false
        }
    }
}

pub(crate) use page::ForkMark;

/// For tests of what forked children may do.
#[cfg(all(test, target_os = "linux", not(miri), not(rust_messenger_loom)))]
#[allow(unsafe_code)]
pub(crate) mod children {
    use rustix::process::{Pid, Resource, Rlimit, WaitOptions, setrlimit, waitpid};

    /// What a forked child says to `question`, which may do little: of this process's threads it has one, and whatever
    /// lock the others held nobody lets go of.
    pub(crate) fn in_a_fork(question: impl FnOnce() -> u8) -> u8 {
        // SAFETY: the child waits for none of the threads that it has not: it loads, forks, and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // So much processor time; one that goes round for ever is killed.
            let limit = Rlimit { current: Some(20), maximum: Some(20) };
            let answer = setrlimit(Resource::Cpu, limit).map_or(255, |()| i32::from(question()));
            // SAFETY: always safe to call; no destructor of a process runs that is not its own.
            unsafe { libc::_exit(answer) }
        }
        let (_, status) = waitpid(Pid::from_raw(child), WaitOptions::empty()).unwrap().unwrap();
        status.exit_status().expect("it ends by itself") as u8
    }
}

#[cfg(all(test, target_os = "linux", not(miri), not(rust_messenger_loom)))]
mod tests {
    use super::*;

    fn in_a_fork(question: impl FnOnce() -> bool) -> bool {
        children::in_a_fork(|| u8::from(question())) == 1
    }

    #[test]
    fn who_was_forked_since_knows_it() {
        let (mark, other) = (ForkMark::new().unwrap(), ForkMark::new().unwrap());
        assert!(!mark.is_forked() && !other.is_forked());
        assert!(in_a_fork(|| mark.is_forked() && other.is_forked()));
        assert!(in_a_fork(|| in_a_fork(|| mark.is_forked())), "and their children");
        assert!(!mark.is_forked() && !other.is_forked(), "the parent is who it was");
        assert!(!in_a_fork(|| ForkMark::new().unwrap().is_forked()), "what it makes is its own");
    }
}
