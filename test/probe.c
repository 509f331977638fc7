/*
 * probe: attempts to get out of the sandbox, one line "NAME RESULT" each.
 *
 *	probe OUT IN VICTIM		all attempts, each in a child of its own
 *	probe -1 NAME OUT IN VICTIM	one, without forking
 *	probe -s OUT			the victim: sockets in OUT, prints its pid, waits
 *	probe -b COUNT			forks COUNT children that ignore SIGTERM, prints their pids
 *	probe -l			as leader: a child in the background, prints its pid and ends
 *
 * OUT is a directory outside the grants, IN one inside, VICTIM a process outside.
 * RESULT is "open" when the attempt succeeded, else an errno or signal name. The
 * same attempts run without a sandbox as well, where they must succeed.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { INHERITED_FD = 9 };

static const char *out, *in;
static pid_t victim;

/* "dir/name"; never freed, an attempt ends with its process. */
static char *
at(const char *dir, const char *name)
{
	char *p;

	if (asprintf(&p, "%s/%s", dir, name) < 0)
		abort();
	return p;
}

static int
try_open(const char *path, int flags)
{
	return open(path, flags, 0600) < 0 ? errno : 0;
}

#define TRY(call) ((call) < 0 ? errno : 0)
#define ATTEMPT(name, expr) static int try_##name(void) { return expr; }

/* Files */
ATTEMPT(read_inside, try_open(at(in, "given"), O_RDONLY))
ATTEMPT(write_inside, try_open(at(in, "made"), O_WRONLY | O_CREAT))
ATTEMPT(read_secret, try_open(at(out, "secret"), O_RDONLY))
ATTEMPT(read_dotdot, try_open(at(in, "../out/secret"), O_RDONLY))
ATTEMPT(read_passwd, try_open("/etc/passwd", O_RDONLY))
ATTEMPT(read_proc_self, try_open("/proc/self/environ", O_RDONLY))
ATTEMPT(list_outside, try_open(out, O_RDONLY | O_DIRECTORY))
ATTEMPT(list_root, try_open("/", O_RDONLY | O_DIRECTORY))
ATTEMPT(open_tty, try_open("/dev/ptmx", O_RDWR))
ATTEMPT(write_outside, try_open(at(out, "new"), O_WRONLY | O_CREAT))
ATTEMPT(append_outside, try_open(at(out, "secret"), O_WRONLY | O_APPEND))
ATTEMPT(tmpfile_outside, try_open(out, O_WRONLY | O_TMPFILE))
ATTEMPT(truncate_outside, TRY(truncate(at(out, "short"), 1)))
ATTEMPT(unlink_outside, TRY(unlink(at(out, "gone"))))
ATTEMPT(mkdir_outside, TRY(mkdir(at(out, "dir"), 0700)))
ATTEMPT(hardlink_in, TRY(link(at(out, "secret"), at(in, "hard"))))
ATTEMPT(rename_in, TRY(rename(at(out, "moved"), at(in, "moved"))))
ATTEMPT(rename_out, TRY(rename(at(in, "leaving"), at(out, "left"))))
ATTEMPT(chmod, TRY(chmod(at(out, "secret"), 0644)))
ATTEMPT(chmod_inside, TRY(chmod(at(in, "given"), 0644)))
ATTEMPT(fchmodat2, TRY(syscall(452, AT_FDCWD, at(out, "secret"), 0644, 0)))
ATTEMPT(chown, TRY(chown(at(out, "secret"), getuid(), getgid())))
ATTEMPT(utimes, TRY(utimensat(AT_FDCWD, at(out, "secret"), NULL, 0)))
ATTEMPT(setxattr, TRY(setxattr(at(out, "secret"), "user.probe", "x", 1, 0)))
ATTEMPT(mkfifo_inside, TRY(mkfifo(at(in, "fifo"), 0600)))
ATTEMPT(mknod_inside, TRY(mknod(at(in, "null"), S_IFCHR | 0600, 0x103)))
ATTEMPT(inherited_fd, TRY(fcntl(INHERITED_FD, F_GETFD)))

static int
try_read_symlink(void)
{
	if (symlink(at(out, "secret"), at(in, "soft")) != 0)
		return errno;
	return try_open(at(in, "soft"), O_RDONLY);
}

static int
try_read_proc_root(void)
{
	return try_open(at("/proc/self/root", at(out, "secret") + 1), O_RDONLY);
}

static int
victim_file(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)victim, name);
	return try_open(path, O_RDONLY);
}

