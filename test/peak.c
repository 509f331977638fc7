/* peak FILE CMD ...: run it; append its name and peak resident KiB to FILE (bench.sh). */
#include <sys/resource.h>
#include <sys/wait.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "opt.h"

int
main(int argc, char **argv)
{
	struct rusage use;
	int status = 0;
	pid_t pid;
	FILE *f;

	opt_init(argc, argv, "peak FILE CMD ...");
	if (argc < 3)
		opt_usage(NULL);
	pid = fork();
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		err_exit(VIV_NOTFOUND, "cannot run '%s': %s", argv[2], strerror(errno));
	}
	close(STDIN_FILENO);	/* the command's reader and writer must not hang on us */
	close(STDOUT_FILENO);
	while (pid > 0 && wait4(pid, &status, 0, &use) < 0 && errno == EINTR)
		;
	f = fopen(argv[1], "ae");
	if (pid < 0 || f == NULL || fprintf(f, "%s %ld\n", argv[2], use.ru_maxrss) < 0 || fclose(f) != 0)
		err_exit(VIV_IO, "cannot write '%s'", argv[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
