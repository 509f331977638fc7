/* serial: tasks that must run alone (parallel_safe false). */
#ifndef VIV_SERIAL_H
#define VIV_SERIAL_H

#include <stdint.h>

#include "err.h"
#include "fold.h"
#include "slot.h"
#include "world.h"

/* Take _serial for the claim (id, generation, token): 0, -VIV_REFUSED when another task
 * that must run alone is running. */
int serial_take(const struct world *w, const struct fold *f, const char *id, int64_t generation,
    const char *token, const struct slot_owner *o, struct err *e);

/* The claim has ended: remove its slot, if it has one. */
void serial_done(const struct world *w, const char *id, int64_t generation);

#endif
