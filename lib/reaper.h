/* reaper: a child that outlives this process by a moment, to kill what it leaves. */
#ifndef VIV_REAPER_H
#define VIV_REAPER_H

#include <stdint.h>
#include <sys/types.h>

#include "err.h"

/* Fork it; call once, early, while single-threaded. 0 or -VIV_IO. */
int reaper_start(struct err *e);

/* Watch a process group until reaper_del: kill it when this process is gone, or at
 * deadline_boot_ns (CLOCK_BOOTTIME, 0: none) even if this process is stopped.
 * 0, or -1 and errno when the reaper has ended; 0 when none was started.
 * One system call, safe in a vforked child. */
int reaper_add(pid_t pgid, int64_t deadline_boot_ns);

/* Call after the group's leader has ended and before it is waited for: until then
 * its number cannot be used again. */
void reaper_del(pid_t pgid);

#endif
