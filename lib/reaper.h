/* reaper: a child that outlives this process by a moment, to kill what it leaves. */
#ifndef VIV_REAPER_H
#define VIV_REAPER_H

#include <stdint.h>
#include <sys/types.h>

#include "err.h"

/* Fork it; call once, early, while single-threaded. 0 or -VIV_IO. */
int reaper_start(struct err *e);

/*
 * Watch a process group until reaper_del: kill it when this process is gone, or at
 * deadline_boot_ns (CLOCK_BOOTTIME, 0: none) even if this process is stopped. hold_fd
 * (0: none) is the slot file whose flock says that the group works: the reaper keeps a
 * duplicate until the group is dead. 0, or -1 and errno when the reaper has ended; 0 when
 * none was started. One system call, safe in a vforked child.
 */
int reaper_add(pid_t pgid, int64_t deadline_boot_ns, int hold_fd);

/* The same for a group that can end by itself: SIGTERM first, SIGKILL REAPER_GRACE_MS later. */
enum { REAPER_GRACE_MS = 2000 };
int reaper_add_gently(pid_t pgid);

/* Call after the group's leader has ended and before it is waited for: until then
 * its number cannot be used again. */
void reaper_del(pid_t pgid);

/* Keep a duplicate of the slot file fd (-1: none), whose flock says that a group which is
 * not the task's own works on it, until reaper_let_go, which comes before fd is closed; or,
 * when this process is gone, until all its groups are dead. */
void reaper_hold(int fd);
void reaper_let_go(int fd);

#endif
