/* sweep: what ended attempts and dead processes leave behind. */
#ifndef VIV_SWEEP_H
#define VIV_SWEEP_H

#include <stdbool.h>

#include "err.h"
#include "fold.h"
#include "log.h"
#include "slots.h"

enum { SWEEP_TEMP_S = 36 * 3600 };

struct sweep {
	const struct world *w;
	const struct fold *f;
	double older_s;			/* how long ago an attempt must have ended */
	double temp_s;			/* age of a temporary file */
	bool dry;
	void (*say)(const char *path, void *arg);	/* for each thing removed */
	void *arg;
};

/*
 * All return how many things were removed, or would have been, or a negative error.
 * sweep_slots marks what is gone in s; the fold was read after s was listed.
 */
int sweep_slots(const struct sweep *k, struct slots *s, struct err *e);
int sweep_work(const struct sweep *k, struct err *e);		/* scratch directories */
int sweep_seen(const struct sweep *k, const struct slots *s, struct err *e);
int sweep_temp(const struct sweep *k, struct err *e);

/* Make durable what the log holds now. */
int sweep_sync(const struct world *w, struct err *e);

/* Call fn for every entry of the directory (absent: none) but "." and "..", with its
 * descriptor; nonzero ends it and is returned. */
int sweep_each(const struct world *w, const char *path, int (*fn)(int dir, const char *name,
    void *arg),
    void *arg, struct err *e);

/* Seconds since the file changed. A slot's mtime is no wall time, so ctime it is. */
double sweep_age(int dir, const char *name);

#endif
