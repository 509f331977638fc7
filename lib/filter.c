/*
 * filter: the system calls a sandboxed command may make, as a seccomp program.
 *
 * An allow list, in three answers:
 *   listed in `allowed`, or with the arguments named below: goes through
 *   listed in `refused`: EPERM, so that the caller learns it is forbidden
 *   everything else, and every call younger than this list: ENOSYS, so that a
 *   C library falls back to an older call; calls of a foreign architecture: killed.
 * libseccomp knows the calls' numbers here, bpf.c makes the program: libseccomp's own
 * takes longer to make than a command to run, and the kernel reads it for each command.
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
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <termios.h>

#include "bpf.h"

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
#define ALLOW SECCOMP_RET_ALLOW
#define EPERM_IT (SECCOMP_RET_ERRNO | EPERM)
#define X32_BIT 0x40000000U	/* in the numbers of x86-64's third ABI */

/* One rule; calls that this architecture or library does not know are left to ENOSYS. */
static void
rule(struct bpf_table *t, uint32_t action, const char *name, unsigned n,
    const struct bpf_cond *cond)
{
	int nr = seccomp_syscall_resolve_name(name);
	struct bpf_rule r = {.nr = (uint32_t)nr, .action = action, .n = n};

	if (nr < 0)
		return;
	for (unsigned i = 0; i < n; i++)
		r.cond[i] = cond[i];
	bpf_add(t, &r);
}

static void
rules(struct bpf_table *t, uint32_t action, const char *const *name, size_t n)
{
	for (size_t i = 0; i < n; i++)
		rule(t, action, name[i], 0, NULL);
}

static void
allow_values(struct bpf_table *t, const char *name, unsigned arg, const unsigned *value, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct bpf_cond c = {arg, UINT64_MAX, value[i]};

		rule(t, ALLOW, name, 1, &c);
	}
}

/* Allow when the first argument is 0 (itself, its own group), else EPERM. */
static void
allow_self(struct bpf_table *t, const char *name)
{
	static const unsigned self = 0;

	allow_values(t, name, 0, &self, 1);
	rule(t, EPERM_IT, name, 0, NULL);
}

/* EPERM when the argument has exactly these bits of the mask. */
static void
refuse_bits(struct bpf_table *t, const char *name, unsigned arg, uint64_t mask, uint64_t bits)
{
	struct bpf_cond c = {arg, mask, bits};

	rule(t, EPERM_IT, name, 1, &c);
}

/* New processes without namespaces of their own, always children of their maker;
 * only threads when forking is not allowed. clone3 hides its flags: ENOSYS. */
static void
clone_rules(struct bpf_table *t, unsigned flags)
{
	static const uint64_t never[] = {CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
		CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_IO, CLONE_PTRACE, CLONE_PARENT};

	for (size_t i = 0; i < COUNT(never); i++)
		refuse_bits(t, "clone", 0, never[i], never[i]);
	if ((flags & FILTER_FORK) == 0)
		refuse_bits(t, "clone", 0, CLONE_THREAD, 0);
	rule(t, ALLOW, "clone", 0, NULL);
}

/* Local stream pairs always; internet sockets with FILTER_NET; nothing else. */
static void
socket_rules(struct bpf_table *t, unsigned flags)
{
	static const unsigned families[] = {AF_INET, AF_INET6};
	static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET};

	for (size_t i = 0; i < COUNT(types); i++) {
		struct bpf_cond c[] = {{0, UINT64_MAX, AF_UNIX}, {1, 0xf, (uint64_t)types[i]}};

		rule(t, ALLOW, "socketpair", 2, c);
	}
	if (flags & FILTER_NET) {
		rules(t, ALLOW, networking, COUNT(networking));
		allow_values(t, "socket", 0, families, COUNT(families));
	} else {
		rules(t, EPERM_IT, networking, COUNT(networking));
		rule(t, EPERM_IT, "socket", 0, NULL);
	}
}

/* Without Landlock's signal scope only the own group can be signalled, by kill(0). */
static void
signal_rules(struct bpf_table *t, unsigned flags)
{
	if (flags & FILTER_SCOPED) {
		rules(t, ALLOW, signalling, COUNT(signalling));
	} else {
		rules(t, EPERM_IT, signalling + 1, COUNT(signalling) - 1);
		allow_self(t, "kill");
	}
}

static void
all_rules(struct bpf_table *t, unsigned flags)
{
	rules(t, ALLOW, allowed, COUNT(allowed));
	rules(t, EPERM_IT, refused, COUNT(refused));
	rules(t, flags & FILTER_FORK ? ALLOW : EPERM_IT, forking, COUNT(forking));
	allow_values(t, "ioctl", 1, ioctls, COUNT(ioctls));
	refuse_bits(t, "ioctl", 1, UINT32_MAX, TIOCSTI);
	refuse_bits(t, "ioctl", 1, UINT32_MAX, TIOCLINUX);
	allow_values(t, "fcntl", 1, fcntls, COUNT(fcntls));
	allow_values(t, "prctl", 0, prctls, COUNT(prctls));
	allow_self(t, "prlimit64");
	clone_rules(t, flags);
	socket_rules(t, flags);
	signal_rules(t, flags);
}

const struct sock_fprog *
filter_get(unsigned flags)
{
	static struct sock_fprog kept[FILTER_FLAGS];
	struct sock_fprog *f = &kept[flags % FILTER_FLAGS];
	struct bpf_table t = {.arch = seccomp_arch_native(), .max_nr = UINT32_MAX,
	    .otherwise = SECCOMP_RET_ERRNO | ENOSYS, .foreign = SECCOMP_RET_KILL_PROCESS};

	if (f->filter != NULL)
		return f;
	if (t.arch == SCMP_ARCH_X86_64)
		t.max_nr = X32_BIT - 1;
	all_rules(&t, flags);
	*f = bpf_compile(&t);
	free(t.rule);
	return f;
}
