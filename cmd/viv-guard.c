/*
 * viv-guard: the early refusal. A stage: each open task line is screened (screen.h),
 * and a local command is checked against the policy as well; the verdict becomes the
 * line's "safety", a refusal ends the attempt as failed, and both are written to
 * meta/audit/safety_audit.log before the line goes on. The same check is asked again
 * by viv-cycle, so that leaving this stage out gains nothing.
 *
 * Without a world there is no halt, no audit file, and the installed policy holds.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "file.h"
#include "halt.h"
#include "json.h"
#include "opt.h"
#include "policy.h"
#include "screen.h"
#include "stage.h"
#include "task.h"
#include "utf8.h"
#include "world.h"

enum { AUDIT_TASK_CHARS = 200 };

struct guard {
	struct world *w;	/* NULL: none */
	struct policy *policy;
};

/* A line of text more, with its strings in it when it is a list or an object. */
static void
add_strings(struct buf *b, const cJSON *v)
{
	const cJSON *item;

	if (cJSON_IsString(v))
		buf_fmt(b, "\n%s", v->valuestring);
	cJSON_ArrayForEach(item, v)
		add_strings(b, item);
}

/*
 * All of the task's own text that a model would get to read as the task; a command is
 * that alone. What others wrote ("context", "previous") is none of it: it is quoted as
 * data (viv-context), so that nobody's post can stop somebody else's task.
 */
static char *
own_text(const cJSON *line, const char *main, bool local)
{
	static const char *const more[] = {"system", "intent", "phase4_intent"};
	struct buf b = {0};

	buf_str(&b, main);
	for (size_t i = 0; !local && i < sizeof(more) / sizeof(more[0]); i++)
		add_strings(&b, json_get(line, more[i]));
	return buf_take(&b);
}

static void
add_check(cJSON *checks, const char *name, bool passed, const char *reason)
{
	cJSON *c = json_new();

	json_set_bool(c, "passed", passed);
	json_set_str(c, "reason", reason);
	json_set(checks, name, c);
}

/* Append one line to the audit file: a refusal that cannot be recorded is an error,
 * and so is a pass. */
