/* world: which directory is the world, where its files are, what its limits are. */
#ifndef VIV_WORLD_H
#define VIV_WORLD_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "err.h"

/* Paths below the root (vivarium-state(5)). */
#define WORLD_MUTABLE	"world/mutable"
#define WORLD_QUEUE	"world/mutable/queue.json"
#define WORLD_QUEUE_LOCK "world/mutable/.queue.lock"
#define WORLD_ARCHIVE	"world/mutable/queue_archive.jsonl"
#define WORLD_LOCKS	"world/mutable/task_locks"
#define WORLD_RESULTS	"world/mutable/results"
#define WORLD_WORK	"world/mutable/work"
#define WORLD_PAUSE	"world/mutable/PAUSE"
#define WORLD_CACHE	"world/mutable/.cache"
#define WORLD_HALT	"world/mutable/.swarm/kill_switch.json"
#define WORLD_PACE	"world/mutable/.swarm/runtime_speed.json"
#define WORLD_PHYSICS	"world/physics"
#define WORLD_LIMITS	"world/physics/limits.json"
#define WORLD_AUDIT	"meta/audit"
#define WORLD_LOG	"meta/audit/execution_log.jsonl"
#define WORLD_LOG_LOCK	"meta/audit/.execution_log.lock"
#define WORLD_SAFETY_LOG "meta/audit/safety_audit.log"
#define WORLD_SECURITY	"meta/security"
#define WORLD_POLICY	"meta/security/policy.json"
#define WORLD_TOKEN	"meta/security/internal_execution_token.txt"

struct world {
	char *root;		/* absolute path, no trailing slash */
	int fd;			/* the root directory */
	char host[65]; /* machine id (/etc/machine-id, else the node name), [A-Za-z0-9_-] */
	char boot_id[40];	/* /proc/sys/kernel/random/boot_id */
	bool shared;		/* viv-init --shared */
};

/* The world's physics (reference core.md 1.12); world/physics/limits.json may
 * change each by its name here. */
struct world_limits {
	long long max_tasks;		/* open tasks, 1000000 */
	long long max_instruction_chars; /* 4000 code points */
	long long max_metadata_keys;	/* 64 members beyond the documented ones */
	long long max_metadata_bytes;	/* 16384 */
	long long max_result_chars;	/* 64000 code points */
};

/*
 * Find and open the world: dir if not NULL, else $VIV_ROOT, else the nearest
 * ancestor of the working directory that holds world/mutable/queue.json.
 * -VIV_CONFIG with a message that names viv-init when there is none.
 */
int world_open(struct world *w, const char *dir, struct err *e);
void world_close(struct world *w);

/* The same where standing in none is fine: 1 when there is one, else 0; but one that is
 * named, by dir or $VIV_ROOT, must be there. */
int world_find(struct world *w, const char *dir, struct err *e);

/* Create the directories of world/mutable/.cache below it: 0 or -VIV_IO. */
int world_cache_dir(const struct world *w, const char *sub, struct err *e);

int world_limits(const struct world *w, struct world_limits *out, struct err *e);

/* Read-only defaults: share/ of the build tree or of the installation that this
 * program belongs to. Path of share/name; the caller frees; NULL when absent. */
char *world_share(const char *name);

#endif
