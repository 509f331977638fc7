/*
 * skeleton: the pieces of a world, made where they are missing (viv-init, viv-doctor).
 */
#ifndef VIV_SKELETON_H
#define VIV_SKELETON_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "err.h"

/* Zero-initialise, then fill in the upper half; strings are borrowed. */
struct skeleton {
	char *root;		/* absolute path of the world, which need not exist */
	char **reads;		/* resolved directories that tasks may read */
	size_t nreads;
	bool shared, dry;
	void (*note)(const char *what, const char *name, void *arg); /* of each change, or NULL */
	void *arg;

	int made;		/* changes, or with dry those that would be made */
	int fd;			/* private */
	mode_t umask;
};

/* Create what is missing, add the read roots to the policy: 0 or an error; what was
 * made until then stays, and another run goes on from there. */
int skeleton_make(struct skeleton *k, struct err *e);

#endif
