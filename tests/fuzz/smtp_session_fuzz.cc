// A whole session on any octets. The first octet chooses the port, the second how the rest is cut; whole and
// cut must come to the same replies and messages, and every reply line must be one.
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/error.h"
#include "tests/unit/smtpd/player.h"

using po::messages::Protocol;
using smtpd::test::Player;

static Player start(std::uint8_t port) {
  static constexpr Protocol kProtocols[] = {Protocol::kSmtp, Protocol::kSubmission, Protocol::kSubmission,
                                            Protocol::kLocalSubmission};
  // Sessions that begin with TLS, so that what follows is not discarded.
  return Player(kProtocols[port % 4], port % 4 == 2);
}

static void check_replies(std::string_view out) {
  while (!out.empty()) {
    std::size_t end = out.find("\r\n");
    if (end == std::string_view::npos || end > 510 || end < 4) po::panic("a reply is no line");
    for (char c : out.substr(0, end)) {
      if (c < ' ' || c > '~') po::panic("a reply holds a foreign octet");
    }
    out.remove_prefix(end + 2);
  }
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::string_view in(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::size_t step = 1 + data[1] % 32;

  Player whole = start(data[0]);
  whole.world.tls = false;
  whole.connect();
  whole.feed(in);
  check_replies(whole.output);

  Player pieces = start(data[0]);
  pieces.world.tls = false;
  pieces.connect();
  for (std::size_t at = 0; at < in.size(); at += step) pieces.feed(in.substr(at, step));
  if (whole.output != pieces.output) po::panic("a cut changes the replies");
  if (!(whole.taken == pieces.taken)) po::panic("a cut changes the messages");
  return 0;
}
