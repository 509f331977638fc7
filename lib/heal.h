/* heal: what can be wrong with a world, and putting it right. */
#ifndef VIV_HEAL_H
#define VIV_HEAL_H

#include <stdbool.h>

#include "board.h"
#include "err.h"
#include "fold.h"
#include "log.h"
#include "slots.h"

enum heal_severity { HEAL_NOTE, HEAL_REPAIR, HEAL_ERROR };

/* Set w, repair, verbose, say; the rest zero. heal_free frees. */
struct heal {
	const struct world *w;
	bool repair, verbose;
	void (*say)(enum heal_severity s, const char *what, const char *where, const char *advice,
	    void *arg);
	void *arg;
	int open;		/* found, could be repaired, and is not */
	int errors;		/* found, and cannot be repaired */
	struct log log;
	struct fold fold;
	struct board board;
	bool have_log, have_board;
};

/* The checks, in the order in which they build on each other. Each reports what it
 * finds and, with repair, puts it right and reports that. */
void heal_dirs(struct heal *h);
void heal_settings(struct heal *h);
void heal_money(struct heal *h);
void heal_temp(struct heal *h);
void heal_log(struct heal *h);		/* opens log and fold */
void heal_board(struct heal *h);	/* opens the board */
void heal_slots(struct heal *h);
void heal_results(struct heal *h);
void heal_shares(struct heal *h);
void heal_unknown(struct heal *h);
void heal_free(struct heal *h);

/* For these: report a note or an error. */
void heal_say(struct heal *h, enum heal_severity s, const char *what, const char *where,
    const char *advice);

/* Report something that can be repaired. rc: HEAL_LATER when it was not tried; else
 * how it went, with *e telling what went wrong. */
enum { HEAL_LATER = 1 };
void heal_found(struct heal *h, int rc, const struct err *e, const char *what, const char *where,
    const char *will, const char *did);

#endif
