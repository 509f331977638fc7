/*
 * filter: the system calls a sandboxed command may make, as a seccomp program.
 *
 * An allow list, in three answers:
 *   listed in `allowed`, or with the arguments named below: goes through
 *   listed in `refused`: EPERM, so that the caller learns it is forbidden
 *   everything else, and every call younger than this list: ENOSYS, so that a
 *   C library falls back to an older call; calls of a foreign architecture: killed.
 *
 * Arguments are compared over 64 bits although the kernel uses 32 of many of them.
 * All argument rules therefore *allow* on a match: a value with stray upper bits
 * matches nothing and is refused.
 *
 * Why some harmless looking calls are missing: setsid and setpgid, because a command
 * is killed as a process group; alarm and setitimer, because proc.c armed the timer
 * that ends it with its lease; chmod, chown, utimensat and setxattr, because Landlock
 * does not control them and a command runs as the owner of the world; memfd_create
 * and execveat, because memory files may be executed whatever Landlock says; datagram
 * socket pairs, because sendto(2) on one reaches any socket in the file system.
 */
#include "filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "buf.h"

static const char *const allowed[] = {
    /* descriptors */
    "read",
    "write",
    "readv",
    "writev",
    "pread64",
    "pwrite64",
    "preadv",
    "pwritev",
    "preadv2",
    "pwritev2",
    "close",
    "close_range",
    "lseek",
    "_llseek",
    "dup",
    "dup2",
    "dup3",
    "pipe",
    "pipe2",
    "sendfile",
    "splice",
    "tee",
    "vmsplice",
    "copy_file_range",
    "select",
    "_newselect",
    "pselect6",
    "poll",
    "ppoll",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "eventfd",
    "eventfd2",
    "signalfd",
    "signalfd4",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    "readahead",
    "fadvise64",
    "sync_file_range",
    "fsync",
    "fdatasync",
    "ftruncate",
    "fallocate",
    "flock",
    "sendto",
    "recvfrom",
    "sendmsg",
    "recvmsg",
    "sendmmsg",
    "recvmmsg",
    "shutdown",
    "getsockname",
    "getpeername",
    "getsockopt",
    /* files: Landlock decides which */
    "open",
    "openat",
    "openat2",
    "creat",
    "truncate",
    "stat",
    "fstat",
    "lstat",
    "newfstatat",
    "statx",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getdents",
    "getdents64",
    "getcwd",
    "chdir",
    "fchdir",
    "mkdir",
    "mkdirat",
    "rmdir",
    "unlink",
    "unlinkat",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "umask",
    "statfs",
    "fstatfs",
    "getxattr",
    "lgetxattr",
    "fgetxattr",
    "listxattr",
    "llistxattr",
    "flistxattr",
    /* memory */
    "mmap",
    "munmap",
    "mprotect",
    "mremap",
    "madvise",
    "brk",
    "msync",
    "mincore",
    "mlock",
    "mlock2",
    "munlock",
    "membarrier",
    "get_mempolicy",
    "pkey_mprotect",
    "pkey_alloc",
    "pkey_free",
    /* itself */
    "execve",
    "exit",
    "exit_group",
    "wait4",
    "waitid",
    "getpid",
    "getppid",
    "gettid",
    "getpgid",
    "getpgrp",
    "getsid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getresuid",
    "getresgid",
    "getgroups",
    "getpriority",
    "getrlimit",
    "setrlimit",
    "getrusage",
    "times",
    "capget",
    "sched_yield",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "sched_get_priority_max",
    "sched_get_priority_min",
    "sched_rr_get_interval",
    "sched_getattr",
    "getcpu",
    "set_tid_address",
    "set_robust_list",
    "rseq",
    "arch_prctl",
    "futex",
    "futex_waitv",
    "uname",
    "sysinfo",
    "getrandom",
    "restart_syscall",
    /* signals and time */
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigpending",
    "rt_sigtimedwait",
    "rt_sigsuspend",
    "sigaltstack",
    "pause",
    "clock_gettime",
    "clock_getres",
    "clock_nanosleep",
    "nanosleep",
    "gettimeofday",
    "time",
    "timer_create",
    "timer_settime",
    "timer_gettime",
    "timer_getoverrun",
    "timer_delete",
    "getitimer",
};

static const char *const forking[] = {"fork", "vfork"};
static const char *const signalling[] = {"kill", "tkill", "tgkill", "rt_sigqueueinfo",
	"rt_tgsigqueueinfo"};
static const char *const networking[] = {"connect", "bind", "listen", "accept", "accept4",
	"setsockopt"};

