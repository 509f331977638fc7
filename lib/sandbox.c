/*
 * sandbox: the kernel boundary round one command.
 *
 * Four layers, each of which holds when the others fail, and for root too:
 *   Landlock	which files may be read, written, executed; TCP; signals and abstract
 *		sockets out of the command's own family (landlock.c)
 *   seccomp	which system calls exist at all (filter.c)
 *   no rights	no_new_privs, an empty capability set, no descriptor above 2
 *   limits	memory, CPU, file size, processes, descriptors, no core files
 * Landlock sees paths but no attributes, datagrams or IPC; seccomp sees calls but no
 * paths: neither is enough alone.
 *
 * Executable are the system's own directories and nothing else, so a file that a
 * command wrote can be run only by an interpreter that is already inside; /proc is
 * not granted, because another process's environ and fd are files there.
 *
 * A grant covers all below it and cannot be narrowed. A root that is the world, or
 * an ancestor of it by device and inode (whatever path or bind mount names it), is
 * therefore refused. A root is checked and granted by the same descriptor, so nothing
 * can be exchanged in between; only those of the system's own directories and devices
 * are kept open from one command to the next.
 *
 * sandbox_enter runs in a vforked child that shares our memory: it makes system
 * calls and writes nothing but its own stack.
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "filter.h"
#include "landlock.h"

enum { LIMITS = 7, ANCESTORS = 128 };

struct sandbox {
	int ruleset;		/* -1: no Landlock */
	const struct sock_fprog *filter;
	struct {
		__rlimit_resource_t which;
		struct rlimit value;
	} limit[LIMITS];
};

/* What every command may see. Absent ones are skipped. */
static const struct {
	const char *path;
	enum landlock_grant grant;
} system_path[] = {
    {"/usr", LANDLOCK_PROGRAMS},
    {"/bin", LANDLOCK_PROGRAMS},
    {"/sbin", LANDLOCK_PROGRAMS},
    {"/lib", LANDLOCK_PROGRAMS},
    {"/lib64", LANDLOCK_PROGRAMS},
    {"/etc/ld.so.cache", LANDLOCK_READ},
    {"/etc/ld.so.conf", LANDLOCK_READ},
    {"/etc/ld.so.conf.d", LANDLOCK_READ},
    {"/etc/alternatives", LANDLOCK_READ},
    {"/etc/localtime", LANDLOCK_READ},
    {"/dev/null", LANDLOCK_DEVICE},
    {"/dev/zero", LANDLOCK_DEVICE},
    {"/dev/full", LANDLOCK_DEVICE},
    {"/dev/urandom", LANDLOCK_READ},
    {"/dev/random", LANDLOCK_READ},
};

/* What a name lookup and TLS read. */
static const char *const net_path[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf",
    "/etc/services", "/etc/gai.conf", "/etc/host.conf", "/etc/ssl/certs", "/etc/ssl/openssl.cnf"};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

void
sandbox_probe(struct sandbox_layers *out)
{
	uint32_t kill = SECCOMP_RET_KILL_PROCESS;

	out->landlock_abi = landlock_abi();
	out->seccomp = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &kill) == 0;
	out->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) >= 0;
}

int
sandbox_check(const struct sandbox_layers *l, int floor, struct err *e)
{
	if (floor < 1)
		floor = 1;
	if (l->landlock_abi == 0)
		return err_set(
		    e, VIV_REFUSED, "no sandbox: this kernel or its configuration has no Landlock");
	if (l->landlock_abi < floor)
		return err_set(e, VIV_REFUSED, "no sandbox: Landlock has ABI %d, the floor is %d",
		    l->landlock_abi, floor);
	if (!l->seccomp)
		return err_set(e, VIV_REFUSED, "no sandbox: seccomp filters are not available");
	if (!l->no_new_privs)
		return err_set(e, VIV_REFUSED, "no sandbox: no_new_privs is not available");
	return 0;
}

/* Device and inode of a directory and of each of its ancestors. */
struct chain {
	struct {
		dev_t dev;
		ino_t ino;
	} at[ANCESTORS];
	size_t n;
};

static int
chain_of(struct chain *c, const char *dir, struct err *e)
{
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), up;
	struct stat st;

	for (c->n = 0; fd >= 0 && fstat(fd, &st) == 0; fd = up) {
		if (c->n > 0 && c->at[c->n - 1].dev == st.st_dev &&
		    c->at[c->n - 1].ino == st.st_ino) {
			close(fd);
			return 0;
		}
		if (c->n == ANCESTORS)
			errno = ENAMETOOLONG;
		if (c->n == ANCESTORS)
			break;
		c->at[c->n].dev = st.st_dev;
		c->at[c->n++].ino = st.st_ino;
		up = openat(fd, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(fd);
	}
	if (fd >= 0)
		close(fd);
	return err_sys(e, VIV_REFUSED, "cannot follow '%s' up to the root", dir);
}

