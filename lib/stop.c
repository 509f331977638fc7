/*
 * stop: the handler sets a flag, nothing else; the signals are blocked except while
 * ppoll(2) waits. When there is something to read at once it does not wait, and a signal
 * stays pending: so who asks is told of those as well.
 */
#include "stop.h"

#include <signal.h>
#include <time.h>

static const int sigs[] = {SIGINT, SIGTERM, SIGHUP};
static volatile sig_atomic_t asked;

static void
on_signal(int sig)
{
	(void)sig;
	asked = 1;
}

void
stop_catch(void)
{
	struct sigaction sa = {.sa_handler = on_signal};
	sigset_t block;

	sigemptyset(&block);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		sigaddset(&block, sigs[i]);
	sigprocmask(SIG_BLOCK, &block, NULL);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		sigaction(sigs[i], &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

bool
stop_asked(void)
{
	sigset_t pending;

	if (asked == 0 && sigpending(&pending) == 0)
		for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
			if (sigismember(&pending, sigs[i]) == 1)
				asked = 1;
	return asked != 0;
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
