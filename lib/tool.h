/*
 * tool: text files that tell how something is done, and which of them fits a task
 * (reference core.md 2.13). lib/tool.c opens with the form of the files and the rules.
 */
#ifndef VIV_TOOL_H
#define VIV_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "world.h"

#define WORLD_TOOLS "world/mutable/library/tools"

struct tool {
	char *name, *description, *keywords, *patterns, *body;
	bool shipped;		/* with the toolkit, not written in the world */
	struct tool_bag *bag;	/* its words, sorted */
};

/* Zero-initialise; the world's tools first, then ours, each sorted by name. */
struct tool_list {
	struct tool *v;
	size_t n;
};

/* The pure part: one file's text. -VIV_CONFIG naming what is missing. */
int tool_parse(struct tool *t, const char *text, size_t n, struct err *e);
void tool_add(struct tool_list *l, struct tool *t); /* takes it over; a name that is there: freed */

/* Read share/tools and the world's folder (w may be NULL). What cannot be read is
 * reported on stderr and passed over. */
void tool_load(struct tool_list *l, const struct world *w);
void tool_free(struct tool_list *l);

enum { TOOL_ROUTED = 3 };

struct tool_score {
	const struct tool *tool;
	double score;		/* cosine, 0 to 1 */
};

/* The most similar tools, best first, ties in the order of the list; how many. */
size_t tool_similar(
    const struct tool_list *l, const char *text, struct tool_score out[TOOL_ROUTED]);

enum tool_way { TOOL_GENERATE, TOOL_EXACT, TOOL_SEMANTIC, TOOL_COMPOSED, TOOL_PATTERN };

struct tool_route {
	enum tool_way way;
	const struct tool *tool[TOOL_ROUTED];
	size_t n;
	double confidence;
	int64_t cost;		/* micro-dollars it stands for, -1 none */
};

void tool_route(const struct tool_list *l, const char *text, struct tool_route *out);
const char *tool_way_name(enum tool_way w);

#endif
