/* stop: being asked to end (SIGINT, SIGTERM, SIGHUP), as a question between two waits. */
#ifndef VIV_STOP_H
#define VIV_STOP_H

#include <poll.h>

/* From now on these signals are delivered in stop_poll only, so that none is missed
 * between a check and the wait; SIGPIPE is ignored, writers see EPIPE. A program that
 * is started must unblock them again. */
void stop_catch(void);

/* The signal's number, 0: not asked. */
int stop_asked(void);

/* For who waits otherwise than by stop_poll: a descriptor of the module's, readable from
 * the signal on; not to be read. -1 with errno. */
int stop_fd(void);

/* poll(2), but for the signals: -1 ms waits for ever. When one arrives, or on an error,
 * 0 with no revents. */
int stop_poll(struct pollfd *p, nfds_t n, int ms);

#endif
