/*
 * lot: drawing jurors. Pure: who is who, who has a part in the work, who is drawn.
 * lib/lot.c opens with the rules.
 */
#ifndef VIV_LOT_H
#define VIV_LOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lot_mark {
	LOT_IDENTITY = 1,	/* the name is that of an identity */
	LOT_ELIGIBLE = 2,	/* somebody who can be asked under this name */
	LOT_AUTHOR = 4		/* has a part in the work */
};

struct lot_name {
	char *name;
	size_t parent;
	unsigned marks;
};

/* Zero-initialise; lot_free frees. */
struct lot {
	struct lot_name *v;
	size_t n;
	size_t *index;
	size_t cap;
};

/* The name is known; marks are added to what is known of it. "human:" is dropped. */
void lot_add(struct lot *l, const char *name, unsigned marks);

/* Both names are one and the same: a resident and the identity it was. */
void lot_link(struct lot *l, const char *a, const char *b);

/*
 * Draw at most max jurors into out (borrowed from the lot) for an attempt: returns how
 * many there are, which may be more than max.
 */
size_t lot_draw(struct lot *l, const char *seed, const char *id, int64_t generation,
    const char **out, size_t max);

void lot_free(struct lot *l);

#endif
