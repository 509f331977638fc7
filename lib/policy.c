/*
 * policy: the file of rules and what it says about one command.
 *
 * A command text becomes words (words.c), the first word names a rule exactly, the
 * rule accepts or refuses the rest (rule.c), and the name is resolved in the policy's
 * own directories, never in $PATH: the file found must lie, with all links followed,
 * below a system directory, so that a program planted in a readable tree is not run
 * even if a directory of the list should be a link.
 *
 * Everything refused is refused before anything is started. What passes still runs
 * inside the kernel sandbox, which alone decides what may be read or written: rules do
 * not look at paths.
 */
#include "policy.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "file.h"
#include "json.h"
#include "rule.h"
#include "utf8.h"
#include "words.h"

enum { POLICY_FILE_MAX = 1024 * 1024 };	/* bytes */

struct policy {
	struct rule *rules;
	size_t n;
	char **read, **path;
	int floor;
	long long max_output;
};

static int
read_rules(struct policy *p, const cJSON *root, struct err *e)
{
	const cJSON *list = json_get(root, "programs");
	const cJSON *item;
	int rc = 0;

	if (!cJSON_IsArray(list))
		return err_set(e, VIV_CONFIG, "'programs' is no list");
	p->rules = mem_zero((size_t)cJSON_GetArraySize(list) + 1, sizeof(*p->rules));
	cJSON_ArrayForEach(item, list) {
		rc = rule_read(&p->rules[p->n++], item, e);
		if (rc != 0)
			return rc;
		for (size_t i = 0; i + 1 < p->n; i++)
			if (strcmp(p->rules[i].name, p->rules[p->n - 1].name) == 0)
				return err_set(
				    e, VIV_CONFIG, "two rules for '%s'", p->rules[i].name);
	}
	return rc;
}

static int
read_dirs(char ***out, const cJSON *root, const char *name, struct err *e)
{
	int rc = rule_strings(out, root, name, e);

	for (char **d = *out; rc == 0 && d != NULL && *d != NULL; d++)
		if (**d != '/')
			rc = err_set(e, VIV_CONFIG, "'%s' of '%s' is no absolute path", *d, name);
	return rc;
}

static int
read_number(long long *out, const cJSON *root, const char *name, long long dflt, long long min,
    long long max, struct err *e)
{
	const cJSON *v = json_get(root, name);

	*out = dflt;
	if (v == NULL)
		return 0;
	if (!cJSON_IsNumber(v) || v->valuedouble < (double)min || v->valuedouble > (double)max)
		return err_set(
		    e, VIV_CONFIG, "'%s' is no number from %lld to %lld", name, min, max);
	*out = (long long)v->valuedouble;
	return 0;
}

static int
read_policy(struct policy *p, const cJSON *root, struct err *e)
{
	static const char *const known[] = {"version", "floor", "max_output", "read", "path",
		"programs", NULL};
	long long version, floor;
	int rc;

	if (!cJSON_IsObject(root))
		return err_set(e, VIV_CONFIG, "not a JSON object");
	if ((rc = rule_members(root, known, "the policy", e)) != 0 ||
	    (rc = read_number(&version, root, "version", 0, 1, 1, e)) != 0 ||
	    (rc = read_number(&floor, root, "floor", 1, 0, 1000, e)) != 0 ||
	    (rc = read_number(&p->max_output, root, "max_output", 65536, 0, 1 << 30, e)) != 0 ||
	    (rc = read_dirs(&p->read, root, "read", e)) != 0 ||
	    (rc = read_dirs(&p->path, root, "path", e)) != 0)
		return rc;
	if (version != 1)
		return err_set(e, VIV_CONFIG, "'version' is missing");
	p->floor = (int)floor;
	return read_rules(p, root, e);
}

int
policy_parse(struct policy **out, const char *text, size_t n, const char *name, struct err *e)
{
	struct policy *p = mem_zero(1, sizeof(*p));
	cJSON *root = json_parse(text, n, e);
	int rc = root != NULL ? read_policy(p, root, e) : -VIV_CONFIG;

	cJSON_Delete(root);
	if (rc != 0) {
		policy_free(p);
		return err_prefix(e, "policy '%s'", name);
	}
	*out = p;
	return 0;
}

