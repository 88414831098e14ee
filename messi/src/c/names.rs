//! Names in C.

use crate::error::Error;
use crate::model::{Located, Model};
use crate::names::snake;
use prost_reflect::{EnumDescriptor, EnumValueDescriptor, FieldDescriptor, MessageDescriptor};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// What all names of a message or an enum begin with: `bank.OpenReq` as `bank_open_req`.
fn prefix(full_name: &str) -> String {
    full_name.split('.').map(snake).collect::<Vec<_>>().join("_")
}

/// What all names of a message begin with.
pub(super) fn message_prefix(message: &MessageDescriptor) -> String {
    prefix(message.full_name())
}

/// The tag of a message's struct.
pub(super) fn message(message: &MessageDescriptor) -> String {
    message_prefix(message) + "_t"
}

/// The tag of an enum.
pub(super) fn enumeration(an_enum: &EnumDescriptor) -> String {
    prefix(an_enum.full_name()) + "_t"
}

/// The constant of an enum's value.
pub(super) fn enum_value(value: &EnumValueDescriptor) -> String {
    format!("{}_{}_e", prefix(value.parent_enum().full_name()), snake(value.name()))
}

/// The constant with a field's number.
pub(super) fn tag(field: &FieldDescriptor) -> String {
    format!("{}_{}_tag", message_prefix(field.parent_message()), field.name())
}

/// A field or a oneof as a member of a struct: as it is called, unless C or its headers have other plans with that.
pub(super) fn member(name: &str) -> String {
    if is_keyword(name) || is_macro(name) { format!("{name}_") } else { name.to_owned() }
}

/// Whether it is a keyword of C99, of a later C, or of C++.
fn is_keyword(name: &str) -> bool {
    const KEYWORDS: &str = "\
        alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t \
        class co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue \
        decltype default delete do double dynamic_cast else enum explicit export extern false float for friend \
        fortran goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or or_eq \
        private protected public register reinterpret_cast requires restrict return short signed sizeof static \
        static_assert static_cast struct switch template this thread_local throw true try typedef typeid \
        typename typeof typeof_unqual union unsigned using virtual void volatile wchar_t while xor xor_eq";
    KEYWORDS.split(' ').any(|other| other == name)
}

/// Whether a header of C or POSIX, a compiler or nanopb may define it as a macro.
///
/// Those of the headers are many, and new ones come with each system. All but those listed are capitals, and so is no
/// field that keeps to the style of protocol buffers, so that a name of two capitals or more is taken for one of them.
fn is_macro(name: &str) -> bool {
    const MACROS: &str = "\
        I alloca assert complex errno fileno i386 imaginary linux major makedev math_errhandling minor noreturn \
        offsetof setjmp sigmask signbit st_atime st_ctime st_mtime stderr stdin stdout sv_onstack s6_addr \
        s6_addr16 s6_addr32 sa_handler sa_sigaction si_addr si_band si_fd si_int si_overrun si_pid si_ptr \
        si_status si_stime si_timerid si_uid si_utime si_value unix va_arg va_copy va_end va_start vfork \
        wait_any";
    let capitals = || name.chars().filter(char::is_ascii_uppercase).count() >= 2;
    let reserved = name.starts_with("__") || name.starts_with('_') && name[1..].starts_with(|c: char| c.is_uppercase());
    reserved
        || MACROS.split(' ').any(|other| other == name)
        || capitals() && !name.contains(|c: char| c.is_ascii_lowercase())
}

/// Whether a header that is never far away has a type of this name.
fn is_type(name: &str) -> bool {
    const TYPES: &str = "\
        async_t blkcnt_t blksize_t caddr_t cc_t char16_t char32_t char8_t clock_t clockid_t cnd_t \
        cookie_io_functions_t daddr_t dev_t div_t double_t error_t fenv_t fexcept_t float_t fpos_t fpregset_t \
        fsblkcnt_t fsfilcnt_t fsid_t gid_t greg_t gregset_t id_t idtype_t imaxdiv_t in_addr_t in_port_t ino_t \
        int_t intmax_t intptr_t key_t ldiv_t lldiv_t locale_t loff_t max_align_t mbstate_t mcontext_t \
        messi_client_state_t messi_disconnect_reason_t messi_epoll_ctl_t messi_on_frame_t \
        messi_server_client_state_t mode_t mtx_t nfds_t nlink_t nullptr_t off64_t off_t pb_byte_t \
        pb_bytes_array_t pb_callback_t pb_extension_t pb_extension_type_t pb_field_iter_t pb_field_t \
        pb_istream_t pb_msgdesc_t pb_ostream_t pb_size_t pb_ssize_t pb_type_t pb_wire_type_t pid_t ptrdiff_t \
        quad_t register_t rlim_t sa_family_t sem_t sig_atomic_t sig_t sighandler_t siginfo_t sigset_t sigval_t \
        size_t socklen_t speed_t ssize_t stack_t suseconds_t tcflag_t thrd_start_t thrd_t time_t timer_t \
        tss_dtor_t tss_t u_quad_t ucontext_t uid_t uintmax_t uintptr_t useconds_t wchar_t wctrans_t wctype_t \
        wint_t";
    // int8_t, uint_least16_t, u_int32_t, pthread_mutex_t and the like.
    const INTEGERS: &[&str] = &["int", "uint", "int_least", "uint_least", "int_fast", "uint_fast", "u_int"];
    let width = name.trim_end_matches("_t").trim_end_matches(|c: char| c.is_ascii_digit());
    let integer = name.len() > width.len() + 2 && INTEGERS.contains(&width);
    let library = ["pthread_", "atomic_"].iter().any(|prefix| name.starts_with(prefix));
    TYPES.split(' ').any(|other| other == name) || integer || library
}

/// Names that must differ, with what has them in the .proto file.
#[derive(Default)]
pub(super) struct Names(HashMap<String, String>);

impl Names {
    /// Takes a name for `what`, which is declared at `at`.
    pub(super) fn add(&mut self, model: &Model, at: &impl Located, what: &str, name: String) -> Result<(), Error> {
        match self.0.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert(what.to_owned());
                Ok(())
            }
            Entry::Occupied(entry) => {
                let (name, other) = (entry.key(), entry.get());
                Err(model.error(at, format!("{what} and {other} are both `{name}` in C: rename one of them")))
            }
        }
    }

    /// As [`Names::add`], of a struct or an enum.
    pub(super) fn add_type(&mut self, model: &Model, at: &impl Located, what: &str, name: String) -> Result<(), Error> {
        if is_type(&name) {
            let what =
                format!("{what} is `{name}` in C, which libraries have: rename it, or put it into another package");
            return Err(model.error(at, what));
        }
        self.add(model, at, what, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_c_has_other_plans_with() {
        for name in
            ["int", "class", "errno", "NULL", "EOF", "stdin", "linux", "unix", "true", "assert", "EPOLLIN", "__x"]
        {
            assert_eq!(member(name), format!("{name}_"));
        }
        for name in ["owner", "a", "X", "id", "Errno", "x1", "_x", "main", "size_t"] {
            assert_eq!(member(name), name);
        }
    }

    #[test]
    fn types_that_libraries_have() {
        for name in ["size_t", "int8_t", "uint_fast32_t", "u_int16_t", "pthread_mutex_t", "pb_size_t", "time_t"] {
            assert!(is_type(name), "{name}");
        }
        for name in ["bank_open_req_t", "messi_open_req_t", "inter8_t", "point_t", "print8_t", "pid_controller_t"] {
            assert!(!is_type(name), "{name}");
        }
    }
}
