/*
 * stop: the handler sets a flag, nothing else; the signals are blocked except while
 * ppoll(2) waits. One that has arrived since counts already: whoever asks after having
 * read what another process wrote must not be behind that process.
 */
#include "stop.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>

static const int sigs[] = {SIGINT, SIGTERM, SIGHUP};
static volatile sig_atomic_t asked;

static void
on_signal(int sig)
{
	asked = sig;
}

static sigset_t
caught(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		sigaddset(&set, sigs[i]);
	return set;
}

void
stop_catch(void)
{
	struct sigaction sa = {.sa_handler = on_signal};
	sigset_t block = caught();

	sigprocmask(SIG_BLOCK, &block, NULL);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		sigaction(sigs[i], &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

int
stop_asked(void)
{
	sigset_t waiting;
	int sig = asked;

	sigemptyset(&waiting);
	sigpending(&waiting);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]) && sig == 0; i++)
		if (sigismember(&waiting, sigs[i]) == 1)
			sig = sigs[i];
	return sig;
}

int
stop_fd(void)
{
	static int fd = -1;
	sigset_t set = caught();

	if (fd < 0)
		fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd;
}

int
stop_poll(struct pollfd *p, nfds_t n, int ms)
{
	struct timespec ts = {ms / 1000, (ms % 1000) * 1000000L};
	sigset_t none;
	int ready;

	sigemptyset(&none);
	ready = ppoll(p, n, ms < 0 ? NULL : &ts, &none);
	for (nfds_t i = 0; i < n && ready < 0; i++)
		p[i].revents = 0;
	return ready < 0 ? 0 : ready;
}
