/*
 * landlock: the kernel's path rules by raw system call, for any ABI from 1 on.
 *
 * A ruleset names the rights it handles; whatever is handled and not granted below
 * some path is denied, for root as well. Every right that the running kernel knows
 * is handled, so a newer kernel denies more without a change here, up to the last
 * ABI written down below. The numbers are spelled out because distributions ship
 * headers that are years older than their kernels.
 */
#include "landlock.h"

#include <sys/syscall.h>
#include <unistd.h>

enum { NR_CREATE = 444, NR_ADD_RULE = 445, NR_RESTRICT = 446 };	/* the same on every architecture */
enum { CREATE_VERSION = 1, RULE_PATH_BENEATH = 1 };

#define FS_EXECUTE	(1ULL << 0)
#define FS_WRITE_FILE	(1ULL << 1)
#define FS_READ_FILE	(1ULL << 2)
#define FS_READ_DIR	(1ULL << 3)
#define FS_REMOVE	(3ULL << 4)	/* directories, files */
#define FS_MAKE_DIR	(1ULL << 7)
#define FS_MAKE_REG	(1ULL << 8)
#define FS_MAKE_SYM	(1ULL << 12)
#define FS_ABI1		((1ULL << 13) - 1)
#define FS_REFER	(1ULL << 13)
#define FS_TRUNCATE	(1ULL << 14)
#define FS_IOCTL_DEV	(1ULL << 15)
#define FS_OF_FILES	(FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)
#define NET_TCP		3ULL		/* bind, connect */
#define SCOPES		3ULL		/* abstract unix sockets, signals */

struct ruleset_attr {
	uint64_t fs, net, scoped;
};

struct path_attr {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

static uint64_t
handled(int abi)
{
	return FS_ABI1 | (abi >= LANDLOCK_ABI_REFER ? FS_REFER : 0) |
	    (abi >= LANDLOCK_ABI_TRUNCATE ? FS_TRUNCATE : 0) |
	    (abi >= LANDLOCK_ABI_IOCTL ? FS_IOCTL_DEV : 0);
}

int
landlock_abi(void)
{
	long abi = syscall(NR_CREATE, NULL, 0, CREATE_VERSION);

	return abi > 0 ? (int)abi : 0;
}

int
landlock_new(int abi, bool net)
{
	struct ruleset_attr a = {
		.fs = handled(abi),
		.net = abi >= LANDLOCK_ABI_TCP && !net ? NET_TCP : 0,
		.scoped = abi >= LANDLOCK_ABI_SCOPE ? SCOPES : 0,
	};

	/* An older kernel takes the longer structure as long as what it does not know is 0. */
	return (int)syscall(NR_CREATE, &a, sizeof(a), 0);
}

int
landlock_allow(int ruleset, int abi, int fd, bool is_dir, enum landlock_grant g)
{
	static const uint64_t right[] = {
		[LANDLOCK_READ] = FS_READ_FILE | FS_READ_DIR,
		[LANDLOCK_PROGRAMS] = FS_READ_FILE | FS_READ_DIR | FS_EXECUTE,
		[LANDLOCK_WRITE] = FS_READ_FILE | FS_READ_DIR | FS_WRITE_FILE | FS_TRUNCATE |
		    FS_REMOVE | FS_MAKE_DIR | FS_MAKE_REG | FS_MAKE_SYM | FS_REFER,
		[LANDLOCK_DEVICE] = FS_READ_FILE | FS_WRITE_FILE | FS_TRUNCATE,
	};
	struct path_attr a = {.allowed = right[g] & handled(abi), .fd = fd};

	if (!is_dir)
		a.allowed &= FS_OF_FILES;
	return (int)syscall(NR_ADD_RULE, ruleset, RULE_PATH_BENEATH, &a, 0);
}

int
landlock_enter(int ruleset)
{
	return (int)syscall(NR_RESTRICT, ruleset, 0);
}
