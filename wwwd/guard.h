// Who asks, from where, and whether he may ask at all, before a page does: the first of the three steps of
// FEATURES 43. Pure; the fields are hostile, save those that a listed proxy wrote. Caller: Connection.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/access.h"
#include "lib/directory/settings.h"
#include "lib/messages.h"
#include "wwwd/request.h"

namespace wwwd {

/// What System Security says about the web forms, read once for each change of the settings.
struct Policy {
  std::vector<po::AccessRule> limit;    ///< Limit-Configuration-via-Web-Forms
  bool limited = false;                 ///< it is not empty
  std::vector<po::AccessRule> proxies;  ///< Trusted-Web-Proxies
  directory::ClearText clear_text = directory::ClearText::kLoopback;

  /// A line that is no access rule matches nobody. (Forms let none pass.)
  [[nodiscard]] static Policy of(const directory::Settings& settings);
};

/// Where a request comes from.
struct Source {
  po::messages::NetAddress client;
  bool https = false;
};

/// The peer itself, or, if it is a listed proxy, the rightmost address of X-Forwarded-For that is none, and
/// what X-Forwarded-Proto says. Nothing if a listed proxy's fields cannot be read.
[[nodiscard]] std::optional<Source> source_of(const Policy& policy, const po::messages::NetAddress& peer,
                                              bool tls, const Head& head);

/// Scheme, host and port by which the browser knows us: "https://mail.podunk.edu". `host`: of the Head.
[[nodiscard]] std::string own_origin(bool https, std::string_view host);

/// A POST that the browser says another site has made. Who says nothing about it is no browser of today, and
/// is caught by the pages' own anti-forgery token.
[[nodiscard]] bool is_forged(const Head& head, std::string_view own_origin);

/// Without TLS: to clients on this host, to everybody, or to nobody, by Web-Clear-Text.
[[nodiscard]] bool may_use_clear_text(const Policy& policy, const po::messages::NetAddress& client);

enum class Access { kAllowed, kRefused, kNameNeeded };
/// `name`: the client's confirmed name; null if it was not looked up yet.
[[nodiscard]] Access may_use_forms(const Policy& policy, const po::messages::NetAddress& client,
                                   const std::string* name);

}  // namespace wwwd
