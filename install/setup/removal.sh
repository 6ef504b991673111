# removal.sh: taking Post.Office off this host. Part of installpo.
# The parts of installpo share their variables.
# shellcheck shell=sh disable=SC2154

remove_all() {
  installed_here || [ -f "$changes_file" ] || die "no Post.Office is installed here"
  read_places
  look_at_the_queue
  choose_data
  if [ -z "$unattended" ]; then
    printf 'Take Post.Office off this host? (yes or no) '
    read -r answer || answer=no
    [ "$answer" = yes ] || die "nothing was changed"
  fi
  # From here the program's own directory goes: the shell has read all of this already.
  if system_runs; then stop_system; fi
  switch_service disable post.office
  take_back_changes "$data"
  remove_directories
  rm -f "$answers_file" "$conf"
  if [ "$data" = keep ] && grep -q -e '^user ' -e '^group ' "$changes_file"; then
    grep -e '^user ' -e '^group ' "$changes_file" > "$changes_file.new" && mv "$changes_file.new" "$changes_file"
  else
    rm -f "$changes_file"
  fi
  if has_systemd; then systemctl daemon-reload; fi
  say "Post.Office is gone from this host."
  [ "$data" = delete ] || say "Kept: $spool_directory (accounts, settings), $mailbox_directory (mail), $log_directory (log)."
}

# What waits would be lost to its senders; they are to decide, not we.
look_at_the_queue() {
  if ! system_runs; then
    [ -n "$force" ] || ! installed_here || die "the system does not run, so nobody can say what waits in its queue: start it, or give --force"
    return 0
  fi
  waiting=$(office queue list --json | grep -c .)
  [ "$waiting" -eq 0 ] || [ -n "$force" ] ||
    die "mail for $waiting recipients waits in the queue: post.office queue list shows it, queue retry --all tries it now, --force removes all the same"
}

choose_data() {
  while [ -z "$data" ]; do
    [ -z "$unattended" ] || die "--data keep or --data delete: what becomes of accounts and mail?"
    printf 'Accounts, settings and mail, also what users have not fetched yet: keep or delete? '
    read -r answer || die "nothing was changed"
    case $answer in keep | delete) data=$answer ;; esac
  done
}

# By name, and the directory only if nothing is left in it: a configuration may name any.
remove_directories() {
  # shellcheck disable=SC2046 # names without blanks
  empty_place "$program_directory" setup previous Setup maildrop $(sed -n 's/^program .* PROGRAM.//p' "$here/layout")
  [ "$data" = delete ] || return 0
  empty_place "$spool_directory" directory secrets run tls previous directory.newer-* secrets.newer-*
  empty_place "$mailbox_directory" store
  empty_place "$log_directory" post.office.log*
}
empty_place() { # PLACE NAME...: names may be patterns
  (cd "$1" 2> /dev/null && shift && rm -rf -- $*)
  [ ! -d "$1" ] || rmdir "$1" 2> /dev/null || warn "$1 is not empty and stays: $(ls -A "$1" | head -n 5 | tr '\n' ' ')"
}
