/*
 * task: what a task object means (reference core.md 1.2, design section 6). Pure: no I/O,
 * no clock. The board reads tasks leniently (people edit queue.json by hand);
 * viv-add checks them strictly.
 */
#ifndef VIV_TASK_H
#define VIV_TASK_H

#include <stdbool.h>
#include <stdint.h>
#include <cjson/cJSON.h>

#include "err.h"
#include "scan.h"
#include "world.h"

enum {
	TASK_ID_BYTES = 200,
	TASK_ATTEMPTS = 3,		/* default max_attempts; */
	TASK_ATTEMPTS_LOCAL = 1,	/* of local commands */
	TASK_TIMEOUT_S = 30,		/* default wall time of a local command */
	TASK_TIMEOUT_LLM_S = 120,	/* of a prompt */
	TASK_TIMEOUT_MAX_S = 3600
};

/* The statuses of reference core.md 1.4, plus "lost", which is never logged. */
enum task_status {
	TASK_UNKNOWN, TASK_QUEUED, TASK_IN_PROGRESS, TASK_COMPLETED, TASK_FAILED,
	TASK_PENDING_REVIEW, TASK_APPROVED, TASK_REQUEUE, TASK_NEEDS_QA, TASK_NEEDS_INTEGRATION,
	TASK_NEEDS_E2E, TASK_READY_FOR_MERGE, TASK_SUBTASK_STARTED, TASK_SUBTASK_COMPLETED,
	TASK_SUBTASK_FAILED, TASK_SAFETY_BLOCKED, TASK_LOST
};

const char *task_status_name(enum task_status s);
enum task_status task_status_parse(const char *name);	/* TASK_UNKNOWN when none */
bool task_status_done(enum task_status s);	/* satisfies a dependency */

/* What choosing needs of one task on the board. task_free frees the strings; text
 * points into the board's buffer. */
struct task {
	struct scan text;	/* the object as posted */
	char *id;
	char **deps;		/* NULL-terminated, or NULL */
	char *identity;		/* identity_id or resident_identity it is bound to, or NULL */
	char **tags;		/* NULL-terminated, or NULL */
	double not_before, deadline; /* wall time, 0: none */
	int priority;		/* higher first, default 0 */
	int max_attempts;
	bool local;		/* a command; otherwise a prompt for a model */
	bool serial;		/* parallel_safe false */
	bool fail_on_dependency; /* on_dependency_failure "fail" */
};

/* Lenient: members of a wrong type count as absent. -VIV_CONFIG when it has no usable
 * id or dates that cannot be understood. */
int task_read(struct task *t, struct scan obj, struct err *e);
void task_free(struct task *t);

/* Safe as a file name, not reserved: 0 or -VIV_CONFIG. */
int task_id_check(const char *id, struct err *e);

/* Strict: types, ranges, lengths of every documented member, the world's limits:
 * 0 or -VIV_CONFIG naming the member. Does not look at other tasks. */
int task_check(const cJSON *t, const struct world_limits *lim, struct err *e);

/* The prompt: the first truthy one of prompt, instruction, description,
 * atomic_instruction, task, when it is a string; else NULL. The command likewise of
 * command, shell (and task, when mode is local). Borrowed. */
const char *task_prompt(const cJSON *t);
const char *task_command(const cJSON *t);
bool task_is_local(const cJSON *t);
int task_max_attempts(const cJSON *t);

/* Seconds it may take: its timeout, within bounds, or what holds for its kind. */
double task_timeout(const cJSON *t);

/* Is the exit status one of its ok_exit (default only 0)? */
bool task_exit_ok(const cJSON *t, double code);

#endif