static const char *const refused[] = {
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "process_mrelease",
    "kcmp",
    "pidfd_open",
    "pidfd_getfd",
    "pidfd_send_signal",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "move_mount",
    "open_tree",
    "mount_setattr",
    "setns",
    "unshare",
    "keyctl",
    "add_key",
    "request_key",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "memfd_create",
    "memfd_secret",
    "execveat",
    "name_to_handle_at",
    "open_by_handle_at",
    "shmget",
    "shmat",
    "shmctl",
    "shmdt",
    "semget",
    "semop",
    "semtimedop",
    "semctl",
    "msgget",
    "msgsnd",
    "msgrcv",
    "msgctl",
    "mq_open",
    "mq_unlink",
    "mq_timedsend",
    "mq_timedreceive",
    "mq_notify",
    "mq_getsetattr",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "fchown",
    "lchown",
    "fchownat",
    "utime",
    "utimes",
    "futimesat",
    "utimensat",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "removexattr",
    "lremovexattr",
    "fremovexattr",
    "mknod",
    "mknodat",
    "inotify_init",
    "inotify_init1",
    "inotify_add_watch",
    "fanotify_init",
    "fanotify_mark",
    "setsid",
    "setpgid",
    "alarm",
    "setitimer",
    "setpriority",
    "ioprio_set",
    "sched_setaffinity",
    "sched_setscheduler",
    "sched_setparam",
    "sched_setattr",
    "migrate_pages",
    "move_pages",
    "setuid",
    "setgid",
    "setreuid",
    "setregid",
    "setresuid",
    "setresgid",
    "setgroups",
    "setfsuid",
    "setfsgid",
    "capset",
    "personality",
    "quotactl",
    "quotactl_fd",
    "swapon",
    "swapoff",
    "reboot",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "clock_settime",
    "settimeofday",
    "adjtimex",
    "clock_adjtime",
    "acct",
    "syslog",
    "sethostname",
    "setdomainname",
    "vhangup",
    "iopl",
    "ioperm",
    "modify_ldt",
    "seccomp",
};

/* Second argument of ioctl and fcntl, first of prctl, that go through. */
static const unsigned ioctls[] = {TCGETS, 0x802c542a /* TCGETS2 */, TIOCGWINSZ, TIOCGPGRP, FIONREAD,
	FIONBIO, FIOCLEX, FIONCLEX, FICLONE, FICLONERANGE, FS_IOC_GETFLAGS};
static const unsigned fcntls[] = {F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK,
    F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_DUPFD_CLOEXEC, F_GETPIPE_SZ, F_SETPIPE_SZ,
    F_GET_SEALS};
static const unsigned prctls[] = {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_CAPBSET_READ,
    PR_GET_NO_NEW_PRIVS, PR_SET_NO_NEW_PRIVS, PR_GET_SECCOMP, PR_GET_PDEATHSIG,
    0x53564d41 /* PR_SET_VMA */};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* One rule; calls that this architecture or library does not know are left to ENOSYS. */
static int
rule(scmp_filter_ctx ctx, uint32_t action, const char *name, unsigned n,
    const struct scmp_arg_cmp *arg)
{
	int nr = seccomp_syscall_resolve_name(name);

	if (nr == __NR_SCMP_ERROR)
		return 0;
	return seccomp_rule_add_array(ctx, action, nr, n, arg);
}

static int
rules(scmp_filter_ctx ctx, uint32_t action, const char *const *name, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = rule(ctx, action, name[i], 0, NULL);
	return rc;
}

static int
rule_values(scmp_filter_ctx ctx, const char *name, unsigned arg, const unsigned *value, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		struct scmp_arg_cmp c = {arg, SCMP_CMP_EQ, value[i], 0};

		rc = rule(ctx, SCMP_ACT_ALLOW, name, 1, &c);
	}
	return rc;
}

/* Allow when the first argument is 0 (itself, its own group), else EPERM. */
static int
rule_self(scmp_filter_ctx ctx, const char *name)
{
	struct scmp_arg_cmp self = {0, SCMP_CMP_EQ, 0, 0}, other = {0, SCMP_CMP_NE, 0, 0};
	int rc = rule(ctx, SCMP_ACT_ALLOW, name, 1, &self);

	return rc != 0 ? rc : rule(ctx, SCMP_ACT_ERRNO(EPERM), name, 1, &other);
}

/* EPERM when the argument has exactly these bits of the mask. */
static int
rule_bits(scmp_filter_ctx ctx, const char *name, unsigned arg, uint64_t mask, uint64_t bits)
{
	struct scmp_arg_cmp c = {arg, SCMP_CMP_MASKED_EQ, mask, bits};

	return rule(ctx, SCMP_ACT_ERRNO(EPERM), name, 1, &c);
}

/* New processes without namespaces of their own, always children of their maker;
 * only threads when forking is not allowed. clone3 hides its flags: ENOSYS. */
static int
rule_clone(scmp_filter_ctx ctx, unsigned flags)
{
	static const uint64_t never[] = {CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
		CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_IO, CLONE_PTRACE, CLONE_PARENT};
	struct scmp_arg_cmp c = {0, SCMP_CMP_MASKED_EQ, 0, 0};
	int rc = 0;

	for (size_t i = 0; i < COUNT(never) && rc == 0; i++) {
		c.datum_a |= never[i];
		rc = rule_bits(ctx, "clone", 0, never[i], never[i]);
	}
	if (rc == 0 && (flags & FILTER_FORK) == 0) {
		c.datum_a |= CLONE_THREAD;
		c.datum_b = CLONE_THREAD;
		rc = rule_bits(ctx, "clone", 0, CLONE_THREAD, 0);
	}
	return rc != 0 ? rc : rule(ctx, SCMP_ACT_ALLOW, "clone", 1, &c);
}

