//! seccomp: the system calls that no destination needs. They fail as if they were not permitted or not there, so that a
//! library that only tries whether it can use one goes on without.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, Error, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

/// System calls and the conditions, one of which has to hold; none: always.
type Calls = BTreeMap<i64, Vec<SeccompRule>>;

/// Numbers that are the same on all processors and that `libc` does not have for all of them.
const PROCESS_MRELEASE: i64 = 448;
const FCHMODAT2: i64 = 452;
const SETXATTRAT: i64 = 463;
const REMOVEXATTRAT: i64 = 466;
const FILE_SETATTR: i64 = 469;

/// Letting another process be signalled when something happens to a file: by `fcntl`, by `ioctl`.
const OWNERS_BY_FCNTL: [u64; 2] = [8, 15];
const OWNERS_BY_IOCTL: [u64; 2] = [0x8901, 0x8902];

/// Other processes: starting, watching, steering them.
const PROCESSES: [i64; 17] = [
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    PROCESS_MRELEASE,
    libc::SYS_kcmp,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    libc::SYS_setpriority,
    libc::SYS_ioprio_set,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setattr,
];

/// The system itself.
const SYSTEM: [i64; 47] = [
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_mount_setattr,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_lookup_dcookie,
    libc::SYS_fanotify_init,
    libc::SYS_open_by_handle_at,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_msgget,
    libc::SYS_semget,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
];

/// Modes, owners and attributes of files, and watching them, which Landlock does not look at.
const ATTRIBUTES: [i64; 15] = [
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    FCHMODAT2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    SETXATTRAT,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    REMOVEXATTRAT,
    FILE_SETATTR,
    libc::SYS_inotify_add_watch,
];

/// Giving a socket another peer than it has, or waiting for others to connect. A connection is the gateway's to make;
/// one that was given and is broken off could else lead elsewhere the next time.
const PEERS: [i64; 5] = [libc::SYS_connect, libc::SYS_bind, libc::SYS_listen, libc::SYS_accept, libc::SYS_accept4];

/// Calls that send, and which of their arguments has the flags: with `MSG_FASTOPEN` they connect as well.
const SENDING: [(i64, u8); 3] = [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)];

/// What only this processor has, by older names.
#[cfg(target_arch = "x86_64")]
const OLD: [i64; 12] = [
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_kexec_file_load,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: [i64; 0] = [];

/// Forbids the calling thread what no destination needs, and sockets but those that the gateway gives it.
///
/// # Errors
/// [`Error`] where the system has no seccomp.
pub fn forbid() -> Result<(), Error> {
    // `clone3` hides its flags from us. Told that it is not there, libraries use `clone`.
    let not_there = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    for program in [
        filter(not_permitted()?, libc::EPERM)?,
        filter(not_there, libc::ENOSYS)?,
        filter(sockets()?, libc::EAFNOSUPPORT)?,
        #[cfg(target_arch = "x86_64")]
        second_numbers(),
    ] {
        apply_filter(&program)?;
    }
    Ok(())
}

fn filter(calls: Calls, error: libc::c_int) -> Result<BpfProgram, Error> {
    let processor = TargetArch::try_from(std::env::consts::ARCH)?;
    let refusal = SeccompAction::Errno(error.unsigned_abs());
    Ok(SeccompFilter::new(calls, SeccompAction::Allow, refusal, processor)?.try_into()?)
}

fn not_permitted() -> Result<Calls, Error> {
    let always = [&PROCESSES[..], &SYSTEM, &ATTRIBUTES, &PEERS, &OLD].concat();
    let mut calls: Calls = always.into_iter().map(|call| (call, Vec::new())).collect();
    calls.insert(libc::SYS_clone, no_thread()?);
    let process = u64::from(std::process::id());
    for signal in [libc::SYS_kill, libc::SYS_tgkill, libc::SYS_rt_sigqueueinfo, libc::SYS_rt_tgsigqueueinfo] {
        calls.insert(signal, vec![rule([is_not(0, process)?])?]);
    }
    // musl sends its own threads signals by it.
    if !cfg!(target_env = "musl") {
        calls.insert(libc::SYS_tkill, Vec::new());
    }
    calls.insert(libc::SYS_prlimit64, vec![rule([is_not(0, 0)?, is_not(0, process)?])?]);
    calls.insert(libc::SYS_fcntl, OWNERS_BY_FCNTL.map(second_is).into_iter().collect::<Result<_, _>>()?);
    calls.insert(libc::SYS_ioctl, OWNERS_BY_IOCTL.map(second_is).into_iter().collect::<Result<_, _>>()?);
    for (call, flags) in SENDING {
        calls.insert(call, vec![rule([has_bits(flags, libc::MSG_FASTOPEN)?])?]);
    }
    calls.insert(libc::SYS_setsockopt, options()?);
    // Without a path it is about a file that is open.
    let path = SeccompCondition::new(1, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 0)?;
    calls.insert(libc::SYS_utimensat, vec![rule([path])?]);
    Ok(calls)
}

/// A `clone` that makes a process, or a thread in another view of the system.
fn no_thread() -> Result<Vec<SeccompRule>, Error> {
    let flags = |mask: libc::c_int, value: u64| {
        let mask = u64::from(mask.cast_unsigned());
        Ok::<_, Error>(SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(mask), value & mask)?)
    };
    let mut rules = vec![rule([flags(libc::CLONE_THREAD, 0)?])?];
    for view in [
        libc::CLONE_NEWNS,
        libc::CLONE_NEWCGROUP,
        libc::CLONE_NEWUTS,
        libc::CLONE_NEWIPC,
        libc::CLONE_NEWUSER,
        libc::CLONE_NEWPID,
        libc::CLONE_NEWNET,
    ] {
        rules.push(rule([flags(view, u64::MAX)?])?);
    }
    Ok(rules)
}

