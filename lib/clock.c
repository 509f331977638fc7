/*
 * clock: wall time for people, CLOCK_BOOTTIME for leases, never mixed.
 *
 * Wall time is only written down and shown, and decides when a task may first run
 * (not_before); it orders nothing. $VIV_NOW fixes it, so that tests and recorded
 * demos are exact. Leases count CLOCK_BOOTTIME, which no clock setting moves and
 * which goes on while a laptop sleeps.
 */
#include "clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "num.h"

double
clock_wall(void)
{
	const char *fixed = getenv("VIV_NOW");
	struct timespec ts;
	double v;

	if (fixed != NULL && (num_real(fixed, 0, 4e9, &v) || clock_parse(fixed, &v)))
		return v;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)(ts.tv_nsec / 1000) / 1e6;
}

int64_t
clock_boot_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void
clock_format(double wall, bool utc, char out[CLOCK_TEXT])
{
	double whole = floor(wall);
	long us = lround((wall - whole) * 1e6);
	time_t t = (time_t)whole;
	char date[24];
	struct tm tm;

	if (us >= 1000000) {
		us -= 1000000;
		t++;
	}
	if ((utc ? gmtime_r(&t, &tm) : localtime_r(&t, &tm)) == NULL)
		memset(&tm, 0, sizeof(tm));
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, CLOCK_TEXT, "%s.%06u%s", date, (unsigned)us % 1000000, utc ? "+00:00" : "");
}

void
clock_utc(double wall, char out[CLOCK_TEXT])
{
	clock_format(wall, true, out);
}

void
clock_local(double wall, char out[CLOCK_TEXT])
{
	clock_format(wall, false, out);
}

/* Zone suffix: seconds east of UTC, or *local when there is none. */
static bool
parse_zone(const char *s, long *offset, bool *local)
{
	int h, m, n = 0;

	*offset = 0;
	*local = *s == '\0';
	if (*local || strcmp(s, "Z") == 0 || strcmp(s, "z") == 0)
		return true;
	if ((*s != '+' && *s != '-') || sscanf(s + 1, "%2d:%2d%n", &h, &m, &n) != 2 || n != 5 ||
	    s[6] != '\0')
		return false;
	*offset = (h * 60L + m) * 60L * (*s == '-' ? -1 : 1);
	return true;
}

bool
clock_parse(const char *s, double *wall_out)
{
	struct tm tm = {0};
	double frac = 0;
	long offset;
	bool local;
	time_t t;
	int n = 0;

	if (sscanf(s, "%4d-%2d-%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &n) != 3 || n != 10)
		return false;
	s += n;
	if (*s == 'T' || *s == ' ') {
		n = 0;
		if (sscanf(s + 1, "%2d:%2d:%2d%n", &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &n) != 3 ||
		    n != 8)
			return false;
		s += 1 + n;
		if (*s == '.') {
			char *end;

			frac = strtod(s, &end);
			if (end == s + 1)
				return false;
			s = end;
		}
	}
	if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_hour > 24 || tm.tm_min > 59 || tm.tm_sec > 60 || !parse_zone(s, &offset, &local))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	tm.tm_isdst = -1;
	t = local ? mktime(&tm) : timegm(&tm);
	if (t == (time_t)-1)
		return false;
	*wall_out = (double)(t - offset) + frac;
	return true;
}

void
clock_short(double seconds, char out[CLOCK_TEXT])
{
	long long s = seconds < 0 ? 0 : (long long)seconds;

	if (s < 100)
		snprintf(out, CLOCK_TEXT, "%llds", s);
	else if (s < 100 * 60)
		snprintf(out, CLOCK_TEXT, "%lldm", s / 60);
	else if (s < 100 * 3600)
		snprintf(out, CLOCK_TEXT, "%lldh", s / 3600);
	else
		snprintf(out, CLOCK_TEXT, "%lldd", s / 86400);
}

void
clock_sleep_ms(long ms)
{
	struct timespec ts = {ms / 1000, (ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}
