/*
 * post: putting tasks on the board. What viv-add and viv-edit have in common: the
 * board under its lock, what the log knows, the checks between tasks, and the
 * `queued` event of each task that is new. lib/post.c opens with the order of steps.
 */
#ifndef VIV_POST_H
#define VIV_POST_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>
#include <cjson/cJSON.h>

#include "board.h"
#include "err.h"
#include "fold.h"
#include "lock.h"
#include "log.h"
#include "policy.h"
#include "world.h"

struct post {
	const struct world *w;
	struct world_limits lim;
	struct board board;
	struct log log;
	struct fold fold;
	struct lock lock;
	bool cache;
	time_t id_s;		/* the id made last; 0: none yet */
	unsigned id_ms, id_count;
};

/* Open and fold the log (cache: may write the fold's cache; not in a dry run). */
int post_open(struct post *p, const struct world *w, bool cache, struct err *e);
void post_close(struct post *p);

/* Take the board's lock, read what is new on the board and in the log. */
int post_begin(struct post *p, struct err *e);
void post_end(struct post *p);

/* May this task be posted, apart from its dependencies? task_check, and an id that
 * neither the board nor the log has: 0 or -VIV_CONFIG. */
int post_check(const struct post *p, const cJSON *task, struct err *e);

/*
 * The same for tasks that come together, and their dependencies. An item that was not
 * named gets an id of post_id; one that is refused is marked bad, and refuse is told
 * why. keep_going: also find those that only hang on a refused one.
 */
struct post_item {
	cJSON *task;
	unsigned long line;	/* of the input; 0: from the command line */
	bool named;		/* came with an id */
	bool bad;
};
typedef void post_refuse(struct post_item *it, const char *why, void *arg);
void post_check_all(
    struct post *p, struct post_item *v, size_t n, bool keep_going, post_refuse *refuse, void *arg);

/* Are there more open tasks than the world allows when add more come? 0 or -VIV_REFUSED. */
int post_limit(const struct post *p, size_t add, struct err *e);

/* Why task i of all can never run because of its dependencies: unknown (neither in
 * all nor in the log) or cyclic; NULL when it can. The caller frees. */
char *post_links(const struct post *p, const struct board *all, size_t i);

/* Record that the tasks were posted by who, and make that durable. The board has them
 * already; -VIV_IO leaves it to the first claim to record the rest. */
int post_record(struct post *p, const char *who, cJSON *const *tasks, size_t n, struct err *e);

/* Long options of viv-add that have no letter. */
enum {
	POST_NOT_BEFORE = 0x100,
	POST_DEADLINE,
	POST_MAX_ATTEMPTS,
	POST_OK_EXIT,
	POST_REVIEW,
	POST_SERIAL
};

/* Set the member that option c stands for, if it does; a bad argument is a usage error. */
void post_flag(cJSON *task, int c, const char *arg);

/* What every task of a stream gets. Zero-initialise, fill in; strings are the caller's. */
struct post_fill {
	const struct world *w;
	cJSON *defaults;	/* members that a task without them gets */
	const char *mode;	/* "local", "llm" or NULL */
	char *workdir;		/* resolved, or NULL */
	bool workdir_given;	/* named by the user, not just where he is */
	struct policy *policy;	/* NULL until a local task needs it; policy_free */
	bool scratch;		/* set: some task will run in its scratch directory */
};
int post_fill(struct post_fill *f, cJSON **task, struct err *e);

/* Revive a dead task; take back one that nobody runs: 0; -VIV_NO when its state says
 * otherwise, -VIV_REFUSED when it is held. dry: only check. */
int post_kick(struct post *p, const char *id, bool dry, struct err *e);
int post_withdraw(struct post *p, const char *id, bool dry, struct err *e);

/* "t20301231-235959-123-4f2a": sorts in the order of the calls, and by time; free on
 * the board and in the log. */
#define POST_ID 40
void post_id(struct post *p, char out[POST_ID]);

#endif
