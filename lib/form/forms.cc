#include "lib/form/forms.h"

#include "lib/form/settings_form.h"

namespace form {
namespace {

constexpr std::uint64_t kNoLimit = 4'000'000'000;
constexpr std::uint64_t kKilobyte = 1024;
/// 64 tebioctets: more than any mailbox, and no sum of it overflows.
constexpr std::uint64_t kMostKilobytes = 1ULL << 36;

Field yes_no(std::string_view name, std::string_view hint, std::string_view help) {
  return {.name = name, .type = Type::kYesNo, .hint = hint, .help = help};
}

Field number(std::string_view name, std::uint64_t min, std::uint64_t max, std::string_view hint,
             std::string_view help) {
  return {.name = name, .type = Type::kNumber, .hint = hint, .help = help, .min = min, .max = max};
}

Field kilobytes(std::string_view name, std::uint64_t min, std::string_view hint, std::string_view help) {
  Field field = number(name, min, kMostKilobytes, hint, help);
  field.scale = kKilobyte;
  return field;
}

Field list(std::string_view name, Type type, std::size_t most, std::string_view hint, std::string_view help) {
  return {.name = name, .type = type, .multiple = true, .hint = hint, .help = help, .max_values = most};
}

/// A list whose entries hold more than one name.
Field entries(std::string_view name, Type type, std::size_t most, std::string_view hint,
              std::string_view help) {
  Field field = list(name, type, most, hint, help);
  field.max_octets = 2048;
  return field;
}

/// An empty bracket means what a system has that was never configured.
Form with_defaults(Form form) {
  Values values = settings_values(directory::Settings{});
  for (Section& section : form.sections) {
    for (Field& field : section.fields) {
      auto found = values.find(field.name);
      if (found != values.end() && !found->second.empty()) field.default_value = found->second[0];
    }
  }
  return form;
}

// ---- Account Data

Section identity() {
  Field number{.name = "Account-Number",
               .type = Type::kReadOnly,
               .hint = "shown only",
               .help = "Given by the system, once. It never names another account."};
  Field name{.name = "User's-Real-Name",
             .also = {"Account-Name", "Your-Name"},
             .required = true,
             .hint = {},
             .help = "The name of the person or the purpose of the account.",
             .read = Who::kOwner};
  Field password{.name = "Mail-Account-Password",
                 .also = {"Password"},
                 .type = Type::kPassword,
                 .hint = "at least 6 characters; [] leaves it as it is",
                 .help =
                     "The password of the mailbox and of the account's forms. Never shown. A ready hash "
                     "($scrypt$..., or {crypt} and a crypt(3) hash) is taken as it is.",
                 .max_octets = 1024,
                 .change = Who::kOwner};
  return {{}, {name, number, password}};
}

Section addressing() {
  Field addresses = list("Internet-Addresses", Type::kAddress, 10'000, "the first is the primary address",
                         "Mail to any of these reaches the account. Each is unique on the system.");
  addresses.also = {"Internet-Address"};
  addresses.required = true;
  addresses.read = Who::kOwner;
  Field rewrite{.name = "From-Address-Rewrite",
                .type = Type::kChoice,
                .hint = "none, comment or quoted",
                .help =
                    "What the From line of outgoing mail is made: comment is janie@podunk.edu (Janie Lee), "
                    "quoted is \"Janie Lee\" <janie@podunk.edu>, none leaves it as it was sent.",
                .choices = {{"none", {}}, {"comment", {}}, {"quoted", {}}},
                .default_value = "none",
                .read = Who::kOwner};
  Field any = yes_no("Send-From-Any-Address", "yes or no",
                     "With no, this account sends only from its own Internet-Addresses.");
  any.default_value = "no";
  return {"----- E-MAIL ADDRESSING INFORMATION -- INTERNET (SMTP Channel) -----", {addresses, rewrite, any}};
}

Section delivery() {
  Field pop3 = yes_no("POP3-Delivery", "yes or no",
                      "Keep the account's mail in a mailbox here, to be fetched by POP3.");
  pop3.choices = {{"yes", {"POP", "POP3"}}};
  pop3.default_value = "yes";
  pop3.read = pop3.change = Who::kOwner;
  Field login{.name = "POP-Login-Name",
              .also = {"POP3-Login-Name"},
              .type = Type::kLogin,
              .indent = true,
              .hint = {},
              .help = "The account also logs in with any of its addresses. Unique on the system.",
              .read = Who::kOwner};
  Field unix_delivery =
      yes_no("UNIX-Delivery", "yes or no",
             "Put the account's mail into the mail drop of a user of this host, to be read with "
             "programs there. Beside POP3-Delivery both get all of it.");
  unix_delivery.default_value = "no";
  unix_delivery.read = unix_delivery.change = Who::kOwner;
  Field unix_login{.name = "UNIX-Login-Name",
                   .type = Type::kLogin,
                   .indent = true,
                   .hint = {},
                   .help = "The user of this host whose mail drop that is.",
                   .read = Who::kOwner};
  Field size = kilobytes("Maximum-POP3-Mailbox-Size", 0, "number of kilobytes; [] for the system's limit",
                         "When the mailbox is full, new mail for the account is refused.");
  size.indent = true;
  size.read = Who::kOwner;
  Field forwarding =
      list("Forwarding-Addresses", Type::kAddress, 1000, {}, "Mail is sent on to each of these.");
  forwarding.also = {"Forwarding-Address"};
  forwarding.read = forwarding.change = Who::kOwner;
  return {"----- LOCAL DELIVERY INFORMATION -----",
          {pop3, login, size, unix_delivery, unix_login, forwarding}};
}

Section account_security() {
  Field locked = yes_no("Account-Locked", "yes or no",
                        "A locked account keeps its password, but nobody can use it. Mail still arrives.");
  locked.also = {"Lock-Account"};
  locked.default_value = "no";
  Field access =
      list("General-Access-Restrictions", Type::kAccess, 1000,
           "domains, hosts, IP numbers or networks; [] for everywhere",
           "Where the account may be used from. 199.17.234.0 means all of 199.17.234. Numbers are safer "
           "than names: whoever keeps the reverse zone of a number chooses its name.");
  access.also = {"Access-Restrictions", "General-Access-Restriction"};
  Field system =
      yes_no("Use-System-Password", "yes or no",
             "With yes, the account logs in with the password of a user of this host, asked of saslauthd; "
             "its own password is not looked at. The configuration file has to name saslauthd's socket.");
  system.also = {"Use-NT-Logon-Password"};
  system.default_value = "no";
  Field user{.name = "System-User-Name",
             .also = {"NT-Username"},
             .type = Type::kLogin,
             .indent = true,
             .hint = "[] for the POP-Login-Name",
             .help = "The user of this host whose password that is."};
  return {"----- ACCOUNT SECURITY PARAMETERS -- ** Optional ** ------", {locked, access, system, user}};
}

Section finger() {
  Field lines{.name = "Finger-Information",
              .type = Type::kLines,
              .hint = {},
              .help = "What finger tells about the account.",
              .max_values = 100,
              .read = Who::kOwner,
              .change = Who::kOwner};
  Field allowed = yes_no("Finger-Allowed", "yes or no", "With no, finger knows nobody of this name.");
  allowed.default_value = "yes";
  allowed.read = allowed.change = Who::kOwner;
  return {"----- FINGER INFORMATION -- ** Optional ** -----", {allowed, lines}};
}

template <class Keep>
Form made_from(const Form& declared, Form made, Keep keep) {
  for (Section section : declared.sections) {
    std::vector<Field> fields;
    for (Field& field : section.fields)
      if (keep(field)) fields.push_back(std::move(field));
    section.fields = std::move(fields);
    if (!section.fields.empty()) made.sections.push_back(std::move(section));
  }
  return made;
}

/// Whether the owner of an account has to do with the field; what he may not change becomes shown only.
bool is_for_owner(Field& field) {
  if (field.read != Who::kOwner && field.change != Who::kOwner) return false;
  field.read = Who::kOwner;
  if (field.change == Who::kOwner) return true;
  field.type = Type::kReadOnly;
  field.required = false;
  field.default_value.clear();
  field.hint = "shown only";
  return true;
}

/// Whether all accounts may begin with the same.
bool is_for_all(const Field& field) {
  if (field.type == Type::kReadOnly || field.type == Type::kPassword || field.type == Type::kLogin)
    return false;
  return !field.required;
}

Field shown(std::string_view name, bool multiple, std::string_view help) {
  return {.name = name,
          .type = Type::kReadOnly,
          .multiple = multiple,
          .hint = multiple ? "" : "shown only",
          .help = help,
          .max_values = multiple ? std::size_t{1'000'000} : 1};
}

// ---- System Configuration

Section message_limits() {
  Field permanent = yes_no("Mailbox-Full-Is-Permanent", "yes: 552 5.2.2, no: 452 4.2.2",
                           "Whether mail for a full mailbox comes back to its sender at once.");
  return {"----- MESSAGES AND MAILBOXES -----",
          {kilobytes("Maximum-Message-Size", 1, "number of kilobytes", "A larger message is refused."),
           kilobytes("Maximum-POP3-Mailbox-Size", 0, "number of kilobytes; 0 for no limit",
                     "For accounts whose own form does not say."),
           permanent,
           kilobytes("Minimum-Free-Disk-Space", 0, "number of kilobytes",
                     "With less than this on the mailbox disk, mail is put off with 452."),
           number("Maximum-Recipients", 100, 1'000'000, "per message, at least 100",
                  "More are put off with 452; the client sends the rest later."),
           number("Maximum-Messages-per-Session", 0, kNoLimit, "0 for no limit",
                  "Then the client has to connect again.")}};
}

Section smtp_limits() {
  return {
      "----- SMTP SESSIONS -----",
      {number("SMTP-Sessions-per-Address", 1, 1'000'000, "open at once, in one process",
              "Counted by IPv4 address or IPv6 /64."),
       number("SMTP-Command-Time-Limit", 1, 86'400, "seconds; RFC 5321 wants 300",
              "How long a client may be silent between commands."),
       number("SMTP-Data-Time-Limit", 1, 86'400, "seconds; RFC 5321 wants 180",
              "How long a client may be silent inside a message."),
       number("SMTP-Session-Time-Limit", 1, 864'000, "seconds", "For a session that brings no mail forward."),
       number("SMTP-Error-Limit", 1, 1'000'000, "then the session ends", "Refused commands in one session."),
       number("SMTP-Unknown-Recipient-Limit", 1, 1'000'000, "then the session ends",
              "Against those who guess addresses."),
       number("SMTP-Idle-Command-Limit", 1, 1'000'000, "then the session ends",
              "Commands between two messages that bring no mail forward.")}};
}

Section pop3_limits() {
  Field clear{
      .name = "POP3-Clear-Text-Log-In",
      .type = Type::kChoice,
      .hint = "never, loopback or always",
      .help = "Where a POP3 password may cross without TLS: nowhere, from this machine only, anywhere.",
      .choices = {{"never", {"no"}}, {"loopback", {}}, {"always", {"yes"}}}};
  Field names =
      yes_no("Look-Up-Client-Names", "yes or no",
             "Reverse names of clients in Received lines and log. Access restrictions that need a name "
             "look it up in any case.");
  return {
      "----- POP3 SESSIONS -----",
      {number("POP3-Sessions-per-Address", 1, 1'000'000, "open at once, in one process",
              "Counted by IPv4 address or IPv6 /64."),
       number("POP3-Idle-Time-Limit", 600, 864'000, "seconds; RFC 1939 wants at least 600",
              "How long a client may be silent."),
       number("POP3-Error-Limit", 1, 1'000'000, "then the session ends", "Refused commands in one session."),
       clear, names}};
}

Section other_limits() {
  return {"----- WEB AND FINGER -----",
          {number("Web-Sessions-per-Address", 1, 1'000'000, "connections open at once, in one process",
                  "Counted by IPv4 address or IPv6 /64."),
           number("Finger-Sessions-per-Address", 1, 1'000'000, "open at once, in one process",
                  "Counted by IPv4 address or IPv6 /64.")}};
}

// ---- System Security

Section web() {
  Field clear{
      .name = "Web-Clear-Text",
      .type = Type::kChoice,
      .hint = "never, loopback or always",
      .help = "Where the web pages may be had without TLS: nowhere, from this machine only, anywhere.",
      .choices = {{"never", {"no"}}, {"loopback", {}}, {"always", {"yes"}}}};
  return {"----- WEB FORMS -----",
          {list("Limit-Configuration-via-Web-Forms", Type::kAccess, 10'000,
                "domains, hosts, IP numbers or networks; [] for everywhere",
                "Only clients there are shown the authentication form; others are turned away at once. "
                "Numbers are "
                "safer than names."),
           clear,
           number("Web-Idle-Limit", 10, 86'400, "seconds",
                  "Who asks for nothing for so long has to log in again."),
           list("Trusted-Web-Proxies", Type::kAccess, 1000, "IP numbers or networks",
                "Proxies whose word (X-Forwarded-For) is taken for where a client is.")}};
}

Section finger_access() {
  return {"----- FINGER -----",
          {list("Finger-Access", Type::kAccess, 10'000,
                "domains, hosts, IP numbers or networks; [] for everywhere",
                "Others are told that finger is not for them."),
           yes_no("Finger-List-Users", "yes or no",
                  "Whether finger without a name lists the accounts that allow finger."),
           yes_no("Finger-Host-Line", "yes or no",
                  "Whether answers begin with this host's name in brackets. Some finger programs print that "
                  "line themselves (Windows, BSD, macOS), others rely on the server (Debian).")}};
}

Section sending() {
  return {"----- WHO MAY SEND ANYWHERE -----",
          {list("Relay-Networks", Type::kAccess, 10'000, "domains, hosts, IP numbers or networks",
                "Clients there may send to any domain without logging in. Numbers are safer than names."),
           list("Trusted-UNIX-Users", Type::kLogin, 10'000, "log-in names; root always is",
                "Users of this host who may give any sender to sendmail, as list managers and web servers "
                "must; what others send says who they are.")}};
}

Section queue_start() {
  return {
      "----- WHO MAY HAVE WAITING MAIL SENT -----",
      {entries("Queue-Start-Permissions", Type::kQueueStart, 10'000,
               "DOMAIN RESTRICTION, as podunk.edu 192.0.2.0/24",
               "Who may ask on the SMTP port, with qsnd or ETRN, that mail which waits for this domain or "
               "one under it is sent now: a site that is not always connected.")}};
}

Section log_in() {
  return {
      "----- LOG-IN -----",
      {number("Minimum-Password-Length", 6, 100, "characters, at least 6",
              "For passwords that are set from now on."),
       number("Log-In-Failures-per-Address", 1, 1'000'000, "then log-ins from there are slowed down",
              "Counted by IPv4 address or IPv6 /64, over all accounts."),
       number("Log-In-Failures-per-Account", 1, 1'000'000, "then log-ins to it are slowed down",
              "An address that logged in to the account within 30 days is not slowed down for others' "
              "failures."),
       number("Log-In-Delay-Limit", 1, 86'400, "seconds", "The delay doubles with each failure up to this."),
       number("Password-Checks-at-Once", 1, 64, "each takes 32 megabytes and one processor",
              "Further ones wait their turn.")}};
}

// ---- Mail Routing

Section domains() {
  return {"----- DOMAINS -----",
          {list("Local-Mail-Domains", Type::kDomain, 100'000, "this host's own name is always one",
                "Every recipient there is known here; mail for others is not sent on."),
           list("Relay-Domains", Type::kDomain, 100'000, {},
                "Mail for these is taken from anybody, to be sent on (backup MX, hub)."),
           {.name = "Address-Completion-Domain",
            .type = Type::kDomain,
            .hint = "[] for this host's name",
            .help = "Added to addresses that have no domain."}}};
}

Section local_users() {
  Field unknown{.name = "Unknown-Local-Users",
                .type = Type::kChoice,
                .hint = "refuse, hold or deliver",
                .help =
                    "Mail for a local domain's address that nobody has: it is refused, held until the "
                    "Postmaster decides, or delivered to the Catch-All-Address.",
                .choices = {{"refuse", {}}, {"hold", {}}, {"deliver", {}}}};
  Field catch_all{.name = "Catch-All-Address",
                  .type = Type::kAddress,
                  .indent = true,
                  .hint = "an account's address, for deliver",
                  .help = "Who gets the mail that nobody has the address of."};
  return {"----- LOCAL USERS -----",
          {yes_no("Plus-Addresses", "yes or no",
                  "Mail for jane+anything@ reaches jane, where there is no account with that very address."),
           unknown, catch_all}};
}

Section routes() {
  return {"----- WHERE MAIL IS SENT -----",
          {entries("Mail-Routing-Table", Type::kRoute, 10'000, "PATTERN:HOST; the first that matches wins",
                   "Where mail for other domains goes. Patterns: podunk.edu (alone), *.podunk.edu (all under "
                   "it), * (all). Hosts: * (by its MX records, as without an entry), a host, host:port, "
                   "[192.0.2.1]. Options behind it: tls=none, opportunistic, required or verified; user=NAME "
                   "to log in there (post.office relay-password keeps the password); source=ADDRESS to "
                   "connect from; helo=NAME to greet with."),
           entries("Sender-Options", Type::kSenderOptions, 10'000, "DOMAIN source=ADDRESS helo=NAME",
                   "For mail whose sender is in this domain: the address to connect from and the name to "
                   "greet with, where the route does not say.")}};
}

// ---- Mail Queue

Section waiting() {
  Field bounce_size = kilobytes("Bounce-Full-Message-Size", 0, "number of kilobytes, at most 37",
                                "A larger message is returned as its header alone.");
  bounce_size.max = 37;  // a notice is a small body of the store
  return {"----- MAIL THAT CANNOT BE DELIVERED NOW -----",
          {number("Message-Lifetime", 1, 8760, "hours", "Then it is returned to its sender."),
           number("Delay-Warning", 0, 8760, "hours; 0 for none",
                  "Then its sender is told that it has not arrived yet. Not for bulk mail."),
           bounce_size}};
}

Section deliveries() {
  return {"----- DELIVERY -----",
          {number("Deliveries-at-Once", 1, 100'000,
                  "connections to all hosts together; at most 500 for each smtp-deliver process",
                  "Further mail waits its turn."),
           number("Deliveries-per-Host", 1, 10'000, "connections to one host or domain",
                  "It begins with less and grows as long as that goes well.")}};
}

Section brake() {
  return {
      "----- OUTGOING BRAKE -----",
      {number("Recipients-per-Hour-per-Account", 0, kNoLimit, "0 for no limit",
              "Recipients elsewhere that one account may send to; more are put off, and the Postmaster is "
              "told once a day: a stolen password looks like this."),
       number("Recipients-per-Day-per-Account", 0, kNoLimit, "0 for no limit", "Likewise."),
       number("Recipients-per-Hour-per-UNIX-User", 0, kNoLimit, "0 for no limit",
              "The same for each user of this host who sends by sendmail."),
       number("Recipients-per-Day-per-UNIX-User", 0, kNoLimit, "0 for no limit", "Likewise."),
       number("Recipients-per-Hour-per-Network", 0, kNoLimit, "0 for no limit",
              "The same for each client, by IPv4 address or IPv6 /64, that does not log in. Mail for "
              "Relay-Domains and what is forwarded counts too."),
       number("Recipients-per-Day-per-Network", 0, kNoLimit, "0 for no limit", "Likewise.")}};
}

}  // namespace

const Form& account_data() {
  static const Form kForm{
      "account-data", "Account Data", {identity(), addressing(), delivery(), account_security(), finger()}};
  return kForm;
}

const Form& system_configuration() {
  static const Form kForm = with_defaults({"system-configuration",
                                           "System Configuration",
                                           {message_limits(), smtp_limits(), pop3_limits(), other_limits()}});
  return kForm;
}

const Form& system_security() {
  static const Form kForm = with_defaults(
      {"system-security", "System Security", {sending(), queue_start(), web(), finger_access(), log_in()}});
  return kForm;
}

const Form& mail_routing() {
  static const Form kForm = with_defaults({"mail-routing",
                                           "Mail Routing",
                                           {domains(), local_users(), routes()},
                                           {"Local Mail Domains", "Mail Routing Table", "Routing"}});
  return kForm;
}

const Form& channel_aliases() {
  // Without a hint, so that it is printed as the Guide prints it.
  static const Form kForm{
      "channel-aliases",
      "SMTP Channel Aliases",
      {{{},
        {entries("Aliases", Type::kChannelAlias, 100'000, {},
                 "<INCOMING ADDRESS> <OUTGOING ADDRESS>: mail for the first, whatever its "
                 "domain, goes to the second.")}}},
      {"SMTP Aliases", "Aliases", "Channel Aliases"}};
  return kForm;
}

const Form& individual_account_information() {
  static const Form kForm = made_from(account_data(),
                                      {"individual-account-information",
                                       "Individual Account Information",
                                       {},
                                       {"Information", "Information Form", "Account Information"}},
                                      is_for_owner);
  return kForm;
}

const Form& default_account() {
  static const Form kForm =
      made_from(account_data(), {"default-account", "Default Account", {}, {}}, is_for_all);
  return kForm;
}

const Form& list_of_accounts() {
  static const Form kForm{
      "list-of-accounts",
      "List of Accounts",
      {{{}, {shown("Accounts", true, "Number, primary address and name of each account.")}}},
      {"Accounts"}};
  return kForm;
}

const Form& greeting() {
  static const Form kForm = with_defaults(
      {"greeting",
       "Greeting",
       {{{},
         {yes_no("Send-Greeting", "yes or no",
                 "Whether each new account with a mailbox or a mail drop here is sent this text."),
          {.name = "Greeting-Text",
           .type = Type::kLines,
           .hint = {},
           .help = "The text. The account's name, addresses and finger information are put behind it.",
           .max_values = 500}}}}});
  return kForm;
}

const Form& system_information() {
  static const Form kForm = with_defaults(
      {"system-information",
       "System Information",
       {{{},
         {shown("Version", false, "Of the mail system."),
          shown("Program-Directory", false, "Where the programs are."),
          shown("Spool-Directory", false,
                "Where the account database, the settings and the passwords are, and mail on its way out."),
          shown("Mailbox-Directory", false, "Where mail is kept."),
          shown("Log-Directory", false, "Where the log is written."),
          shown("Ports", true, "What is served where."),
          shown("Modules", true, "The programs of the system, and the state of their processes."),
          number("Maximum-Accounts", 0, kNoLimit, "0 for no limit", "More accounts are refused.")}}},
       {"Licensing/Configuration", "Licensing/Configuration Form"}});
  return kForm;
}

const Form& mail_queue() {
  static const Form kForm = with_defaults(
      {"mail-queue", "Mail Queue", {waiting(), deliveries(), brake()}, {"Queue", "Queue Form"}});
  return kForm;
}

const std::array<const Form*, 11>& all_forms() {
  static const std::array<const Form*, 11> kForms{&account_data(),         &individual_account_information(),
                                                  &default_account(),      &list_of_accounts(),
                                                  &system_configuration(), &system_security(),
                                                  &mail_routing(),         &channel_aliases(),
                                                  &mail_queue(),           &greeting(),
                                                  &system_information()};
  return kForms;
}

bool is_of_account(const Form& form) {
  return &form == &account_data() || &form == &individual_account_information();
}

bool is_of_settings(const Form& form) {
  return !is_of_account(form) && &form != &default_account() && &form != &list_of_accounts();
}

const Form* find_form(std::string_view name) {
  for (const Form* form : all_forms())
    if (form->is_named(name)) return form;
  return nullptr;
}

}  // namespace form
