#!/bin/bash
# stop.sh DIR: ends only the processes that start.sh recorded
for p in $(tac "$1/pids"); do kill "$p" 2>/dev/null || true; done
for p in $(cat "$1/pids"); do for i in $(seq 50); do kill -0 "$p" 2>/dev/null || break; sleep 0.1; done; kill -9 "$p" 2>/dev/null || true; done
