/*
 * bpf: a table of system calls and answers, made into a seccomp program.
 *
 * Classic BPF can only jump forward, so the program is written from its end: whatever a
 * jump may lead to is there already. A place in the program ("label") is counted from
 * the end. The program, read forward:
 *
 *   another architecture or ABI?	-> foreign
 *   binary search for the number	over runs of numbers with the same answer
 *     run without conditions		-> its answer
 *     call with conditions		-> rule by rule, then otherwise
 *
 * Answers (RET) are shared where a jump reaches one. An argument is two 32-bit loads, so
 * a condition checks the upper half first; values of one argument that are all below
 * 2^32 share both loads.
 */
#include "bpf.h"

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

#define REACH 250	/* a conditional jump has 8 bits; near() may add two instructions */
#define NEVER 0		/* no label: every program has an instruction at its end */

struct prog {
	struct sock_filter *ins;	/* the last instruction first */
	size_t n;
	uint32_t otherwise;
};

/* A run of call numbers, to the next run's first. */
struct span {
	uint32_t first, action;
	size_t rule, n;		/* the rules, when the answer depends on arguments */
};

static size_t
emit(struct prog *p, unsigned code, uint32_t k, size_t jt, size_t jf)
{
	p->ins = mem_grow(p->ins, p->n + 1, sizeof(*p->ins));
	p->ins[p->n] = (struct sock_filter){(uint16_t)code, (uint8_t)(jt == NEVER ? 0 : p->n - jt),
	    (uint8_t)(jf == NEVER ? 0 : p->n - jf), k};
	return ++p->n;
}

static size_t
load(struct prog *p, size_t offset)
{
	return emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, NEVER, NEVER);
}

/* The label, or a jump to it that is near enough. */
static size_t
near(struct prog *p, size_t label)
{
	if (p->n - label <= REACH)
		return label;
	return emit(p, BPF_JMP | BPF_JA, (uint32_t)(p->n - label), NEVER, NEVER);
}

static size_t
branch(struct prog *p, unsigned op, uint32_t k, size_t yes, size_t no)
{
	yes = near(p, yes);
	no = near(p, no);
	return emit(p, BPF_JMP | op | BPF_K, k, yes, no);
}

static size_t
answer(struct prog *p, uint32_t action)
{
	for (size_t i = p->n; i > 0 && p->n - i < REACH; i--)
		if (p->ins[i - 1].code == (BPF_RET | BPF_K) && p->ins[i - 1].k == action)
			return i;
	return emit(p, BPF_RET | BPF_K, action, NEVER, NEVER);
}

/* --- arguments --- */

enum half { LOW, HIGH };

static size_t
load_half(struct prog *p, unsigned arg, enum half half)
{
	bool big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;

	return load(p, offsetof(struct seccomp_data, args) + 8 * arg +
	    ((half == HIGH) != big ? 4 : 0));
}

static size_t
compare_half(struct prog *p, const struct bpf_cond *c, enum half half, size_t yes, size_t no)
{
	uint32_t mask = (uint32_t)(half == HIGH ? c->mask >> 32 : c->mask);
	uint32_t value = (uint32_t)(half == HIGH ? c->value >> 32 : c->value);

	if (mask == 0)
		return yes;
	branch(p, BPF_JEQ, value, yes, no);
	if (mask != UINT32_MAX)
		emit(p, BPF_ALU | BPF_AND | BPF_K, mask, NEVER, NEVER);
	return load_half(p, c->arg, half);
}

/* Only "this argument is that value", which a list of values is made of. */
static bool
is_value(const struct bpf_rule *r)
{
	return r->n == 1 && r->cond[0].mask == UINT64_MAX && r->cond[0].value <= UINT32_MAX;
}

static bool
same_list(const struct bpf_rule *a, const struct bpf_rule *b)
{
	return is_value(a) && is_value(b) && a->action == b->action &&
	    a->cond[0].arg == b->cond[0].arg;
}

