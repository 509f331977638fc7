/*
 * filter_test: what the programs of bpf.c and filter.c answer, by running them.
 *
 * Random tables are compared with a plain reading of the table, rule by rule; the
 * sandbox's own filter with what its comments promise.
 */
#include "filter.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "bpf.h"

#define UPPER (UINT64_C(1) << 32)
#define NO (SECCOMP_RET_ERRNO | EPERM)
#define NONE (SECCOMP_RET_ERRNO | ENOSYS)
#define YES SECCOMP_RET_ALLOW
#define KILL SECCOMP_RET_KILL_PROCESS

enum { TABLES = 300, CALLS = 200 };

static int bad;

/* What the kernel would do. A program that leaves its own bounds ends the test. */
static uint32_t
answer_of(const struct sock_fprog *p, const struct seccomp_data *d)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < p->len; pc++) {
		const struct sock_filter *i = &p->filter[pc];

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)d + i->k, sizeof(a));
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			break;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= i->k ? i->jt : i->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += a > i->k ? i->jt : i->jf;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			break;
		}
	}
	puts("a program runs off its end");
	exit(1);
}

/* --- any table --- */

static uint32_t
plain_answer(const struct bpf_table *t, const struct seccomp_data *d)
{
	if (d->arch != t->arch || (uint32_t)d->nr > t->max_nr)
		return t->foreign;
	for (size_t i = 0; i < t->n; i++) {
		const struct bpf_rule *r = &t->rule[i];
		unsigned held = 0;

		for (unsigned k = 0; k < r->n; k++)
			held += (d->args[r->cond[k].arg] & r->cond[k].mask) == r->cond[k].value;
		if (r->nr == (uint32_t)d->nr && held == r->n)
			return r->action;
	}
	return t->otherwise;
}

static unsigned
pick(unsigned n)
{
	return (unsigned)random() % n;
}

static uint64_t
number(void)
{
	static const uint64_t some[] = {0, 1, 2, 3, UPPER, UPPER | 1, UINT32_MAX, UINT64_MAX};

	return some[pick(8)];
}

static void
random_table(struct bpf_table *t)
{
	static const uint32_t actions[] = {YES, NO, SECCOMP_RET_TRAP};
	static const uint64_t masks[] = {UINT64_MAX, UINT64_MAX, UINT32_MAX, 1, UPPER, 0};
	unsigned rules = pick(600);

	*t = (struct bpf_table){
	    .arch = 7, .max_nr = CALLS, .otherwise = NONE, .foreign = KILL};
	for (unsigned i = 0; i < rules; i++) {
		struct bpf_rule r = {.nr = pick(CALLS), .action = actions[pick(3)]};

		r.n = pick(2) != 0 ? 0 : pick(BPF_CONDS + 1);
		for (unsigned k = 0; k < r.n; k++) {
			uint64_t mask = masks[pick(6)];

			r.cond[k] = (struct bpf_cond){pick(6), mask, number() & mask};
		}
		bpf_add(t, &r);
	}
}

static void
try_table(unsigned seed)
{
	struct bpf_table t;
	struct sock_fprog p;

	srandom(seed);
	random_table(&t);
	p = bpf_compile(&t);
	for (unsigned i = 0; i < CALLS * 20; i++) {
		struct seccomp_data d = {
		    .nr = (int)(i % (CALLS + 3)), .arch = pick(50) == 0 ? 8 : 7};

		for (unsigned k = 0; k < 6; k++)
			d.args[k] = number();
		if (answer_of(&p, &d) != plain_answer(&t, &d) && bad++ < 5)
			printf("table %u: call %d has another answer\n", seed, d.nr);
	}
	free(p.filter);
	free(t.rule);
}

/* --- the sandbox's --- */

