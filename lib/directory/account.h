// One account, as a record of the directory and as every reader sees it. Forms (accounts/account_form.h) turn
// it into text and back; man/directory.5 gives its octets.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "lib/wire.h"

namespace directory {

/// From-Address-Rewrite: what submission does to the From field of what this account sends.
enum class FromRewrite : std::uint8_t { kNone = 0, kComment = 1, kQuoted = 2 };

/// The Postmaster account is number 1; it is made with the directory and cannot be removed.
inline constexpr std::uint64_t kPostmaster = 1;

struct Account {
  std::uint64_t id = 0;  ///< given once, never used again for another account
  std::string name;      ///< User's-Real-Name, UTF-8
  std::vector<std::string>
      addresses;  ///< Internet-Addresses, at least one, canonical (lib/address.h) with the
                  ///< letter case of the local part as typed; the first is the primary
  FromRewrite from_rewrite = FromRewrite::kNone;
  bool pop3_delivery = true;            ///< mail goes into a mailbox of this suite
  std::string pop_login;                ///< POP-Login-Name, unique; may be empty
  std::uint64_t mailbox_limit = 0;      ///< octets; 0: System Configuration's default
  std::vector<std::string> forwarding;  ///< Forwarding-Addresses
  bool locked = false;
  bool any_sender = false;          ///< may send from addresses that are not its own
  std::vector<std::string> access;  ///< General-Access-Restrictions; empty: from everywhere
  std::vector<std::string> finger;  ///< Finger-Information, lines
  std::uint64_t revision = 0;       ///< the directory's generation of its last change
  bool finger_allowed = true;       ///< Finger-Allowed: no means that finger knows nobody of this name
  bool system_password = false;     ///< Use-System-Password: logs in with the password of the system's user
  std::string system_user;          ///< System-User-Name, for that; empty: the POP login name
  bool unix_delivery = false;       ///< mail goes into the mail drop of a user of this host
  std::string unix_login;           ///< UNIX-Login-Name: that user

  auto fields() {
    return std::tie(id, name, addresses, from_rewrite, pop3_delivery, pop_login, mailbox_limit, forwarding,
                    locked, any_sender, access, finger, revision, finger_allowed, system_password,
                    system_user, unix_delivery, unix_login);
  }
};

}  // namespace directory

template <>
struct po::wire::valid_enum<directory::FromRewrite> {
  static bool ok(directory::FromRewrite v) { return v <= directory::FromRewrite::kQuoted; }
};
