// The settings by name: what the rows of the directory and the fields of the forms are called. One list, so
// that record (lib/directory/record.cc) and form (lib/form/settings_form.cc) cannot disagree.
#pragma once

#include "lib/directory/settings.h"

namespace directory {

/// Calls f(name, member) for each setting. The names are those of the form fields (lib/form/forms.cc); a row
/// once written keeps its name and type for good.
template <class S, class F>
void for_each_setting(S& s, F&& f) {
  f("Maximum-Message-Size", s.max_message_size);
  f("Maximum-POP3-Mailbox-Size", s.default_mailbox_limit);
  f("Mailbox-Full-Is-Permanent", s.over_quota_permanent);
  f("Minimum-Free-Disk-Space", s.min_free_disk);
  f("Maximum-Recipients", s.max_recipients);
  f("Maximum-Messages-per-Session", s.max_messages);
  f("SMTP-Sessions-per-Address", s.smtp_per_address);
  f("POP3-Sessions-per-Address", s.pop3_per_address);
  f("SMTP-Command-Time-Limit", s.smtp_command_seconds);
  f("SMTP-Data-Time-Limit", s.smtp_data_seconds);
  f("SMTP-Session-Time-Limit", s.smtp_session_seconds);
  f("SMTP-Error-Limit", s.smtp_error_limit);
  f("SMTP-Unknown-Recipient-Limit", s.smtp_unknown_limit);
  f("SMTP-Idle-Command-Limit", s.smtp_idle_commands);
  f("POP3-Idle-Time-Limit", s.pop3_idle_seconds);
  f("POP3-Error-Limit", s.pop3_error_limit);
  f("POP3-Clear-Text-Log-In", s.pop3_clear_text);
  f("Look-Up-Client-Names", s.look_up_clients);
  f("Relay-Networks", s.relay_networks);
  f("Log-In-Failures-per-Address", s.failures_per_address);
  f("Log-In-Failures-per-Account", s.failures_per_account);
  f("Log-In-Delay-Limit", s.failure_delay_max);
  f("Password-Checks-at-Once", s.password_checks);
  f("Local-Mail-Domains", s.local_domains);
  f("Relay-Domains", s.relay_domains);
  f("Address-Completion-Domain", s.completion_domain);
  f("Mail-Routing-Table", s.routes);
  f("Sender-Options", s.sender_routes);
  f("Plus-Addresses", s.plus_addresses);
  f("Unknown-Local-Users", s.unknown_users);
  f("Catch-All-Address", s.catch_all);
  f("Aliases", s.channel_aliases);
  f("Message-Lifetime", s.message_lifetime);
  f("Delay-Warning", s.delay_warning);
  f("Bounce-Full-Message-Size", s.bounce_full_size);
  f("Deliveries-at-Once", s.deliveries_at_once);
  f("Deliveries-per-Host", s.deliveries_per_host);
  f("Recipients-per-Hour-per-Account", s.account_per_hour);
  f("Recipients-per-Day-per-Account", s.account_per_day);
  f("Recipients-per-Hour-per-UNIX-User", s.user_per_hour);
  f("Recipients-per-Day-per-UNIX-User", s.user_per_day);
  f("Recipients-per-Hour-per-Network", s.network_per_hour);
  f("Recipients-per-Day-per-Network", s.network_per_day);
  f("Trusted-UNIX-Users", s.trusted_users);
  f("Queue-Start-Permissions", s.queue_start);
  f("Limit-Configuration-via-Web-Forms", s.web_limit);
  f("Web-Clear-Text", s.web_clear_text);
  f("Web-Idle-Limit", s.web_idle_seconds);
  f("Trusted-Web-Proxies", s.trusted_proxies);
  f("Minimum-Password-Length", s.min_password_length);
  f("Finger-Access", s.finger_access);
  f("Finger-List-Users", s.finger_list);
  f("Finger-Host-Line", s.finger_host_line);
  f("Web-Sessions-per-Address", s.web_per_address);
  f("Finger-Sessions-per-Address", s.finger_per_address);
  f("Maximum-Accounts", s.most_accounts);
  f("Send-Greeting", s.send_greeting);
  f("Greeting-Text", s.greeting);
}

}  // namespace directory
