#!/bin/sh
# A tmux session that shows a world at work: vivarium.sh [RESIDENT ...]
# The board is live in the left pane; each resident has one of its own on the right.
# A pane stays when its resident ends, so that its last words can be read.
set -eu
session=${VIV_SESSION:-vivarium}
[ $# -gt 0 ] || set -- ada ben

viv-status >/dev/null	# says what is wrong when there is no world
if tmux has-session -t "=$session" 2>/dev/null; then
	echo "vivarium.sh: session '$session' runs already: tmux attach -t $session" >&2
	exit 1
fi
tmux new-session -d -s "$session" -x 200 -y 50 viv-status -f
tmux set-option -t "$session" remain-on-exit on >/dev/null
split=-h
for name in "$@"; do
	tmux split-window $split -t "$session" viv-resident -r "$name"
	split=-v
done
tmux select-pane -t "$session:0.0"
if [ -t 0 ] && [ -z "${TMUX-}" ]; then
	exec tmux attach -t "$session"
fi
echo "tmux attach -t $session"
