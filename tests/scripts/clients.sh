#!/usr/bin/env bash
# Other people's clients against a broker: kcat (an older librdkafka) and Apache Kafka's console tools (the Java client).
# Every step must print what is expected of it; the first that does not is shown with its output.
#
#     clients.sh HOST:PORT
#
# Needs kcat, Java and Kafka's jars (kafka.sh fetch). Topics and groups get names of their own and are deleted again.
set -euo pipefail

[ $# -eq 1 ] || { echo "usage: clients.sh HOST:PORT" >&2; exit 2; }
broker=$1
kafka=$(dirname "$0")/kafka.sh
topic=clients-$$
group=clients-$$
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0

# step NAME PATTERNS COMMAND...: the command must succeed, and its output must match each line of PATTERNS (grep -E).
# Standard input goes to the command.
step() {
    local name=$1 patterns=$2 line
    shift 2
    if ! timeout 60 "$@" >"$work/out" 2>&1; then
        echo "clients: $name: the command failed" >&2
        cat "$work/out" >&2
        exit 1
    fi
    while IFS= read -r line; do
        if [ -n "$line" ] && ! grep -qE -- "$line" "$work/out"; then
            echo "clients: $name: nothing printed matches: $line" >&2
            cat "$work/out" >&2
            exit 1
        fi
    done <<<"$patterns"
    passed=$((passed + 1))
}

# tool_step NAME PATTERNS TOOL ARGUMENT...: a console tool against the broker.
tool_step() { step "$1" "$2" "$kafka" tool "$3" --bootstrap-server "$broker" "${@:4}"; }

# Nothing but what a step gives itself is read from the caller's input.
exec </dev/null

# The console tools: topics, records with keys, groups, offsets, settings.
tool_step "create a topic" "^Created topic $topic" topics --create --topic "$topic" --partitions 2
tool_step "describe it" "PartitionCount: 2
Partition: 1.*Leader: [0-9]" topics --describe --topic "$topic"
tool_step "list topics" "^$topic\$" topics --list
tool_step "produce with keys" "" console-producer --topic "$topic" \
    --reader-property parse.key=true --reader-property key.separator=: <<<'k1:one
k2:two
k3:three'
tool_step "consume in a group" $'^k1\tone$
^k2\ttwo$
^k3\tthree$
total of 3 messages' console-consumer --topic "$topic" --group "$group" --from-beginning --max-messages 3 \
    --timeout-ms 20000 --formatter-property print.key=true
tool_step "describe the group" "^$group +$topic +0 +[0-9]+ +[0-9]+ +0 
^$group +$topic +1 +[0-9]+ +[0-9]+ +0 " consumer-groups --describe --group "$group"
tool_step "produce idempotently" '"sent":100,"acked":100' verifiable-producer --topic "$topic" --max-messages 100
tool_step "read committed" "total of 103 messages" console-consumer --topic "$topic" --from-beginning \
    --max-messages 103 --timeout-ms 20000 --isolation-level read_committed
tool_step "alter a setting" "Completed updating config" \
    configs --alter --entity-type topics --entity-name "$topic" --add-config retention.ms=123456
tool_step "describe settings" "retention.ms=123456" configs --describe --entity-type topics --entity-name "$topic"
echo "{\"partitions\":[{\"topic\":\"$topic\",\"partition\":0,\"offset\":1}],\"version\":1}" >"$work/records.json"
tool_step "delete records" "$topic-0.*low_watermark: 1" delete-records --offset-json-file "$work/records.json"
tool_step "earliest offsets" "^$topic:0:1\$
^$topic:1:0\$" get-offsets --topic "$topic" --time -2
tool_step "delete the group" "successful" consumer-groups --delete --group "$group"
tool_step "delete the topic" "" topics --delete --topic "$topic"

# kcat: every compression, keys, headers, offsets, a topic that is made when first written to.
codecs="none gzip snappy lz4 zstd"
expected=""
for codec in $codecs; do
    expected+="^key by $codec codec=$codec\$"$'\n'
    step "kcat produces $codec" "" \
        kcat -b "$broker" -P -t "$topic-kcat" -K: -z "$codec" -H "codec=$codec" <<<"key:by $codec"
done
step "kcat consumes" "$expected" kcat -b "$broker" -C -t "$topic-kcat" -o beginning -e -f '%k %s %h\n'
step "kcat lists" "topic \"$topic-kcat\" with [0-9]+ partitions" kcat -b "$broker" -L
tool_step "delete kcat's topic" "" topics --delete --topic "$topic-kcat"

echo "clients: $passed steps passed against $broker"
