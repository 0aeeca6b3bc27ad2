//! The system calls that a server makes, and the filter that allows no others.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::SeccompCmpArgLen::{self, Dword, Qword};
use seccompiler::SeccompCmpOp::{self, Eq, MaskedEq, Ne};
use seccompiler::{
    BackendError, BpfProgram, Error, SeccompAction, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter_all_threads,
};

/// The rules for a system call, any of which allows it; without one it is allowed.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// What is allowed whatever the arguments are.
const ALLOWED: &[i64] = &[
    // Memory.
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_membarrier,
    libc::SYS_memfd_create,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // Threads of this process.
    libc::SYS_clone3,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_geteuid,
    libc::SYS_getpid,
    libc::SYS_getrlimit,
    libc::SYS_gettid,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    // Signals and time.
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    // Waiting, and eventfds.
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_io_destroy,
    libc::SYS_io_getevents,
    libc::SYS_io_setup,
    libc::SYS_io_submit,
    libc::SYS_ppoll,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_gettime,
    libc::SYS_timerfd_settime,
    // Hidden by the other filter.
    libc::SYS_io_uring_setup,
    // Connections that are open, and those of listening sockets.
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_setsockopt,
    libc::SYS_shutdown,
    // Open files.
    libc::SYS_close,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fallocate,
    libc::SYS_fdatasync,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_lseek,
    libc::SYS_pipe2,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_preadv2,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_write,
    libc::SYS_writev,
    // Paths, which are restricted by their folders.
    libc::SYS_faccessat,
    libc::SYS_getcwd,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_readlinkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_statx,
    libc::SYS_unlinkat,
    // Random numbers, of maps.
    libc::SYS_getrandom,
];

/// Transfers of rings that exist: the kernel restricts a ring of the library to its files.
#[cfg(feature = "io-uring")]
const RINGS: &[i64] = &[libc::SYS_io_uring_enter];
#[cfg(not(feature = "io-uring"))]
const RINGS: &[i64] = &[];

/// The older calls for some of these, which newer processors do not have.
#[cfg(target_arch = "x86_64")]
const OLDER: &[i64] = &[
    libc::SYS_access,
    libc::SYS_epoll_wait,
    libc::SYS_lstat,
    libc::SYS_open,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_stat,
    libc::SYS_unlink,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[i64] = &[];

/// Ends the process at a system call that a server does not need, in all of its threads.
///
/// # Errors
///
/// If the kernel has no such filters.
pub(super) fn restrict() -> Result<(), Error> {
    // The flags of clone3 are in memory, where a filter does not look. Without it, the C library
    // calls clone. A new ring would do what no filter sees. Of two filters the stricter one
    // decides.
    let missing = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
    let hidden = [libc::SYS_clone3, libc::SYS_io_uring_setup];
    let hidden = hidden.map(|call| (call, Vec::new())).into();
    apply_filter_all_threads(&compile(hidden, SeccompAction::Allow, missing)?)?;
    // The last one: it does not allow another filter.
    let ended = SeccompAction::KillProcess;
    apply_filter_all_threads(&compile(allowed()?, ended, SeccompAction::Allow)?)
}

/// Returns what is allowed.
fn allowed() -> Result<Rules, BackendError> {
    let always = ALLOWED.iter().chain(RINGS).chain(OLDER).map(|call| (*call, Vec::new()));
    let executable = u64::from(libc::PROT_EXEC.cast_unsigned());
    let thread = u64::from(libc::CLONE_THREAD.cast_unsigned());
    let local = u64::from(libc::AF_UNIX.cast_unsigned());
    let stream = u64::from(libc::SOCK_STREAM.cast_unsigned());
    let owner = u64::from(libc::F_SETOWN.cast_unsigned());
    let owner_by_kind = u64::from(F_SETOWN_EX.cast_unsigned());
    let conditional = [
        // Its own limits.
        (libc::SYS_prlimit64, vec![(0, Dword, Eq, 0)]),
        // All but the process that a file signals.
        (libc::SYS_fcntl, vec![(1, Dword, Ne, owner), (1, Dword, Ne, owner_by_kind)]),
        // Only threads: no processes.
        (libc::SYS_clone, vec![(0, Qword, MaskedEq(thread), thread)]),
        // No new code.
        (libc::SYS_mmap, vec![(2, Dword, MaskedEq(executable), 0)]),
        (libc::SYS_mprotect, vec![(2, Dword, MaskedEq(executable), 0)]),
        // Twin sockets. A pair of datagram sockets could send to any path.
        (libc::SYS_socketpair, vec![(0, Dword, Eq, local), (1, Dword, MaskedEq(0xf), stream)]),
        // Signals to itself: abort, and the end at a second signal.
        (libc::SYS_tgkill, vec![(0, Dword, Eq, std::process::id().into())]),
    ];
    let conditional = conditional.into_iter().map(|(call, all)| Ok((call, vec![rule(&all)?])));
    let alternatives = [
        // The names of threads, and how exact their timers are.
        one_of(libc::SYS_prctl, 0, &PRCTLS.map(|option| option.cast_unsigned().into())),
        // What a socket has not sent, and whether it waits.
        one_of(libc::SYS_ioctl, 1, &[libc::TIOCOUTQ, libc::FIONBIO]),
    ];
    always.map(Ok).chain(conditional).chain(alternatives).collect()
}

/// Sets the thread, process or group that a file signals; the crate `libc` does not have it.
const F_SETOWN_EX: i32 = 15;

const PRCTLS: [i32; 3] = [libc::PR_SET_NAME, libc::PR_GET_TIMERSLACK, libc::PR_SET_TIMERSLACK];

/// Returns the rules of a call that is allowed with one of these values of an argument.
fn one_of(call: i64, index: u8, values: &[u64]) -> Result<(i64, Vec<SeccompRule>), BackendError> {
    let rules = values.iter().map(|value| rule(&[(index, Dword, Eq, *value)]));
    Ok((call, rules.collect::<Result<_, _>>()?))
}

/// The index, the length and the values of an argument.
type Argument = (u8, SeccompCmpArgLen, SeccompCmpOp, u64);

/// Returns a rule that holds if all of these arguments are as they say.
fn rule(arguments: &[Argument]) -> Result<SeccompRule, BackendError> {
    let conditions = arguments.iter().map(|(index, length, operator, value)| {
        SeccompCondition::new(*index, length.clone(), operator.clone(), *value)
    });
    SeccompRule::new(conditions.collect::<Result<_, _>>()?)
}

fn compile(
    rules: Rules,
    otherwise: SeccompAction,
    matching: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    let processor = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, otherwise, matching, processor)?.try_into()
}