ATTEMPT(victim_environ, victim_file("environ"))
ATTEMPT(victim_mem, victim_file("mem"))
ATTEMPT(victim_maps, victim_file("maps"))

static int
try_file_handle(void)
{
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u;
	int mount;

	u.h.handle_bytes = MAX_HANDLE_SZ;
	if (name_to_handle_at(AT_FDCWD, at(out, "secret"), &u.h, &mount, 0) != 0)
		return errno;
	return TRY(open_by_handle_at(AT_FDCWD, &u.h, O_RDONLY));
}

ATTEMPT(inotify, TRY(inotify_add_watch(inotify_init(), out, IN_ALL_EVENTS)))

static int
try_lease(void)
{
	int fd = open(at(in, "given"), O_RDONLY);

	return TRY(fcntl(fd, F_SETLEASE, F_RDLCK));
}

/* Sparse terabyte; SIGXFSZ would hide the errno. */
static int
try_huge_file(void)
{
	int fd = open(at(in, "huge"), O_RDWR | O_CREAT, 0600);

	signal(SIGXFSZ, SIG_IGN);
	return TRY(ftruncate(fd, (off_t)1 << 40));
}

/* Programs */
static int
run_file(const char *path)
{
	char *argv[] = {(char *)path, NULL}, *env[] = {NULL};

	execve(path, argv, env);
	return errno;
}

ATTEMPT(exec_planted, run_file(at(in, "planted")))
ATTEMPT(exec_outside, run_file(at(out, "planted")))

static int
try_exec_memfd(void)
{
	int from = open("/bin/true", O_RDONLY), fd = (int)syscall(SYS_memfd_create, "x", 0);
	char *argv[] = {(char *)"true", NULL}, *env[] = {NULL}, block[4096];
	ssize_t n;

	if (fd < 0)
		return errno;
	while ((n = read(from, block, sizeof(block))) > 0)
		if (write(fd, block, (size_t)n) != n)
			return EIO;
	syscall(SYS_execveat, fd, "", argv, env, AT_EMPTY_PATH);
	return errno;
}

static int
try_execveat(void)
{
	int fd = open("/bin/true", O_RDONLY);
	char *argv[] = {(char *)"true", NULL}, *env[] = {NULL};

	syscall(SYS_execveat, fd, "", argv, env, AT_EMPTY_PATH);
	return errno;
}

static int
try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? errno : (waitpid(pid, NULL, 0), 0);
}

static void *
thread(void *arg)
{
	return arg;
}

static int
try_thread(void)
{
	pthread_t t;
	int rc = pthread_create(&t, NULL, thread, NULL);

	if (rc == 0)
		pthread_join(t, NULL);
	return rc;
}

static int
raw_clone(unsigned long flags)
{
	long pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	return pid < 0 ? errno : 0;
}

ATTEMPT(clone_newuser, raw_clone(CLONE_NEWUSER))
ATTEMPT(clone_newnet, raw_clone(CLONE_NEWNET))
ATTEMPT(clone_parent, raw_clone(CLONE_PARENT))

static int
try_clone3(void)
{
	uint64_t args[11] = {[4] = SIGCHLD};
	long pid = syscall(SYS_clone3, args, 64);

	if (pid == 0)
		_exit(0);
	return pid < 0 ? errno : 0;
}

/* Other processes */
ATTEMPT(signal_self, TRY(kill(getpid(), 0)))
ATTEMPT(signal_victim, TRY(kill(victim, 0)))
ATTEMPT(tgkill_victim, TRY(syscall(SYS_tgkill, victim, victim, 0)))
ATTEMPT(ptrace, TRY(ptrace(PTRACE_SEIZE, victim, NULL, NULL)))
ATTEMPT(pidfd, TRY(syscall(SYS_pidfd_open, victim, 0)))
ATTEMPT(setpriority, TRY(setpriority(PRIO_PROCESS, (id_t)victim, 0)))
ATTEMPT(setsid, TRY(setsid()))
ATTEMPT(setpgid, TRY(setpgid(0, 0)))
ATTEMPT(alarm, TRY(syscall(SYS_alarm, 0)))
ATTEMPT(pdeathsig, TRY(prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0)))
ATTEMPT(subreaper, TRY(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)))

static int
try_process_vm(void)
{
	char byte;
	struct iovec here = {&byte, 1}, there = {&victim, 1};	/* the same image, another address space */

	if (syscall(SYS_process_vm_readv, victim, &here, 1, &there, 1, 0) >= 0 || errno == EFAULT)
		return 0;
	return errno;
}