static bool
chain_has(const struct chain *c, const struct stat *st)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->at[i].dev == st->st_dev && c->at[i].ino == st->st_ino)
			return true;
	return false;
}

/* Grant what is open there. */
static int
grant_fd(int ruleset, int abi, int fd, const char *path, enum landlock_grant g,
    const struct chain *forbidden, bool system, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_sys(e, VIV_IO, "cannot examine '%s'", path);
	if (chain_has(forbidden, &st))
		return err_set(e, VIV_REFUSED,
		    "'%s' contains the world, and a grant covers all below it", path);
	if (g == LANDLOCK_WRITE && !S_ISDIR(st.st_mode))
		return err_set(e, VIV_REFUSED, "'%s' is not a directory", path);
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode) && !system)
		return err_set(e, VIV_REFUSED, "'%s' is neither a directory nor a file", path);
	if (landlock_allow(ruleset, abi, fd, S_ISDIR(st.st_mode), g) != 0)
		return err_sys(e, VIV_IO, "cannot grant '%s'", path);
	return 0;
}

static int
grant(int ruleset, int abi, const char *path, enum landlock_grant g, const struct chain *forbidden,
    struct err *e)
{
	int fd = open(path, O_PATH | O_CLOEXEC), rc;

	if (fd < 0)
		return err_sys(e, VIV_REFUSED, "cannot open '%s'", path);
	rc = grant_fd(ruleset, abi, fd, path, g, forbidden, false, e);
	close(fd);
	return rc;
}

/* A path that this system may lack. kept: a descriptor that stays open for the next
 * command, 0 when there is none yet, or NULL. Files are opened anew, since an update
 * replaces them; the system's directories and devices stay what they are. */
