/* filter: the system calls a sandboxed command may make, as a seccomp program. */
#ifndef VIV_FILTER_H
#define VIV_FILTER_H

#include <linux/filter.h>

enum filter_flag {
	FILTER_FORK = 1,	/* may start processes; otherwise only threads */
	FILTER_NET = 2,		/* may open internet sockets */
	FILTER_SCOPED = 4,	/* Landlock confines signals, so kill(2) may be left open */
	FILTER_FLAGS = 8
};

/* Made at the first call with these flags and kept. */
const struct sock_fprog *filter_get(unsigned flags);

#endif