static int
try_prlimit(void)
{
	struct rlimit r;

	return TRY(prlimit(victim, RLIMIT_NOFILE, NULL, &r));
}

static int
try_affinity(void)
{
	cpu_set_t set;

	sched_getaffinity(0, sizeof(set), &set);
	return TRY(sched_setaffinity(victim, sizeof(set), &set));
}

static int
try_setitimer(void)
{
	struct itimerval none = {{0, 0}, {0, 0}};

	return TRY(setitimer(ITIMER_REAL, &none, NULL));
}

static int
try_raise_limit(void)
{
	struct rlimit r = {2048, 2048};

	return TRY(setrlimit(RLIMIT_NOFILE, &r));
}

/* Sockets */
static int
inet(int type, int protocol, bool to_dns)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = to_dns ? htons(53) : 0,
		.sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, type, protocol);

	if (fd < 0)
		return errno;
	if (to_dns)
		return TRY(sendto(fd, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)));
	return TRY(bind(fd, (struct sockaddr *)&a, sizeof(a)));
}

ATTEMPT(tcp, inet(SOCK_STREAM, 0, false))
ATTEMPT(mptcp, inet(SOCK_STREAM, 262, false))
ATTEMPT(udp, inet(SOCK_DGRAM, 0, false))
ATTEMPT(dns, inet(SOCK_DGRAM, 0, true))
ATTEMPT(icmp, inet(SOCK_RAW, IPPROTO_ICMP, false))
ATTEMPT(tcp6, TRY(socket(AF_INET6, SOCK_STREAM, 0)))
ATTEMPT(netlink, TRY(socket(AF_NETLINK, SOCK_RAW, 0)))
ATTEMPT(packet, TRY(socket(AF_PACKET, SOCK_RAW, 0)))
ATTEMPT(vsock, TRY(socket(AF_VSOCK, SOCK_STREAM, 0)))

static struct sockaddr_un
unix_name(bool abstract, socklen_t *len)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	if (abstract)
		snprintf(a.sun_path + 1, sizeof(a.sun_path) - 1, "viv-probe-%d", (int)victim);
	else
		snprintf(a.sun_path, sizeof(a.sun_path), "%.100s", at(out, "s"));
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + abstract +
	    strlen(a.sun_path + abstract) + !abstract);
	return a;
}

static int
send_unix(int fd, bool abstract)
{
	socklen_t len;
	struct sockaddr_un a = unix_name(abstract, &len);

	return fd < 0 ? errno : TRY(sendto(fd, "x", 1, MSG_DONTWAIT, (struct sockaddr *)&a, len));
}

ATTEMPT(unix_path, send_unix(socket(AF_UNIX, SOCK_DGRAM, 0), false))
ATTEMPT(unix_abstract, send_unix(socket(AF_UNIX, SOCK_DGRAM, 0), true))

/* One half of a datagram pair can send to any name. */
static int
pair_sends(int type)
{
	int pair[2];

	return socketpair(AF_UNIX, type, 0, pair) != 0 ? errno : send_unix(pair[0], false);
}

ATTEMPT(unix_dgram_pair, pair_sends(SOCK_DGRAM))
ATTEMPT(unix_raw_pair, pair_sends(SOCK_RAW))