void
policy_free(struct policy *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n; i++)
		rule_free(&p->rules[i]);
	free(p->rules);
	rule_strings_free(p->read);
	rule_strings_free(p->path);
	free(p);
}

/* Nobody but us and root may be able to change what is allowed here. */
static int
trusted(int dir, const char *name, struct err *e)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return 0;	/* file_read says what is wrong */
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(e, VIV_CONFIG, "'%s' belongs to another user", name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, VIV_CONFIG, "'%s' is no regular file", name);
	if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return err_set(e, VIV_CONFIG, "'%s' is writable for others: chmod go-w", name);
	return 0;
}

static int
load_share(struct policy **out, struct err *e)
{
	struct buf b = {0};
	char *path = world_share("policy.json");
	int rc;

	if (path == NULL)
		return err_set(
		    e, VIV_CONFIG, "cannot find 'share/policy.json' of this installation");
	rc = file_read(AT_FDCWD, path, POLICY_FILE_MAX, &b, e);
	if (rc == 0)
		rc = policy_parse(out, b.p != NULL ? b.p : "", b.len, path, e);
	buf_free(&b);
	free(path);
	return rc;
}

int
policy_load(struct policy **out, const struct world *w, struct err *e)
{
	struct buf b = {0};
	int rc;

	if (w == NULL)
		return load_share(out, e);
	rc = trusted(w->fd, WORLD_POLICY, e);
	if (rc == 0)
		rc = file_read(w->fd, WORLD_POLICY, POLICY_FILE_MAX, &b, e);
	if (rc == 0)
		rc = policy_parse(out, b.p != NULL ? b.p : "", b.len, WORLD_POLICY, e);
	else if (rc == -VIV_NO)
		rc = load_share(out, e);
	buf_free(&b);
	return rc;
}

const char *const *
policy_read_roots(const struct policy *p)
{
	static const char *const none[] = {NULL};

	return p->read != NULL ? (const char *const *)p->read : none;
}

int
policy_floor(const struct policy *p)
{
	return p->floor;
}

long long
policy_max_output(const struct policy *p)
{
	return p->max_output;
}

void
policy_argv_free(struct policy_argv *a)
{
	free(a->path);
	words_free(a->argv);
	memset(a, 0, sizeof(*a));
}

int
policy_words(const char *text, char ***argv_out, int *argc_out, struct err *e)
{
	return words_split(text, argv_out, argc_out, e);
}

void
policy_words_free(char **argv)
{
	words_free(argv);
}

