#!/usr/bin/env bash
# One Apache Kafka node (KRaft, broker and controller in one process) for tests: fetch, run, start, stop, tool.
#
# Nothing but Java 17 and Maven is needed; the class path is what Maven Central holds, without the distribution archive.
# Everything listens on loopback. The node is set up for tests: one replica of everything, no rebalance delay,
# no retention by time (records in tests carry old timestamps), timed-out transactions are looked for twice a second,
# and a node that was killed may register again after 3 s instead of 9.
set -euo pipefail

VERSION=4.3.1        # The newest release whose tools are published as well; needs Java 17.
LOG4J_BINDING=2.25.3 # Kafka's own class path has no logger binding: without one a node that dies does not say why.
CLUSTER_ID=MkU3OEVBNTcwNTJENDM2Qg

usage() {
    cat <<EOF
usage: kafka.sh dir                                  print the default jar folder, there or not
       kafka.sh jars                                 print the jar folder in use; an error when it is not there
       kafka.sh fetch [JARS]                         copy the jars into JARS, unless they are there; print the folder
       kafka.sh run PORT DATA [CONTROLLER_PORT]      run the node in the foreground (this process becomes java)
       kafka.sh start PORT DATA [CONTROLLER_PORT]    run it in the background, return when it serves requests; print its pid
       kafka.sh stop DATA                            stop the node that was started on DATA and wait for its end
       kafka.sh tool NAME ARGUMENT...                one of Kafka's command line tools: topics, console-producer, ...

JARS is also taken from ALCEDO_TEST_KAFKA. CONTROLLER_PORT is PORT + 1 unless given; both must be free.
KAFKA_HEAP sets the node's heap (512m), KAFKA_OPTS adds options for java, KAFKA_PROPERTIES adds lines to the node's properties. The ready line in its output is "Kafka Server started".
"stop" wants DATA spelt as it was for "start".
EOF
}

die() {
    echo "kafka.sh: $*" >&2
    exit 1
}

default_jars() { echo "${XDG_CACHE_HOME:-$HOME/.cache}/alcedo/kafka-$VERSION"; }

jars() {
    local dir=${ALCEDO_TEST_KAFKA:-$(default_jars)}
    [ -d "$dir" ] || die "no jars in $dir; run: kafka.sh fetch"
    echo "$dir"
}

# Copies into a folder beside the target and renames it at the end, so that a folder that exists is complete.
fetch() {
    local target=${1:-${ALCEDO_TEST_KAFKA:-$(default_jars)}}
    if [ ! -d "$target" ]; then
        mkdir -p "$(dirname "$target")"
        local work
        work=$(mktemp -d "$target.XXXXXX")
        # shellcheck disable=SC2064 # The folder's name is meant to be fixed now.
        trap "rm -rf '$work'" EXIT
        cat >"$work/pom.xml" <<EOF
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>alcedo</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$VERSION</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$VERSION</version>
      <exclusions><exclusion><groupId>org.apache.kafka</groupId><artifactId>connect-runtime</artifactId></exclusion></exclusions>
    </dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>$LOG4J_BINDING</version></dependency>
  </dependencies>
</project>
EOF
        mvn --quiet --batch-mode -Dstyle.color=never --file "$work/pom.xml" dependency:copy-dependencies \
            -DincludeScope=runtime -DoutputDirectory="$work/jars" >&2 || die "Maven could not fetch Kafka $VERSION"
        [ -e "$work/jars/kafka_2.13-$VERSION.jar" ] || die "Maven fetched no kafka_2.13-$VERSION.jar"
        # Another process may have been faster; its folder is as good.
        mv -T "$work/jars" "$target" 2>/dev/null || [ -d "$target" ] || die "cannot create $target"
    fi
    echo "$target"
}

# Writes the two configuration files and formats the log folder when it is new.
prepare() {
    local port=$1 data=$2 controller=$3 lib=$4
    mkdir -p "$data"
    cat >"$data/server.properties" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs=$data/log
auto.create.topics.enable=true
num.partitions=4
group.initial.rebalance.delay.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
log.retention.hours=-1
log.retention.bytes=-1
log.segment.bytes=268435456
log.cleaner.dedupe.buffer.size=16777216
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
${KAFKA_PROPERTIES:-}
EOF
    cat >"$data/log4j2.properties" <<EOF
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{HH:mm:ss.SSS} %p %c{1}: %m%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=info
EOF
    if [ ! -e "$data/log/meta.properties" ]; then
        java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC "-Dlog4j2.configurationFile=$data/log4j2.properties" -cp "$lib/*" \
            kafka.tools.StorageTool format -t "$CLUSTER_ID" -c "$data/server.properties" >"$data/format.log" 2>&1 ||
            { cat "$data/format.log" >&2; die "cannot format $data/log"; }
    fi
}

