/* clock: wall time for people, CLOCK_BOOTTIME for leases, never mixed. */
#ifndef VIV_CLOCK_H
#define VIV_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOCK_TEXT 40		/* bytes that hold any formatted time */

/* Seconds since 1970 with microseconds; $VIV_NOW (ISO-8601 or seconds) fixes it. */
double clock_wall(void);

/* Nanoseconds since boot, counting suspend; not touched by $VIV_NOW. */
int64_t clock_boot_ns(void);

/* UTC aware ISO-8601 with microseconds and +00:00 (reference core.md 0.3 TU). */
void clock_utc(double wall, char out[CLOCK_TEXT]);

/* Naive local time with microseconds (TL). */
void clock_local(double wall, char out[CLOCK_TEXT]);

/* Parse TU, TL (as local), TZ or a date alone; false when it is none of them. */
bool clock_parse(const char *s, double *wall_out);

/* "3s", "12m", "5h", "2d": a duration in at most 4 columns. */
void clock_short(double seconds, char out[CLOCK_TEXT]);

/* Sleep; returns early when a signal arrives. */
void clock_sleep_ms(long ms);

#endif
