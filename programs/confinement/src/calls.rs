//! The system calls that the programs use after their start.
//!
//! They come from two sources. strace(1) over tunicd's tests, on x86-64 with glibc, the driver
//! linked and as an image, showed no call that is missing here, and the tests of tunicd and of the
//! OpenVPN programs run with the filter. Calls that were not seen are here because Rust's library
//! or a C library of another version or of another processor makes them for the same purpose, as
//! `faccessat2` for `faccessat`. aarch64 has the list by that reasoning alone: no test has run
//! there. `--seccomp log` shows what is missing.

use libc::{
    AF_INET, AF_INET6, AF_NETLINK, AF_UNIX, CLONE_THREAD, PROT_EXEC, SIOCGIFFLAGS, SIOCGIFINDEX,
    SIOCGIFMTU, SIOCGIFNAME, SIOCSIFMTU, c_long,
};

/// A system call, and with which arguments it is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) number: c_long,
    pub(crate) only: Only,
}

/// A condition on an argument; arguments count from 0.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Only {
    /// None.
    Any,
    /// It has one of these values.
    Value(u8, &'static [u64]),
    /// These bits are set.
    Set(u8, u64),
    /// These bits are clear.
    Clear(u8, u64),
    /// It is this process's id.
    OwnProcess(u8),
}

const fn any(number: c_long) -> Call {
    Call { number, only: Only::Any }
}

const fn only(number: c_long, only: Only) -> Call {
    Call { number, only }
}

/// Address families of sockets.
const FAMILIES: &[u64] = &[AF_UNIX as u64, AF_INET as u64, AF_INET6 as u64, AF_NETLINK as u64];

/// `TUNSETCARRIER` of linux/if_tun.h.
const TUNSETCARRIER: u64 = 0x4004_54e2;
/// `TUNSETOFFLOAD` of linux/if_tun.h.
const TUNSETOFFLOAD: u64 = 0x4004_54d0;

/// Requests to interfaces, descriptors and terminals. TIOCSTI, which types into a terminal, is not
/// among them.
#[allow(clippy::unnecessary_cast, reason = "their types differ among libraries")]
const REQUESTS: &[u64] = &[
    libc::FIONBIO as u64,
    libc::FIONREAD as u64,
    libc::FIOCLEX as u64,
    libc::TCGETS as u64,
    libc::TCSETS as u64,
    libc::TCSETSF as u64,
    libc::TCSETSW as u64,
    libc::TIOCGWINSZ as u64,
    SIOCGIFFLAGS as u64,
    SIOCGIFINDEX as u64,
    SIOCGIFMTU as u64,
    SIOCGIFNAME as u64,
    SIOCSIFMTU as u64,
    TUNSETCARRIER,
    TUNSETOFFLOAD,
];

/// `PR_SET_VMA`, by which glibc names memory.
const PRCTL: &[u64] =
    &[libc::PR_SET_NAME as u64, libc::PR_GET_NAME as u64, libc::PR_SET_VMA as u64];