static int
audit(const struct guard *g, const cJSON *line, const char *text, const cJSON *checks, bool passed,
    const char *why, struct err *e)
{
	char now[CLOCK_TEXT];
	cJSON *rec = json_new();
	char *first = mem_ndup(text, utf8_prefix(text, strlen(text), AUDIT_TASK_CHARS));
	struct buf b = {0};
	int fd, rc;

	clock_local(clock_wall(), now);
	json_set_str(rec, "timestamp", now);
	json_set_str(rec, "task", first);
	json_set(rec, "checks", cJSON_Duplicate(checks, true));
	json_set_bool(rec, "passed", passed);
	json_set_str(rec, "blocked_reason", passed ? NULL : why);
	if (json_str(line, "id") != NULL)
		json_set_str(rec, "task_id", json_str(line, "id"));
	json_print(&b, rec);
	buf_char(&b, '\n');
	fd = openat(g->w->fd, WORLD_SAFETY_LOG,
	    O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		rc = err_sys(e, VIV_IO, "cannot open '%s'", WORLD_SAFETY_LOG);
	else
		rc = file_write(fd, b.p, b.len, WORLD_SAFETY_LOG, e);
	if (fd >= 0)
		close(fd);
	buf_free(&b);
	cJSON_Delete(rec);
	free(first);
	return rc;
}

/* Fill checks; the message of *why tells which one failed. */
static bool
judge(const struct guard *g, const cJSON *line, const char *text, bool local, cJSON *checks,
    struct err *why)
{
	char *all = own_text(line, text, local);
	struct screen s;
	struct policy_argv a;
	int rc;

	screen_text(all, strlen(all), &s);
	free(all);
	for (int i = 0; i < s.run; i++)
		add_check(checks, s.check[i].name, s.check[i].passed, s.check[i].reason);
	if (!s.passed) {
		err_set(why, VIV_REFUSED, "refused by the %s check: %s", s.check[s.run - 1].name,
		    s.check[s.run - 1].reason);
		return false;
	}
	if (!local)
		return true;
	rc = policy_check(g->policy, text, &a, why);
	add_check(checks, "policy", rc == 0, rc == 0 ? "ok" : why->msg);
	if (rc != 0) {
		if (rc == -VIV_REFUSED)
			err_prefix(why, "refused by policy");
		return false;
	}
	policy_argv_free(&a);
	return true;
}

static int
guard_line(cJSON *line, void *arg, struct err *e)
{
	const struct guard *g = arg;
	struct err why = {0};
	cJSON *safety, *checks;
	const char *text;
	bool local = task_is_local(line), passed;
	int rc = 0;

	if (!stage_open(line))
		return 0;
	if (g->w != NULL && halt_on(g->w, NULL, 0)) {
		stage_requeue(line, "halted");
		return 0;
	}
	text = local ? task_command(line) : task_prompt(line);
	if (text == NULL)
		text = "";
	safety = json_new();
	checks = json_new();
	passed = judge(g, line, text, local, checks, &why);
	json_set_bool(safety, "passed", passed);
	json_set(safety, "checks", checks);
	if (g->w != NULL)
		rc = audit(g, line, text, checks, passed, why.msg, e);
	json_set(line, "safety", safety);
	if (!passed)
		stage_final(line, "failed", why.msg);
	return rc;
}

static void
report(const char *program, const char *example, bool want, bool got, const char *why, void *arg)
{
	const bool *verbose = arg;

	if (want == got && !*verbose)
		return;
	printf("%s\t%s\t%s\t%s%s%s\n", want == got ? "ok" : "WRONG", want ? "pass" : "refuse",
	    program, example, *why != '\0' ? "\t" : "", why);
}

static int
test_rules(const struct policy *p, bool verbose)
{
	int wrong = policy_examples(p, report, &verbose);

	if (wrong > 0)
		err_warn("%d example%s of the policy answered otherwise", wrong,
		    wrong == 1 ? " is" : "s are");
	return wrong > 0 ? VIV_NO : 0;
}

static void
print_json(const struct policy_argv *a, const char *reason)
{
	cJSON *v = json_new();

	json_set_bool(v, "allowed", reason == NULL);
	if (reason != NULL) {
		json_set_str(v, "reason", reason);
	} else {
		cJSON *argv = json_list();

		for (int i = 0; i < a->argc; i++)
			json_push(argv, cJSON_CreateString(a->argv[i]));
		json_set_str(v, "path", a->path);
		json_set(v, "argv", argv);
		json_set_bool(v, "fork", a->fork);
	}
	json_puts(v);
	cJSON_Delete(v);
}

static int
check_command(const struct policy *p, const char *text, bool json)
{
	struct policy_argv a;
	struct err e = {0};
	int rc = policy_check(p, text, &a, &e);

	if (json)
		print_json(&a, rc == 0 ? NULL : e.msg);
	else if (rc != 0)
		err_warn("%s", e.msg);
	else
		for (int i = 0; i < a.argc; i++)
			puts(i == 0 ? a.path : a.argv[i]);
	if (rc == 0)
		policy_argv_free(&a);
	return -rc;
}

static void
list_rules(const struct policy *p)
{
	struct buf b = {0};

	policy_describe(p, &b);
	fputs(b.p != NULL ? b.p : "", stdout);
	buf_free(&b);
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"command", required_argument, NULL, 'c'}, {"json", no_argument, NULL, 'J'},
		{"list", no_argument, NULL, 'l'}, {"test", no_argument, NULL, 'T'},
		{"verbose", no_argument, NULL, 'v'}, {NULL, 0, NULL, 0}};
	struct world world;
	struct guard g = {0};
	struct err e = {0};
	const char *command = NULL;
	bool json = false, verbose = false;
	int c, found, verb = 0, rc = 0;

	opt_init(argc, argv, "viv-guard [-C DIR] [-T [-v] | -l | -c TEXT [-J]]");
	while ((c = opt_next(argc, argv, "c:JlTv", longs)) != -1) {
		if (c == 'J')
			json = true;
		else if (c == 'v')
			verbose = true;
		else if (verb != 0)
			opt_usage("only one of -c, -l and -T");
		else
			verb = c;
		if (c == 'c')
			command = optarg;
	}
	if (optind < argc)
		opt_usage("unexpected argument '%s'", argv[optind]);
	if ((json && verb != 'c') || (verbose && verb != 'T'))
		opt_usage("-J goes with -c, -v with -T");
	if ((found = world_find(&world, opt_world, &e)) < 0)
		err_die(&e);
	g.w = found > 0 ? &world : NULL;
	if (policy_load(&g.policy, g.w, &e) != 0)
		err_die(&e);
	if (verb == 'T')
		rc = test_rules(g.policy, verbose);
	else if (verb == 'l')
		list_rules(g.policy);
	else if (verb == 'c')
		rc = check_command(g.policy, command, json);
	else
		rc = stage_run(guard_line, &g);
	policy_free(g.policy);
	if (g.w != NULL)
		world_close(g.w);
	return opt_end(rc);
}
