/* landlock: the kernel's path rules by raw system call, for any ABI from 1 on. */
#ifndef VIV_LANDLOCK_H
#define VIV_LANDLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum landlock_abi_of {		/* the ABI that brought it */
	LANDLOCK_ABI_FS = 1,
	LANDLOCK_ABI_REFER = 2,
	LANDLOCK_ABI_TRUNCATE = 3,
	LANDLOCK_ABI_TCP = 4,
	LANDLOCK_ABI_IOCTL = 5,
	LANDLOCK_ABI_SCOPE = 6
};

enum landlock_grant {
	LANDLOCK_READ,		/* read files, list directories */
	LANDLOCK_PROGRAMS,	/* and execute */
	LANDLOCK_WRITE,		/* read, write, make, rename, remove; no execute, no device nodes */
	LANDLOCK_DEVICE		/* read and write one device */
};

/* Newest ABI the kernel offers, 0: none. */
int landlock_abi(void);

/* Ruleset (a CLOEXEC descriptor) that denies everything the ABI can deny; with net
 * TCP is left alone. -1 and errno. */
int landlock_new(int abi, bool net);

/* Grant what lies at or below the file that fd (O_PATH) names. 0, or -1 and errno. */
int landlock_allow(int ruleset, int abi, int fd, bool is_dir, enum landlock_grant g);

/* Put this thread under the ruleset for good; needs no_new_privs. One system call. */
int landlock_enter(int ruleset);

#endif
