/* critic: is a finished piece of work acceptable? (reference core.md 2.14, and its evidence) */
#ifndef VIV_CRITIC_H
#define VIV_CRITIC_H

#include <stdbool.h>
#include <cjson/cJSON.h>

#include "world.h"

struct critic {
	const char *verdict;	/* APPROVE, MINOR_ISSUES, REJECT */
	double confidence;
	bool accepted;
	cJSON *issues, *suggestions;	/* arrays of text */
};

/* Judge a completed task line. w NULL: no world, so files and the stored result are
 * not looked for. critic_free frees. */
void critic_review(const struct world *w, const cJSON *line, struct critic *out);
void critic_free(struct critic *c);

#endif
