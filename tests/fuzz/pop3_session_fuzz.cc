// Any octets as a POP3 client. The first octet chooses the conditions and the cuts. Two sessions get the same
// octets, one at once and one in pieces: the same actions must come out, a mailbox that was opened is closed
// at most once, and nothing is deleted without QUIT.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/unit/pop3d/player.h"

using pop3d::test::Player;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  pop3d::Conditions conditions = pop3d::test::at_home();
  conditions.loopback = (data[0] & 1) != 0;
  conditions.implicit_tls = (data[0] & 2) != 0;
  conditions.tls_available = false;  // octets behind STLS are thrown away, which depends on the cuts
  conditions.error_limit = (data[0] & 4) != 0 ? 3 : 1000;
  std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  Player whole(conditions);
  whole.input(input);
  Player pieces(conditions);
  std::size_t step = 1 + (data[0] >> 3);
  for (std::size_t at = 0; at < input.size() && !pieces.closed(); at += step)
    pieces.input(input.substr(at, step));
  if (pieces.trace() != whole.trace()) std::abort();
  if (whole.open_mailboxes() > 1) std::abort();
  if (whole.mailbox().size() < 3 && whole.why() != "quit") std::abort();
  return 0;
}
