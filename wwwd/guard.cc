#include "wwwd/guard.h"

#include <algorithm>

#include "lib/net_address.h"
#include "lib/text.h"

namespace wwwd {

using po::messages::NetAddress;

namespace {

/// As proxies write it: a number, alone or with a port, an IPv6 one then in brackets.
std::optional<NetAddress> forwarded_address(std::string_view text) {
  if (text.starts_with('[')) {
    std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    text = text.substr(1, end - 1);
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    text = text.substr(0, text.find(':'));
  }
  return po::parse_address(text);
}

/// From right to left: each proxy has added at the right end whom it saw. Only what a listed one added is
/// believed, so the first that is no listed proxy is the client, whatever stands before it.
std::optional<NetAddress> forwarded_client(const Policy& policy, NetAddress client, const Head& head) {
  for (auto field = head.fields.rbegin(); field != head.fields.rend(); ++field) {
    if (field->first != "x-forwarded-for") continue;
    std::string_view rest = field->second;
    while (!rest.empty()) {
      std::size_t comma = rest.rfind(',');
      std::string_view last = comma == std::string_view::npos ? rest : rest.substr(comma + 1);
      rest = rest.substr(0, comma == std::string_view::npos ? 0 : comma);
      auto address = forwarded_address(po::trim(last));
      if (!address) return std::nullopt;
      client = *address;
      if (!po::any_match(policy.proxies, client, {})) return client;
    }
  }
  return client;
}

}  // namespace

Policy Policy::of(const directory::Settings& settings) {
  Policy policy;
  policy.limit = po::parse_access_rules(settings.web_limit);
  policy.limited = !settings.web_limit.empty();
  policy.proxies = po::parse_access_rules(settings.trusted_proxies);
  policy.clear_text = settings.web_clear_text;
  return policy;
}

std::optional<Source> source_of(const Policy& policy, const NetAddress& peer, bool tls, const Head& head) {
  if (!po::any_match(policy.proxies, peer, {})) return Source{peer, tls};
  auto client = forwarded_client(policy, peer, head);
  if (!client) return std::nullopt;
  std::string_view scheme = head.field("x-forwarded-proto");
  if (scheme.empty()) return Source{*client, tls};
  bool https = po::equal_ignoring_case(scheme, "https");
  if (!https && !po::equal_ignoring_case(scheme, "http")) return std::nullopt;
  return Source{*client, https};
}

// RFC 6454 6.2: a port that is the scheme's own is not written.
std::string own_origin(bool https, std::string_view host) {
  std::string_view usual = https ? ":443" : ":80";
  std::string_view name = without_port(host);
  if (host.substr(name.size()) == usual) host = name;
  return std::string(https ? "https://" : "http://").append(host);
}

bool is_forged(const Head& head, std::string_view own_origin) {
  if (head.method != Method::kPost) return false;
  if (head.has("origin") && !po::equal_ignoring_case(head.field("origin"), own_origin)) return true;
  std::string_view site = head.field("sec-fetch-site");
  return head.has("sec-fetch-site") && site != "same-origin" && site != "none";
}

bool may_use_clear_text(const Policy& policy, const NetAddress& client) {
  if (policy.clear_text == directory::ClearText::kNever) return false;
  return policy.clear_text == directory::ClearText::kAlways || po::is_loopback(client);
}

Access may_use_forms(const Policy& policy, const NetAddress& client, const std::string* name) {
  if (!policy.limited) return Access::kAllowed;
  if (name == nullptr && po::needs_name(policy.limit, client)) return Access::kNameNeeded;
  bool allowed = po::any_match(policy.limit, client, name == nullptr ? std::string_view{} : *name);
  return allowed ? Access::kAllowed : Access::kRefused;
}

}  // namespace wwwd