/* Is path dir itself or below it? Both absolute and resolved. */
static bool
inside(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return true;
	return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static bool
system_program(const char *real)
{
	static const char *const places[] = {
	    "/usr", "/bin", "/sbin", "/lib", "/lib64", "/nix/store", "/gnu/store"};
	struct stat st;
	bool below = false;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		below = below || inside(real, places[i]);
	return below && stat(real, &st) == 0 && S_ISREG(st.st_mode) &&
	    (st.st_mode & S_IWOTH) == 0 && access(real, X_OK) == 0;
}

static int
resolve(const struct policy *p, const char *name, char **out, struct err *e)
{
	static char usr[] = "/usr/bin", bin[] = "/bin";
	static char *standard[] = {usr, bin, NULL};

	for (char **d = p->path != NULL ? p->path : standard; *d != NULL; d++) {
		char *file = mem_fmt("%s/%s", *d, name);
		char *real = realpath(file, NULL);

		free(file);
		if (real != NULL && system_program(real)) {
			*out = real;
			return 0;
		}
		free(real);
	}
	return err_set(e, VIV_NOTFOUND, "'%s' is allowed but not installed", name);
}

static const struct rule *
find_rule(const struct policy *p, const char *name)
{
	for (size_t i = 0; i < p->n; i++)
		if (strcmp(p->rules[i].name, name) == 0)
			return &p->rules[i];
	return NULL;
}

static int
unknown(const char *name, struct err *e)
{
	char shown[WORDS_SHOW];
	const char *why = "is not an allowed program";

	if (strchr(name, '/') != NULL)
		why = "is a path: programs are named without directory";
	else if (utf8_count(name, strlen(name)) != strlen(name))
		why = "is not an allowed program: its name is not ASCII";
	return err_set(e, VIV_REFUSED, "'%s' %s", words_show(shown, name), why);
}

int
policy_check(const struct policy *p, const char *text, struct policy_argv *out, struct err *e)
{
	const struct rule *r;
	char **words;
	int n, rc;

	memset(out, 0, sizeof(*out));
	rc = words_split(text, &words, &n, e);
	if (rc != 0)
		return rc;
	r = find_rule(p, words[0]);
	rc = r != NULL ? rule_match(r, words, n, &out->argv, &out->argc, e) : unknown(words[0], e);
	words_free(words);
	if (rc == 0) {
		out->fork = r->fork;
		rc = resolve(p, r->name, &out->path, e);
	}
	if (rc != 0)
		policy_argv_free(out);
	return rc;
}

/* The one place inside the world that tasks may read as a tree. */
#define WORLD_LIBRARY WORLD_MUTABLE "/library"

static bool
in_library(const struct world *w, const char *real)
{
	char *path = mem_fmt("%s/%s", w->root, WORLD_LIBRARY);
	char *library = realpath(path, NULL);
	bool yes = library != NULL && inside(real, library);

	free(path);
	free(library);
	return yes;
}

static int
workdir_ok(const struct policy *p, const struct world *w, const char *real, struct err *e)
{
	char *world = w != NULL ? realpath(w->root, NULL) : NULL;
	bool holds = world != NULL && inside(world, real) && strcmp(world, real) != 0;
	bool within = world != NULL && inside(real, world);
	bool readable = false;

	free(world);
	if (w != NULL && in_library(w, real))
		return 0;
	if (within)
		return err_set(e, VIV_REFUSED, "'%s' lies inside the world", real);
	if (holds)
		return err_set(e, VIV_REFUSED, "'%s' contains the world", real);
	for (const char *const *root = policy_read_roots(p); *root != NULL && !readable; root++) {
		char *r = realpath(*root, NULL);

		readable = r != NULL && inside(real, r);
		free(r);
	}
	return readable ? 0 :
			  err_set(e, VIV_REFUSED, "'%s' lies in no read root of the policy", real);
}

int
policy_workdir(const struct policy *p, const struct world *w, const char *dir, char **out,
    struct err *e)
{
	struct stat st;
	char *real;
	int rc;

	if (*dir != '/')
		return err_set(e, VIV_REFUSED, "'%s' is no absolute path", dir);
	real = realpath(dir, NULL);
	if (real == NULL)
		return err_sys(e, VIV_REFUSED, "cannot resolve '%s'", dir);
	if (stat(real, &st) != 0 || !S_ISDIR(st.st_mode))
		rc = err_set(e, VIV_REFUSED, "'%s' is no directory", dir);
	else
		rc = workdir_ok(p, w, real, e);
	if (rc != 0) {
		free(real);
		return rc;
	}
	*out = real;
	return 0;
}

static int
example(const struct policy *p, const struct rule *r, const char *text, bool want,
    void (*report)(const char *, const char *, bool, bool, const char *, void *), void *arg)
{
	struct policy_argv a;
	struct err e = {0};
	int rc = policy_check(p, text, &a, &e);
	bool got = rc == 0 || rc == -VIV_NOTFOUND;

	if (rc == 0)
		policy_argv_free(&a);
	report(r->name, text, want, got, e.msg, arg);
	return got != want;
}

int
policy_examples(const struct policy *p,
    void (*report)(const char *program, const char *example, bool want, bool got, const char *why,
	void *arg), void *arg)
{
	int differ = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct rule *r = &p->rules[i];

		for (char **s = r->pass; s != NULL && *s != NULL; s++)
			differ += example(p, r, *s, true, report, arg);
		for (char **s = r->refuse; s != NULL && *s != NULL; s++)
			differ += example(p, r, *s, false, report, arg);
	}
	return differ;
}

void
policy_describe(const struct policy *p, struct buf *out)
{
	for (size_t i = 0; i < p->n; i++)
		rule_describe(&p->rules[i], out);
}
