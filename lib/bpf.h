/* bpf: a table of system calls and answers, made into a seccomp program. */
#ifndef VIV_BPF_H
#define VIV_BPF_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

enum { BPF_CONDS = 2 };

/* Argument number arg, 64 bits of it, equals value in the bits of mask. */
struct bpf_cond {
	unsigned arg;
	uint64_t mask, value;
};

/* The answer (SECCOMP_RET_*) to call number nr when all n conditions hold. */
struct bpf_rule {
	uint32_t nr, action;
	unsigned n;
	struct bpf_cond cond[BPF_CONDS];
};

struct bpf_table {
	struct bpf_rule *rule;
	size_t n;
	uint32_t arch, max_nr;	/* AUDIT_ARCH_*; a greater number is another ABI's */
	uint32_t otherwise, foreign;	/* answer to what no rule matches; to another ABI */
};

/* Adds a rule; of several for one call the first that holds counts. */
void bpf_add(struct bpf_table *t, const struct bpf_rule *r);

/* The program; the caller frees .filter. Sorts the table's rules, stably. .len is 0
 * when it would be longer than the kernel takes (4,096 instructions). */
struct sock_fprog bpf_compile(struct bpf_table *t);

#endif