static int
try_stream_pair(void)
{
	int pair[2];

	return TRY(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
}

/* The rest of the kernel */
ATTEMPT(userfaultfd, TRY(syscall(SYS_userfaultfd, 0)))
ATTEMPT(add_key, TRY(syscall(SYS_add_key, "user", "probe", "x", 1, -2)))
ATTEMPT(keyctl, TRY(syscall(SYS_keyctl, 0, -2, 1)))
ATTEMPT(unshare_user, TRY(unshare(CLONE_NEWUSER)))
ATTEMPT(unshare_mount, TRY(unshare(CLONE_NEWNS)))
ATTEMPT(chroot, TRY(chroot(in)))
/* Each removes what it made. */
static int
made(long id, long remove_call)
{
	if (id < 0)
		return errno;
	if (remove_call == SYS_semctl)
		syscall(SYS_semctl, id, 0, IPC_RMID);
	else if (remove_call == SYS_mq_unlink)
		syscall(SYS_mq_unlink, "viv-probe");
	else
		syscall(remove_call, id, IPC_RMID, NULL);
	return 0;
}

ATTEMPT(shm, made(syscall(SYS_shmget, IPC_PRIVATE, 4096, 0600), SYS_shmctl))
ATTEMPT(sem, made(syscall(SYS_semget, IPC_PRIVATE, 1, 0600), SYS_semctl))
ATTEMPT(msg, made(syscall(SYS_msgget, IPC_PRIVATE, 0600), SYS_msgctl))
ATTEMPT(mqueue, made(syscall(SYS_mq_open, "viv-probe", O_RDWR | O_CREAT, 0600, NULL), SYS_mq_unlink))
ATTEMPT(memfd, TRY(syscall(SYS_memfd_create, "x", 0)))
ATTEMPT(personality, TRY(syscall(SYS_personality, 0xffffffff)))
ATTEMPT(setuid, TRY(syscall(SYS_setuid, getuid())))
ATTEMPT(setgroups, TRY(syscall(SYS_setgroups, 0, NULL)))
ATTEMPT(syslog, TRY(syscall(SYS_syslog, 10, NULL, 0)))
ATTEMPT(unknown_call, TRY(syscall(1023)))

static int
try_io_uring(void)
{
	char params[256] = {0};

	return TRY(syscall(SYS_io_uring_setup, 4, params));
}

static int
try_bpf(void)
{
	uint32_t attr[32] = {2, 4, 4, 1};	/* an array map of one int */

	return TRY(syscall(SYS_bpf, 0, attr, sizeof(attr)));
}

static int
try_perf(void)
{
	uint32_t attr[32] = {1, 128, 9};	/* software event: dummy */

	return TRY(syscall(SYS_perf_event_open, attr, 0, -1, -1, 0));
}

/* In a namespace of its own, so that the run without a sandbox leaves nothing. */
static int
try_mount(void)
{
	(void)unshare(CLONE_NEWNS);
	(void)mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return TRY(mount("none", in, "tmpfs", 0, NULL));
}

static int
try_adjtimex(void)
{
	struct timex t = {.modes = 0};

	return TRY(adjtimex(&t));
}

/* Not a terminal: the kernel itself would say ENOTTY. */
static int
try_tiocsti(void)
{
	int fd[2];

	return pipe(fd) != 0 ? errno : TRY(syscall(SYS_ioctl, fd[1], TIOCSTI, "x"));
}

static int
try_tiocsti_high(void)
{
	int fd[2];

	return pipe(fd) != 0 ? errno : TRY(syscall(SYS_ioctl, fd[1], 0x700000000UL | TIOCSTI, "x"));
}

static int
try_capabilities(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2];

	if (syscall(SYS_capget, &head, d) != 0)
		return errno;
	return (d[0].permitted | d[1].permitted | d[0].effective | d[1].effective) == 0 ? EPERM : 0;
}

ATTEMPT(new_privs, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ? 0 : EPERM)

#ifdef __x86_64__
/* getpid of the 32-bit table: another architecture by way of the same processor. */
static int
try_int80(void)
{
	long pid;

	__asm__ volatile("int $0x80" : "=a"(pid) : "a"(20L) : "memory");
	return pid > 0 ? 0 : (int)-pid;
}

ATTEMPT(x32, TRY(syscall(0x40000000 | SYS_getpid)))
#endif

/* an initialiser, which is formatted as if it were a function otherwise */
/* clang-format off */
#define ENTRY(name) {#name, try_##name}
/* clang-format on */

