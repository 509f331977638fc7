/* halt: kill switch, pause and pace, as every command that starts work asks them. */
#ifndef VIV_HALT_H
#define VIV_HALT_H

#include <stdbool.h>

#include "err.h"
#include "world.h"

/* Everything must stop: kill_switch.json says halt, or cannot be understood.
 * reason (may be NULL) gets one line. */
bool halt_on(const struct world *w, char *reason, size_t size);

/* No new claims: the PAUSE file is there. */
bool halt_paused(const struct world *w);

/* Least seconds between two claims of one resident: runtime_speed.json's
 * wait_seconds in 0..300; 0 when absent; -VIV_CONFIG in *e when damaged. */
double halt_pace(const struct world *w, struct err *e);

#endif
