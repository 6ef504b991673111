# others.sh: the other mail, POP3 and finger servers of this host. Part of installpo.
# The parts of installpo share their variables.
# shellcheck shell=sh disable=SC2154

disable_everything() {
  for name in $(installed_services); do stop_service "$name"; done
  switch_off_inetd
  for service in finger pop3 pop3s smtp; do
    [ ! -f "/etc/xinetd.d/$service" ] || grep -q '^[[:space:]]*disable[[:space:]]*=[[:space:]]*yes' "/etc/xinetd.d/$service" ||
      later "switch $service off in /etc/xinetd.d/$service (disable = yes), and reload xinetd"
  done
  if system_runs; then return; fi
  for port in $ports; do
    owner=$(port_owner "$port")
    case $owner in
      '') ;;
      dovecot) later "Dovecot has port $port: take pop3 out of its protocols (protocols = imap lmtp), and restart it" ;;
      *) later "port $port is still taken by $owner: stop it, and see that it does not start again" ;;
    esac
  done
}