/// Calls of all programs.
pub(crate) const COMMON: &[Call] = &[
    // Memory.
    any(libc::SYS_brk),
    any(libc::SYS_madvise),
    any(libc::SYS_membarrier),
    any(libc::SYS_mremap),
    any(libc::SYS_munmap),
    // Threads, but no processes.
    only(libc::SYS_clone, Only::Set(0, CLONE_THREAD as u64)),
    any(libc::SYS_exit),
    any(libc::SYS_exit_group),
    any(libc::SYS_futex),
    any(libc::SYS_getcpu),
    any(libc::SYS_getpid),
    any(libc::SYS_getppid),
    any(libc::SYS_gettid),
    only(libc::SYS_prctl, Only::Value(0, PRCTL)),
    any(libc::SYS_rseq),
    any(libc::SYS_sched_getaffinity),
    any(libc::SYS_sched_yield),
    any(libc::SYS_set_robust_list),
    any(libc::SYS_set_tid_address),
    // Time.
    any(libc::SYS_clock_getres),
    any(libc::SYS_clock_gettime),
    any(libc::SYS_clock_nanosleep),
    any(libc::SYS_gettimeofday),
    any(libc::SYS_nanosleep),
    // Signals, also to this process.
    only(libc::SYS_kill, Only::OwnProcess(0)),
    any(libc::SYS_restart_syscall),
    any(libc::SYS_rt_sigaction),
    any(libc::SYS_rt_sigpending),
    any(libc::SYS_rt_sigprocmask),
    any(libc::SYS_rt_sigreturn),
    any(libc::SYS_rt_sigtimedwait),
    any(libc::SYS_sigaltstack),
    only(libc::SYS_tgkill, Only::OwnProcess(0)),
    // Descriptors.
    any(libc::SYS_close),
    any(libc::SYS_dup),
    any(libc::SYS_dup3),
    any(libc::SYS_eventfd2),
    any(libc::SYS_fcntl),
    only(libc::SYS_ioctl, Only::Value(1, REQUESTS)),
    any(libc::SYS_lseek),
    any(libc::SYS_pipe2),
    any(libc::SYS_ppoll),
    any(libc::SYS_pread64),
    any(libc::SYS_pselect6),
    any(libc::SYS_pwrite64),
    any(libc::SYS_read),
    any(libc::SYS_readv),
    any(libc::SYS_write),
    any(libc::SYS_writev),
    // Files.
    any(libc::SYS_chdir),
    any(libc::SYS_faccessat),
    any(libc::SYS_faccessat2),
    any(libc::SYS_fchmod),
    any(libc::SYS_fdatasync),
    any(libc::SYS_fstat),
    any(libc::SYS_fsync),
    any(libc::SYS_ftruncate),
    any(libc::SYS_getcwd),
    any(libc::SYS_getdents64),
    any(libc::SYS_mkdirat),
    any(libc::SYS_newfstatat),
    any(libc::SYS_openat),
    any(libc::SYS_openat2),
    any(libc::SYS_readlinkat),
    any(libc::SYS_renameat),
    any(libc::SYS_renameat2),
    any(libc::SYS_statx),
    any(libc::SYS_unlinkat),
    // Sockets.
    any(libc::SYS_accept),
    any(libc::SYS_accept4),
    any(libc::SYS_bind),
    any(libc::SYS_connect),
    any(libc::SYS_getpeername),
    any(libc::SYS_getsockname),
    any(libc::SYS_getsockopt),
    any(libc::SYS_listen),
    any(libc::SYS_recvfrom),
    any(libc::SYS_recvmmsg),
    any(libc::SYS_recvmsg),
    any(libc::SYS_sendmmsg),
    any(libc::SYS_sendmsg),
    any(libc::SYS_sendto),
    any(libc::SYS_setsockopt),
    any(libc::SYS_shutdown),
    only(libc::SYS_socket, Only::Value(0, FAMILIES)),
    only(libc::SYS_socketpair, Only::Value(0, FAMILIES)),
    // What the process and the machine are.
    any(libc::SYS_getegid),
    any(libc::SYS_geteuid),
    any(libc::SYS_getgid),
    any(libc::SYS_getrandom),
    any(libc::SYS_getuid),
    only(libc::SYS_prlimit64, Only::Value(0, &[0])),
    any(libc::SYS_sysinfo),
    any(libc::SYS_uname),
];

/// The older forms of calls, which only x86-64 has.
#[cfg(target_arch = "x86_64")]
pub(crate) const OLDER: &[Call] = &[
    any(libc::SYS_access),
    any(libc::SYS_dup2),
    any(libc::SYS_epoll_wait),
    any(libc::SYS_getrlimit),
    any(libc::SYS_lstat),
    any(libc::SYS_mkdir),
    any(libc::SYS_open),
    any(libc::SYS_poll),
    any(libc::SYS_readlink),
    any(libc::SYS_rename),
    any(libc::SYS_select),
    any(libc::SYS_stat),
    any(libc::SYS_time),
    any(libc::SYS_unlink),
];
/// Other processors have none.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) const OLDER: &[Call] = &[];

/// Memory that is not executable: the driver's image is loaded before.
pub(crate) const DATA_MEMORY: &[Call] = &[
    only(libc::SYS_mmap, Only::Clear(2, PROT_EXEC as u64)),
    only(libc::SYS_mprotect, Only::Clear(2, PROT_EXEC as u64)),
];

/// glibc's name service, which loads libraries that are configured in nsswitch.conf(5), such as
/// those of systemd.
pub(crate) const NAME_SERVICE: &[Call] = &[
    any(libc::SYS_mmap),
    any(libc::SYS_mprotect),
    any(libc::SYS_epoll_create1),
    any(libc::SYS_epoll_ctl),
    any(libc::SYS_epoll_pwait),
    any(libc::SYS_fstatfs),
    any(libc::SYS_getgroups),
    any(libc::SYS_getresgid),
    any(libc::SYS_getresuid),
    any(libc::SYS_inotify_add_watch),
    any(libc::SYS_inotify_init1),
    any(libc::SYS_memfd_create),
    any(libc::SYS_statfs),
    any(libc::SYS_timerfd_create),
    any(libc::SYS_timerfd_settime),
];

/// The end of a child that was started before.
pub(crate) const CHILDREN: &[Call] = &[any(libc::SYS_wait4), any(libc::SYS_waitid)];

/// Calls that a library tries, and for which it has another one where the kernel lacks them.
/// `clone3` has its flags in memory, where no filter sees them.
pub(crate) const ABSENT: &[c_long] = &[libc::SYS_clone3];

/// What neither ip(8) nor resolvconf(8) has to do with: other processes' memory, mounts, the
/// kernel, the clock, keys.
pub(crate) const NOT_FOR_COMMANDS: &[c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_fsopen,
    libc::SYS_init_module,
    libc::SYS_io_uring_setup,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_move_mount,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_umount2,
    libc::SYS_userfaultfd,
];
