/* publish: an approved line's journal entry and document, once. lib/publish.c opens with
 * the order of steps. */
#ifndef VIV_PUBLISH_H
#define VIV_PUBLISH_H

#include <stdbool.h>
#include <cjson/cJSON.h>

#include "err.h"
#include "lock.h"
#include "world.h"

/* A plan for each attempt whose result was published: ID.GENERATION.json. */
#define PUBLISH_DIR WORLD_MUTABLE "/.swarm/shares"

struct publish {
	const struct world *w;
	struct lock lock;
};

void publish_open(struct publish *p, const struct world *w);
void publish_close(struct publish *p);

/* Is there something to publish: approved, committed, claimed once, and it says
 * something? Local commands only when a document was asked for. */
bool publish_wanted(const cJSON *line);

/*
 * Write what is not written yet, and say so in the line's "share". 0; -VIV_IO,
 * -VIV_TEMPFAIL: some of it may be missing, and doing it again completes it;
 * -VIV_CONFIG: another result was published for this attempt.
 */
int publish_line(struct publish *p, cJSON *line, struct err *e);

#endif
