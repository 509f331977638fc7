/* sums: amounts by name. */
#ifndef VIV_SUMS_H
#define VIV_SUMS_H

#include <stddef.h>
#include <stdint.h>

struct sum {
	char *name;
	int64_t spent, reserved;	/* micro-dollars */
	int64_t calls, unpriced;	/* calls that began; of which at an unknown price */
	int64_t input, output;		/* tokens */
};

/* Zero-initialise; sums_free frees. */
struct sums {
	struct sum **v;			/* in the order in which they came */
	size_t n;
	size_t *index;			/* hash table of 1 + position in v */
	size_t cap;
};

struct sum *sums_get(struct sums *s, const char *name);		/* made when it is new */
const struct sum *sums_find(const struct sums *s, const char *name); /* or NULL */
void sums_free(struct sums *s);

#endif
