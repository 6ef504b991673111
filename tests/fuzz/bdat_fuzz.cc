// BDAT (RFC 3030) on any content, cut into any chunks, and the chunks' octets into any pieces on the wire:
// what is taken is what was sent, or the message is refused for a bare CR or LF or a NUL; nothing in a chunk
// is ever read as a command. The first octet tells how long chunks are, the second how the wire is cut, the
// rest is content.
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/error.h"
#include "tests/unit/smtpd/player.h"

using smtpd::test::Player;

static bool fit(std::string_view content) {
  for (std::size_t i = 0; i < content.size(); ++i) {
    bool after_cr = i > 0 && content[i - 1] == '\r';
    bool before_lf = i + 1 < content.size() && content[i + 1] == '\n';
    if (content[i] == '\0' || (content[i] == '\n' && !after_cr) || (content[i] == '\r' && !before_lf))
      return false;
  }
  return true;
}

/// The last chunk may be empty, as it is for clients that did not know which one would be the last.
static std::string in_chunks(std::string_view content, std::size_t length) {
  std::string wire;
  do {
    std::string_view chunk = content.substr(0, length);
    content.remove_prefix(chunk.size());
    bool last = content.empty() && (chunk.size() < length || length % 2 == 0);
    wire.append("BDAT " + std::to_string(chunk.size()) + (last ? " LAST\r\n" : "\r\n")).append(chunk);
    if (last) return wire;
  } while (true);
}

static Player play(std::string_view wire, std::size_t step) {
  Player player;
  player.world.tls = false;
  player.connect();
  player.say("EHLO client.example\r\nMAIL FROM:<a@elsewhere.net>\r\nRCPT TO:<jane@podunk.edu>\r\n");
  for (std::size_t at = 0; at < wire.size(); at += step) player.feed(wire.substr(at, step));
  return player;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::string_view content(reinterpret_cast<const char*>(data) + 2, size - 2);
  // So few chunks that refusals of all after the first one do not end the session.
  std::string wire = in_chunks(content, 1 + data[0] + content.size() / 6) + "NOOP\r\n";

  Player whole = play(wire, wire.size());
  Player pieces = play(wire, 1 + data[1] % 64);
  if (whole.output != pieces.output || !(whole.taken == pieces.taken)) po::panic("a cut changes the message");
  if (whole.closed || !whole.output.ends_with("250 2.0.0 Ok\r\n")) po::panic("the session is out of step");

  bool refused = whole.output.starts_with('5') || whole.output.find("\r\n5") != std::string::npos;
  if (!fit(content) && !whole.taken.empty()) po::panic("an unfit message was taken");
  if (whole.taken.empty() && !refused) po::panic("a message got lost");
  if (!whole.taken.empty()) {
    std::string expected(content);
    if (!expected.empty() && !expected.ends_with("\r\n")) expected += "\r\n";
    if (!whole.taken.front().body.ends_with(expected)) po::panic("the content was changed");
  }
  return 0;
}
