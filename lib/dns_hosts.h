// The hosts file, read once as text before confinement and asked before DNS; and the names of RFC 6761 that
// must never be asked of DNS (localhost, 127.0.0.1, ::1). The file belongs to root and is trusted;
// lines that are not understood are skipped, as every other reader of it does. Pure; caller: lib/dns.cc.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/dns.h"

namespace po {

class HostsFile {
 public:
  explicit HostsFile(std::string_view text);
  /// Nothing: ask DNS. A name that stands here with another kind of number only is not found.
  [[nodiscard]] std::optional<DnsAnswer> find(std::string_view name, DnsType type) const;
  [[nodiscard]] std::optional<DnsAnswer> reverse(const messages::NetAddress& address) const;

 private:
  void add_line(std::string_view line);
  std::map<std::string, std::vector<messages::NetAddress>, std::less<>> addresses_;  ///< by lower-case name
  std::map<std::string, std::vector<std::string>, std::less<>> names_;               ///< by address_text()
};

}  // namespace po
