/* table: where the tasks stand, as rows for people or as JSON. */
#ifndef VIV_TABLE_H
#define VIV_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <cjson/cJSON.h>

#include "buf.h"
#include "standing.h"

struct table_look {
	size_t cols;		/* of the terminal */
	bool all;		/* every row; else the first or latest few of each state */
	bool color;
};

/* Append the counts and the rows, a line each. */
void table_print(const struct standing *s, const struct table_look *look, struct buf *out);

/* The counts (the body of /status), the same with a list of all tasks, and one of these;
 * the caller deletes. */
cJSON *table_counts(const struct standing *s);
cJSON *table_json(const struct standing *s);
cJSON *table_task(const struct standing *s, size_t i);

#endif