static int
grant_system(int ruleset, int abi, const char *path, enum landlock_grant g,
    const struct chain *forbidden, int *kept, struct err *e)
{
	bool open_already = kept != NULL && *kept > 0;
	int fd = open_already ? *kept : open(path, O_PATH | O_CLOEXEC), rc;
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
		return 0;
	if (fd < 0)
		return err_sys(e, VIV_REFUSED, "cannot open '%s'", path);
	rc = grant_fd(ruleset, abi, fd, path, g, forbidden, true, e);
	if (open_already)
		return rc;
	if (kept != NULL && fd > 0 && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
		*kept = fd;
	else
		close(fd);
	return rc;
}

static int
grant_list(int ruleset, int abi, const char *const *path, enum landlock_grant g,
    const struct chain *forbidden, struct err *e)
{
	int rc = 0;

	for (; path != NULL && *path != NULL && rc == 0; path++)
		rc = grant(ruleset, abi, *path, g, forbidden, e);
	return rc;
}

static int
grant_all(int ruleset, int abi, const struct sandbox_spec *spec, struct err *e)
{
	static int kept[COUNT(system_path)];
	struct chain forbidden = {.n = 0};
	int rc = 0;

	if (spec->forbid != NULL)
		rc = chain_of(&forbidden, spec->forbid, e);
	for (size_t i = 0; i < COUNT(system_path) && rc == 0; i++)
		rc = grant_system(ruleset, abi, system_path[i].path, system_path[i].grant,
		    &forbidden, &kept[i], e);
	for (size_t i = 0; i < COUNT(net_path) && spec->net && rc == 0; i++)
		rc = grant_system(ruleset, abi, net_path[i], LANDLOCK_READ, &forbidden, NULL, e);
	if (rc == 0)
		rc = grant_list(ruleset, abi, spec->read, LANDLOCK_READ, &forbidden, e);
	if (rc == 0)
		rc = grant_list(ruleset, abi, spec->write, LANDLOCK_WRITE, &forbidden, e);
	if (rc == 0 && spec->scratch != NULL)
		rc = grant(ruleset, abi, spec->scratch, LANDLOCK_WRITE, &forbidden, e);
	return rc;
}

/* Soft and hard limit, never above what we have ourselves. */
static void
set_limit(struct sandbox *s, int i, __rlimit_resource_t which, long long given, long long dflt)
{
	rlim_t want = (rlim_t)(given > 0 ? given : dflt);
	struct rlimit have;

	if (getrlimit(which, &have) == 0 && have.rlim_max < want)
		want = have.rlim_max;
	s->limit[i].which = which;
	s->limit[i].value = (struct rlimit){want, want};
}

int
sandbox_prepare(struct sandbox **out, const struct sandbox_spec *spec, struct err *e)
{
	struct sandbox_layers l;
	struct sandbox *s;
	unsigned flags;
	int rc;

	sandbox_probe(&l);
	if ((rc = sandbox_check(&l, spec->floor, e)) != 0)
		return rc;
	s = mem_zero(1, sizeof(*s));
	flags = (spec->fork ? FILTER_FORK : 0) | (spec->net ? FILTER_NET : 0) |
	    (l.landlock_abi >= LANDLOCK_ABI_SCOPE ? FILTER_SCOPED : 0);
	s->filter = filter_get(flags);
	s->ruleset = landlock_new(l.landlock_abi, spec->net);
	if (s->ruleset < 0)
		rc = err_sys(e, VIV_REFUSED, "no sandbox: cannot make a Landlock ruleset");
	else
		rc = grant_all(s->ruleset, l.landlock_abi, spec, e);
	if (rc != 0) {
		sandbox_free(s);
		return rc;
	}
	set_limit(s, 0, RLIMIT_AS, spec->max_memory, 4LL << 30);
	set_limit(s, 1, RLIMIT_FSIZE, spec->max_file, 1LL << 30);
	set_limit(s, 2, RLIMIT_CPU, spec->max_cpu_s, 3600);
	set_limit(s, 3, RLIMIT_NPROC, spec->max_procs, 4096);
	set_limit(s, 4, RLIMIT_NOFILE, spec->max_files, 256);
	set_limit(s, 5, RLIMIT_CORE, 0, 0);
	set_limit(s, 6, RLIMIT_MSGQUEUE, 0, 0);
	*out = s;
	return 0;
}

void
sandbox_free(struct sandbox *s)
{
	if (s == NULL)
		return;
	if (s->ruleset >= 0)
		close(s->ruleset);
	free(s);
}

static int
close_others(int keep_fd)
{
	if (keep_fd < 3)
		return (int)syscall(SYS_close_range, 3U, ~0U, 0U);
	if (keep_fd > 3 && syscall(SYS_close_range, 3U, (unsigned)keep_fd - 1, 0U) != 0)
		return -1;
	return (int)syscall(SYS_close_range, (unsigned)keep_fd + 1, ~0U, 0U);
}

/* Not instrumented: the stack and the shadow memory belong to the suspended parent. */
__attribute__((no_sanitize("address", "undefined"))) int
sandbox_enter(const struct sandbox *s, int keep_fd, const char **step_out)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};

	umask(077);
	*step_out = "limits";
	for (int i = 0; i < LIMITS; i++)
		if (setrlimit(s->limit[i].which, &s->limit[i].value) != 0)
			return errno;
	*step_out = "no_new_privs";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return errno;
	/* no_new_privs also keeps exec from giving an ordinary root's capabilities back */
	*step_out = "capabilities";
	if (syscall(SYS_capset, &head, none) != 0)
		return errno;
	*step_out = "Landlock";
	if (landlock_enter(s->ruleset) != 0)
		return errno;
	*step_out = "closing descriptors";
	if (close_others(keep_fd) != 0)
		return errno;
	*step_out = "seccomp";
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, s->filter, 0, 0) != 0)
		return errno;
	return 0;
}

/* Settings by which a repository could make git run programs, pinned from outside.
 * Filters and diff drivers have names of the repository's choice and cannot be. */
static const char *const git_pin[][2] = {
	{"core.hooksPath", "/dev/null"}, {"core.fsmonitor", "false"}, {"core.pager", "cat"},
	{"core.editor", "false"}, {"sequence.editor", "false"}, {"core.sshCommand", "false"},
	{"core.askPass", "false"}, {"credential.helper", ""}, {"protocol.allow", "never"},
	{"gpg.program", "false"}, {"log.showSignature", "false"}, {"submodule.recurse", "false"},
	{"gc.auto", "0"}, {"maintenance.auto", "false"}, {"safe.directory", "*"},
};

static const char *const plain_env[] = {
	("PATH=" SANDBOX_PATH), "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "PAGER=cat", "GIT_PAGER=cat",
	"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_ATTR_NOSYSTEM=1",
	"GIT_TERMINAL_PROMPT=0", "GIT_OPTIONAL_LOCKS=0", "GIT_EDITOR=false", "GIT_ASKPASS=false",
	"GIT_ALLOW_PROTOCOL=",
};