static void
want(unsigned flags, uint32_t expected, long nr, uint64_t a, uint64_t b)
{
	struct seccomp_data d = {.nr = (int)nr, .arch = seccomp_arch_native(), .args = {a, b}};
	uint32_t got = answer_of(filter_get(flags), &d);

	if (got != expected && bad++ < 20)
		printf("flags %u: call %ld (%#llx, %#llx): %#x, not %#x\n", flags, nr,
		    (unsigned long long)a, (unsigned long long)b, got, expected);
}

static void
try_always(unsigned flags)
{
	struct seccomp_data d = {.nr = SYS_read, .arch = AUDIT_ARCH_M68K};

	want(flags, YES, SYS_read, UINT64_MAX, UINT64_MAX);
	want(flags, YES, SYS_exit_group, 0, 0);
	want(flags, YES, SYS_openat, 0, 0);
	want(flags, NO, SYS_ptrace, 0, 0);
	want(flags, NO, SYS_setsid, 0, 0);
	want(flags, NO, SYS_io_uring_setup, 0, 0);
	want(flags, NO, SYS_fchmodat, 0, 0);
	want(flags, NONE, SYS_clone3, 0, 0);
	want(flags, NONE, 100000, 0, 0);
	want(flags, YES, SYS_ioctl, 0, TIOCGWINSZ);
	want(flags, NONE, SYS_ioctl, 0, TIOCGWINSZ | UPPER);
	want(flags, NO, SYS_ioctl, 0, TIOCSTI);
	want(flags, NO, SYS_ioctl, 0, TIOCSTI | UPPER);
	want(flags, NO, SYS_ioctl, 0, TIOCLINUX);
	want(flags, YES, SYS_fcntl, 0, F_SETFD);
	want(flags, NONE, SYS_fcntl, 0, F_SETOWN);
	want(flags, NONE, SYS_fcntl, 0, F_SETFD | UPPER);
	want(flags, YES, SYS_prlimit64, 0, 0);
	want(flags, NO, SYS_prlimit64, 1, 0);
	want(flags, NO, SYS_prlimit64, UPPER, 0);
	want(flags, YES, SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC);
	want(flags, NONE, SYS_socketpair, AF_UNIX, SOCK_DGRAM);
	want(flags, NONE, SYS_socketpair, AF_INET, SOCK_STREAM);
	want(flags, NO, SYS_clone, CLONE_NEWUSER | CLONE_THREAD, 0);
	want(flags, NO, SYS_clone, CLONE_PARENT | CLONE_THREAD, 0);
	want(flags, YES, SYS_clone, CLONE_VM | CLONE_THREAD, 0);
	if (answer_of(filter_get(flags), &d) != KILL && bad++ < 20)
		puts("a call of another architecture is not killed");
#ifdef __x86_64__
	want(flags, KILL, 0x40000000 | SYS_read, 0, 0);
#endif
}

static void
try_filter(unsigned flags)
{
	uint32_t fork = flags & FILTER_FORK ? YES : NO, net = flags & FILTER_NET ? YES : NO;
	uint32_t scoped = flags & FILTER_SCOPED ? YES : NO;

	try_always(flags);
	want(flags, fork, SYS_clone, CLONE_VM | CLONE_VFORK, 0);
#ifdef SYS_fork
	want(flags, fork, SYS_fork, 0, 0);
#endif
	want(flags, net, SYS_connect, 0, 0);
	want(flags, net, SYS_socket, AF_INET6, SOCK_STREAM);
	want(flags, flags & FILTER_NET ? NONE : NO, SYS_socket, AF_UNIX, SOCK_STREAM);
	want(flags, flags & FILTER_NET ? NONE : NO, SYS_socket, AF_NETLINK, SOCK_RAW);
	want(flags, scoped, SYS_kill, 1, 0);
	want(flags, YES, SYS_kill, 0, 0);
	want(flags, scoped, SYS_tgkill, 0, 0);
}

int
main(void)
{
	for (unsigned seed = 0; seed < TABLES; seed++)
		try_table(seed);
	for (unsigned flags = 0; flags < FILTER_FLAGS; flags++)
		try_filter(flags);
	if (bad == 0)
		puts("ok");
	return bad != 0;
}
