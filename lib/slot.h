/*
 * slot: the chain of write-once files that says who may end an attempt.
 * lib/slot.c opens with the protocol. All functions take the world; files lie in
 * world/mutable/task_locks.
 */
#ifndef VIV_SLOT_H
#define VIV_SLOT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <cjson/cJSON.h>

#include "err.h"
#include "world.h"

enum {
	SLOT_LEASE_S = 300,		/* default lease */
	SLOT_LEASE_MAX_S = 86400,
	SLOT_MARGIN_S = 1,		/* waited beyond the lease on one host, */
	SLOT_MARGIN_SHARED_S = 65	/* and on a shared file system (caches up to 60 s) */
};

enum slot_kind { SLOT_NONE, SLOT_CLAIM, SLOT_FREE, SLOT_DONE };

/* One slot as read. Zero when there is none. */
struct slot {
	int64_t number;
	enum slot_kind kind;
	char token[33];
	char resident[128], identity[128];
	char host[65], boot_id[40];
	int64_t pid, pid_start, pid_ns;	/* 0: none recorded */
	double lease_s;
	double timeout_s;		/* wall time a command of this claim may take */
	double started;			/* wall time, 0 unknown */
	int64_t mtime_ns;		/* CLOCK_BOOTTIME of the owner at its last renewal */
};

/* Who claims. Strings are borrowed. */
struct slot_owner {
	const char *resident, *identity;	/* identity may be NULL */
	int64_t pid;			/* 0: none, the lease alone decides */
	double lease_s;
	double timeout_s;		/* of the task's command */
};

/* Why a slot may be taken over. */
enum slot_verdict { SLOT_HELD, SLOT_DEAD, SLOT_EXPIRED };

/* The descriptor of task_locks, opened once a process. */
int slot_dir(const struct world *w, struct err *e);

/* Highest slot of the chain whose numbers follow base (the last generation in the
 * log), by probing base+1, base+2 ...; *out zero with number = base when none.
 * slot_scan looks at the whole directory instead. */
int slot_last(const struct world *w, const char *id, int64_t base, struct slot *out, struct err *e);
int slot_scan(const struct world *w, const char *id, struct slot *out, struct err *e);
int slot_read(
    const struct world *w, const char *id, int64_t number, struct slot *out, struct err *e);

/* The event that a free or done slot carries (caller deletes), or NULL. */
cJSON *slot_event(const struct world *w, const char *id, int64_t number);

/* Call fn for every slot file; nonzero ends it. */
int slot_each(const struct world *w, int (*fn)(const char *id, int64_t number, void *arg),
    void *arg, struct err *e);

/*
 * Create slot `number` on top of prev (0: none known in the chain). 0: it is ours.
 * -VIV_REFUSED: somebody else's, or the chain under it has gone. event: NULL for a
 * claim; else the event that ends the attempt (kept in the slot). token: 32 hex
 * digits; for an end the claim's own, so that a repeated end is a success.
 */
int slot_put(const struct world *w, const char *id, int64_t number, int64_t prev,
    enum slot_kind kind, const char token[33], const struct slot_owner *owner, const cJSON *event,
    struct err *e);
void slot_remove(const struct world *w, const char *id, int64_t number);

/* Remove the chain up to number, lowest slot first (its last line is durable). */
void slot_remove_chain(const struct world *w, const char *id, int64_t number);

/* May somebody else take over? The observation is kept below .cache/seen. */
enum slot_verdict slot_judge(const struct world *w, const char *id, const struct slot *s);

/* The same for whoever means to take over: while *guard_out (-1: none) is open nobody
 * can begin to execute the old claim (slot_hold waits, then sees the new slot). */
enum slot_verdict slot_judge_lock(const struct world *w, const char *id, const struct slot *s,
    int *guard_out);

/* Does nobody on this host execute the claim? Then nobody can begin to while *guard_out
 * (the caller closes it) is open. */
bool slot_idle(const struct world *w, const char *id, int64_t number, int *guard_out);

/* A claim held or worked on by this process. */
struct slot_hold {
	char *id;
	int64_t number;
	char token[33];
	int fd;			/* the slot file; -1 none */
	int64_t lease_ns;
	int64_t until_ns;	/* CLOCK_BOOTTIME; INT64_MAX when the clock is another host's */
};

/* Open the claim named by number and token: 0, or -VIV_REFUSED when it is lost. With
 * execute take the shared flock that tells observers on this host that somebody works
 * on it. slot_hold_free closes, giving up the flock only. */
int slot_hold(struct slot_hold *h, const struct world *w, const char *id, int64_t number,
    const char *token, bool execute, struct err *e);
/* 0, or -VIV_REFUSED when lost (late, taken over, removed). */
int slot_renew(struct slot_hold *h, const struct world *w, struct err *e);
void slot_hold_free(struct slot_hold *h);

/* Is the claim still the highest slot, and ours? 0 or -VIV_REFUSED. */
int slot_mine(
    const struct world *w, const char *id, int64_t number, const char *token, struct err *e);

/* Start time in clock ticks of a live process, 0 when gone; the pid namespace here. */
int64_t slot_pid_start(int64_t pid);
int64_t slot_pid_ns(void);

/* Private to slot*.c: a slot's file name; is it there; set its mtime to now, 0 or -1. */
char *slot_name(char out[256], const char *id, int64_t number);
bool slot_exists(int dir, const char *id, int64_t number);
int slot_touch(int fd);
extern const char *const slot_kind_name[];	/* by enum slot_kind */

#endif
