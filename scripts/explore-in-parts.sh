#!/bin/sh
# Explores a scenario in disjoint parts with GNU parallel, and puts the results together.
#
#   scripts/explore-in-parts.sh FILE [PARTS [OPTIONS OF vbus explore...]]
#
# Each part runs on one core. PARALLEL holds more options for GNU parallel, such as --sshloginfile for other machines: every
# one of them needs the scenario and vbus in the same places. VBUS names the binary; else it is the one in PATH.
set -eu
file=$1
parts=${2:-8}
[ $# -ge 2 ] && shift 2 || shift
vbus=${VBUS:-vbus}
results=$(mktemp)
trap 'rm -f "$results"' EXIT
# Exit code 1 says that the part found a failure: the line tells it, and the others go on.
seq "$parts" | parallel --will-cite \
    "$vbus --format json explore $file $* --jobs 1 --shard {}/$parts || [ \$? -eq 1 ]" > "$results"
"$vbus" explore "$file" --merge "$results"
