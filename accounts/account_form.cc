#include "accounts/account_form.h"

#include <charconv>
#include <functional>

#include "lib/text.h"

namespace accounts {
namespace {

using directory::Account;
using directory::FromRewrite;
using List = std::vector<std::string>;

constexpr std::uint64_t kKilobyte = 1024;
constexpr std::string_view kRewrite[] = {"none", "comment", "quoted"};

List one(const std::string& text) {
  return text.empty() ? List() : List{text};
}
List yes_no(bool yes) {
  return {yes ? "yes" : "no"};
}

List kilobytes(std::uint64_t octets) {
  return octets == 0 ? List() : List{std::to_string(octets / kKilobyte)};
}

bool is_yes(const List& values) {
  return !values.empty() && values[0] == "yes";
}
std::string text(const List& values) {
  return values.empty() ? std::string() : values[0];
}

std::uint64_t octets(const List& values) {
  std::uint64_t n = 0;
  if (!values.empty()) std::from_chars(values[0].data(), values[0].data() + values[0].size(), n);
  return n * kKilobyte;
}

FromRewrite rewrite(const List& values) {
  for (std::size_t i = 0; i < std::size(kRewrite); ++i)
    if (!values.empty() && values[0] == kRewrite[i]) return static_cast<FromRewrite>(i);
  return FromRewrite::kNone;
}

/// One row per field: how it is read from an account and put into one.
struct Binding {
  std::string_view field;
  std::function<List(const Account&)> get;
  std::function<void(Account&, const List&)> set;
};

const std::vector<Binding>& bindings() {
  static const std::vector<Binding> kBindings{
      {"User's-Real-Name", [](const Account& a) { return one(a.name); },
       [](Account& a, const List& v) { a.name = text(v); }},
      {"Account-Number", [](const Account& a) { return a.id ? one(std::to_string(a.id)) : List(); },
       [](Account&, const List&) {}},
      {"Internet-Addresses", [](const Account& a) { return a.addresses; },
       [](Account& a, const List& v) { a.addresses = v; }},
      {"From-Address-Rewrite",
       [](const Account& a) { return List{std::string(kRewrite[static_cast<std::size_t>(a.from_rewrite)])}; },
       [](Account& a, const List& v) { a.from_rewrite = rewrite(v); }},
      {"Send-From-Any-Address", [](const Account& a) { return yes_no(a.any_sender); },
       [](Account& a, const List& v) { a.any_sender = is_yes(v); }},
      {"POP3-Delivery", [](const Account& a) { return yes_no(a.pop3_delivery); },
       [](Account& a, const List& v) { a.pop3_delivery = is_yes(v); }},
      {"POP-Login-Name", [](const Account& a) { return one(a.pop_login); },
       [](Account& a, const List& v) { a.pop_login = text(v); }},
      {"Maximum-POP3-Mailbox-Size", [](const Account& a) { return kilobytes(a.mailbox_limit); },
       [](Account& a, const List& v) { a.mailbox_limit = octets(v); }},
      {"Forwarding-Addresses", [](const Account& a) { return a.forwarding; },
       [](Account& a, const List& v) { a.forwarding = v; }},
      {"Account-Locked", [](const Account& a) { return yes_no(a.locked); },
       [](Account& a, const List& v) { a.locked = is_yes(v); }},
      {"General-Access-Restrictions", [](const Account& a) { return a.access; },
       [](Account& a, const List& v) { a.access = v; }},
      {"Use-System-Password", [](const Account& a) { return yes_no(a.system_password); },
       [](Account& a, const List& v) { a.system_password = is_yes(v); }},
      {"System-User-Name", [](const Account& a) { return one(a.system_user); },
       [](Account& a, const List& v) { a.system_user = text(v); }},
      {"UNIX-Delivery", [](const Account& a) { return yes_no(a.unix_delivery); },
       [](Account& a, const List& v) { a.unix_delivery = is_yes(v); }},
      {"UNIX-Login-Name", [](const Account& a) { return one(a.unix_login); },
       [](Account& a, const List& v) { a.unix_login = text(v); }},
      {"Finger-Allowed", [](const Account& a) { return yes_no(a.finger_allowed); },
       [](Account& a, const List& v) { a.finger_allowed = is_yes(v); }},
      {"Finger-Information", [](const Account& a) { return a.finger; },
       [](Account& a, const List& v) { a.finger = v; }},
  };
  return kBindings;
}

}  // namespace

form::Values account_values(const Account& account) {
  form::Values values;
  for (const Binding& b : bindings()) values.emplace(b.field, b.get(account));
  return values;
}

void apply_values(const form::Values& values, Account& account) {
  for (const Binding& b : bindings()) {
    auto given = values.find(b.field);
    if (given != values.end()) b.set(account, given->second);
  }
}

std::string_view one_value(const form::Values& values, std::string_view field) {
  const List& list = form::values_of(values, field);
  return list.empty() ? std::string_view() : list[0];
}

void check_account(const Account& account, int line, std::vector<form::Problem>& problems) {
  if (!has_mailbox(account) && !account.unix_delivery && account.forwarding.empty())
    problems.push_back({line, "POP3-Delivery", "no",
                        "the mail has to go somewhere: give yes, UNIX-Delivery, or Forwarding-Addresses"});
  // Not the POP login name in its place: that names a user of this host only by chance.
  if (account.unix_delivery && account.unix_login.empty())
    problems.push_back({line, "UNIX-Delivery", "yes",
                        "a Postmaster has to give UNIX-Login-Name, the user of this host, first"});
  if (!account.unix_login.empty() && !po::is_unix_login(account.unix_login))
    problems.push_back(
        {line, "UNIX-Login-Name", account.unix_login,
         "a user's name has letters, digits, '_', '-' and '.', neither of these two first, and is "
         "at most 32 characters long"});
}

}  // namespace accounts
