/* gates: everything that stands between a task and its execution, one by one. */
#ifndef VIV_GATES_H
#define VIV_GATES_H

#include <stdbool.h>

#include "buf.h"
#include "err.h"
#include "standing.h"

/*
 * Append a line a gate, "ok" or "NO", its name and why: true when the task would run
 * now. It must be on the board. A policy that cannot be read is a gate that is shut.
 */
bool gates_print(const struct standing *s, size_t i, struct buf *out);

#endif
