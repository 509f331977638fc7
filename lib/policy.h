/*
 * policy: which programs a local command may run, with which flags. Default deny.
 * Pure but for policy_load: a command text goes in, an argv or a reason comes out.
 * The kernel sandbox is the boundary; this is the courtesy before it.
 */
#ifndef VIV_POLICY_H
#define VIV_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "err.h"
#include "world.h"

struct policy;

/* meta/security/policy.json of the world, else share/policy.json (w NULL: that
 * one); -VIV_CONFIG when it is damaged or a rule is malformed. */
int policy_load(struct policy **out, const struct world *w, struct err *e);
int policy_parse(struct policy **out, const char *text, size_t n, const char *name, struct err *e);
void policy_free(struct policy *p);

/* Settings of the file, with defaults. Lists are NULL-terminated and live in p. */
const char *const *policy_read_roots(
    const struct policy *p); /* absolute directories tasks may read */
int policy_floor(const struct policy *p);			/* least Landlock ABI (1) */
long long policy_max_output(const struct policy *p); /* bytes kept of each stream (65536) */

/* An allowed command. */
struct policy_argv {
	char *path;		/* resolved program, absolute, no symlink left */
	char **argv;		/* NULL-terminated, argv[0] the bare name */
	int argc;
	bool fork;		/* the rule lets it start processes */
};
void policy_argv_free(struct policy_argv *a);

/*
 * Split text by POSIX word rules (quotes and backslash; operators, expansions,
 * globs outside quotes and assignments are refused), match it with the rules,
 * resolve the program in the fixed directories. 0, or -VIV_REFUSED with the reason
 * ("'sh' is not an allowed program"), -VIV_NOTFOUND when allowed but not installed.
 */
int policy_check(const struct policy *p, const char *text, struct policy_argv *out, struct err *e);

/* The splitter alone: 0 and a NULL-terminated argv the caller frees (each word and
 * the vector, policy_words_free), or -VIV_REFUSED. */
int policy_words(const char *text, char ***argv_out, int *argc_out, struct err *e);
void policy_words_free(char **argv);

/*
 * Is dir (absolute, any spelling) inside a read root and outside the world? 0 and
 * the resolved path (caller frees), or -VIV_REFUSED.
 */
int policy_workdir(const struct policy *p, const struct world *w, const char *dir, char **out,
    struct err *e);

/* Run every rule's examples: calls report for each, returns how many disagree. */
int policy_examples(const struct policy *p,
    void (*report)(const char *program, const char *example, bool want, bool got, const char *why,
	void *arg), void *arg);

/* Append what is allowed, a paragraph a program, for people. */
void policy_describe(const struct policy *p, struct buf *out);

#endif
