// Addresses of clients: from the kernel's form, from text, to text, and what limits count by.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/messages.h"

namespace po {

/// "192.0.2.1", "2001:db8::1", "local". An IPv4-mapped IPv6 address is made IPv4 by net_address().
[[nodiscard]] std::string address_text(const messages::NetAddress& a);
/// "192.0.2.1:25" or "[2001:db8::1]:25".
[[nodiscard]] std::string address_port_text(const messages::NetAddress& a);
[[nodiscard]] messages::NetAddress net_address(const void* sockaddr, unsigned length);
[[nodiscard]] std::optional<messages::NetAddress> parse_address(std::string_view text);
[[nodiscard]] bool is_loopback(const messages::NetAddress& a);
/// What limits and slow-downs are counted by: the IPv4 address, the IPv6 /64, or "local".
[[nodiscard]] std::string limit_key(const messages::NetAddress& a);

}  // namespace po