static const struct {
	const char *name;
	int (*fn)(void);
} attempt[] = {
	ENTRY(read_inside), ENTRY(write_inside), ENTRY(read_secret), ENTRY(read_dotdot),
	ENTRY(read_passwd), ENTRY(read_proc_self), ENTRY(list_outside), ENTRY(list_root),
	ENTRY(open_tty), ENTRY(write_outside), ENTRY(append_outside), ENTRY(tmpfile_outside),
	ENTRY(truncate_outside), ENTRY(unlink_outside), ENTRY(mkdir_outside), ENTRY(hardlink_in),
	ENTRY(rename_in), ENTRY(rename_out), ENTRY(chmod), ENTRY(chmod_inside), ENTRY(fchmodat2),
	ENTRY(chown), ENTRY(utimes), ENTRY(setxattr), ENTRY(mkfifo_inside), ENTRY(mknod_inside),
	ENTRY(inherited_fd), ENTRY(read_symlink), ENTRY(read_proc_root), ENTRY(victim_environ),
	ENTRY(victim_mem), ENTRY(victim_maps), ENTRY(file_handle), ENTRY(inotify), ENTRY(lease),
	ENTRY(huge_file), ENTRY(exec_planted), ENTRY(exec_outside), ENTRY(exec_memfd), ENTRY(execveat),
	ENTRY(fork), ENTRY(thread), ENTRY(clone_newuser), ENTRY(clone_newnet), ENTRY(clone_parent),
	ENTRY(clone3), ENTRY(signal_self), ENTRY(signal_victim), ENTRY(tgkill_victim), ENTRY(ptrace),
	ENTRY(pidfd), ENTRY(setpriority), ENTRY(setsid), ENTRY(setpgid), ENTRY(alarm),
	ENTRY(pdeathsig), ENTRY(subreaper), ENTRY(process_vm), ENTRY(prlimit), ENTRY(affinity),
	ENTRY(setitimer), ENTRY(raise_limit), ENTRY(tcp), ENTRY(mptcp), ENTRY(udp), ENTRY(dns),
	ENTRY(icmp), ENTRY(tcp6), ENTRY(netlink), ENTRY(packet), ENTRY(vsock), ENTRY(unix_path),
	ENTRY(unix_abstract), ENTRY(unix_dgram_pair), ENTRY(unix_raw_pair), ENTRY(stream_pair),
	ENTRY(userfaultfd), ENTRY(add_key), ENTRY(keyctl), ENTRY(unshare_user), ENTRY(unshare_mount),
	ENTRY(chroot), ENTRY(shm), ENTRY(sem), ENTRY(msg), ENTRY(mqueue), ENTRY(memfd),
	ENTRY(personality), ENTRY(setuid), ENTRY(setgroups), ENTRY(syslog), ENTRY(unknown_call),
	ENTRY(io_uring), ENTRY(bpf), ENTRY(perf), ENTRY(mount), ENTRY(adjtimex), ENTRY(tiocsti),
	ENTRY(tiocsti_high), ENTRY(capabilities), ENTRY(new_privs),
#ifdef __x86_64__
	ENTRY(int80), ENTRY(x32),
#endif
};

enum { ATTEMPTS = sizeof(attempt) / sizeof(attempt[0]) };

static void
report(const char *name, int error)
{
	printf("%s %s\n", name, error == 0 ? "open" : strerrorname_np(error));
	fflush(stdout);
}

static void
isolated(int i)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(attempt[i].fn());
	if (pid < 0) {
		report(attempt[i].name, errno);
		return;
	}
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		printf("%s SIG%s\n", attempt[i].name, sigabbrev_np(WTERMSIG(status)));
	else
		report(attempt[i].name, WEXITSTATUS(status));
}

/* The victim: receives what is sent to its sockets until it is killed. */
static int
serve(void)
{
	for (int abstract = 0; abstract < 2; abstract++) {
		int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
		socklen_t len;
		struct sockaddr_un a;

		victim = getpid();
		a = unix_name(abstract, &len);
		if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) != 0) {
			perror("bind");
			return 1;
		}
	}
	printf("%d\n", (int)getpid());
	fflush(stdout);
	for (;;)
		pause();
}

/* Children that no polite signal ends; with stay the parent stays as well. */
static int
swarm(int count, bool stay)
{
	for (int i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			signal(SIGTERM, SIG_IGN);
			signal(SIGHUP, SIG_IGN);
			signal(SIGALRM, SIG_IGN);
			for (;;)
				pause();
		}
		if (pid > 0)
			printf("%d\n", (int)pid);
	}
	printf("all\n");
	fflush(stdout);
	while (stay)
		pause();
	return 0;
}

int
main(int argc, char **argv)
{
	const char *one = NULL;

	if (argc == 1)
		return 0;		/* as the planted program */
	if (argc == 3 && strcmp(argv[1], "-s") == 0) {
		out = argv[2];
		return serve();
	}
	if (argc == 3 && strcmp(argv[1], "-b") == 0)
		return swarm(atoi(argv[2]), true);
	if (argc == 2 && strcmp(argv[1], "-l") == 0)
		return swarm(1, false);
	if (argc == 6 && strcmp(argv[1], "-1") == 0) {
		one = argv[2];
		argv += 2;
		argc -= 2;
	}
	if (argc != 4) {
		fprintf(stderr, "usage: probe [-1 NAME] OUT IN VICTIM | probe -s OUT | probe -b COUNT | probe -l\n");
		return 2;
	}
	out = argv[1];
	in = argv[2];
	victim = atoi(argv[3]);
	for (int i = 0; i < ATTEMPTS; i++)
		if (one == NULL)
			isolated(i);
		else if (strcmp(one, attempt[i].name) == 0)
			report(one, attempt[i].fn());
	return 0;
}
