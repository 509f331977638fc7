/*
 * rule: one program of the policy: its flags, positional words and subcommands.
 * (policy.c has the file round them; viv-guard(1) describes the format.)
 */
#ifndef VIV_RULE_H
#define VIV_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <cjson/cJSON.h>

#include "buf.h"
#include "err.h"

enum rule_style {
	RULE_GNU,		/* getopt_long: clusters, --flag=value, -- */
	RULE_FIND,		/* find: -word is a predicate, never a cluster */
	RULE_FREE		/* every word is text (echo) */
};

struct rule_flag {
	char *name;		/* "-n", "--lines", "-#" (any -NUMBER), find: "-name" */
	int values;		/* words that follow: 0, 1, 2 */
	bool optional;		/* one value, and only attached */
	char *match;		/* NULL: any value (see match_ok in rule.c) */
};

struct rule {
	char *name;
	enum rule_style style;
	struct rule_flag *flags;
	size_t nflags;
	char **insert;		/* words put before the user's own, NULL-terminated, or NULL */
	int min, max;		/* positional words; max -1: any number */
	char *match;		/* what each must match, NULL: anything */
	struct rule *sub;	/* subcommands; then the first positional word names one */
	size_t nsub;
	bool fork;
	char **pass, **refuse;	/* examples, NULL-terminated, or NULL */
};

/* Fill *r from JSON: 0, or -VIV_CONFIG naming rule and member. rule_free also after
 * a failure. */
int rule_read(struct rule *r, const cJSON *obj, struct err *e);
void rule_free(struct rule *r);

/* A NULL-terminated copy of an array of strings; absent: NULL and 0. */
int rule_strings(char ***out, const cJSON *obj, const char *name, struct err *e);
void rule_strings_free(char **list);

/* 0, or -VIV_CONFIG when obj has a member that is not in the NULL-terminated list. */
int rule_members(const cJSON *obj, const char *const *known, const char *what, struct err *e);

/* Do these words (argv[0] is the name) obey the rule? 0 and the vector to run, which
 * has the rule's own words inserted (words_free frees), or -VIV_REFUSED. */
int rule_match(const struct rule *r, char **argv, int argc, char ***out, int *argc_out,
    struct err *e);

const struct rule_flag *rule_flag_find(const struct rule *r, const char *name, size_t len);

/* Append what the rule allows, for people, wrapped at 80 columns. */
void rule_describe(const struct rule *r, struct buf *out);

#endif