/* Local stream pairs always; internet sockets with FILTER_NET; nothing else. */
static int
rule_sockets(scmp_filter_ctx ctx, unsigned flags)
{
	static const unsigned families[] = {AF_INET, AF_INET6};
	static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET};
	int rc = 0;

	for (size_t i = 0; i < COUNT(types) && rc == 0; i++) {
		struct scmp_arg_cmp c[] = {{0, SCMP_CMP_EQ, AF_UNIX, 0},
			{1, SCMP_CMP_MASKED_EQ, 0xf, (scmp_datum_t)types[i]}};

		rc = rule(ctx, SCMP_ACT_ALLOW, "socketpair", 2, c);
	}
	if (rc != 0)
		return rc;
	if ((flags & FILTER_NET) == 0) {
		rc = rules(ctx, SCMP_ACT_ERRNO(EPERM), networking, COUNT(networking));
		return rc != 0 ? rc : rule(ctx, SCMP_ACT_ERRNO(EPERM), "socket", 0, NULL);
	}
	rc = rules(ctx, SCMP_ACT_ALLOW, networking, COUNT(networking));
	return rc != 0 ? rc : rule_values(ctx, "socket", 0, families, COUNT(families));
}

/* Without Landlock's signal scope only the own group can be signalled, by kill(0). */
static int
rule_signals(scmp_filter_ctx ctx, unsigned flags)
{
	int rc;

	if (flags & FILTER_SCOPED)
		return rules(ctx, SCMP_ACT_ALLOW, signalling, COUNT(signalling));
	rc = rules(ctx, SCMP_ACT_ERRNO(EPERM), signalling + 1, COUNT(signalling) - 1);
	return rc != 0 ? rc : rule_self(ctx, "kill");
}

static int
all_rules(scmp_filter_ctx ctx, unsigned flags)
{
	uint32_t fork_action = flags & FILTER_FORK ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM);
	int rc;

	if ((rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS)) != 0 ||
	    (rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2)) != 0 ||
	    (rc = rules(ctx, SCMP_ACT_ALLOW, allowed, COUNT(allowed))) != 0 ||
	    (rc = rules(ctx, SCMP_ACT_ERRNO(EPERM), refused, COUNT(refused))) != 0 ||
	    (rc = rules(ctx, fork_action, forking, COUNT(forking))) != 0 ||
	    (rc = rule_values(ctx, "ioctl", 1, ioctls, COUNT(ioctls))) != 0 ||
	    (rc = rule_bits(ctx, "ioctl", 1, UINT32_MAX, TIOCSTI)) != 0 ||
	    (rc = rule_bits(ctx, "ioctl", 1, UINT32_MAX, TIOCLINUX)) != 0 ||
	    (rc = rule_values(ctx, "fcntl", 1, fcntls, COUNT(fcntls))) != 0 ||
	    (rc = rule_values(ctx, "prctl", 0, prctls, COUNT(prctls))) != 0 ||
	    (rc = rule_self(ctx, "prlimit64")) != 0 ||
	    (rc = rule_clone(ctx, flags)) != 0 || (rc = rule_sockets(ctx, flags)) != 0)
		return rc;
	return rule_signals(ctx, flags);
}

/* The library writes programs only to a descriptor: through memory and back. */
static int
export(scmp_filter_ctx ctx, struct sock_fprog *out)
{
	int fd = memfd_create("filter", MFD_CLOEXEC);
	struct stat st;
	int rc;

	if (fd < 0)
		return -errno;
	rc = seccomp_export_bpf(ctx, fd);
	if (rc == 0 && fstat(fd, &st) != 0)
		rc = -errno;
	if (rc == 0) {
		size_t n = (size_t)st.st_size;

		out->filter = mem_alloc(n);
		out->len = (unsigned short)(n / sizeof(out->filter[0]));
		if (n > BPF_MAXINSNS * sizeof(out->filter[0]) ||
		    pread(fd, out->filter, n, 0) != (ssize_t)n)
			rc = -EIO;
	}
	close(fd);
	return rc;
}

const struct sock_fprog *
filter_get(unsigned flags, struct err *e)
{
	static struct sock_fprog kept[FILTER_FLAGS];
	struct sock_fprog *f = &kept[flags % FILTER_FLAGS];
	scmp_filter_ctx ctx;
	int rc;

	if (f->filter != NULL)
		return f;
	ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	rc = ctx == NULL ? -ENOMEM : all_rules(ctx, flags);
	if (rc == 0)
		rc = export(ctx, f);
	if (ctx != NULL)
		seccomp_release(ctx);
	if (rc == 0)
		return f;
	err_set(e, VIV_IO, "cannot compile the system call filter: %s", strerror(-rc));
	return NULL;
}
