/*
 * ledger: meta/audit/api_audit.log, the book of every call to a provider. Append-only
 * JSON Lines: what was reserved, what it cost, what was refused and why (reference
 * core.md 1.6, and vivarium-state(5)). The sums follow from the lines.
 */
#ifndef VIV_LEDGER_H
#define VIV_LEDGER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <cjson/cJSON.h>

#include "err.h"
#include "lock.h"
#include "scan.h"
#include "slot.h"
#include "sums.h"
#include "world.h"

#define LEDGER_FILE WORLD_AUDIT "/api_audit.log"

/* Bytes of "2026-01-31", of a call's id, of the name of a segment. */
enum { LEDGER_DAY = 11, LEDGER_CALL = 33, LEDGER_NAME = 64 };

/* A call that has been reserved and not been settled. */
struct ledger_call {
	char id[LEDGER_CALL];
	char day[LEDGER_DAY];
	char *task, *resident, *model, *provider;	/* NULL: none */
	int64_t amount;		/* micro-dollars reserved; 0 when unpriced */
	bool unpriced;
	bool forfeited;		/* counted as spent; a late settlement corrects it */
	double until;		/* wall time after which it is forfeit */
	char host[65], boot_id[40];
	int64_t pid, pid_start, pid_ns;
};

/* A moment, told by two clocks: boot_ns holds within one boot, wall elsewhere. */
struct ledger_moment {
	int64_t boot_ns;
	double wall;
	char boot_id[40];
};

struct ledger_pause {
	char *provider;
	double seconds;
	struct ledger_moment at;
};

/* Zero-initialise; ledger_open fills in, ledger_close frees. */
struct ledger {
	const struct world *w;
	struct lock lock;
	bool locked, dirty;		/* dirty: appended and not synced */
	int fd;				/* the open file, for appending, while locked */
	uint64_t ino;			/* read up to: of that file, */
	off_t offset;			/* this byte, */
	off_t cached;			/* as the cache has it */
	struct sum total;
	struct sums day, resident, task, model; /* resident: "2026-01-31 name" */
	struct ledger_call **call;
	size_t ncall;
	double rate_left;		/* tokens in the bucket after the last call, */
	struct ledger_moment rate_at;	/* which began then; wall 0: none yet */
	struct ledger_pause *pause;
	size_t npause;
};

void ledger_open(struct ledger *l, const struct world *w);
void ledger_close(struct ledger *l);

/* Read what is new. 0, -VIV_CONFIG naming a damaged line, -VIV_IO. */
int ledger_read(struct ledger *l, struct err *e);

/* Take the lock and read to the end, a torn tail set aside; ledger_end drops it. */
int ledger_begin(struct ledger *l, struct err *e);
void ledger_end(struct ledger *l);

/*
 * Between the two: append one event, which the sums follow. durable: when it returns 0
 * a power cut does not undo it; others wait for ledger_sync, or the next durable one.
 * -VIV_IO leaves the file as it was.
 */
int ledger_append(struct ledger *l, const cJSON *event, bool durable, struct err *e);
int ledger_sync(struct ledger *l, struct err *e);

/* A new event: timestamp, event, user, role (who NULL: "vivarium"). */
cJSON *ledger_event(const char *event, const char *who);

/* By id, NULL when it is not open. */
struct ledger_call *ledger_find(const struct ledger *l, const char *id);

/* Is the process of this call gone, or its time over? The reason, or NULL. */
const char *ledger_dead(const struct ledger *l, const struct ledger_call *c, double now);

/* Seconds between that moment and now; never negative. */
double ledger_since(const struct world *w, const struct ledger_moment *m);

/* Call fn for every line of every segment, oldest first: its parsed text. Nonzero ends
 * it. Damaged lines are told with kind NUL. */
typedef int ledger_fn(const char *segment, unsigned long line, struct scan v, void *arg);
int ledger_each(const struct world *w, ledger_fn *fn, void *arg, struct err *e);

/* Rename the file to api_audit.N.log; the sums go on. */
int ledger_rotate(struct ledger *l, struct err *e);

/* The pure part: let one line change the sums. false: it is no event at all. */
bool ledger_apply(struct ledger *l, struct scan line);

/* The file that has the place read up to: its number (0: the open one) and name, or -1. */
long ledger_place(const struct ledger *l, char name[LEDGER_NAME]);

/* The sums without the file, for the cache: .cache/ledger. */
void ledger_cache_load(struct ledger *l);
void ledger_cache_save(struct ledger *l);

#endif