/// All sockets but pairs that are connected with each other for ever: a datagram can be sent to any other socket's
/// path.
fn sockets() -> Result<Calls, Error> {
    const KINDS: u32 = 0xf;
    let unix = u64::from(libc::AF_UNIX.unsigned_abs());
    let allowed = [libc::SOCK_STREAM, libc::SOCK_SEQPACKET].map(libc::c_int::unsigned_abs);
    let mut pairs = vec![rule([is_not(0, unix)?])?];
    for kind in (0..=KINDS).filter(|kind| !allowed.contains(kind)) {
        let is_kind = SeccompCmpOp::MaskedEq(KINDS.into());
        pairs.push(rule([SeccompCondition::new(1, SeccompCmpArgLen::Dword, is_kind, kind.into())?])?);
    }
    Ok(BTreeMap::from([(libc::SYS_socket, Vec::new()), (libc::SYS_socketpair, pairs)]))
}

/// Options of sockets that lead packets by other hosts than the peer (those of IP), or have whoever closes the socket
/// wait, which may be the gateway where a plugin sends it one.
fn options() -> Result<Vec<SeccompRule>, Error> {
    let is = |argument: u8, value: libc::c_int| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value.unsigned_abs().into())
    };
    Ok(vec![
        rule([is(1, libc::IPPROTO_IP)?])?,
        rule([is(1, libc::IPPROTO_IPV6)?])?,
        rule([is(1, libc::SOL_SOCKET)?, is(2, libc::SO_LINGER)?])?,
    ])
}

fn rule<const N: usize>(conditions: [SeccompCondition; N]) -> Result<SeccompRule, Error> {
    Ok(SeccompRule::new(conditions.into())?)
}

fn second_is(value: u64) -> Result<SeccompRule, Error> {
    rule([SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)?])
}

/// Whether an argument of 32 bits has all of these bits.
fn has_bits(argument: u8, bits: libc::c_int) -> Result<SeccompCondition, Error> {
    let bits = u64::from(bits.unsigned_abs());
    Ok(SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(bits), bits)?)
}

/// Whether an argument of 32 bits is another than this.
fn is_not(argument: u8, value: u64) -> Result<SeccompCondition, Error> {
    Ok(SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value)?)
}

/// Some kernels know every system call by a second number (x32), which the other filters do not know.
#[cfg(target_arch = "x86_64")]
fn second_numbers() -> BpfProgram {
    use seccompiler::sock_filter;
    const LOAD_NUMBER: u16 = 0x20;
    const JUMP_IF_AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    const FIRST: u32 = 0x4000_0000;
    let step = |code, k, jt, jf| sock_filter { code, jt, jf, k };
    vec![
        step(LOAD_NUMBER, 0, 0, 0),
        step(JUMP_IF_AT_LEAST, FIRST, 0, 1),
        step(RETURN, libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs(), 0, 0),
        step(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0),
    ]
}