run() {
    local port=$1 data=$2 controller=${3:-$(($1 + 1))} lib
    lib=$(jars)
    prepare "$port" "$data" "$controller" "$lib"
    # The quick compiler alone: half the CPU time of a start, and these nodes do not live long.
    # shellcheck disable=SC2086 # KAFKA_OPTS is a list.
    exec java "-Xmx${KAFKA_HEAP:-512m}" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError ${KAFKA_OPTS:-} \
        "-Dlog4j2.configurationFile=$data/log4j2.properties" -cp "$lib/*" \
        kafka.Kafka "$data/server.properties"
}

# What the log says about a node that did not come up, without the stack traces.
complain() {
    grep -E ' (ERROR|FATAL) |^Caused by|^Error|^kafka.sh' "$1/server.log" | sort -u | tail -n 8 >&2 || tail -n 8 "$1/server.log" >&2
    rm -f "$1/pid"
}

# The pid may be another process's by now; only a java on this very folder is ours.
ours() { ps -o args= -p "$1" 2>/dev/null | grep -qF "kafka.Kafka $2/server.properties"; }

start() {
    local port=$1 data=$2 pid deadline
    mkdir -p "$data"
    if [ -e "$data/pid" ] && ours "$(cat "$data/pid")" "$data"; then die "a node runs on $data already"; fi
    : >"$data/server.log" # An old log would say that the node is ready.
    # A session of its own: the node outlives the shell that called, and Ctrl-C there.
    setsid "$0" run "$@" </dev/null >"$data/server.log" 2>&1 &
    pid=$!
    echo "$pid" >"$data/pid"
    deadline=$((SECONDS + 60))
    until grep -qs 'Kafka Server started' "$data/server.log"; do
        kill -0 "$pid" 2>/dev/null || { complain "$data"; die "the node on port $port ended while starting"; }
        [ "$SECONDS" -lt "$deadline" ] || { kill -9 "$pid"; complain "$data"; die "the node on port $port did not start in 60 s"; }
        sleep 0.1
    done
    echo "$pid"
}

stop() {
    local data=$1 pid deadline
    [ -e "$data/pid" ] || die "nothing was started on $data"
    pid=$(cat "$data/pid")
    if ours "$pid" "$data"; then kill "$pid"; fi
    deadline=$((SECONDS + 20))
    while ours "$pid" "$data"; do
        [ "$SECONDS" -lt "$deadline" ] || kill -9 "$pid" 2>/dev/null || true
        sleep 0.1
    done
    rm -f "$data/pid"
}

tool() {
    local name=$1 class lib
    shift
    case $name in
        topics) class=org.apache.kafka.tools.TopicCommand ;;
        acls) class=org.apache.kafka.tools.AclCommand ;;
        configs) class=kafka.admin.ConfigCommand ;;
        console-producer) class=org.apache.kafka.tools.ConsoleProducer ;;
        console-consumer) class=org.apache.kafka.tools.consumer.ConsoleConsumer ;;
        consumer-groups) class=org.apache.kafka.tools.consumer.group.ConsumerGroupCommand ;;
        get-offsets) class=org.apache.kafka.tools.GetOffsetShell ;;
        delete-records) class=org.apache.kafka.tools.DeleteRecordsCommand ;;
        transactions) class=org.apache.kafka.tools.TransactionsCommand ;;
        verifiable-producer) class=org.apache.kafka.tools.VerifiableProducer ;;
        broker-api-versions) class=org.apache.kafka.tools.BrokerApiVersionsCommand ;;
        *) die "unknown tool $name" ;;
    esac
    lib=$(jars)
    # Started in a row, in a test: a fast start is worth more than a fast run.
    exec java -Xmx256m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dlog4j2.level=ERROR -cp "$lib/*" "$class" "$@"
}

case "${1:-} $#" in
    "dir 1") default_jars ;;
    "jars 1") jars ;;
    "fetch 1" | "fetch 2") fetch "${2:-}" ;;
    "run 3" | "run 4" | "start 3" | "start 4" | "stop 2") "$@" ;;
    "tool "*) [ $# -ge 2 ] || { usage >&2; exit 2; }; "$@" ;;
    "help 1" | "--help 1" | "-h 1") usage ;;
    *) usage >&2; exit 2 ;;
esac
