# shellcheck shell=bash
# Post.Office as a target of the benchmark harness: sourced by its lib.sh users (tests/bench/run puts it there).
# BENCH_WORK, DOMAIN, PASS, NUSERS and SINK_PORT come from the harness; PO_SOURCE is this project's checkout, PO_BUILD its build.
# shellcheck disable=SC2034,SC2153,SC2154 # what the harness reads and gives
T_NAME=post_office SMTP_PORT=2520 POP3_PORT=2120 T_CAPS="smtp local relay pop3"
PO=$WORK/post_office
T_DISK="$PO/run/spool $PO/run/mailbox"
# The store is no Maildir: what is in the mailboxes is counted by queue. By POP3 it would cost a log-in for each mailbox.
COUNT_CMD="\"$PO/program/post.office\" -c \"$PO/post.office.conf\" queue status --json | sed 's/.*\"entries\":\([0-9]*\).*/\1/'"

# Accounts are made once, with a ready hash; t_reset copies the fresh state back.
t_setup() {
  python3 "$PO_SOURCE/tests/bench/prepare.py" --build "$PO_BUILD" --base "$PO" --smtp "$SMTP_PORT" --pop3 "$POP3_PORT" \
    --users "$NUSERS" --domain "$DOMAIN" --password "$PASS" --sink "$SINK_PORT" || die "post_office: set-up failed"
}
t_reset() { rm -rf "$PO/run" && cp -a "$PO/fresh" "$PO/run"; }
t_run() { exec "$PO/program/post.office" -c "$PO/post.office.conf" start --foreground; }
