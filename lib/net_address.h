// Network addresses: from the kernel's form and to it, from text, to text, and what limits count by. Pure;
// text may be hostile. Callers: everybody.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/messages.h"

struct sockaddr_storage;

namespace po {

/// "192.0.2.1", "2001:db8::1", "local". An IPv4-mapped IPv6 address is made IPv4 by net_address().
[[nodiscard]] std::string address_text(const messages::NetAddress& a);
/// "192.0.2.1:25" or "[2001:db8::1]:25".
[[nodiscard]] std::string address_port_text(const messages::NetAddress& a);
[[nodiscard]] messages::NetAddress net_address(const void* sockaddr, unsigned length);
/// The kernel's form of an IPv4 or IPv6 address with its port; its length, 0 for a local peer.
[[nodiscard]] unsigned to_sockaddr(const messages::NetAddress& a, sockaddr_storage& out);
[[nodiscard]] std::optional<messages::NetAddress> parse_address(std::string_view text);
/// Whatever the ports are.
[[nodiscard]] bool same_host(const messages::NetAddress& a, const messages::NetAddress& b);
[[nodiscard]] bool is_loopback(const messages::NetAddress& a);
/// What limits and slow-downs are counted by: the IPv4 address, the IPv6 /64, or "local".
[[nodiscard]] std::string limit_key(const messages::NetAddress& a);

}  // namespace po
