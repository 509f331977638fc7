/* slurp: a small file of /proc, for the test programs. */
#ifndef TEST_SLURP_H
#define TEST_SLURP_H

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* Read /proc/PID/NAME into out, ended with NUL: the bytes read, 0 when it has gone. */
static size_t
slurp(int pid, const char *name, char *out, size_t size)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, out, size - 1);
	if (fd >= 0)
		close(fd);
	out[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

#endif
