/*
 * gates: everything that stands between a task and its execution, in the order in
 * which it is asked: the world's switches, the task's own state, its dependencies, who
 * holds it, its dates and attempts, whom it is bound to, then what viv-cycle asks:
 * policy and working directory. All are shown, also behind one that is shut.
 */
#include "gates.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "budget.h"
#include "clock.h"
#include "halt.h"
#include "json.h"
#include "policy.h"
#include "task.h"
#include "utf8.h"

struct gates {
	const struct standing *s;
	const struct task *task;
	const struct fold_task *logged;	/* or NULL */
	const cJSON *tree;		/* the task as posted */
	struct buf *out;
	size_t i;
	bool open;
};

static void gate(struct gates *g, bool ok, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static void
gate(struct gates *g, bool ok, const char *name, const char *fmt, ...)
{
	char text[1200], safe[1200] = "";
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	utf8_printable(safe, sizeof(safe), text, strlen(text));
	buf_fmt(g->out, "%-2s  %-10s  %s\n", ok ? "ok" : "NO", name, safe);
	g->open &= ok;
}

static void
ask_world(struct gates *g)
{
	char reason[512] = "";
	struct err e = {0};
	bool on = halt_on(g->s->w, reason, sizeof(reason)), paused = halt_paused(g->s->w);
	double pace = halt_pace(g->s->w, &e);

	if (on)
		gate(g, false, "halt", "on: %s (%s)", reason, WORLD_HALT);
	else
		gate(g, true, "halt", "off (%s)", WORLD_HALT);
	gate(g, !paused, "pause", "%s (%s)", paused ? "on" : "off", WORLD_PAUSE);
	if (pace < 0)
		gate(g, false, "pace", "%s", e.msg);
	else if (pace > 0)
		gate(g, true, "pace", "%g s between claims of a resident (%s)", pace, WORLD_PACE);
}

static void
ask_state(struct gates *g)
{
	const char *status = g->logged == NULL ? "not in the log yet" :
	    task_status_name((enum task_status)g->logged->status);
	const char *hint = fold_dead(g->logged) ? ": viv-add -k revives it" :
	    g->logged != NULL && !fold_done(g->logged) && !fold_runnable(g->logged) ?
	    ": viv-review decides" : "";

	gate(g, fold_runnable(g->logged), "state", "%s%s (%s)", status, hint, WORLD_LOG);
}

static void
ask_dependencies(struct gates *g)
{
	const struct standing *s = g->s;
	bool waits = s->state[g->i] == STANDING_WAITING || s->state[g->i] == STANDING_BLOCKED;
	char *cycle = waits ? board_cycle(&s->board, g->i) : NULL;

	if (g->task->deps == NULL)
		gate(g, true, "depends on", "nothing (%s)", WORLD_QUEUE);
	for (char **d = g->task->deps; d != NULL && *d != NULL; d++) {
		enum standing_state st;

		if (!standing_of(s, *d, &st))
			gate(g, false, "depends on", "'%s', which does not exist (%s)", *d,
			    WORLD_QUEUE);
		else
			gate(g, st == STANDING_APPROVED, "depends on", "'%s': %s (%s)", *d,
			    standing_word(st), WORLD_LOG);
	}
	if (cycle != NULL)
		gate(g, false, "depends on", "%s (%s)", cycle, WORLD_QUEUE);
	free(cycle);
}

static void
slot_file(char out[512], const char *id, int64_t number)
{
	if (number == 1)
		snprintf(out, 512, "%s/%s.lock", WORLD_LOCKS, id);
	else
		snprintf(out, 512, "%s/%s.lock.%lld", WORLD_LOCKS, id, (long long)number);
}

static void
ask_holder(struct gates *g)
{
	const struct slot *h = standing_holder(g->s, g->i);
	char file[512], age[CLOCK_TEXT], pid[40] = "no pid";

	if (h == NULL) {
		gate(g, true, "holder", "nobody (%s)", WORLD_LOCKS);
		return;
	}
	slot_file(file, g->task->id, h->number);
	clock_short(clock_wall() - h->started, age);
	if (h->pid > 0)
		snprintf(pid, sizeof(pid), "pid %lld", (long long)h->pid);
	gate(g, false, "holder", "'%s', %s, host %s, for %s, lease %g s (%s)", h->resident,
	    pid, h->host, age, h->lease_s, file);
}

/* parallel_safe false: does another such task run? */
static void
ask_serial(struct gates *g)
{
	struct slot s, other;
	cJSON *event;
	const char *id;
	bool busy = false;

	if (!g->task->serial)
		return;
	if (slot_scan(g->s->w, "_serial", &s, NULL) != 0 || s.kind != SLOT_CLAIM) {
		gate(g, true, "alone", "no other task that must run alone is running");
		return;
	}
	event = slot_event(g->s->w, "_serial", s.number);
	id = json_str(event, "task_id");
	busy = id != NULL && strcmp(id, g->task->id) != 0 &&
	    claim_holder(g->s->w, &g->s->fold, id, &other);
	gate(g, !busy, "alone", "%s%s%s", busy ? "'" : "", busy ? id : "nothing else",
	    busy ? "' must run alone and is running" : " that must run alone is running");
	cJSON_Delete(event);
}

static void
ask_dates(struct gates *g)
{
	double now = clock_wall(), posted = g->task->not_before, due = g->task->deadline;
	double backoff = g->logged != NULL ? g->logged->not_before : 0;
	char when[CLOCK_TEXT];

	if (posted > now || backoff > now) {
		bool held = g->s->state[g->i] == STANDING_HELD_BACK;
		char *why = held ? standing_reason(g->s, g->i) : mem_dup("not yet");

		gate(g, false, "not before", "%s (%s)", why,
		    posted > backoff ? WORLD_QUEUE : WORLD_LOG);
		free(why);
	} else {
		gate(g, true, "not before", "no time to wait for (%s)", WORLD_QUEUE);
	}
	if (due > 0) {
		clock_utc(due, when);
		memcpy(when + 19, "Z", 2);
	}
	if (due > 0 && now > due)
		gate(g, false, "deadline", "passed at %.19sZ: its next claim fails it (%s)", when,
		    WORLD_QUEUE);
	else
		gate(g, true, "deadline", "%.20s (%s)", due > 0 ? when : "none", WORLD_QUEUE);
}

static void
ask_claim(struct gates *g)
{
	int done = g->logged != NULL ? g->logged->attempts : 0;
	bool left = done < g->task->max_attempts || standing_holder(g->s, g->i) != NULL;

	gate(g, left, "attempts", "%d of %d made%s (%s)", done, g->task->max_attempts,
	    left ? "" : ": its next claim fails it", WORLD_LOG);
	if (g->task->identity != NULL)
		gate(g, true, "identity", "only '%s' takes it: viv-claim -i (%s)",
		    g->task->identity, WORLD_QUEUE);
	else
		gate(g, true, "identity", "anybody (%s)", WORLD_QUEUE);
}

static void
ask_command(struct gates *g, const struct policy *p)
{
	bool own = faccessat(g->s->w->fd, WORLD_POLICY, F_OK, 0) == 0;
	const char *file = own ? WORLD_POLICY : "share/policy.json";
	const char *command = task_command(g->tree), *dir = json_str(g->tree, "workdir");
	struct policy_argv argv;
	struct err e = {0};
	char *real = NULL;

	if (command == NULL)
		gate(g, false, "policy", "local, but without a command (%s)", WORLD_QUEUE);
	else if (policy_check(p, command, &argv, &e) != 0)
		gate(g, false, "policy", "%s (%s)", e.msg, file);
	else {
		gate(g, true, "policy", "'%s' is allowed (%s)", argv.argv[0], file);
		policy_argv_free(&argv);
	}
	if (dir == NULL || *dir == '\0')
		gate(g, true, "workdir", "its scratch directory (%s)", WORLD_WORK);
	else if (policy_workdir(p, g->s->w, dir, &real, &e) != 0)
		gate(g, false, "workdir", "%s (%s)", e.msg, file);
	else
		gate(g, true, "workdir", "%s", real);
	free(real);
}

static void
ask_budget(struct gates *g)
{
	struct err e = {0};
	char why[512];
	int rc = budget_soft(g->s->w, NULL, why, sizeof(why), &e);

	if (rc != 0)
		gate(g, false, "budget", "%s", rc < 0 ? e.msg : why);
	else
		gate(g, true, "budget", "within the limits (%s)", BUDGET_FILE);
}

static void
ask_execution(struct gates *g)
{
	struct policy *p = NULL;
	struct err e = {0};

	if (!g->task->local) {
		gate(g, task_prompt(g->tree) != NULL, "prompt", "%s (%s)",
		    task_prompt(g->tree) != NULL ? "for a model" : "neither a command nor a prompt",
		    WORLD_QUEUE);
		ask_budget(g);
		return;
	}
	if (policy_load(&p, g->s->w, &e) != 0) {
		gate(g, false, "policy", "%s", e.msg);
		return;
	}
	ask_command(g, p);
	policy_free(p);
}

bool
gates_print(const struct standing *s, size_t i, struct buf *out)
{
	cJSON *tree = board_task(&s->board, i);
	const struct task *t = &s->board.v[i];
	struct gates g = {s, t, fold_get(&s->fold, t->id), tree, out, i, true};

	ask_world(&g);
	ask_state(&g);
	ask_dependencies(&g);
	ask_holder(&g);
	ask_serial(&g);
	ask_dates(&g);
	ask_claim(&g);
	ask_execution(&g);
	cJSON_Delete(tree);
	return g.open;
}