/* A zone's name, not a path to some file. */
static bool
zone_ok(const char *tz)
{
	static const char ok[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/,.<>";

	return tz != NULL && *tz != '\0' && *tz != '/' && strspn(tz, ok) == strlen(tz) &&
	    strlen(tz) < 64 && strstr(tz, "..") == NULL;
}

char **
sandbox_env(const struct sandbox_spec *spec)
{
	const char *tz = getenv("TZ");
	char **env = mem_zero(COUNT(plain_env) + 2 * COUNT(git_pin) + 5, sizeof(*env));
	size_t n = 0;

	for (size_t i = 0; i < COUNT(plain_env); i++)
		env[n++] = mem_dup(plain_env[i]);
	env[n++] = mem_fmt("HOME=%s", spec->scratch != NULL ? spec->scratch : "/nonexistent");
	if (spec->scratch != NULL)
		env[n++] = mem_fmt("TMPDIR=%s", spec->scratch);
	if (zone_ok(tz))
		env[n++] = mem_fmt("TZ=%s", tz);
	env[n++] = mem_fmt("GIT_CONFIG_COUNT=%zu", COUNT(git_pin));
	for (size_t i = 0; i < COUNT(git_pin); i++) {
		env[n++] = mem_fmt("GIT_CONFIG_KEY_%zu=%s", i, git_pin[i][0]);
		env[n++] = mem_fmt("GIT_CONFIG_VALUE_%zu=%s", i, git_pin[i][1]);
	}
	return env;
}

void
sandbox_env_free(char **env)
{
	for (size_t i = 0; env != NULL && env[i] != NULL; i++)
		free(env[i]);
	free(env);
}

static void
explain_paths(struct buf *out, const char *what, const char *const *path, const char *scratch)
{
	for (; path != NULL && *path != NULL; path++)
		buf_fmt(out, "holds: %s below '%s'\n", what, *path);
	if (scratch != NULL)
		buf_fmt(out, "holds: %s below '%s'\n", what, scratch);
}

void
sandbox_explain(struct buf *out, const struct sandbox_spec *spec, const struct sandbox_layers *l)
{
	int abi = l->landlock_abi;
	const char *fs = abi >= LANDLOCK_ABI_FS ? "holds" : "open";
	const char *calls = l->seccomp ? "holds" : "open";

	explain_paths(out, "may read", spec->read, NULL);
	explain_paths(out, "may read and write", spec->write, spec->scratch);
	buf_fmt(out,
	    "%s: reads no other file but the system's programs, libraries and a few devices "
	    "(Landlock)\n",
	    fs);
	buf_fmt(out, "%s: writes nowhere else (Landlock)\n", fs);
	buf_fmt(out, "%s: truncates nothing elsewhere (Landlock ABI 3)\n",
	    abi >= LANDLOCK_ABI_TRUNCATE ? "holds" : "open");
	buf_fmt(out, "%s: executes only programs of the system (Landlock)\n", fs);
	buf_fmt(
	    out, "%s: changes no mode, owner, time or attribute of any file (seccomp)\n", calls);
	if (spec->net)
		buf_str(out, "open: internet sockets of every kind are allowed, as asked\n");
	else
		buf_fmt(out, "%s: no network, no socket but local stream pairs (seccomp)\n", calls);
	buf_fmt(out, "%s: signals reach its own processes only (%s)\n", calls,
	    abi >= LANDLOCK_ABI_SCOPE ? "Landlock ABI 6" : "seccomp: its own group only");
	buf_fmt(
	    out, "%s: stays in its process group, which is killed as a whole (seccomp)\n", calls);
	buf_fmt(out, "%s: %s (seccomp)\n", calls,
	    spec->fork ? "starts processes, up to the limit" : "starts no process");
	buf_fmt(out, "%s: no tracing, mounts, namespaces, keys, bpf, io_uring, userfaultfd, memory "
	    "files, System V IPC or message queues (seccomp)\n", calls);
	buf_fmt(out, "%s: no rights from set-user-ID programs, no capabilities\n",
	    l->no_new_privs ? "holds" : "open");
	buf_fmt(
	    out, "holds: clean environment; no descriptor but standard input, output and error\n");
	buf_fmt(out,
	    "holds: at most %lld bytes of memory a process and %lld a file, %ld s of CPU, "
	    "%ld descriptors\n",
	    spec->max_memory > 0 ? spec->max_memory : 4LL << 30,
	    spec->max_file > 0 ? spec->max_file : 1LL << 30,
	    spec->max_cpu_s > 0 ? spec->max_cpu_s : 3600,
	    spec->max_files > 0 ? spec->max_files : 256);
	buf_str(out, "open: names, sizes and times of files elsewhere can be asked for (stat)\n");
	buf_str(out, "open: interpreters run what they can read; the same rules hold for it\n");
	buf_str(out, "open: the number of files and the space they take in all\n");
}