static size_t
list(struct prog *p, const struct bpf_rule *r, size_t n, size_t no)
{
	struct bpf_cond zero = {r->cond[0].arg, UINT64_MAX, 0};
	size_t yes = answer(p, r->action), at = no;

	while (n-- > 0)
		at = branch(p, BPF_JEQ, (uint32_t)r[n].cond[0].value, yes, at);
	at = load_half(p, zero.arg, LOW);
	return compare_half(p, &zero, HIGH, at, no);
}

static size_t
all_of(struct prog *p, const struct bpf_rule *r, size_t no)
{
	size_t at = answer(p, r->action);

	for (unsigned i = r->n; i-- > 0;) {
		at = compare_half(p, &r->cond[i], LOW, at, no);
		at = compare_half(p, &r->cond[i], HIGH, at, no);
	}
	return at;
}

static size_t
conditions(struct prog *p, const struct bpf_rule *r, size_t n)
{
	size_t at = answer(p, p->otherwise);

	while (n > 0) {
		size_t k = 1;

		while (k < n && same_list(&r[n - 1], &r[n - 1 - k]))
			k++;
		n -= k;
		at = is_value(&r[n]) ? list(p, &r[n], k, at) : all_of(p, &r[n], at);
	}
	return at;
}

/* --- numbers --- */

static size_t
search(struct prog *p, const struct bpf_rule *rule, const struct span *s, size_t n)
{
	size_t low, high;

	if (n == 1)
		return s->n > 0 ? conditions(p, rule + s->rule, s->n) : answer(p, s->action);
	high = search(p, rule, s + n / 2, n - n / 2);
	low = search(p, rule, s, n / 2);
	return branch(p, BPF_JGE, s[n / 2].first, high, low);
}

static size_t
add_span(struct span *s, size_t n, struct span new)
{
	if (n > 0 && s[n - 1].first == new.first)
		n--;
	if (n > 0 && s[n - 1].n == 0 && new.n == 0 && s[n - 1].action == new.action)
		return n;
	s[n] = new;
	return n + 1;
}

/* The runs that the sorted rules make; s has room for two a rule and one more. */
static size_t
spans(const struct bpf_table *t, struct span *s)
{
	size_t n = add_span(s, 0, (struct span){0, t->otherwise, 0, 0}), k;

	for (size_t i = 0; i < t->n; i += k) {
		const struct bpf_rule *r = &t->rule[i];

		for (k = 1; i + k < t->n && r[k].nr == r->nr; k++)
			;
		n = add_span(s, n, (struct span){r->nr, r->action, i, r->n > 0 ? k : 0});
		n = add_span(s, n, (struct span){r->nr + 1, t->otherwise, 0, 0});
	}
	return n;
}

void
bpf_add(struct bpf_table *t, const struct bpf_rule *r)
{
	size_t i = t->n;

	t->rule = mem_grow(t->rule, t->n + 1, sizeof(*t->rule));
	for (; i > 0 && t->rule[i - 1].nr > r->nr; i--)
		t->rule[i] = t->rule[i - 1];
	t->rule[i] = *r;
	t->n++;
}

struct sock_fprog
bpf_compile(struct bpf_table *t)
{
	struct span *s = mem_zero(2 * t->n + 1, sizeof(*s));
	struct prog p = {.otherwise = t->otherwise};
	struct sock_fprog out = {0};
	size_t foreign, at;

	foreign = answer(&p, t->foreign);
	at = search(&p, t->rule, s, spans(t, s));
	at = branch(&p, BPF_JGT, t->max_nr, foreign, at);
	at = load(&p, offsetof(struct seccomp_data, nr));
	branch(&p, BPF_JEQ, t->arch, at, foreign);
	load(&p, offsetof(struct seccomp_data, arch));
	free(s);
	for (size_t i = 0; i < p.n / 2; i++) {
		struct sock_filter swap = p.ins[i];

		p.ins[i] = p.ins[p.n - 1 - i];
		p.ins[p.n - 1 - i] = swap;
	}
	out.filter = p.ins;
	out.len = p.n <= BPF_MAXINSNS ? (unsigned short)p.n : 0;
	return out;
}
